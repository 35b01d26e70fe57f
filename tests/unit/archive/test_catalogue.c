/* The catalogue: what can be found, what goes first, and what a journal cut at any byte says. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/catalogue.h"

#define SECOND 1000000LL
#define WALL 1700000000000000LL

static struct byte_span span(const char *text)
{
    return (struct byte_span){ (const uint8_t *)text, strlen(text) };
}

static struct journal_record segment(const char *rendition, uint64_t msn)
{
    struct journal_record r = { .kind = JOURNAL_SEGMENT,
                                .media = EDGE_VIDEO_MP4,
                                .init_name = "init-1.mp4",
                                .bytes = 100,
                                .msn = msn,
                                .discontinuity = 7,
                                .duration_us = 2 * SECOND,
                                .wall_us = WALL + (int64_t)msn * 2 * SECOND };
    snprintf(r.rendition, sizeof r.rendition, "%s", rendition);
    snprintf(r.name, sizeof r.name, "seg-%llu.m4s", (unsigned long long)msn);
    return r;
}

static struct journal_record init(const char *rendition)
{
    struct journal_record r = { .kind = JOURNAL_INIT, .name = "init-1.mp4", .media = EDGE_VIDEO_MP4, .bytes = 50 };
    snprintf(r.rendition, sizeof r.rendition, "%s", rendition);
    return r;
}

static struct catalogue_object *put(struct catalogue *c, struct catalogue_chunk *chunk, const struct journal_record *r)
{
    struct catalogue_object *o = catalogue_add(c, r);
    assert_non_null(o);
    catalogue_keep(c, o, chunk, r);
    return o;
}

/* Chunks of ten segments each in two renditions. */
static void fill(struct catalogue *c, size_t chunks)
{
    for (size_t i = 0; i < chunks; i++) {
        struct catalogue_chunk *chunk = catalogue_add_chunk(c, 1000 + i, WALL, true);
        assert_non_null(chunk);
        for (int k = 0; k < 2; k++) {
            const char *rendition = k ? "audio" : "video";
            const struct journal_record head = init(rendition);
            put(c, chunk, &head);
            for (uint64_t msn = i * 10; msn < i * 10 + 10; msn++) {
                const struct journal_record r = segment(rendition, msn);
                put(c, chunk, &r);
            }
        }
        chunk->bytes = 2100;
        c->bytes += 2100;
    }
}

static void what_was_added_is_found_until_its_chunk_goes(void **state)
{
    struct catalogue c;
    catalogue_init(&c, 3600 * SECOND);
    fill(&c, 50);
    assert_int_equal(c.object_count, 50 * 22);
    for (uint64_t msn = 0; msn < 500; msn++) {
        char name[32];
        snprintf(name, sizeof name, "seg-%llu.m4s", (unsigned long long)msn);
        const struct catalogue_object *o = catalogue_find(&c, span("audio"), span(name));
        assert_non_null(o);
        assert_int_equal(o->msn, msn);
        assert_string_equal(o->init->name, "init-1.mp4");
        assert_ptr_equal(o->init->chunk, o->chunk);
    }
    assert_null(catalogue_find(&c, span("audio"), span("seg-500.m4s")));
    assert_null(catalogue_find(&c, span("other"), span("seg-1.m4s")));
    assert_null(catalogue_find(&c, span("video"), span("seg-1.m4")));
    assert_null(catalogue_find(&c, span("video"), span("")));
    for (int i = 0; i < 49; i++) catalogue_drop_chunk(&c, c.first);
    assert_int_equal(c.object_count, 22);
    assert_int_equal(c.bytes, 2100);
    assert_null(catalogue_find(&c, span("video"), span("seg-489.m4s")));
    assert_non_null(catalogue_find(&c, span("video"), span("seg-490.m4s")));
    assert_non_null(catalogue_find(&c, span("video"), span("init-1.mp4")));
    catalogue_deinit(&c);
}

static void chunks_stand_by_number_whenever_they_come(void **state)
{
    static const uint64_t numbers[] = { 5, 1, 9, 3, 7 };
    struct catalogue c;
    catalogue_init(&c, 0);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) assert_non_null(catalogue_add_chunk(&c, numbers[i], 0, false));
    uint64_t expected = 1;
    for (const struct catalogue_chunk *chunk = c.first; chunk; chunk = chunk->next, expected += 2)
        assert_int_equal(chunk->number, expected);
    assert_int_equal(expected, 11);
    assert_int_equal(c.last->number, 9);
    catalogue_drop_chunk(&c, c.last);
    assert_int_equal(c.last->number, 7);
    catalogue_deinit(&c);
}

static void age_counts_from_the_end_of_the_last_segment(void **state)
{
    struct catalogue c;
    catalogue_init(&c, 60 * SECOND);
    fill(&c, 1);
    const int64_t end_us = WALL + 20 * SECOND;
    assert_false(catalogue_is_old(&c, c.first, end_us + 60 * SECOND));
    assert_true(catalogue_is_old(&c, c.first, end_us + 60 * SECOND + 1));
    /* a stream that ended stays as it was promised, and no longer than its segments do after that */
    catalogue_end(&c, end_us + 100 * SECOND);
    assert_false(catalogue_is_old(&c, c.first, end_us + 100 * SECOND));
    assert_true(catalogue_is_old(&c, c.first, end_us + 100 * SECOND + 1));
    catalogue_deinit(&c);
}

