/* Access units out of PES packets: H.264, HEVC, AV1; where they begin, what time they have, when they leave, what a loss does to them. */
#include "hex.h"
#include "ts_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#define CONFIG_LINE "config video 0 h264 avc1.64000a 128x72\n"

static struct picture a, b, c;

/* A PES that says its length, of bytes that may be any part of a picture. */
static void pes(struct scene *s, uint64_t pts, const uint8_t *data, size_t bytes)
{
    const struct ts_build_pes head = { .pid = VIDEO_PID, .stream_id = 0xE0, .pts_90k = pts, .dts_90k = NO_TIME };
    ts_build_pes(&s->ts, &head, data, bytes);
}

static void one_picture_per_pes(void **unused_state)
{
    for (int has_delimiter = 0; has_delimiter < 2; has_delimiter++) {
        struct scene s;
        scene_init(&s);
        scene_tables(&s);
        scene_expect(&s, CONFIG_LINE);
        for (unsigned i = 0; i < 6; i++) {
            const uint64_t dts = 90000 + 3600 * i, pts = dts + (i % 2 ? 7200 : 3600);
            picture_h264(&a, i % 3 == 0, has_delimiter, 40 + 170 * i, i + 1);
            scene_picture(&s, pts, dts, &a);
            scene_expect_picture(&s, pts, dts, &a, "");
        }
        scene_check(&s);
        scene_deinit(&s);
    }
}

static void several_pictures_in_a_pes(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    uint8_t both[16384];
    picture_h264(&a, true, false, 300, 1);
    picture_h264(&b, false, false, 90, 2);
    picture_h264(&c, false, true, 90, 3);
    memcpy(both, a.wire, a.wire_bytes);
    memcpy(both + a.wire_bytes, b.wire, b.wire_bytes);
    memcpy(both + a.wire_bytes + b.wire_bytes, c.wire, c.wire_bytes);
    pes(&s, 90000, both, a.wire_bytes + b.wire_bytes + c.wire_bytes);
    scene_expect(&s, CONFIG_LINE);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    /* no time on the wire: the SPS says 30 frames a second */
    scene_expect_picture(&s, 93000, 93000, &b, " untimed");
    scene_expect_picture(&s, 96000, 96000, &c, " untimed");
    /* the step is learnt where the wire tells it */
    picture_h264(&a, false, true, 90, 4);
    scene_picture(&s, 99600, NO_TIME, &a);
    scene_expect_picture(&s, 99600, 99600, &a, "");
    picture_h264(&b, false, true, 50, 5);
    memcpy(both, b.wire, b.wire_bytes);
    picture_h264(&c, false, true, 50, 6);
    memcpy(both + b.wire_bytes, c.wire, c.wire_bytes);
    pes(&s, 103200, both, b.wire_bytes + c.wire_bytes);
    scene_expect_picture(&s, 103200, 103200, &b, "");
    scene_expect_picture(&s, 106800, 106800, &c, " untimed");
    scene_check(&s);
    scene_deinit(&s);
}

/* Slices in PES packets of their own, cut anywhere, also within start codes. */
static void a_picture_over_several_pes(void **unused_state)
{
    for (size_t cut = 1; cut < 60; cut++) {
        struct scene s;
        scene_init(&s);
        scene_tables(&s);
        picture_init(&a);
        a.is_key = true;
        picture_add_hex(&a, "09f0", 4, false);
        picture_add_hex(&a, H264_SPS, 4, true);
        picture_add_hex(&a, H264_PPS, 4, true);
        picture_add_noise(&a, "6588", 20, 1, 3);
        picture_add_noise(&a, "6540", 250, 2, 3); /* first_mb_in_slice is not 0 */
        picture_h264(&b, false, true, 60, 3);
        if (cut >= a.wire_bytes) break;
        pes(&s, 90000, a.wire, cut);
        pes(&s, NO_TIME, a.wire + cut, a.wire_bytes - cut);
        scene_picture(&s, 93600, NO_TIME, &b);
        scene_expect(&s, CONFIG_LINE);
        scene_expect_picture(&s, 90000, 90000, &a, "");
        scene_expect_picture(&s, 93600, 93600, &b, "");
        scene_check(&s);
        scene_deinit(&s);
    }
}

