#include "hex.h"

#include <string.h>
#include <weir/delivery/http_field.h>

#define UNTOUCHED 4711

static struct http_text text(const char *s)
{
    return (struct http_text){ s, s ? strlen(s) : 0 };
}

static const struct {
    const char *field;
    size_t size;
    enum http_range result;
    size_t first, last;
} ranges[] = {
    { NULL, 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=0-0", 100, RANGE_PART, 0, 0 },
    { "bytes=0-99", 100, RANGE_PART, 0, 99 },
    { "bytes=0-100", 100, RANGE_PART, 0, 99 },
    { "bytes=10-", 100, RANGE_PART, 10, 99 },
    { "bytes=99-", 100, RANGE_PART, 99, 99 },
    { "BYTES=1-2", 100, RANGE_PART, 1, 2 },
    { "bytes=0-18446744073709551615", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=0-18446744073709551600", 100, RANGE_PART, 0, 99 },
    { "bytes=0-1844674407370955159", 100, RANGE_PART, 0, 99 },
    { "bytes=99999999999999999999999-", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    /* the last n bytes */
    { "bytes=-1", 100, RANGE_PART, 99, 99 },
    { "bytes=-100", 100, RANGE_PART, 0, 99 },
    { "bytes=-1000", 100, RANGE_PART, 0, 99 },
    { "bytes=-0", 100, RANGE_UNSATISFIABLE, UNTOUCHED, UNTOUCHED },
    { "bytes=-5", 0, RANGE_UNSATISFIABLE, UNTOUCHED, UNTOUCHED },
    /* behind the end */
    { "bytes=100-", 100, RANGE_UNSATISFIABLE, UNTOUCHED, UNTOUCHED },
    { "bytes=100-200", 100, RANGE_UNSATISFIABLE, UNTOUCHED, UNTOUCHED },
    { "bytes=0-", 0, RANGE_UNSATISFIABLE, UNTOUCHED, UNTOUCHED },
    /* ignored: several, another unit, nonsense (RFC 9110, 14.2) */
    { "bytes=0-1,3-4", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=5-4", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "seconds=0-1", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=-", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=1", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=--1", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=1-2x", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=+1-2", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes=0x1-2", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
    { "bytes 0-1", 100, RANGE_WHOLE, UNTOUCHED, UNTOUCHED },
};

static void range_cases(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        size_t first = UNTOUCHED, last = UNTOUCHED;
        print_message("%s of %zu\n", ranges[i].field ? ranges[i].field : "(none)", ranges[i].size);
        assert_int_equal(http_range_parse(text(ranges[i].field), ranges[i].size, &first, &last), ranges[i].result);
        assert_int_equal(first, ranges[i].first);
        assert_int_equal(last, ranges[i].last);
    }
}

static const struct {
    const char *field;
    bool none_match, if_range;
} tags[] = {
    { NULL, false, false },
    { "", false, false },
    { "\"p1\"", true, true },
    { "W/\"p1\"", true, false },
    { "*", true, false },
    { "\"p2\"", false, false },
    { "p1", false, false },
    { "\"p1", false, false },
    { "\"p11\"", false, false },
    { "\"x\", \"p1\"", true, false },
    { "\"x\",W/\"p1\"\t,\"y\"", true, false },
    { ",,, \"p1\"", true, false },
    { ",", false, false },
    { "W/", false, false },
    { "w/\"p1\"", false, false },
    { "Sun, 06 Nov 1994 08:49:37 GMT", false, false },
};

static void tag_cases(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        print_message("%s\n", tags[i].field ? tags[i].field : "(none)");
        assert_int_equal(http_etag_matches(text(tags[i].field), "\"p1\""), tags[i].none_match);
        assert_int_equal(http_if_range_matches(text(tags[i].field), "\"p1\""), tags[i].if_range);
    }
}

static const struct {
    const char *field;
    bool is_wanted;
} encodings[] = {
    { NULL, false },
    { "", false },
    { "gzip", true },
    { "GZIP", true },
    { "gzip, deflate, br", true },
    { "br,gzip;q=0.5", true },
    { "gzip;q=0", false },
    { "gzip; q=0.000", false },
    { "gzip ;q=0", false },
    { "gzip;q=0.001", true },
    { "gzip;q=1", true },
    { "*", true },
    { "*;q=0", false },
    { "*;q=0, gzip", true },
    { "gzip;q=0, *", false },
    { "identity", false },
    { "xgzip", false },
    { "gzipx", false },
    { "identity;q=1, *;q=0", false },
    { ";", false },
    { ";q=0", false },
};

static void encoding_cases(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        print_message("%s\n", encodings[i].field ? encodings[i].field : "(none)");
        assert_int_equal(http_accepts_gzip(text(encodings[i].field)), encodings[i].is_wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_cases),
        cmocka_unit_test(tag_cases),
        cmocka_unit_test(encoding_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
