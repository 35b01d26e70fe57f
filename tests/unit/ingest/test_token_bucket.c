#include "hex.h"

#include <string.h>

#include "ingest/token_bucket.h"

#define SECOND 1000000LL

static unsigned take_all(struct token_bucket *b, const struct token_rate *rate, int64_t now_us)
{
    unsigned taken = 0;
    while (token_bucket_take(b, rate, now_us)) taken++;
    return taken;
}

static void a_burst_and_then_the_rate(void **unused_state)
{
    static const struct token_rate rate = { .per_second = 10, .burst = 30 };
    struct token_bucket b = { 0 };
    assert_int_equal(take_all(&b, &rate, 5 * SECOND), 30);
    assert_int_equal(take_all(&b, &rate, 5 * SECOND + 99999), 0);
    assert_int_equal(take_all(&b, &rate, 5 * SECOND + 100000), 1);
    assert_int_equal(take_all(&b, &rate, 6 * SECOND + 100000), 10);
    /* never more than the burst, however long nobody came */
    assert_int_equal(take_all(&b, &rate, 4000 * SECOND), 30);
    /* and over time the rate, whatever is asked for */
    unsigned taken = 0;
    for (int64_t at = 5000 * SECOND; at < 5060 * SECOND; at += 1000) taken += token_bucket_take(&b, &rate, at);
    assert_in_range(taken, 600 + 30 - 1, 600 + 30 + 1);
}

static void odd_rates(void **unused_state)
{
    static const struct token_rate none = { .per_second = 0, .burst = 0 }, one = { .per_second = 1, .burst = 1 },
                                   fast = { .per_second = 10000, .burst = 40000 };
    struct token_bucket a = { 0 }, b = { 0 }, c = { 0 };
    assert_int_equal(take_all(&a, &none, SECOND), 0);
    assert_int_equal(take_all(&b, &one, SECOND), 1);
    assert_int_equal(take_all(&b, &one, 2 * SECOND), 1);
    assert_int_equal(take_all(&c, &fast, SECOND), 40000);
}

static void addresses_do_not_share(void **unused_state)
{
    static const struct token_rate rate = { .per_second = 1, .burst = 4 };
    static struct address_buckets buckets = { .salt = 0x1234567 };
    unsigned refused = 0;
    for (unsigned host = 0; host < 100; host++) {
        uint8_t address[16] = { [15] = (uint8_t)host, [0] = 0x20 };
        for (int i = 0; i < 4; i++) refused += !address_buckets_take(&buckets, address, &rate, SECOND);
        assert_false(address_buckets_take(&buckets, address, &rate, SECOND));
    }
    /* a few may meet in one slot of the table */
    assert_in_range(refused, 0, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_the_rate),
        cmocka_unit_test(odd_rates),
        cmocka_unit_test(addresses_do_not_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
