/* shed: what a ladder gives up when the machine cannot follow, in a fixed order, and when it takes it back.
 *
 *   level 0       all as planned
 *   level 1       every encoder one preset faster
 *   level 2       besides, upper encoded rungs (all but the smallest) at half their frame rate
 *   level 3..     besides, the largest encoded rung left out, then the next, until the smallest is alone
 *   last level    nothing is encoded; only where a rung passes the source through
 *
 * Down on each reading over the high mark, but not faster than the step before could show its effect. Up one level after a calm time that doubles when
 * climbing did not last; further levels after a third of it each, as long as it stays calm: all five within ten seconds. Audio is never shed. Pure: the time is passed in. */
#ifndef WEIR_TRANSCODE_SHED_H
#define WEIR_TRANSCODE_SHED_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/transcode/ladder_plan.h>

#define SHED_PATIENCE_US 3000000 /* of calm, at first */

struct shed {
    uint32_t level, level_min /* admission's: not climbed above */, level_last;
    int64_t moved_us;    /* of the last step, either way */
    int64_t calm_us;     /* since when there has been room; -1: there is none */
    int64_t patience_us; /* how long it must be calm before a step up */
    int64_t climbed_us;  /* of the last step up; 0: none */
};

/* One reading of how the ladder is doing. */
struct shed_reading {
    int64_t now_us;
    int64_t backlog_us;    /* media time waiting in front of the decoder */
    bool has_overflowed;   /* frames or packets were dropped since the last reading */
    uint32_t busy_percent; /* of wall time, of the busiest thread of the ladder; above 100 never */
};

enum shed_step { SHED_STAY = 1, SHED_DOWN, SHED_UP };

uint32_t shed_level_last(const struct ladder_plan *plan);
void shed_init(struct shed *s, const struct ladder_plan *plan, uint32_t level_min, int64_t now_us);
/* The plan changed: levels are kept as far as they exist. */
void shed_replan(struct shed *s, const struct ladder_plan *plan, uint32_t level_min);
/* Admission has found room for a lower level: there at once, as a ladder that begins is. Should it not last, it is a climb that did not. */
void shed_admit(struct shed *s, uint32_t level_min, int64_t now_us);
enum shed_step shed_read(struct shed *s, const struct shed_reading *reading);

/* What a level means for one encoded rung. */
struct shed_rung {
    bool is_left_out;
    bool is_half_rate;
    uint32_t presets_faster;
};
struct shed_rung shed_rung_at(const struct ladder_plan *plan, size_t rung_index, uint32_t level);

#endif
