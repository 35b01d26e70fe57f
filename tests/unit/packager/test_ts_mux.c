/* TS segments: what was put in comes out of the demux again, over segment borders; and the rules that a demux would forgive. */
#include "hex.h"
#include "ts_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>

#include "packager/ts_mux.h"

#define FRAMES_MAX 1024

/* A stream as a stream would carry it on: tracks, and samples as CMAF has them. */
struct feed {
    struct track *video, *audio;
    struct fmp4_sample video_samples[FRAMES_MAX], audio_samples[FRAMES_MAX];
    size_t video_count, audio_count;
    uint64_t hashes[2][FRAMES_MAX];
    struct counters counters;
    size_t breaks;
};

static void on_track(void *context, const struct ts_track *track) {}

static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
    struct feed *f = context;
    struct codec_facts facts;
    const char *why;
    assert_int_equal(codec_describe(codec, config, &facts, &why), WEIR_OK);
    struct blob *blob = blob_copy(config.data, config.bytes);
    struct track **at = kind == MEDIA_VIDEO ? &f->video : &f->audio;
    if (index) return;
    track_unref(*at);
    *at = track_create(&facts, blob);
    blob_unref(blob);
}

static void on_codec(void *context, unsigned index, enum media_codec codec) {}

static void take_audio(struct feed *f, const struct ts_frame *frame, struct blob *message)
{
    const struct byte_span span = { blob_data(message), blob_bytes(message) };
    if (!f->audio) { /* AC-3 and others: from the first frame */
        struct blob *config = NULL;
        struct codec_facts facts;
        const char *why;
        assert_int_equal(codec_config_from_frame(frame->codec, span, &config, &facts, &why), WEIR_OK);
        f->audio = track_create(&facts, config);
        blob_unref(config);
    }
    const struct codec_facts *facts = track_facts(f->audio);
    const uint32_t samples = facts->frame_samples ? facts->frame_samples : codec_frame_samples(facts, span);
    f->hashes[1][f->audio_count] = fnv(span.data, span.bytes);
    f->audio_samples[f->audio_count++] = (struct fmp4_sample){
        .payload = { message, span.data, span.bytes },
        .dts = (int64_t)(frame->pts_90k * facts->sample_rate / 90000),
        .duration = samples,
        .is_sync = true,
    };
}

static void take_video(struct feed *f, const struct ts_frame *frame, struct blob *message)
{
    struct codec_frame found;
    const char *why;
    assert_int_equal(codec_frame_prepare(track_facts(f->video), track_config(f->video), blob_data(message),
                                         frame->bytes, frame->is_key, &found, &why),
                     WEIR_OK);
    assert_null(found.new_config);
    assert_false(found.is_empty);
    const uint8_t *data = blob_data(message) + found.offset;
    f->hashes[0][f->video_count] = fnv(data, found.bytes);
    f->video_samples[f->video_count++] = (struct fmp4_sample){
        .payload = { message, data, found.bytes },
        .dts = (int64_t)frame->dts_90k,
        .duration = 3600,
        .composition_offset = (int32_t)(frame->pts_90k - frame->dts_90k),
        .is_sync = found.access == FRAME_IDR,
    };
}

static void on_frame(void *context, const struct ts_frame *frame)
{
    struct feed *f = context;
    assert_false(frame->is_damaged);
    assert_false(frame->is_after_loss);
    if (frame->index) {
        blob_unref(frame->message);
        return;
    }
    if (frame->kind == MEDIA_AUDIO)
        take_audio(f, frame, frame->message);
    else
        take_video(f, frame, frame->message);
}

static void on_metadata(void *context, const struct ts_metadata *m)
{
    blob_unref(m->message);
}

static void on_clock_break(void *context)
{
    ((struct feed *)context)->breaks++;
}

static void on_problem(void *context, const char *text)
{
    fail_msg("%s", text);
}

