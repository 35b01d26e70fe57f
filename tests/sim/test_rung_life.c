/* Whole lives of a stream with a ladder behind it, at random: rungs that come late and later, leave out frames, go and come back, a
 * publisher that is lost and returns, pictures that stop while sound goes on. Whatever happens, segment n of a rung is segment n of the
 * stream: same number, same era, same first presentation time to the tick (of sound: its first frame at or after it), or a gap. */
#include "hex.h"
#include "hls_reader.h"
#include "part_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packager/packager.h>

#define WALL_START_US 1790000000000000LL
#define PICTURES 2 /* rungs of video; the one behind them is of sound */
#define RUNGS 3
#define SOUND PICTURES
#define DELAYED_MAX 512
#define SOURCE_HZ 48000
#define RUNG_HZ 44100
#define FRAME_SAMPLES 1024

static const char *const avc_configs[] = {
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800",
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c1fdf8f800",
};

/* What a player sees of a rendition. */
struct witness {
    struct hls_reader list;
    struct part_reader parts;
    uint64_t version;
    int64_t first_pts[HLS_SEEN_MAX]; /* of segments, on the stream's clock of 90 kHz; -1: a gap */
    int64_t next_samples;            /* sound: where the last segment ended; -1: nowhere */
};

/* A picture or a frame of sound inside a rung's encoder. */
struct delayed {
    struct media_packet packet;
    int64_t due_us;
};

#define REORDER 3
#define PLANNED_MAX 8
#define AHEAD 6 /* further than any picture is moved by its order */

struct rung_sim {
    /* what its decoder holds, in the order of presentation, and where it was told to begin segments */
    struct media_packet decoding[REORDER + 1];
    size_t decoding_count;
    int64_t planned_90k[PLANNED_MAX];
    size_t planned_count;
    struct delayed inside[DELAYED_MAX];
    size_t count;
    int64_t delay_us, last_due_us;
    bool is_absent, waits_for_key;
    unsigned keep_one_in, since_key;
    int64_t next_samples; /* sound: of the next frame that comes out; -1: it begins anew */
    struct witness *witness;
};

struct life {
    uint64_t random;
    int64_t now_us;
    struct live_edge *edge;
    struct packet_sink *packager;
    struct track *track, *sound_track;
    struct witness *source, *source_sound;
    struct rung_sim rungs[RUNGS];
    uint64_t first_msn;
    unsigned compared, sounds_compared, gaps;
    bool has_parts, has_sound;
    int64_t sound_ahead_90k; /* of the pictures, as the publisher sends it */
    int64_t sound_samples;   /* of its next frame */
    /* where pictures stand at all distances and in another order, sound is cut where the next one is reckoned to be: of the era, and of the next */
    int64_t slack_90k, slack_next_90k;
    bool is_calm; /* rungs are late, and never absent: nothing may be missing */
    uint32_t era;
    int64_t clock_90k;
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
    return WALL_START_US + ((struct life *)context)->now_us;
}

static struct track *make_track(enum media_codec codec, const char *text)
{
    const struct hex config = hex(text);
    struct codec_facts facts;
    const char *why = "";
    struct blob *b = blob_copy(config.data, config.bytes);
    assert_int_equal(codec_describe(codec, (struct byte_span){ config.data, config.bytes }, &facts, &why), WEIR_OK);
    struct track *t = track_create(&facts, b);
    blob_unref(b);
    return t;
}

/* -- reading -- */

static const uint8_t *find_box(const uint8_t *data, size_t bytes, const char *type)
{
    for (size_t i = 4; i + 4 <= bytes; i++) {
        if (!memcmp(data + i, type, 4)) return data + i + 4;
    }
    return NULL;
}

