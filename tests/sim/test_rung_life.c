/* Whole lives of a stream with a ladder behind it, at random: rungs that come late and later, leave out frames, go and come back, a
 * publisher that is lost and returns. Whatever happens, segment n of a rung is segment n of the stream: same number, same era, same
 * first presentation time to the tick, or a gap. */
#include "hex.h"
#include "hls_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packager/packager.h>

#define WALL_START_US 1790000000000000LL
#define RUNGS 2
#define DELAYED_MAX 256

static const char *const avc_configs[] = {
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800",
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c1fdf8f800",
};

/* A picture inside a rung's encoder. */
struct delayed {
    struct media_packet packet;
    int64_t due_us;
};

struct rung_sim {
    struct delayed inside[DELAYED_MAX];
    size_t count;
    int64_t delay_us, last_due_us;
    bool is_absent, waits_for_key;
    unsigned keep_one_in, since_key;
    struct hls_reader *reader;
    uint64_t version;
};

struct life {
    uint64_t random;
    int64_t now_us;
    struct live_edge *edge;
    struct packet_sink *packager;
    struct track *track;
    struct hls_reader *source;
    uint64_t source_version;
    struct rung_sim rungs[RUNGS];
    int64_t first_pts[HLS_SEEN_MAX]; /* of the source's segments, by order of msn */
    uint64_t first_msn;
    unsigned compared, gaps;
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

static struct track *make_track(const char *text)
{
    const struct hex config = hex(text);
    struct codec_facts facts;
    const char *why = "";
    struct blob *b = blob_copy(config.data, config.bytes);
    assert_int_equal(codec_describe(CODEC_H264, (struct byte_span){ config.data, config.bytes }, &facts, &why),
                     WEIR_OK);
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
    fail_msg("no %s in the segment", type);
    return NULL;
}

static int64_t first_pts_of(const struct edge_object *o)
{
    static uint8_t head[8192];
    struct frozen *body = edge_object_body(o);
    const size_t bytes = frozen_read(body, 0, head, sizeof head);
    const uint8_t *tfdt = find_box(head, bytes, "tfdt"), *trun = find_box(head, bytes, "trun");
    const int64_t dts = (int64_t)((uint64_t)load_u32(tfdt + 4) << 32 | load_u32(tfdt + 8));
    const int32_t offset = (int32_t)load_u32(trun + 12 + 12);
    frozen_unref(body);
    return dts + offset;
}

static void look(struct life *l, const char *name, struct hls_reader *reader, uint64_t *version)
{
    static char text[1 << 17];
    struct edge_snapshot *s = live_edge_acquire(l->edge, name, strlen(name));
    if (!s) return;
    if (edge_snapshot_version(s) != *version) {
        *version = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        hls_reader_read(reader, text);
        for (size_t i = reader->count - reader->fresh; i < reader->count; i++) {
            const struct hls_seen *seen = &reader->seen[i];
            if (reader == l->source && !l->first_msn) l->first_msn = seen->msn;
            const struct edge_object *o = edge_snapshot_find(s, seen->uri, strlen(seen->uri));
            const uint64_t index = seen->msn - l->first_msn;
            if (reader == l->source) {
                l->first_pts[index] = seen->is_gap ? -1 : first_pts_of(o);
                continue;
            }
            l->gaps += seen->is_gap;
            if (seen->is_gap) continue;
            assert_non_null(o);
            /* the source's is out by then: it was cut first */
            const int64_t pts = first_pts_of(o);
            if (pts != l->first_pts[index])
                fail_msg("%s: segment %llu begins at %lld, the source's at %lld", name, (unsigned long long)seen->msn,
                         (long long)pts, (long long)l->first_pts[index]);
            l->compared++;
        }
    }
    edge_snapshot_unref(s);
}

static void look_at_all(struct life *l)
{
    static const char *const names[RUNGS] = { "720p", "360p" };
    look(l, "video", l->source, &l->source_version);
    for (size_t i = 0; i < RUNGS; i++) look(l, names[i], l->rungs[i].reader, &l->rungs[i].version);
}

/* -- the rungs' encoders -- */

static void take_in(struct life *l, struct rung_sim *g, const struct media_packet *source, bool is_cut)
{
    const bool is_key = source->access == FRAME_IDR || is_cut;
    if (g->is_absent || (g->waits_for_key && !is_key) || g->count == DELAYED_MAX) {
        g->waits_for_key = true;
        return;
    }
    g->since_key = is_key ? 0 : g->since_key + 1;
    g->waits_for_key = false;
    if (g->since_key % g->keep_one_in) return;
    struct media_packet p = *source;
    p.access = is_key ? FRAME_IDR : FRAME_INTER;
    p.dts_90k = p.pts_90k; /* no B-frames here */
    p.nominal_90k *= g->keep_one_in;
    blob_ref(p.payload.blob);
    /* one at a time, in order: longer than a decoder needs to put pictures into theirs */
    const int64_t due_us = l->now_us + g->delay_us;
    g->inside[g->count++] = (struct delayed){ p, due_us > g->last_due_us ? due_us : g->last_due_us };
    g->last_due_us = g->inside[g->count - 1].due_us;
}

/* Encoders see pictures in presentation order. */
static void sort_in(struct rung_sim *g)
{
    for (size_t i = g->count; i-- > 1;) {
        struct delayed *a = &g->inside[i - 1], *b = &g->inside[i];
        if (a->packet.era != b->packet.era || a->packet.pts_90k < b->packet.pts_90k) return;
        const struct media_packet swapped = a->packet;
        a->packet = b->packet;
        b->packet = swapped;
    }
}

static void give_out(struct life *l, size_t index, bool is_all)
{
    struct rung_sim *g = &l->rungs[index];
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
    for (size_t i = 0; i < RUNGS; i++) {
        take_in(l, &l->rungs[i], &p, packager_was_cut(l->packager));
        sort_in(&l->rungs[i]);
        give_out(l, i, false);
    }
    blob_unref(b);
}

static void change_something(struct life *l, size_t index)
{
    struct rung_sim *g = &l->rungs[index];
    switch (roll(l, 5)) {
    case 0: g->delay_us = 150000 + (int64_t)roll(l, 2000000); break;
    case 1: g->keep_one_in = 1 + (unsigned)roll(l, 2); break;
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
    const unsigned gop = 10 + (unsigned)roll(l, 160), reorder = (unsigned)roll(l, 3);
    const struct track_set tracks = { .video = l->track };
    l->era++;
    l->clock_90k += 90000;
    l->packager->tracks(l->packager, &tracks);
    l->packager->era(l->packager, l->era, l->clock_90k, wall_now(l));
    for (int64_t n = 0; n * nominal < seconds * 90000ll; n++) {
        /* decoding order with `reorder` B-frames: 0 3 1 2 6 4 5 ... ; a keyframe stands where it is shown */
        const int64_t in_gop = n % gop, group = reorder + 1, at = in_gop ? (in_gop - 1) % group : 0,
                      left = gop - in_gop;
        int64_t shift = 0;
        if (in_gop && reorder && (in_gop - 1) / group * group + group < gop) shift = at ? -1 : (int64_t)reorder;
        (void)left;
        const int64_t dts = l->clock_90k + n * nominal, pts = dts + (shift + 1) * nominal;
        l->now_us += (int64_t)nominal * 100 / 9;
        push(l, dts, pts, nominal, in_gop == 0);
        if (roll(l, 200) == 0) change_something(l, roll(l, RUNGS));
        if (n % 8 == 0) l->packager->tick(l->packager, l->now_us);
        look_at_all(l);
    }
    l->clock_90k += seconds * 90000ll + 90000;
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

static void live(uint64_t seed, bool has_parts, bool is_calm, unsigned *compared, unsigned *gaps)
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
                                                { .name = "360p", .ceiling_bps = 700000 } };
    memset(&l, 0, sizeof l);
    l.random = seed;
    l.is_calm = is_calm;
    l.now_us = 1000000;
    l.edge = live_edge_create("live/a");
    l.packager = packager_create(l.edge, &policy, &config);
    l.track = make_track(avc_configs[0]);
    l.source = calloc(1, sizeof *l.source);
    hls_reader_init(l.source, "video");
    packager_set_rungs(l.packager, rungs, RUNGS, false);
    struct track *encoded = make_track(avc_configs[1]);
    for (size_t i = 0; i < RUNGS; i++) {
        l.rungs[i].reader = calloc(1, sizeof *l.rungs[i].reader);
        hls_reader_init(l.rungs[i].reader, rungs[i].name);
        l.rungs[i].keep_one_in = 1;
        l.rungs[i].delay_us = 150000 + (int64_t)roll(&l, 300000);
        l.rungs[i].waits_for_key = true;
        packager_set_rung_track(l.packager, i, encoded);
    }
    for (int part = 0; part < 6; part++) {
        publish_for(&l, 3 + (int)roll(&l, 30));
        if (roll(&l, 2)) lose(&l);
    }
    lose(&l);
    l.packager->end(l.packager);
    look_at_all(&l);
    for (size_t i = 0; i < RUNGS; i++) {
        if (l.rungs[i].reader->count) hls_reader_compare(l.source, l.rungs[i].reader);
        assert_true(!l.rungs[i].reader->count || l.rungs[i].reader->has_ended);
        give_out(&l, i, true);
        free(l.rungs[i].reader);
    }
    *compared += l.compared;
    *gaps += l.gaps;
    free(l.source);
    track_unref(encoded);
    track_unref(l.track);
    l.packager->destroy(l.packager);
    live_edge_unref(l.edge);
}

static void segments_are_the_streams_or_gaps(void **state)
{
    unsigned compared = 0, gaps = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) live(seed * 0x9E3779B97F4A7C15ull, seed % 2, true, &compared, &gaps);
    print_message("%u segments compared, %u gaps where rungs are always there\n", compared, gaps);
    assert_true(compared > 3000);
    assert_int_equal(gaps, 0);
    for (uint64_t seed = 41; seed <= 120; seed++) live(seed * 0x9E3779B97F4A7C15ull, seed % 2, false, &compared, &gaps);
    print_message("%u segments compared, %u gaps where they go and come\n", compared, gaps);
    assert_true(compared > 6000 && gaps > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(segments_are_the_streams_or_gaps) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
