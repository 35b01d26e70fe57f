/* Viewers: those seen themselves, and those behind a cache that lets some requests through. */
#include "hex.h"

#include <stdlib.h>
#include <weir/base/err.h>
#include <weir/base/limits.h>

#include "stream/viewer_table.h"

#define SECOND_US 1000000LL

static uint32_t random_state = 1;

static uint32_t dice(uint32_t sides)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * sides >> 32);
}

static uint64_t id_of(uint32_t viewer)
{
    return (viewer + 1) * 0x9E3779B97F4A7C15u;
}

static void what_is_seen_is_counted(void **state)
{
    struct viewer_table t = { .items = NULL };
    for (uint32_t i = 0; i < 100; i++) viewer_table_note(&t, id_of(i), false, 1000 * SECOND_US);
    for (uint32_t i = 0; i < 50; i++) viewer_table_note(&t, id_of(i), false, 1005 * SECOND_US);
    assert_int_equal(viewer_table_count(&t, 1005 * SECOND_US), 100);
    assert_int_equal(viewer_table_count(&t, 1013 * SECOND_US), 50);
    assert_int_equal(viewer_table_count(&t, 1020 * SECOND_US), 0);
    viewer_table_deinit(&t);
    (void)state;
}

static void draws_tell_how_many_there_are(void **state)
{
    static const struct {
        uint32_t distinct, draws, low, high;
    } cases[] = {
        { 0, 0, 0, 0 },       { 1, 1, 1, 1 },       { 1, 1000, 1, 1 },
        { 2, 2, 2, 4 },       { 10, 10, 40, 60 },   { 100, 10000, 99, 101 },
        { 63, 100, 95, 105 }, { 87, 200, 98, 102 }, { 1000, 1000, 300000, 600000 },
        { 9, 3, 9, 60 }, /* draws that were forgotten sooner than whom they showed */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint32_t n = viewers_estimate(cases[i].distinct, cases[i].draws);
        print_message("%u different ones in %u draws: %u\n", cases[i].distinct, cases[i].draws, n);
        assert_in_range(n, cases[i].low, cases[i].high);
    }
    (void)state;
}

/* Each viewer asks a few times a second; one request in a hundred comes through. More than can be tracked: at least so many. */
static void a_crowd_behind_a_cache(void **state)
{
    static const struct {
        uint32_t viewers, requests_per_second, low, high;
    } cases[] = { { 3, 8, 1, 6 },
                  { 50, 8, 44, 56 },
                  { 200, 8, 180, 220 },
                  { 2000, 4, 1850, 2150 },
                  { 20000, 1, VIEWERS_TRACKED_MAX, 26000 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct viewer_table t = { .items = NULL };
        const uint32_t requests = cases[i].viewers * cases[i].requests_per_second;
        for (int64_t second = 1000; second < 1000 + 2 * VIEWER_SAMPLE_S; second++) {
            for (uint32_t k = 0; k < requests; k++) {
                if (dice(100) == 0) viewer_table_note(&t, id_of(dice(cases[i].viewers)), true, second * SECOND_US);
            }
        }
        const uint32_t n = viewer_table_count(&t, (999 + 2 * VIEWER_SAMPLE_S) * SECOND_US);
        print_message("%u viewers: %u\n", cases[i].viewers, n);
        assert_in_range(n, cases[i].low, cases[i].high);
        assert_true(t.count <= VIEWERS_TRACKED_MAX);
        assert_int_equal(viewer_table_count(&t, 2000 * SECOND_US), 0); /* all gone */
        viewer_table_deinit(&t);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_seen_is_counted),
        cmocka_unit_test(draws_tell_how_many_there_are),
        cmocka_unit_test(a_crowd_behind_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
