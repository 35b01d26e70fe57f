/* keyframe_plan: which frames every encoder must make an IDR of (docs/architecture.md, "Keyframes of a ladder").
 *
 * Where the source itself is one of the renditions, its own entries and cuts are the plan: the worker notes them as packets go
 * into the decoder, and asks as frames come out of it. Where no rendition is the source, the plan is a fixed cadence of stream
 * time. Either way the answer is a function of presentation times alone: the first frame at or after a planned time, so that a
 * frame that was lost shifts nothing but itself. Pure; thread: the worker's. */
#ifndef WEIR_TRANSCODE_KEYFRAME_PLAN_H
#define WEIR_TRANSCODE_KEYFRAME_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/limits.h>

struct keyframe_plan {
    int64_t cadence_90k;                     /* 0: the source's own */
    int64_t planned_90k[LADDER_REORDER_MAX]; /* noted and not yet reached, rising */
    size_t planned_count;
    int64_t last_90k;
    bool has_last;
};

void keyframe_plan_init(struct keyframe_plan *p, int64_t cadence_90k);
/* A new era or a decoder that begins anew: the next frame is a keyframe. What was noted is forgotten. */
void keyframe_plan_restart(struct keyframe_plan *p);
/* The source has an entry, or is cut, at this presentation time. In decoding order. Past LADDER_REORDER_MAX the earliest is given
 * up: a decoder that holds more frames than that has lost them. */
void keyframe_plan_note(struct keyframe_plan *p, int64_t pts_90k);
/* Whether the frame that now leaves the decoder is to be a keyframe. In presentation order, each frame once. */
bool keyframe_plan_take(struct keyframe_plan *p, int64_t pts_90k);

#endif
