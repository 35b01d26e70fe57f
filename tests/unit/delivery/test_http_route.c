#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/err.h>
#include <weir/delivery/http_route.h>

static const struct {
    const char *target;
    enum http_route_kind kind;
    const char *stream, *rendition, *file; /* NULL: none */
} routes[] = {
    { "/", ROUTE_INDEX, NULL, NULL, NULL },
    { "/?x=1", ROUTE_INDEX, NULL, NULL, NULL },
    { "/assets/player.js", ROUTE_ASSET, NULL, NULL, "player.js" },
    { "/assets/", ROUTE_ASSET, NULL, NULL, "" },
    { "/assets/a/b", ROUTE_ASSET, NULL, NULL, "a/b" },
    { "/metrics", ROUTE_HANDLER, NULL, NULL, NULL },
    { "/metrics?name=x", ROUTE_HANDLER, NULL, NULL, NULL },
    { "/healthz", ROUTE_HANDLER, NULL, NULL, NULL },
    { "/readyz", ROUTE_HANDLER, NULL, NULL, NULL },
    { "/api/v1/streams", ROUTE_HANDLER, NULL, NULL, NULL },
    /* pages */
    { "/live/a/", ROUTE_STREAM_PAGE, "live/a", NULL, NULL },
    { "/live/a", ROUTE_STREAM_BARE, "live/a", NULL, NULL },
    { "/live/room1/cam/", ROUTE_STREAM_PAGE, "live/room1/cam", NULL, NULL },
    { "/live/a?x=/b/", ROUTE_STREAM_BARE, "live/a", NULL, NULL },
    { "/live/a%20b%2525/", ROUTE_STREAM_PAGE, "live/a b%25", NULL, NULL },
    { "/live/%C3%A9t\xC3\xA9/", ROUTE_STREAM_PAGE, "live/\xC3\xA9t\xC3\xA9", NULL, NULL },
    { "/live/..a/", ROUTE_STREAM_PAGE, "live/..a", NULL, NULL },
    { "/apiary/a/", ROUTE_STREAM_PAGE, "apiary/a", NULL, NULL },
    { "/metrics/a/", ROUTE_STREAM_PAGE, "metrics/a", NULL, NULL },
    { "/live/a#b", ROUTE_STREAM_BARE, "live/a#b", NULL, NULL },
    /* no stream has a name of one part */
    { "/favicon.ico", ROUTE_NONE, "favicon.ico", NULL, NULL },
    { "/live/", ROUTE_NONE, "live", NULL, NULL },
    /* playlists and objects */
    { "/live/a/index.m3u8", ROUTE_MULTIVARIANT, "live/a", NULL, "index.m3u8" },
    { "/live/a/master.m3u8", ROUTE_MULTIVARIANT, "live/a", NULL, "master.m3u8" },
    { "/live/a.m3u8", ROUTE_MULTIVARIANT, "live/a", NULL, NULL },
    { "/live/a/index.m3u8?_HLS_msn=7", ROUTE_MULTIVARIANT, "live/a", NULL, "index.m3u8" },
    { "/live/a/video/index.m3u8", ROUTE_MULTIVARIANT, "live/a/video", NULL, "index.m3u8" },
    { "/live/a/video/s1.m4s", ROUTE_OBJECT, "live/a", "video", "s1.m4s" },
    { "/live/a/video/init-1.mp4", ROUTE_OBJECT, "live/a", "video", "init-1.mp4" },
    { "/a/b/c/d/e/f/g/h/audio/s1.m4s", ROUTE_OBJECT, "a/b/c/d/e/f/g/h", "audio", "s1.m4s" },
    { "/live/a/ts/s1.ts", ROUTE_OBJECT, "live/a", "ts", "s1.ts" },
    { "/live/a/ts.m3u8", ROUTE_MULTIVARIANT, "live/a/ts", NULL, NULL },
    { "/live/a/thumb.jpg", ROUTE_THUMBNAIL, "live/a", NULL, NULL },
    { "/live/room1/cam/thumb.jpg?t=1", ROUTE_THUMBNAIL, "live/room1/cam", NULL, NULL },
    { "/live/thumb.jpg", ROUTE_NONE, "live", NULL, NULL },
    { "/thumb.jpg", ROUTE_NONE, "thumb.jpg", NULL, NULL },
    { "/live/s1.ts", ROUTE_NONE, NULL, NULL, NULL },
    { "/live/s1.m4s", ROUTE_NONE, NULL, NULL, NULL },
    { "/s1.m4s", ROUTE_NONE, NULL, NULL, NULL },
    /* absolute form */
    { "http://example.test/live/a/index.m3u8", ROUTE_MULTIVARIANT, "live/a", NULL, "index.m3u8" },
    { "HTTPS://example.test:8080/", ROUTE_INDEX, NULL, NULL, NULL },
    { "http://example.test", ROUTE_INDEX, NULL, NULL, NULL },
    { "http://example.test?/live/a/", ROUTE_INDEX, NULL, NULL, NULL },
    { "http:///live/a/", ROUTE_STREAM_PAGE, "live/a", NULL, NULL },
    { "http://", ROUTE_BAD, NULL, NULL, NULL },
    { "ftp://example.test/", ROUTE_BAD, NULL, NULL, NULL },
    /* nothing, or nothing good */
    { "//live/a/", ROUTE_NONE, NULL, NULL, NULL },
    { "//example.test/", ROUTE_NONE, NULL, NULL, NULL },
    { "/live//a/", ROUTE_NONE, NULL, NULL, NULL },
    { "", ROUTE_BAD, NULL, NULL, NULL },
    { "*", ROUTE_BAD, NULL, NULL, NULL },
    { "example.test:80", ROUTE_BAD, NULL, NULL, NULL },
    { "?", ROUTE_BAD, NULL, NULL, NULL },
    { "live/a/", ROUTE_BAD, NULL, NULL, NULL },
    { "/..", ROUTE_BAD, NULL, NULL, NULL },
    { "/../etc/passwd", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/../../etc/passwd", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/./a/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/%2e%2E/a", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/.%2e/a", ROUTE_BAD, NULL, NULL, NULL },
    { "/assets/../x", ROUTE_BAD, NULL, NULL, NULL },
    { "/live%2fa/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%5Cb/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a\\b/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%00/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%0d%0aSet-Cookie:x/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%7f/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a\tb/", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%4", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%zz", ROUTE_BAD, NULL, NULL, NULL },
    { "/live/a%4g/", ROUTE_BAD, NULL, NULL, NULL },
};

static void assert_slice(const char *got, size_t got_bytes, const char *expected)
{
    if (!expected) return;
    assert_non_null(got);
    assert_int_equal(got_bytes, strlen(expected));
    assert_memory_equal(got, expected, got_bytes);
}

static void every_path_means_one_thing(void **unused_state)
{
    static struct http_route r;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        print_message("%s\n", routes[i].target);
        http_route_parse(routes[i].target, strlen(routes[i].target), &r);
        assert_int_equal(r.kind, routes[i].kind);
        if (r.kind == ROUTE_BAD) continue;
        assert_slice(r.stream, r.stream_bytes, routes[i].stream);
        assert_slice(r.rendition, r.rendition_bytes, routes[i].rendition);
        assert_slice(r.file, r.file_bytes, routes[i].file);
    }
}

