/* Packets, tables, programs, losses: everything odd is counted and survived. */
#include "hex.h"
#include "ts_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#define CONFIG_LINE "config video 0 h264 avc1.64000a 128x72\n"
#define TRACK_LINES "track 256 video 0 h264\ntrack 257 audio 0 aac\n"

static const struct ts_build_program program = { 1, PMT_PID };
static struct picture key, inter;

static void expect_count(struct scene *s, enum counter id, uint64_t count)
{
    struct ts_recorder r;
    scene_run(s, &r);
    if (counter_read(&r.counters, id) != count)
        fail_msg("%s is %llu, expected %llu", counter_name(id), (unsigned long long)counter_read(&r.counters, id),
                 (unsigned long long)count);
    ts_recorder_deinit(&r);
}

/* `count` pictures, a key each four, from `first` on. */
static void put_pictures(struct scene *s, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        const uint64_t pts = 90000 + 3600ull * i;
        picture_h264(&inter, i % 4 == 0, true, 300, i + 1);
        scene_picture(s, pts, NO_TIME, &inter);
    }
}

static void expect_pictures(struct scene *s, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        const uint64_t pts = 90000 + 3600ull * i;
        picture_h264(&inter, i % 4 == 0, true, 300, i + 1);
        scene_expect_picture(s, pts, pts, &inter, "");
    }
}

static void start(struct scene *s)
{
    scene_init(s);
    scene_tables(s);
    scene_expect(s, CONFIG_LINE);
}

/* -- rhythm -- */

/* T19 */
static void garbage_in_front(void **unused_state)
{
    static const char *const garbage[] = { "00", "47", "4747474747", "474000114700ff47",
                                           "ffffffffffffffffffffffffffffffffffffff47ff" };
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        struct scene s;
        scene_init(&s);
        const struct hex g = hex(garbage[i]);
        ts_build_raw(&s.ts, g.data, g.bytes);
        scene_tables(&s);
        scene_expect(&s, CONFIG_LINE);
        put_pictures(&s, 0, 4);
        expect_pictures(&s, 0, 4);
        scene_check(&s);
        expect_count(&s, COUNTER_TS_BYTES_SKIPPED, g.bytes);
        expect_count(&s, COUNTER_TS_RESYNCS, 0);
        scene_deinit(&s);
    }
}

static void garbage_in_the_middle(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 4);
    uint8_t garbage[1000];
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (uint8_t)(i * 7 % 251);
    ts_build_raw(&s.ts, garbage, sizeof garbage);
    put_pictures(&s, 4, 4);
    expect_pictures(&s, 0, 8); /* nothing of the stream itself is missing */
    scene_check(&s);
    expect_count(&s, COUNTER_TS_RESYNCS, 1);
    expect_count(&s, COUNTER_TS_BYTES_SKIPPED, sizeof garbage);
    scene_deinit(&s);
}

/* T18, and M2TS's time codes. */
static void other_strides(void **unused_state)
{
    for (int kind = 0; kind < 2; kind++) {
        struct scene s, out;
        start(&s);
        put_pictures(&s, 0, 6);
        expect_pictures(&s, 0, 6);
        scene_init(&out);
        static const uint8_t parity[16] = { 0x47, 1, 2, 3 };
        for (size_t at = 0; at < s.ts.bytes; at += 188) {
            const uint8_t time_code[4] = { 0, 0x40, (uint8_t)(at / 188 * 3), 0x47 - at / 188 % 2 };
            if (kind) ts_build_raw(&out.ts, time_code, 4);
            ts_build_raw(&out.ts, s.ts.data + at, 188);
            if (!kind) ts_build_raw(&out.ts, parity, 16);
        }
        memcpy(s.ts.data, out.ts.data, out.ts.bytes);
        s.ts.bytes = out.ts.bytes;
        scene_check(&s);
        scene_deinit(&out);
        scene_deinit(&s);
    }
}

