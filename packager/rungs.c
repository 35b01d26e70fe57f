#include "rungs_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX 256              /* cuts and eras: a rung that is further behind reads on without its packets */
#define LOG_KEPT 64              /* for rungs that come later, where some are awaited */
#define LOG_KEPT_UNAWAITED 8     /* where none are */
#define PATIENCE_90K (8 * 90000) /* how far the stream may be past a cut that a rung has not reached */
#define AUDIO_PATIENCE_90K (3 * 90000)
#define SILENCE_US 8000000 /* the same when the stream stands still */

struct rungs *rungs_create(const struct rungs_owner *owner)
{
    struct rungs *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->owner = *owner;
    queue_init(&r->log, sizeof(struct event), LOG_MAX);
    return r;
}

static void rung_deinit(struct rungs *r, struct rung *g)
{
    rung_drop_pending(r, g);
    queue_deinit(&g->pending);
    rendition_destroy(g->rendition);
    track_unref(g->track);
}

void rungs_destroy(struct rungs *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->count; i++) rung_deinit(r, &r->items[i]);
    queue_deinit(&r->log);
    free(r->items);
    free(r);
}

/* -- reading the log -- */

const struct event *rung_next_event(const struct rungs *r, const struct rung *g)
{
    assert(g->read >= r->first);
    return queue_at(&r->log, (size_t)(g->read - r->first));
}

const struct event *rung_last_event(const struct rungs *r, const struct rung *g)
{
    return g->read > r->first ? queue_at(&r->log, (size_t)(g->read - 1 - r->first)) : NULL;
}

/* Where the event lies for a rung: for pictures the very time at which the stream's first one is shown, as soon as that came. */
int64_t rung_time_of(const struct rung *g, const struct event *e)
{
    if (rung_is_audio(g)) return e->at_90k;
    return e->first_90k != INT64_MAX ? e->first_90k : e->pictures_90k;
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

/* On the rendition's clock: where the segment ends that the cut ends, so that one whose last pictures are missing lasts as long as the
 * stream's own. packet: the one that drove the rung here, or NULL. -1: where its last packet ends. */
static int64_t end_of(const struct rung *g, const struct event *e, const struct media_packet *packet)
{
    const bool is_here = packet && packet->era == e->era;
    if (rung_is_audio(g)) return is_here ? packet->pts_samples : -1;
    const int64_t at_90k = rung_time_of(g, e);
    if (at_90k == INT64_MAX) return -1;
    return is_here && packet->pts_90k - at_90k < packet->nominal_90k ? packet->dts_90k : at_90k - g->delay_90k;
}

static void resolve(struct rung *g, const struct rung_cut *cut, int64_t end)
{
    if (!g->rendition || cut->is_muted) return;
    if (rendition_is_open(g->rendition))
        rendition_cut(g->rendition, end);
    else
        rendition_gap(g->rendition, cut->msn, cut->duration_us, cut->wall_us);
}

static void read_event(struct rung *g, const struct event *e, const struct media_packet *packet)
{
    g->read++;
    if (e->kind == EVENT_ERA) begin_era(g, &e->begun);
    if (e->kind == EVENT_CUT) resolve(g, &e->cut, end_of(g, e, packet));
    const bool is_dark = e->kind == EVENT_CUT && e->cut.is_dark && !rung_is_audio(g);
    if (e->kind != EVENT_ERA) g->segment_90k = is_dark ? INT64_MAX : rung_time_of(g, e);
}

static void read_all(struct rungs *r, struct rung *g)
{
    const struct event *e;
    while ((e = rung_next_event(r, g))) read_event(g, e, NULL);
}

/* Whether the packet lies behind the event. */
static bool is_past(const struct rung *g, const struct media_packet *packet, const struct event *e)
{
    if (e->kind == EVENT_ERA || packet->era != e->era) return packet->era >= e->era;
    return packet->pts_90k >= rung_time_of(g, e);
}

void rung_read_up_to(struct rungs *r, struct rung *g, const struct media_packet *packet)
{
    const struct event *e;
    while ((e = rung_next_event(r, g)) && is_past(g, packet, e)) read_event(g, e, packet);
}

/* -- writing it -- */

static void forget_oldest(struct rungs *r)
{
    struct event oldest;
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].read == r->first) read_event(&r->items[i], queue_peek(&r->log), NULL);
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
    const size_t kept = r->count || r->owner.awaits_rungs ? LOG_KEPT : LOG_KEPT_UNAWAITED;
    while (queue_count(&r->log) > kept && is_read_by_all(r)) forget_oldest(r);
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
        const int64_t patience_90k = rung_is_audio(g) ? AUDIO_PATIENCE_90K : PATIENCE_90K;
        while ((e = rung_next_event(r, g)) && e->kind == EVENT_CUT && e->era == era &&
               at_90k - e->cut.at_90k > patience_90k)
            read_event(g, e, NULL);
    }
}