static void parameter_sets_in_a_pes_of_their_own(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    picture_init(&a);
    picture_add_hex(&a, "09f0", 4, false);
    picture_add_hex(&a, H264_SPS, 4, true);
    picture_add_hex(&a, H264_PPS, 4, true);
    const size_t sets = a.wire_bytes;
    picture_add_noise(&a, "6588", 100, 1, 4);
    a.is_key = true;
    pes(&s, 80000, a.wire, sets);
    pes(&s, 90000, a.wire + sets, a.wire_bytes - sets);
    picture_h264(&b, false, false, 60, 3);
    pes(&s, 93600, b.wire, b.wire_bytes);
    scene_expect(&s, CONFIG_LINE);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    scene_expect_picture(&s, 93600, 93600, &b, "");
    scene_check(&s);
    scene_deinit(&s);
}

/* What says nothing in a sample is left out: delimiters, filler, ends, empty units, zeros behind units. */
static void dropped_units(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    picture_init(&a);
    a.is_key = true;
    picture_add_hex(&a, "09f0", 4, false);
    picture_add_hex(&a, "00", 4, false); /* an empty unit: its zero belongs to the next start code */
    picture_add_hex(&a, H264_SPS, 4, true);
    picture_add_hex(&a, H264_PPS, 4, true);
    picture_add_hex(&a, "0605ffff80", 3, true);
    picture_add_noise(&a, "6588", 30, 1, 3);
    memset(a.wire + a.wire_bytes, 0, 400); /* trailing_zero_8bits */
    a.wire_bytes += 400;
    picture_add_hex(&a, "0cffffffffffffffff80", 3, false);
    picture_add_hex(&a, "0a", 3, false); /* end of sequence: the unit ends here */
    scene_picture(&s, 90000, NO_TIME, &a);
    picture_h264(&b, false, false, 60, 3);
    scene_picture(&s, 93600, NO_TIME, &b);
    scene_expect(&s, CONFIG_LINE);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    scene_expect_picture(&s, 93600, 93600, &b, "");
    scene_check(&s);
    scene_deinit(&s);
}

/* T13: nothing before the first parameter sets, and no probing: the first keyframe plays. */
static void starts_in_the_middle(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    scene_init(&s);
    scene_tables(&s);
    picture_h264(&a, false, true, 500, 1);
    scene_picture(&s, 80000, NO_TIME, &a);
    scene_picture(&s, 83600, NO_TIME, &a);
    picture_h264(&b, true, true, 500, 2);
    scene_picture(&s, 90000, NO_TIME, &b);
    scene_expect(&s, CONFIG_LINE);
    scene_expect_picture(&s, 90000, 90000, &b, "");
    scene_check(&s);
    scene_run(&s, &r);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_BEFORE_CONFIG), 2);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* HEVC: sets as x265 writes them; two slice segments; a layer above the base is left out. */
