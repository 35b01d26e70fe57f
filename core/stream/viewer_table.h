/* Who watches: distinct clients seen lately, and an estimate of those who are behind a cache. Pure; the live edge puts its lock around
 * it. */
#ifndef WEIR_STREAM_VIEWER_TABLE_H
#define WEIR_STREAM_VIEWER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEWER_SAMPLE_S 60 /* samples are few, so they count for longer than what is seen itself */

struct viewer;

struct viewer_table {
    struct viewer *items;
    size_t capacity, count;
    int64_t swept_us;                  /* when the table was last rebuilt */
    uint32_t samples[VIEWER_SAMPLE_S]; /* by second */
    int64_t sample_seconds[VIEWER_SAMPLE_S];
};

void viewer_table_deinit(struct viewer_table *t);
/* is_sample: a cache let this request through to be counted, at random among all that it answers itself. */
void viewer_table_note(struct viewer_table *t, uint64_t id, bool is_sample, int64_t now_us);
/* Beyond VIEWERS_TRACKED_MAX different ones a lower bound. */
uint32_t viewer_table_count(const struct viewer_table *t, int64_t now_us);

/* How many there are, when so many draws (with replacement) showed so many different ones: n (1 - e^(-draws/n)) = distinct. With hardly
 * any seen twice nothing more than "as many as this could still be" is known. */
uint32_t viewers_estimate(uint32_t distinct, uint32_t draws);

#endif
