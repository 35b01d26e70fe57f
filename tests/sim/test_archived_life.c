/* A stream's life with a shelf, on a hand-cranked clock: the disk is slow, refuses, forgets and comes back; the process is killed and started
 * again, at random and again and again. One reader follows all of it and is told nothing that contradicts what he was told before, except that
 * something is lost. */
#include "hex.h"
#include "hls_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packager/packager.h>

#define WALL_START_US 1790000000000000LL
#define SECOND 1000000LL
#define ITEMS_MAX 4096
#define TEXT_BYTES (1 << 20)
#define RENDITIONS 3
#define INSIDE_MAX 32

static const char *const names[RENDITIONS] = { "video", "audio", "rung" };

struct item {
    struct shelf_past_segment segment;
    int64_t ready_us; /* when it is on the disk */
    bool is_lost;     /* failed, or evicted */
    bool is_there;    /* was in time to survive the kill */
};

struct life {
    struct segment_shelf shelf; /* first */
    uint64_t random;
    int64_t wall_us, stream_us; /* stream_us: on the publisher's clock */
    struct item items[ITEMS_MAX];
    size_t item_count, first; /* first: what is before it was evicted */
    struct shelf_mark mark;
    bool is_past_ended, forgets_marks;
    int64_t slow_until_us, broken_until_us;
    struct stream_policy policy;
    struct live_edge *edge;
    struct packet_sink *sink;
    struct track *video, *audio;
    uint32_t run, era;
    uint64_t eras_used; /* as the file in the state folder says after a kill */
    uint64_t versions[RENDITIONS];
    struct hls_reader *readers; /* RENDITIONS */
    bool has_rung, is_rung_absent, rung_waits_for_key;
    struct media_packet inside[INSIDE_MAX]; /* the rung's encoder */
    size_t inside_count, rung_frames;       /* rung_frames: how many it holds back */
    size_t kills, refused, playlists, ends, released;
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

static uint64_t eras_used(void *context, uint64_t used)
{
    struct life *l = context;
    if (used > l->eras_used) l->eras_used = used;
    return l->eras_used;
}

/* -- the shelf -- */

static enum weir_err on_give(struct segment_shelf *shelf, const struct shelf_segment *s, struct frozen *body,
                             struct frozen *init)
{
    struct life *l = (struct life *)shelf;
    assert_int_equal(body == NULL, s->is_gap);
    if (body) assert_non_null(init);
    if (l->wall_us < l->broken_until_us && roll(l, 2)) {
        l->refused++;
        return WEIR_LIMIT;
    }
    assert_true(l->item_count < ITEMS_MAX);
    struct item *item = &l->items[l->item_count++];
    *item = (struct item){ .segment = { .media = s->media,
                                        .msn = s->msn,
                                        .first_msn = s->first_msn,
                                        .discontinuity = s->discontinuity,
                                        .duration_us = s->duration_us,
                                        .wall_us = s->wall_us,
                                        .is_independent = s->is_independent,
                                        .starts_era = s->starts_era,
                                        .is_gap = s->is_gap },
                           .ready_us = l->wall_us + (int64_t)roll(l, 50000),
                           .is_lost = l->wall_us < l->broken_until_us };
    if (l->wall_us < l->slow_until_us) item->ready_us += (int64_t)roll(l, (roll(l, 4) ? 8 : 60) * SECOND);
    snprintf(item->segment.rendition, sizeof item->segment.rendition, "%s", s->rendition);
    snprintf(item->segment.name, sizeof item->segment.name, "%s", s->name);
    if (init) snprintf(item->segment.init_name, sizeof item->segment.init_name, "%s", s->init_name);
    return WEIR_OK;
}

static enum weir_err on_give_playlist(struct segment_shelf *shelf, const char *rendition, struct frozen *text)
{
    char bytes[4096];
    const size_t count = frozen_read(text, 0, bytes, sizeof bytes - 1);
    bytes[count] = 0;
    if (*rendition) assert_non_null(strstr(bytes, "#EXT-X-PLAYLIST-TYPE:VOD\n"));
    ((struct life *)shelf)->playlists++;
    return WEIR_OK;
}

static void on_mark(struct segment_shelf *shelf, const struct shelf_mark *mark)
{
    struct life *l = (struct life *)shelf;
    const uint64_t first = mark->first_msn > l->mark.first_msn ? mark->first_msn : l->mark.first_msn;
    if (mark->msn > l->mark.msn) l->mark = *mark;
    l->mark.first_msn = first;
}

static struct item *find(struct life *l, const char *rendition, const char *name)
{
    for (size_t i = l->item_count; i-- > l->first;) {
        struct item *item = &l->items[i];
        if (!strcmp(item->segment.name, name) && !strcmp(item->segment.rendition, rendition)) return item;
    }
    return NULL;
}

static enum shelf_fate on_fate(struct segment_shelf *shelf, const char *rendition, const char *name)
{
    struct life *l = (struct life *)shelf;
    const struct item *item = find(l, rendition, name);
    if (!item) return SHELF_LOST;
    if (l->wall_us < item->ready_us) return SHELF_WAITING;
    return item->is_lost ? SHELF_LOST : SHELF_KEPT;
}

static int by_number(const void *a, const void *b)
{
    const struct shelf_past_segment *x = a, *y = b;
    return x->msn != y->msn ? (x->msn < y->msn ? -1 : 1) : strcmp(x->rendition, y->rendition);
}

static struct shelf_past *on_past(struct segment_shelf *shelf)
{
    struct life *l = (struct life *)shelf;
    struct shelf_past *past = shelf_past_create(l->item_count);
    size_t count = 0;
    for (size_t i = l->first; i < l->item_count; i++) {
        if (l->items[i].is_there) past->segments[count++] = l->items[i].segment;
    }
    past->count = count;
    if (!l->forgets_marks) past->mark = l->mark;
    if (count) qsort(past->segments, count, sizeof past->segments[0], by_number);
    if (count) return past;
    shelf_past_unref(past);
    return NULL;
}

static void on_end(struct segment_shelf *shelf, int64_t keep_us)
{
    ((struct life *)shelf)->ends++;
}

static void on_release(struct segment_shelf *shelf)
{
    ((struct life *)shelf)->released++;
}

/* What had not reached the disk is gone with the process. */
static void kill_shelf(struct life *l)
{
    for (size_t i = l->first; i < l->item_count; i++) {
        struct item *item = &l->items[i];
        item->is_there = !item->is_lost && item->ready_us <= l->wall_us;
        item->is_lost |= !item->is_there;
    }
}

/* -- reading -- */

static void look_at(struct life *l, int which)
{
    static char text[TEXT_BYTES];
    struct edge_snapshot *s = live_edge_acquire(l->edge, names[which], strlen(names[which]));
    if (!s) return;
    if (edge_snapshot_version(s) != l->versions[which]) {
        l->versions[which] = edge_snapshot_version(s);
        const size_t bytes = frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, TEXT_BYTES - 1);
        assert_true(bytes < TEXT_BYTES - 1);
        text[bytes] = 0;
        struct hls_reader *r = &l->readers[which];
        hls_reader_read(r, text);
        /* what is listed can be had: from memory or from the shelf, which is asked with each new segment */
        int64_t in_memory_us = 0;
        for (size_t i = r->count; r->fresh && i-- > 0 && r->seen[i].msn >= r->first_msn;) {
            const bool is_there = edge_snapshot_find(s, r->seen[i].uri, strlen(r->seen[i].uri)) != NULL;
            in_memory_us += is_there ? r->seen[i].duration_us : 0;
            if (r->seen[i].is_gap || is_there) continue;
            const enum shelf_fate fate = on_fate(&l->shelf, names[which], r->seen[i].uri);
            if (fate != SHELF_KEPT)
                fail_msg("%s: %s is listed, not in memory, and %s", r->label, r->seen[i].uri,
                         fate == SHELF_WAITING ? "not on the disk yet" : "not on the disk");
        }
        /* however long the disk stands still */
        assert_true(in_memory_us <= l->policy.window_us + ARCHIVE_QUEUE_US_MAX + 3 * l->policy.segment_max_us);
    }
    edge_snapshot_unref(s);
}

