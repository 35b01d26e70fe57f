#include "segmenter.h"

#include <weir/base/limits.h>

#define TOLERANCE_90K 900 /* ten milliseconds: a keyframe that is a hair early is the one that was meant */

void segmenter_init(struct segmenter *s, int64_t target_us, int64_t max_us)
{
    *s = (struct segmenter){ .target_90k = target_us * 9 / 100, .max_90k = max_us * 9 / 100 };
    segmenter_restart(s);
}

void segmenter_restart(struct segmenter *s)
{
    s->has_open = false;
    s->is_startup = true;
    s->was_forced = false;
}

static enum cut decide(const struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                       enum frame_access access, size_t bytes)
{
    const int64_t by_pts = pts_90k - s->start_pts_90k, by_dts = dts_90k - s->start_dts_90k;
    const bool is_key = access == FRAME_IDR || (s->accepts_open && access != FRAME_INTER);
    if (is_key && by_pts >= s->target_90k - TOLERANCE_90K) return CUT_KEY;
    /* behind a forced cut, and at the start, the next keyframe brings the cuts back onto keyframes */
    if (is_key && (s->was_forced || s->is_startup) && by_pts >= SEGMENTER_SHORTEST_90K) return CUT_KEY;
    if (s->is_startup && by_dts >= SEGMENTER_STARTUP_90K) return CUT_FORCED;
    if (by_dts > 0 && by_dts + nominal_90k > s->max_90k) return CUT_FORCED;
    if (s->samples >= SEGMENT_SAMPLES_MAX || s->bytes + bytes > SEGMENT_BYTES_MAX) return CUT_FORCED;
    return CUT_NONE;
}

enum cut segmenter_decide(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                          enum frame_access access, size_t bytes)
{
    enum cut cut = CUT_NONE;
    if (!s->has_open) {
        s->accepts_open = access != FRAME_IDR;
    } else {
        cut = decide(s, dts_90k, pts_90k, nominal_90k, access, bytes);
    }
    if (!s->has_open || cut != CUT_NONE) {
        if (cut != CUT_NONE) s->is_startup = false;
        s->was_forced = cut == CUT_FORCED;
        s->has_open = true;
        s->start_dts_90k = dts_90k;
        s->start_pts_90k = pts_90k;
        s->samples = s->bytes = 0;
    }
    s->samples++;
    s->bytes += bytes;
    return cut;
}
