#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/delivery/http_field.h>
#include <weir/delivery/http_request.h>
#include <weir/delivery/http_route.h>

static void a_request_at_every_cut(void **unused_state)
{
    static const char text[] = "GET /live/a/index.m3u8?x=1 HTTP/1.1\r\nHost: h\r\nRange: bytes=1-2\r\nIf-None-Match: \"a\"\r\nAccept-Encoding: gzip\r\nUser-Agent: t/1\r\n\r\nrest";
    const size_t head = sizeof text - 1 - 4;
    struct http_request r;
    for (size_t cut = 0; cut < head; cut++) {
        char *exact = malloc(cut ? cut : 1);
        memcpy(exact, text, cut);
        assert_int_equal(http_request_parse(exact, cut, &r).result, HTTP_PARSE_NEED);
        free(exact);
    }
    const struct http_parsed parsed = http_request_parse(text, sizeof text - 1, &r);
    assert_int_equal(parsed.result, HTTP_PARSE_DONE);
    assert_int_equal(parsed.consumed, head);
    assert_int_equal(r.verb, HTTP_VERB_GET);
    assert_true(r.keeps_alive && r.is_http_1_1);
    assert_memory_equal(r.target.data, "/live/a/index.m3u8?x=1", r.target.bytes);
    assert_memory_equal(r.range.data, "bytes=1-2", r.range.bytes);
    assert_memory_equal(r.user_agent.data, "t/1", r.user_agent.bytes);
}

