#include "ts_scene.h"

#include "hex.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_SPLIT_BYTES_MAX (24 * 188)

void picture_init(struct picture *p)
{
    p->wire_bytes = p->sample_bytes = 0;
    p->is_key = false;
}

void picture_add(struct picture *p, const uint8_t *nal, size_t bytes, size_t start_code_bytes, bool is_kept)
{
    assert_true(p->wire_bytes + bytes + 4 <= sizeof p->wire);
    if (start_code_bytes == 4) p->wire[p->wire_bytes++] = 0;
    p->wire[p->wire_bytes++] = 0;
    p->wire[p->wire_bytes++] = 0;
    p->wire[p->wire_bytes++] = 1;
    memcpy(p->wire + p->wire_bytes, nal, bytes);
    p->wire_bytes += bytes;
    if (!is_kept) return;
    for (int i = 3; i >= 0; i--) p->sample[p->sample_bytes++] = (uint8_t)(bytes >> (8 * i));
    memcpy(p->sample + p->sample_bytes, nal, bytes);
    p->sample_bytes += bytes;
}

void picture_add_hex(struct picture *p, const char *nal_hex, size_t start_code_bytes, bool is_kept)
{
    const struct hex nal = hex(nal_hex);
    picture_add(p, nal.data, nal.bytes, start_code_bytes, is_kept);
}

void picture_add_noise(struct picture *p, const char *head_hex, size_t bytes, unsigned seed, size_t start_code_bytes)
{
    const struct hex head = hex(head_hex);
    uint8_t nal[65536];
    memcpy(nal, head.data, head.bytes);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 1664525 + 1013904223;
        uint8_t value = (uint8_t)(state >> 24) & 3; /* many zeros and ones */
        const size_t at = head.bytes + i;
        if (value < 3 && at >= 2 && !nal[at - 1] && !nal[at - 2]) value = 3; /* as an encoder escapes them */
        nal[at] = value;
    }
    nal[head.bytes + bytes] = 0x80;
    picture_add(p, nal, head.bytes + bytes + 1, start_code_bytes, true);
}

void picture_h264(struct picture *p, bool is_key, bool has_delimiter, size_t bytes, unsigned seed)
{
    picture_init(p);
    p->is_key = is_key;
    if (has_delimiter) picture_add_hex(p, "09f0", 4, false);
    if (is_key) {
        picture_add_hex(p, H264_SPS, 4, true);
        picture_add_hex(p, H264_PPS, 3, true);
    }
    picture_add_noise(p, is_key ? "6588" : "419a", bytes, seed, is_key || has_delimiter ? 3 : 4);
}

void scene_init(struct scene *s)
{
    memset(s, 0, sizeof *s);
    ts_builder_init(&s->ts);
    byte_writer_init(&s->expected, 16 * 1024 * 1024);
}

void scene_deinit(struct scene *s)
{
    ts_builder_deinit(&s->ts);
    byte_writer_deinit(&s->expected);
}

void scene_tables(struct scene *s)
{
    static const struct ts_build_program program = { 1, PMT_PID };
    static const struct ts_build_stream streams[] = { { 0x1B, VIDEO_PID, NULL }, { 0x0F, AUDIO_PID, NULL } };
    ts_build_pat(&s->ts, 0, &program, 1);
    ts_build_pmt(&s->ts, PMT_PID, 1, 0, VIDEO_PID, NULL, streams, 2);
    scene_expect(s, "track 256 video 0 h264\ntrack 257 audio 0 aac\n");
}

void scene_expect(struct scene *s, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_text(&s->expected, text);
}

void scene_expect_frame(struct scene *s, const char *kind, unsigned index, uint64_t pts, uint64_t dts,
                        const uint8_t *sample, size_t bytes, const char *tail)
{
    scene_expect(s, "%s %u %llu %llu %zu %016llx%s\n", kind, index, (unsigned long long)pts, (unsigned long long)dts,
                 bytes, (unsigned long long)fnv(sample, bytes), tail);
}