static void hevc(void **unused_state)
{
    static const struct ts_build_program program = { 1, PMT_PID };
    static const struct ts_build_stream stream = { 0x24, VIDEO_PID, "0504 48455643" };
    struct scene s;
    scene_init(&s);
    ts_build_pat(&s.ts, 0, &program, 1);
    ts_build_pmt(&s.ts, PMT_PID, 1, 0, VIDEO_PID, NULL, &stream, 1);
    picture_init(&a);
    a.is_key = true;
    picture_add_hex(&a, "460150", 4, false);
    picture_add_hex(&a, "40010c01ffff01600000030090000003000003001e959009", 4, true);
    picture_add_hex(&a, "42010101600000030090000003000003001ea0142061f26595912930bc05a02000000300200000030321", 4,
                    true);
    picture_add_hex(&a, "4401c073c189", 4, true);
    picture_add_noise(&a, "2801ac", 200, 1, 3);
    picture_add_noise(&a, "28012c", 200, 2, 3);  /* first_slice_segment_in_pic_flag 0 */
    picture_add_hex(&a, "2809ac1234", 3, false); /* layer 1 */
    scene_picture(&s, 90000, 90000, &a);
    picture_init(&b);
    picture_add_noise(&b, "0201d0", 100, 3, 4);
    scene_picture(&s, 97200, 93600, &b);
    picture_init(&c);
    picture_add_hex(&c, "4e01058080", 4, true); /* prefix SEI begins a unit */
    picture_add_noise(&c, "0201d0", 100, 4, 3);
    scene_picture(&s, 93600, 97200, &c);
    scene_expect(&s, "track 256 video 0 hevc\nconfig video 0 hevc hvc1.1.6.L30.90 160x90\n");
    scene_expect_picture(&s, 90000, 90000, &a, "");
    scene_expect_picture(&s, 97200, 93600, &b, "");
    scene_expect_picture(&s, 93600, 97200, &c, "");
    scene_check(&s);
    scene_deinit(&s);
}

static void add_obu(struct picture *p, const char *wire_hex, const char *sample_hex)
{
    const struct hex wire = hex(wire_hex), sample = hex(sample_hex);
    picture_add(p, wire.data, wire.bytes, 3, false);
    memcpy(p->sample + p->sample_bytes, sample.data, sample.bytes);
    p->sample_bytes += sample.bytes;
}

/* AV1 by the AOM draft: OBUs behind start codes, escaped; with and without sizes, with and without delimiters. */
static void av1(void **unused_state)
{
    static const struct ts_build_program program = { 1, PMT_PID };
    static const struct ts_build_stream stream = { 0x06, VIDEO_PID, "0504 41563031 8004 81000c00" };
    struct scene s;
    scene_init(&s);
    ts_build_pat(&s.ts, 0, &program, 1);
    ts_build_pmt(&s.ts, PMT_PID, 1, 0, VIDEO_PID, NULL, &stream, 1);
    picture_init(&a);
    a.is_key = true;
    add_obu(&a, "1200", ""); /* temporal delimiter */
    add_obu(&a, "0a0a000000030337f8e6d7c802", "0a0a0000000337f8e6d7c802");
    add_obu(&a, "3206 1000000301000003", "3206 100000010000"); /* ends with zeros that belong to it */
    scene_picture(&s, 90000, NO_TIME, &a);
    picture_init(&b);
    add_obu(&b, "30 3012345680", "3205 3012345680"); /* no size: one is written */
    scene_picture(&s, 93600, NO_TIME, &b);
    picture_init(&c);
    add_obu(&c, "3203 301234", "3203 301234");
    scene_picture(&s, 97200, NO_TIME, &c);
    scene_expect(&s, "track 256 video 0 av1\nconfig video 0 av1 av01.0.00M.08 128x72\n");
    scene_expect_picture(&s, 90000, 90000, &a, "");
    scene_expect_picture(&s, 93600, 93600, &b, "");
    scene_expect_picture(&s, 97200, 97200, &c, "");
    scene_check(&s);
    scene_deinit(&s);
}

/* T7: PTS wraps before DTS. */
static void time_wraps(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    scene_expect(&s, CONFIG_LINE);
    const uint64_t end = 1ull << 33;
    for (unsigned i = 0; i < 6; i++) {
        const uint64_t dts = (end - 9000 + 3600 * i) % end, pts = (dts + 7200) % end;
        picture_h264(&a, !i, true, 60, i + 1);
        scene_picture(&s, pts, dts, &a);
        scene_expect_picture(&s, pts, dts, &a, "");
    }
    scene_check(&s);
    scene_deinit(&s);
}

