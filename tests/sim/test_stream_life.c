/* Whole lives of a stream on a hand-cranked clock: a publisher that jumps, stutters, changes, falls silent, goes and comes
 * back, at random and again and again; and a reader that holds every playlist to what the ones before it said. */
#include "hex.h"
#include "hls_reader.h"
#include "part_reader.h"

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

enum { VIDEO, AUDIO, SECOND, RENDITIONS }; /* SECOND: another audio track, which comes and goes */
static const char *const names[RENDITIONS] = { "video", "audio", "audio-1" };

/* What a player knows of a rendition. */
struct witness {
    struct hls_reader list;
    struct part_reader parts;
    uint64_t version;
    int64_t media_end; /* of the last segment read, in its own timescale */
    uint64_t media_discontinuity;
    int64_t last_part_us; /* on the encoder's clock: when the last new part was seen */
    int64_t longest_wait_us;
    bool has_grid; /* of cuts: a keyframe that comes too early behind a part's beginning stays inside it */
};

struct life {
    uint64_t random;
    bool is_calm; /* nothing odd happens: nothing may be missing */
    struct stream_policy policy;
    struct live_edge *edge;
    struct stream *stream;
    int64_t wall_us;
    struct witness *witnesses; /* RENDITIONS */
    unsigned holes;
    int64_t furthest_lag_us; /* of audio behind video, as listed */
    /* the publisher */
    int64_t wire_base_ms, clock_us, video_us, audio_us; /* the encoder's clock, and how far each track is */
    int64_t gop_us, last_key_us, video_off_until_us, audio_off_until_us;
    unsigned avc, aac;
    bool has_second;
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

static int64_t u64_at(const uint8_t *at)
{
    return (int64_t)((uint64_t)u32_at(at) << 32 | u32_at(at + 4));
}

/* A chunk in a file: where it is, when it is, and whether decoding may begin with it. */
struct found_chunk {
    size_t bytes; /* to behind its mdat */
    int64_t start, end;
    uint32_t sequence;
    unsigned syncs;
    bool begins_with_sync;
};

static const uint8_t *inner_box(const uint8_t *data, size_t bytes, const char *type)
{
    for (size_t i = 4; i + 4 <= bytes; i++) {
        if (!memcmp(data + i, type, 4)) return data + i + 4;
    }
    fail_msg("no %s in the chunk", type);
    return NULL;
}

/* [styp] moof mdat from `data` on. */
static struct found_chunk read_chunk(const uint8_t *data, size_t bytes)
{
    struct found_chunk c = { .bytes = 0 };
    if (!memcmp(data + 4, "styp", 4)) c.bytes = u32_at(data);
    const uint8_t *moof = data + c.bytes;
    const size_t moof_bytes = u32_at(moof);
    assert_int_equal(memcmp(moof + 4, "moof", 4), 0);
    assert_int_equal(memcmp(moof + moof_bytes + 4, "mdat", 4), 0);
    const uint8_t *tfdt = inner_box(moof, moof_bytes, "tfdt"), *trun = inner_box(moof, moof_bytes, "trun");
    c.sequence = u32_at(inner_box(moof, moof_bytes, "mfhd") + 4);
    c.start = c.end = u64_at(tfdt + 4);
    uint64_t payload = 0;
    const uint32_t samples = u32_at(trun + 4);
    assert_true(samples > 0);
    for (uint32_t i = 0; i < samples; i++) {
        const uint8_t *entry = trun + 12 + (size_t)i * 16;
        assert_true(u32_at(entry) > 0);
        c.end += u32_at(entry);
        payload += u32_at(entry + 4);
        const bool is_sync = !(u32_at(entry + 8) & 0x10000);
        c.syncs += is_sync;
        if (!i) c.begins_with_sync = is_sync;
    }
    assert_int_equal(u32_at(moof + moof_bytes), payload + 8);
    c.bytes += moof_bytes + 8 + payload;
    assert_true(c.bytes <= bytes);
    return c;
}

static size_t body_of(const struct edge_snapshot *s, const char *name, uint8_t *out, size_t room)
{
    const struct edge_object *o = edge_snapshot_find(s, name, strlen(name));
    if (!o) {
        fail_msg("%s is listed and cannot be had", name);
        return 0;
    }
    assert_true(frozen_bytes(o->body) <= room);
    return frozen_read(o->body, 0, out, room);
}

#define BODY_BYTES (1 << 16)

/* A segment is its parts, byte by byte. */
static void compare_with_parts(const struct witness *w, const struct hls_seen *seen, const struct edge_snapshot *s,
                               const uint8_t *whole, size_t bytes)
{
    static uint8_t part[BODY_BYTES];
    size_t at = 0;
    if (!part_reader_find(&w->parts, seen->msn, 0)) return;
    for (uint32_t i = 0;; i++) {
        const struct part_seen *p = part_reader_find(&w->parts, seen->msn, i);
        if (!p) break;
        if (p->is_gap) continue;
        const size_t part_bytes = body_of(s, p->uri, part, sizeof part);
        assert_true(at + part_bytes <= bytes);
        assert_int_equal(memcmp(whole + at, part, part_bytes), 0);
        at += part_bytes;
    }
    /* behind gaps of three target durations its last ones were never listed */
    if (!w->has_grid) assert_int_equal(at, bytes);
}

/* Decode times within and between segments: no overlap, and no hole that nobody made. */
static void read_media(struct life *l, struct witness *w, const struct hls_seen *seen, const struct edge_snapshot *s)
{
    static uint8_t whole[BODY_BYTES];
    if (seen->is_gap) {
        assert_null(edge_snapshot_find(s, seen->uri, strlen(seen->uri)));
        return;
    }
    const size_t bytes = body_of(s, seen->uri, whole, sizeof whole);
    assert_non_null(edge_snapshot_find(s, seen->init, strlen(seen->init)));
    compare_with_parts(w, seen, s, whole, bytes);
    uint32_t sequence = 0;
    bool is_first = true;
    for (size_t at = 0; at < bytes; is_first = false) {
        const struct found_chunk c = read_chunk(whole + at, bytes - at);
        at += c.bytes;
        assert_true(c.sequence > sequence);
        sequence = c.sequence;
        if (!is_first || w->media_discontinuity == seen->discontinuity) {
            if (c.start < w->media_end)
                fail_msg("%s: %s begins %lld before the end of what is in front", w->list.label, seen->uri,
                         (long long)(w->media_end - c.start));
            l->holes += c.start != w->media_end;
        }
        w->media_end = c.end;
        w->media_discontinuity = seen->discontinuity;
    }
}

/* A part that says that it is independent begins with a picture that is, and one that has such a picture says so. */
static void read_part(const struct witness *w, const struct part_seen *p, const struct edge_snapshot *s)
{
    static uint8_t body[BODY_BYTES];
    if (p->is_gap) {
        assert_null(edge_snapshot_find(s, p->uri, strlen(p->uri)));
        return;
    }
    const struct found_chunk c = read_chunk(body, body_of(s, p->uri, body, sizeof body));
    if (p->is_independent != c.begins_with_sync || (c.syncs && !c.begins_with_sync && !w->has_grid))
        fail_msg("%s: %s: independent %d, %u sync samples, the first: %d", w->parts.label, p->uri, p->is_independent,
                 c.syncs, c.begins_with_sync);
}

/* Parts that left the list are there for three target durations more. */
static void find_old_parts(const struct witness *w, const struct edge_snapshot *s)
{
    const struct part_reader *r = &w->parts;
    int64_t age_us = 0;
    for (size_t i = r->count; i-- > 0;) {
        const struct part_seen *p = &r->seen[i];
        if (age_us > 6 * r->target_us - 1000) return;
        age_us += p->duration_us;
        /* segments without parts, and gaps, pass time too: look at what certainly is young enough */
        if (p->is_gap || p->msn + 3 < r->last_msn) continue;
        if (!edge_snapshot_find(s, p->uri, strlen(p->uri))) fail_msg("%s: %s is gone too early", r->label, p->uri);
    }
}

/* What the snapshot says to those who wait is what the playlist says to those who read. */
static void compare_with_snapshot(const struct witness *w, const struct edge_snapshot *s)
{
    const struct part_reader *r = &w->parts;
    const char *hint = edge_snapshot_hint(s, EDGE_PART), *init = edge_snapshot_hint(s, EDGE_INIT);
    assert_int_equal(edge_snapshot_part_count(s), r->open_parts);
    assert_int_equal(edge_snapshot_last_segment_parts(s), r->last_segment_parts);
    assert_int_equal(edge_snapshot_part_target_us(s), r->part_us);
    assert_string_equal(hint ? hint : "", r->hint);
    assert_string_equal(init ? init : "", r->init_hint);
    if (hint) assert_null(edge_snapshot_find(s, hint, strlen(hint)));
    if (init) assert_non_null(edge_snapshot_find(s, init, strlen(init)));
}

static void read_parts(struct life *l, struct witness *w, const struct edge_snapshot *s, const char *full)
{
    static char delta[1 << 17];
    delta[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), 0, delta, sizeof delta - 1)] = 0;
    part_reader_read(&w->parts, full, delta);
    for (size_t i = w->parts.count - w->parts.fresh; i < w->parts.count; i++) read_part(w, &w->parts.seen[i], s);
    if (w->parts.fresh) {
        const int64_t now_us = l->video_us > l->audio_us ? l->audio_us : l->video_us;
        if (w->last_part_us && now_us - w->last_part_us > w->longest_wait_us)
            w->longest_wait_us = now_us - w->last_part_us;
        w->last_part_us = now_us;
    }
    compare_with_snapshot(w, s);
    find_old_parts(w, s);
}

