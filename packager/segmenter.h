/* segmenter: where to cut. A pure function of times and of where keyframes are (see docs/architecture.md, "Cutting"). */
#ifndef WEIR_PACKAGER_SEGMENTER_H
#define WEIR_PACKAGER_SEGMENTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/media/codec.h>

/* A stream that just began is cut early once, so that players have something within a second of the first keyframe. */
#define SEGMENTER_STARTUP_90K (90000 * 9 / 10)
#define SEGMENTER_SHORTEST_90K (90000 / 2)

enum cut { CUT_NONE = 1, CUT_KEY, CUT_FORCED };

struct segmenter {
    int64_t target_90k, max_90k;
    int64_t start_dts_90k, start_pts_90k; /* of the open segment */
    size_t samples, bytes;
    bool has_open, is_startup, was_forced;
    bool accepts_open; /* the era was entered without an IDR: other entries cut too */
};

void segmenter_init(struct segmenter *s, int64_t target_us, int64_t max_us);
/* A new era: what comes next opens a segment. */
void segmenter_restart(struct segmenter *s);
/* Whether to cut before this frame; counts the frame into the segment that it belongs to. */
enum cut segmenter_decide(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                          enum frame_access access, size_t bytes);

#endif