/* -- packets -- */

/* T16 */
static void null_packets(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    for (int i = 0; i < 50; i++) ts_build_null(&s.ts);
    scene_tables(&s);
    scene_expect(&s, CONFIG_LINE);
    for (unsigned i = 0; i < 4; i++) {
        put_pictures(&s, i, 1);
        for (int k = 0; k < 20; k++) ts_build_null(&s.ts);
    }
    expect_pictures(&s, 0, 4);
    scene_check(&s);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 0);
    scene_deinit(&s);
}

/* T2: each packet once more is legal; the copy's PCR may differ. */
static void duplicates(void **unused_state)
{
    struct scene s, out;
    start(&s);
    put_pictures(&s, 0, 6);
    expect_pictures(&s, 0, 6);
    scene_init(&out);
    for (size_t at = 0; at < s.ts.bytes; at += 188) {
        ts_build_raw(&out.ts, s.ts.data + at, 188);
        ts_build_raw(&out.ts, s.ts.data + at, 188);
    }
    memcpy(s.ts.data, out.ts.data, out.ts.bytes);
    s.ts.bytes = out.ts.bytes;
    scene_check(&s);
    expect_count(&s, COUNTER_TS_DUPLICATES, s.ts.bytes / 376);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 0);
    scene_deinit(&out);
    scene_deinit(&s);
}

/* The same counter with other bytes is no copy: fifteen packets are missing. */
static void a_false_duplicate(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 3);
    expect_pictures(&s, 0, 2);
    picture_h264(&inter, false, true, 300, 3);
    scene_expect_picture(&s, 97200, 97200, &inter, " damaged"); /* what followed it may be its own */
    s.ts.continuity[VIDEO_PID] = (s.ts.continuity[VIDEO_PID] + 15) & 15;
    picture_h264(&key, true, true, 300, 77);
    scene_picture(&s, 200000, NO_TIME, &key);
    scene_expect_picture(&s, 200000, 200000, &key, " after-loss");
    scene_check(&s);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 1);
    scene_deinit(&s);
}

/* T12, T15, the error bit: the packet is dropped, what it belonged to is damaged, the rest goes on. */
static void bad_packets(void **unused_state)
{
    static const struct {
        const char *what;
        enum counter counter;
        uint8_t second, fourth, fifth; /* or-ed into the packet's bytes 1 and 3; byte 4 when not 0 */
    } cases[] = {
        { "transport_error_indicator", COUNTER_TS_TRANSPORT_ERRORS, 0x80, 0, 0 },
        { "scrambled with the even key", COUNTER_TS_SCRAMBLED, 0, 0x80, 0 },
        { "scrambled, reserved", COUNTER_TS_SCRAMBLED, 0, 0x40, 0 },
        { "adaptation field of 183 with a payload", COUNTER_TS_PACKETS_MALFORMED, 0, 0x30, 183 },
        { "adaptation field of 255", COUNTER_TS_PACKETS_MALFORMED, 0, 0x30, 255 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        print_message("%s\n", cases[i].what);
        start(&s);
        put_pictures(&s, 0, 1);
        expect_pictures(&s, 0, 1);
        const size_t before = s.ts.bytes;
        put_pictures(&s, 1, 1);
        uint8_t *second = s.ts.data + before + 188;
        second[1] |= cases[i].second;
        second[3] |= cases[i].fourth;
        if (cases[i].fifth) second[4] = cases[i].fifth;
        put_pictures(&s, 4, 2);
        /* the first packet of the hit picture came */
        picture_h264(&inter, false, true, 300, 2);
        uint8_t cut[256];
        size_t kept = 184 - 14 - 6 - 3;
        while (!inter.sample[4 + kept - 1]) kept--;
        store_u32(cut, (uint32_t)kept);
        memcpy(cut + 4, inter.sample + 4, kept);
        scene_expect_frame(&s, "video", 0, 93600, 93600, cut, 4 + kept, " damaged");
        picture_h264(&inter, true, true, 300, 5);
        scene_expect_picture(&s, 104400, 104400, &inter, " after-loss");
        expect_pictures(&s, 5, 1);
        scene_check(&s);
        expect_count(&s, cases[i].counter, 1);
        scene_deinit(&s);
    }
}

static void reserved_adaptation_control(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 2);
    expect_pictures(&s, 0, 2);
    uint8_t packet[188];
    memset(packet, 0, sizeof packet);
    packet[0] = 0x47;
    packet[1] = 0x02; /* a PID that nobody follows: nothing happens */
    ts_build_raw(&s.ts, packet, sizeof packet);
    put_pictures(&s, 2, 2);
    expect_pictures(&s, 2, 2);
    scene_check(&s);
    scene_deinit(&s);
}