/* Each says of the others where they are: not less than when it was written, one part ago at most. */
static void check_reports(struct life *l, int which)
{
    const struct witness *w = &l->witnesses[which];
    if (w->parts.has_ended) return;
    for (int other = 0; other < RENDITIONS; other++) {
        const struct part_reader *o = &l->witnesses[other].parts;
        if (other == which || !l->witnesses[other].version) continue;
        char uri[64];
        snprintf(uri, sizeof uri, "../%s/index.m3u8", names[other]);
        const struct part_report *p = NULL;
        for (size_t i = 0; i < w->parts.report_count; i++) {
            if (!strcmp(w->parts.reports[i].uri, uri)) p = &w->parts.reports[i];
        }
        if (!p) {
            /* the other one has been published for the first time since */
            if (o->count > 60) fail_msg("%s: no report of %s", w->parts.label, names[other]);
            continue;
        }
        const uint64_t now = o->open_parts ? o->last_msn + 1 : o->last_msn;
        if (p->last_msn > now) fail_msg("%s: report of %s is ahead", w->parts.label, names[other]);
    }
}

static void look_at(struct life *l, int which)
{
    static char text[1 << 17];
    struct witness *w = &l->witnesses[which];
    struct edge_snapshot *s = live_edge_acquire(l->edge, names[which], strlen(names[which]));
    if (!s) return;
    if (edge_snapshot_version(s) != w->version) {
        w->version = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        hls_reader_read(&w->list, text);
        assert_true(w->list.count > 0);
        assert_int_equal(edge_snapshot_last_msn(s), w->list.seen[w->list.count - 1].msn);
        if (l->policy.part_us) read_parts(l, w, s, text);
        for (size_t i = w->list.count - w->list.fresh; i < w->list.count; i++) read_media(l, w, &w->list.seen[i], s);
    }
    edge_snapshot_unref(s);
}

