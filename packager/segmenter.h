/* segmenter: where to cut. A pure function of times and of where keyframes are (see docs/architecture.md, "Cutting"). */
#ifndef WEIR_PACKAGER_SEGMENTER_H
#define WEIR_PACKAGER_SEGMENTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/media/codec.h>

#include "epoch_clock.h"

/* A stream that just began is cut early once, so that players have something within a second of the first keyframe; with parts
 * after the first one, but no sooner than STARTUP_LEAST. */
#define SEGMENTER_STARTUP_90K (90000 * 9 / 10)
#define SEGMENTER_STARTUP_LEAST_90K (90000 / 4)
#define SEGMENTER_SHORTEST_90K (90000 / 2) /* in front of a keyframe that does not have to cut */

enum cut { CUT_NONE = 1, CUT_KEY, CUT_FORCED };

struct segmenter {
    int64_t target_90k, max_90k, part_90k /* 0: no parts */, startup_90k;
    int64_t start_dts_90k, start_pts_90k; /* of the open segment */
    /* the order of pictures: those that lead are shown behind all that came before them */
    bool has_shown;
    int64_t shown_pts_90k, lead_dts_90k; /* latest to be shown; of the last one that led */
    unsigned behind;                     /* pictures since then */
    int64_t run_90k; /* longest from one that leads to the next, with others between; 0: there are none */
    size_t samples, bytes;
    bool has_open, is_startup, was_forced;
    bool accepts_open; /* the era was entered without an IDR: other entries cut too */
    /* the rhythm of keyframes */
    bool has_key;
    int64_t last_key_dts_90k, last_distance_90k, key_delay_90k; /* delay: from decoding to being shown */
    int64_t gop_90k;                                            /* expected to the next keyframe; 0: no rhythm */
    /* on a grid: one segment begins in each cell, with its first keyframe; where it has none, with its last frame */
    const struct epoch_clock *epoch; /* lent; NULL: no grid */
    int64_t cell;                    /* of the open segment, or the last one: its number. INT64_MIN: none yet */
};

/* part_us: 0 without low latency. */
void segmenter_init(struct segmenter *s, int64_t target_us, int64_t max_us, int64_t part_us);
/* From the first frame on. epoch: lent, its cells as long as the target. */
void segmenter_set_grid(struct segmenter *s, const struct epoch_clock *epoch);
/* A new era: what comes next opens a segment. */
void segmenter_restart(struct segmenter *s);
/* Whether to cut before this frame; counts the frame into the segment that it belongs to. */
enum cut segmenter_decide(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                          enum frame_access access, size_t bytes);
/* After CUT_NONE for this keyframe: it is a cut all the same. */
void segmenter_cut_early(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, size_t bytes);
/* After a keyframe: how long its part should be, so that whole parts fit behind it up to the next keyframe of the same segment.
 * 0: as long as any. The part that begins with the keyframe is independent, and may be short. */
int64_t segmenter_first_part_90k(const struct segmenter *s, uint32_t nominal_90k);

#endif