/* PCR alone, and random stuffing, with the counter standing still. */
static void adaptation_only(void **unused_state)
{
    struct scene s;
    start(&s);
    for (unsigned i = 0; i < 6; i++) {
        const struct ts_build_packet clock = { .pid = VIDEO_PID, .pcr_90k = 1000 * i, .has_no_payload = true };
        put_pictures(&s, i, 1);
        ts_build_packet(&s.ts, &clock, NULL, 0);
        ts_build_packet(&s.ts, &clock, NULL, 0);
    }
    expect_pictures(&s, 0, 6);
    scene_check(&s);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 0);
    scene_deinit(&s);
}

/* -- tables -- */

/* T4: everything before the tables is let go, nothing is kept. */
static void late_tables(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    put_pictures(&s, 0, 8);
    scene_tables(&s);
    put_pictures(&s, 8, 4);
    scene_expect(&s, CONFIG_LINE);
    expect_pictures(&s, 8, 4);
    scene_check(&s);
    scene_deinit(&s);
}

/* T5 */
static void broken_sections(void **unused_state)
{
    static const struct {
        const char *what;
        size_t at; /* in the PAT's packet */
        uint8_t value;
        enum counter counter;
    } cases[] = {
        { "pointer_field behind the packet", 4, 0xFF, COUNTER_TS_SECTIONS_MALFORMED },
        { "a bit of the CRC", 20, 0x55, COUNTER_TS_SECTIONS_MALFORMED },
        { "section_length of 4093", 6, 0xBF, COUNTER_TS_LIMIT_SECTION },
        { "section_length of 0", 7, 0x00, COUNTER_TS_SECTIONS_MALFORMED },
        { "section_length of one too few", 7, 12, COUNTER_TS_SECTIONS_MALFORMED },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        print_message("%s\n", cases[i].what);
        scene_init(&s);
        ts_build_pat(&s.ts, 0, &program, 1);
        s.ts.data[cases[i].at] = cases[i].value;
        scene_tables(&s);
        scene_expect(&s, CONFIG_LINE);
        put_pictures(&s, 0, 2);
        expect_pictures(&s, 0, 2);
        scene_check(&s);
        expect_count(&s, cases[i].counter, 1);
        scene_deinit(&s);
    }
}

/* A PMT over several packets, with 200 streams; the rest of the program is refused, not the program. */
static void two_hundred_streams(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    scene_init(&s);
    static struct ts_build_stream streams[200];
    for (unsigned i = 0; i < 200; i++) streams[i] = (struct ts_build_stream){ i ? 0x0F : 0x1B, VIDEO_PID + i, NULL };
    ts_build_pat(&s.ts, 0, &program, 1);
    ts_build_pmt(&s.ts, PMT_PID, 1, 0, VIDEO_PID, NULL, streams, 200); /* 1016 bytes: within the limit of a section */
    scene_expect(&s, "track 256 video 0 h264\n");
    for (unsigned i = 1; i < TS_STREAMS_MAX; i++) {
        if (i <= TS_AUDIO_TRACKS_MAX)
            scene_expect(&s, "track %u audio %u aac\n", 256 + i, i - 1);
        else
            scene_expect(&s, "track %u audio no: aac (one too many)\n", 256 + i);
    }
    put_pictures(&s, 0, 2);
    scene_expect(&s, CONFIG_LINE);
    expect_pictures(&s, 0, 2);
    scene_check(&s);
    scene_run(&s, &r);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_LIMIT_STREAMS),
                     200 - TS_STREAMS_MAX + TS_STREAMS_MAX - 1 - TS_AUDIO_TRACKS_MAX);
    assert_int_equal(r.problems, 1);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* T6: the same content under another version says nothing; a PID that moves, comes or goes is told; video goes on. */
