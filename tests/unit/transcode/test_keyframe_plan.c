/* Where keyframes go and which frames a slower rung takes: equal in all rungs, whatever is lost on the way. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/err.h>
#include <weir/transcode/frame_pick.h>
#include <weir/transcode/keyframe_plan.h>

static uint64_t random_state = 0x2545F4914F6CDD1Dull;
static uint32_t roll(uint32_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % sides);
}

struct rate {
    const char *label;
    uint32_t num, den;
};
static const struct rate rates[] = {
    { "30", 30, 1 },          { "25", 25, 1 }, { "23.976", 24000, 1001 }, { "29.97", 30000, 1001 },
    { "59.94", 60000, 1001 }, { "50", 50, 1 }, { "60", 60, 1 },           { "15", 15, 1 },
};

static int64_t pts_at(const struct rate *r, int64_t index)
{
    return 900000 + index * 90000 * r->den / r->num;
}

static void a_cadence_is_a_function_of_time_alone(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct keyframe_plan whole, holed;
        keyframe_plan_init(&whole, 180000);
        keyframe_plan_init(&holed, 180000);
        int64_t key_90k = 0, keys = 0;
        for (int64_t n = 0; n < 2000; n++) {
            const int64_t pts = pts_at(&rates[i], n);
            const bool is_key = keyframe_plan_take(&whole, pts);
            if (is_key && n) {
                assert_true(pts / 180000 != pts_at(&rates[i], n - 1) / 180000);
                assert_true(pts % 180000 < 90000 * rates[i].den / rates[i].num + 1);
                keys++;
            }
            /* frames that are lost move nothing but themselves */
            if (n && roll(10) == 0 && !is_key) continue;
            if (n)
                assert_int_equal(keyframe_plan_take(&holed, pts), is_key);
            else
                assert_true(keyframe_plan_take(&holed, pts));
            if (is_key) key_90k = pts;
        }
        assert_true(keys >= 16 && key_90k > 0);
    }
}

static void a_lost_keyframe_moves_to_the_next_frame(void **state)
{
    struct keyframe_plan p;
    keyframe_plan_init(&p, 0);
    keyframe_plan_note(&p, 1000);
    assert_true(keyframe_plan_take(&p, 1000));
    assert_false(keyframe_plan_take(&p, 2000));
    keyframe_plan_note(&p, 3000); /* never comes out */
    assert_true(keyframe_plan_take(&p, 4000));
    assert_false(keyframe_plan_take(&p, 5000));
    keyframe_plan_restart(&p);
    assert_true(keyframe_plan_take(&p, 6000));
}

/* Packets in decoding order with B-frames go in, frames in presentation order come out later. */
static void the_sources_keyframes_survive_reordering(void **state)
{
    for (int round = 0; round < 300; round++) {
        struct keyframe_plan p;
        int64_t decode[400];
        bool keys[400] = { false };
        const int gop = 5 + (int)roll(120), reorder = (int)roll(4), delay = reorder + (int)roll(20);
        for (int n = 0; n < 400; n++) {
            keys[n] = n % gop == 0;
            decode[n] = n;
        }
        /* mini-GOPs: the last frame of each goes first; never across a keyframe (closed GOP) */
        for (int n = 0; n < 400; n++) {
            int end = n + reorder;
            for (int k = n; k <= end && k < 400; k++)
                if (keys[k] && k > n) end = k - 1;
            if (end > 399) end = 399;
            if (keys[n] || end <= n) continue;
            for (int k = end; k > n; k--) decode[k] = k - 1;
            decode[n] = end;
            n = end;
        }
        keyframe_plan_init(&p, 0);
        int out = 0;
        for (int n = 0; n < 400 + delay; n++) {
            if (n < 400 && keys[decode[n]]) keyframe_plan_note(&p, decode[n] * 3000);
            if (n >= delay) {
                assert_int_equal(keyframe_plan_take(&p, out * 3000), keys[out]);
                out++;
            }
        }
    }
}

static void too_many_planned_are_given_up_not_kept(void **state)
{
    struct keyframe_plan p;
    keyframe_plan_init(&p, 0);
    for (int i = 0; i < 10 * LADDER_REORDER_MAX; i++) keyframe_plan_note(&p, i * 3000);
    assert_int_equal(p.planned_count, LADDER_REORDER_MAX);
    assert_true(keyframe_plan_take(&p, 0));
    assert_true(keyframe_plan_take(&p, (10 * LADDER_REORDER_MAX - 1) * 3000));
    assert_int_equal(p.planned_count, 0);
}

static void every_second_frame_and_no_time_moved(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        for (uint32_t one_in = 1; one_in <= 4; one_in++) {
            struct frame_pick p;
            frame_pick_init(&p, one_in, rates[i].num, rates[i].den);
            for (int64_t n = 0; n < 1000; n++) {
                const bool is_key = n % 48 == 0;
                const bool is_taken = frame_pick_take(&p, pts_at(&rates[i], n), is_key);
                if (is_taken != ((n % 48) % one_in == 0))
                    fail_msg("%s one in %u: frame %d", rates[i].label, one_in, (int)n);
            }
        }
    }
}

static void an_odd_gop_still_begins_with_its_keyframe(void **state)
{
    struct frame_pick p;
    frame_pick_init(&p, 2, 60, 1);
    for (int64_t n = 0; n < 1000; n++) {
        const bool is_key = n % 61 == 0;
        assert_int_equal(frame_pick_take(&p, 900000 + n * 1500, is_key), (n % 61) % 2 == 0);
    }
}

/* A slower rung's frames are among those of a faster one that it is scaled from, whatever is missing. */
static void slower_is_a_subset_of_faster(void **state)
{
    for (int round = 0; round < 500; round++) {
        struct frame_pick fast, slow;
        const struct rate *r = &rates[roll(ARRAY_LEN(rates))];
        const bool is_known = roll(4) != 0;
        const uint32_t a = 1 + roll(3), b = a * (1 + roll(3));
        int64_t taken_slow = 0, last = -1000000;
        frame_pick_init(&fast, a, is_known ? r->num : 0, r->den);
        frame_pick_init(&slow, b, is_known ? r->num : 0, r->den);
        for (int64_t n = 0; n < 600; n++) {
            if (roll(12) == 0) continue;
            const int64_t pts = pts_at(r, n) + (int64_t)roll(200) - 100;
            const bool is_key = roll(70) == 0;
            const bool in_fast = frame_pick_take(&fast, pts, is_key), in_slow = frame_pick_take(&slow, pts, is_key);
            assert_true(in_fast || !in_slow);
            if (is_key) assert_true(in_fast && in_slow);
            if (in_slow && !is_key) assert_true(pts > last);
            if (in_slow) last = pts, taken_slow++;
        }
        assert_true(taken_slow > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cadence_is_a_function_of_time_alone),
        cmocka_unit_test(a_lost_keyframe_moves_to_the_next_frame),
        cmocka_unit_test(the_sources_keyframes_survive_reordering),
        cmocka_unit_test(too_many_planned_are_given_up_not_kept),
        cmocka_unit_test(every_second_frame_and_no_time_moved),
        cmocka_unit_test(an_odd_gop_still_begins_with_its_keyframe),
        cmocka_unit_test(slower_is_a_subset_of_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
