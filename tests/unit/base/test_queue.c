#include "hex.h"

#include <weir/base/queue.h>

static void keeps_order_while_it_grows_and_wraps(void **unused_state)
{
    struct queue q;
    int out, next_in = 0, next_out = 0;
    queue_init(&q, sizeof(int), 1000);
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 3 && queue_count(&q) < 1000; i++, next_in++)
            assert_int_equal(queue_give(&q, &next_in), WEIR_OK);
        assert_true(queue_take(&q, &out));
        assert_int_equal(out, next_out++);
    }
    assert_int_equal(*(int *)queue_at(&q, 1), next_out + 1);
    while (queue_take(&q, &out)) assert_int_equal(out, next_out++);
    assert_int_equal(next_out, next_in);
    assert_null(queue_peek(&q));
    queue_deinit(&q);
}

static void refuses_above_its_ceiling(void **unused_state)
{
    struct queue q;
    queue_init(&q, sizeof(int), 17); /* not a power of two, and above the first allocation */
    for (int i = 0; i < 17; i++) assert_int_equal(queue_give(&q, &i), WEIR_OK);
    const int more = 99;
    int out;
    assert_int_equal(queue_give(&q, &more), WEIR_LIMIT);
    assert_true(queue_take(&q, &out));
    assert_int_equal(out, 0);
    assert_int_equal(queue_give(&q, &more), WEIR_OK);
    assert_int_equal(queue_count(&q), 17);
    queue_deinit(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_while_it_grows_and_wraps),
        cmocka_unit_test(refuses_above_its_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
