/* How late media comes: a queue at the publisher is told as long as it is; delay, drift and a new era are none. */
#include "hex.h"

#include <weir/base/err.h>

#include "stream/input_age.h"

#define SECOND_US 1000000LL
#define FRAME_90K 3000

static int64_t media_us(int frame)
{
    return (int64_t)frame * FRAME_90K * 100 / 9;
}

static void what_waits_is_told(void **state)
{
    struct input_age a = { .has_begun = false };
    /* a constant way of 200 ms */
    for (int i = 0; i < 300; i++)
        assert_in_range(input_age_note(&a, 1, i * FRAME_90K, SECOND_US + media_us(i) + 200000), 0, 1);
    assert_in_range(input_age_peak_us(&a), 0, 1);
    /* nothing for four seconds; then all that waited, at once: the oldest is four seconds late, the newest in time */
    const int64_t opens_us = SECOND_US + media_us(300) + 200000 + 4 * SECOND_US;
    for (int i = 300; i <= 420; i++)
        assert_in_range(input_age_note(&a, 1, i * FRAME_90K, opens_us) - (opens_us - SECOND_US - 200000 - media_us(i)),
                        0, 1);
    assert_in_range(input_age_peak_us(&a), 4 * SECOND_US - 1, 4 * SECOND_US + 1);
    /* two minutes later it is forgotten */
    for (int i = 421; i < 421 + 130 * 30; i++) input_age_note(&a, 1, i * FRAME_90K, SECOND_US + media_us(i) + 200000);
    assert_in_range(input_age_peak_us(&a), 0, 1);
}

static void clocks_that_drift_are_no_queue(void **state)
{
    struct input_age a = { .has_begun = false };
    for (int i = 0; i < 60 * 60 * 30; i++) /* an hour, the publisher's clock slow by 100 ppm: 360 ms */
        input_age_note(&a, 1, (int64_t)i * FRAME_90K, media_us(i) + media_us(i) / 10000);
    assert_in_range(input_age_peak_us(&a), 5000, 13000);
}

static void a_new_era_begins_anew(void **state)
{
    struct input_age a = { .has_begun = false };
    assert_int_equal(input_age_note(&a, 1, 90000, 5 * SECOND_US), 0);
    assert_int_equal(input_age_note(&a, 1, 90000, 7 * SECOND_US), 2 * SECOND_US);
    assert_int_equal(input_age_note(&a, 2, 0, 9 * SECOND_US), 0);
    assert_int_equal(input_age_peak_us(&a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_told),
        cmocka_unit_test(clocks_that_drift_are_no_queue),
        cmocka_unit_test(a_new_era_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
