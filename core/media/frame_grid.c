#include "frame_grid.h"

#include <stddef.h>
#include <string.h>
#include <weir/base/err.h>

#define ROUNDING_90K 180       /* two milliseconds: what rounding to ms on both sides of an interval can do */
#define MEAN_ERROR_MAX_90K 360 /* four milliseconds of mean error, and always to the same side: this is not the rate */
#define ONE_SIDED_FRAMES 10
#define ERROR_FILTER 8
#define SLEW_DIVISOR 8
#define RATE_TOLERANCE_PPM 2000

static const struct {
    uint32_t num, den;
} known_rates[] = {
    { 24000, 1001 }, { 24, 1 },       { 25, 1 },  { 30000, 1001 },  { 30, 1 },  { 48, 1 },
    { 50, 1 },       { 60000, 1001 }, { 60, 1 },  { 10, 1 },        { 12, 1 },  { 15, 1 },
    { 20, 1 },       { 90, 1 },       { 100, 1 }, { 120000, 1001 }, { 120, 1 },
};

void frame_grid_tell(struct frame_grid *g, uint32_t num, uint32_t den)
{
    /* slower than one in two seconds or faster than 300: nobody's frame rate */
    if (!num || !den || num / den > 300 || (uint64_t)num * 2 < den) num = den = 0;
    if (g->told_num == num && g->told_den == den) return;
    g->told_num = num;
    g->told_den = den;
    g->was_rejected = false;
    g->num = num;
    g->den = den;
    g->has_place = false;
}

void frame_grid_restart(struct frame_grid *g)
{
    g->has_place = false;
    g->history_count = 0;
}

static int64_t grid_time(const struct frame_grid *g, int64_t index)
{
    return g->anchor_90k + index * 90000 * (int64_t)g->den / (int64_t)g->num;
}

uint32_t frame_grid_nominal_90k(const struct frame_grid *g)
{
    return g->num ? (uint32_t)(90000ull * g->den / g->num) : 0;
}

void frame_grid_rate(const struct frame_grid *g, uint32_t *num, uint32_t *den)
{
    *num = g->num;
    *den = g->den;
}

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

static int64_t divide_round(int64_t a, int64_t b)
{
    return a >= 0 ? (a + b / 2) / b : -((-a + b / 2) / b);
}

static void anchor(struct frame_grid *g, int64_t at_90k)
{
    g->anchor_90k = at_90k;
    g->index = 0;
    g->mean_error = 0;
    g->one_sided = 0;
    g->has_place = true;
}

static void give_up(struct frame_grid *g)
{
    g->was_rejected |= g->num == g->told_num && g->den == g->told_den;
    g->num = g->den = 0;
    g->history_count = 0;
}

/* Whether all of the history lies on the grid of this rate, first to last. */
static bool history_fits(const struct frame_grid *g, uint32_t num, uint32_t den)
{
    for (size_t i = 1; i < GRID_HISTORY; i++) {
        const int64_t since = g->history_90k[i] - g->history_90k[0];
        const int64_t frames = divide_round(since * num, 90000 * (int64_t)den);
        if (magnitude(since - frames * 90000 * (int64_t)den / num) > ROUNDING_90K) return false;
    }
    return true;
}