/* A packet is lost at each place of a keyframe and two more pictures: what is whole is whole, what is cut says so. */
static void a_lost_packet(void **unused_state)
{
    struct picture pictures[4];
    for (unsigned i = 0; i < 4; i++) picture_h264(&pictures[i], i % 2 == 0, true, 600, i + 1);
    for (unsigned lost = 0; lost < 16; lost++) {
        struct scene s;
        scene_init(&s);
        scene_tables(&s);
        const size_t tables = s.ts.bytes;
        for (unsigned i = 0; i < 4; i++) scene_picture(&s, 90000 + 3600 * i, NO_TIME, &pictures[i]);
        const size_t at = tables + 188 * lost, packets = (s.ts.bytes - tables) / 188;
        assert_int_equal(packets, 16);
        memmove(s.ts.data + at, s.ts.data + at + 188, s.ts.bytes - at - 188);
        s.ts.bytes -= 188;
        struct ts_recorder r;
        ts_recorder_init(&r);
        ts_recorder_run(&r, &s.config, s.ts.data, s.ts.bytes, 0);
        const char *text = ts_recorder_text(&r);
        /* of each picture either its whole line stands there, or none that says it is whole */
        for (unsigned i = 0; i < 4; i++) {
            char hash[32];
            snprintf(hash, sizeof hash, "%016llx",
                     (unsigned long long)fnv(pictures[i].sample, pictures[i].sample_bytes));
            const char *line = strstr(text, hash);
            const bool is_hit = lost / 4 == i;
            const bool is_unproven = lost % 4 == 0 && lost / 4 == i + 1; /* its end may be what is missing */
            const bool is_before_start = lost <= 4 && i < 2;             /* no proven keyframe so far */
            if (is_hit || is_before_start)
                assert_null(line);
            else
                assert_non_null(line);
            if (is_unproven && !is_before_start) assert_memory_equal(strchr(line, '\n') - 8, " damaged", 8);
        }
        assert_int_equal(counter_read(&r.counters, COUNTER_TS_CONTINUITY_ERRORS), lost == 15 ? 0 : lost == 0 ? 0 : 1);
        ts_recorder_deinit(&r);
        scene_deinit(&s);
    }
}

/* The unit after one that never came says so: its references may be missing. */
static void after_a_loss(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    picture_h264(&a, true, true, 100, 1);
    picture_h264(&b, false, true, 100, 2);
    scene_picture(&s, 90000, NO_TIME, &a);
    scene_picture(&s, 93600, NO_TIME, &b); /* one packet */
    ts_build_lose(&s.ts);
    picture_h264(&c, false, true, 100, 3);
    scene_picture(&s, 97200, NO_TIME, &c);
    scene_picture(&s, 100800, NO_TIME, &b);
    scene_expect(&s, CONFIG_LINE);
    s.expected.bytes -= strlen(CONFIG_LINE); /* the keyframe's end is not proven, so nothing starts with it */
    scene_check(&s);
    /* with a keyframe before, the same loss shows */
    s.ts.bytes = 0;
    s.expected.bytes = 0;
    memset(s.ts.continuity, 0, sizeof s.ts.continuity);
    scene_tables(&s);
    scene_expect(&s, CONFIG_LINE);
    scene_picture(&s, 86400, NO_TIME, &a);
    scene_expect_picture(&s, 86400, 86400, &a, "");
    scene_picture(&s, 90000, NO_TIME, &b);
    scene_expect_picture(&s, 90000, 90000, &b, " damaged");
    scene_picture(&s, 93600, NO_TIME, &b);
    ts_build_lose(&s.ts);
    scene_picture(&s, 97200, NO_TIME, &c);
    scene_expect_picture(&s, 97200, 97200, &c, " after-loss");
    scene_picture(&s, 100800, NO_TIME, &b);
    scene_expect_picture(&s, 100800, 100800, &b, "");
    scene_check(&s);
    scene_deinit(&s);
}

