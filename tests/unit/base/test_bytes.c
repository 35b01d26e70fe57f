#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/base/clock.h>
#include <weir/base/digits.h>

static void reads_big_and_little_endian(void **unused_state)
{
    const struct hex in = hex("01 0203 040506 0708090A 0B0C0D0E0F101112 3412 78563412");
    struct byte_reader r;
    byte_reader_init(&r, in.data, in.bytes);
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u24(&r), 0x040506);
    assert_int_equal(read_u32(&r), 0x0708090A);
    assert_true(read_u64(&r) == 0x0B0C0D0E0F101112u);
    assert_int_equal(read_u16_le(&r), 0x1234);
    assert_int_equal(read_u32_le(&r), 0x12345678);
    assert_false(r.failed);
    assert_int_equal(byte_reader_left(&r), 0);
}

static void reading_past_the_end_fails_for_good(void **unused_state)
{
    const struct hex in = hex("010203");
    struct byte_reader r;
    byte_reader_init(&r, in.data, in.bytes);
    assert_int_equal(read_u32(&r), 0);
    assert_true(r.failed);
    /* what is left is not offered again: a parser that forgot to check sees zeros, not shifted fields */
    assert_int_equal(read_u8(&r), 0);
    assert_null(read_span(&r, 1).data);
}

static void reads_bits_over_byte_borders(void **unused_state)
{
    const struct hex in = hex("A5 F0 0F FF");
    struct bit_reader r;
    bit_reader_init(&r, in.data, in.bytes);
    assert_int_equal(read_bits(&r, 3), 5);
    assert_int_equal(read_bits(&r, 9), 0x05F);
    skip_bits(&r, 4);
    assert_int_equal(read_bits(&r, 16), 0x0FFF);
    assert_int_equal(bit_reader_left(&r), 0);
    assert_false(read_flag(&r));
    assert_true(r.failed);
}

static void exp_golomb_table(void **unused_state)
{
    /* H.264 table 9-2: 1, 010, 011, 00100 ... */
    static const struct {
        const char *in_hex;
        uint32_t ue;
        int32_t se;
    } cases[] = {
        { "80", 0, 0 }, { "40", 1, 1 },  { "60", 2, -1 },
        { "20", 3, 2 }, { "28", 4, -2 }, { "00000001 FFFFFFFE", UINT32_MAX - 1, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].in_hex);
        struct bit_reader r;
        bit_reader_init(&r, in.data, in.bytes);
        assert_true(read_ue(&r) == cases[i].ue);
        assert_false(r.failed);
        if (cases[i].ue > 1000) continue;
        bit_reader_init(&r, in.data, in.bytes);
        assert_int_equal(read_se(&r), cases[i].se);
    }
    /* 32 zeros: no such code */
    const struct hex endless = hex("00000000 80000000 00");
    struct bit_reader r;
    bit_reader_init(&r, endless.data, endless.bytes);
    assert_int_equal(read_ue(&r), 0);
    assert_true(r.failed);
}

static void writer_keeps_its_ceiling(void **unused_state)
{
    struct byte_writer w;
    byte_writer_init(&w, 10);
    write_u32(&w, 0x01020304);
    write_u24(&w, 0x050607);
    write_u16(&w, 0x0809);
    write_u8(&w, 0x0A);
    assert_false(w.failed);
    assert_bytes(w.data, w.bytes, "0102030405060708090A");
    write_u8(&w, 1);
    assert_true(w.failed);
    assert_int_equal(w.bytes, 10);
    assert_null(byte_writer_freeze(&w));
    byte_writer_clear(&w);
    write_u32_le(&w, 0x01020304);
    patch_u32(&w, 0, 0xAABBCCDD);
    assert_bytes(w.data, w.bytes, "AABBCCDD");
    byte_writer_deinit(&w);
}