static void versions(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 2);
    expect_pictures(&s, 0, 1);
    struct ts_build_stream streams[3] = { { 0x1B, VIDEO_PID, NULL }, { 0x0F, AUDIO_PID, NULL } };
    ts_build_pat(&s.ts, 1, &program, 1);
    ts_build_pmt(&s.ts, PMT_PID, 1, 1, VIDEO_PID, NULL, streams, 2);
    put_pictures(&s, 2, 1);
    expect_pictures(&s, 1, 1);
    /* another language, then another PID for audio, then a second one in front of it */
    streams[1].descriptors_hex = "0a04 44455500";
    ts_build_pmt(&s.ts, PMT_PID, 1, 2, VIDEO_PID, NULL, streams, 2);
    scene_expect(&s, "track 257 audio 0 aac [deu]\n");
    streams[1].pid = 0x110;
    ts_build_pmt(&s.ts, PMT_PID, 1, 3, VIDEO_PID, NULL, streams, 2);
    scene_expect(&s, "gone 257 audio 0 aac [deu]\ntrack 272 audio 0 aac [deu]\n");
    streams[2] = streams[1];
    streams[1] = (struct ts_build_stream){ 0x81, 0x111, NULL };
    ts_build_pmt(&s.ts, PMT_PID, 1, 4, VIDEO_PID, NULL, streams, 3);
    scene_expect(&s, "track 273 audio 1 ac3\n");
    put_pictures(&s, 3, 1);
    expect_pictures(&s, 2, 1);
    /* a codec changes under its PID */
    streams[2] = (struct ts_build_stream){ 0x87, 0x110, NULL };
    ts_build_pmt(&s.ts, PMT_PID, 1, 5, VIDEO_PID, NULL, streams, 3);
    scene_expect(&s, "gone 272 audio 0 aac [deu]\ntrack 272 audio 0 eac3\n");
    /* not valid yet */
    ts_build_pmt(&s.ts, PMT_PID, 1, 6, VIDEO_PID, NULL, streams, 1);
    uint8_t *last = s.ts.data + s.ts.bytes - 188;
    last[10] &= 0xFE;
    ts_build_section(&s.ts, PMT_PID, last + 5, 3 + ((last[6] & 0xFu) << 8 | last[7]));
    memmove(last, s.ts.data + s.ts.bytes - 188, 188); /* with a right CRC, in place of the other */
    s.ts.bytes -= 188;
    s.ts.continuity[PMT_PID] = (s.ts.continuity[PMT_PID] + 15) & 15;
    last[3] = (uint8_t)((last[3] & 0xF0) | ((s.ts.continuity[PMT_PID] + 15) & 15));
    put_pictures(&s, 4, 1);
    expect_pictures(&s, 3, 1);
    /* video itself changes: what is not complete of it goes with it, and the new one needs its own configuration */
    streams[0] = (struct ts_build_stream){ 0x24, 0x120, NULL };
    ts_build_pmt(&s.ts, PMT_PID, 1, 7, 0x120, NULL, streams, 1);
    scene_expect(&s, "gone 256 video 0 h264\n"); /* slots' order: as they were taken */
    scene_expect(&s, "gone 272 audio 0 eac3\ngone 273 audio 1 ac3\ntrack 288 video 0 hevc\n");
    scene_check(&s);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 0);
    scene_deinit(&s);
}