/* When the first of its pictures is shown, or its first sound, in the rendition's own clock. */
static int64_t first_pts_of(const struct edge_object *o, bool is_sound)
{
    static uint8_t data[65536];
    struct frozen *body = edge_object_body(o);
    const size_t bytes = frozen_read(body, 0, data, sizeof data);
    assert_true(bytes < sizeof data);
    frozen_unref(body);
    int64_t first = INT64_MAX;
    for (const uint8_t *at = data; (at = find_box(at, (size_t)(data + bytes - at), "tfdt"));) {
        int64_t dts = (int64_t)((uint64_t)load_u32(at + 4) << 32 | load_u32(at + 8));
        if (is_sound) return dts;
        at = find_box(at, (size_t)(data + bytes - at), "trun");
        assert_non_null(at);
        /* duration, size, flags, composition offset */
        for (uint32_t i = 0, count = load_u32(at + 4); i < count; i++) {
            const uint8_t *sample = at + 12 + (size_t)16 * i;
            const int64_t pts = dts + (int32_t)load_u32(sample + 12);
            if (pts < first) first = pts;
            dts += load_u32(sample);
        }
    }
    return first;
}

static void compare_pictures(struct life *l, const struct witness *w, const struct hls_seen *seen, int64_t pts)
{
    /* the source's is out by then: it was cut first */
    const int64_t source = l->source->first_pts[seen->msn - l->first_msn];
    if (pts != source)
        fail_msg("%s: segment %llu begins at %lld, the source's at %lld", w->list.label, (unsigned long long)seen->msn,
                 (long long)pts, (long long)source);
    l->compared++;
}

/* Sound goes on without a hole or an overlap of a sample where nothing was missing, and is where the pictures of its time are. */
static void compare_sound(struct life *l, struct witness *w, const struct hls_seen *seen, int64_t samples, bool is_era)
{
    const int64_t pts = samples * 90000 / RUNG_HZ, source = l->source->first_pts[seen->msn - l->first_msn];
    const struct hls_seen *pictures = hls_reader_find(&l->source->list, seen->msn);
    if (w->next_samples >= 0 && !is_era && l->is_calm && samples != w->next_samples)
        fail_msg("%s: segment %llu begins at sample %lld, expected %lld", w->list.label, (unsigned long long)seen->msn,
                 (long long)samples, (long long)w->next_samples);
    w->next_samples = samples + (seen->duration_us * RUNG_HZ + 500000) / 1000000;
    if (!pictures || source < 0 || is_era || !l->is_calm) return;
    const int64_t frame_90k = FRAME_SAMPLES * 90000 / RUNG_HZ + 1;
    if (pts < source - 180 - l->slack_90k || pts > source + frame_90k + l->slack_90k)
        fail_msg("%s: segment %llu begins at %lld, the pictures' at %lld", w->list.label, (unsigned long long)seen->msn,
                 (long long)pts, (long long)source);
    /* one clock for all: what is apart in the media is as far apart in PROGRAM-DATE-TIME */
    const int64_t off_us = seen->wall_us - pictures->wall_us - (pts - source) * 100 / 9;
    const int64_t slack_us = 1000 + l->slack_90k * 100 / 9;
    if (off_us < -slack_us || off_us > slack_us)
        fail_msg("%s: PROGRAM-DATE-TIME is off by %lld us", w->list.label, (long long)off_us);
    l->sounds_compared++;
}

static void look_at_segments(struct life *l, struct witness *w, const struct edge_snapshot *s)
{
    const bool is_sound = w == l->rungs[SOUND].witness || w == l->source_sound, is_source = w == l->source;
    for (size_t i = w->list.count - w->list.fresh; i < w->list.count; i++) {
        const struct hls_seen *seen = &w->list.seen[i];
        const bool is_era = !i || seen->discontinuity != seen[-1].discontinuity;
        if (!l->first_msn) l->first_msn = seen->msn;
        /* sound that the publisher sent too late, half a second at most, for the last pictures of an era is missing for the source as well */
        const bool is_rest = is_sound && seen->duration_us < 500000;
        l->gaps += seen->is_gap && !is_rest && !is_source && w != l->source_sound;
        const struct edge_object *o = seen->is_gap ? NULL : edge_snapshot_find(s, seen->uri, strlen(seen->uri));
        if (!seen->is_gap) assert_non_null(o);
        const int64_t pts = o ? first_pts_of(o, is_sound) : -1;
        w->first_pts[seen->msn - l->first_msn] = pts;
        if (seen->is_gap) w->next_samples = -1;
        if (is_source || seen->is_gap || w == l->source_sound) continue;
        if (is_sound)
            compare_sound(l, w, seen, pts, is_era);
        else
            compare_pictures(l, w, seen, pts);
    }
}

