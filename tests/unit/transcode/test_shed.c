/* What goes first when the machine cannot follow, and how it comes back; what fits beforehand; who has stopped answering. */
#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/transcode/admission.h>
#include <weir/transcode/shed.h>
#include <weir/transcode/watchdog.h>

static const struct ladder_source hd30 = {
    .codec = CODEC_H264, .width = 1920, .height = 1080, .fps_num = 30, .fps_den = 1
};

static struct ladder_plan make_plan(enum media_codec source_codec)
{
    struct ladder_config config = { .is_auto = true };
    struct ladder_source source = hd30;
    struct ladder_plan plan;
    source.codec = source_codec;
    assert_int_equal(ladder_plan_make(&config, &source, &plan, NULL), WEIR_OK);
    return plan;
}

static void the_order_is_as_stated(void **state)
{
    static const char *const with_source[] = {
        "720p 480p 360p", "720p+ 480p+ 360p+", "720p+/2 480p+/2 360p+", "480p+/2 360p+", "360p+", "",
    };
    const struct ladder_plan plan = make_plan(CODEC_H264);
    assert_int_equal(shed_level_last(&plan), 5);
    for (uint32_t level = 0; level <= 5; level++) {
        char got[128] = "";
        for (size_t i = 0; i < plan.rung_count; i++) {
            const struct shed_rung r = shed_rung_at(&plan, i, level);
            if (plan.rungs[i].kind == RUNG_PASSTHROUGH) assert_false(r.is_left_out || r.is_half_rate);
            if (plan.rungs[i].kind == RUNG_PASSTHROUGH || r.is_left_out) continue;
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s%s%s", *got ? " " : "", plan.rungs[i].name,
                     r.presets_faster ? "+" : "", r.is_half_rate ? "/2" : "");
        }
        assert_string_equal(got, with_source[level]);
    }
    /* without a source rung the smallest is never given up */
    const struct ladder_plan alone = make_plan(CODEC_VP9);
    const uint32_t last = shed_level_last(&alone);
    size_t left = 0;
    for (size_t i = 0; i < alone.rung_count; i++) left += !shed_rung_at(&alone, i, last).is_left_out;
    assert_int_equal(left, 1);
}

static enum shed_step read_at(struct shed *s, int64_t seconds_x10, int64_t backlog_ms, unsigned busy)
{
    const struct shed_reading r = { .now_us = seconds_x10 * 100000,
                                    .backlog_us = backlog_ms * 1000,
                                    .busy_percent = busy };
    return shed_read(s, &r);
}

static void down_under_load_and_up_when_calm(void **state)
{
    const struct ladder_plan plan = make_plan(CODEC_H264);
    struct shed s;
    shed_init(&s, &plan, 0, 0);
    int64_t at = 25;
    for (uint32_t level = 1; level <= 5; level++) {
        assert_int_equal(read_at(&s, at, 900, 100), SHED_DOWN);
        assert_int_equal(s.level, level);
        assert_int_equal(read_at(&s, at + 5, 900, 100), SHED_STAY); /* the last step must show its effect first */
        at += 21;
    }
    assert_int_equal(read_at(&s, at, 3000, 100), SHED_STAY); /* there is nothing more to give */
    /* little waits, but the encoders are busy: no step up */
    for (int i = 0; i < 300; i++) assert_int_equal(read_at(&s, at++, 50, 90), SHED_STAY);
    int64_t calm_since = at;
    while (read_at(&s, at, 50, 40) == SHED_STAY) at++;
    assert_int_equal(at - calm_since, 30);
    assert_int_equal(s.level, 4);
    /* and once it climbs, all is back within ten seconds */
    while (s.level) read_at(&s, at++, 50, 40);
    assert_in_range(at - calm_since, 60, 100);
}

static void a_step_up_that_does_not_last_is_tried_later_and_later(void **state)
{
    const struct ladder_plan plan = make_plan(CODEC_H264);
    struct shed s;
    shed_init(&s, &plan, 0, 0);
    int64_t at = 30;
    assert_int_equal(read_at(&s, at++, 900, 100), SHED_DOWN);
    int64_t waited[8];
    for (int round = 0; round < 8; round++) {
        const int64_t from = at;
        while (read_at(&s, at, 10, 30) != SHED_UP) at++;
        waited[round] = at - from;
        at += 50; /* five seconds later it is too much again */
        while (read_at(&s, at, 900, 100) != SHED_DOWN) at++;
    }
    assert_int_equal(waited[0], 30);
    assert_int_equal(waited[1], 60);
    assert_int_equal(waited[2], 120);
    assert_int_equal(waited[7], 1200); /* the ceiling */
    /* a climb that lasts wins its patience back */
    while (read_at(&s, at, 10, 30) != SHED_UP) at++;
    for (int i = 0; i < 310; i++) read_at(&s, at++, 10, 30);
    assert_int_equal(read_at(&s, at++, 900, 100), SHED_DOWN);
    const int64_t from = at;
    while (read_at(&s, at, 10, 30) != SHED_UP) at++;
    assert_int_equal(at - from, 30);
}