static void feed_from(struct feed *f, const uint8_t *data, size_t bytes)
{
    memset(f, 0, sizeof *f);
    const struct ts_demux_config config = { .may_end_early = false };
    const struct ts_demux_events events = { f,        on_track,    on_track,       on_config, on_codec,
                                            on_frame, on_metadata, on_clock_break, on_problem };
    struct ts_demux *d = ts_demux_create(&config, &events, &f->counters);
    assert_int_equal(ts_demux_feed(d, data, bytes), WEIR_OK);
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    ts_demux_destroy(d);
}

static void feed_deinit(struct feed *f)
{
    for (size_t i = 0; i < f->video_count; i++) blob_unref(f->video_samples[i].payload.blob);
    for (size_t i = 0; i < f->audio_count; i++) blob_unref(f->audio_samples[i].payload.blob);
    track_unref(f->video);
    track_unref(f->audio);
}

struct output {
    uint8_t *data;
    size_t bytes, segments;
    struct ts_mux_state state;
};

static void add_segment(struct output *o, const struct ts_mux_segment *segment)
{
    struct ts_mux_state after = o->state;
    struct frozen *body = ts_mux_write(segment, &o->state);
    assert_non_null(body);
    const size_t bytes = ts_mux_measure(segment, &after);
    assert_int_equal(frozen_bytes(body), bytes);
    assert_int_equal(bytes % 188, 0);
    o->data = realloc(o->data, o->bytes + bytes);
    assert_int_equal(frozen_read(body, 0, o->data + o->bytes, bytes), bytes);
    /* PAT and PMT begin each segment, and a segment's first picture brings its parameter sets */
    assert_memory_equal(o->data + o->bytes, "\x47\x40\x00", 3);
    assert_memory_equal(o->data + o->bytes + 188, "\x47\x50\x00", 3);
    o->bytes += bytes;
    o->segments++;
    o->state = after;
    frozen_unref(body);
}

static double seconds_of_audio(const struct feed *f, size_t i)
{
    return (double)f->audio_samples[i].dts / track_facts(f->audio)->sample_rate;
}

/* Cuts at keyframes; audio up to its first frame behind the cut, as the packager does. */
static void mux_all(struct feed *f, struct output *o)
{
    size_t audio = 0;
    for (size_t first = 0, last; first < f->video_count; first = last) {
        for (last = first + 1; last < f->video_count && !f->video_samples[last].is_sync;) last++;
        size_t end = audio;
        const double cut = last < f->video_count ? (double)f->video_samples[last].dts / 90000 : 1e9;
        while (end < f->audio_count && seconds_of_audio(f, end) < cut) end++;
        const struct ts_mux_segment segment = {
            .video = f->video,
            .audio = f->audio && ts_mux_can_carry(f->audio, NULL) ? f->audio : NULL,
            .video_samples = f->video_samples + first,
            .audio_samples = f->audio_samples + audio,
            .video_count = last - first,
            .audio_count = end - audio,
        };
        add_segment(o, &segment);
        audio = end;
    }
}