/* A damaged unit ends where its bytes end, and its lengths are right. */
static void cut_short(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    picture_h264(&a, true, true, 100, 1);
    scene_picture(&s, 90000, NO_TIME, &a);
    picture_h264(&b, false, true, 1000, 4);
    const struct ts_build_pes head = {
        .pid = VIDEO_PID, .stream_id = 0xE0, .pts_90k = 93600, .dts_90k = NO_TIME, .is_unbounded = true
    };
    const size_t before = s.ts.bytes;
    ts_build_pes(&s.ts, &head, b.wire, b.wire_bytes);
    const size_t third = before + 2 * 188;
    memmove(s.ts.data + third, s.ts.data + third + 188, s.ts.bytes - third - 188);
    s.ts.bytes -= 188;
    picture_h264(&c, true, true, 100, 3);
    scene_picture(&s, 97200, NO_TIME, &c);
    scene_expect(&s, CONFIG_LINE);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    uint8_t cut[400];
    const size_t kept = 2 * 184 - 14 - 6 - 3; /* the PES header, the delimiter, the start code */
    store_u32(cut, (uint32_t)kept);
    memcpy(cut + 4, b.sample + 4, kept);
    assert_int_not_equal(cut[kept + 3], 0); /* zeros at the end would be taken for a start code's */
    scene_expect_frame(&s, "video", 0, 93600, 93600, cut, 4 + kept, " damaged");
    scene_expect_picture(&s, 97200, 97200, &c, " after-loss");
    scene_check(&s);
    scene_deinit(&s);
}

static void pes_that_lies(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    scene_init(&s);
    scene_tables(&s);
    scene_expect(&s, CONFIG_LINE);
    picture_h264(&a, true, true, 100, 1);
    picture_h264(&b, false, true, 300, 2);
    picture_h264(&c, true, true, 100, 3);
    struct ts_build_pes head = { .pid = VIDEO_PID, .stream_id = 0xE0, .pts_90k = 90000, .dts_90k = NO_TIME };
    ts_build_pes(&s.ts, &head, a.wire, a.wire_bytes);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    /* longer than what comes: bytes are missing, as far as anyone can tell */
    head.length_lie = 50;
    head.pts_90k = 93600;
    ts_build_pes(&s.ts, &head, b.wire, b.wire_bytes);
    scene_expect_picture(&s, 93600, 93600, &b, " damaged");
    head.length_lie = 0;
    head.pts_90k = 97200;
    ts_build_pes(&s.ts, &head, c.wire, c.wire_bytes);
    scene_expect_picture(&s, 97200, 97200, &c, " after-loss");
    scene_check(&s);
    scene_run(&s, &r);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_PES_SHORT), 1);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* T9: no DTS; the forbidden 01; marker bits missing. */
static void odd_times(void **unused_state)
{
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    scene_expect(&s, CONFIG_LINE);
    picture_h264(&a, true, true, 60, 1);
    scene_picture(&s, 90000, NO_TIME, &a);
    scene_expect_picture(&s, 90000, 90000, &a, "");
    picture_h264(&b, false, true, 60, 2);
    size_t at = s.ts.bytes;
    scene_picture(&s, 93600, NO_TIME, &b);
    uint8_t *head = memmem(s.ts.data + at, 188, "\0\0\1\xE0", 4);
    head[7] = 0x40;
    scene_expect_picture(&s, 93000, 93000, &b, " untimed");
    at = s.ts.bytes;
    scene_picture(&s, 97200, NO_TIME, &b);
    head = memmem(s.ts.data + at, 188, "\0\0\1\xE0", 4);
    head[11] &= 0xFE;
    scene_expect_picture(&s, 96000, 96000, &b, " untimed");
    scene_picture(&s, 99000, 102600, &b); /* PTS before DTS: passed on, the timeline's to repair */
    scene_expect_picture(&s, 99000, 102600, &b, "");
    scene_check(&s);
    scene_deinit(&s);
}