static void it_never_flaps(void **state)
{
    /* a load that fits at level 2 and not at level 1: steps per hour stay few */
    const struct ladder_plan plan = make_plan(CODEC_H264);
    struct shed s;
    shed_init(&s, &plan, 0, 0);
    unsigned steps = 0;
    for (int64_t at = 1; at < 36000; at += 2) {
        const bool fits = s.level >= 2;
        steps += read_at(&s, at, fits ? 20 : 900, fits ? 60 : 100) != SHED_STAY;
    }
    assert_true(steps < 80);
    assert_true(s.level >= 1 && s.level <= 2);
}

static void a_level_from_admission_is_not_climbed_above(void **state)
{
    const struct ladder_plan plan = make_plan(CODEC_H264);
    struct shed s;
    shed_init(&s, &plan, 3, 0);
    assert_int_equal(s.level, 3);
    for (int64_t at = 1; at < 3000; at++) assert_int_equal(read_at(&s, at, 0, 1), SHED_STAY);
    shed_replan(&s, &plan, 0);
    int64_t at = 3000;
    while (read_at(&s, at, 0, 1) != SHED_UP) at++;
    assert_int_equal(s.level, 2);
}

static const struct admission_card on_cpu = { .decodes = false };

/* A machine of two cores and a card: what the card does is not booked. */
static void what_a_card_does_costs_no_cores(void **state)
{
    struct admission a;
    const struct ladder_plan plan = make_plan(CODEC_H264);
    const struct admission_card whole = { .decodes = true, .encodes = true }, half = { .decodes = true };
    admission_init(&a, 2, 0.8);
    const double all = admission_cost(&a, &plan, &hd30, on_cpu, 0), split = admission_cost(&a, &plan, &hd30, half, 0);
    assert_true(split > 0.5 && split < all - 0.2);
    assert_true(admission_cost(&a, &plan, &hd30, whole, 0) < 1e-9);
    admission_book(&a, a.capacity);
    assert_int_equal(admission_level(&a, &plan, &hd30, whole), 0);
    assert_int_equal(admission_level(&a, &plan, &hd30, half), 5);
}

static void what_fits_is_learnt(void **state)
{
    struct admission a;
    const struct ladder_plan plan = make_plan(CODEC_H264);
    admission_init(&a, 2, 0.8);
    const double first = admission_cost(&a, &plan, &hd30, on_cpu, 0);
    assert_true(first > 0.5 && first < 1.6); /* 0.78 core measured for the three, decoding extra */
    for (uint32_t level = 1; level <= 5; level++)
        assert_true(admission_cost(&a, &plan, &hd30, on_cpu, level) <
                    admission_cost(&a, &plan, &hd30, on_cpu, level - 1));
    assert_true(admission_cost(&a, &plan, &hd30, on_cpu, 5) < 1e-9);
    /* one after the other, until nothing fits */
    assert_int_equal(admission_level(&a, &plan, &hd30, on_cpu), 0);
    uint32_t before = 0, level = 0;
    for (int n = 0; n < 40 && level < 5; n++) {
        level = admission_level(&a, &plan, &hd30, on_cpu);
        assert_true(level >= before);
        before = level;
        admission_book(&a, admission_cost(&a, &plan, &hd30, on_cpu, level));
        assert_true(a.used <= a.capacity);
    }
    assert_int_equal(level, 5);
    /* a machine four times as fast learns that it is */
    struct admission fast;
    admission_init(&fast, 2, 0.8);
    for (int i = 0; i < 200; i++) {
        admission_learn_encode(&fast, CODEC_H264, PRESET_VERYFAST, 1280 * 720, 1280 * 720 * 4);
        admission_learn_decode(&fast, 1920 * 1080, 1920 * 1080);
    }
    assert_true(admission_cost(&fast, &plan, &hd30, on_cpu, 0) < first / 3);
    admission_learn_encode(&fast, CODEC_VP9, PRESET_VERYFAST, 1000000, 1); /* nonsense changes nothing */
    admission_return(&a, a.used);
    assert_int_equal(admission_level(&a, &plan, &hd30, on_cpu), 0);
}

