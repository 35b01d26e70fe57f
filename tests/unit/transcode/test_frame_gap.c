/* Missing reference pictures, by frame_num alone. */
#include "hex.h"

#include <transcode/frame_gap.h>

/* Baseline, log2_max_frame_num 4, POC type 2, no gaps allowed: 42 00 0A, ue 0, ue 0 (4 bits), ue 2, ue 1, flag 0. */
static const char avcc[] = "0142000A FFE1 0007 67 42000A DA02 80 01 0004 68CE3880";

static struct frame_gap begin(void)
{
    struct frame_gap g;
    const struct hex config = hex(avcc);
    frame_gap_init(&g, (struct byte_span){ config.data, config.bytes });
    assert_int_equal(g.bits, 4);
    return g;
}

/* first_mb 0 (1), slice_type 5 P (00110), pps 0 (1), frame_num u(4): 1 00110 1 nnnn 0000 */
static bool look(struct frame_gap *g, unsigned nal, unsigned frame_num)
{
    const unsigned bits = 0x4D0 | (frame_num & 15);
    const uint8_t sample[] = { 0, 0, 0, 4, (uint8_t)nal, (uint8_t)(bits >> 3), (uint8_t)(bits << 5 | 8), 0x80 };
    return frame_gap_look(g, (struct byte_span){ sample, sizeof sample });
}

static void numbers_that_follow_are_no_gap(void **state)
{
    struct frame_gap g = begin();
    assert_false(look(&g, 0x65, 0));
    for (unsigned n = 1; n < 40; n++) assert_false(look(&g, 0x41, n)); /* wraps at 16 */
    /* pictures that nothing refers to share the number of the next one */
    assert_false(look(&g, 0x01, 40));
    assert_false(look(&g, 0x01, 40));
    assert_false(look(&g, 0x41, 40));
    assert_false(look(&g, 0x65, 0));
    assert_false(look(&g, 0x41, 1));
}

static void a_missing_reference_is_one(void **state)
{
    struct frame_gap g = begin();
    assert_false(look(&g, 0x65, 0));
    assert_false(look(&g, 0x41, 1));
    assert_true(look(&g, 0x41, 3));
    assert_false(look(&g, 0x41, 4)); /* told once: the decoder's trouble goes on, the numbers do not */
    assert_true(look(&g, 0x01, 7));
    assert_false(look(&g, 0x65, 0));
}

static void the_first_picture_follows_nothing(void **state)
{
    struct frame_gap g = begin();
    assert_false(look(&g, 0x41, 9));
    assert_false(look(&g, 0x41, 10));
}

static void what_cannot_be_read_says_nothing(void **state)
{
    static const char *const configs[] = { "", "01", "0142000AFFE1", "0142000AFFE100FF67",
                                           "0142000AFFE2000467420000000467420000" };
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct frame_gap g;
        const struct hex config = hex(configs[i]);
        frame_gap_init(&g, (struct byte_span){ config.data, config.bytes });
        assert_int_equal(g.bits, 0);
        assert_false(look(&g, 0x65, 0));
        assert_false(look(&g, 0x41, 5));
    }
    struct frame_gap g = begin();
    const struct hex cut = hex("00000010 41 9A");
    assert_false(frame_gap_look(&g, (struct byte_span){ cut.data, cut.bytes }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_follow_are_no_gap),
        cmocka_unit_test(a_missing_reference_is_one),
        cmocka_unit_test(the_first_picture_follows_nothing),
        cmocka_unit_test(what_cannot_be_read_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