static void the_program_changes(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 2);
    expect_pictures(&s, 0, 1);
    static const struct ts_build_program other = { 7, 0x1111 };
    static const struct ts_build_stream streams[] = { { 0x1B, 0x200, NULL } };
    ts_build_pat(&s.ts, 1, &other, 1);
    scene_expect(&s, "gone 256 video 0 h264\ngone 257 audio 0 aac\n");
    put_pictures(&s, 2, 2); /* nobody follows it now */
    ts_build_pmt(&s.ts, 0x1111, 7, 0, 0x200, NULL, streams, 1);
    scene_expect(&s, "track 512 video 0 h264\n");
    scene_check(&s);
    scene_deinit(&s);
}

/* T17: the first, or the one that is asked for; the others are counted. */
static void several_programs(void **unused_state)
{
    static const struct ts_build_program programs[] = { { 0, 0x10 }, { 5, 0x1005 }, { 6, 0x1006 }, { 9, 0x1009 } };
    for (unsigned wanted = 0; wanted <= 7; wanted++) {
        if (wanted > 0 && wanted < 5) continue;
        struct scene s;
        struct ts_recorder r;
        scene_init(&s);
        s.config.program_number = (uint16_t)wanted;
        ts_build_pat(&s.ts, 0, programs, 4);
        for (unsigned i = 1; i < 4; i++) {
            const struct ts_build_stream stream = { 0x1B, 0x100 + i, NULL };
            ts_build_pmt(&s.ts, programs[i].pid, programs[i].number, 0, 0x100 + i, NULL, &stream, 1);
        }
        if (wanted < 7) scene_expect(&s, "track %u video 0 h264\n", wanted == 6 ? 0x102 : 0x101);
        scene_check(&s);
        scene_run(&s, &r);
        assert_int_equal(counter_read(&r.counters, COUNTER_TS_PROGRAMS_IGNORED), wanted == 7 ? 3 : 2);
        assert_int_equal(r.problems, wanted == 7);
        ts_recorder_deinit(&r);
        scene_deinit(&s);
    }
}

/* Two programs' tables on one PID. */
static void shared_pmt_pid(void **unused_state)
{
    static const struct ts_build_program programs[] = { { 5, PMT_PID }, { 6, PMT_PID } };
    static const struct ts_build_stream streams[] = { { 0x1B, 0x101, NULL }, { 0x1B, 0x102, NULL } };
    struct scene s;
    scene_init(&s);
    s.config.program_number = 6;
    ts_build_pat(&s.ts, 0, programs, 2);
    for (int i = 0; i < 3; i++) {
        ts_build_pmt(&s.ts, PMT_PID, 5, 0, 0x101, NULL, &streams[0], 1);
        ts_build_pmt(&s.ts, PMT_PID, 6, 0, 0x102, NULL, &streams[1], 1);
    }
    scene_expect(&s, "track 258 video 0 h264\n");
    scene_check(&s);
    scene_deinit(&s);
}

