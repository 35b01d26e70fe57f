#include "epoch_clock.h"

#define TOLERANCE_90K 900 /* a keyframe that is a hair in front of its cell is the one that was meant */
#define BELIEVED_US (86400 * 1000000LL)

static int64_t to_epoch_90k(int64_t wall_us)
{
    return (wall_us - EPOCH_WALL_US) / 100 * 9 + (wall_us - EPOCH_WALL_US) % 100 * 9 / 100;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

void epoch_clock_init(struct epoch_clock *c, int64_t cell_us)
{
    *c = (struct epoch_clock){ .cell_90k = cell_us * 9 / 100 };
    epoch_clock_lose(c);
}

void epoch_clock_lose(struct epoch_clock *c)
{
    c->is_joining = true;
    c->met_cell = INT64_MIN;
}

void epoch_clock_begin_era(struct epoch_clock *c, int64_t start_90k, int64_t wall_us)
{
    c->is_told = false;
    c->offset_90k = to_epoch_90k(wall_us) - start_90k;
}

bool epoch_clock_hear(struct epoch_clock *c, int64_t pts_90k, int64_t taken_us, int64_t wall_us)
{
    if (taken_us < EPOCH_WALL_US || distance(taken_us, wall_us) > BELIEVED_US) return false;
    const int64_t offset_90k = to_epoch_90k(taken_us) - pts_90k;
    /* it follows the encoder's clock, also where that drifts from the stream's; a jump would tear a hole, or stretch a segment */
    if (c->is_told && distance(offset_90k, c->offset_90k) > c->cell_90k / 4) return false;
    c->offset_90k = offset_90k;
    c->is_told = true;
    return true;
}

int64_t epoch_clock_at(const struct epoch_clock *c, int64_t pts_90k)
{
    return pts_90k + c->offset_90k;
}

int64_t epoch_clock_cell(const struct epoch_clock *c, int64_t pts_90k)
{
    const int64_t at_90k = epoch_clock_at(c, pts_90k) + TOLERANCE_90K;
    return at_90k > 0 ? at_90k / c->cell_90k : 0;
}

bool epoch_clock_may_begin(struct epoch_clock *c, int64_t pts_90k)
{
    if (!c->cell_90k || !c->is_joining) return true;
    const int64_t cell = epoch_clock_cell(c, pts_90k);
    const int64_t into_90k = epoch_clock_at(c, pts_90k) + TOLERANCE_90K - cell * c->cell_90k;
    const bool is_first = c->met_cell != INT64_MIN && cell > c->met_cell;
    c->met_cell = cell;
    if (!is_first && into_90k > 2 * TOLERANCE_90K) return false;
    c->is_joining = false;
    return true;
}

void epoch_clock_move(struct epoch_clock *c, int64_t pts_90k, int64_t next)
{
    c->offset_90k -= (epoch_clock_cell(c, pts_90k) - next) * c->cell_90k;
    c->is_told = true; /* what the encoder says from here on is a jump */
}

uint32_t epoch_clock_run(int64_t pts_90k, int64_t taken_us)
{
    /* the finisher of splitmix64 */
    uint64_t z = (uint64_t)taken_us * 0x9E3779B97F4A7C15u + (uint64_t)pts_90k;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}
