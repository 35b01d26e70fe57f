/* The journal: what was written whole is read back, what was not is cut off, at every byte. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>

#include "archive/journal.h"

static const struct journal_record samples[] = {
    { .kind = JOURNAL_HEAD, .stream = "live/stüdio \"one\"%", .keep_us = 14400000000 },
    { .kind = JOURNAL_INIT,
      .rendition = "video",
      .name = "init-0badcafe-1.mp4",
      .media = EDGE_VIDEO_MP4,
      .bytes = 700,
      .crc = 0x12345678,
      .wall_us = 1700000000000000 },
    { .kind = JOURNAL_SEGMENT,
      .rendition = "video",
      .name = "seg-0badcafe-217000123.m4s",
      .init_name = "init-0badcafe-1.mp4",
      .media = EDGE_VIDEO_MP4,
      .is_independent = true,
      .starts_era = true,
      .offset = 700,
      .bytes = 123456,
      .crc = 0xFFFFFFFF,
      .msn = 217000123,
      .discontinuity = 27000000,
      .first_msn = 216999000,
      .duration_us = 2000000,
      .wall_us = 1700000000000000 },
    { .kind = JOURNAL_GAP,
      .rendition = "audio",
      .name = "seg-0badcafe-217000123.m4s",
      .media = EDGE_AUDIO_MP4,
      .msn = 217000123,
      .duration_us = 2000000,
      .wall_us = 1700000000000000 },
    { .kind = JOURNAL_PLAYLIST, .rendition = "", .name = "index.m3u8", .offset = 1, .bytes = 2, .crc = 3 },
    { .kind = JOURNAL_END, .keep_us = 3600000000, .wall_us = 1700000004000000 },
};

static void write_all(struct byte_writer *w, size_t ends[ARRAY_LEN(samples)])
{
    byte_writer_init(w, 65536);
    journal_write_magic(w);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        journal_write(w, &samples[i]);
        ends[i] = w->bytes;
    }
    assert_false(w->failed);
}

static void assert_same(const struct journal_record *a, const struct journal_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->stream, b->stream);
    assert_string_equal(a->rendition, b->rendition);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->init_name, b->init_name);
    assert_int_equal(a->keep_us, b->keep_us);
    assert_int_equal(a->media, b->media);
    assert_int_equal(a->is_independent, b->is_independent);
    assert_int_equal(a->starts_era, b->starts_era);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->crc, b->crc);
    assert_int_equal(a->msn, b->msn);
    assert_int_equal(a->discontinuity, b->discontinuity);
    assert_int_equal(a->first_msn, b->first_msn);
    assert_int_equal(a->duration_us, b->duration_us);
    assert_int_equal(a->wall_us, b->wall_us);
}

/* How many of the samples are read from data, in order and each as it was; *end: what ended it. */
static size_t read_back(const uint8_t *data, size_t bytes, enum journal_read *end)
{
    struct byte_reader r;
    struct journal_record record;
    size_t count = 0;
    byte_reader_init(&r, data, bytes);
    *end = JOURNAL_TORN;
    if (!journal_read_magic(&r)) return 0;
    while ((*end = journal_read(&r, &record)) == JOURNAL_GOT) {
        assert_true(count < ARRAY_LEN(samples));
        assert_same(&record, &samples[count++]);
    }
    return count;
}

static void every_record_comes_back(void **state)
{
    struct byte_writer w;
    size_t ends[ARRAY_LEN(samples)];
    enum journal_read end;
    write_all(&w, ends);
    assert_int_equal(read_back(w.data, w.bytes, &end), ARRAY_LEN(samples));
    assert_int_equal(end, JOURNAL_DONE);
    byte_writer_deinit(&w);
}

static void a_torn_tail_is_cut_off_at_every_byte(void **state)
{
    struct byte_writer w;
    size_t ends[ARRAY_LEN(samples)];
    write_all(&w, ends);
    for (size_t cut = 0; cut < w.bytes; cut++) {
        enum journal_read end;
        size_t whole = 0;
        uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees the first byte too many */
        memcpy(exact, w.data, cut);
        while (ends[whole] <= cut) whole++;
        assert_int_equal(read_back(exact, cut, &end), whole);
        const bool is_clean = cut == 8 || (whole && ends[whole - 1] == cut);
        assert_int_equal(end, is_clean ? JOURNAL_DONE : JOURNAL_TORN);
        free(exact);
    }
    byte_writer_deinit(&w);
}

static void no_changed_byte_is_believed(void **state)
{
    struct byte_writer w;
    size_t ends[ARRAY_LEN(samples)];
    write_all(&w, ends);
    for (size_t at = 0; at < w.bytes; at++) {
        for (int bit = 0; bit < 8; bit++) {
            enum journal_read end;
            size_t before = 0;
            w.data[at] ^= (uint8_t)(1 << bit);
            while (ends[before] <= at) before++;
            assert_int_equal(read_back(w.data, w.bytes, &end), at < 8 ? 0 : before);
            assert_int_equal(end, JOURNAL_TORN);
            w.data[at] ^= (uint8_t)(1 << bit);
        }
    }
    byte_writer_deinit(&w);
}

static void what_a_later_version_wrote_is_passed_over(void **state)
{
    struct byte_writer w;
    struct byte_reader r;
    struct journal_record record;
    byte_writer_init(&w, 4096);
    journal_write_magic(&w);
    /* kind 77: its payload and CRC, worked out with another tool: python3 -c "import zlib; print(hex(zlib.crc32(b'Mabc')))" */
    write_bytes(&w,
                "\0\0\0\4\x82\x5f\xc7\x2c"
                "Mabc",
                12);
    journal_write(&w, &samples[5]);
    byte_reader_init(&r, w.data, w.bytes);
    assert_true(journal_read_magic(&r));
    assert_int_equal(journal_read(&r, &record), JOURNAL_GOT);
    assert_same(&record, &samples[5]);
    byte_writer_deinit(&w);
}

static void names_that_could_reach_elsewhere_are_not_written(void **state)
{
    static const char *const names[] = { "../key", "a b", "a\nb", "a\"b", "a/b", "\xc3\xbc" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct journal_record record = samples[2];
        struct byte_writer w;
        byte_writer_init(&w, 4096);
        strcpy(record.name, names[i]);
        journal_write(&w, &record);
        assert_true(w.failed);
        byte_writer_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back),
        cmocka_unit_test(a_torn_tail_is_cut_off_at_every_byte),
        cmocka_unit_test(no_changed_byte_is_believed),
        cmocka_unit_test(what_a_later_version_wrote_is_passed_over),
        cmocka_unit_test(names_that_could_reach_elsewhere_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
