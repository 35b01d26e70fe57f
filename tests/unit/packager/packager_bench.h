/* A packager on a bench: synthetic frames in, what stands on the live edge out. Each test file uses what it needs of it. */
#ifndef TESTS_PACKAGER_BENCH_H
#define TESTS_PACKAGER_BENCH_H

#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packager/packager.h>

#pragma GCC diagnostic ignored "-Wunused-function"

#define WALL_START_US 1790000000000000LL

struct bench {
    struct live_edge *edge;
    struct packet_sink *sink;
    struct track *video, *audio;
    struct track_set tracks; /* borrowed ones */
    int64_t wall_us;
    uint32_t era, nominal_90k;
};

static int64_t wall_now(void *context)
{
    const struct bench *b = context;
    return b->wall_us;
}

static struct track *make_track(enum media_codec codec, const char *config_hex)
{
    const struct hex config = hex(config_hex);
    struct codec_facts facts;
    const char *why = "";
    struct blob *blob = blob_copy(config.data, config.bytes);
    assert_int_equal(codec_describe(codec, (struct byte_span){ config.data, config.bytes }, &facts, &why), WEIR_OK);
    struct track *t = track_create(&facts, blob);
    blob_unref(blob);
    return t;
}

static const struct stream_policy plain_policy = {
    .hold_us = 30000000, .segment_us = 2000000, .segment_max_us = 3000000, .window_us = 10000000
};

static void setup_with(struct bench *b, const struct stream_policy *policy)
{
    *b = (struct bench){ .edge = live_edge_create("live/test"), .wall_us = WALL_START_US };
    const struct packager_config config = { .wall_now_us = wall_now, .context = b, .run_id = 0xABCD };
    b->sink = packager_create(b->edge, policy, &config);
    b->video = make_track(
        CODEC_H264, "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800");
    b->audio = make_track(CODEC_AAC, "1190");
    assert_non_null(b->sink);
}

static void setup(struct bench *b)
{
    setup_with(b, &plain_policy);
}

static void teardown(struct bench *b)
{
    b->sink->destroy(b->sink);
    track_unref(b->video);
    track_unref(b->audio);
    live_edge_unref(b->edge);
}

static void push_track(struct bench *b, enum media_kind kind, uint8_t track, int64_t at_90k, bool is_key)
{
    struct blob *blob = blob_copy("frame-of-bytes", 14);
    const struct media_packet p = {
        .kind = kind,
        .track = track,
        .access = kind == MEDIA_AUDIO || is_key ? FRAME_IDR : FRAME_INTER,
        .payload = { blob, blob_data(blob), 14 },
        .era = b->era,
        .dts_90k = at_90k,
        .pts_90k = at_90k,
        .pts_samples = at_90k * 48000 / 90000,
        .samples = 1024,
        .nominal_90k = b->nominal_90k ? b->nominal_90k : 3000,
    };
    b->sink->push(b->sink, &p);
    blob_unref(blob);
}

static void push(struct bench *b, enum media_kind kind, int64_t at_90k, bool is_key)
{
    push_track(b, kind, 0, at_90k, is_key);
}

/* What to play: frames of 30 fps and AAC between two times, in the order of their times. */
struct part {
    double from_s, to_s, gop_s;
    unsigned fps; /* 30 when 0 */
    bool no_video, no_audio, no_key;
    unsigned more_audio; /* bits: the same audio on these tracks too */
};

static void play(struct bench *b, struct part p)
{
    if (!p.gop_s) p.gop_s = 2;
    if (!p.fps) p.fps = 30;
    b->nominal_90k = 90000 / p.fps;
    int64_t video = (int64_t)(p.from_s * p.fps), audio = (int64_t)(p.from_s * 48000 / 1024) + 1;
    for (;;) {
        const int64_t video_90k = video * b->nominal_90k, audio_90k = audio * 1024 * 90000 / 48000,
                      end_90k = (int64_t)(p.to_s * 90000);
        if (video_90k >= end_90k && audio_90k >= end_90k) return;
        b->wall_us = WALL_START_US + (video_90k < audio_90k ? video_90k : audio_90k) * 100 / 9;
        if (video_90k <= audio_90k) {
            const bool is_key = video % (int64_t)(p.gop_s * p.fps) == 0 && !p.no_key;
            if (!p.no_video) push(b, MEDIA_VIDEO, 900000 + video_90k, is_key);
            video++;
        } else {
            if (!p.no_audio) push(b, MEDIA_AUDIO, 900000 + audio_90k, true);
            for (uint8_t i = 1; i < AUDIO_TRACKS_MAX; i++) {
                if (p.more_audio >> i & 1) push_track(b, MEDIA_AUDIO, i, 900000 + audio_90k, true);
            }
            audio++;
        }
    }
}

static void era(struct bench *b, struct track *video, struct track *audio, double at_s)
{
    b->sink->tracks(b->sink, &(struct track_set){ .video = video, .audio = { audio } });
    b->sink->era(b->sink, ++b->era, 900000 + (int64_t)(at_s * 90000), WALL_START_US + (int64_t)(at_s * 1e6));
}

static char *text_of(struct bench *b, const char *rendition)
{
    static char text[2][16384];
    static int turn;
    char *out = text[turn++ % 2];
    struct edge_snapshot *s = live_edge_acquire(b->edge, rendition, strlen(rendition));
    out[0] = 0;
    if (!s) return out;
    const size_t bytes = frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, out, sizeof text[0] - 1);
    out[bytes] = 0;
    edge_snapshot_unref(s);
    return out;
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) n++;
    return n;
}

static uint64_t number(const char *text, const char *tag)
{
    const char *at = strstr(text, tag);
    return at ? strtoull(at + strlen(tag), NULL, 10) : 0;
}

/* Durations listed, as text: "0.900000 1.100000 ". */
static char *durations(const char *text)
{
    static char out[1024];
    size_t used = 0;
    out[0] = 0;
    for (const char *at = text; (at = strstr(at, "#EXTINF:")); at++) {
        const size_t bytes = strcspn(at + 8, ",");
        used += (size_t)snprintf(out + used, sizeof out - used, "%.*s ", (int)bytes, at + 8);
    }
    return out;
}

static const char *multivariant_of(struct bench *b)
{
    static char text[8192];
    struct frozen *master = live_edge_acquire_multivariant(b->edge, NULL);
    text[0] = 0;
    if (!master) return text;
    text[frozen_read(master, 0, text, sizeof text - 1)] = 0;
    frozen_unref(master);
    return text;
}

#endif
