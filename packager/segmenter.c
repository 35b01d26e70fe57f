#include "segmenter.h"

#include <weir/base/limits.h>

#define RUN_90K_MAX 90000 /* longer is a hole, no order */
#define TOLERANCE_90K 900 /* ten milliseconds: a keyframe that is a hair early is the one that was meant */

void segmenter_init(struct segmenter *s, int64_t target_us, int64_t max_us, int64_t part_us)
{
    *s = (struct segmenter){ .target_90k = target_us * 9 / 100,
                             .max_90k = max_us * 9 / 100,
                             .part_90k = part_us * 9 / 100,
                             .startup_90k = SEGMENTER_STARTUP_90K };
    if (s->part_90k)
        s->startup_90k = s->part_90k > SEGMENTER_STARTUP_LEAST_90K ? s->part_90k : SEGMENTER_STARTUP_LEAST_90K;
    segmenter_restart(s);
}

void segmenter_set_grid(struct segmenter *s, const struct epoch_clock *epoch)
{
    s->epoch = epoch;
    s->cell = INT64_MIN;
}

void segmenter_restart(struct segmenter *s)
{
    s->has_open = false;
    s->is_startup = true;
    s->was_forced = false;
    s->has_key = s->has_shown = false;
    s->run_90k = 0;
    s->gop_90k = s->last_distance_90k = 0;
}

static bool is_key(const struct segmenter *s, enum frame_access access)
{
    return access == FRAME_IDR || (s->accepts_open && access != FRAME_INTER);
}

/* Two equal distances are a rhythm. */
static void note_key(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k)
{
    const int64_t distance = s->has_key ? dts_90k - s->last_key_dts_90k : 0;
    const int64_t off = distance - s->last_distance_90k, tolerance = nominal_90k / 2;
    s->gop_90k = distance && off <= tolerance && off >= -tolerance ? distance : 0;
    s->last_distance_90k = distance;
    s->last_key_dts_90k = dts_90k;
    s->key_delay_90k = pts_90k - dts_90k;
    s->has_key = true;
}

static bool leads(const struct segmenter *s, int64_t pts_90k)
{
    return !s->has_shown || pts_90k > s->shown_pts_90k;
}

static void note_order(struct segmenter *s, int64_t dts_90k, int64_t pts_90k)
{
    if (!leads(s, pts_90k)) {
        s->behind++;
        return;
    }
    const int64_t run_90k = dts_90k - s->lead_dts_90k;
    if (s->has_shown && s->behind && run_90k > s->run_90k && run_90k <= RUN_90K_MAX) s->run_90k = run_90k;
    s->behind = 0;
    s->has_shown = true;
    s->shown_pts_90k = pts_90k;
    s->lead_dts_90k = dts_90k;
}

/* How much longer the segment is when it goes on here: by this frame, or by all up to the next that leads. A cut in front of one that does not
 * lead would part pictures that are shown the other way round. */
static int64_t next_step_90k(const struct segmenter *s, int64_t pts_90k, uint32_t nominal_90k)
{
    return leads(s, pts_90k) && s->run_90k > nominal_90k ? s->run_90k : nominal_90k;
}

static bool is_full(const struct segmenter *s, size_t bytes)
{
    return s->samples >= SEGMENT_SAMPLES_MAX || s->bytes + bytes > SEGMENT_BYTES_MAX;
}

/* The last cell in which nothing comes behind this frame, so that no keyframe is waited for any more. */
static int64_t overdue_cell(const struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k)
{
    const int64_t step_90k = next_step_90k(s, pts_90k, nominal_90k);
    return epoch_clock_cell(s->epoch, dts_90k + s->key_delay_90k + step_90k) - 1;
}

static enum cut decide_on_grid(const struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                               enum frame_access access, size_t bytes)
{
    const int64_t by_dts = dts_90k - s->start_dts_90k;
    const bool may_cut = is_key(s, access);
    if (may_cut && epoch_clock_cell(s->epoch, pts_90k) > s->cell) return CUT_KEY;
    /* its number is ahead of the time: it stays open for longer, until that has caught up */
    if (by_dts > 0 && by_dts + next_step_90k(s, pts_90k, nominal_90k) > s->max_90k)
        return may_cut ? CUT_KEY : CUT_FORCED;
    if (leads(s, pts_90k) && overdue_cell(s, dts_90k, pts_90k, nominal_90k) > s->cell) return CUT_FORCED;
    return is_full(s, bytes) ? CUT_FORCED : CUT_NONE;
}

