/* iframes: a playlist of pictures that stand alone, for scrubbing (RFC 8216bis, 4.4.3.6), beside a video rendition: of each segment the
 * picture that it begins with, as a byte range of the same file. One entry a segment: its numbers and eras are the rendition's. A
 * segment that begins with no such picture is a gap. Pure; owner: the rendition. */
#ifndef WEIR_PACKAGER_IFRAMES_H
#define WEIR_PACKAGER_IFRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/stream/live_edge.h>

#include "past.h"
#include "playlist.h"

#define IFRAMES_RENDITION "iframes" /* its name on the live edge */

struct iframes {
    char folder[EDGE_RENDITION_NAME_BYTES + 4]; /* of the segments, seen from the playlist: "../video/" */
    struct past entries;
    uint64_t peak_bps, sum_bytes;
    int64_t sum_us;
    size_t pictures; /* entries that are no gaps */
    bool is_changed, has_published;
};

struct iframes *iframes_create(const char *rendition); /* NULL: no memory */
void iframes_destroy(struct iframes *f);               /* NULL is fine */
/* The next segment: picture_bytes from its file's beginning hold the first picture; 0: it is none that stands alone. */
void iframes_add(struct iframes *f, const struct past_entry *segment, size_t picture_bytes);
/* The rendition's list begins with this number now. */
void iframes_drop_before(struct iframes *f, uint64_t first_msn);
/* If anything changed and there is a picture. */
WEIR_MUST_CHECK enum weir_err iframes_publish(struct iframes *f, struct live_edge *edge, uint32_t target_duration_s,
                                              enum playlist_type type, bool is_ended);
uint64_t iframes_average_bps(const struct iframes *f);

#endif
