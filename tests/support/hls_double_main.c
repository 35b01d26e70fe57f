/* hls_double SETUP [FAULT [PORT [LEAK]]]: serves the double over HTTP/1.1 on a loopback port that the kernel chooses and that is printed. One
 * thread, no hurry; ends when its standard input does, so that nobody has to look for it. FAULT "-": none. With a PORT it ends when it is
 * told to; LEAK: so many bytes are lost each second. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/clock.h>

#include "hls_double.h"

#define CONNECTIONS_MAX 64
#define HEAD_BYTES_MAX 8192

struct connection {
    int socket; /* 0: free */
    char head[HEAD_BYTES_MAX];
    size_t head_bytes;
    bool has_answer, is_head_sent, is_head_request;
    struct double_answer answer;
};

static struct hls_double the_double;
static bool watches_input = true;
static unsigned long leak_bytes_per_second;
static int64_t leaked_us;
static struct connection connections[CONNECTIONS_MAX];

static void hang_up(struct connection *c)
{
    close(c->socket);
    free(c->answer.body);
    *c = (struct connection){ .socket = 0 };
}

static bool send_all(struct connection *c, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes) {
        const ssize_t sent = send(c->socket, at, bytes, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

/* The request in the buffer becomes an answer that waits for its time. */
static void take_request(struct connection *c)
{
    char *end = strstr(c->head, "\r\n\r\n"), method[16], path[2048];
    if (!end || c->has_answer) return;
    end[2] = 0;
    if (sscanf(c->head, "%15s %2047s", method, path) != 2) {
        hang_up(c);
        return;
    }
    c->is_head_request = !strcmp(method, "HEAD");
    c->has_answer = true;
    c->is_head_sent = false;
    hls_double_ask(&the_double, path, false, clock_now_us(), &c->answer);
    const char *range = strstr(c->head, "\r\nRange: bytes=");
    unsigned long long first, last;
    if (range && range < end && sscanf(range, "\r\nRange: bytes=%llu-%llu", &first, &last) == 2)
        hls_double_cut(&c->answer, first, last);
    const size_t used = (size_t)(end - c->head) + 4;
    memmove(c->head, c->head + used, c->head_bytes - used + 1);
    c->head_bytes -= used;
}

static bool send_head(struct connection *c)
{
    char text[1024];
    const struct double_answer *a = &c->answer;
    const int bytes = snprintf(
        text, sizeof text, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nCache-Control: %s\r\nContent-Length: %zu\r\n%s\r\n",
        a->status, a->content_type, a->cache_control, a->bytes,
        a->allow_origin[0] ? "Access-Control-Allow-Origin: *\r\n" : "");
    c->is_head_sent = true;
    return send_all(c, text, (size_t)bytes);
}

/* What is due now. */
static void serve(struct connection *c, int64_t now_us)
{
    if (!c->has_answer || now_us < c->answer.ready_us) return;
    if (!c->is_head_sent && !send_head(c)) {
        hang_up(c);
        return;
    }
    if (now_us < c->answer.done_us) return;
    const bool is_good = c->is_head_request || send_all(c, c->answer.body, c->answer.bytes);
    free(c->answer.body);
    c->answer.body = NULL;
    c->has_answer = false;
    if (!is_good)
        hang_up(c);
    else
        take_request(c);
}

static void take_bytes(struct connection *c)
{
    const ssize_t got = recv(c->socket, c->head + c->head_bytes, sizeof c->head - 1 - c->head_bytes, 0);
    if (got <= 0) {
        hang_up(c);
        return;
    }
    c->head_bytes += (size_t)got;
    c->head[c->head_bytes] = 0;
    take_request(c);
}

static int wait_ms(int64_t now_us)
{
    int64_t wait_us = leak_bytes_per_second ? 50000 : 1000000;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &connections[i];
        if (!c->socket || !c->has_answer) continue;
        const int64_t due_us = c->is_head_sent ? c->answer.done_us : c->answer.ready_us;
        if (due_us - now_us < wait_us) wait_us = due_us - now_us;
    }
    return wait_us < 0 ? 0 : (int)(wait_us / 1000);
}

static void take_connection(int listener)
{
    const int s = accept(listener, NULL, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX && s > 0; i++) {
        if (connections[i].socket) continue;
        connections[i] = (struct connection){ .socket = s };
        return;
    }
    if (s > 0) close(s);
}

/* Lost on purpose, and written so that it takes pages. */
static void leak(int64_t now_us)
{
    static void *last; /* reachable, so that no sanitizer mistakes the fixture's purpose for a mistake */
    const size_t bytes = (size_t)((double)leak_bytes_per_second * (double)(now_us - leaked_us) / 1e6);
    if (bytes < 4096) return;
    leaked_us = now_us;
    void **block = malloc(bytes);
    if (!block) return;
    memset(block, 0x5A, bytes);
    *block = last;
    last = block;
}

static void turn(int listener)
{
    struct pollfd polls[CONNECTIONS_MAX + 2] = { { .fd = listener, .events = POLLIN },
                                                 { .fd = watches_input ? 0 : -1, .events = POLLIN } };
    size_t whose[CONNECTIONS_MAX + 2], count = 2;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!connections[i].socket) continue;
        whose[count] = i;
        polls[count++] = (struct pollfd){ .fd = connections[i].socket,
                                          .events = connections[i].has_answer ? 0 : POLLIN };
    }
    if (poll(polls, count, wait_ms(clock_now_us())) < 0) exit(errno == EINTR ? 0 : 1);
    if (polls[1].revents && watches_input) exit(0);
    if (polls[0].revents) take_connection(listener);
    for (size_t i = 2; i < count; i++) {
        if (polls[i].revents & (POLLERR | POLLHUP))
            hang_up(&connections[whose[i]]);
        else if (polls[i].revents)
            take_bytes(&connections[whose[i]]);
    }
    const int64_t now_us = clock_now_us();
    leak(now_us);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections[i].socket) serve(&connections[i], now_us);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    const char *fault = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    if (argc > 3) {
        address.sin_port = htons((uint16_t)atoi(argv[3]));
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        watches_input = false;
    }
    if (argc > 4) leak_bytes_per_second = strtoul(argv[4], NULL, 10);
    leaked_us = clock_now_us();
    if (argc < 2 || bind(listener, (struct sockaddr *)&address, bytes) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&address, &bytes))
        return 1;
    hls_double_init(&the_double, (unsigned)strtoul(argv[1], NULL, 0), fault, clock_now_us());
    if (fault && !the_double.fault) {
        fprintf(stderr, "no fault %s\n", argv[2]);
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (true) turn(listener);
}