static void look(struct life *l, const char *name, struct witness *w)
{
    static char text[1 << 17], delta[1 << 17];
    struct edge_snapshot *s = live_edge_acquire(l->edge, name, strlen(name));
    if (!s) return;
    if (edge_snapshot_version(s) != w->version) {
        w->version = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        delta[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), 0, delta, sizeof delta - 1)] = 0;
        hls_reader_read(&w->list, text);
        if (l->has_parts) part_reader_read(&w->parts, text, delta);
        look_at_segments(l, w, s);
    }
    edge_snapshot_unref(s);
}

static const char *const names[RUNGS] = { "720p", "360p", "low" };

static void look_at_all(struct life *l)
{
    look(l, "video", l->source);
    look(l, "audio", l->source_sound);
    for (size_t i = 0; i < RUNGS; i++) look(l, names[i], l->rungs[i].witness);
}

/* -- the rungs' encoders -- */

static bool is_planned(struct rung_sim *g, int64_t pts_90k)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->planned_count; i++) {
        if (g->planned_90k[i] > pts_90k) g->planned_90k[kept++] = g->planned_90k[i];
    }
    const bool is_one = kept < g->planned_count;
    g->planned_count = kept;
    return is_one;
}

static void encode(struct life *l, struct rung_sim *g, const struct media_packet *picture)
{
    const bool is_key = is_planned(g, picture->pts_90k) || picture->access == FRAME_IDR;
    if (g->is_absent || (g->waits_for_key && !is_key) || g->count == DELAYED_MAX) {
        g->waits_for_key = true;
        return;
    }
    g->since_key = is_key ? 0 : g->since_key + 1;
    g->waits_for_key = false;
    if (g->since_key % g->keep_one_in) return;
    struct media_packet p = *picture;
    p.access = is_key ? FRAME_IDR : FRAME_INTER;
    p.dts_90k = p.pts_90k; /* no B-frames here */
    p.nominal_90k *= g->keep_one_in;
    blob_ref(p.payload.blob);
    const int64_t due_us = l->now_us + g->delay_us;
    g->inside[g->count++] = (struct delayed){ p, due_us > g->last_due_us ? due_us : g->last_due_us };
    g->last_due_us = g->inside[g->count - 1].due_us;
}

static void show_first(struct life *l, struct rung_sim *g)
{
    struct media_packet p = g->decoding[0];
    memmove(g->decoding, g->decoding + 1, --g->decoding_count * sizeof p);
    encode(l, g, &p);
    blob_unref(p.payload.blob);
}

static void decode(struct life *l, struct rung_sim *g, const struct media_packet *source, int64_t cut_90k)
{
    /* an era's pictures come out before those of the next one go in */
    while (g->decoding_count && g->decoding[0].era != source->era) show_first(l, g);
    if (cut_90k != PACKAGER_NO_CUT && g->planned_count < PLANNED_MAX) g->planned_90k[g->planned_count++] = cut_90k;
    size_t at = g->decoding_count++;
    for (; at > 0 && g->decoding[at - 1].pts_90k > source->pts_90k; at--) g->decoding[at] = g->decoding[at - 1];
    g->decoding[at] = *source;
    blob_ref(source->payload.blob);
    if (g->decoding_count > REORDER) show_first(l, g);
}

/* Another rate: frames come out as soon as the samples that they cover are in, and stand where these stood. */
static void take_in_sound(struct life *l, const struct media_packet *source)
{
    struct rung_sim *g = &l->rungs[SOUND];
    if (g->is_absent) {
        g->next_samples = -1;
        return;
    }
    if (g->next_samples < 0) g->next_samples = (source->pts_samples * RUNG_HZ + SOURCE_HZ - 1) / SOURCE_HZ;
    const int64_t end = (source->pts_samples + source->samples) * RUNG_HZ / SOURCE_HZ;
    for (; g->next_samples + FRAME_SAMPLES <= end && g->count < DELAYED_MAX; g->next_samples += FRAME_SAMPLES) {
        struct media_packet p = *source;
        p.pts_samples = g->next_samples;
        p.pts_90k = p.dts_90k = g->next_samples * 90000 / RUNG_HZ;
        blob_ref(p.payload.blob);
        const int64_t due_us = l->now_us + g->delay_us;
        g->inside[g->count++] = (struct delayed){ p, due_us > g->last_due_us ? due_us : g->last_due_us };
        g->last_due_us = g->inside[g->count - 1].due_us;
    }
}

