/* What is listed from the shelf: the lines of any stretch, at every count and after every drop, are exactly those that were written. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packager/past.h"

static char *line_of(uint64_t msn, char out[64])
{
    /* of different lengths, so that a wrong offset shows */
    snprintf(out, 64, "%llu%.*s\n", (unsigned long long)msn, (int)(msn % 11), "...........");
    return out;
}

static void add(struct past *p, uint64_t msn)
{
    char line[64];
    line_of(msn, line);
    const struct past_entry entry = {
        .msn = msn, .discontinuity = msn / 10, .duration_us = 1000, .is_independent = msn % 5 != 0
    };
    assert_int_equal(past_add(p, &entry, (struct byte_span){ (const uint8_t *)line, strlen(line) }), WEIR_OK);
}

/* Entries first..last are there, and their lines can be had from every place on. */
static void check(const struct past *p, uint64_t first, uint64_t last)
{
    const size_t count = (size_t)(last + 1 - first);
    size_t dependent = 0;
    assert_int_equal(past_count(p), count);
    for (uint64_t msn = first; msn <= last; msn++) {
        assert_int_equal(past_at(p, (size_t)(msn - first))->msn, msn);
        dependent += msn % 5 == 0;
    }
    assert_int_equal(p->dependent, dependent);
    assert_int_equal(p->duration_us, count * 1000);
    struct piece *pieces = malloc((past_pieces_max(p) + 1) * sizeof *pieces);
    char *expected = malloc(count * 64 + 1), *got = malloc(count * 64 + 1);
    for (size_t skipped = 0; skipped <= count; skipped += 1 + skipped / 7) {
        size_t expected_bytes = 0, bytes = 0;
        for (uint64_t msn = first + skipped; msn <= last; msn++) {
            char line[64];
            expected_bytes += (size_t)sprintf(expected + expected_bytes, "%s", line_of(msn, line));
        }
        struct byte_span tail;
        const size_t used = past_pieces(p, skipped, pieces, &tail);
        assert_true(used <= past_pieces_max(p));
        for (size_t i = 0; i < used; i++) {
            memcpy(got + bytes, pieces[i].data, pieces[i].bytes);
            bytes += pieces[i].bytes;
        }
        if (tail.bytes) memcpy(got + bytes, tail.data, tail.bytes);
        bytes += tail.bytes;
        assert_int_equal(bytes, expected_bytes);
        assert_memory_equal(got, expected, bytes);
    }
    free(pieces);
    free(expected);
    free(got);
}

static void every_length_and_every_drop(void **state)
{
    struct past p;
    past_init(&p);
    for (uint64_t msn = 100; msn < 400; msn++) {
        add(&p, msn);
        check(&p, 100, msn);
    }
    for (uint64_t first = 101; first < 400; first++) {
        past_drop_oldest(&p);
        check(&p, first, 399);
    }
    past_drop_oldest(&p);
    assert_int_equal(past_count(&p), 0);
    past_drop_oldest(&p);
    add(&p, 7);
    check(&p, 7, 7);
    past_deinit(&p);
}

static void a_window_that_slides(void **state)
{
    struct past p;
    past_init(&p);
    for (uint64_t msn = 1; msn < 2000; msn++) {
        add(&p, msn);
        if (msn > 150) past_drop_oldest(&p);
        if (msn % 13 == 0) check(&p, msn > 150 ? msn - 149 : 1, msn);
    }
    assert_true(past_pieces_max(&p) <= 4);
    past_deinit(&p);
}

static void names_are_read_as_they_are_written(void **state)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    uint32_t run, number;
    uint64_t msn;
    object_name_segment(0xBADCAFE, 217000123, name);
    assert_string_equal(name, "seg-0badcafe-217000123.m4s");
    assert_true(object_name_parse_segment(name, &run, &msn));
    assert_int_equal(run, 0xBADCAFE);
    assert_int_equal(msn, 217000123);
    object_name_init(0xFFFFFFFF, 12, name);
    assert_string_equal(name, "init-ffffffff-12.mp4");
    assert_true(object_name_parse_init(name, &run, &number));
    assert_int_equal(run, 0xFFFFFFFF);
    assert_int_equal(number, 12);
    static const char *const others[] = { "",
                                          "seg-1-2.m4s",
                                          "seg-0badcafe-0217.m4s",
                                          "seg-0badcafe-217.ts",
                                          "seg-0BADCAFE-217.m4s",
                                          "seg-0badcafe-217.m4s ",
                                          "part-0badcafe-217-0.m4s",
                                          "init-0badcafe-1.mp4x",
                                          "seg-0badcafe--1.m4s" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_false(object_name_parse_segment(others[i], &run, &msn));
        assert_false(object_name_parse_init(others[i], &run, &number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_every_drop),
        cmocka_unit_test(a_window_that_slides),
        cmocka_unit_test(names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
