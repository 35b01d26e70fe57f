/* past: that part of a rendition's playlist whose segments are on a shelf and no longer in memory. Hours of it are listed with every part that is
 * published, so an entry's lines are written once and frozen by the page; a playlist refers to the pages. Pure; owner: the rendition. */
#ifndef WEIR_PACKAGER_PAST_H
#define WEIR_PACKAGER_PAST_H

#include <weir/base/bytes.h>
#include <weir/base/queue.h>

#include "object_name.h"

struct past_entry {
    uint64_t msn, discontinuity; /* discontinuity: sequence number of its era */
    int64_t duration_us, wall_us;
    uint32_t run_id;                /* of the segment's name */
    uint32_t init_run, init_number; /* number 0: none */
    uint32_t text_bytes;            /* of its lines; filled in by past_add */
    bool starts_era, says_map, is_independent, is_gap;
};

struct past {
    struct queue entries;            /* struct past_entry, oldest first, numbers without a hole */
    struct queue pages;              /* struct past_page */
    struct byte_writer open;         /* lines of the entries behind the last page */
    size_t open_count, open_skipped; /* skipped: bytes of entries that were dropped again */
    int64_t duration_us;             /* of all entries */
    size_t dependent;                /* how many do not begin with an IDR */
};

void past_init(struct past *p);
void past_deinit(struct past *p);
/* entry->msn must be one more than the last one's. lines: what the playlist says of it.
 * WEIR_LIMIT: DVR_SEGMENTS_MAX; WEIR_NOMEM: nothing was changed. */
WEIR_MUST_CHECK enum weir_err past_add(struct past *p, const struct past_entry *entry, struct byte_span lines);
void past_drop_oldest(struct past *p);
size_t past_count(const struct past *p);
/* Lent; NULL: not that many. */
const struct past_entry *past_at(const struct past *p, size_t index);

/* The lines of all entries but the first `skipped`, as references: pieces has room for past_pieces_max(). Returns how many. The lines in `tail`
 * come behind them; lent until the next call on p. */
size_t past_pieces_max(const struct past *p);
size_t past_pieces(const struct past *p, size_t skipped, struct piece *pieces, struct byte_span *tail);

#endif
