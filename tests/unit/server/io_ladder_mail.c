/* Mail from a ladder to a stream's loop: bounded whatever nobody takes, and it finds the loop that owns the stream now. */
#include "hex.h"

#include <server/ladder_mail.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

static unsigned arrived;
static void on_arrived(void *context)
{
    arrived++;
}

static struct blob *payload;

static struct mail_item packet(size_t rung, enum frame_access access, size_t bytes)
{
    struct mail_item item = { .kind = MAIL_PACKET, .rung = rung };
    item.packet = (struct media_packet){ .kind = MEDIA_VIDEO,
                                         .access = access,
                                         .payload = { blob_ref(payload), blob_data(payload), bytes } };
    return item;
}

static bool give(struct ladder_mail *m, size_t rung, enum frame_access access, size_t bytes)
{
    const struct mail_item item = packet(rung, access, bytes);
    return ladder_mail_give(m, &item);
}

static void past_its_bytes_a_rung_waits_for_a_keyframe(void **state)
{
    struct ladder_mail *m = ladder_mail_create(on_arrived, NULL);
    struct mail_item item;
    const size_t large = LADDER_MAIL_BYTES_MAX / 4;
    payload = blob_create(large);
    for (int i = 0; i < 4; i++) assert_true(give(m, 0, i ? FRAME_INTER : FRAME_IDR, large));
    assert_false(give(m, 0, FRAME_INTER, 1));
    assert_false(give(m, 0, FRAME_IDR, large));
    /* what says what packets are is never in the way of them */
    const struct mail_item mark = { .kind = MAIL_ABSENT, .rung = 1 };
    assert_true(ladder_mail_give(m, &mark));
    assert_true(ladder_mail_take(m, &item));
    mail_item_deinit(&item);
    /* there is room, and this one still needs what was dropped; another rung does not */
    assert_false(give(m, 0, FRAME_INTER, 1));
    assert_true(give(m, 1, FRAME_INTER, 1));
    assert_true(give(m, 0, FRAME_IDR, 1));
    assert_true(give(m, 0, FRAME_INTER, 1));
    ladder_mail_close(m);
    blob_unref(payload);
}

static void past_its_count_too(void **state)
{
    struct ladder_mail *m = ladder_mail_create(on_arrived, NULL);
    payload = blob_create(16);
    for (int i = 0; i < LADDER_MAIL_ITEMS_MAX; i++) assert_true(give(m, 0, FRAME_IDR, 1));
    assert_false(give(m, 0, FRAME_IDR, 1));
    ladder_mail_close(m);
    blob_unref(payload);
}

static void it_follows_the_stream_from_loop_to_loop(void **state)
{
    struct loop *a, *b;
    struct ladder_mail *m = ladder_mail_create(on_arrived, NULL);
    struct mail_item item;
    payload = blob_create(16);
    arrived = 0;
    assert_int_equal(loop_create(&a, "a"), WEIR_OK);
    assert_int_equal(loop_create(&b, "b"), WEIR_OK);
    assert_true(give(m, 0, FRAME_IDR, 1)); /* nobody to wake yet */
    ladder_mail_set_loop(m, a);
    assert_true(give(m, 0, FRAME_IDR, 1)); /* one message is enough for both */
    assert_int_equal(loop_drain(a), 1);
    assert_int_equal(arrived, 1);
    while (ladder_mail_take(m, &item)) mail_item_deinit(&item);
    assert_true(give(m, 0, FRAME_IDR, 1));
    /* the message is under way to a when the stream leaves it */
    ladder_mail_set_loop(m, NULL);
    ladder_mail_set_loop(m, b);
    assert_int_equal(loop_drain(a), 1);
    assert_int_equal(arrived, 1);
    assert_int_equal(loop_drain(b), 1);
    assert_int_equal(arrived, 2);
    /* and one when it is over */
    while (ladder_mail_take(m, &item)) mail_item_deinit(&item);
    assert_true(give(m, 0, FRAME_IDR, 1));
    ladder_mail_close(m);
    assert_int_equal(loop_drain(b), 1);
    assert_int_equal(arrived, 2);
    loop_destroy(a);
    loop_destroy(b);
    blob_unref(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(past_its_bytes_a_rung_waits_for_a_keyframe),
                                        cmocka_unit_test(past_its_count_too),
                                        cmocka_unit_test(it_follows_the_stream_from_loop_to_loop) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