/* -- publishing -- */

static void give_out(struct life *l, size_t kept)
{
    while (l->inside_count > kept) {
        const struct media_packet p = l->inside[0];
        memmove(l->inside, l->inside + 1, --l->inside_count * sizeof p);
        packager_push_rung(l->sink, 0, &p);
        blob_unref(p.payload.blob);
    }
}

static void forget_inside(struct life *l)
{
    while (l->inside_count) blob_unref(l->inside[--l->inside_count].payload.blob);
}

/* A picture goes through the rung's encoder, which makes keyframes where the stream is cut. */
static void encode(struct life *l, const struct media_packet *source)
{
    const bool is_key = packager_cut_90k(l->sink) != PACKAGER_NO_CUT || source->access == FRAME_IDR;
    if (!l->has_rung) return;
    l->rung_waits_for_key &= !is_key;
    if (l->is_rung_absent || l->rung_waits_for_key) {
        l->rung_waits_for_key = true;
        return;
    }
    struct media_packet p = *source;
    p.access = is_key ? FRAME_IDR : FRAME_INTER;
    blob_ref(p.payload.blob);
    l->inside[l->inside_count++] = p;
    give_out(l, l->rung_frames);
}

static void push(struct life *l, enum media_kind kind, int64_t at_us, bool is_key)
{
    struct blob *blob = blob_copy("frame", 5);
    const struct media_packet p = { .kind = kind,
                                    .access = kind == MEDIA_AUDIO || is_key ? FRAME_IDR : FRAME_INTER,
                                    .payload = { blob, blob_data(blob), 5 },
                                    .era = l->era,
                                    .dts_90k = at_us * 9 / 100,
                                    .pts_90k = at_us * 9 / 100,
                                    .pts_samples = at_us * 48 / 1000,
                                    .samples = 4800,
                                    .nominal_90k = 9000 };
    l->sink->push(l->sink, &p);
    if (kind == MEDIA_VIDEO) encode(l, &p);
    blob_unref(blob);
    for (int i = 0; i < RENDITIONS; i++) look_at(l, i);
}