void scene_expect_picture(struct scene *s, uint64_t pts, uint64_t dts, const struct picture *p, const char *tail)
{
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", p->is_key ? " key" : "", tail);
    scene_expect_frame(s, "video", 0, pts, dts, p->sample, p->sample_bytes, whole);
}

void scene_picture(struct scene *s, uint64_t pts, uint64_t dts, const struct picture *p)
{
    const struct ts_build_pes pes = {
        .pid = VIDEO_PID, .stream_id = 0xE0, .pts_90k = pts, .dts_90k = dts, .is_unbounded = true
    };
    ts_build_pes(&s->ts, &pes, p->wire, p->wire_bytes);
}

static void compare(struct scene *s, struct ts_recorder *r, const char *how, size_t number)
{
    const char *got = ts_recorder_text(r);
    write_u8(&s->expected, 0);
    s->expected.bytes--;
    const char *expected = (const char *)s->expected.data;
    if (!strcmp(got, expected)) return;
    size_t at = 0;
    while (got[at] == expected[at]) at++;
    while (at && got[at - 1] != '\n') at--;
    fail_msg("%s %zu: got\n%.400s\nexpected\n%.400s", how, number, got + at, expected + at);
}

void scene_run(struct scene *s, struct ts_recorder *r)
{
    ts_recorder_init(r);
    ts_recorder_run(r, &s->config, s->ts.data, s->ts.bytes, 0);
    compare(s, r, "whole", 0);
}

static void run_split(struct scene *s, size_t cut)
{
    struct ts_recorder r;
    ts_recorder_init(&r);
    struct ts_demux *d = ts_demux_create(&s->config, &r.events, &r.counters);
    /* pieces of their own, so that a sanitizer sees a read behind their end */
    uint8_t *first = malloc(cut + 1), *second = malloc(s->ts.bytes - cut + 1);
    memcpy(first, s->ts.data, cut);
    memcpy(second, s->ts.data + cut, s->ts.bytes - cut);
    assert_int_equal(ts_demux_feed(d, first, cut), WEIR_OK);
    assert_int_equal(ts_demux_feed(d, second, s->ts.bytes - cut), WEIR_OK);
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    ts_demux_destroy(d);
    free(first);
    free(second);
    compare(s, &r, "cut at", cut);
    ts_recorder_deinit(&r);
}

static void run_random_pieces(struct scene *s, unsigned seed)
{
    struct ts_recorder r;
    ts_recorder_init(&r);
    struct ts_demux *d = ts_demux_create(&s->config, &r.events, &r.counters);
    uint32_t state = seed;
    for (size_t at = 0; at < s->ts.bytes;) {
        state = state * 1664525 + 1013904223;
        size_t part = 1 + (state >> 8) % 700;
        if (part > s->ts.bytes - at) part = s->ts.bytes - at;
        assert_int_equal(ts_demux_feed(d, s->ts.data + at, part), WEIR_OK);
        at += part;
    }
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    ts_demux_destroy(d);
    compare(s, &r, "random pieces", seed);
    ts_recorder_deinit(&r);
}

void scene_check(struct scene *s)
{
    static const size_t pieces[] = { 0, 1, 187, 188, 189, 1000, 1316 };
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct ts_recorder r;
        ts_recorder_init(&r);
        ts_recorder_run(&r, &s->config, s->ts.data, s->ts.bytes, pieces[i]);
        compare(s, &r, "pieces of", pieces[i]);
        ts_recorder_deinit(&r);
    }
    for (size_t cut = 0; s->ts.bytes <= EVERY_SPLIT_BYTES_MAX && cut <= s->ts.bytes; cut++) run_split(s, cut);
    for (unsigned seed = 1; seed <= 20; seed++) run_random_pieces(s, seed);
}