static void names_of_what_is_not_carried(void **unused_state)
{
    static const struct {
        unsigned type;
        const char *descriptors_hex, *program_hex, *line;
    } cases[] = {
        { 0x02, NULL, NULL, "video no: MPEG-2 video" },
        { 0x06, "5605 6465750100", NULL, "other no: teletext" },
        { 0x06, "5908 6465751000010001", NULL, "other no: DVB subtitles" },
        { 0x06, "7b05 0000000000", NULL, "audio no: DTS" },
        { 0x06, NULL, NULL, "other no: private data" },
        { 0x06, "0504 42535344", NULL, "audio no: SMPTE 302M audio" },
        { 0x82, NULL, NULL, "audio no: DTS" },
        { 0x82, NULL, "0504 43554549", "other no: SCTE-27 subtitles" },
        { 0x86, NULL, "0504 48444d56", "audio no: DTS-HD" },
        { 0x80, NULL, NULL, "audio no: LPCM" },
        { 0x33, NULL, NULL, "video no: VVC" },
        { 0x99, NULL, NULL, "other no: stream type 0x99" },
        { 0x0F, "0a04 756e6400", NULL, "audio 0 aac" },
        { 0x06, "7c0158 0a04 73706103", NULL, "audio 0 aac [spa] type 3" },
        { 0x0F, "7f05 06 01 667265", NULL, "audio 0 aac [fre]" },
        { 0xC1, "0504 41432d33", NULL, "audio 0 ac3" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        const struct ts_build_stream streams[] = { { cases[i].type, 0x105, cases[i].descriptors_hex } };
        print_message("%s\n", cases[i].line);
        scene_init(&s);
        ts_build_pat(&s.ts, 0, &program, 1);
        ts_build_pmt(&s.ts, PMT_PID, 1, 0, 0x1FFF, cases[i].program_hex, streams, 1);
        ts_build_null(&s.ts);
        scene_expect(&s, "track 261 %s\n", cases[i].line);
        scene_check(&s);
        scene_deinit(&s);
    }
}

/* -- the clock -- */

/* T8: declared on the PCR's PID: between the old unit and the new one, neither of them damaged. */
static void the_clock_breaks(void **unused_state)
{
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 2);
    expect_pictures(&s, 0, 2);
    picture_h264(&key, true, true, 300, 9);
    s.ts.continuity[VIDEO_PID] = 3; /* a counter that jumps is declared with it */
    const struct ts_build_pes head = { .pid = VIDEO_PID,
                                       .stream_id = 0xE0,
                                       .pts_90k = 5000,
                                       .dts_90k = 5000,
                                       .is_unbounded = true,
                                       .is_discontinuity = true };
    ts_build_pes(&s.ts, &head, key.wire, key.wire_bytes);
    scene_expect(&s, "clock break\n");
    scene_expect_picture(&s, 5000, 5000, &key, "");
    picture_h264(&inter, false, true, 300, 10);
    scene_picture(&s, 8600, 8600, &inter);
    scene_expect_picture(&s, 8600, 8600, &inter, "");
    scene_check(&s);
    expect_count(&s, COUNTER_TS_CLOCK_BREAKS, 1);
    expect_count(&s, COUNTER_TS_CONTINUITY_ERRORS, 0);
    scene_deinit(&s);
}

/* -- losses that the transport tells -- */