static size_t load(const char *name, uint8_t **data)
{
    char path[256];
    snprintf(path, sizeof path, "golden/ts/%s.ts", name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    *data = malloc(1024 * 1024);
    const size_t bytes = fread(*data, 1, 1024 * 1024, file);
    fclose(file);
    return bytes;
}

static void expect_same_time(uint32_t rate, int64_t a, int64_t b)
{
    /* through 90 kHz and back */
    if (llabs(a - b) > rate / 90000 + 1) fail_msg("%lld became %lld", (long long)a, (long long)b);
}

static void there_and_back(void **unused_state)
{
    static const char *const names[] = {
        "h264_aac", "hevc_ac3", "h264_latm", "h264_opus", "h264_eac3_mp3", "h264_mp2"
    };
    static struct feed in, out;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint8_t *data;
        struct output o = { .data = NULL };
        print_message("%s\n", names[i]);
        const size_t bytes = load(names[i], &data);
        feed_from(&in, data, bytes);
        mux_all(&in, &o);
        feed_from(&out, o.data, o.bytes);
        assert_int_equal(o.segments, 2);
        assert_int_equal(out.video_count, in.video_count);
        assert_int_equal(out.audio_count, in.audio_count);
        assert_true(track_equal(in.video, out.video));
        assert_true(!in.audio || track_equal(in.audio, out.audio) || track_facts(in.audio)->codec == CODEC_AAC);
        for (size_t k = 0; k < in.video_count; k++) {
            assert_int_equal(in.hashes[0][k], out.hashes[0][k]);
            assert_int_equal(in.video_samples[k].dts, out.video_samples[k].dts);
            assert_int_equal(in.video_samples[k].composition_offset, out.video_samples[k].composition_offset);
        }
        for (size_t k = 0; k < in.audio_count; k++) {
            assert_int_equal(in.hashes[1][k], out.hashes[1][k]);
            expect_same_time(track_facts(in.audio)->sample_rate, in.audio_samples[k].dts, out.audio_samples[k].dts);
        }
        assert_int_equal(counter_read(&out.counters, COUNTER_TS_CONTINUITY_ERRORS), 0);
        assert_int_equal(counter_read(&out.counters, COUNTER_TS_PES_SHORT), 0);
        assert_int_equal(counter_read(&out.counters, COUNTER_TS_AUDIO_RESYNCS), 0);
        feed_deinit(&in);
        feed_deinit(&out);
        free(o.data);
        free(data);
    }
}

/* -- small ones, made by hand -- */

static struct track *make_track(enum media_codec codec, const char *config_hex)
{
    const struct hex config = hex(config_hex);
    struct codec_facts facts;
    const char *why = "";
    struct blob *blob = blob_copy(config.data, config.bytes);
    if (codec_describe(codec, (struct byte_span){ config.data, config.bytes }, &facts, &why)) fail_msg("%s", why);
    struct track *t = track_create(&facts, blob);
    blob_unref(blob);
    return t;
}

#define AVC_CONFIG "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0"

static struct fmp4_sample make_sample(struct blob *blob, int64_t dts, uint32_t duration, bool is_sync)
{
    return (struct fmp4_sample){
        .payload = { blob, blob_data(blob), blob_bytes(blob) }, .dts = dts, .duration = duration, .is_sync = is_sync
    };
}

static void a_keyframe_byte_for_byte(void **unused_state)
{
    struct track *video = make_track(CODEC_H264, AVC_CONFIG);
    struct blob *blob = blob_copy("\0\0\0\4\x65\x88\x84\x80", 8);
    struct fmp4_sample sample = make_sample(blob, 900000, 3000, true);
    sample.composition_offset = 6000;
    const struct ts_mux_segment segment = { .video = video, .video_samples = &sample, .video_count = 1 };
    const struct ts_mux_state state = { .continuity = { 1, 2, 3, 4, 5 } };
    struct frozen *body = ts_mux_write(&segment, &state);
    uint8_t bytes[3 * 188];
    assert_int_equal(frozen_bytes(body), sizeof bytes);
    frozen_read(body, 0, bytes, sizeof bytes);
    frozen_unref(body);
    assert_bytes(bytes, 5 + 16, "47400011 00 00b00d 0001 c10000 0001 f000 2ab104b2");
    assert_bytes(bytes + 188, 5 + 21, "47500012 00 02b012 0001 c10000 e100 f000 1b e100 f000 15bd4d56");
    assert_int_equal(bytes[21], 0xFF);
    /* 14+... : a PES of 19 + 6 + 29 + 10 + 8 bytes, so that the adaptation field is stuffed to 112 */
    assert_bytes(bytes + 2 * 188, 4 + 8, "47410033 6f 50 000685ec7e00"); /* RAI, PCR of 855000 */
    assert_int_equal(bytes[2 * 188 + 12], 0xFF);
    assert_bytes(bytes + 3 * 188 - 72, 72,
                 "000001e0 0042 84c00a 31 0037a621 11 00377741" /* PTS 906000, DTS 900000 */
                 "00000001 09f0"
                 "00000001 6764000aacd9420bf970110000030001000003003c0f122596"
                 "00000001 68ebe3cb22c0"
                 "00000001 65888480");
    blob_unref(blob);
    track_unref(video);
}

