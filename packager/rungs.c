#include "rungs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/queue.h>

#define LOG_MAX 256              /* cuts and eras: a rung that is further behind reads on without its packets */
#define PATIENCE_90K (8 * 90000) /* how far the stream may be past a cut that a rung has not reached */
#define SILENCE_US 8000000       /* the same when the stream stands still */
#define UNKNOWN_FRAME_90K 3000

enum event_kind { EVENT_CUT = 1, EVENT_ERA, EVENT_BEGIN };
struct event {
    enum event_kind kind;
    uint32_t era;
    int64_t at_90k; /* EVENT_CUT, EVENT_BEGIN */
    struct rung_cut cut;
    struct rung_era begun;
};

struct rung {
    char name[EDGE_RENDITION_NAME_BYTES];
    uint64_t ceiling_bps;
    struct rendition *rendition;
    struct track *track;
    uint64_t read; /* events of the log, by number */
    struct rung_era era;
    int64_t segment_90k; /* where the segment at hand begins; INT64_MAX: nowhere yet */
    bool has_era, is_planned, is_absent;
    uint32_t nominal_90k; /* of the last picture */
    int64_t heard_us;     /* when it last said something; 0: never */
};

struct rungs {
    struct rungs_owner owner;
    struct rung items[LADDER_RUNGS_MAX * 2]; /* the planned ones first; behind them those of earlier plans */
    size_t count, planned;
    struct queue log; /* struct event; its first has number `first` */
    uint64_t first;
    int64_t now_us;
};

struct rungs *rungs_create(const struct rungs_owner *owner)
{
    struct rungs *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->owner = *owner;
    queue_init(&r->log, sizeof(struct event), LOG_MAX);
    return r;
}

static void rung_deinit(struct rung *g)
{
    rendition_destroy(g->rendition);
    track_unref(g->track);
}

void rungs_destroy(struct rungs *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->count; i++) rung_deinit(&r->items[i]);
    queue_deinit(&r->log);
    free(r);
}

/* -- reading the log -- */

static const struct event *next_event(const struct rungs *r, const struct rung *g)
{
    assert(g->read >= r->first);
    return queue_at(&r->log, (size_t)(g->read - r->first));
}

static void begin_era(struct rung *g, const struct rung_era *era)
{
    g->era = *era;
    g->has_era = true;
    g->segment_90k = INT64_MAX;
    if (!g->rendition) return;
    rendition_begin_era(g->rendition, era->discontinuity);
    if (g->track && !rendition_is_open(g->rendition) && rendition_set_track(g->rendition, g->track)) g->track = NULL;
}

/* next_dts: of the packet that drove the rung here, where it begins the next segment; or -1. */
static void resolve(struct rung *g, const struct rung_cut *cut, int64_t next_dts)
{
    if (!g->rendition || cut->is_muted) return;
    if (rendition_is_open(g->rendition))
        rendition_cut(g->rendition, next_dts);
    else
        rendition_gap(g->rendition, cut->msn, cut->duration_us, cut->wall_us);
}

static void read_event(struct rung *g, const struct event *e, int64_t next_dts)
{
    g->read++;
    if (e->kind == EVENT_ERA) begin_era(g, &e->begun);
    if (e->kind == EVENT_CUT) resolve(g, &e->cut, next_dts);
    if (e->kind != EVENT_ERA) g->segment_90k = e->at_90k;
}

static void read_all(struct rungs *r, struct rung *g)
{
    const struct event *e;
    while ((e = next_event(r, g))) read_event(g, e, -1);
}

/* Whether the packet lies behind the event. */
static bool is_past(const struct media_packet *packet, const struct event *e)
{
    if (e->kind == EVENT_ERA || packet->era != e->era) return packet->era >= e->era;
    return packet->pts_90k >= e->at_90k;
}

static void read_up_to(struct rungs *r, struct rung *g, const struct media_packet *packet)
{
    const struct event *e;
    while ((e = next_event(r, g)) && is_past(packet, e)) {
        const bool is_same_era = e->kind == EVENT_CUT && e->era == packet->era;
        read_event(g, e, is_same_era ? packet->dts_90k : -1);
    }
}

/* -- writing it -- */

static void forget_oldest(struct rungs *r)
{
    struct event oldest;
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].read == r->first) read_event(&r->items[i], queue_peek(&r->log), -1);
    }
    queue_take(&r->log, &oldest);
    r->first++;
}

static bool is_read_by_all(const struct rungs *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].read == r->first) return false;
    }
    return true;
}

