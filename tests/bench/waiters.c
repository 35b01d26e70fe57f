/* waiters PORT http1|h2c|h2 CONNECTIONS REQUESTS PATH: asks for PATH so many times on each of so many connections to 127.0.0.1 and waits.
 * Prints "asked" when all has been said, then one line: how many were answered 200 with one and the same body, how many otherwise, and when
 * (CLOCK_MONOTONIC, microseconds: first, half of them, 99 %, last). Tests only. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_US (40 * 1000000LL)
#define HEAD_BYTES 2048

struct answer {
    int status;
    uint64_t hash;
};

struct connection {
    struct bench *bench;
    int fd;
    SSL *ssl;                /* h2 */
    nghttp2_session *client; /* h2, h2c */
    struct answer *answers;  /* by stream / 2 */
    char head[HEAD_BYTES];   /* http1: of the answer, then how much of the body is to come */
    size_t head_bytes, body_left;
};

struct bench {
    const char *mode, *path;
    int requests;
    int64_t *times_us;
    size_t answered, expected, others;
    uint64_t hash; /* of the first body */
    int64_t now_us;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "waiters: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t hash_more(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001B3u;
    return hash;
}

static void note(struct bench *b, const struct answer *a)
{
    if (!b->answered) b->hash = a->hash;
    if (a->status != 200 || a->hash != b->hash) b->others++;
    b->times_us[b->answered++] = b->now_us;
}

/* -- bytes -- */

static ssize_t take(struct connection *c, void *out, size_t bytes)
{
    if (!c->ssl) return recv(c->fd, out, bytes, MSG_DONTWAIT);
    const int got = SSL_read(c->ssl, out, (int)bytes);
    if (got <= 0) errno = SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return got;
}

static void say(struct connection *c, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes) {
        const ssize_t sent = c->ssl ? SSL_write(c->ssl, at, (int)bytes) : send(c->fd, at, bytes, MSG_NOSIGNAL);
        if (sent <= 0) die("send");
        at += sent;
        bytes -= (size_t)sent;
    }
}

/* -- HTTP/2 -- */

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_bytes,
                     const uint8_t *value, size_t value_bytes, uint8_t flags, void *context)
{
    struct connection *c = context;
    if (name_bytes == 7 && !memcmp(name, ":status", 7))
        c->answers[frame->hd.stream_id / 2].status = atoi((const char *)value);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t bytes, void *context)
{
    struct connection *c = context;
    c->answers[id / 2].hash = hash_more(c->answers[id / 2].hash, data, bytes);
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *context)
{
    struct connection *c = context;
    note(c->bench, &c->answers[id / 2]);
    return 0;
}

static void flush(struct connection *c)
{
    const uint8_t *data;
    for (ssize_t bytes; (bytes = nghttp2_session_mem_send(c->client, &data)) > 0;) say(c, data, (size_t)bytes);
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0 };
}

static void ask_http2(struct connection *c)
{
    const nghttp2_nv pairs[] = {
        pair(":method", "GET"),  pair(":scheme", "https"),    pair(":path", c->bench->path),
        pair(":authority", "b"), pair("user-agent", "bench"), pair("accept-encoding", "gzip")
    };
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24 } };
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&c->client, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(c->client, 0, settings, 1);
    nghttp2_session_set_local_window_size(c->client, 0, 0, 1 << 24);
    c->answers = calloc((size_t)c->bench->requests + 2, sizeof *c->answers);
    for (int i = 0; i < c->bench->requests; i++)
        nghttp2_submit_request(c->client, NULL, pairs, sizeof pairs / sizeof pairs[0], NULL, NULL);
    flush(c);
}

/* -- HTTP/1.1: one request a connection -- */

static void ask_http1(struct connection *c)
{
    char text[1024];
    const int bytes = snprintf(text, sizeof text,
                               "GET %s HTTP/1.1\r\nHost: b\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n\r\n",
                               c->bench->path);
    c->answers = calloc(1, sizeof *c->answers);
    say(c, text, (size_t)bytes);
}

static void feed_http1(struct connection *c, const char *data, size_t bytes)
{
    struct answer *a = c->answers;
    while (bytes && !a->status) {
        if (c->head_bytes == HEAD_BYTES - 1) die("a head too large");
        c->head[c->head_bytes++] = *data++;
        bytes--;
        if (c->head_bytes < 4 || memcmp(c->head + c->head_bytes - 4, "\r\n\r\n", 4)) continue;
        c->head[c->head_bytes] = 0;
        const char *length = strstr(c->head, "Content-Length: ");
        a->status = atoi(c->head + 9);
        c->body_left = length ? strtoul(length + 16, NULL, 10) : 0;
    }
    if (!a->status) return;
    a->hash = hash_more(a->hash, data, bytes);
    c->body_left -= bytes;
    if (!c->body_left) note(c->bench, a);
}

/* -- all of them -- */

static void open_connection(struct connection *c, uint16_t port, SSL_CTX *tls)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&to, sizeof to)) die("connect");
    if (!strcmp(c->bench->mode, "h2")) {
        c->ssl = SSL_new(tls);
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_alpn_protos(c->ssl, (const uint8_t *)"\x02h2", 3);
        if (SSL_connect(c->ssl) != 1) die("handshake");
    }
    if (strcmp(c->bench->mode, "http1") != 0)
        ask_http2(c);
    else
        ask_http1(c);
    if (c->ssl) fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void on_readable(struct connection *c)
{
    static char buffer[65536];
    for (ssize_t got; (got = take(c, buffer, sizeof buffer)) > 0;) {
        c->bench->now_us = now_us();
        if (c->client) {
            if (nghttp2_session_mem_recv(c->client, (uint8_t *)buffer, (size_t)got) != got) die("HTTP/2");
        } else {
            feed_http1(c, buffer, (size_t)got);
        }
    }
    if (errno != EAGAIN) die("the server hung up");
    if (c->client) flush(c);
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    struct bench b = { .mode = argv[2], .path = argv[5], .requests = atoi(argv[4]) };
    const int count = atoi(argv[3]), epoll = epoll_create1(0);
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    b.expected = (size_t)count * (size_t)b.requests;
    b.times_us = calloc(b.expected, sizeof *b.times_us);
    for (int i = 0; i < count; i++) {
        connections[i].bench = &b;
        open_connection(&connections[i], (uint16_t)atoi(argv[1]), tls);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };
        epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    puts("asked");
    fflush(stdout);
    for (const int64_t until_us = now_us() + PATIENCE_US; b.answered < b.expected && now_us() < until_us;) {
        struct epoll_event events[256];
        const int ready = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < ready; i++) on_readable(events[i].data.ptr);
    }
    if (!b.answered) die("nothing was answered");
    qsort(b.times_us, b.answered, sizeof *b.times_us, compare);
    printf("%zu %zu %lld %lld %lld %lld\n", b.answered - b.others, b.others + b.expected - b.answered,
           (long long)b.times_us[0], (long long)b.times_us[b.answered / 2],
           (long long)b.times_us[b.answered * 99 / 100], (long long)b.times_us[b.answered - 1]);
    fflush(stdout);
    getchar(); /* connections stay until whoever measures has looked */
    return 0;
}