static void give_out(struct life *l, size_t index, bool is_all)
{
    struct rung_sim *g = &l->rungs[index];
    while (is_all && g->decoding_count) show_first(l, g);
    while (g->count && (is_all || g->inside[0].due_us <= l->now_us)) {
        packager_push_rung(l->packager, index, &g->inside[0].packet);
        blob_unref(g->inside[0].packet.payload.blob);
        memmove(g->inside, g->inside + 1, --g->count * sizeof g->inside[0]);
        look_at_all(l);
    }
}

/* -- the publisher -- */

static void push(struct life *l, int64_t dts, int64_t pts, uint32_t nominal, bool is_key)
{
    static const uint8_t idr[] = { 0, 0, 0, 5, 0x65, 0x88, 0x84, 0x21, 0xA0 },
                         inter[] = { 0, 0, 0, 5, 0x41, 0x9A, 0x24, 0x21, 0xA0 };
    struct blob *b = blob_copy(is_key ? idr : inter, sizeof idr);
    const struct media_packet p = { .kind = MEDIA_VIDEO,
                                    .access = is_key ? FRAME_IDR : FRAME_INTER,
                                    .payload = { b, blob_data(b), sizeof idr },
                                    .era = l->era,
                                    .dts_90k = dts,
                                    .pts_90k = pts,
                                    .nominal_90k = nominal,
                                    .arrival_us = l->now_us };
    l->packager->push(l->packager, &p);
    look_at_all(l);
    for (size_t i = 0; i < PICTURES; i++) {
        decode(l, &l->rungs[i], &p, packager_cut_90k(l->packager));
        give_out(l, i, false);
    }
    blob_unref(b);
}

/* Sound up to here. */
static void push_sound(struct life *l, int64_t until_90k)
{
    static const uint8_t silence[] = { 0x21, 0x10, 0x04, 0x60 };
    while (l->has_sound && l->sound_samples * 90000 / SOURCE_HZ < until_90k) {
        struct blob *b = blob_copy(silence, sizeof silence);
        const struct media_packet p = { .kind = MEDIA_AUDIO,
                                        .access = FRAME_IDR,
                                        .payload = { b, blob_data(b), sizeof silence },
                                        .era = l->era,
                                        .dts_90k = l->sound_samples * 90000 / SOURCE_HZ,
                                        .pts_90k = l->sound_samples * 90000 / SOURCE_HZ,
                                        .pts_samples = l->sound_samples,
                                        .samples = FRAME_SAMPLES,
                                        .arrival_us = l->now_us };
        l->packager->push(l->packager, &p);
        look_at_all(l);
        take_in_sound(l, &p);
        give_out(l, SOUND, false);
        blob_unref(b);
        l->sound_samples += FRAME_SAMPLES;
    }
}

static void change_something(struct life *l, size_t index)
{
    struct rung_sim *g = &l->rungs[index];
    switch (roll(l, 5)) {
    case 0: g->delay_us = index == SOUND ? (int64_t)roll(l, 900000) : 150000 + (int64_t)roll(l, 2000000); break;
    case 1: g->keep_one_in = index == SOUND ? 1 : 1 + (unsigned)roll(l, 2); break;
    case 2:
        if (l->is_calm) break;
        g->is_absent = !g->is_absent;
        if (g->is_absent) {
            give_out(l, index, true);
            packager_set_rung_absent(l->packager, index);
        }
        break;
    default: break;
    }
}