static void note(struct rungs *r, const struct event *e)
{
    /* rungs that come later begin with the oldest that is kept: some are, for them */
    while (queue_count(&r->log) > LOG_MAX / 4 && is_read_by_all(r)) forget_oldest(r);
    if (queue_count(&r->log) == LOG_MAX) forget_oldest(r);
    if (queue_give(&r->log, e)) return; /* no memory: the rungs' next segment is longer */
    for (size_t i = 0; i < r->count; i++) {
        struct rung *g = &r->items[i];
        const bool is_hopeless = g->is_absent || !g->is_planned;
        if (is_hopeless) read_all(r, g);
    }
}

static void lose_patience(struct rungs *r, uint32_t era, int64_t at_90k)
{
    for (size_t i = 0; i < r->count; i++) {
        struct rung *g = &r->items[i];
        const struct event *e;
        while ((e = next_event(r, g)) && e->kind == EVENT_CUT && e->era == era && at_90k - e->cut.at_90k > PATIENCE_90K)
            read_event(g, e, -1);
    }
}

void rungs_note_cut(struct rungs *r, const struct rung_cut *cut)
{
    const struct event *last = queue_count(&r->log) ? queue_at(&r->log, queue_count(&r->log) - 1) : NULL;
    if (!last) return; /* no era: nobody can have seen a picture */
    const struct event e = { .kind = EVENT_CUT, .era = last->era, .at_90k = cut->at_90k, .cut = *cut };
    note(r, &e);
    if (cut->at_90k != INT64_MAX) lose_patience(r, e.era, cut->at_90k);
}

void rungs_note_begin(struct rungs *r, int64_t at_90k)
{
    const struct event *last = queue_count(&r->log) ? queue_at(&r->log, queue_count(&r->log) - 1) : NULL;
    if (!last) return;
    const struct event e = { .kind = EVENT_BEGIN, .era = last->era, .at_90k = at_90k };
    note(r, &e);
}

void rungs_note_era(struct rungs *r, const struct rung_era *era)
{
    const struct event e = { .kind = EVENT_ERA, .era = era->era, .begun = *era };
    note(r, &e);
}

/* -- what there is -- */

void rungs_set(struct rungs *r, const struct packager_rung *rungs, size_t count)
{
    struct rung old[ARRAY_LEN(r->items)];
    const size_t old_count = r->count;
    memcpy(old, r->items, sizeof old);
    bool is_kept[ARRAY_LEN(r->items)] = { false };
    assert(count <= LADDER_RUNGS_MAX);
    r->count = r->planned = count;
    for (size_t i = 0; i < count; i++) {
        struct rung *g = &r->items[i];
        *g = (struct rung){ .read = r->first, .segment_90k = INT64_MAX };
        for (size_t k = 0; k < old_count; k++) {
            if (is_kept[k] || strcmp(old[k].name, rungs[i].name)) continue;
            *g = old[k];
            is_kept[k] = true;
            break;
        }
        memcpy(g->name, rungs[i].name, sizeof g->name);
        g->ceiling_bps = rungs[i].ceiling_bps;
        g->is_planned = true;
        g->is_absent = false;
    }
    /* those of an earlier plan count on with gaps, for whoever still watches them */
    for (size_t k = 0; k < old_count; k++) {
        if (is_kept[k]) continue;
        if (old[k].rendition && r->count < ARRAY_LEN(r->items)) {
            old[k].is_planned = false;
            r->items[r->count++] = old[k];
        } else {
            rung_deinit(&old[k]);
        }
    }
    for (size_t i = r->planned; i < r->count; i++) read_all(r, &r->items[i]);
}

void rungs_set_track(struct rungs *r, size_t rung, struct track *track)
{
    if (rung >= r->planned) return;
    track_unref(r->items[rung].track);
    r->items[rung].track = track_ref(track);
}

void rungs_set_absent(struct rungs *r, size_t rung)
{
    if (rung >= r->planned) return;
    r->items[rung].is_absent = true;
    read_all(r, &r->items[rung]);
}

void rungs_drained(struct rungs *r, size_t rung)
{
    if (rung < r->planned) read_all(r, &r->items[rung]);
}

/* -- packets -- */

static void make_rendition(struct rungs *r, struct rung *g, uint64_t msn)
{
    g->rendition = r->owner.make_rendition(r->owner.context, g->name, msn);
    if (!g->rendition) return;
    g->rendition->discontinuity = g->era.discontinuity;
    /* what is there from the era's first segment on carries the era's tag; one that joins later shares the era without it */
    g->rendition->starts_era = msn == g->era.first_msn;
}

