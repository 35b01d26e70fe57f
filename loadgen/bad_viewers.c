#include "bad_viewers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/net.h>

#define SLOW_BYTES 100 /* each turn */

struct bad_viewer {
    int fd;
    bool has_asked;
};

struct bad_viewers {
    struct sockaddr_storage to;
    char request[1024];
    bool is_leaving;
    uint64_t answers;
    uint32_t count;
    struct bad_viewer viewers[];
};

static bool read_url(const char *url, struct bad_viewers *b)
{
    char host[64];
    unsigned port = 80;
    int used = 0;
    if (sscanf(url, "http://%63[^:/]:%u%n", host, &port, &used) != 2 || port > 65535) return false;
    if (!net_parse_numeric(host, (uint16_t)port, &b->to)) return false;
    uint8_t address[16];
    net_address_bytes(&b->to, address);
    const int bytes = snprintf(b->request, sizeof b->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", url + used, host);
    return net_address_is_loopback(address) && bytes < (int)sizeof b->request;
}

struct bad_viewers *bad_viewers_create(const char *url, uint32_t count, bool is_leaving)
{
    struct bad_viewers *b = calloc(1, sizeof *b + count * sizeof b->viewers[0]);
    if (!b) return NULL;
    b->is_leaving = is_leaving;
    b->count = count;
    for (uint32_t i = 0; i < count; i++) b->viewers[i].fd = -1;
    if (read_url(url, b)) return b;
    bad_viewers_destroy(b);
    return NULL;
}

static void leave(struct bad_viewer *v)
{
    if (v->fd >= 0) close(v->fd);
    *v = (struct bad_viewer){ .fd = -1 };
}

void bad_viewers_destroy(struct bad_viewers *b)
{
    if (!b) return;
    for (uint32_t i = 0; i < b->count; i++) leave(&b->viewers[i]);
    free(b);
}

static void dial(struct bad_viewers *b, struct bad_viewer *v)
{
    const int small = 4096;
    v->fd = socket(b->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (v->fd < 0) return;
    setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    const socklen_t bytes = b->to.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (connect(v->fd, (const struct sockaddr *)&b->to, bytes) && errno != EINPROGRESS) leave(v);
}

static void turn(struct bad_viewers *b, struct bad_viewer *v)
{
    char bytes[SLOW_BYTES];
    if (v->fd < 0) {
        dial(b, v);
        return;
    }
    if (!v->has_asked) {
        const ssize_t sent = send(v->fd, b->request, strlen(b->request), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) leave(v);
        v->has_asked = sent > 0;
        return;
    }
    const ssize_t got = recv(v->fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    b->answers += got > 0;
    if (got <= 0 || b->is_leaving) leave(v);
}

void bad_viewers_turn(struct bad_viewers *b)
{
    for (uint32_t i = 0; i < b->count; i++) turn(b, &b->viewers[i]);
}

uint64_t bad_viewers_answers(const struct bad_viewers *b)
{
    return b->answers;
}
