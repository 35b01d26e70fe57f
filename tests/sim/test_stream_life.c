/* Whole lives of a stream on a hand-cranked clock: a publisher that jumps, stutters, changes, falls silent, goes and comes
 * back, at random and again and again; and a reader that holds every playlist to what the ones before it said. */
#include "hex.h"
#include "hls_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packager/packager.h>
#include <weir/stream/stream.h>

#define WALL_START_US 1790000000000000LL

static const char *const avc_configs[] = {
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800",
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c1fdf8f800",
};
static const char *const aac_configs[] = { "1190", "1210", "1188" };
static const uint32_t aac_rates[] = { 48000, 44100, 48000 };

struct life {
    uint64_t random;
    bool is_calm; /* nothing odd happens: nothing may be missing */
    struct live_edge *edge;
    struct stream *stream;
    int64_t wall_us;
    struct hls_reader *video, *audio;
    uint64_t versions[2];
    int64_t media_end[2]; /* of the last segment read, in its own timescale */
    uint64_t media_msn[2];
    unsigned holes;
    /* the publisher */
    int64_t wire_base_ms, clock_us, video_us, audio_us; /* the encoder's clock, and how far each track is */
    int64_t gop_us, last_key_us, video_off_until_us, audio_off_until_us;
    unsigned avc, aac;
};

static uint64_t roll(struct life *l, uint64_t sides)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return l->random % sides;
}

static int64_t wall_now(void *context)
{
    return ((struct life *)context)->wall_us;
}

/* -- reading -- */

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static const uint8_t *find_box(const uint8_t *data, size_t bytes, const char *type)
{
    for (size_t i = 4; i + 4 <= bytes; i++) {
        if (!memcmp(data + i, type, 4)) return data + i + 4;
    }
    fail_msg("no %s in the segment", type);
    return NULL;
}

/* Decode times within and between segments: no overlap, and no hole that nobody made. */
static void read_media(struct life *l, int which, const struct hls_seen *seen, const struct edge_snapshot *snapshot)
{
    const struct edge_object *o = edge_snapshot_find(snapshot, seen->uri, strlen(seen->uri));
    if (seen->is_gap) {
        assert_null(o);
        return;
    }
    if (!o) fail_msg("%s is listed and cannot be had", seen->uri);
    assert_non_null(edge_snapshot_find(snapshot, seen->init, strlen(seen->init)));
    const struct hls_reader *r = which ? l->audio : l->video;
    const struct hls_seen *before = hls_reader_find(r, seen->msn - 1);
    const struct piece *head = frozen_pieces(o->body);
    const uint8_t *tfdt = find_box(head->data, head->bytes, "tfdt"), *trun = find_box(head->data, head->bytes, "trun");
    const int64_t start = (int64_t)((uint64_t)u32_at(tfdt + 4) << 32 | u32_at(tfdt + 8));
    const uint32_t samples = u32_at(trun + 4);
    int64_t end = start;
    uint64_t payload = 0;
    for (uint32_t i = 0; i < samples; i++) {
        const uint32_t duration = u32_at(trun + 12 + i * 16);
        assert_true(duration > 0);
        end += duration;
        payload += u32_at(trun + 16 + i * 16);
    }
    assert_int_equal(payload + head->bytes, frozen_bytes(o->body));
    if (before && before->discontinuity == seen->discontinuity) {
        if (start < l->media_end[which])
            fail_msg("%s: %s begins %lld before the end of %s", r->label, seen->uri,
                     (long long)(l->media_end[which] - start), before->uri);
        l->holes += start != l->media_end[which];
    }
    l->media_end[which] = end;
}

static void look(struct life *l, int which)
{
    static char text[1 << 16];
    static const char *const names[] = { "video", "audio" };
    struct hls_reader *r = which ? l->audio : l->video;
    struct edge_snapshot *s = live_edge_acquire(l->edge, names[which], 5);
    if (!s) return;
    if (edge_snapshot_version(s) != l->versions[which]) {
        l->versions[which] = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        hls_reader_read(r, text);
        assert_true(r->count > 0);
        assert_int_equal(edge_snapshot_last_msn(s), r->seen[r->count - 1].msn);
        for (size_t i = r->count - r->fresh; i < r->count; i++) read_media(l, which, &r->seen[i], s);
    }
    edge_snapshot_unref(s);
}

/* -- publishing -- */

static void push(struct life *l, enum media_kind kind, int64_t at_us, bool is_key)
{
    static const char idr[] = "\0\0\0\x05\x65\x88\x84\x21\xA0", inter[] = "\0\0\0\x05\x41\x9A\x24\x21\xA0",
                      aac[] = "\x21\x10\x04\x60\x8C\x1C";
    const char *bytes = kind == MEDIA_AUDIO ? aac : is_key ? idr : inter;
    const size_t count = kind == MEDIA_AUDIO ? sizeof aac - 1 : sizeof idr - 1;
    const char *why = "";
    const struct stream_frame frame = {
        .kind = kind,
        .message = blob_copy(bytes, count),
        .bytes = count,
        .is_claimed_key = is_key,
        .wire = { .wire = (uint64_t)(l->wire_base_ms + at_us / 1000) & 0xFFFFFFFF, .wire_bits = 32, .wire_hz = 1000 },
        .now_us = l->wall_us - WALL_START_US,
        .wall_us = l->wall_us,
    };
    const enum weir_err err = stream_push(l->stream, &frame, &why);
    if (err) fail_msg("a good frame was refused: %s", why);
}

