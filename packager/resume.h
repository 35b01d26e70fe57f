/* resume: how a stream goes on whose process was killed: what of the past is listed, under which numbers, and which number comes next.
 *
 * All renditions get the same numbers without a hole. Numbers of which nothing is left, and those that were announced and did not reach the
 * disk, are gaps. What follows begins a new era, with numbers that nobody has seen. Pure; owner: the packager. */
#ifndef WEIR_PACKAGER_RESUME_H
#define WEIR_PACKAGER_RESUME_H

#include <weir/stream/segment_shelf.h>

#include "past.h"

struct resume_terms {
    int64_t now_wall_us;
    int64_t segment_us; /* target */
    int64_t dvr_us;     /* no more than this is listed */
    uint32_t target_duration_s;
};

struct resume_number {
    int64_t duration_us, wall_us;
    uint64_t discontinuity;
    uint32_t run_id; /* of the process that used it */
    bool has_tag;    /* EXT-X-DISCONTINUITY stands in front of it */
};

struct resume {
    struct shelf_past *past; /* a reference */
    uint64_t first_msn, next_msn, next_discontinuity;
    uint64_t lost_msn;   /* from here on to next_msn nothing is left in any rendition */
    int64_t end_wall_us; /* PROGRAM-DATE-TIME must not be earlier from here on */
    size_t count;
    struct resume_number numbers[];
};

/* NULL: nothing that can be gone on with, or no memory: the stream begins anew, at the clock's number. */
struct resume *resume_create(struct shelf_past *past, const struct resume_terms *terms);
void resume_destroy(struct resume *r); /* NULL is fine */
/* What a rendition of that name lists, into an empty past; nothing when it has no segment there. */
WEIR_MUST_CHECK enum weir_err resume_fill(const struct resume *r, const char *rendition, struct past *out);

#endif
