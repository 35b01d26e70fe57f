/* Does a series grow? The slope of Theil and Sen: the median of the slopes between all pairs of points, which outliers and steps do not move,
 * with the confidence interval that Kendall's statistic gives (Sen 1968). Samples of a process follow each other closely, which makes
 * any such interval too narrow; so the series is first cut into at most TREND_BINS bins, of which each is its median. Pure; thread: any. */
#ifndef WEIR_LOADGEN_TREND_H
#define WEIR_LOADGEN_TREND_H

#include <stdbool.h>
#include <stddef.h>

#define TREND_BINS 96

struct trend_point {
    double at_s, value;
};

struct trend {
    bool is_known;           /* there were at least eight points */
    double slope, low, high; /* per second; low and high: 95 % */
    double first, last;      /* medians of the first and the last eighth */
    size_t bins;
};

/* points: in order of time. */
struct trend trend_of(const struct trend_point *points, size_t count);
double median_of(double *values, size_t count); /* sorts them; count > 0 */

#endif
