#include <weir/loadgen/trend.h>

#include <math.h>
#include <stdlib.h>

#define LEAST_POINTS 8
#define NORMAL_95 1.959964

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Bins of the same number of points. */
static size_t bin_points(const struct trend_point *points, size_t count, struct trend_point bins[TREND_BINS],
                         double *scratch)
{
    const size_t bin_count = count < TREND_BINS ? count : TREND_BINS;
    for (size_t b = 0; b < bin_count; b++) {
        const size_t first = b * count / bin_count, end = (b + 1) * count / bin_count;
        double at_s = 0;
        for (size_t i = first; i < end; i++) {
            at_s += points[i].at_s;
            scratch[i - first] = points[i].value;
        }
        bins[b] = (struct trend_point){ at_s / (double)(end - first), median_of(scratch, end - first) };
    }
    return bin_count;
}

static double median_of_values(const struct trend_point *bins, size_t count, double *scratch)
{
    for (size_t i = 0; i < count; i++) scratch[i] = bins[i].value;
    return median_of(scratch, count);
}

static size_t pair_slopes(const struct trend_point *bins, size_t count, double *slopes)
{
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            if (bins[k].at_s > bins[i].at_s)
                slopes[pairs++] = (bins[k].value - bins[i].value) / (bins[k].at_s - bins[i].at_s);
        }
    }
    return pairs;
}

static void fit(const struct trend_point *bins, size_t count, double *slopes, struct trend *t)
{
    const size_t pairs = pair_slopes(bins, count, slopes);
    if (!pairs) return;
    const double n = (double)count, spread = NORMAL_95 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
    const double below = ((double)pairs - spread) / 2, above = ((double)pairs + spread) / 2;
    t->slope = median_of(slopes, pairs); /* sorted from here on */
    t->low = slopes[below < 0 ? 0 : (size_t)below];
    t->high = slopes[above >= (double)pairs ? pairs - 1 : (size_t)above];
    t->is_known = true;
}

struct trend trend_of(const struct trend_point *points, size_t count)
{
    struct trend t = { .is_known = false };
    struct trend_point bins[TREND_BINS];
    const size_t scratch_count = count > TREND_BINS * TREND_BINS / 2 ? count : TREND_BINS * TREND_BINS / 2;
    if (count < LEAST_POINTS) return t;
    double *scratch = calloc(scratch_count, sizeof *scratch);
    if (!scratch) return t;
    t.bins = bin_points(points, count, bins, scratch);
    const size_t eighth = (t.bins + 7) / 8;
    t.first = median_of_values(bins, eighth, scratch);
    t.last = median_of_values(bins + t.bins - eighth, eighth, scratch);
    fit(bins, t.bins, scratch, &t);
    free(scratch);
    return t;
}
