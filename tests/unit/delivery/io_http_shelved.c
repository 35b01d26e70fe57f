/* What is on a shelf, over real sockets: served as if it were in memory, waited for without holding anybody up, refused in words. */
#include "http_house.h"

#include <assert.h>

#define LOAD_US (DEADLINE_US / 20)

struct segment_load {
    struct loop *loop;
    void (*fn)(void *context, const struct segment_loaded *loaded);
    void *context;
    struct segment_loaded result;
    _Atomic bool is_cancelled;
};

/* A shelf that answers at once, when told to, or never. */
struct loader {
    struct segment_loader face; /* first */
    struct segment_load *_Atomic held;
    _Atomic unsigned cancelled, loads;
};

static void on_answer(void *a, void *b)
{
    struct segment_load *load = a;
    if (!load->is_cancelled) load->fn(load->context, &load->result);
    frozen_unref(load->result.body);
    free(load);
}

static bool is_text(struct byte_span span, const char *text)
{
    return span.bytes == strlen(text) && (!span.bytes || !memcmp(span.data, text, span.bytes));
}

static const char vod[] =
    "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z\n#EXTINF:2,\nseg-1.m4s\n"
    "#EXT-X-ENDLIST\n",
                  vod_master[] = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo/index.m3u8\n";

static enum weir_err on_load(struct segment_loader *face, struct byte_span stream, struct byte_span rendition,
                             struct byte_span name, struct loop *loop,
                             void (*fn)(void *context, const struct segment_loaded *loaded), void *context,
                             struct segment_load **out)
{
    struct loader *l = (struct loader *)face;
    loop_assert_current(loop);
    l->loads++;
    if (is_text(name, "busy.m4s")) return WEIR_LIMIT;
    struct segment_load *load = calloc(1, sizeof *load);
    *load = (struct segment_load){ .loop = loop, .fn = fn, .context = context };
    bool is_known = is_text(rendition, "video") && (is_text(stream, "live/a") || is_text(stream, "live/gone"));
    bool is_held = false;
    if (is_text(name, "old.m4s")) {
        load->result.body = make_segment();
        load->result.kind = EDGE_SEGMENT;
        load->result.media = EDGE_VIDEO_MP4;
    } else if (is_text(name, "lost.m4s")) {
        load->result.err = WEIR_IO;
    } else if (is_text(name, "slow.m4s")) {
        is_held = true;
        load->result.body = frozen_copy("slow", 4);
        load->result.kind = EDGE_SEGMENT;
    } else if (is_text(name, "index.m3u8") && is_text(stream, "live/gone")) {
        is_known = is_text(rendition, "") || is_text(rendition, "video");
        load->result.kind = EDGE_PLAYLIST;
        load->result.body = rendition.bytes ? frozen_copy(vod, sizeof vod - 1)
                                            : frozen_copy(vod_master, sizeof vod_master - 1);
    } else {
        is_known = false;
    }
    if (!is_known) {
        frozen_unref(load->result.body);
        free(load);
        return WEIR_NOT_FOUND;
    }
    *out = load;
    if (is_held)
        l->held = load;
    else
        assert_int_equal(loop_post(loop, on_answer, load, NULL), WEIR_OK);
    return WEIR_OK;
}

static void on_cancel(struct segment_loader *face, struct segment_load *load)
{
    load->is_cancelled = true;
    ((struct loader *)face)->cancelled++;
}

static void let_go(struct loader *l)
{
    struct segment_load *load = l->held;
    l->held = NULL;
    assert_int_equal(loop_post(load->loop, on_answer, load, NULL), WEIR_OK);
}

static void open_with(struct house *h, struct loader *l)
{
    *l = (struct loader){ .face = { .load = on_load, .cancel = on_cancel } };
    house_open(h, (struct http_server_config){ .loader = &l->face, .load_us = LOAD_US });
}

static void assert_segment(const struct received *r, size_t from)
{
    for (size_t i = 0; i < r->body_bytes; i++) {
        if (r->body[i] != segment_byte(from + i)) fail_msg("byte %zu is wrong", i);
    }
}

static void old_segments_come_as_new_ones_do(void **state)
{
    struct house h;
    struct loader l;
    struct client c;
    struct received r;
    open_with(&h, &l);
    client_open(&c, &h);
    client_get(&c, "/live/a/video/old.m4s", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(field(&r, "Content-Type"), "video/mp4");
    assert_string_equal(field(&r, "Cache-Control"), "public, max-age=31536000, immutable");
    assert_string_equal(field(&r, "ETag"), "\"old.m4s\"");
    assert_int_equal(r.body_bytes, SEGMENT_BYTES);
    assert_segment(&r, 0);
    received_free(&r);
    client_get(&c, "/live/a/video/old.m4s", "Range: bytes=1000-1999\r\n", &r);
    assert_int_equal(r.status, 206);
    assert_int_equal(r.body_bytes, 1000);
    assert_segment(&r, 1000);
    received_free(&r);
    client_say(&c, "HEAD /live/a/video/old.m4s HTTP/1.1\r\nHost: a\r\n\r\n");
    client_receive(&c, &r, true);
    assert_int_equal(r.status, 200);
    received_free(&r);
    /* what is in memory is not looked for anywhere else */
    const unsigned before = l.loads;
    client_get(&c, "/live/a/video/s1.m4s", "", &r);
    assert_int_equal(r.status, 200);
    received_free(&r);
    assert_int_equal(l.loads, before);
    close(c.fd);
    house_close(&h);
}

static void what_cannot_be_had_is_said_in_words(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *words;
    } cases[] = {
        { "/live/a/video/lost.m4s", 404, "lost" },
        { "/live/a/video/busy.m4s", 503, "busy" },
        { "/live/a/video/nothing.m4s", 404, "No such segment" },
        { "/live/a/other/old.m4s", 404, "no such rendition" },
        { "/live/b/video/old.m4s", 404, "No stream" },
        { "/live/gone/index.m3u8?start=x", 400, "start" },
    };
    struct house h;
    struct loader l;
    struct client c;
    open_with(&h, &l);
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct received r;
        print_message("%s\n", cases[i].target);
        client_get(&c, cases[i].target, "", &r);
        assert_int_equal(r.status, cases[i].status);
        assert_non_null(strstr((char *)r.body, cases[i].words));
        if (r.status != 400 && i < 3) assert_string_equal(field(&r, "Cache-Control"), "no-store");
        received_free(&r);
    }
    close(c.fd);
    house_close(&h);
}