static void publish_for(struct life *l, int seconds)
{
    static const uint32_t nominals[] = { 3000, 3600, 1500, 3003, 3754 };
    const uint32_t nominal = nominals[roll(l, 5)];
    const unsigned gop = 10 + (unsigned)roll(l, 160), reorder = (unsigned)roll(l, 4);
    const bool is_variable = roll(l, 2);
    l->slack_90k = l->slack_next_90k; /* the last segment may be that of the era before */
    l->slack_next_90k = is_variable ? 3 * (int64_t)nominal : 0;
    if (l->slack_next_90k > l->slack_90k) l->slack_90k = l->slack_next_90k;
    const struct track_set tracks = { .video = l->track, .audio = { l->has_sound ? l->sound_track : NULL } };
    l->era++;
    l->clock_90k += 90000;
    l->packager->tracks(l->packager, &tracks);
    l->packager->era(l->packager, l->era, l->clock_90k, wall_now(l));
    l->sound_ahead_90k = (int64_t)roll(l, 90000) - 45000;
    l->sound_samples = l->clock_90k * SOURCE_HZ / 90000;
    l->rungs[SOUND].next_samples = -1;
    int64_t dark_from = INT64_MAX, dark_until = 0; /* no pictures between these */
    if (l->has_sound && !l->is_calm && roll(l, 3) == 0) {
        dark_from = (int64_t)roll(l, 20) * 90000;
        dark_until = dark_from + (int64_t)roll(l, 12) * 90000;
    }
    int64_t ahead
        [AHEAD]; /* when the pictures from n on are shown, less the delay of the order; a few are longer than others */
    for (size_t i = 0; i < AHEAD; i++)
        ahead[i] = i ? ahead[i - 1] + nominal * (is_variable ? 1 + (int64_t)roll(l, 3) : 1) : 0;
    /* it ends where pictures are in order */
    for (int64_t n = 0; ahead[0] < seconds * 90000ll || (n % gop && (n % gop - 1) % (reorder + 1)); n++) {
        /* decoding order with `reorder` B-frames: 0 3 1 2 6 4 5 ..., three of them in two layers: 0 4 2 1 3 ...; a keyframe stands where it is
         * shown */
        static const int orders[4][4] = { { 0 }, { 1, -1 }, { 2, -1, -1 }, { 3, 0, -2, -1 } };
        const int64_t in_gop = n % gop, group = reorder + 1, at = in_gop ? (in_gop - 1) % group : 0;
        const bool is_whole = in_gop && (in_gop - 1) / group * group + group < gop;
        const int64_t place = (is_whole ? orders[reorder][at] : 0) + (reorder == 3 ? 2 : 1);
        const int64_t since = ahead[0], dts = l->clock_90k + since, pts = l->clock_90k + ahead[place];
        memmove(ahead, ahead + 1, sizeof ahead - sizeof ahead[0]);
        ahead[AHEAD - 1] += nominal * (is_variable ? 1 + (int64_t)roll(l, 3) : 1);
        l->now_us += (ahead[0] - since) * 100 / 9;
        push_sound(l, dts + l->sound_ahead_90k);
        if (since < dark_from || since >= dark_until) push(l, dts, pts, nominal, in_gop == 0);
        if (roll(l, 200) == 0) change_something(l, roll(l, RUNGS));
        if (n % 8 == 0) l->packager->tick(l->packager, l->now_us);
        look_at_all(l);
    }
    l->clock_90k += seconds * 90000ll + 3 * 90000;
    l->now_us += AHEAD * (int64_t)nominal * 100 / 3; /* the last ones are shown */
}

static void lose(struct life *l)
{
    l->packager->lost(l->packager);
    look_at_all(l);
    for (size_t i = 0; i < RUNGS; i++) {
        give_out(l, i, true);
        packager_drain_rung(l->packager, i);
        l->rungs[i].waits_for_key = true;
    }
    look_at_all(l);
    l->now_us += (int64_t)roll(l, 5000000);
}

/* Whatever is missing in it, a segment of pictures lasts as long as the stream's, but for the order of decoding and a hole of a part; an
 * era's last one ends with what came. */
static void compare_durations(const struct hls_reader *source, const struct hls_reader *rung)
{
    for (size_t i = 0; i + 1 < rung->count; i++) {
        const struct hls_seen *seen = &rung->seen[i], *other = hls_reader_find(source, seen->msn);
        if (!other || other->is_gap || seen[1].discontinuity != seen->discontinuity) continue;
        const int64_t off_us = seen->duration_us - other->duration_us;
        if (off_us < -400000 || off_us > 400000)
            fail_msg("%s: segment %llu lasts %lld us, the source's %lld", rung->label, (unsigned long long)seen->msn,
                     (long long)seen->duration_us, (long long)other->duration_us);
    }
}

struct told {
    unsigned compared, sounds_compared, gaps;
};