/* -- rules that a demux would forgive -- */

struct facts {
    size_t packets, clocks, sets, tags;
    int64_t clock_step_max, last_clock;
    unsigned pmt_version, clock_pid, stream_types[4], streams;
    size_t pes[TS_MUX_STREAMS];
    unsigned first_pes_length;
};

static void read_packet(struct facts *f, const uint8_t *p)
{
    const unsigned pid = (p[1] & 0x1Fu) << 8 | p[2];
    const bool has_field = p[3] & 0x20, is_start = p[1] & 0x40;
    const uint8_t *payload = p + 4 + (has_field ? 1 + p[4] : 0);
    f->packets++;
    if (has_field && p[4] && p[5] & 0x10) {
        const int64_t clock = (int64_t)load_u32(p + 6) << 1 | p[10] >> 7;
        assert_int_equal(pid, f->clock_pid);
        if (f->clocks++ && clock - f->last_clock > f->clock_step_max) f->clock_step_max = clock - f->last_clock;
        f->last_clock = clock;
    }
    if (pid == 0x1000) {
        const uint8_t *section = payload + 1;
        f->pmt_version = section[5] >> 1 & 31;
        f->clock_pid = (section[8] & 0x1Fu) << 8 | section[9];
        const size_t end = 3 + ((section[1] & 15u) << 8 | section[2]) - 4;
        f->streams = 0;
        for (size_t at = 12 + ((section[10] & 15u) << 8 | section[11]); at < end;
             at += 5 + ((section[at + 3] & 15u) << 8 | section[at + 4]))
            f->stream_types[f->streams++] = section[at];
    }
    if (is_start && pid >= 0x100 && pid <= 0x102) {
        if (!f->pes[TS_MUX_VIDEO + pid - 0x100]++ && pid == 0x100) f->first_pes_length = load_u16(payload + 4);
    }
    if (memmem(payload, (size_t)(p + 188 - payload), "\0\0\0\1\x67", 5)) f->sets++;
}

static struct facts read_facts(const struct ts_mux_segment *segment, struct ts_mux_state *state)
{
    struct facts f = { .packets = 0 };
    struct frozen *body = ts_mux_write(segment, state);
    assert_non_null(body);
    assert_int_equal(ts_mux_measure(segment, state), frozen_bytes(body));
    for (size_t at = 0; at < frozen_bytes(body); at += 188) {
        uint8_t packet[188];
        assert_int_equal(frozen_read(body, at, packet, sizeof packet), sizeof packet);
        assert_int_equal(packet[0], 0x47);
        read_packet(&f, packet);
    }
    frozen_unref(body);
    return f;
}

