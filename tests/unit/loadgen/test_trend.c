/* Slopes and their confidence: what grows is found through noise and steps, what does not grow is not. And histograms. */
#include "hex.h"

#include <math.h>
#include <stdlib.h>
#include <weir/base/err.h>
#include <weir/loadgen/histogram.h>
#include <weir/loadgen/trend.h>

#define POINTS 3600

/* A fixed sequence, so that the test is the same each time. */
static double noise(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return (double)(*state >> 8) / (1u << 24) - 0.5;
}

static struct trend_point *series(double slope, double spread, double step)
{
    unsigned state = 7;
    struct trend_point *p = calloc(POINTS, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < POINTS; i++)
        p[i] = (struct trend_point){ i, 100 + slope * i + spread * noise(&state) + (i % 600 == 17 ? 50 : 0) +
                                            (i > POINTS / 2 ? step : 0) };
    return p;
}

static void what_grows_is_found(void **unused_state)
{
    struct trend_point *p = series(0.001, 4, 0);
    const struct trend t = trend_of(p, POINTS);
    assert_true(t.is_known && t.bins == TREND_BINS);
    assert_true(fabs(t.slope - 0.001) < 0.0002);
    assert_true(t.low < 0.001 && 0.001 < t.high && t.low > 0.0005 && t.high < 0.0015);
    assert_true(t.last > t.first + 2.5);
    free(p);
}

static void what_does_not_grow_is_not(void **unused_state)
{
    struct trend_point *p = series(0, 4, 0);
    const struct trend t = trend_of(p, POINTS);
    assert_true(t.is_known && t.low < 0 && t.high > 0);
    assert_true(t.high * 3600 < 1); /* as the soak's threshold asks */
    free(p);
}

static void few_points_tell_nothing(void **unused_state)
{
    const struct trend_point same[] = {
        { 1, 1 }, { 1, 2 }, { 1, 3 }, { 1, 4 }, { 1, 5 }, { 1, 6 }, { 1, 7 }, { 1, 8 }
    };
    assert_false(trend_of(NULL, 0).is_known);
    assert_false(trend_of(same, 7).is_known);
    assert_false(trend_of(same, 8).is_known); /* all at one time */
}

static void a_straight_line_is_exact(void **unused_state)
{
    struct trend_point p[10];
    for (int i = 0; i < 10; i++) p[i] = (struct trend_point){ i * 2, 5 + i * 3 };
    const struct trend t = trend_of(p, 10);
    assert_true(t.is_known && t.slope == 1.5 && t.low == 1.5 && t.high == 1.5);
}

static void percentiles_are_within_three_percent(void **unused_state)
{
    static struct histogram h, more;
    histogram_clear(&h);
    histogram_clear(&more);
    assert_int_equal(histogram_percentile_us(&h, 50), -1);
    for (int64_t i = 1; i <= 100000; i++) histogram_add(i % 2 ? &h : &more, i * 10);
    histogram_merge(&h, &more);
    for (double percent = 1; percent <= 99; percent += 7) {
        const double got = (double)histogram_percentile_us(&h, percent), wanted = percent * 10000;
        assert_true(got >= wanted * 0.999 && got <= wanted * 1.032);
    }
    assert_int_equal(histogram_percentile_us(&h, 100), 1000000);
    assert_int_equal(h.max_us, 1000000);
    histogram_add(&h, -5);
    histogram_add(&h, INT64_MAX / 2);
    assert_int_equal(histogram_percentile_us(&h, 0), 0);
    assert_int_equal(h.count, 100002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_grows_is_found),
        cmocka_unit_test(what_does_not_grow_is_not),
        cmocka_unit_test(few_points_tell_nothing),
        cmocka_unit_test(a_straight_line_is_exact),
        cmocka_unit_test(percentiles_are_within_three_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