static void the_past_is_in_order_and_only_of_the_stream_that_did_not_end(void **state)
{
    struct catalogue c;
    catalogue_init(&c, 3600 * SECOND);
    assert_null(catalogue_past(&c));
    fill(&c, 3);
    struct shelf_past *past = catalogue_past(&c);
    assert_int_equal(past->count, 60);
    for (size_t i = 0; i < past->count; i++) {
        assert_int_equal(past->segments[i].msn, i / 2);
        assert_string_equal(past->segments[i].rendition, i % 2 ? "video" : "audio");
        assert_string_equal(past->segments[i].init_name, "init-1.mp4");
        assert_int_equal(past->segments[i].discontinuity, 7);
    }
    shelf_past_unref(past);
    catalogue_end(&c, 0);
    assert_null(catalogue_past(&c));
    struct catalogue_chunk *chunk = catalogue_add_chunk(&c, 2000, WALL, true);
    const struct journal_record r = segment("video", 77);
    put(&c, chunk, &r);
    /* what this process writes is no past */
    chunk = catalogue_add_chunk(&c, 2001, WALL, false);
    const struct journal_record own = segment("video", 78);
    put(&c, chunk, &own);
    past = catalogue_past(&c);
    assert_int_equal(past->count, 1);
    assert_int_equal(past->segments[0].msn, 77);
    assert_string_equal(past->segments[0].init_name, ""); /* its init is not in its chunk */
    shelf_past_unref(past);
    catalogue_deinit(&c);
}

static void what_was_read_late_joins_what_was_written_meanwhile(void **state)
{
    for (int is_empty = 0; is_empty <= 1; is_empty++) {
        struct catalogue loaded, own;
        catalogue_init(&loaded, 60 * SECOND);
        catalogue_init(&own, 60 * SECOND);
        if (!is_empty) fill(&loaded, 5);
        struct catalogue_chunk *chunk = catalogue_add_chunk(&own, 5000, WALL, false);
        const struct journal_record kept = segment("third", 900), waiting = segment("video", 901);
        put(&own, chunk, &kept);
        struct catalogue_object *waits = catalogue_add(&own, &waiting);
        catalogue_absorb(&loaded, &own);
        assert_int_equal(own.object_count, 0);
        assert_null(own.first);
        assert_int_equal(loaded.object_count, (is_empty ? 0 : 5 * 22) + 2);
        assert_ptr_equal(catalogue_find(&loaded, span("video"), span("seg-901.m4s")), waits);
        assert_int_equal(catalogue_find(&loaded, span("third"), span("seg-900.m4s"))->msn, 900);
        assert_int_equal(loaded.last->number, 5000);
        catalogue_remove(&loaded, waits);
        catalogue_deinit(&loaded);
    }
}

static void a_journal_cut_anywhere_gives_what_is_whole(void **state)
{
    struct byte_writer w;
    size_t ends[8], head_bytes;
    struct journal_record record = { .kind = JOURNAL_HEAD, .stream = "live/a", .keep_us = 77 * SECOND };
    byte_writer_init(&w, 65536);
    journal_write_magic(&w);
    journal_write(&w, &record);
    head_bytes = w.bytes;
    for (uint64_t msn = 0; msn < ARRAY_LEN(ends); msn++) {
        record = segment("video", msn);
        record.init_name[0] = 0;
        record.offset = msn * 100;
        journal_write(&w, &record);
        ends[msn] = w.bytes;
    }
    for (size_t cut = 0; cut <= w.bytes; cut++) {
        /* and the data cut somewhere as well: an entry needs all of its bytes */
        for (uint64_t data_bytes = 0; data_bytes <= 900; data_bytes += 50) {
            struct catalogue c;
            char stream[STREAM_NAME_BYTES_MAX + 1] = "";
            size_t whole = 0;
            catalogue_init(&c, 0);
            struct catalogue_chunk *chunk = catalogue_add_chunk(&c, 1, WALL, true);
            const bool is_read = catalogue_read_chunk(&c, chunk, (struct byte_span){ w.data, cut }, data_bytes, stream);
            assert_int_equal(is_read, cut >= head_bytes);
            while (whole < ARRAY_LEN(ends) && ends[whole] <= cut && (whole + 1) * 100 <= data_bytes) whole++;
            assert_int_equal(c.object_count, whole);
            if (is_read) assert_string_equal(stream, "live/a");
            if (is_read) assert_int_equal(c.keep_us, 77 * SECOND);
            catalogue_deinit(&c);
        }
    }
    struct catalogue c;
    char other[STREAM_NAME_BYTES_MAX + 1] = "live/b";
    catalogue_init(&c, 0);
    struct catalogue_chunk *chunk = catalogue_add_chunk(&c, 1, WALL, true);
    assert_false(catalogue_read_chunk(&c, chunk, (struct byte_span){ w.data, w.bytes }, 900, other));
    catalogue_deinit(&c);
    byte_writer_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_its_chunk_goes),
        cmocka_unit_test(chunks_stand_by_number_whenever_they_come),
        cmocka_unit_test(age_counts_from_the_end_of_the_last_segment),
        cmocka_unit_test(the_past_is_in_order_and_only_of_the_stream_that_did_not_end),
        cmocka_unit_test(what_was_read_late_joins_what_was_written_meanwhile),
        cmocka_unit_test(a_journal_cut_anywhere_gives_what_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
