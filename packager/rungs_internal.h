/* What the files of the rungs share: rungs.c keeps the log and who reads it, rung_feed.c puts packets into renditions. */
#ifndef WEIR_PACKAGER_RUNGS_INTERNAL_H
#define WEIR_PACKAGER_RUNGS_INTERNAL_H

#include <weir/base/queue.h>

#include "rungs.h"

#define RUNGS_MAX (PACKAGER_RUNGS_MAX * 2) /* planned, and of earlier plans */

enum event_kind { EVENT_CUT = 1, EVENT_ERA, EVENT_BEGIN };
struct event {
    enum event_kind kind;
    uint32_t era;
    int64_t at_90k;       /* EVENT_CUT, EVENT_BEGIN */
    int64_t pictures_90k; /* the same: what pictures are compared with */
    int64_t first_90k;    /* when the stream's own segment behind it begins to be shown; INT64_MAX: not seen yet */
    struct rung_cut cut;
    struct rung_era begun;
};

struct rung {
    struct packager_rung plan;
    struct rendition *rendition;
    struct track *track;
    struct queue
        pending;   /* audio: packets that the stream's own cuts have not come up to; struct media_packet, referenced */
    uint64_t read; /* events of the log, by number */
    struct rung_era era;
    int64_t segment_90k; /* where the segment at hand begins; INT64_MAX: nowhere yet */
    bool has_era, is_planned, is_absent;
    int64_t delay_90k;    /* by which its keyframes are presented after they are decoded */
    uint32_t nominal_90k; /* of the last picture */
    int64_t heard_us;     /* when it last said something; 0: never */
};

struct rungs {
    struct rungs_owner owner;
    struct rung *items; /* RUNGS_MAX; the planned ones first, behind them those of earlier plans. NULL: no plan yet */
    size_t count, planned;
    struct queue log; /* struct event; its first has number `first` */
    uint64_t first;
    int64_t now_us;
};

/* The event that the rung read last; NULL: it is forgotten. */
const struct event *rung_last_event(const struct rungs *r, const struct rung *g);
int64_t rung_time_of(const struct rung *g, const struct event *e);
static inline bool rung_is_audio(const struct rung *g)
{
    return g->plan.kind == MEDIA_AUDIO;
}

/* What the rung has not read yet. NULL: nothing. */
const struct event *rung_next_event(const struct rungs *r, const struct rung *g);
/* Reads all events that the packet lies behind. */
void rung_read_up_to(struct rungs *r, struct rung *g, const struct media_packet *packet);
/* false: it has no place in the rendition. */
bool rung_feed(struct rungs *r, struct rung *g, const struct media_packet *packet, const struct rungs_stream *stream);
/* Audio: as far as the stream's cuts are decided, or all of it. */
void rung_advance(struct rungs *r, struct rung *g, const struct rungs_stream *stream);
void rung_drop_pending(struct rungs *r, struct rung *g);

#endif