static void too_large(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    scene_init(&s);
    scene_tables(&s);
    picture_h264(&a, true, true, 60, 1);
    scene_picture(&s, 90000, NO_TIME, &a);
    const size_t once = s.ts.bytes;
    ts_recorder_init(&r);
    struct ts_demux *d = ts_demux_create(&s.config, &r.events, &r.counters);
    assert_int_equal(ts_demux_feed(d, s.ts.data, s.ts.bytes), WEIR_OK);
    /* ten megabytes of one slice */
    uint8_t slice[184];
    memset(slice, 0x5A, sizeof slice);
    s.ts.bytes = 0;
    picture_h264(&b, false, true, 60, 2);
    scene_picture(&s, 93600, NO_TIME, &b);
    for (int i = 0; i < 64; i++)
        ts_build_packet(&s.ts, &(struct ts_build_packet){ .pid = VIDEO_PID, .pcr_90k = NO_PCR }, slice, sizeof slice);
    const size_t first = 188;
    assert_int_equal(ts_demux_feed(d, s.ts.data, first), WEIR_OK);
    for (int i = 0; i < 10 * MIB / 184 / 64; i++)
        assert_int_equal(ts_demux_feed(d, s.ts.data + first, s.ts.bytes - first), WEIR_OK); /* 64: counters fit */
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    ts_demux_destroy(d);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_CONTINUITY_ERRORS), 0);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_LIMIT_UNIT), 1);
    assert_non_null(strstr(ts_recorder_text(&r), " damaged"));
    assert_true(once > 0);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* -- the end that can be known early -- */

/* Feeds picture by picture and returns how many frames had left before the next picture began. */
static size_t count_early(struct scene *s, struct ts_recorder *r, struct ts_demux *d, unsigned pictures,
                          bool is_bounded)
{
    size_t early = 0;
    for (unsigned i = 0; i < pictures; i++) {
        picture_h264(&a, i == 0, true, 300 + 5 * (i % 9), i + 1);
        s->ts.bytes = 0;
        if (is_bounded)
            pes(s, 90000 + 3600 * i, a.wire, a.wire_bytes);
        else
            scene_picture(s, 90000 + 3600 * i, NO_TIME, &a);
        assert_int_equal(ts_demux_feed(d, s->ts.data, s->ts.bytes), WEIR_OK);
        early += ts_demux_figures(d)->frames[MEDIA_VIDEO] == i + 1;
    }
    assert_int_equal(r->problems, 0);
    return early;
}

static struct ts_demux *start(struct scene *s, struct ts_recorder *r, bool may_end_early)
{
    scene_init(s);
    scene_tables(s);
    ts_recorder_init(r);
    s->config.may_end_early = may_end_early;
    struct ts_demux *d = ts_demux_create(&s->config, &r->events, &r->counters);
    assert_int_equal(ts_demux_feed(d, s->ts.data, s->ts.bytes), WEIR_OK);
    return d;
}

static void ends_early_where_it_may(void **unused_state)
{
    static const struct {
        bool may, is_bounded;
        size_t early;
    } cases[] = {
        { false, false, 0 },
        { false, true, 0 },
        { true, false, 200 - TS_EARLY_END_RUN },
        { true, true, 200 - TS_EARLY_END_RUN },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        struct ts_recorder r;
        struct ts_demux *d = start(&s, &r, cases[i].may);
        assert_int_equal(count_early(&s, &r, d, 200, cases[i].is_bounded), cases[i].early);
        assert_int_equal(ts_demux_flush(d), WEIR_OK);
        /* none lost, none twice, none damaged */
        assert_int_equal(ts_demux_figures(d)->frames[MEDIA_VIDEO], 200);
        assert_int_equal(ts_demux_figures(d)->frames_damaged[MEDIA_VIDEO], 0);
        ts_demux_destroy(d);
        ts_recorder_deinit(&r);
        scene_deinit(&s);
    }
}