static const struct {
    const char *what, *text;
    int status; /* 0: done */
    bool keeps_alive;
} requests[] = {
    { "1.0 closes", "GET / HTTP/1.0\r\n\r\n", 0, false },
    { "1.0 that keeps", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, true },
    { "1.1 that closes", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 0, false },
    { "empty lines in front", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, true },
    { "a body of nothing", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 0, true },
    { "no Host", "GET / HTTP/1.1\r\n\r\n", 400, false },
    { "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, false },
    { "a body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", 413, false },
    { "two lengths", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400, false },
    { "length and chunked (CL.TE)", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400, false },
    { "chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400, false },
    { "gzip, chunked (libevent#1860)", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400, false },
    { "a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, false },
    { "bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", 400, false },
    { "one bare line feed", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400, false },
    { "a zero byte in a field is no field", "GET / HTTP/1.1\r\nHost: h\r\nX\x01: y\r\n\r\n", 400, false },
    { "an unknown method", "FLY / HTTP/1.1\r\nHost: h\r\n\r\n", 501, false },
    { "HTTP/2 without its preface", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, false },
    { "HTTP/0.9", "GET /\r\n\r\n", 505, false },
};

static void what_is_read_and_what_is_refused(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct http_request r = { .verb = 0 };
        print_message("%s\n", requests[i].what);
        const struct http_parsed parsed = http_request_parse(requests[i].text, strlen(requests[i].text), &r);
        if (requests[i].status) {
            assert_int_equal(parsed.result, HTTP_PARSE_BAD);
            /* HTTP/0.9 reads as 1.x with a broken line, or as another version: both end it */
            if (requests[i].status != 505) assert_int_equal(parsed.status, requests[i].status);
            assert_true(strlen(parsed.why) > 10);
            assert_int_equal(r.verb, 0);
        } else {
            assert_int_equal(parsed.result, HTTP_PARSE_DONE);
            assert_int_equal(r.keeps_alive, requests[i].keeps_alive);
        }
    }
}

static void limits(void **unused_state)
{
    static char text[HTTP_HEADER_BYTES_MAX + 100];
    struct http_request r;
    memset(text, 'x', sizeof text);
    memcpy(text, "GET /", 5);
    assert_int_equal(http_request_parse(text, 1000, &r).result, HTTP_PARSE_NEED);
    assert_int_equal(http_request_parse(text, 4000, &r).status, 414);
    memcpy(text, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 28);
    assert_int_equal(http_request_parse(text, 8000, &r).result, HTTP_PARSE_NEED);
    assert_int_equal(http_request_parse(text, sizeof text, &r).status, 431);
}

static const struct {
    const char *target;
    enum http_route_kind kind;
    const char *stream, *rendition, *file;
} routes[] = {
    { "/", ROUTE_INDEX, "", "", "" },
    { "/live/a/", ROUTE_STREAM_PAGE, "live/a", "", "" },
    { "/live/a", ROUTE_STREAM_BARE, "live/a", "", "" },
    { "/live/a/index.m3u8?t=1", ROUTE_MULTIVARIANT, "live/a", "", "index.m3u8" },
    { "/live/a/master.m3u8", ROUTE_MULTIVARIANT, "live/a", "", "master.m3u8" },
    { "/live/a.m3u8", ROUTE_MULTIVARIANT, "live/a", "", "" },
    { "/live/room/cam%202/video/seg-1-2.m4s", ROUTE_OBJECT, "live/room/cam 2", "video", "seg-1-2.m4s" },
    { "/live/a/audio/init-1-1.mp4", ROUTE_OBJECT, "live/a", "audio", "init-1-1.mp4" },
    { "/assets/hls.js", ROUTE_ASSET, "", "", "hls.js" },
    { "/api/v1/streams", ROUTE_HANDLER, "", "", "" },
    { "/metrics", ROUTE_HANDLER, "", "", "" },
    { "/caf%C3%A9/x/", ROUTE_STREAM_PAGE, "caf\xC3\xA9/x", "", "" },
    { "/seg.m4s", ROUTE_NONE, "", "", "" },
    { "//x/index.m3u8", ROUTE_NONE, "", "", "" },
    { "/live/../x", ROUTE_BAD, "", "", "" },
    { "/live/%2e%2e/x", ROUTE_BAD, "", "", "" },
    { "/live/a%2fb", ROUTE_BAD, "", "", "" },
    { "/live/a%00b", ROUTE_BAD, "", "", "" },
    { "/live/a\\b", ROUTE_BAD, "", "", "" },
    { "/live/%", ROUTE_BAD, "", "", "" },
    { "/live/%zz", ROUTE_BAD, "", "", "" },
    { "live/a", ROUTE_BAD, "", "", "" },
    { "", ROUTE_BAD, "", "", "" },
};

static void assert_slice(const char *data, size_t bytes, const char *expected)
{
    assert_int_equal(bytes, strlen(expected));
    if (bytes) assert_memory_equal(data, expected, bytes);
}

static void urls(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct http_route r;
        print_message("%s\n", routes[i].target);
        http_route_parse(routes[i].target, strlen(routes[i].target), &r);
        assert_int_equal(r.kind, routes[i].kind);
        if (r.kind == ROUTE_BAD || r.kind == ROUTE_NONE) continue;
        assert_slice(r.stream, r.stream_bytes, routes[i].stream);
        assert_slice(r.rendition, r.rendition_bytes, routes[i].rendition);
        assert_slice(r.file, r.file_bytes, routes[i].file);
    }
}

static void a_playlist_url_has_two_readings(void **unused_state)
{
    struct http_route r;
    http_route_parse("/live/a/video/index.m3u8", 24, &r);
    assert_int_equal(r.kind, ROUTE_MULTIVARIANT);
    assert_slice(r.stream, r.stream_bytes, "live/a/video");
    assert_true(http_route_as_rendition(&r));
    assert_slice(r.stream, r.stream_bytes, "live/a");
    assert_slice(r.rendition, r.rendition_bytes, "video");
    http_route_parse("/a.m3u8", 7, &r);
    assert_false(http_route_as_rendition(&r));
}

static struct http_text text(const char *t)
{
    return (struct http_text){ t, t ? strlen(t) : 0 };
}

static void ranges(void **unused_state)
{
    static const struct {
        const char *field;
        enum http_range kind;
        size_t first, last;
    } cases[] = {
        { NULL, RANGE_WHOLE, 0, 0 },           { "bytes=0-9", RANGE_PART, 0, 9 },       { "bytes=90-", RANGE_PART, 90, 99 },
        { "bytes=-5", RANGE_PART, 95, 99 },    { "bytes=-500", RANGE_PART, 0, 99 },     { "bytes=0-500", RANGE_PART, 0, 99 },
        { "bytes=100-", RANGE_UNSATISFIABLE, 0, 0 }, { "bytes=-0", RANGE_UNSATISFIABLE, 0, 0 }, { "bytes=5-4", RANGE_WHOLE, 0, 0 },
        { "bytes=0-1,3-4", RANGE_WHOLE, 0, 0 }, { "lines=0-1", RANGE_WHOLE, 0, 0 },     { "bytes=a-b", RANGE_WHOLE, 0, 0 },
        { "bytes=99999999999999999999999-", RANGE_WHOLE, 0, 0 }, { "bytes=-", RANGE_WHOLE, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t first = 0, last = 0;
        assert_int_equal(http_range_parse(text(cases[i].field), 100, &first, &last), cases[i].kind);
        if (cases[i].kind != RANGE_PART) continue;
        assert_int_equal(first, cases[i].first);
        assert_int_equal(last, cases[i].last);
    }
}

static void conditions_and_encodings(void **unused_state)
{
    assert_true(http_etag_matches(text("\"a\""), "\"a\""));
    assert_true(http_etag_matches(text("\"x\", W/\"a\" ,\"b\""), "\"a\""));
    assert_true(http_etag_matches(text("*"), "\"a\""));
    assert_false(http_etag_matches(text("\"aa\""), "\"a\""));
    assert_false(http_etag_matches(text(NULL), "\"a\""));
    assert_true(http_accepts_gzip(text("gzip, deflate, br")));
    assert_true(http_accepts_gzip(text("br;q=1.0, gzip;q=0.5")));
    assert_true(http_accepts_gzip(text("*")));
    assert_false(http_accepts_gzip(text("gzip;q=0")));
    assert_false(http_accepts_gzip(text("gzip; q=0.000, *")));
    assert_false(http_accepts_gzip(text("identity")));
    assert_false(http_accepts_gzip(text(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_at_every_cut), cmocka_unit_test(what_is_read_and_what_is_refused),
        cmocka_unit_test(limits),                 cmocka_unit_test(urls),
        cmocka_unit_test(a_playlist_url_has_two_readings), cmocka_unit_test(ranges),
        cmocka_unit_test(conditions_and_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
