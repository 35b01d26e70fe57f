#include <weir/transcode/shed.h>

#include <weir/base/limits.h>

#define HIGH_US 700000    /* a backlog that a short stall does not leave */
#define LOW_US 150000     /* and one that is no backlog */
#define SETTLE_US 2000000 /* until a step shows its effect */
#define PATIENCE_US_MAX (120 * 1000000LL)
#define RELAPSE_US 30000000 /* climbing that lasted less than this was a mistake */
#define BUSY_PERCENT_MAX 70 /* above this a step up would not last */
#define STRIDE 3            /* once it climbs and stays calm, it climbs on after this part of its patience */

static uint32_t encoded_count(const struct ladder_plan *plan)
{
    return (uint32_t)plan->encoded_count;
}

uint32_t shed_level_last(const struct ladder_plan *plan)
{
    if (!encoded_count(plan)) return 0;
    return 2 + (encoded_count(plan) - 1) + (plan->has_passthrough ? 1 : 0);
}

void shed_init(struct shed *s, const struct ladder_plan *plan, uint32_t level_min, int64_t now_us)
{
    *s = (struct shed){ .moved_us = now_us, .calm_us = -1, .patience_us = SHED_PATIENCE_US };
    shed_replan(s, plan, level_min);
}

void shed_replan(struct shed *s, const struct ladder_plan *plan, uint32_t level_min)
{
    s->level_last = shed_level_last(plan);
    s->level_min = level_min < s->level_last ? level_min : s->level_last;
    if (s->level > s->level_last) s->level = s->level_last;
    if (s->level < s->level_min) s->level = s->level_min;
}

void shed_admit(struct shed *s, uint32_t level_min, int64_t now_us)
{
    s->level = s->level_min = level_min;
    s->moved_us = s->climbed_us = now_us;
    s->calm_us = -1;
}

static enum shed_step step_down(struct shed *s, int64_t now_us)
{
    s->calm_us = -1;
    if (s->level == s->level_last || now_us - s->moved_us < SETTLE_US) return SHED_STAY;
    if (s->climbed_us && now_us - s->climbed_us < RELAPSE_US) {
        s->patience_us = s->patience_us * 2 < PATIENCE_US_MAX ? s->patience_us * 2 : PATIENCE_US_MAX;
        s->climbed_us = 0;
    }
    s->level++;
    s->moved_us = now_us;
    return SHED_DOWN;
}

static enum shed_step step_up(struct shed *s, int64_t now_us)
{
    if (s->level == s->level_min) return SHED_STAY;
    if (s->calm_us < 0) s->calm_us = now_us;
    if (now_us - s->calm_us < (s->climbed_us ? s->patience_us / STRIDE : s->patience_us)) return SHED_STAY;
    s->level--;
    s->moved_us = s->climbed_us = now_us;
    s->calm_us = -1;
    return SHED_UP;
}

enum shed_step shed_read(struct shed *s, const struct shed_reading *r)
{
    if (s->climbed_us && r->now_us - s->climbed_us >= RELAPSE_US) {
        s->climbed_us = 0; /* it lasted */
        s->patience_us = SHED_PATIENCE_US;
    }
    if (r->has_overflowed || r->backlog_us > HIGH_US) return step_down(s, r->now_us);
    if (r->backlog_us <= LOW_US && r->busy_percent <= BUSY_PERCENT_MAX) return step_up(s, r->now_us);
    s->calm_us = -1;
    return SHED_STAY;
}

struct shed_rung shed_rung_at(const struct ladder_plan *plan, size_t rung_index, uint32_t level)
{
    const struct rung_plan *r = &plan->rungs[rung_index];
    struct shed_rung out = { .is_left_out = false };
    if (r->kind != RUNG_ENCODED) return out;
    uint32_t rank = 0; /* among the encoded, largest first */
    for (size_t i = 0; i < rung_index; i++) rank += plan->rungs[i].kind == RUNG_ENCODED;
    const bool is_smallest = rank + 1 == encoded_count(plan);
    out.presets_faster = level >= 1;
    out.is_half_rate = level >= 2 && !is_smallest;
    out.is_left_out = level >= 3 && rank < level - 2;
    return out;
}