static struct rendition *ready_rendition(struct rungs *r, struct rung *g, uint64_t msn)
{
    if (!g->track) return NULL;
    if (!g->rendition) make_rendition(r, g, msn);
    struct rendition *out = g->rendition;
    if (!out || out->track == g->track) return out;
    if (out->track && track_equal(out->track, g->track)) return out;
    /* an encoder that was replaced says its configuration anew: it holds from the next segment on */
    if (rendition_is_open(out)) return NULL;
    return rendition_set_track(out, g->track) ? NULL : out;
}

static bool push(struct rungs *r, struct rung *g, const struct media_packet *packet, const struct rungs_stream *stream)
{
    const struct event *ahead = next_event(r, g);
    const bool has_cut = ahead && ahead->kind == EVENT_CUT && ahead->era == packet->era;
    if (!g->has_era || g->era.era != packet->era || (has_cut && ahead->cut.is_muted)) return false;
    const uint64_t msn = has_cut ? ahead->cut.msn : stream->open_msn;
    struct rendition *out = ready_rendition(r, g, msn);
    /* a segment that begins anywhere else than the stream's own is none: to players that switch they are the same */
    if (!out || (!rendition_is_open(out) && packet->pts_90k != g->segment_90k)) return false;
    const bool is_idr = packet->access == FRAME_IDR;
    const int64_t nominal_90k = packet->nominal_90k ? packet->nominal_90k : UNKNOWN_FRAME_90K;
    /* where pictures are left out, a keyframe may stand nearer than the next one was expected */
    const bool is_picked = packet->nominal_90k > stream->nominal_90k;
    if (is_idr && rendition_is_open(out) &&
        chunker_at_key(&out->chunker, packet->dts_90k, stream->segmenter->gop_90k) == CHUNKER_KEY_PART)
        rendition_end_part(out, packet->dts_90k);
    const struct chunker_input input = {
        .sample = { .payload = packet->payload,
                    .dts = packet->dts_90k,
                    .duration = (uint32_t)nominal_90k,
                    .composition_offset = (int32_t)(packet->pts_90k - packet->dts_90k),
                    .is_sync = is_idr,
                    .is_independent = is_idr },
        .is_duration_known = packet->nominal_90k && !is_picked,
        .plan_ticks = is_idr ? segmenter_first_part_90k(stream->segmenter, packet->nominal_90k) : 0,
    };
    const int64_t wall_us = g->era.wall_us + (packet->pts_90k - g->era.start_90k) * 100 / 9;
    return rendition_push(out, msn, &input, wall_us);
}

void rungs_push(struct rungs *r, size_t rung, const struct media_packet *packet, const struct rungs_stream *stream)
{
    if (rung >= r->planned) {
        r->owner.note_drop(r->owner.context, 1);
        return;
    }
    struct rung *g = &r->items[rung];
    g->is_absent = false;
    g->heard_us = r->now_us;
    g->nominal_90k = packet->nominal_90k;
    read_up_to(r, g, packet);
    if (!push(r, g, packet, stream)) r->owner.note_drop(r->owner.context, 1);
}

/* -- time, end -- */

void rungs_tick(struct rungs *r, int64_t now_us)
{
    r->now_us = now_us;
    for (size_t i = 0; i < r->planned; i++) {
        struct rung *g = &r->items[i];
        if (!g->heard_us) g->heard_us = now_us;
        if (now_us - g->heard_us > SILENCE_US && next_event(r, g)) read_all(r, g);
    }
}

void rungs_end(struct rungs *r)
{
    for (size_t i = 0; i < r->count; i++) {
        read_all(r, &r->items[i]);
        if (r->items[i].rendition) rendition_end(r->items[i].rendition);
    }
}

size_t rungs_count(const struct rungs *r)
{
    return r->count;
}

struct rendition *rungs_rendition(const struct rungs *r, size_t index)
{
    return r->items[index].rendition;
}

bool rungs_is_shown(const struct rungs *r, size_t index)
{
    const struct rung *g = &r->items[index];
    return g->rendition && g->rendition->has_published && g->is_planned && !g->is_absent;
}

bool rungs_is_awaited(const struct rungs *r, size_t index)
{
    const struct rung *g = &r->items[index];
    return g->is_planned && !g->is_absent && (!g->rendition || !g->rendition->has_published);
}

uint32_t rungs_nominal_90k(const struct rungs *r, size_t index)
{
    return r->items[index].nominal_90k;
}

uint64_t rungs_ceiling_bps(const struct rungs *r, size_t index)
{
    return r->items[index].ceiling_bps;
}