static void writer_formats_long_text(void **unused_state)
{
    char text[3000];
    struct byte_writer w;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    byte_writer_init(&w, 4096);
    write_format(&w, "%s=%d", text, 7);
    assert_false(w.failed);
    assert_int_equal(w.bytes, sizeof text - 1 + 2);
    assert_memory_equal(w.data + w.bytes - 2, "=7", 2);
    byte_writer_trim(&w);
    assert_int_equal(w.capacity, w.bytes);
    write_text(&w, "8");
    assert_memory_equal(w.data + w.bytes - 3, "=78", 3);
    byte_writer_deinit(&w);
}

static void frozen_pieces_share_and_read_back(void **unused_state)
{
    struct blob *b = blob_copy("hello, world", 12);
    const struct piece pieces[] = { { b, blob_data(b), 5 }, { b, blob_data(b) + 5, 0 }, { b, blob_data(b) + 7, 5 } };
    struct frozen *f = frozen_create(pieces, ARRAY_LEN(pieces));
    blob_unref(b); /* the frozen keeps it alive */
    assert_int_equal(frozen_bytes(f), 10);
    assert_int_equal(frozen_piece_count(f), 2);
    struct frozen *head = frozen_copy("> ", 2);
    struct frozen *const both[] = { head, f };
    struct frozen *joined = frozen_join(both, 2);
    frozen_unref(f);
    frozen_unref(head);
    char out[16] = "";
    assert_int_equal(frozen_read(joined, 0, out, sizeof out), 12);
    assert_memory_equal(out, "> helloworld", 12);
    for (size_t at = 0; at <= 12; at++) {
        char tail[16] = "";
        assert_int_equal(frozen_read(joined, at, tail, sizeof tail), 12 - at);
        assert_memory_equal(tail, &"> helloworld"[at], 12 - at);
    }
    frozen_unref(joined);
}

static void blob_grows_and_keeps_its_bytes(void **unused_state)
{
    struct blob *b = blob_copy("abc", 3);
    b = blob_resize(b, 100000);
    assert_non_null(b);
    assert_memory_equal(blob_data(b), "abc", 3);
    assert_int_equal(blob_bytes(b), 100000);
    b = blob_resize(b, 2);
    assert_int_equal(blob_bytes(b), 2);
    assert_null(blob_create(SIZE_MAX));
    blob_unref(b);
    blob_unref(NULL);
    frozen_unref(NULL);
}

static void numbers_are_written_as_printf_would(void **unused_state)
{
    static const uint64_t values[] = { 0, 1, 9, 10, 99, 100, 123456, UINT32_MAX, 9999999999999999999u, UINT64_MAX };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (unsigned least = 0; least <= DIGITS_BYTES_MAX; least++) {
            char is[DIGITS_BYTES_MAX + 1] = "", wanted[DIGITS_BYTES_MAX + 1];
            snprintf(wanted, sizeof wanted, "%0*llu", (int)least, (unsigned long long)values[i]);
            *digits_decimal(is, values[i], least) = 0;
            assert_string_equal(is, wanted);
        }
        char is[9], wanted[9];
        snprintf(wanted, sizeof wanted, "%08x", (uint32_t)values[i]);
        *digits_hex32(is, (uint32_t)values[i]) = 0;
        assert_string_equal(is, wanted);
    }
}

static void times_are_written_in_utc(void **unused_state)
{
    static const struct {
        int64_t wall_us;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -5, "1970-01-01T00:00:00.000Z" },
        { 951782399999999, "2000-02-28T23:59:59.999Z" },
        { 951782400000000, "2000-02-29T00:00:00.000Z" },
        { 1798761599001000, "2026-12-31T23:59:59.001Z" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[CLOCK_TEXT_BYTES];
        clock_format(cases[i].wall_us, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_printf_would),
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(reads_big_and_little_endian),
        cmocka_unit_test(reading_past_the_end_fails_for_good),
        cmocka_unit_test(reads_bits_over_byte_borders),
        cmocka_unit_test(exp_golomb_table),
        cmocka_unit_test(writer_keeps_its_ceiling),
        cmocka_unit_test(writer_formats_long_text),
        cmocka_unit_test(frozen_pieces_share_and_read_back),
        cmocka_unit_test(blob_grows_and_keeps_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
