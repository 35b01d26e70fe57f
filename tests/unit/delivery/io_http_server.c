/* The HTTP server on real sockets: what a player, a cache and an attacker see. */
#include "http_house.h"

#include <zlib.h>

#define HOST "Host: a\r\n"
#define SEGMENT "/live/a/video/s1.m4s"
#define PLAYLIST "/live/a/video/index.m3u8"
#define MULTIVARIANT_AGE "public, max-age=1, stale-while-revalidate=10"

static void assert_segment(const struct received *r, size_t first, size_t bytes)
{
    assert_int_equal(r->body_bytes, bytes);
    for (size_t i = 0; i < bytes; i++) {
        if (r->body[i] != segment_byte(first + i)) fail_msg("byte %zu differs", i);
    }
}

static const struct {
    const char *request; /* without Host and end */
    int status;
    const char *content_type, *cache_control;
} answers[] = {
    { "GET " PLAYLIST, 200, "application/vnd.apple.mpegurl", "public, max-age=2" },
    /* nothing is announced here: directives mean nothing, not even wrong ones */
    { "GET " PLAYLIST "?_HLS_msn=900&_HLS_part=1&_HLS_skip=YES", 200, "application/vnd.apple.mpegurl",
      "public, max-age=2" },
    { "GET " PLAYLIST "?_HLS_part=1", 200, "application/vnd.apple.mpegurl", "public, max-age=2" },
    { "GET /live/a/audio/index.m3u8", 200, "application/vnd.apple.mpegurl", "public, max-age=3600" },
    { "GET /live/a/index.m3u8", 200, "application/vnd.apple.mpegurl", MULTIVARIANT_AGE },
    { "GET /live/a/master.m3u8", 200, "application/vnd.apple.mpegurl", MULTIVARIANT_AGE },
    { "GET /live/a.m3u8?token=x", 200, "application/vnd.apple.mpegurl", MULTIVARIANT_AGE },
    { "GET http://a/live/a.m3u8", 200, "application/vnd.apple.mpegurl", MULTIVARIANT_AGE },
    { "GET " SEGMENT, 200, "video/mp4", "public, max-age=31536000, immutable" },
    { "GET /live/a/audio/init-1.mp4", 200, "audio/mp4", "public, max-age=31536000, immutable" },
    { "GET /", 200, "text/html; charset=utf-8", "no-cache" },
    { "GET /live/a/", 200, "text/html; charset=utf-8", "no-cache" },
    { "GET /assets/hls.js", 200, "text/javascript; charset=utf-8", "no-cache" },
    { "GET /healthz", 200, "text/plain", "no-store" },
    { "GET /live/a", 308, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/a/video/s2.m4s", 404, "text/plain; charset=utf-8", "no-store" },
    { "GET /live/a/video/s11.m4s", 404, "text/plain; charset=utf-8", "no-store" },
    { "GET /live/a/film/index.m3u8", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/a/thumb.jpg", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/b/thumb.jpg", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/b/index.m3u8", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/A/index.m3u8", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /assets/none.js", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /assets/", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /api/none", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /favicon.ico", 404, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/%2e%2e/a/", 400, "text/plain; charset=utf-8", "max-age=1" },
    { "GET /live/a%2Fvideo/index.m3u8", 400, "text/plain; charset=utf-8", "max-age=1" },
    { "OPTIONS " SEGMENT, 204, "", "max-age=86400" },
    { "OPTIONS *", 204, "", "max-age=86400" },
    { "DELETE /live/a/", 405, "text/plain; charset=utf-8", "max-age=1" },
    { "POST /live/a/", 405, "text/plain; charset=utf-8", "max-age=1" },
};

static void every_answer_on_one_connection(void **state)
{
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct received r;
        char text[256];
        print_message("%s\n", answers[i].request);
        snprintf(text, sizeof text, "%s HTTP/1.1\r\n" HOST "\r\n", answers[i].request);
        client_say(&c, text);
        client_receive(&c, &r, false);
        assert_int_equal(r.status, answers[i].status);
        assert_string_equal(field(&r, "Content-Type"), answers[i].content_type);
        assert_string_equal(field(&r, "Cache-Control"), answers[i].cache_control);
        assert_string_equal(field(&r, "Access-Control-Allow-Origin"), "*");
        assert_string_equal(field(&r, "Connection"), "keep-alive");
        assert_int_equal(strlen(field(&r, "Date")), 29);
        if (r.status == 405) assert_string_equal(field(&r, "Allow"), "GET, HEAD, OPTIONS");
        if (r.status == 308) assert_string_equal(field(&r, "Location"), "./a/");
        received_free(&r);
    }
    assert_int_equal(counted(&h, COUNTER_HTTP_ACCEPTED), 1);
    assert_int_equal(counted(&h, COUNTER_HTTP_REQUESTS), ARRAY_LEN(answers));
    close(c.fd);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    house_close(&h);
    (void)state;
}

static void head_is_get_without_the_body(void **state)
{
    static const char *const targets[] = { "/", SEGMENT, PLAYLIST, "/live/none/index.m3u8", "/healthz" };
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct received get, head;
        char text[256];
        client_get(&c, targets[i], "", &get);
        /* ranges are GET's alone */
        snprintf(text, sizeof text, "HEAD %s HTTP/1.1\r\n" HOST "Range: bytes=0-0\r\n\r\n", targets[i]);
        client_say(&c, text);
        client_receive(&c, &head, true);
        assert_int_equal(head.status, get.status);
        assert_int_equal(strlen(head.head), strlen(get.head)); /* the date may differ */
        assert_int_equal(strtoull(field(&head, "Content-Length"), NULL, 10), get.body_bytes);
        received_free(&get);
        received_free(&head);
    }
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void ranges_of_a_segment_in_pieces(void **state)
{
    static const struct {
        const char *range;
        int status;
        size_t first, bytes;
        const char *content_range;
    } cases[] = {
        { "bytes=0-0", 206, 0, 1, "bytes 0-0/3145745" },
        { "bytes=1-70000", 206, 1, 70000, "bytes 1-70000/3145745" },
        { "bytes=61-121", 206, 61, 61, "bytes 61-121/3145745" },
        { "bytes=-1", 206, SEGMENT_BYTES - 1, 1, "bytes 3145744-3145744/3145745" },
        { "bytes=3000000-", 206, 3000000, SEGMENT_BYTES - 3000000, "bytes 3000000-3145744/3145745" },
        { "bytes=0-", 206, 0, SEGMENT_BYTES, "bytes 0-3145744/3145745" },
        { "bytes=0-1,4-5", 200, 0, SEGMENT_BYTES, "" },
        { "bytes=3145745-", 416, 0, 0, "bytes */3145745" },
    };
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct received r;
        char extra[64];
        print_message("%s\n", cases[i].range);
        snprintf(extra, sizeof extra, "Range: %s\r\n", cases[i].range);
        client_get(&c, SEGMENT, extra, &r);
        assert_int_equal(r.status, cases[i].status);
        assert_string_equal(field(&r, "Content-Range"), cases[i].content_range);
        if (r.status != 416) assert_segment(&r, cases[i].first, cases[i].bytes);
        received_free(&r);
    }
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void tags_and_conditions(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    char tag[64], extra[256];
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    client_get(&c, SEGMENT, "", &r);
    assert_string_equal(field(&r, "ETag"), "\"s1.m4s\"");
    received_free(&r);
    client_get(&c, SEGMENT, "If-None-Match: \"other\", W/\"s1.m4s\"\r\n", &r);
    assert_int_equal(r.status, 304);
    assert_string_equal(field(&r, "ETag"), "\"s1.m4s\"");
    received_free(&r);
    client_get(&c, SEGMENT, "Range: bytes=0-9\r\nIf-Range: \"s1.m4s\"\r\n", &r);
    assert_int_equal(r.status, 206);
    received_free(&r);
    client_get(&c, SEGMENT, "Range: bytes=0-9\r\nIf-Range: W/\"s1.m4s\"\r\n", &r);
    assert_int_equal(r.status, 200);
    received_free(&r);
    /* a playlist's tag holds until the next publish */
    client_get(&c, PLAYLIST, "", &r);
    snprintf(tag, sizeof tag, "%.63s", field(&r, "ETag"));
    received_free(&r);
    snprintf(extra, sizeof extra, "If-None-Match: %s\r\n", tag);
    client_get(&c, PLAYLIST, extra, &r);
    assert_int_equal(r.status, 304);
    received_free(&r);
    publish_rendition(h.edge, "video", EDGE_VIDEO_MP4, "second", false);
    client_get(&c, PLAYLIST, extra, &r);
    assert_int_equal(r.status, 200);
    assert_string_not_equal(field(&r, "ETag"), tag);
    assert_non_null(strstr((char *)r.body, "# second"));
    received_free(&r);
    client_get(&c, "/", "If-None-Match: *\r\n", &r);
    assert_int_equal(r.status, 304);
    received_free(&r);
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void a_thumbnail_and_the_next(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    char tag[80];
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    client_get(&c, "/live/a/thumb.jpg", "", &r);
    assert_int_equal(r.status, 404);
    assert_non_null(strstr((char *)r.body, "configured without"));
    received_free(&r);
    live_edge_offer_thumbnails(h.edge, true);
    client_get(&c, "/live/a/thumb.jpg", "", &r);
    assert_int_equal(r.status, 404);
    assert_non_null(strstr((char *)r.body, "Ask again"));
    received_free(&r);
    assert_true(live_edge_wants_thumbnail(h.edge, clock_now_us(), DEADLINE_US));
    live_edge_publish_thumbnail(h.edge, frozen_copy("first", 5));
    client_get(&c, "/live/a/thumb.jpg", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(field(&r, "Content-Type"), "image/jpeg");
    assert_string_equal(field(&r, "Cache-Control"), "public, max-age=2");
    assert_memory_equal(r.body, "first", r.body_bytes);
    snprintf(tag, sizeof tag, "If-None-Match: %.60s\r\n", field(&r, "ETag"));
    received_free(&r);
    client_get(&c, "/live/a/thumb.jpg", tag, &r);
    assert_int_equal(r.status, 304);
    received_free(&r);
    live_edge_publish_thumbnail(h.edge, frozen_copy("second", 6));
    client_get(&c, "/live/a/thumb.jpg", tag, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body_bytes, 6);
    received_free(&r);
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void unpack(const struct received *r, char *out, size_t out_bytes)
{
    z_stream z = {
        .next_in = r->body, .avail_in = (uInt)r->body_bytes, .next_out = (Bytef *)out, .avail_out = (uInt)out_bytes - 1
    };
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out[z.total_out] = 0;
    inflateEnd(&z);
}

static void packed_when_wanted(void **state)
{
    static const char *const targets[] = { PLAYLIST, "/live/a/index.m3u8", "/", "/assets/style.css" };
    static char text[64 * KIB];
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct received plain, packed, again;
        client_get(&c, targets[i], "Accept-Encoding: gzip;q=0\r\n", &plain);
        client_get(&c, targets[i], "Accept-Encoding: br, gzip\r\nRange: bytes=0-1\r\n", &packed);
        client_get(&c, targets[i], "Accept-Encoding: gzip\r\n", &again);
        print_message("%s\n", targets[i]);
        assert_int_equal(packed.status, 200);
        assert_string_equal(field(&plain, "Content-Encoding"), "");
        assert_string_equal(field(&packed, "Content-Encoding"), "gzip");
        assert_string_equal(field(&plain, "Vary"), "Accept-Encoding");
        assert_string_equal(field(&packed, "Vary"), "Accept-Encoding");
        unpack(&packed, text, sizeof text);
        assert_string_equal(text, (char *)plain.body);
        assert_int_equal(packed.body_bytes, again.body_bytes);
        assert_memory_equal(packed.body, again.body, packed.body_bytes);
        char tag[64];
        snprintf(tag, sizeof tag, "%.63s", field(&plain, "ETag"));
        assert_string_not_equal(field(&packed, "ETag"), tag);
        received_free(&plain);
        received_free(&packed);
        received_free(&again);
    }
    struct received segment;
    client_get(&c, SEGMENT, "Accept-Encoding: gzip\r\n", &segment);
    assert_string_equal(field(&segment, "Content-Encoding"), "");
    assert_segment(&segment, 0, SEGMENT_BYTES);
    received_free(&segment);
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void pipelined_in_order(void **state)
{
    enum { REQUESTS = 300 };
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    char *all = malloc(REQUESTS * 128);
    size_t used = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        used += (size_t)sprintf(all + used, "GET %s HTTP/1.1\r\n" HOST "Range: bytes=%zu-%zu\r\n\r\n",
                                i % 7 ? SEGMENT : "/live/none/index.m3u8", i, i * 2);
    }
    client_send(&c, all, used);
    free(all);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct received r;
        client_receive(&c, &r, false);
        assert_int_equal(r.status, i % 7 ? 206 : 404);
        if (i % 7) assert_segment(&r, i, i + 1);
        received_free(&r);
    }
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void byte_by_byte(void **state)
{
    static const char text[] = "GET " PLAYLIST " HTTP/1.1\r\n" HOST "X: y\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST
                               "Connection: close\r\n\r\n";
    struct house h;
    struct client c;
    struct received r;
    const int on = 1;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    setsockopt(c.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (size_t i = 0; i < sizeof text - 1; i++) client_send(&c, text + i, 1);
    client_receive(&c, &r, false);
    assert_int_equal(r.status, 200);
    received_free(&r);
    client_receive(&c, &r, false);
    assert_int_equal(r.status, 200);
    assert_string_equal((char *)r.body, "ok\n");
    received_free(&r);
    assert_true(client_sees_end(&c));
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void large_bodies_whole_and_half_closed(void **state)
{
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    client_say(&c, "GET " SEGMENT " HTTP/1.1\r\n" HOST "\r\nGET " SEGMENT " HTTP/1.1\r\n" HOST "\r\n");
    shutdown(c.fd, SHUT_WR); /* who has asked and says no more still gets his answers */
    for (int i = 0; i < 2; i++) {
        struct received r;
        client_receive(&c, &r, false);
        assert_segment(&r, 0, SEGMENT_BYTES);
        received_free(&r);
    }
    assert_true(client_sees_end(&c));
    close(c.fd);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    house_close(&h);
    (void)state;
}

static void http_1_0_closes_unless_asked(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    client_say(&c, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_receive(&c, &r, false);
    assert_string_equal(field(&r, "Connection"), "keep-alive");
    received_free(&r);
    client_say(&c, "GET /healthz HTTP/1.0\r\n\r\n");
    client_receive(&c, &r, false);
    assert_string_equal(field(&r, "Connection"), "close");
    received_free(&r);
    assert_true(client_sees_end(&c));
    close(c.fd);
    house_close(&h);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_on_one_connection),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(ranges_of_a_segment_in_pieces),
        cmocka_unit_test(tags_and_conditions),
        cmocka_unit_test(a_thumbnail_and_the_next),
        cmocka_unit_test(packed_when_wanted),
        cmocka_unit_test(pipelined_in_order),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(large_bodies_whole_and_half_closed),
        cmocka_unit_test(http_1_0_closes_unless_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
