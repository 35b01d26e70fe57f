/* A whole delivery room on one loop, with one stream published by hand, and a client that reads responses; for io tests. */
#ifndef WEIR_TESTS_HTTP_HOUSE_H
#define WEIR_TESTS_HTTP_HOUSE_H

#include "heap.h"
#include "hex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/base/loop.h>
#include <weir/delivery/http_server.h>

#define DEADLINE_US (10 * 1000000LL)
#define SEGMENT_BYTES (3 * MIB + 17)
#define SEGMENT_PIECES 300

struct house {
    struct loop *loop;
    struct registry *registry;
    struct http_server *server;
    struct claim *claim;
    struct live_edge *edge;
    _Atomic bool is_published;
    uint16_t port;
};

/* -- the house -- */

static inline uint8_t segment_byte(size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

/* In many pieces, as frames are, with odd lengths. */
static inline struct frozen *make_segment(void)
{
    struct piece pieces[SEGMENT_PIECES];
    struct blob *blob = blob_create(SEGMENT_BYTES);
    assert_non_null(blob);
    for (size_t i = 0; i < SEGMENT_BYTES; i++) blob_data(blob)[i] = segment_byte(i);
    size_t at = 0;
    for (size_t i = 0; i < SEGMENT_PIECES; i++) {
        const size_t run = i + 1 < SEGMENT_PIECES ? 1 + i * 61 % 12000 : SEGMENT_BYTES - at;
        pieces[i] = (struct piece){ .blob = blob, .data = blob_data(blob) + at, .bytes = run };
        at += run;
    }
    struct frozen *f = frozen_create(pieces, SEGMENT_PIECES);
    blob_unref(blob);
    return f;
}

static inline struct frozen *make_playlist(const char *mark)
{
    static char text[8192];
    int used = snprintf(text, sizeof text, "#EXTM3U\n#EXT-X-VERSION:6\n# %s\n", mark);
    for (int i = 0; i < 40; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "#EXTINF:2.00000,\ns%d.m4s\n", i);
    return frozen_copy(text, (size_t)used);
}

static inline void publish_rendition(struct live_edge *edge, const char *name, enum edge_media media, const char *mark,
                                     bool is_ended)
{
    struct frozen *segment = make_segment(), *init = frozen_copy("init", 4), *playlist = make_playlist(mark);
    const struct edge_object objects[] = { { .name = "init-1.mp4", .kind = EDGE_INIT, .body = init },
                                           { .name = "s1.m4s", .kind = EDGE_SEGMENT, .body = segment } };
    struct edge_snapshot *s = edge_snapshot_create(&(struct edge_snapshot_config){ .media = media,
                                                                                   .playlist = playlist,
                                                                                   .last_msn = 1,
                                                                                   .is_ended = is_ended,
                                                                                   .target_duration_s = 4,
                                                                                   .objects = objects,
                                                                                   .object_count = 2 });
    assert_int_equal(live_edge_publish(edge, name, s), WEIR_OK);
    frozen_unref(segment);
    frozen_unref(init);
    frozen_unref(playlist);
}

static inline void on_answered(void *context, struct claim *claim, enum publish_verdict verdict, struct stream *stream)
{
    struct house *h = context;
    if (verdict != PUBLISH_ALLOWED) return;
    h->edge = live_edge_ref(stream_edge(stream));
    live_edge_publish_multivariant(h->edge, make_playlist("multivariant"));
    publish_rendition(h->edge, "video", EDGE_VIDEO_MP4, "video", false);
    publish_rendition(h->edge, "audio", EDGE_AUDIO_MP4, "audio", true);
    h->is_published = true;
}

static inline void on_revoked(void *context, struct claim *claim)
{
    fail_msg("nobody takes the stream over here");
}

static inline void do_claim(void *context, void *unused)
{
    struct house *h = context;
    const struct publish_request request = { .name = "live/a", .protocol = "test" };
    const struct stream_policy policy = {
        .hold_us = 60 * 1000000LL, .segment_us = 2000000, .segment_max_us = 4000000, .window_us = 10000000
    };
    const struct claim_events events = { .context = h, .answered = on_answered, .revoked = on_revoked };
    h->claim = registry_claim(h->registry, h->loop, &request, &policy, &events);
}

static inline void do_release(void *context, void *unused)
{
    struct house *h = context;
    registry_release(h->registry, h->claim, true);
}

static inline enum weir_err furnish(void *context, struct stream *stream)
{
    return WEIR_OK;
}

static inline bool handle(void *context, struct loop *loop, const char *path, struct http_reply *reply)
{
    if (strcmp(path, "/healthz")) return false;
    *reply = (struct http_reply){ .status = 200, .content_type = "text/plain", .body = frozen_copy("ok\n", 3) };
    return true;
}

/* Waits for something another thread does; there is no event to wait on for a counter. */
#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        const int64_t wait_until_us = clock_now_us() + DEADLINE_US;                                                    \
        while (!(condition)) {                                                                                         \
            if (clock_now_us() > wait_until_us) fail_msg("in vain: %s", #condition);                                   \
            poll(NULL, 0, 5);                                                                                          \
        }                                                                                                              \
    } while (0)

/* prepare: NULL, or makes config.tls of the loop; *tls_port is HTTPS then. */
static inline void house_open_with(struct house *h, struct http_server_config config,
                                   void *(*prepare)(struct loop *loop, void *context), void *context,
                                   uint16_t *tls_port)
{
    *h = (struct house){ .port = 0 };
    const struct registry_config registry = {
        .furnish = furnish, .streams_max = 8, .silent_us = 5000000, .retain_us = 60000000
    };
    static const char *const everyone[] = { "*" };
    assert_int_equal(loop_create(&h->loop, "test"), WEIR_OK);
    assert_int_equal(registry_create(&h->registry, &registry), WEIR_OK);
    config.registry = h->registry;
    config.loops = &h->loop;
    config.loop_count = 1;
    config.handler = handle;
    if (prepare) config.tls = prepare(h->loop, context);
    if (!config.origins) config.origins = everyone, config.origin_count = 1;
    if (!config.connections_max) config.connections_max = 1000;
    if (!config.header_us) config.header_us = DEADLINE_US;
    if (!config.idle_us) config.idle_us = DEADLINE_US;
    if (!config.stall_us) config.stall_us = DEADLINE_US;
    assert_int_equal(http_server_create(&h->server, &config), WEIR_OK);
    assert_int_equal(http_server_listen(h->server, "127.0.0.1:0", &h->port), WEIR_OK);
    if (prepare) assert_int_equal(http_server_listen_tls(h->server, "127.0.0.1:0", tls_port), WEIR_OK);
    assert_int_equal(loop_start(h->loop), WEIR_OK);
    assert_int_equal(loop_post(h->loop, do_claim, h, NULL), WEIR_OK);
    WAIT_UNTIL(h->is_published);
}

static inline void house_open(struct house *h, struct http_server_config config)
{
    house_open_with(h, config, NULL, NULL, NULL);
}

static inline void house_stop(struct house *h)
{
    assert_int_equal(loop_post(h->loop, do_release, h, NULL), WEIR_OK);
    http_server_stop_accepting(h->server);
    loop_stop(h->loop);
    loop_join(h->loop);
    while (loop_drain(h->loop)) continue;
    http_server_destroy(h->server);
    while (loop_drain(h->loop)) continue;
}

static inline void house_free(struct house *h)
{
    live_edge_unref(h->edge);
    registry_destroy(h->registry);
    loop_destroy(h->loop);
}

static inline void house_close(struct house *h)
{
    house_stop(h);
    house_free(h);
}

static inline uint64_t counted(const struct house *h, enum counter id)
{
    return counter_read(loop_counters(h->loop), id);
}

/* -- the client -- */

struct client {
    int fd;
    uint8_t kept[64 * KIB];
    size_t kept_bytes;
};

struct received {
    int status;
    char head[4096];
    uint8_t *body;
    size_t body_bytes;
};

static inline void client_open(struct client *c, const struct house *h)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(h->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    c->kept_bytes = 0;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
}

static inline void client_send(struct client *c, const void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const ssize_t sent = send(c->fd, (const char *)data + at, bytes - at, MSG_NOSIGNAL);
        if (sent < 0) fail_msg("send: %s", strerror(errno));
        at += (size_t)sent;
    }
}

