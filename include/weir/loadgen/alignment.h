/* Whether the renditions of one stream begin their segments on the same frames (RFC 8216bis 6.2.4; promised for ladders). Viewers note the
 * begin of each segment that they fetch, of whatever rendition; those of the last seconds are compared. Numbers need not be the same, for a
 * server may number each rendition by itself. Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_ALIGNMENT_H
#define WEIR_LOADGEN_ALIGNMENT_H

#include <stdbool.h>
#include <stdint.h>

struct alignment_start {
    uint64_t rendition; /* any number that tells renditions apart */
    uint64_t dsn, msn;
    int64_t start_us; /* presentation time of its first frame */
};

struct alignment_figures {
    uint64_t starts, compared, misaligned;
};

struct alignment;

struct alignment *alignment_create(void); /* NULL: no memory */
void alignment_destroy(struct alignment *a);
/* How often a boundary of one rendition was found to lie inside a segment of another, through this start; *off_us: how far from the nearer end of
 * that segment. The same start may be noted by many. */
unsigned alignment_note(struct alignment *a, const struct alignment_start *start, int64_t *off_us);
struct alignment_figures alignment_figures(const struct alignment *a);

#endif