static void begin_era(struct life *l, bool has_audio)
{
    l->rung_waits_for_key = true;
    l->stream_us += SECOND;
    l->sink->tracks(l->sink, &(struct track_set){ .video = l->video, .audio = { has_audio ? l->audio : NULL } });
    l->sink->era(l->sink, ++l->era, l->stream_us * 9 / 100, l->wall_us);
}

/* Ten frames a second, a keyframe every `gop` of them. */
static void play(struct life *l, int seconds, bool has_audio)
{
    const int gop = 5 + (int)roll(l, 20);
    for (int i = 0; i < seconds * 10; i++) {
        push(l, MEDIA_VIDEO, l->stream_us, i % gop == 0);
        if (has_audio) push(l, MEDIA_AUDIO, l->stream_us, true);
        l->wall_us += SECOND / 10;
        l->stream_us += SECOND / 10;
    }
}

static void start(struct life *l)
{
    const struct packager_config config = {
        .wall_now_us = wall_now, .context = l, .run_id = ++l->run, .eras_used = eras_used, .shelf = &l->shelf
    };
    l->edge = live_edge_create("live/sim");
    l->sink = packager_create(l->edge, &l->policy, &config);
    assert_non_null(l->sink);
    if (l->has_rung) {
        packager_set_rungs(l->sink, &(struct packager_rung){ .name = "rung" }, 1, 0);
        packager_set_rung_track(l->sink, 0, l->video);
    }
    memset(l->versions, 0, sizeof l->versions);
}