static void look(struct life *l)
{
    for (int i = 0; i < RENDITIONS; i++) look_at(l, i);
    if (!l->policy.part_us) return;
    for (int i = 0; i < RENDITIONS; i++) {
        if (l->witnesses[i].version) check_reports(l, i);
    }
    const struct part_reader *video = &l->witnesses[VIDEO].parts, *audio = &l->witnesses[AUDIO].parts;
    if (!video->count || !audio->count) return;
    const int64_t lag_us = video->edge_wall_us - audio->edge_wall_us;
    if (lag_us > l->furthest_lag_us) l->furthest_lag_us = lag_us;
}

/* -- publishing -- */

static void push(struct life *l, enum media_kind kind, uint8_t track, int64_t at_us, bool is_key)
{
    static const char idr[] = "\0\0\0\x05\x65\x88\x84\x21\xA0", inter[] = "\0\0\0\x05\x41\x9A\x24\x21\xA0",
                      aac[] = "\x21\x10\x04\x60\x8C\x1C";
    const char *bytes = kind == MEDIA_AUDIO ? aac : is_key ? idr : inter;
    const size_t count = kind == MEDIA_AUDIO ? sizeof aac - 1 : sizeof idr - 1;
    const char *why = "";
    const struct stream_frame frame = {
        .kind = kind,
        .track = track,
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
    if (l->has_second)
        assert_int_equal(stream_set_config(l->stream, 1, CODEC_AAC, (struct byte_span){ aac.data, aac.bytes }, &why),
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
                push(l, MEDIA_VIDEO, 0, l->video_us, is_key);
            }
            l->video_us += 33333;
        } else {
            if (l->audio_us >= l->audio_off_until_us) push(l, MEDIA_AUDIO, 0, l->audio_us, true);
            if (l->has_second) push(l, MEDIA_AUDIO, 1, l->audio_us, true);
            l->audio_us += 1024 * 1000000LL / aac_rates[l->aac];
        }
        look(l);
    }
}