/* Looks for a known rate in the last frames. */
static void search(struct frame_grid *g)
{
    int64_t steps[GRID_HISTORY - 1], shortest = INT64_MAX;
    for (size_t i = 1; i < GRID_HISTORY; i++) {
        steps[i - 1] = g->history_90k[i] - g->history_90k[i - 1];
        if (steps[i - 1] < shortest) shortest = steps[i - 1];
    }
    if (shortest <= ROUNDING_90K) return;
    /* frames may be missing: count each step in multiples of the shortest */
    int64_t frames = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) frames += divide_round(steps[i], shortest);
    const int64_t span = g->history_90k[GRID_HISTORY - 1] - g->history_90k[0];
    size_t best = ARRAY_LEN(known_rates);
    int64_t best_ppm = RATE_TOLERANCE_PPM;
    for (size_t i = 0; i < ARRAY_LEN(known_rates); i++) {
        const int64_t expected = frames * 90000 * (int64_t)known_rates[i].den / (int64_t)known_rates[i].num;
        const int64_t off_ppm = magnitude(span - expected) * 1000000 / span;
        if (off_ppm < best_ppm && history_fits(g, known_rates[i].num, known_rates[i].den)) {
            best = i;
            best_ppm = off_ppm;
        }
    }
    if (best == ARRAY_LEN(known_rates)) return;
    g->num = known_rates[best].num;
    g->den = known_rates[best].den;
}

static void remember(struct frame_grid *g, int64_t in_90k)
{
    if (g->history_count == GRID_HISTORY) {
        memmove(g->history_90k, g->history_90k + 1, sizeof g->history_90k - sizeof g->history_90k[0]);
        g->history_count--;
    }
    g->history_90k[g->history_count++] = in_90k;
}

static int64_t place_free(struct frame_grid *g, int64_t in_90k)
{
    remember(g, in_90k);
    if (g->history_count == GRID_HISTORY) {
        search(g);
        if (g->num)
            anchor(g, in_90k);
        else
            g->history_count = GRID_HISTORY / 2; /* look again when half of it is new */
    }
    return in_90k;
}

int64_t frame_grid_place(struct frame_grid *g, int64_t in_90k, enum grid_repair *repair)
{
    *repair = GRID_NONE;
    if (!g->num && g->told_num && !g->was_rejected && !g->has_place) g->num = g->told_num, g->den = g->told_den;
    if (!g->num) return place_free(g, in_90k);
    if (!g->has_place) {
        anchor(g, in_90k);
        return in_90k;
    }
    const int64_t since = in_90k - grid_time(g, g->index);
    int64_t frames = divide_round(since * g->num, 90000 * (int64_t)g->den);
    if (frames < 1) frames = 1;
    g->index += frames;
    int64_t at = grid_time(g, g->index);
    const int64_t error = in_90k - at;
    g->mean_error += (error * 256 - g->mean_error) / ERROR_FILTER;
    const int64_t mean = g->mean_error / 256;
    const bool is_fit = magnitude(error) <= ROUNDING_90K;
    if (!is_fit) *repair = GRID_JITTER;
    /* jitter errs to both sides, a wrong rate to one */
    g->one_sided = (g->one_sided > 0) == (error > 0) ? g->one_sided + (error > 0 ? 1 : -1) : error > 0 ? 1 : -1;
    if (magnitude(mean) > MEAN_ERROR_MAX_90K && magnitude(g->one_sided) >= ONE_SIDED_FRAMES) {
        give_up(g);
        remember(g, in_90k);
        return in_90k;
    }
    if (magnitude(mean) > ROUNDING_90K / 2) {
        /* the clocks differ by a little: let the grid follow */
        const int64_t by = mean / SLEW_DIVISOR;
        g->anchor_90k += by;
        g->mean_error -= by * 256;
        at += by;
        if (is_fit && by) *repair = GRID_DRIFT;
    }
    /* long streams: keep index small so that the product never overflows */
    if (g->index > 1 << 24) {
        g->anchor_90k = at;
        g->index = 0;
    }
    return at;
}

int64_t frame_grid_snap(const struct frame_grid *g, int64_t dts_90k, int64_t composition_90k)
{
    if (!g->num || !g->has_place) return dts_90k + composition_90k;
    const int64_t frames = divide_round(composition_90k * g->num, 90000 * (int64_t)g->den);
    const int64_t snapped = grid_time(g, g->index + frames);
    const int64_t raw = dts_90k + composition_90k;
    if (magnitude(snapped - raw) > ROUNDING_90K || snapped < dts_90k) return raw;
    return snapped;
}
