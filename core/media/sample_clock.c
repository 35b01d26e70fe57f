#include "sample_clock.h"

#include <assert.h>

#define HOLE_US (100 * 1000)   /* above: a hole or an overlap, below: jitter or drift */
#define DEADBAND_US (5 * 1000) /* mean error that is left alone: jitter, wire rounding */
#define FILTER 8               /* frames over which the error is averaged */
#define SLEW_FRACTION 16       /* a frame's duration moves by at most 1/16 */

void sample_clock_set_rate(struct sample_clock *c, uint32_t sample_rate)
{
    if (c->sample_rate != sample_rate) c->has_next = false;
    c->sample_rate = sample_rate;
}

void sample_clock_restart(struct sample_clock *c)
{
    c->has_next = false;
}

static int64_t us_to_samples(const struct sample_clock *c, int64_t us)
{
    return us * (int64_t)c->sample_rate / 1000000;
}

/* Moves the counter towards the wire clock when the mean error says that it drifts. */
static enum sample_repair slew(struct sample_clock *c, uint32_t samples, int64_t error)
{
    c->mean_error += (error * 256 - c->mean_error) / FILTER;
    const int64_t mean = c->mean_error / 256, deadband = us_to_samples(c, DEADBAND_US);
    if (mean <= deadband && mean >= -deadband) return SAMPLE_NONE;
    const int64_t most = samples / SLEW_FRACTION;
    int64_t by = mean / FILTER;
    by = by > most ? most : by < -most ? -most : by;
    c->next += by;
    c->mean_error -= by * 256;
    return SAMPLE_DRIFT;
}

enum sample_repair sample_clock_place(struct sample_clock *c, int64_t wanted_90k, uint32_t samples, bool may_overlap,
                                      int64_t *pts_samples)
{
    assert(c->sample_rate > 0 && samples > 0);
    const int64_t wanted = (wanted_90k * (int64_t)c->sample_rate + 45000) / 90000, hole = us_to_samples(c, HOLE_US);
    if (!c->has_next) {
        c->next = wanted;
        c->has_next = true;
        c->mean_error = 0;
    }
    const int64_t error = wanted - c->next;
    enum sample_repair repair = SAMPLE_NONE;
    if (error < -hole && !may_overlap) return SAMPLE_OVERLAP;
    if (error > hole) {
        c->next = wanted;
        c->mean_error = 0;
        repair = SAMPLE_GAP;
    } else {
        repair = slew(c, samples, error);
    }
    *pts_samples = c->next;
    c->next += samples;
    return repair;
}

int64_t sample_clock_to_90k(const struct sample_clock *c, int64_t samples)
{
    return samples * 90000 / (int64_t)c->sample_rate;
}