/* Two frames a second, and audio alone: a PCR each 100 ms at most all the same. */
static void the_clock_is_never_late(void **unused_state)
{
    struct track *video = make_track(CODEC_H264, AVC_CONFIG), *audio = make_track(CODEC_AAC, "1190");
    struct blob *picture = blob_copy("\0\0\0\4\x65\x88\x84\x80", 8), *sound = blob_copy("!sound", 6);
    struct fmp4_sample pictures[4], sounds[100];
    for (int i = 0; i < 4; i++) pictures[i] = make_sample(picture, 900000 + 45000 * i, 45000, i == 0);
    for (int i = 0; i < 100; i++) sounds[i] = make_sample(sound, 480000 + 1024 * i, 1024, true);
    struct ts_mux_segment segment = { .video = video,
                                      .audio = audio,
                                      .video_samples = pictures,
                                      .audio_samples = sounds,
                                      .video_count = 4,
                                      .audio_count = 100 };
    struct ts_mux_state state = { .version = 0 };
    struct facts f = read_facts(&segment, &state);
    assert_int_equal(f.clock_pid, 0x100);
    assert_in_range(f.clock_step_max, 1, 9000);
    assert_in_range(f.clocks, 20, 26);
    assert_in_range(f.last_clock, 900000 - 45000 + 180000 - 9000,
                    900000 - 45000 + 180000); /* up to the end of the pictures, though sound goes on */
    assert_int_equal(state.version, 0);
    /* no picture in it: named all the same, and the clock is on what there is */
    segment.video_count = 0;
    struct ts_mux_state without = state;
    f = read_facts(&segment, &without);
    assert_int_equal(f.clock_pid, 0x101);
    assert_in_range(f.clock_step_max, 1, 9000);
    assert_int_equal(f.streams, 2);
    segment.video = NULL;
    f = read_facts(&segment, &state);
    assert_int_equal(f.clock_pid, 0x101);
    assert_in_range(f.clock_step_max, 1, 9000);
    assert_int_equal(f.streams, 1);
    assert_int_equal(f.stream_types[0], 0x0F);
    /* the PMT says something else now, and so has another version */
    assert_int_equal(f.pmt_version, 1);
    assert_int_equal(read_facts(&segment, &state).pmt_version, 1);
    blob_unref(picture);
    blob_unref(sound);
    track_unref(video);
    track_unref(audio);
}

/* A segment that was cut inside a GOP brings its parameter sets too; lengths of one and two bytes become start codes. */
static void first_pictures(void **unused_state)
{
    static const struct {
        const char *config_hex, *sample;
        size_t bytes;
    } cases[] = {
        { AVC_CONFIG, "\0\0\0\3\x41\x9a\x80\0\0\0\2\x06\x80", 13 },
        { "0164000afde100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0",
          "\0\3\x41\x9a\x80\0\2\x06\x80", 9 },
        { "0164000afce100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0",
          "\3\x41\x9a\x80\2\x06\x80", 7 },
    };
    uint64_t first = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct track *video = make_track(CODEC_H264, cases[i].config_hex);
        struct blob *blob = blob_copy(cases[i].sample, cases[i].bytes);
        struct fmp4_sample samples[2] = { make_sample(blob, 900000, 3000, false),
                                          make_sample(blob, 903000, 3000, false) };
        const struct ts_mux_segment segment = { .video = video, .video_samples = samples, .video_count = 2 };
        struct ts_mux_state state = { .version = 0 };
        struct frozen *body = ts_mux_write(&segment, &state);
        uint8_t bytes[4 * 188];
        assert_int_equal(frozen_bytes(body), sizeof bytes);
        frozen_read(body, 0, bytes, sizeof bytes);
        if (!i) first = fnv(bytes, sizeof bytes);
        assert_int_equal(fnv(bytes, sizeof bytes), first); /* the same stream, whatever the lengths in the sample */
        frozen_unref(body);
        assert_int_equal(read_facts(&segment, &state).sets, 1);
        blob_unref(blob);
        track_unref(video);
    }
}

static void a_long_picture_says_no_length(void **unused_state)
{
    struct track *video = make_track(CODEC_H264, AVC_CONFIG);
    for (size_t bytes = 65400; bytes < 65600; bytes += 50) {
        struct blob *blob = blob_create(bytes);
        assert_non_null(blob);
        memset(blob_data(blob), 0x55, bytes);
        store_u32(blob_data(blob), (uint32_t)bytes - 4);
        struct fmp4_sample sample = make_sample(blob, 900000, 3000, true);
        const struct ts_mux_segment segment = { .video = video, .video_samples = &sample, .video_count = 1 };
        struct ts_mux_state state = { .version = 0 };
        const size_t length = 8 + 6 + 29 + 10 + bytes; /* header without DTS, delimiter, sets */
        assert_int_equal(read_facts(&segment, &state).first_pes_length, length > 65535 ? 0 : length);
        blob_unref(blob);
    }
    track_unref(video);
}

