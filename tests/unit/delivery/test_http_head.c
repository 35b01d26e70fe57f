/* The head of a response, byte for byte. */
#include "hex.h"

#include <stdio.h>
#include <string.h>

#include "delivery/http_head.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define CROSS_ORIGIN                                                                                                   \
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Age, Date, Content-Length, Content-Range\r\n"

static const struct {
    const char *what;
    struct http_answer answer;
    bool keeps_alive;
    const char *text;
} heads[] = {
    { "a playlist, packed",
      { .status = 200,
        .allow_origin = "*",
        .content_type = "application/vnd.apple.mpegurl",
        .cache_control = "public, max-age=1",
        .bytes = 321,
        .whole_bytes = 321,
        .is_gzip = true,
        .varies_by_encoding = true,
        .etag = "\"p1f-g\"" },
      true,
      "HTTP/1.1 200 OK\r\nServer: weir\r\nDate: " DATE
      "\r\nContent-Type: application/vnd.apple.mpegurl\r\nContent-Length: 321\r\n"
      "Cache-Control: public, max-age=1\r\nETag: \"p1f-g\"\r\nContent-Encoding: gzip\r\nVary: "
      "Accept-Encoding\r\n" CROSS_ORIGIN "Connection: keep-alive\r\n\r\n" },
    { "a range",
      { .status = 206,
        .allow_origin = "*",
        .content_type = "video/mp4",
        .first = 10,
        .bytes = 90,
        .whole_bytes = 18446744073709551615u,
        .etag = "\"s1.m4s\"" },
      true,
      "HTTP/1.1 206 Partial Content\r\nServer: weir\r\nDate: " DATE
      "\r\nContent-Type: video/mp4\r\nContent-Length: 90\r\n"
      "ETag: \"s1.m4s\"\r\nAccept-Ranges: bytes\r\nContent-Range: bytes 10-99/18446744073709551615\r\n" CROSS_ORIGIN
      "Connection: keep-alive\r\n\r\n" },
    { "a range behind the end",
      { .status = 416, .allow_origin = "*", .bytes = 0, .whole_bytes = 100, .is_range_unsatisfiable = true },
      false,
      "HTTP/1.1 416 Range Not Satisfiable\r\nServer: weir\r\nDate: " DATE "\r\nContent-Length: 0\r\n"
      "Content-Range: bytes */100\r\n" CROSS_ORIGIN "Connection: close\r\n\r\n" },
    { "nothing new: no length",
      { .status = 304, .allow_origin = "*", .etag = "\"p1\"" },
      true,
      "HTTP/1.1 304 Not Modified\r\nServer: weir\r\nDate: " DATE
      "\r\nETag: \"p1\"\r\nAccept-Ranges: bytes\r\n" CROSS_ORIGIN "Connection: keep-alive\r\n\r\n" },
    { "a redirect",
      { .status = 308, .allow_origin = "*", .bytes = 7, .location = "./a/" },
      true,
      "HTTP/1.1 308 Permanent Redirect\r\nServer: weir\r\nDate: " DATE
      "\r\nContent-Length: 7\r\nLocation: ./a/\r\n" CROSS_ORIGIN "Connection: keep-alive\r\n\r\n" },
    { "another origin, which may not read it",
      { .status = 200, .varies_by_encoding = true, .varies_by_origin = true },
      true,
      "HTTP/1.1 200 OK\r\nServer: weir\r\nDate: " DATE
      "\r\nContent-Length: 0\r\nVary: Accept-Encoding, Origin\r\nConnection: keep-alive\r\n\r\n" },
};

static void head_cases(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        static char out[HTTP_HEAD_BYTES_MAX + 1];
        print_message("%s\n", heads[i].what);
        const size_t bytes = http_head_write(out, &heads[i].answer, DATE, heads[i].keeps_alive);
        out[bytes] = 0;
        assert_string_equal(out, heads[i].text);
    }
}

static void every_status_has_its_words(void **unused_state)
{
    static const int statuses[] = {
        200, 204, 206, 304, 308, 400, 404, 405, 408, 413, 414, 416, 431, 500, 501, 503, 505
    };
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        static char out[HTTP_HEAD_BYTES_MAX];
        char expected[32];
        const struct http_answer a = { .status = statuses[i] };
        const int bytes = snprintf(expected, sizeof expected, "HTTP/1.1 %d ", statuses[i]);
        assert_true(http_head_write(out, &a, DATE, true) > 64);
        assert_memory_equal(out, expected, (size_t)bytes);
    }
}

static void dates(void **unused_state)
{
    char out[HTTP_DATE_BYTES];
    http_date_format(784111777 * 1000000LL, out);
    assert_string_equal(out, DATE);
    http_date_format(784111777 * 1000000LL + 999999, out);
    assert_string_equal(out, DATE);
    http_date_format(0, out);
    assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_format(951782400 * 1000000LL, out);
    assert_string_equal(out, "Tue, 29 Feb 2000 00:00:00 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_cases),
        cmocka_unit_test(every_status_has_its_words),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