static void configure(struct life *l)
{
    const char *why = "";
    const struct hex avc = hex(avc_configs[l->avc]), aac = hex(aac_configs[l->aac]);
    assert_int_equal(stream_set_config(l->stream, 0, CODEC_H264, (struct byte_span){ avc.data, avc.bytes }, &why),
                     WEIR_OK);
    assert_int_equal(stream_set_config(l->stream, 0, CODEC_AAC, (struct byte_span){ aac.data, aac.bytes }, &why),
                     WEIR_OK);
    l->last_key_us = INT64_MIN / 2; /* an encoder that starts anew starts with a keyframe */
}

static void begin(struct life *l)
{
    stream_resume(l->stream, l->wall_us);
    l->wire_base_ms = l->is_calm ? 0 : (int64_t)roll(l, 1ull << 32);
    l->clock_us = l->video_us = l->audio_us = 0;
    l->video_off_until_us = l->audio_off_until_us = 0;
    configure(l);
}

/* The encoder's clock goes on by this; what it has made by then is sent. */
static void encode(struct life *l, int64_t us)
{
    l->clock_us += us;
    while (l->video_us < l->clock_us || l->audio_us < l->clock_us) {
        if (l->video_us <= l->audio_us) {
            const bool is_key = l->video_us - l->last_key_us >= l->gop_us;
            if (l->video_us >= l->video_off_until_us) {
                if (is_key) l->last_key_us = l->video_us;
                push(l, MEDIA_VIDEO, l->video_us, is_key);
            }
            l->video_us += 33333;
        } else {
            if (l->audio_us >= l->audio_off_until_us) push(l, MEDIA_AUDIO, l->audio_us, true);
            l->audio_us += 1024 * 1000000LL / aac_rates[l->aac];
        }
        look(l, 0);
        look(l, 1);
    }
}

static void mishap(struct life *l)
{
    switch (roll(l, 10)) {
    case 0: l->wire_base_ms += (int64_t)roll(l, 3600000); break;                    /* forward, up to an hour */
    case 1: l->wire_base_ms -= (int64_t)roll(l, 30000); break;                      /* back, up to half a minute */
    case 2: l->wire_base_ms += (int64_t)roll(l, 40) - 20; break;                    /* a stutter */
    case 3: l->video_off_until_us = l->video_us + (int64_t)roll(l, 8000000); break; /* no picture */
    case 4: l->audio_off_until_us = l->audio_us + (int64_t)roll(l, 8000000); break; /* no sound */
    case 5: l->gop_us = 200000 + (int64_t)roll(l, 12000000); break;
    case 6: l->avc ^= 1, configure(l); break;
    case 7: l->aac = (unsigned)roll(l, 3), configure(l); break;
    case 8: encode(l, (int64_t)roll(l, 10000000)); break; /* ten seconds at once */
    case 9:
        stream_lost(l->stream);
        l->wall_us += (int64_t)roll(l, 25000000);
        begin(l);
        break;
    }
}

static void live(struct life *l, int seconds)
{
    static const struct stream_policy policy = {
        .hold_us = 30000000, .segment_us = 2000000, .segment_max_us = 3000000, .window_us = 10000000
    };
    const struct packager_config config = { .wall_now_us = wall_now, .context = l, .run_id = 7 };
    l->edge = live_edge_create("live/sim");
    l->stream = stream_create(l->edge, &policy);
    l->wall_us = WALL_START_US;
    l->gop_us = 2000000;
    assert_int_equal(stream_add_sink(l->stream, packager_create(l->edge, &policy, &config)), WEIR_OK);
    begin(l);
    for (int i = 0; i < seconds * 10; i++) {
        l->wall_us += 100000;
        encode(l, 100000);
        if (!l->is_calm && !roll(l, 20)) mishap(l);
    }
    stream_end(l->stream);
    look(l, 0);
    look(l, 1);
    hls_reader_compare(l->video, l->audio);
    assert_true(l->video->has_ended && l->audio->has_ended);
    stream_destroy(l->stream);
    live_edge_unref(l->edge);
}

static void run(uint64_t seed, bool is_calm, int seconds, struct life *out)
{
    static struct hls_reader video, audio;
    char label[64];
    *out =
        (struct life){ .random = seed * 0x9E3779B97F4A7C15u | 1, .is_calm = is_calm, .video = &video, .audio = &audio };
    snprintf(label, sizeof label, "seed %llu video", (unsigned long long)seed);
    hls_reader_init(&video, label);
    snprintf(label, sizeof label, "seed %llu audio", (unsigned long long)seed);
    hls_reader_init(&audio, label);
    live(out, seconds);
}

static void a_calm_life_has_no_hole(void **state)
{
    struct life l;
    run(1, true, 120, &l);
    assert_int_equal(l.holes, 0);
    assert_int_equal(l.video->count, l.audio->count);
    assert_in_range(l.video->count, 60, 62);
    for (size_t i = 0; i < l.video->count; i++) assert_false(l.video->seen[i].is_gap || l.audio->seen[i].is_gap);
}

static void odd_lives_keep_every_promise(void **state)
{
    unsigned segments = 0;
    for (uint64_t seed = 2; seed < 402; seed++) {
        struct life l;
        run(seed, false, 60, &l);
        segments += l.video->count;
    }
    assert_true(segments > 400 * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_life_has_no_hole),
        cmocka_unit_test(odd_lives_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