static void stop(struct life *l, bool is_end)
{
    if (is_end) l->sink->end(l->sink);
    forget_inside(l);
    for (int i = 0; i < RENDITIONS; i++) look_at(l, i);
    const uint64_t used = l->eras_used;
    l->sink->destroy(l->sink);
    if (!is_end) l->eras_used = used + 1; /* killed: nothing is told at the end, and the file was ahead */
    live_edge_unref(l->edge);
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

static struct life *prepare(uint64_t seed, int64_t part_us)
{
    static struct life life;
    static struct hls_reader readers[RENDITIONS];
    struct life *l = &life;
    *l = (struct life){
        .shelf = { on_give, on_give_playlist, on_mark, on_fate, on_past, on_end, on_release },
        .random = seed * 0x9E3779B97F4A7C15u | 1,
        .wall_us = WALL_START_US,
        .readers = readers,
        .policy = { .segment_us = 2 * SECOND,
                    .segment_max_us = 3 * SECOND,
                    .window_us = 10 * SECOND,
                    .part_us = part_us,
                    .part_hold_back_us = 3 * part_us,
                    .can_skip = part_us > 0,
                    .dvr_us = 120 * SECOND,
                    .vod_keep_us = 60 * SECOND },
    };
    l->video = make_track(
        CODEC_H264, "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800");
    l->audio = make_track(CODEC_AAC, "1190");
    for (int i = 0; i < RENDITIONS; i++) {
        char label[64];
        snprintf(label, sizeof label, "seed %llu %s", (unsigned long long)seed, names[i]);
        hls_reader_init(&readers[i], label);
        readers[i].may_lose = true;
    }
    return l;
}

static void finish(struct life *l)
{
    hls_reader_compare(&l->readers[0], &l->readers[1]);
    if (l->readers[2].count) hls_reader_compare(&l->readers[0], &l->readers[2]);
    assert_int_equal(l->released, l->run);
    track_unref(l->video);
    track_unref(l->audio);
}

static void a_window_of_two_minutes(void **state)
{
    struct life *l = prepare(1, 0);
    start(l);
    begin_era(l, true);
    l->random = 4; /* a keyframe every 2 s or so */
    for (int i = 0; i < 30; i++) play(l, 10, true);
    const struct hls_reader *video = &l->readers[0];
    const struct hls_seen *first = hls_reader_find(video, video->first_msn), *last = &video->seen[video->count - 1];
    const int64_t listed_us = last->wall_us + last->duration_us - first->wall_us;
    print_message("%lld s listed\n", (long long)(listed_us / SECOND));
    assert_in_range(listed_us, 120 * SECOND, 124 * SECOND);
    assert_int_equal(figure_read(&live_edge_figures(l->edge)->dvr_gaps), 0);
    for (size_t i = 0; i < video->count; i++) assert_false(video->seen[i].is_gap);
    stop(l, true);
    assert_int_equal(l->playlists, 4); /* video, audio, the pictures, and the multivariant one */
    assert_int_equal(l->ends, 1);
    finish(l);
}

static void an_event_keeps_its_beginning_while_it_can(void **state)
{
    struct life *l = prepare(1, 0);
    char text[2048];
    l->policy.is_event = true;
    start(l);
    begin_era(l, true);
    for (int i = 0; i < 20; i++) {
        play(l, 10, true);
        struct edge_snapshot *s = live_edge_acquire(l->edge, "video", 5);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        edge_snapshot_unref(s);
        const bool is_event = strstr(text, "#EXT-X-PLAYLIST-TYPE:EVENT\n") != NULL;
        if (i < 11) assert_true(is_event && l->readers[0].first_msn == l->readers[0].seen[0].msn);
        if (i > 12) assert_true(!is_event && l->readers[0].first_msn > l->readers[0].seen[0].msn);
    }
    stop(l, true);
    finish(l);
}

static void a_killed_stream_goes_on(void **state)
{
    struct life *l = prepare(1, 500000);
    start(l);
    begin_era(l, true);
    play(l, 30, true);
    const uint64_t last = l->mark.msn, era = l->readers[0].seen[l->readers[0].count - 1].discontinuity;
    l->wall_us += 50000; /* all of it is on the disk */
    kill_shelf(l);
    stop(l, false);
    l->wall_us += 300000;
    start(l);
    begin_era(l, true);
    play(l, 10, true);
    const struct hls_reader *video = &l->readers[0];
    /* the segment whose parts were seen is a gap; then the next number, behind one tag */
    const struct hls_seen *lost = hls_reader_find(video, last), *next = hls_reader_find(video, last + 1);
    assert_true(lost && next && lost->is_gap && !next->is_gap);
    assert_int_equal(next->discontinuity, era + 1);
    assert_int_equal(lost->discontinuity, era);
    assert_int_equal(strncmp(next->uri, "seg-00000002-", 13), 0);
    /* and all that was before is still listed */
    assert_int_equal(video->first_msn, video->seen[0].msn);
    stop(l, true);
    finish(l);
}

static void mishap(struct life *l, bool *has_audio)
{
    switch (roll(l, 9)) {
    case 0: l->slow_until_us = l->wall_us + (int64_t)roll(l, 30 * SECOND); break;
    case 1: l->broken_until_us = l->wall_us + (int64_t)roll(l, 30 * SECOND); break;
    case 2: l->first += roll(l, l->item_count - l->first + 1) / 2; break; /* the oldest go */
    case 3:                                                               /* the publisher is lost and comes back */
        l->sink->lost(l->sink);
        if (l->has_rung) {
            give_out(l, 0);
            packager_drain_rung(l->sink, 0);
        }
        l->wall_us += (int64_t)roll(l, 20 * SECOND);
        *has_audio = roll(l, 4) > 0;
        begin_era(l, *has_audio);
        break;
    case 4: /* something breaks */ begin_era(l, *has_audio); break;
    case 5: /* the rung goes, or comes back, later or sooner than before */
        l->is_rung_absent = l->has_rung && !l->is_rung_absent;
        if (l->is_rung_absent) {
            give_out(l, 0);
            packager_set_rung_absent(l->sink, 0);
        }
        l->rung_frames = roll(l, INSIDE_MAX / 2);
        break;
    default:
        l->kills++;
        kill_shelf(l);
        stop(l, false);
        l->wall_us += (int64_t)roll(l, 2) ? (int64_t)roll(l, SECOND) : (int64_t)roll(l, 60 * SECOND);
        start(l);
        *has_audio = roll(l, 4) > 0;
        begin_era(l, *has_audio);
        break;
    }
}

static void odd_lives(void **state)
{
    size_t kills = 0, gaps = 0, segments = 0, rung_segments = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct life *l = prepare(seed, seed % 2 ? 500000 : 0);
        bool has_audio = true;
        l->forgets_marks = seed % 10 == 0;
        l->has_rung = seed % 4 < 2;
        l->rung_frames = 5;
        l->policy.is_event = seed % 3 == 0;
        l->policy.dvr_us = 60 * SECOND;
        start(l);
        begin_era(l, true);
        for (int i = 0; i < 40; i++) {
            play(l, 1 + (int)roll(l, 12), has_audio);
            mishap(l, &has_audio);
        }
        play(l, 5, has_audio);
        stop(l, true);
        for (size_t i = 0; i < l->readers[0].count; i++) gaps += l->readers[0].seen[i].is_gap;
        segments += l->readers[0].count;
        for (size_t i = 0; i < l->readers[2].count; i++) rung_segments += !l->readers[2].seen[i].is_gap;
        kills += l->kills;
        refused += l->refused;
        finish(l);
    }
    print_message("%zu kills, %zu segments, %zu of them gaps, %zu of a rung, %zu refused\n", kills, segments, gaps,
                  rung_segments, refused);
    assert_true(kills > 250 && refused > 100 && gaps < segments / 2 && rung_segments > 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_of_two_minutes),
        cmocka_unit_test(an_event_keeps_its_beginning_while_it_can),
        cmocka_unit_test(a_killed_stream_goes_on),
        cmocka_unit_test(odd_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
