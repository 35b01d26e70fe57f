/* frame_pick: which frames a rung with a lower rate gets. Frames are left out by whole numbers (one in two of 59.94) and never
 * re-timed; a keyframe is always taken, and the counting begins anew with it, so that all rungs take the same ones.
 * Pure; thread: the worker's. */
#ifndef WEIR_TRANSCODE_FRAME_PICK_H
#define WEIR_TRANSCODE_FRAME_PICK_H

#include <stdbool.h>
#include <stdint.h>

struct frame_pick {
    uint32_t keep_one_in;
    uint32_t fps_num, fps_den; /* of the source; 0/0: not known, then frames are counted */
    int64_t anchor_90k;        /* the last keyframe */
    int64_t slot;              /* the last one that a frame was taken for; slots are keep_one_in frames long */
    uint32_t counted;          /* frames since the anchor, where the rate is not known */
    bool has_anchor;
};

void frame_pick_init(struct frame_pick *p, uint32_t keep_one_in, uint32_t fps_num, uint32_t fps_den);
/* In presentation order, each of the source's frames once. */
bool frame_pick_take(struct frame_pick *p, int64_t pts_90k, bool is_key);

#endif