static void a_stream_that_is_over_is_played_from_the_shelf(void **state)
{
    struct house h;
    struct loader l;
    struct client c;
    struct received r;
    open_with(&h, &l);
    client_open(&c, &h);
    client_get(&c, "/live/gone/index.m3u8", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal((char *)r.body, vod_master);
    assert_string_equal(field(&r, "Content-Type"), "application/vnd.apple.mpegurl");
    assert_string_equal(field(&r, "Cache-Control"), "public, max-age=10");
    received_free(&r);
    client_get(&c, "/live/gone.m3u8", "", &r);
    assert_string_equal((char *)r.body, vod_master);
    received_free(&r);
    client_get(&c, "/live/gone/video/index.m3u8", "", &r);
    assert_string_equal((char *)r.body, vod);
    char tag[80] = "";
    strncpy(tag, field(&r, "ETag"), sizeof tag - 1);
    received_free(&r);
    client_get(&c, "/live/gone/video/index.m3u8?start=2026-01-02T03:04:06Z", "", &r);
    assert_non_null(strstr((char *)r.body, "#EXTM3U\n#EXT-X-START:TIME-OFFSET=1.000000\n"));
    assert_string_not_equal(field(&r, "ETag"), tag);
    received_free(&r);
    client_get(&c, "/live/gone/index.m3u8?start=5", "", &r);
    assert_non_null(strstr((char *)r.body, "video/index.m3u8?start=5\n"));
    received_free(&r);
    /* a live one has the tag, too */
    client_get(&c, "/live/a/video/index.m3u8?start=-30", "", &r);
    assert_memory_equal(r.body, "#EXTM3U\n#EXT-X-START:TIME-OFFSET=-30.000000\n", 43);
    received_free(&r);
    close(c.fd);
    house_close(&h);
}

static void who_waits_for_the_disk_holds_nobody_up(void **state)
{
    struct house h;
    struct loader l;
    struct client slow, other;
    struct received r;
    open_with(&h, &l);
    client_open(&slow, &h);
    client_say(&slow, "GET /live/a/video/slow.m4s HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(l.held);
    client_open(&other, &h);
    client_get(&other, "/live/a/video/index.m3u8", "", &r);
    assert_int_equal(r.status, 200);
    received_free(&r);
    let_go(&l);
    client_receive(&slow, &r, false);
    assert_string_equal((char *)r.body, "slow");
    received_free(&r);
    client_receive(&slow, &r, false); /* what stood behind it in line */
    assert_string_equal((char *)r.body, "ok\n");
    received_free(&r);
    /* one who leaves is forgotten, and the answer that comes later finds nobody */
    client_say(&slow, "GET /live/a/video/slow.m4s HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(l.held);
    close(slow.fd);
    WAIT_UNTIL(l.cancelled == 1);
    let_go(&l);
    /* and one who stays when the house is closed is let go */
    client_open(&slow, &h);
    client_say(&slow, "GET /live/a/video/slow.m4s HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(l.held);
    struct segment_load *left = l.held;
    house_close(&h);
    assert_int_equal(l.cancelled, 2);
    frozen_unref(left->result.body);
    free(left);
    close(slow.fd);
    close(other.fd);
}

static void a_dead_disk_is_not_waited_for(void **state)
{
    struct house h;
    struct loader l;
    struct client c;
    struct received r;
    open_with(&h, &l);
    client_open(&c, &h);
    const int64_t since_us = clock_now_us();
    client_say(&c, "GET /live/a/video/slow.m4s HTTP/1.1\r\nHost: a\r\n\r\n");
    struct pollfd p = { .fd = c.fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, (int)(DEADLINE_US / 1000)), 1);
    client_receive(&c, &r, false);
    assert_int_equal(r.status, 503);
    assert_true(clock_now_us() - since_us >= LOAD_US);
    assert_int_equal(l.cancelled, 1);
    received_free(&r);
    let_go(&l);
    close(c.fd);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_segments_come_as_new_ones_do),
        cmocka_unit_test(what_cannot_be_had_is_said_in_words),
        cmocka_unit_test(a_stream_that_is_over_is_played_from_the_shelf),
        cmocka_unit_test(who_waits_for_the_disk_holds_nobody_up),
        cmocka_unit_test(a_dead_disk_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
