/* Blocking reloads and delta updates: what a query means, and when it is answered (RFC 8216bis, 6.2.5). */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/err.h>
#include <weir/delivery/hls_directives.h>

static struct http_text text(const char *s)
{
    return (struct http_text){ s, s ? strlen(s) : 0 };
}

static const struct {
    const char *query, *why; /* why NULL: it is right */
    struct hls_directives is;
} queries[] = {
    { NULL, NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "&&&", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "start=5&token=abc", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_HLS_msn=7", NULL, { HLS_WISH_SEGMENT, 7, 0, false } },
    { "_HLS_msn=7&_HLS_part=3", NULL, { HLS_WISH_PART, 7, 3, false } },
    { "_HLS_part=3&_HLS_msn=7", NULL, { HLS_WISH_PART, 7, 3, false } },
    { "_HLS_skip=YES", NULL, { HLS_WISH_NOTHING, 0, 0, true } },
    { "_HLS_skip=v2&_HLS_part=0&a=b&_HLS_msn=0", NULL, { HLS_WISH_PART, 0, 0, true } },
    { "_HLS_skip=v3", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_HLS_skip=yes", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_HLS_skip", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_hls_msn=x", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_HLS_msn2=x&x_HLS_part=9&_HLS_report=1", NULL, { HLS_WISH_NOTHING, 0, 0, false } },
    { "_HLS_msn=18446744073709551615&_HLS_part=4294967295",
      NULL,
      { HLS_WISH_PART, 18446744073709551615u, 4294967295u, false } },
    { "_HLS_msn=0000007", NULL, { HLS_WISH_SEGMENT, 7, 0, false } },
    { "_HLS_msn=18446744073709551616", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=99999999999999999999999", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=1&_HLS_part=4294967296", "_HLS_part is not", { 0 } },
    { "_HLS_msn=", "_HLS_msn is not", { 0 } },
    { "_HLS_msn", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=-1", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=+1", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=1.0", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=0x10", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=%31", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=1 ", "_HLS_msn is not", { 0 } },
    { "_HLS_msn=1&_HLS_part=", "_HLS_part is not", { 0 } },
    { "_HLS_msn=1&_HLS_part=-1", "_HLS_part is not", { 0 } },
    { "_HLS_part=0", "needs _HLS_msn", { 0 } },
    { "_HLS_part=0&_HLS_skip=YES", "needs _HLS_msn", { 0 } },
    { "_HLS_msn=1&_HLS_msn=1", "more than once", { 0 } },
    { "_HLS_msn=1&_HLS_part=1&_HLS_part=2", "more than once", { 0 } },
};

static void queries_mean(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct hls_directives d = { .msn = 99 };
        print_message("%s\n", queries[i].query ? queries[i].query : "none");
        const char *why = hls_directives_parse(text(queries[i].query), &d);
        assert_int_equal(why != NULL, queries[i].why != NULL);
        if (why) {
            assert_non_null(strstr(why, queries[i].why));
            assert_int_equal(d.msn, 99);
            continue;
        }
        assert_int_equal(d.wish, queries[i].is.wish);
        assert_int_equal(d.msn, queries[i].is.msn);
        assert_int_equal(d.part, queries[i].is.part);
        assert_int_equal(d.wants_delta, queries[i].is.wants_delta);
    }
    (void)state;
}

/* Segment 10 is complete and had 8 parts of a quarter second, of segment 11 parts 0 to 2 are there: twelve parts may be asked for
 * ahead of the last. */
static const struct hls_edge usual = {
    .last_msn = 10, .part_count = 3, .last_segment_parts = 8, .part_target_us = 250000
};