static void told_losses(void **unused_state)
{
    static const struct {
        size_t packets_max;
        const char *tail[2];
    } cases[] = {
        { 7, { "", "" } },                     /* the counters show that nothing of this PID is missing */
        { 16, { " damaged", " after-loss" } }, /* they cannot */
        { 0, { " damaged", " after-loss" } },
        { 7000, { " damaged", " after-loss" } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        struct ts_recorder r;
        start(&s);
        put_pictures(&s, 0, 2);
        const size_t half = s.ts.bytes;
        put_pictures(&s, 2, 1);
        expect_pictures(&s, 0, 1);
        picture_h264(&inter, false, true, 300, 2);
        scene_expect_picture(&s, 93600, 93600, &inter, cases[i].tail[0]);
        picture_h264(&inter, false, true, 300, 3);
        scene_expect_picture(&s, 97200, 97200, &inter, cases[i].tail[1]);
        ts_recorder_init(&r);
        struct ts_demux *d = ts_demux_create(&s.config, &r.events, &r.counters);
        assert_int_equal(ts_demux_feed(d, s.ts.data, half), WEIR_OK);
        ts_demux_note_loss(d, cases[i].packets_max);
        assert_int_equal(ts_demux_feed(d, s.ts.data + half, s.ts.bytes - half), WEIR_OK);
        assert_int_equal(ts_demux_flush(d), WEIR_OK);
        ts_demux_destroy(d);
        write_u8(&s.expected, 0);
        assert_string_equal(ts_recorder_text(&r), (const char *)s.expected.data);
        ts_recorder_deinit(&r);
        scene_deinit(&s);
    }
}

/* A message that ended within a packet, and the next ones are lost: the halves are not put together. */
static void half_a_packet_is_none(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    start(&s);
    put_pictures(&s, 0, 2);
    const size_t half = s.ts.bytes - 100;
    put_pictures(&s, 2, 4);
    ts_recorder_init(&r);
    struct ts_demux *d = ts_demux_create(&s.config, &r.events, &r.counters);
    assert_int_equal(ts_demux_feed(d, s.ts.data, half), WEIR_OK);
    ts_demux_note_loss(d, 7);
    assert_int_equal(ts_demux_feed(d, s.ts.data + half + 100, s.ts.bytes - half - 100), WEIR_OK);
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    assert_int_equal(ts_demux_figures(d)->resyncs, 0);
    assert_int_equal(ts_demux_figures(d)->errors_continuity, 1);
    assert_int_equal(ts_demux_figures(d)->frames[MEDIA_VIDEO], 6);
    assert_int_equal(ts_demux_figures(d)->frames_damaged[MEDIA_VIDEO], 1);
    ts_demux_destroy(d);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* -- everything at once -- */

static uint32_t random_of(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* A whole stream's frame lines, to look them up. */
static size_t count_whole_lines(const char *text, const char *truth)
{
    size_t count = 0;
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        char copy[256];
        snprintf(copy, sizeof copy, "%.*s\n", (int)(end - line), line);
        char *flag = strstr(copy, " after-loss");
        if (flag) memmove(flag, flag + strlen(" after-loss"), strlen(flag + strlen(" after-loss")) + 1);
        const bool is_frame = !strncmp(copy, "video", 5) || !strncmp(copy, "audio", 5);
        const bool is_damaged = strstr(copy, " damaged");
        if (is_frame && !is_damaged) {
            if (!strstr(truth, copy)) fail_msg("given as whole, and is not in the stream: %s", copy);
            count++;
        }
        line = end + 1;
    }
    return count;
}

/* T1 and T3: random loss from 0.1 to 20 %, or packets swapped: never a truncated unit that claims to be whole. */
static void random_losses(void **unused_state)
{
    struct scene s;
    struct ts_recorder truth;
    start(&s);
    uint8_t frame[512] = { 0xFF, 0xF1, 0x4C, 0x80, 512 >> 3, (512 & 7) << 5 | 0x1F, 0xFC };
    for (unsigned i = 0; i < 300; i++) {
        const struct ts_build_pes audio = {
            .pid = AUDIO_PID, .stream_id = 0xC0, .pts_90k = 90000 + 1920 * i, .dts_90k = NO_TIME
        };
        for (size_t k = 7; k < sizeof frame; k++) frame[k] = (uint8_t)(0x80 | (i * 31 + k * 7) % 0x60);
        picture_h264(&inter, i % 25 == 0, true, 200 + 37 * (i % 40), i + 1);
        scene_picture(&s, 90000 + 3600 * i, NO_TIME, &inter);
        ts_build_pes(&s.ts, &audio, frame, sizeof frame);
    }
    ts_recorder_init(&truth);
    ts_recorder_run(&truth, &s.config, s.ts.data, s.ts.bytes, 0);
    const char *all = ts_recorder_text(&truth);
    assert_int_equal(count_whole_lines(all, all), 600);
    for (uint32_t seed = 1; seed <= 60; seed++) {
        uint32_t state = seed;
        const uint32_t per_million = seed % 4 == 0 ? 200000 : seed % 4 == 1 ? 1000 : seed % 4 == 2 ? 10000 : 100000;
        uint8_t *copy = malloc(s.ts.bytes);
        size_t bytes = 0;
        for (size_t at = 0; at < s.ts.bytes; at += 188) {
            if (random_of(&state) % 1000000 < per_million && at > 10 * 188) {
                if (seed < 40) continue;
                /* swapped with the packet before */
                uint8_t kept[188];
                memcpy(kept, copy + bytes - 188, 188);
                memcpy(copy + bytes - 188, s.ts.data + at, 188);
                memcpy(copy + bytes, kept, 188);
                bytes += 188;
                continue;
            }
            memcpy(copy + bytes, s.ts.data + at, 188);
            bytes += 188;
        }
        struct ts_recorder r;
        ts_recorder_init(&r);
        for (int early = 0; early < 2; early++) {
            const struct ts_demux_config config = { .may_end_early = early };
            ts_recorder_run(&r, &config, copy, bytes, 1316);
        }
        count_whole_lines(ts_recorder_text(&r), all);
        ts_recorder_deinit(&r);
        free(copy);
    }
    ts_recorder_deinit(&truth);
    scene_deinit(&s);
}

/* T14 */
static void audio_alone(void **unused_state)
{
    struct scene s;
    static const struct ts_build_stream stream = { 0x0F, AUDIO_PID, NULL };
    scene_init(&s);
    ts_build_pat(&s.ts, 0, &program, 1);
    ts_build_pmt(&s.ts, PMT_PID, 1, 0, AUDIO_PID, NULL, &stream, 1);
    scene_expect(&s, "track 257 audio 0 aac\nconfig audio 0 aac mp4a.40.2 48000 Hz 2 ch\n");
    const struct hex frame = hex("fff14c8001 5ffc 112233");
    for (unsigned i = 0; i < 3; i++) {
        const struct ts_build_pes head = { .pid = AUDIO_PID,
                                           .stream_id = 0xC0,
                                           .pts_90k = 1920 * i,
                                           .dts_90k = NO_TIME,
                                           .head_stuffing = i == 1 ? 200 : 0 };
        ts_build_pes(&s.ts, &head, frame.data, frame.bytes);
        scene_expect_frame(&s, "audio", 0, 1920 * i, 1920 * i, frame.data + 7, 3, "");
    }
    scene_check(&s);
    scene_deinit(&s);
}

static void problems_say_what_to_do(void **unused_state)
{
    struct ts_recorder r;
    struct scene s;
    start(&s);
    put_pictures(&s, 0, 1);
    s.ts.data[s.ts.bytes - 188 + 3] |= 0x80;
    ts_recorder_init(&r);
    r.has_problems = true;
    ts_recorder_run(&r, &s.config, s.ts.data, s.ts.bytes, 0);
    assert_non_null(
        strstr(ts_recorder_text(&r), "problem PID 256 is scrambled, and there is no key for it; send it unencrypted"));
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_in_front),
        cmocka_unit_test(garbage_in_the_middle),
        cmocka_unit_test(other_strides),
        cmocka_unit_test(null_packets),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(a_false_duplicate),
        cmocka_unit_test(bad_packets),
        cmocka_unit_test(reserved_adaptation_control),
        cmocka_unit_test(adaptation_only),
        cmocka_unit_test(late_tables),
        cmocka_unit_test(broken_sections),
        cmocka_unit_test(two_hundred_streams),
        cmocka_unit_test(versions),
        cmocka_unit_test(the_program_changes),
        cmocka_unit_test(several_programs),
        cmocka_unit_test(shared_pmt_pid),
        cmocka_unit_test(names_of_what_is_not_carried),
        cmocka_unit_test(the_clock_breaks),
        cmocka_unit_test(told_losses),
        cmocka_unit_test(half_a_packet_is_none),
        cmocka_unit_test(random_losses),
        cmocka_unit_test(audio_alone),
        cmocka_unit_test(problems_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
