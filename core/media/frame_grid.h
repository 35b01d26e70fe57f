/* frame_grid: finds the constant frame rate behind timestamps that were rounded to milliseconds or jitter, and gives exact
 * ticks. Where there is no constant rate, it gives back what came in. Pure. */
#ifndef WEIR_MEDIA_FRAME_GRID_H
#define WEIR_MEDIA_FRAME_GRID_H

#include <stdbool.h>
#include <stdint.h>

enum grid_repair { GRID_NONE = 0, GRID_JITTER, GRID_DRIFT };

#define GRID_HISTORY 48 /* frames looked at before a rate is believed, or given up */

struct frame_grid {
    uint32_t told_num, told_den; /* from the configuration, 0: nothing */
    uint32_t num, den;           /* in use; 0: no grid */
    bool has_place;              /* anchor and last are valid */
    bool was_rejected;           /* the told rate did not fit: do not try it again in this era */
    int64_t anchor_90k, index;   /* frame `index` stands at anchor + index * 90000 * den / num */
    int64_t last_in_90k;
    int64_t mean_error; /* ticks << 8 */
    int64_t history_90k[GRID_HISTORY];
    uint32_t history_count;
    int32_t one_sided; /* how many errors in a row were positive (negative: negative) */
};

/* 0/0: unknown. */
void frame_grid_tell(struct frame_grid *g, uint32_t num, uint32_t den);
/* The next frame is the first of a new era; what was found out about the rate is kept. */
void frame_grid_restart(struct frame_grid *g);
/* Stream time in, stream time on the grid out. */
int64_t frame_grid_place(struct frame_grid *g, int64_t in_90k, enum grid_repair *repair);
/* pts for a frame at dts: on the grid where it lies near enough. */
int64_t frame_grid_snap(const struct frame_grid *g, int64_t dts_90k, int64_t composition_90k);
uint32_t frame_grid_nominal_90k(const struct frame_grid *g); /* 0: unknown */
void frame_grid_rate(const struct frame_grid *g, uint32_t *num, uint32_t *den);

#endif