static void mishap(struct life *l)
{
    switch (roll(l, 11)) {
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
    case 10:
        if (l->has_second) stream_drop_track(l->stream, MEDIA_AUDIO, 1);
        l->has_second = !l->has_second;
        configure(l);
        break;
    }
}

static void live(struct life *l, int seconds)
{
    const struct packager_config config = { .wall_now_us = wall_now, .context = l, .run_id = 7 };
    l->edge = live_edge_create("live/sim");
    l->stream = stream_create(l->edge, &l->policy);
    l->wall_us = WALL_START_US;
    if (!l->gop_us) l->gop_us = 2000000;
    assert_int_equal(stream_add_sink(l->stream, packager_create(l->edge, &l->policy, &config)), WEIR_OK);
    begin(l);
    for (int i = 0; i < seconds * 10; i++) {
        l->wall_us += 100000;
        encode(l, 100000);
        if (!l->is_calm && !roll(l, 20)) mishap(l);
    }
    stream_end(l->stream);
    look(l);
    struct witness *w = l->witnesses;
    hls_reader_compare(&w[VIDEO].list, &w[AUDIO].list);
    hls_reader_compare(&w[VIDEO].list, &w[SECOND].list);
    assert_true(w[VIDEO].list.has_ended && w[AUDIO].list.has_ended);
    if (l->policy.part_us) {
        assert_string_equal(w[VIDEO].parts.control, w[AUDIO].parts.control);
        assert_string_equal(w[VIDEO].parts.part_inf, w[AUDIO].parts.part_inf);
    }
    for (int i = 0; i < RENDITIONS; i++) part_reader_finish(&w[i].parts);
    stream_destroy(l->stream);
    live_edge_unref(l->edge);
}

static void prepare(struct life *l, uint64_t seed, bool is_calm, int64_t part_us)
{
    static struct witness witnesses[RENDITIONS];
    *l = (struct life){
        .random = seed * 0x9E3779B97F4A7C15u | 1,
        .is_calm = is_calm,
        .witnesses = witnesses,
        .policy = { .hold_us = 30000000,
                    .segment_us = 2000000,
                    .segment_max_us = 3000000,
                    .window_us = seed % 5 ? 10000000 : 40000000,
                    .part_us = part_us,
                    .part_hold_back_us = 3 * part_us,
                    .can_skip = part_us && seed % 3 },
    };
    for (int i = 0; i < RENDITIONS; i++) {
        char label[64];
        snprintf(label, sizeof label, "seed %llu %s", (unsigned long long)seed, names[i]);
        memset(&witnesses[i], 0, sizeof witnesses[i]);
        hls_reader_init(&witnesses[i].list, label);
        part_reader_init(&witnesses[i].parts, label);
    }
}

/* The same rules hold where numbers come from the clock. */
static void lives_by_the_epoch(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct life l;
        prepare(&l, seed, false, seed % 3 ? 500000 : 0);
        l.policy.numbering = NUMBERING_EPOCH;
        l.policy.segment_max_us = 4000000;
        /* a long absence is more gaps than a list holds: it moves on at once */
        for (int i = 0; i < RENDITIONS; i++) l.witnesses[i].has_grid = l.witnesses[i].list.may_lose = true;
        if (seed % 4 == 0) l.gop_us = 3300000;
        print_message("seed %llu\n", (unsigned long long)seed);
        live(&l, 90);
        assert_true(l.witnesses[VIDEO].list.count > 0);
    }
    (void)state;
}