static void live(uint64_t seed, bool has_parts, bool is_calm, struct told *told)
{
    static struct life l;
    const struct stream_policy policy = { .segment_us = 2000000,
                                          .segment_max_us = 3000000,
                                          .window_us = 20000000,
                                          .part_us = has_parts ? 250000 : 0,
                                          .part_hold_back_us = has_parts ? 750000 : 0,
                                          .can_skip = has_parts };
    const struct packager_config config = { .wall_now_us = wall_now, .context = &l, .run_id = 7, .awaits_rungs = true };
    const struct packager_rung rungs[RUNGS] = { { .name = "720p", .ceiling_bps = 2500000 },
                                                { .name = "360p", .ceiling_bps = 700000 },
                                                { .name = "low", .kind = MEDIA_AUDIO } };
    static struct witness witnesses[RUNGS + 2];
    memset(&l, 0, sizeof l);
    l.random = seed;
    l.is_calm = is_calm;
    l.now_us = 1000000;
    l.edge = live_edge_create("live/a");
    l.packager = packager_create(l.edge, &policy, &config);
    l.has_parts = has_parts;
    l.has_sound = seed >> 8 & 1;
    l.track = make_track(CODEC_H264, avc_configs[0]);
    l.sound_track = make_track(CODEC_AAC, "1190");
    l.source = &witnesses[RUNGS];
    l.source_sound = &witnesses[RUNGS + 1];
    for (size_t i = 0; i < RUNGS + 2; i++) {
        const char *label = i < RUNGS ? names[i] : i == RUNGS ? "video" : "audio";
        hls_reader_init(&witnesses[i].list, label);
        part_reader_init(&witnesses[i].parts, label);
        witnesses[i].version = 0;
        witnesses[i].next_samples = -1;
        if (i < RUNGS) l.rungs[i].witness = &witnesses[i];
    }
    packager_set_rungs(l.packager, rungs, RUNGS, 0);
    struct track *encoded = make_track(CODEC_H264, avc_configs[1]), *low = make_track(CODEC_AAC, "1208");
    for (size_t i = 0; i < RUNGS; i++) {
        l.rungs[i].keep_one_in = 1;
        l.rungs[i].delay_us = 150000 + (int64_t)roll(&l, 300000);
        l.rungs[i].waits_for_key = true;
        l.rungs[i].next_samples = -1;
        packager_set_rung_track(l.packager, i, i == SOUND ? low : encoded);
    }
    for (int part = 0; part < 6; part++) {
        publish_for(&l, 3 + (int)roll(&l, 30));
        if (roll(&l, 2)) lose(&l);
    }
    lose(&l);
    l.packager->end(l.packager);
    look_at_all(&l);
    for (size_t i = 0; i < RUNGS; i++) {
        const struct witness *w = &witnesses[i];
        if (w->list.count) hls_reader_compare(&l.source->list, &w->list);
        if (i != SOUND) compare_durations(&l.source->list, &w->list);
        assert_true(!w->list.count || w->list.has_ended);
        give_out(&l, i, true);
    }
    for (size_t i = 0; i < RUNGS + 2 && has_parts; i++) part_reader_finish(&witnesses[i].parts);
    told->compared += l.compared;
    told->sounds_compared += l.sounds_compared;
    told->gaps += l.gaps;
    track_unref(encoded);
    track_unref(low);
    track_unref(l.sound_track);
    track_unref(l.track);
    l.packager->destroy(l.packager);
    live_edge_unref(l.edge);
}

static void segments_are_the_streams_or_gaps(void **state)
{
    struct told told = { 0 };
    for (uint64_t seed = 1; seed <= 16; seed++) live(seed * 0x9E3779B97F4A7C15ull, seed % 2, true, &told);
    print_message("%u segments compared, %u of sound, %u gaps where rungs are always there\n", told.compared,
                  told.sounds_compared, told.gaps);
    assert_true(told.compared > 1200 && told.sounds_compared > 150);
    assert_int_equal(told.gaps, 0);
    for (uint64_t seed = 41; seed <= 72; seed++) live(seed * 0x9E3779B97F4A7C15ull, seed % 2, false, &told);
    print_message("%u segments compared, %u gaps where they go and come\n", told.compared, told.gaps);
    assert_true(told.compared > 2500 && told.gaps > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(segments_are_the_streams_or_gaps) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