static void tags(void **unused_state)
{
    struct track *audio = make_track(CODEC_AAC, "1190");
    struct blob *sound = blob_copy("!sound", 6), *id3 = blob_create(400);
    memset(blob_data(id3), 'x', 400);
    memcpy(blob_data(id3), "ID3", 3);
    struct fmp4_sample sounds[20];
    for (int i = 0; i < 20; i++) sounds[i] = make_sample(sound, 480000 + 1024 * i, 1024, true);
    const struct ts_mux_tag tag[2] = { { { id3, blob_data(id3), 400 }, 901000 },
                                       { { id3, blob_data(id3), 10 }, 920000 } };
    struct ts_mux_segment segment = {
        .audio = audio, .audio_samples = sounds, .audio_count = 20, .tags = tag, .tag_count = 2
    };
    struct ts_mux_state state = { .version = 0 };
    struct facts f = read_facts(&segment, &state);
    assert_int_equal(f.pes[TS_MUX_ID3], 2);
    assert_int_equal(f.streams, 2);
    assert_int_equal(f.stream_types[1], 0x15);
    /* the PID stays in the table when a segment has none */
    segment.tag_count = 0;
    f = read_facts(&segment, &state);
    assert_int_equal(f.streams, 2);
    assert_int_equal(f.pmt_version, 0);
    /* and the demux knows what it is */
    struct ts_recorder r;
    segment.tag_count = 2;
    struct frozen *body = ts_mux_write(&segment, &state);
    const size_t bytes = frozen_bytes(body);
    uint8_t *data = malloc(bytes);
    frozen_read(body, 0, data, bytes);
    ts_recorder_init(&r);
    ts_recorder_run(&r, &(struct ts_demux_config){ .program_number = 0 }, data, bytes, 0);
    assert_non_null(strstr(ts_recorder_text(&r), "metadata id3 258 901000 400 "));
    assert_non_null(strstr(ts_recorder_text(&r), "metadata id3 258 920000 10 "));
    ts_recorder_deinit(&r);
    frozen_unref(body);
    free(data);
    blob_unref(sound);
    blob_unref(id3);
    track_unref(audio);
}

static void what_can_be_carried(void **unused_state)
{
    static const struct {
        enum media_codec codec;
        const char *config_hex;
        bool is_carried;
    } cases[] = {
        { CODEC_H264, AVC_CONFIG, true },
        { CODEC_AAC, "1190", true },
        { CODEC_AAC, "f94643", false }, /* USAC has no ADTS */
        { CODEC_AV1, "81000c000a0a0000000337f8e6d7c802", false },
        { CODEC_VP9, "000a820202020000", false },
        { CODEC_OPUS, "000201380000bb80000000", true },
        { CODEC_OPUS, "000301380000bb800000010300000102", false },
        { CODEC_FLAC, "80000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114", false },
        { CODEC_AC3, "103DC0", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct codec_facts facts;
        const struct hex config = hex(cases[i].config_hex);
        const char *why = NULL;
        if (codec_describe(cases[i].codec, (struct byte_span){ config.data, config.bytes }, &facts, &why)) continue;
        struct track *t = make_track(cases[i].codec, cases[i].config_hex);
        print_message("%s %s\n", codec_name(cases[i].codec), cases[i].config_hex);
        assert_int_equal(ts_mux_can_carry(t, &why), cases[i].is_carried);
        assert_non_null(why);
        track_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_keyframe_byte_for_byte),
        cmocka_unit_test(the_clock_is_never_late),
        cmocka_unit_test(first_pictures),
        cmocka_unit_test(a_long_picture_says_no_length),
        cmocka_unit_test(tags),
        cmocka_unit_test(what_can_be_carried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