static void a_broken_habit(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    struct ts_demux *d = start(&s, &r, true);
    count_early(&s, &r, d, 100, false);
    /* a picture whose second packet is stuffed and goes on after it */
    picture_h264(&b, false, true, 800, 7);
    s.ts.bytes = 0;
    uint8_t whole[2048] = { 0, 0, 1, 0xE0, 0, 0, 0x80, 0, 0 };
    memcpy(whole + 9, b.wire, b.wire_bytes);
    const size_t total = 9 + b.wire_bytes;
    size_t at = 0;
    const struct ts_build_packet first = { .pid = VIDEO_PID, .is_start = true, .pcr_90k = NO_PCR };
    const struct ts_build_packet next = { .pid = VIDEO_PID, .pcr_90k = NO_PCR };
    at += ts_build_packet(&s.ts, &first, whole, 184);
    at += ts_build_packet(&s.ts, &next, whole + at, 100);
    while (at < total) at += ts_build_packet(&s.ts, &next, whole + at, total - at);
    assert_int_equal(ts_demux_feed(d, s.ts.data, s.ts.bytes), WEIR_OK);
    assert_int_equal(counter_read(&r.counters, COUNTER_TS_EARLY_END_WRONG), 1);
    assert_int_equal(r.problems, 1);
    const uint64_t before = ts_demux_figures(d)->frames[MEDIA_VIDEO];
    /* from now on the next unit's start is waited for, and what comes after says that something is missing */
    picture_h264(&b, false, true, 300, 8);
    s.ts.bytes = 0;
    scene_picture(&s, 600000, NO_TIME, &b);
    assert_int_equal(ts_demux_feed(d, s.ts.data, s.ts.bytes), WEIR_OK);
    assert_int_equal(ts_demux_figures(d)->frames[MEDIA_VIDEO], before);
    s.ts.bytes = 0;
    scene_picture(&s, 603600, NO_TIME, &b);
    assert_int_equal(ts_demux_feed(d, s.ts.data, s.ts.bytes), WEIR_OK);
    assert_int_equal(ts_demux_figures(d)->frames[MEDIA_VIDEO], before + 1);
    assert_non_null(strstr(ts_recorder_text(&r), " after-loss\n"));
    ts_demux_destroy(d);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

/* A unit over several PES packets is never taken for an end, because the habit never forms. */
static void slices_as_pes_form_no_habit(void **unused_state)
{
    struct scene s;
    struct ts_recorder r;
    struct ts_demux *d = start(&s, &r, true);
    for (unsigned i = 0; i < 150; i++) {
        picture_init(&a);
        picture_add_hex(&a, "09f0", 4, false);
        if (!i) picture_add_hex(&a, H264_SPS, 4, true);
        if (!i) picture_add_hex(&a, H264_PPS, 4, true);
        picture_add_noise(&a, i ? "419a" : "6588", 100, i, 3);
        const size_t half = a.wire_bytes;
        picture_add_noise(&a, i ? "414a" : "6548", 100, i, 3);
        s.ts.bytes = 0;
        pes(&s, 90000 + 3600 * i, a.wire, half);
        pes(&s, NO_TIME, a.wire + half, a.wire_bytes - half);
        assert_int_equal(ts_demux_feed(d, s.ts.data, s.ts.bytes), WEIR_OK);
        assert_int_equal(ts_demux_figures(d)->frames[MEDIA_VIDEO], i);
    }
    assert_int_equal(r.problems, 0);
    ts_demux_destroy(d);
    ts_recorder_deinit(&r);
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_picture_per_pes),
        cmocka_unit_test(several_pictures_in_a_pes),
        cmocka_unit_test(a_picture_over_several_pes),
        cmocka_unit_test(parameter_sets_in_a_pes_of_their_own),
        cmocka_unit_test(dropped_units),
        cmocka_unit_test(starts_in_the_middle),
        cmocka_unit_test(hevc),
        cmocka_unit_test(av1),
        cmocka_unit_test(time_wraps),
        cmocka_unit_test(a_lost_packet),
        cmocka_unit_test(after_a_loss),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(pes_that_lies),
        cmocka_unit_test(odd_times),
        cmocka_unit_test(too_large),
        cmocka_unit_test(ends_early_where_it_may),
        cmocka_unit_test(a_broken_habit),
        cmocka_unit_test(slices_as_pes_form_no_habit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
