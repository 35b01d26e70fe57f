#include <weir/transcode/keyframe_plan.h>

#include <string.h>

void keyframe_plan_init(struct keyframe_plan *p, int64_t cadence_90k)
{
    *p = (struct keyframe_plan){ .cadence_90k = cadence_90k };
}

void keyframe_plan_restart(struct keyframe_plan *p)
{
    keyframe_plan_init(p, p->cadence_90k);
}

void keyframe_plan_note(struct keyframe_plan *p, int64_t pts_90k)
{
    if (p->cadence_90k) return;
    if (p->planned_count == LADDER_REORDER_MAX)
        memmove(p->planned_90k, p->planned_90k + 1, --p->planned_count * sizeof p->planned_90k[0]);
    size_t at = p->planned_count++;
    for (; at > 0 && p->planned_90k[at - 1] > pts_90k; at--) p->planned_90k[at] = p->planned_90k[at - 1];
    p->planned_90k[at] = pts_90k;
}

/* The cadence's stretch that a time falls into; rounds down below zero too. */
static int64_t stretch(const struct keyframe_plan *p, int64_t pts_90k)
{
    const int64_t down = pts_90k < 0 ? p->cadence_90k - 1 : 0;
    return (pts_90k - down) / p->cadence_90k;
}

static bool take_planned(struct keyframe_plan *p, int64_t pts_90k)
{
    size_t reached = 0;
    while (reached < p->planned_count && p->planned_90k[reached] <= pts_90k) reached++;
    p->planned_count -= reached;
    memmove(p->planned_90k, p->planned_90k + reached, p->planned_count * sizeof p->planned_90k[0]);
    return reached > 0;
}

bool keyframe_plan_take(struct keyframe_plan *p, int64_t pts_90k)
{
    const bool is_first = !p->has_last;
    const int64_t before_90k = p->last_90k;
    p->has_last = true;
    p->last_90k = pts_90k;
    const bool is_planned = p->cadence_90k ? !is_first && stretch(p, before_90k) != stretch(p, pts_90k)
                                           : take_planned(p, pts_90k);
    return is_first || is_planned;
}
