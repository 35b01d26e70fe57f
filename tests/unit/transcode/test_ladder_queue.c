/* The queue in front of a decoder: bounded in every way, decodable after every drop, nothing leaked. */
#include "hex.h"

#include <string.h>
#include <transcode/ladder_queue.h>
#include <weir/base/limits.h>

static struct ladder_item packet(int64_t dts_90k, bool is_key, size_t bytes)
{
    struct ladder_item item = { .kind = ITEM_PACKET };
    struct blob *b = blob_create(bytes);
    item.packet = (struct media_packet){ .kind = MEDIA_VIDEO,
                                         .access = is_key ? FRAME_IDR : FRAME_INTER,
                                         .payload = { b, blob_data(b), bytes },
                                         .dts_90k = dts_90k,
                                         .pts_90k = dts_90k };
    return item;
}

static void by_time_it_keeps_the_newest_keyframe(void **state)
{
    struct ladder_queue q;
    struct ladder_item item;
    ladder_queue_init(&q, 1 << 20, 270000, 1000);
    size_t dropped = 0;
    for (int n = 0; n < 91; n++) {
        item = packet(n * 3000, n % 60 == 0, 100);
        dropped += ladder_queue_give(&q, &item);
    }
    assert_int_equal(dropped, 0);
    item = packet(91 * 3000, false, 100);
    assert_int_equal(ladder_queue_give(&q, &item), 60);
    assert_int_equal(ladder_queue_span_90k(&q), 31 * 3000);
    assert_true(ladder_queue_take(&q, &item));
    assert_int_equal(item.packet.dts_90k, 60 * 3000);
    ladder_item_deinit(&item);
    ladder_queue_deinit(&q);
}

static void without_a_keyframe_it_waits_for_one(void **state)
{
    struct ladder_queue q;
    struct ladder_item item;
    ladder_queue_init(&q, 1 << 20, 90000, 1000);
    size_t dropped = 0;
    for (int n = 0; n < 170; n++) {
        item = packet(n * 3000, n == 0 || n == 150, 100);
        dropped += ladder_queue_give(&q, &item);
    }
    assert_int_equal(dropped, q.dropped);
    assert_true(ladder_queue_take(&q, &item));
    assert_int_equal(item.packet.dts_90k, 150 * 3000);
    assert_int_equal(dropped, 150);
    ladder_item_deinit(&item);
    ladder_queue_deinit(&q);
}

static void marks_are_never_dropped(void **state)
{
    struct ladder_queue q;
    struct ladder_item item;
    ladder_queue_init(&q, 5000, 90000, 1000);
    const struct ladder_item drain = { .kind = ITEM_DRAIN };
    for (int n = 0; n < 100; n++) {
        if (n % 10 == 0) ladder_queue_give(&q, &drain);
        item = packet(n * 3000, false, 1000);
        ladder_queue_give(&q, &item);
    }
    size_t marks = 0;
    while (ladder_queue_take(&q, &item)) {
        marks += item.kind == ITEM_DRAIN;
        ladder_item_deinit(&item);
    }
    assert_int_equal(marks, 10);
    ladder_queue_deinit(&q);
}

static uint64_t random_state = 7;
static uint32_t roll(uint32_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % sides);
}

/* At random: the bounds hold, and what is taken never refers to a packet that was dropped. */
static void whatever_comes_it_stays_bounded_and_decodable(void **state)
{
    for (int round = 0; round < 200; round++) {
        struct ladder_queue q;
        const size_t bytes_max = 2000 + roll(20000), items_max = 8 + roll(100);
        const int64_t span = 3000 * (5 + (int64_t)roll(60));
        ladder_queue_init(&q, bytes_max, span, items_max);
        size_t given = 0, taken = 0, dropped = 0;
        int64_t last = -3000;
        for (int n = 0; n < 1000; n++) {
            struct ladder_item item = packet(n * 3000, roll(20) == 0, 1 + roll(roll(30) ? 400 : 4000));
            dropped += ladder_queue_give(&q, &item);
            given++;
            assert_true(q.bytes <= bytes_max);
            assert_true(queue_count(&q.items) <= items_max);
            assert_true(ladder_queue_span_90k(&q) <= span);
            for (uint32_t k = roll(3); k > 0 && ladder_queue_take(&q, &item); k--) {
                if (item.packet.dts_90k != last + 3000) assert_int_equal(item.packet.access, FRAME_IDR);
                last = item.packet.dts_90k;
                ladder_item_deinit(&item);
                taken++;
            }
        }
        assert_int_equal(dropped, q.dropped);
        assert_int_equal(given, taken + dropped + queue_count(&q.items));
        ladder_queue_deinit(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_time_it_keeps_the_newest_keyframe),
        cmocka_unit_test(without_a_keyframe_it_waits_for_one),
        cmocka_unit_test(marks_are_never_dropped),
        cmocka_unit_test(whatever_comes_it_stays_bounded_and_decodable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