/* What was measured (docs/transcoding.md), and less for each thing left out. */
static void memory_is_known_beforehand(void **state)
{
    struct ladder_plan plan = make_plan(CODEC_H264);
    const uint64_t low = admission_memory(&plan, &hd30, on_cpu, 0, 0);
    assert_true(low > 72 * MIB && low < 120 * MIB); /* 72 MiB above the program itself were seen */
    for (uint32_t level = 1; level <= 5; level++)
        assert_true(admission_memory(&plan, &hd30, on_cpu, level, 0) <=
                    admission_memory(&plan, &hd30, on_cpu, level - 1, 0));
    assert_true(admission_memory(&plan, &hd30, on_cpu, 3, 0) < low * 3 / 4);
    assert_true(admission_memory(&plan, &hd30, on_cpu, 5, 0) == 0);
    uint64_t bits_per_s = 0;
    for (size_t i = 0; i < plan.rung_count; i++)
        if (plan.rungs[i].kind == RUNG_ENCODED) bits_per_s += plan.rungs[i].max_rate_bps;
    const uint64_t kept = admission_memory(&plan, &hd30, on_cpu, 0, 40000000) - low;
    const struct admission_card whole = { .decodes = true, .encodes = true };
    assert_true(admission_memory(&plan, &hd30, whole, 0, 40000000) < kept + 8 * MIB);
    assert_true(kept <= bits_per_s * 5 && kept + 3 > bits_per_s * 5);
    plan.latency = LADDER_LATENCY_NORMAL;
    const uint64_t normal = admission_memory(&plan, &hd30, on_cpu, 0, 0);
    assert_true(normal > 163 * MIB && normal < 260 * MIB); /* 163 MiB seen */
}

/* Room that admission found is taken at once; where it was none after all, the way up is twice as long. */
static void admitted_later(void **state)
{
    const struct ladder_plan plan = make_plan(CODEC_H264);
    struct shed s;
    shed_init(&s, &plan, shed_level_last(&plan) + 1, 0);
    assert_int_equal(s.level, shed_level_last(&plan));
    const int64_t patience_us = s.patience_us;
    shed_admit(&s, 1, 20000000);
    assert_int_equal(s.level, 1);
    assert_int_equal(shed_read(&s, &(struct shed_reading){ .now_us = 25000000, .has_overflowed = true }), SHED_DOWN);
    assert_int_equal(s.level, 2);
    assert_int_equal(s.patience_us, 2 * patience_us);
}

static void presets_have_an_order(void **state)
{
    assert_int_equal(preset_speed_from("veryfast"), PRESET_VERYFAST);
    assert_int_equal(preset_speed_from("nonsense"), 0);
    for (unsigned s = PRESET_ULTRAFAST; s < PRESET_COUNT; s++)
        assert_int_equal(preset_speed_from(preset_speed_name((enum preset_speed)s)), s);
}

static void silence_with_work_is_noticed(void **state)
{
    struct watchdog w;
    watchdog_init(&w, 1500000);
    assert_int_equal(watchdog_look(&w, 0, false, false), WATCHDOG_WELL);
    assert_int_equal(watchdog_look(&w, 9000000, true, false), WATCHDOG_WELL); /* the work has just come */
    assert_int_equal(watchdog_look(&w, 10400000, true, false), WATCHDOG_WELL);
    assert_int_equal(watchdog_look(&w, 10450000, true, true), WATCHDOG_WELL);
    assert_int_equal(watchdog_look(&w, 11900000, true, false), WATCHDOG_WELL);
    assert_int_equal(watchdog_look(&w, 11960000, true, false), WATCHDOG_REPLACE);
    assert_int_equal(watchdog_look(&w, 11970000, true, false), WATCHDOG_WELL); /* the new one has its own time */
    assert_int_equal(watchdog_look(&w, 20000000, false, false), WATCHDOG_WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_as_stated),
        cmocka_unit_test(down_under_load_and_up_when_calm),
        cmocka_unit_test(a_step_up_that_does_not_last_is_tried_later_and_later),
        cmocka_unit_test(it_never_flaps),
        cmocka_unit_test(a_level_from_admission_is_not_climbed_above),
        cmocka_unit_test(what_a_card_does_costs_no_cores),
        cmocka_unit_test(what_fits_is_learnt),
        cmocka_unit_test(memory_is_known_beforehand),
        cmocka_unit_test(admitted_later),
        cmocka_unit_test(presets_have_an_order),
        cmocka_unit_test(silence_with_work_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