static const struct {
    const char *what, *query;
    enum hls_verdict verdict;
} usual_cases[] = {
    { "nothing asked", "", HLS_NOW },
    { "a delta is no reason to wait", "_HLS_skip=YES", HLS_NOW },
    { "long ago", "_HLS_msn=1&_HLS_part=1", HLS_NOW },
    { "long ago, whole", "_HLS_msn=1", HLS_NOW },
    { "the last complete one", "_HLS_msn=10", HLS_NOW },
    { "its last part", "_HLS_msn=10&_HLS_part=7", HLS_NOW },
    { "beyond it: the first of the next, which is there", "_HLS_msn=10&_HLS_part=8", HLS_NOW },
    { "far beyond it", "_HLS_msn=10&_HLS_part=4000000000", HLS_NOW },
    { "beyond an older one", "_HLS_msn=9&_HLS_part=400", HLS_NOW },
    { "the open one, whole", "_HLS_msn=11", HLS_WAIT },
    { "a part of it that is there", "_HLS_msn=11&_HLS_part=2", HLS_NOW },
    { "the next part", "_HLS_msn=11&_HLS_part=3", HLS_WAIT },
    { "twelve ahead", "_HLS_msn=11&_HLS_part=14", HLS_WAIT },
    { "thirteen ahead", "_HLS_msn=11&_HLS_part=15", HLS_TOO_FAR },
    { "the one after, whole", "_HLS_msn=12", HLS_WAIT },
    { "its first part", "_HLS_msn=12&_HLS_part=0", HLS_WAIT },
    { "its twelfth", "_HLS_msn=12&_HLS_part=11", HLS_WAIT },
    { "its thirteenth", "_HLS_msn=12&_HLS_part=12", HLS_TOO_FAR },
    { "two after", "_HLS_msn=13", HLS_TOO_FAR },
    { "two after, a part", "_HLS_msn=13&_HLS_part=0", HLS_TOO_FAR },
    { "the end of numbers", "_HLS_msn=18446744073709551615&_HLS_part=4294967295", HLS_TOO_FAR },
};

static enum hls_verdict judge(const char *query, const struct hls_edge *edge)
{
    struct hls_directives d;
    assert_null(hls_directives_parse(text(query), &d));
    return hls_directives_judge(&d, edge);
}

static void the_usual_edge(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(usual_cases); i++) {
        print_message("%s\n", usual_cases[i].what);
        assert_int_equal(judge(usual_cases[i].query, &usual), usual_cases[i].verdict);
    }
    (void)state;
}

static void other_edges(void **state)
{
    struct hls_edge edge = usual;
    edge.is_ended = true; /* directives mean nothing any more */
    assert_int_equal(judge("_HLS_msn=1000&_HLS_part=5", &edge), HLS_NOW);
    edge = usual;
    edge.part_target_us = 0; /* nor where none were announced */
    assert_int_equal(judge("_HLS_msn=1000&_HLS_part=5", &edge), HLS_NOW);
    edge = usual;
    edge.part_count = 0; /* just closed: a part beyond its end is the first of the next, which is to come */
    assert_int_equal(judge("_HLS_msn=10&_HLS_part=8", &edge), HLS_WAIT);
    assert_int_equal(judge("_HLS_msn=10&_HLS_part=7", &edge), HLS_NOW);
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=0", &edge), HLS_WAIT);
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=11", &edge), HLS_WAIT);
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=12", &edge), HLS_TOO_FAR);
    edge.last_segment_parts = 0; /* how many it had is forgotten: complete is complete */
    assert_int_equal(judge("_HLS_msn=10&_HLS_part=8", &edge), HLS_NOW);
    edge = usual;
    edge.part_target_us = 1500000; /* longer than a second: three parts */
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=5", &edge), HLS_WAIT);
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=6", &edge), HLS_TOO_FAR);
    edge.part_target_us = 330000; /* 9.09 parts are ten */
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=12", &edge), HLS_WAIT);
    assert_int_equal(judge("_HLS_msn=11&_HLS_part=13", &edge), HLS_TOO_FAR);
    (void)state;
}

/* Parts come, segments close: who waits is released exactly when what he asked for is there, and never asked to go. */
static void waiting_ends_when_it_is_there(void **state)
{
    enum { PARTS = 5 };
    for (uint32_t msn = 11; msn <= 12; msn++) {
        for (uint32_t part = 0; part <= PARTS; part++) {
            const struct hls_directives d = { .wish = HLS_WISH_PART, .msn = msn, .part = part };
            struct hls_edge edge = { .last_msn = 10, .last_segment_parts = PARTS, .part_target_us = 250000 };
            bool was_there = false;
            for (int step = 0; step < 3 * PARTS; step++) {
                /* the part after a segment's last is the next segment's first */
                const uint64_t wanted = (uint64_t)msn * PARTS + part,
                               there = (edge.last_msn + 1) * PARTS + edge.part_count;
                const enum hls_verdict verdict = hls_directives_judge(&d, &edge);
                assert_int_equal(verdict, there > wanted ? HLS_NOW : HLS_WAIT);
                was_there |= verdict == HLS_NOW;
                if (++edge.part_count == PARTS) {
                    edge.last_msn++;
                    edge.part_count = 0;
                }
            }
            assert_true(was_there);
        }
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_mean),
        cmocka_unit_test(the_usual_edge),
        cmocka_unit_test(other_edges),
        cmocka_unit_test(waiting_ends_when_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