void rungs_note_cut(struct rungs *r, const struct rung_cut *cut)
{
    const struct event *last = queue_count(&r->log) ? queue_at(&r->log, queue_count(&r->log) - 1) : NULL;
    if (!last) return; /* no era: nobody can have seen a picture */
    const struct event e = { .kind = EVENT_CUT,
                             .era = last->era,
                             .at_90k = cut->at_90k,
                             .pictures_90k = cut->pictures_90k,
                             .first_90k = INT64_MAX,
                             .cut = *cut };
    note(r, &e);
    if (cut->at_90k != INT64_MAX) lose_patience(r, e.era, cut->at_90k);
}

void rungs_note_begin(struct rungs *r, int64_t at_90k)
{
    const struct event *last = queue_count(&r->log) ? queue_at(&r->log, queue_count(&r->log) - 1) : NULL;
    if (!last) return;
    const struct event e = {
        .kind = EVENT_BEGIN, .era = last->era, .at_90k = at_90k, .pictures_90k = at_90k, .first_90k = INT64_MAX
    };
    note(r, &e);
}

void rungs_note_picture(struct rungs *r, int64_t pts_90k)
{
    struct event *last = queue_count(&r->log) ? queue_at(&r->log, queue_count(&r->log) - 1) : NULL;
    if (!last || last->kind == EVENT_ERA || pts_90k < last->pictures_90k) return;
    if (pts_90k < last->first_90k) last->first_90k = pts_90k;
}

void rungs_note_era(struct rungs *r, const struct rung_era *era)
{
    const struct event e = { .kind = EVENT_ERA, .era = era->era, .begun = *era };
    note(r, &e);
}

/* -- what there is -- */

void rungs_set(struct rungs *r, const struct packager_rung *rungs, size_t count)
{
    struct rung old[RUNGS_MAX];
    const size_t old_count = r->count;
    bool is_kept[RUNGS_MAX] = { false };
    assert(count <= PACKAGER_RUNGS_MAX);
    if (!r->items && !(r->items = calloc(RUNGS_MAX, sizeof *r->items))) return;
    memcpy(old, r->items, sizeof old);
    r->count = r->planned = count;
    for (size_t i = 0; i < count; i++) {
        struct rung *g = &r->items[i];
        *g = (struct rung){ .read = r->first, .segment_90k = INT64_MAX };
        queue_init(&g->pending, sizeof(struct media_packet), PENDING_AUDIO_PACKETS_MAX);
        for (size_t k = 0; k < old_count; k++) {
            if (is_kept[k] || strcmp(old[k].plan.name, rungs[i].name)) continue;
            queue_deinit(&g->pending);
            *g = old[k];
            is_kept[k] = true;
            break;
        }
        g->plan = rungs[i];
        g->is_planned = true;
        g->is_absent = false;
    }
    /* those of an earlier plan count on with gaps, for whoever still watches them */
    for (size_t k = 0; k < old_count; k++) {
        if (is_kept[k]) continue;
        if (old[k].rendition && r->count < RUNGS_MAX) {
            old[k].is_planned = false;
            rung_drop_pending(r, &old[k]);
            r->items[r->count++] = old[k];
        } else {
            rung_deinit(r, &old[k]);
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

void rungs_set_absent(struct rungs *r, size_t rung, const struct rungs_stream *stream)
{
    if (rung >= r->planned) return;
    rungs_drained(r, rung, stream);
    r->items[rung].is_absent = true;
}

void rungs_drained(struct rungs *r, size_t rung, const struct rungs_stream *stream)
{
    if (rung >= r->planned) return;
    rung_advance(r, &r->items[rung], stream);
    read_all(r, &r->items[rung]);
}

/* -- packets -- */

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
    if (rung_is_audio(g)) {
        if (!queue_give(&g->pending, packet))
            blob_ref(packet->payload.blob);
        else
            r->owner.note_drop(r->owner.context, 1);
        rung_advance(r, g, stream);
        return;
    }
    rung_read_up_to(r, g, packet);
    if (!rung_feed(r, g, packet, stream)) r->owner.note_drop(r->owner.context, 1);
}

void rungs_advance(struct rungs *r, const struct rungs_stream *stream)
{
    for (size_t i = 0; i < r->planned; i++) {
        if (queue_count(&r->items[i].pending)) rung_advance(r, &r->items[i], stream);
    }
}

/* -- time, end -- */

void rungs_tick(struct rungs *r, int64_t now_us)
{
    r->now_us = now_us;
    for (size_t i = 0; i < r->planned; i++) {
        struct rung *g = &r->items[i];
        if (!g->heard_us) g->heard_us = now_us;
        if (now_us - g->heard_us > SILENCE_US && rung_next_event(r, g)) read_all(r, g);
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

const struct packager_rung *rungs_plan(const struct rungs *r, size_t index)
{
    return &r->items[index].plan;
}

uint32_t rungs_nominal_90k(const struct rungs *r, size_t index)
{
    return r->items[index].nominal_90k;
}
