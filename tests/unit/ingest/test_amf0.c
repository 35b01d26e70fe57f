#include "hex.h"

#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/amf0.h>

static void reads_what_it_writes(void **unused_state)
{
    struct byte_writer w;
    byte_writer_init(&w, 1024);
    amf0_write_string(&w, "connect");
    amf0_write_number(&w, 1.5);
    amf0_write_object_begin(&w);
    amf0_write_name(&w, "app");
    amf0_write_string(&w, "live");
    amf0_write_name(&w, "ok");
    amf0_write_boolean(&w, true);
    amf0_write_name(&w, "list");
    amf0_write_strict_begin(&w, 1);
    amf0_write_null(&w);
    amf0_write_end(&w);
    struct amf0_reader r;
    struct amf0_value v;
    amf0_reader_init(&r, w.data, w.bytes, NULL);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_memory_equal(v.text.data, "connect", 7);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_true(v.number == 1.5);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_int_equal(v.kind, AMF0_OBJECT_BEGIN);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_true(v.kind == AMF0_STRING && v.depth == 1 && v.name.bytes == 3 && !memcmp(v.name.data, "app", 3));
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_true(v.kind == AMF0_BOOLEAN && v.number == 1);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_int_equal(v.kind, AMF0_ARRAY_BEGIN);
    assert_int_equal(amf0_skip(&r, &v), AMF0_VALUE);
    assert_int_equal(amf0_read(&r, &v), AMF0_VALUE);
    assert_true(v.kind == AMF0_END && v.depth == 0);
    assert_int_equal(amf0_read(&r, &v), AMF0_FINISHED);
    /* cut anywhere: an error or an early end, never more values than there are */
    for (size_t cut = 0; cut < w.bytes; cut++) {
        unsigned values = 0;
        enum amf0_result result;
        amf0_reader_init(&r, w.data, cut, NULL);
        while ((result = amf0_read(&r, &v)) == AMF0_VALUE) values++;
        assert_true(values <= 9);
        if (result == AMF0_BAD) assert_non_null(r.why);
    }
    byte_writer_deinit(&w);
}

static const struct {
    const char *what, *in_hex;
    enum amf0_result last;
    unsigned values;
} cases[] = {
    { "empty", "", AMF0_FINISHED, 0 },
    { "undefined and null", "0605", AMF0_FINISHED, 2 },
    { "an ECMA array's count is only a hint", "08 FFFFFFFF 0001 61 05 000009", AMF0_FINISHED, 3 },
    { "a missing end marker", "03 0001 61 05", AMF0_FINISHED, 3 },
    { "a strict array of 2^31 values", "0A 80000000 05 05", AMF0_BAD, 3 },
    { "a reference", "07 0000", AMF0_BAD, 0 },
    { "an unknown marker", "0E", AMF0_BAD, 0 },
    { "an AMF3 value ends the reading, and is no error", "05 11 0A0B", AMF0_FINISHED, 1 },
    { "a string longer than the message", "02 FFFF 61", AMF0_BAD, 0 },
    { "a long string over the limit", "0C 00100000 61", AMF0_BAD, 0 },
    { "a date", "0B 4000000000000000 0000", AMF0_FINISHED, 1 },
    { "a typed object", "10 0001 63 0001 61 05 000009", AMF0_FINISHED, 3 },
};

static void odd_values(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].in_hex);
        struct counters counters = { 0 };
        struct amf0_reader r;
        struct amf0_value v;
        enum amf0_result result;
        unsigned values = 0;
        print_message("%s\n", cases[i].what);
        amf0_reader_init(&r, in.data, in.bytes, &counters);
        while ((result = amf0_read(&r, &v)) == AMF0_VALUE) values++;
        assert_int_equal(result, cases[i].last);
        assert_int_equal(values, cases[i].values);
    }
}

/* Red5: nested containers overflowed the stack, declared counts made huge arrays, before anybody had logged in. */
static void depth_and_count_are_bounded(void **unused_state)
{
    static uint8_t deep[40000], many[20000];
    struct counters counters = { 0 };
    struct amf0_reader r;
    struct amf0_value v;
    for (size_t i = 0; i + 4 <= sizeof deep; i += 4)
        memcpy(deep + i,
               "\x03\0\x01"
               "a",
               4);
    amf0_reader_init(&r, deep, sizeof deep, &counters);
    while (amf0_read(&r, &v) == AMF0_VALUE) assert_true(v.depth < AMF_DEPTH_MAX);
    assert_int_equal(counter_read(&counters, COUNTER_AMF_LIMIT_DEPTH), 1);
    memset(many, 5, sizeof many);
    amf0_reader_init(&r, many, sizeof many, &counters);
    unsigned values = 0;
    while (amf0_read(&r, &v) == AMF0_VALUE) values++;
    assert_int_equal(values, AMF_VALUES_MAX);
    assert_int_equal(counter_read(&counters, COUNTER_AMF_LIMIT_VALUES), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(odd_values),
        cmocka_unit_test(depth_and_count_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
