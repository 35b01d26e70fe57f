/* rungs: further renditions of a stream, encoded from its video and audio by a ladder. They follow its cuts: segment n of each begins with
 * the first picture, or sound, at or after the presentation time at which the stream's own segment n begins, however much later it comes.
 *
 * Cuts and eras go into a log; each rung reads it at its own pace, driven by its packets. What a rung does not reach in time, or does not
 * have from its beginning on, is a gap of the same number. Owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_RUNGS_H
#define WEIR_PACKAGER_RUNGS_H

#include <weir/packager/packager.h>

#include "rendition.h"
#include "segmenter.h"

/* What the rungs need of their packager. */
struct rungs_owner {
    void *context;
    /* msn: of its first segment. NULL: no memory. Its discontinuity and era are set by the caller. */
    struct rendition *(*make_rendition)(void *context, const char *name, enum edge_media media, uint64_t msn);
    void (*note_drop)(void *context, uint64_t frames);
    bool awaits_rungs; /* some will be told of, perhaps after seconds: they begin with what was in between */
};

/* The stream's own video was cut here. */
struct rung_cut {
    int64_t at_90k; /* INT64_MAX: everything before a break */
    int64_t
        pictures_90k; /* the first picture at or after this time begins the next segment; at_90k may be reckoned, this is not */
    uint64_t msn; /* of the segment that ends */
    int64_t duration_us, wall_us;
    bool is_muted; /* its number was not used */
    bool is_dark;  /* no pictures of the stream begin here */
};
struct rung_era {
    uint32_t era;
    int64_t start_90k, wall_us;
    uint64_t discontinuity, first_msn;
};

struct rungs;

struct rungs *rungs_create(const struct rungs_owner *owner); /* NULL: no memory */
void rungs_destroy(struct rungs *r);                         /* NULL is fine */
/* Those that were there and keep their name keep their rendition. Without memory there are none. */
void rungs_set(struct rungs *r, const struct packager_rung *rungs, size_t count);
void rungs_set_track(struct rungs *r, size_t rung, struct track *track);
/* Where the stream itself stands. */
struct rungs_stream {
    bool has_era;
    uint32_t era;
    uint64_t open_msn; /* of the segment being filled */
    bool is_muted;     /* its number will not be used */
    int64_t
        lead_90k; /* what is presented up to here is in front of the next cut; INT64_MIN: not decided for anything */
    uint32_t nominal_90k;
    const struct segmenter *segmenter;
};
void rungs_set_absent(struct rungs *r, size_t rung, const struct rungs_stream *stream);
/* All that was to come of this rung has come. */
void rungs_drained(struct rungs *r, size_t rung, const struct rungs_stream *stream);
/* Audio that was in front of the stream's cuts goes on. */
void rungs_advance(struct rungs *r, const struct rungs_stream *stream);
void rungs_push(struct rungs *r, size_t rung, const struct media_packet *packet, const struct rungs_stream *stream);

void rungs_note_cut(struct rungs *r, const struct rung_cut *cut);
void rungs_note_era(struct rungs *r, const struct rung_era *era);
/* A picture of the stream itself, in decoding order: the segment that the last cut began is shown from its earliest one on. */
void rungs_note_picture(struct rungs *r, int64_t pts_90k);
/* The stream's video begins here: the era's first picture, or the first after it was missing. */
void rungs_note_begin(struct rungs *r, int64_t at_90k);
/* Rungs that have been silent for too long read on without packets. */
void rungs_tick(struct rungs *r, int64_t now_us);
void rungs_end(struct rungs *r); /* ENDLIST from the next publish on */

size_t rungs_count(const struct rungs *r); /* with those of earlier plans, whose renditions are still there */
struct rendition *rungs_rendition(const struct rungs *r, size_t index); /* NULL: nothing came yet */
/* What the multivariant playlist says of it: it is encoded now. */
bool rungs_is_shown(const struct rungs *r, size_t index);
bool rungs_is_awaited(const struct rungs *r, size_t index); /* it will be, and has nothing yet */
const struct packager_rung *rungs_plan(const struct rungs *r, size_t index);
uint32_t rungs_nominal_90k(const struct rungs *r, size_t index); /* expected duration of a picture; 0: not known */

#endif
