/* rendition: one track's segments, from the one being filled to those that left the playlist and may still be fetched.
 * Owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_RENDITION_H
#define WEIR_PACKAGER_RENDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/queue.h>
#include <weir/media/track.h>
#include <weir/stream/live_edge.h>

#include "fmp4.h"

struct rendition_config {
    char name[EDGE_RENDITION_NAME_BYTES];
    enum edge_media media;
    struct live_edge *edge; /* lent */
    int64_t window_us;
    uint32_t target_duration_s;
    uint32_t run_id;
};

/* An init segment; lives as long as a kept segment needs it. */
struct rendition_init {
    uint32_t refs; /* segments, and the rendition while it is the current one; one thread */
    char name[EDGE_OBJECT_NAME_BYTES];
    struct frozen *body;
};

struct rendition_segment {
    uint64_t msn, discontinuity; /* discontinuity: sequence number of the era that it belongs to */
    struct frozen *body;         /* NULL: a gap */
    struct rendition_init *init; /* holds a reference */
    int64_t duration_us, wall_us;
    int64_t end_us;     /* on the rendition's own clock of published media */
    int64_t expires_us; /* once out of the playlist: on the same clock */
    bool is_independent, starts_era;
};

struct rendition {
    struct rendition_config config;
    struct track *track;
    struct rendition_init *init; /* of the open segment */
    uint32_t inits_made;
    /* the open segment */
    struct fmp4_sample *samples;
    size_t sample_count, sample_capacity, open_bytes;
    int64_t wall_us; /* of its first sample */
    bool is_open_independent, starts_era;
    uint32_t sequence; /* of moofs */
    int64_t next_dts;  /* where the last finished segment ended */
    /* finished ones, oldest first; `listed` of them are in the playlist */
    struct queue segments;
    size_t listed;
    int64_t published_us; /* sum of durations */
    uint64_t kept_bytes;
    uint64_t discontinuity;
    uint64_t peak_bps, sum_bytes;
    int64_t sum_us; /* of segments with media */
    bool is_ended, has_published;
};

WEIR_MUST_CHECK enum weir_err rendition_create(struct rendition **out, const struct rendition_config *config);
void rendition_destroy(struct rendition *r); /* NULL is fine */

/* From the next sample on. Makes a new init only when its bytes differ. With the same era's samples open: assert. */
WEIR_MUST_CHECK enum weir_err rendition_set_track(struct rendition *r, struct track *track);
/* The next segment begins an era. */
void rendition_begin_era(struct rendition *r, uint64_t discontinuity);
/* Adds a sample; its payload is referenced. duration: nominal, made exact by the next one. wall_us: PROGRAM-DATE-TIME of the sample.
 * false: it does not fit behind what is there (dropped). */
bool rendition_push(struct rendition *r, const struct fmp4_sample *sample, int64_t wall_us, bool is_independent);
bool rendition_is_open(const struct rendition *r);
int64_t rendition_open_us(const struct rendition *r);
/* Finishes the open segment as number msn; next_dts: where the next sample will stand, or -1. Publishes nothing by itself. */
WEIR_MUST_CHECK enum weir_err rendition_cut(struct rendition *r, uint64_t msn, int64_t next_dts);
/* A number without media, so that all renditions keep counting together. */
WEIR_MUST_CHECK enum weir_err rendition_gap(struct rendition *r, uint64_t msn, int64_t duration_us, int64_t wall_us);
/* Throws the open segment's samples away. */
size_t rendition_discard(struct rendition *r);
/* Renders the playlist and publishes it with all that may be fetched. */
WEIR_MUST_CHECK enum weir_err rendition_publish(struct rendition *r);
void rendition_end(struct rendition *r); /* ENDLIST from the next publish on */
uint64_t rendition_average_bps(const struct rendition *r);
uint64_t rendition_held_bytes(const struct rendition *r); /* media: listed, kept behind the list, and open; NULL: 0 */

#endif