static void handlers_see_the_path_without_its_query(void **unused_state)
{
    static struct http_route r;
    static const char target[] = "/api/v1/streams/live/a%20b?x=%zz";
    http_route_parse(target, sizeof target - 1, &r);
    assert_int_equal(r.kind, ROUTE_HANDLER);
    assert_string_equal(r.path, "/api/v1/streams/live/a b");
}

static void a_deep_multivariant_may_be_a_rendition(void **unused_state)
{
    static struct http_route r;
    static const char target[] = "/live/a/b/index.m3u8";
    http_route_parse(target, sizeof target - 1, &r);
    assert_slice(r.stream, r.stream_bytes, "live/a/b");
    assert_true(http_route_as_rendition(&r));
    assert_int_equal(r.kind, ROUTE_OBJECT);
    assert_slice(r.stream, r.stream_bytes, "live/a");
    assert_slice(r.rendition, r.rendition_bytes, "b");
    assert_slice(r.file, r.file_bytes, "index.m3u8");
}

static void a_renditions_own_multivariant(void **unused_state)
{
    static struct http_route r;
    static const char target[] = "/live/a/ts.m3u8";
    http_route_parse(target, sizeof target - 1, &r);
    assert_true(http_route_as_rendition(&r));
    assert_int_equal(r.kind, ROUTE_OBJECT);
    assert_slice(r.stream, r.stream_bytes, "live/a");
    assert_slice(r.rendition, r.rendition_bytes, "ts");
    assert_null(r.file);
}

static void some_have_no_second_reading(void **unused_state)
{
    static const char *const targets[] = { "/live/index.m3u8", "/live/a.m3u8", "/index.m3u8", "/.m3u8" };
    static struct http_route r;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        print_message("%s\n", targets[i]);
        http_route_parse(targets[i], strlen(targets[i]), &r);
        assert_false(http_route_as_rendition(&r));
    }
}

static void lengths_around_the_limit(void **unused_state)
{
    static struct http_route r;
    static char target[HTTP_URL_BYTES_MAX + 2];
    memset(target, 'a', sizeof target);
    memcpy(target, "/live/", 6);
    for (size_t bytes = HTTP_URL_BYTES_MAX - 1; bytes <= HTTP_URL_BYTES_MAX + 1; bytes++) {
        http_route_parse(target, bytes, &r);
        assert_int_equal(r.kind, bytes <= HTTP_URL_BYTES_MAX ? ROUTE_STREAM_BARE : ROUTE_BAD);
    }
    /* escapes count as they are written, so a decoded path is never longer than its buffer */
    for (size_t at = 6; at + 3 <= HTTP_URL_BYTES_MAX; at += 3) memcpy(target + at, "%41", 3);
    http_route_parse(target, HTTP_URL_BYTES_MAX - 1, &r);
    assert_int_equal(r.kind, ROUTE_STREAM_BARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_means_one_thing),
        cmocka_unit_test(handlers_see_the_path_without_its_query),
        cmocka_unit_test(a_deep_multivariant_may_be_a_rendition),
        cmocka_unit_test(a_renditions_own_multivariant),
        cmocka_unit_test(some_have_no_second_reading),
        cmocka_unit_test(lengths_around_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