static int64_t next_cell(const struct segmenter *s, enum cut cut, int64_t dts_90k, int64_t pts_90k,
                         uint32_t nominal_90k)
{
    const int64_t cell = cut == CUT_FORCED ? overdue_cell(s, dts_90k, pts_90k, nominal_90k)
                                           : epoch_clock_cell(s->epoch, pts_90k);
    return cell > s->cell ? cell : s->cell + 1;
}

static enum cut decide(const struct segmenter *s, int64_t dts_90k, int64_t pts_90k, uint32_t nominal_90k,
                       enum frame_access access, size_t bytes)
{
    if (s->epoch) return decide_on_grid(s, dts_90k, pts_90k, nominal_90k, access, bytes);
    const int64_t by_pts = pts_90k - s->start_pts_90k, by_dts = dts_90k - s->start_dts_90k;
    const bool may_cut = is_key(s, access);
    if (may_cut && by_pts >= s->target_90k - TOLERANCE_90K) return CUT_KEY;
    /* behind a forced cut, and at the start, the next keyframe brings the cuts back onto keyframes */
    if (may_cut && (s->was_forced || s->is_startup) && by_pts >= SEGMENTER_SHORTEST_90K) return CUT_KEY;
    if (s->is_startup && by_dts >= s->startup_90k && leads(s, pts_90k)) return CUT_FORCED;
    if (by_dts > 0 && by_dts + next_step_90k(s, pts_90k, nominal_90k) > s->max_90k) return CUT_FORCED;
    return is_full(s, bytes) ? CUT_FORCED : CUT_NONE;
}

static void open_segment(struct segmenter *s, int64_t dts_90k, int64_t pts_90k)
{
    s->has_open = true;
    s->start_dts_90k = dts_90k;
    s->start_pts_90k = pts_90k;
    s->samples = s->bytes = 0;
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
        if (s->epoch) s->cell = next_cell(s, cut, dts_90k, pts_90k, nominal_90k);
        open_segment(s, dts_90k, pts_90k);
    }
    if (is_key(s, access)) note_key(s, dts_90k, pts_90k, nominal_90k);
    note_order(s, dts_90k, pts_90k);
    s->samples++;
    s->bytes += bytes;
    return cut;
}

void segmenter_cut_early(struct segmenter *s, int64_t dts_90k, int64_t pts_90k, size_t bytes)
{
    s->is_startup = s->was_forced = false;
    open_segment(s, dts_90k, pts_90k);
    s->samples = 1;
    s->bytes = bytes;
}

/* Whether the keyframe that is expected next ends the segment. */
static bool next_key_cuts(const struct segmenter *s)
{
    const int64_t by_dts = s->last_key_dts_90k + s->gop_90k - s->start_dts_90k;
    if (s->epoch) return epoch_clock_cell(s->epoch, s->start_dts_90k + by_dts + s->key_delay_90k) > s->cell;
    if (s->was_forced || s->is_startup) return by_dts >= SEGMENTER_SHORTEST_90K;
    return by_dts >= s->target_90k - TOLERANCE_90K;
}

int64_t segmenter_first_part_90k(const struct segmenter *s, uint32_t nominal_90k)
{
    if (!s->part_90k || !s->gop_90k || !nominal_90k || s->gop_90k <= s->part_90k || next_key_cuts(s)) return 0;
    const int64_t least_90k = s->part_90k * 85 / 100;
    int64_t whole_90k = s->part_90k / nominal_90k * nominal_90k;
    if (whole_90k < least_90k) whole_90k = s->part_90k; /* frames are cut to fit */
    const int64_t rest_90k = s->gop_90k % whole_90k, tolerance = nominal_90k / 2;
    /* what is left at the end would be long enough by itself, or nothing */
    if (rest_90k >= least_90k || rest_90k < tolerance || whole_90k - rest_90k < tolerance) return 0;
    return rest_90k;
}