static inline void client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* 0: the server closed in order. -1: it reset the connection. */
static inline ssize_t client_read(struct client *c, void *out, size_t bytes)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (c->kept_bytes) {
        const size_t run = c->kept_bytes < bytes ? c->kept_bytes : bytes;
        memcpy(out, c->kept, run);
        memmove(c->kept, c->kept + run, c->kept_bytes -= run);
        return (ssize_t)run;
    }
    if (poll(&p, 1, (int)(DEADLINE_US / 1000)) != 1) fail_msg("nothing came");
    return recv(c->fd, out, bytes, 0);
}

static inline bool client_sees_end(struct client *c)
{
    char byte;
    return client_read(c, &byte, 1) == 0;
}

static inline const char *field(const struct received *r, const char *name)
{
    static char value[2100];
    const size_t bytes = strlen(name);
    for (const char *at = r->head; (at = strstr(at, "\r\n")) && at[2] && at[2] != '\r';) {
        at += 2;
        if (strncmp(at, name, bytes) || at[bytes] != ':') continue;
        at += bytes + 2;
        const size_t value_bytes = strcspn(at, "\r");
        memcpy(value, at, value_bytes);
        value[value_bytes] = 0;
        return value;
    }
    return "";
}

/* Reads one response with its body; free it with received_free. */
static inline void client_receive(struct client *c, struct received *r, bool is_head_only)
{
    size_t used = 0;
    *r = (struct received){ .status = 0 };
    while (used < 4 || memcmp(r->head + used - 4, "\r\n\r\n", 4)) {
        assert_true(used + 1 < sizeof r->head);
        assert_int_equal(client_read(c, r->head + used, 1), 1);
        if (!c->kept_bytes) { /* more at a time from here on */
            const ssize_t more = recv(c->fd, c->kept, sizeof c->kept, MSG_DONTWAIT);
            if (more > 0) c->kept_bytes = (size_t)more;
        }
        used++;
    }
    assert_memory_equal(r->head, "HTTP/1.1 ", 9);
    r->status = atoi(r->head + 9);
    const size_t bytes = (size_t)strtoull(field(r, "Content-Length"), NULL, 10);
    r->body = calloc(1, bytes + 1);
    assert_non_null(r->body);
    while (!is_head_only && r->body_bytes < bytes) {
        const ssize_t got = client_read(c, r->body + r->body_bytes, bytes - r->body_bytes);
        if (got <= 0) fail_msg("the body ends %zu bytes early", bytes - r->body_bytes);
        r->body_bytes += (size_t)got;
    }
}

static inline void received_free(struct received *r)
{
    free(r->body);
    r->body = NULL;
}

/* One request on its own connection or on `c`; extra: header lines with their line ends. */
static inline void client_get(struct client *c, const char *target, const char *extra, struct received *r)
{
    char text[4096];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, extra);
    client_say(c, text);
    client_receive(c, r, false);
}

#endif
