#include "input_age.h"

#define SPAN_US (60 * 1000000LL) /* at 100 ppm clocks drift 12 ms apart in two of them */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t input_age_note(struct input_age *a, uint32_t era, int64_t dts_90k, int64_t arrival_us)
{
    const int64_t behind_us = arrival_us - dts_90k * 100 / 9;
    if (!a->has_begun || a->era != era) {
        *a = (struct input_age){ .has_begun = true, .era = era, .span_start_us = arrival_us };
        a->now.best_us = a->before.best_us = behind_us;
    }
    if (arrival_us - a->span_start_us >= SPAN_US) {
        a->before = a->now;
        a->now = (struct input_age_span){ .best_us = behind_us };
        a->span_start_us = arrival_us;
    }
    a->now.best_us = least(a->now.best_us, behind_us);
    const int64_t age_us = behind_us - least(a->now.best_us, a->before.best_us);
    a->now.peak_us = most(a->now.peak_us, age_us);
    return age_us;
}

int64_t input_age_peak_us(const struct input_age *a)
{
    return most(a->now.peak_us, a->before.peak_us);
}