static void a_calm_life_has_no_hole(void **state)
{
    struct life l;
    prepare(&l, 1, true, 0);
    live(&l, 120);
    const struct hls_reader *video = &l.witnesses[VIDEO].list, *audio = &l.witnesses[AUDIO].list;
    assert_int_equal(l.holes, 0);
    assert_int_equal(video->count, audio->count);
    assert_in_range(video->count, 60, 62);
    for (size_t i = 0; i < video->count; i++) assert_false(video->seen[i].is_gap || audio->seen[i].is_gap);
}

/* Low latency, nothing odd: parts without a gap, audio beside video, hints that come true. */
static void a_calm_life_in_parts(void **state)
{
    static const int64_t parts_us[] = { 100000, 200000, 250000, 333000, 500000, 1000000, 2000000 };
    static const int64_t gops_us[] = { 500000, 1000000, 2000000, 4000000 };
    for (size_t i = 0; i < ARRAY_LEN(parts_us) * ARRAY_LEN(gops_us); i++) {
        struct life l;
        prepare(&l, 1 + i, true, parts_us[i % ARRAY_LEN(parts_us)]);
        l.gop_us = gops_us[i / ARRAY_LEN(parts_us)];
        l.has_second = i % 2;
        live(&l, 60);
        const struct part_reader *video = &l.witnesses[VIDEO].parts, *audio = &l.witnesses[AUDIO].parts;
        print_message(
            "part %lld ms, gop %lld ms: %zu and %zu parts, %zu segments, hints kept %zu withdrawn %zu, lag %lld us\n",
            (long long)l.policy.part_us / 1000, (long long)l.gop_us / 1000, video->count, audio->count,
            l.witnesses[VIDEO].list.count, video->hints_kept, video->hints_withdrawn, (long long)l.furthest_lag_us);
        assert_int_equal(l.holes, 0);
        assert_int_equal(video->gaps + audio->gaps, 0);
        /* a video frame is a seventh of the shorter parts, and is there before the audio that goes with it */
        assert_true(l.furthest_lag_us < l.policy.part_us + (l.policy.part_us < 250000 ? 33334 : 0));
        assert_true(video->hints_withdrawn <= 1 &&
                    audio->hints_withdrawn <= 1); /* at the end, when the publisher goes */
        /* a new part within a part's time of the last, as far as frames have no parts of their own (6.2.1) */
        for (int k = 0; k < RENDITIONS; k++) assert_true(l.witnesses[k].longest_wait_us <= l.policy.part_us + 33334);
        assert_int_equal(video->deltas > 0, l.policy.can_skip && l.policy.window_us > 18000000);
    }
}

static void odd_lives_keep_every_promise(void **state)
{
    static const int64_t parts_us[] = { 0, 500000, 250000, 200000 };
    size_t segments = 0, parts = 0, gaps = 0, deltas = 0;
    for (uint64_t seed = 2; seed < 162; seed++) {
        struct life l;
        prepare(&l, seed, false, parts_us[seed % ARRAY_LEN(parts_us)]);
        l.has_second = seed % 3 == 0;
        live(&l, 60);
        segments += l.witnesses[VIDEO].list.count;
        for (int i = 0; i < RENDITIONS; i++) {
            parts += l.witnesses[i].parts.count;
            gaps += l.witnesses[i].parts.gaps;
            deltas += l.witnesses[i].parts.deltas;
        }
    }
    print_message("%zu segments, %zu parts, %zu of them gaps, %zu deltas\n", segments, parts, gaps, deltas);
    assert_true(segments > 160 * 20);
    assert_true(parts > 120 * 200 && gaps > 0 && deltas > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_life_has_no_hole),
        cmocka_unit_test(lives_by_the_epoch),
        cmocka_unit_test(a_calm_life_in_parts),
        cmocka_unit_test(odd_lives_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
