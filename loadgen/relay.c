#include <weir/loadgen/relay.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "relay_heap.h"
#include "relay_line.h"

#define PACKET_BYTES_MAX 65536
#define CHUNK_BYTES 16384
#define EVENTS_MAX 256
#define WAITING_BYTES_MAX (1 * MIB) /* of a TCP client's direction: then its sender feels it */
#define TURN_BUDGET 256

struct client;
/* What epoll points to. */
struct side {
    struct relay *relay;
    struct client *client; /* NULL: the listener */
    int fd, way;           /* what is read here goes this way */
    uint32_t events;       /* that are waited for */
};

struct client {
    struct relay *relay;
    struct side near, far; /* udp: near.fd is the listener's */
    struct sockaddr_in address;
    struct relay_line line[2];
    struct relay_cargo *due[2], *last_due[2]; /* tcp: may go, in order */
    uint64_t waiting[2];                      /* tcp: bytes under way */
    bool is_ended[2], is_told[2];             /* tcp: nothing more comes from there; and the other side knows */
    bool is_gone;
    uint32_t cargo; /* that points here */
    struct client *next;
};

struct relay {
    struct relay_net *net;
    struct side listener;
    bool is_udp;
    uint16_t port;
    struct sockaddr_in target;
    struct relay_settings settings;
    struct relay_chance chances[2];
    int64_t swallow_until_us; /* INT64_MAX: for ever; 0: not */
    struct client *clients, **by_port;
    struct relay_stats stats;
    struct relay *next;
};

struct relay_net {
    int epoll;
    struct relay *relays;
    struct relay_heap heap;
};

/* -- clients -- */

static void watch(struct side *s, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = s };
    const int epoll = s->relay->net->epoll;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &e) && errno == ENOENT) epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &e);
    s->events = events;
}

static struct client *client_open(struct relay *r)
{
    if (r->stats.clients == LOADGEN_RELAY_CLIENTS_MAX) return NULL;
    struct client *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->relay = r;
    c->near = (struct side){ r, c, -1, RELAY_UP, 0 };
    c->far = (struct side){ r, c, -1, RELAY_DOWN, 0 };
    c->next = r->clients;
    r->clients = c;
    r->stats.clients++;
    return c;
}

static void client_close(struct client *c, bool is_reset)
{
    const struct linger hard = { 1, 0 };
    const bool is_udp = c->relay->is_udp;
    if (c->is_gone) return;
    c->is_gone = true;
    if (!is_udp && is_reset) {
        setsockopt(c->near.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        setsockopt(c->far.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    if (!is_udp && c->near.fd >= 0) close(c->near.fd);
    if (c->far.fd >= 0) close(c->far.fd);
    if (is_udp) c->relay->by_port[c->address.sin_port] = NULL;
    for (int way = RELAY_UP; way <= RELAY_DOWN; way++) {
        for (struct relay_cargo *cargo; (cargo = c->due[way]) != NULL;) {
            c->due[way] = cargo->next;
            c->cargo--;
            free(cargo);
        }
    }
    c->relay->stats.clients--;
}

/* At the end of a turn: nothing of it points to those that are gone any more. */
static void sweep(struct relay *r)
{
    for (struct client **at = &r->clients; *at;) {
        struct client *c = *at;
        if (!c->is_gone || c->cargo) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c);
    }
}

static int dial(const struct relay *r)
{
    const int kind = r->is_udp ? SOCK_DGRAM : SOCK_STREAM, large = 4 * MIB;
    const int fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (r->is_udp) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    if (!connect(fd, (const struct sockaddr *)&r->target, sizeof r->target) || errno == EINPROGRESS) return fd;
    close(fd);
    return -1;
}

/* -- delivering -- */

static int side_fd(const struct client *c, int way)
{
    return way == RELAY_UP ? c->far.fd : c->near.fd;
}

static void deliver_udp(struct client *c, const struct relay_cargo *cargo)
{
    const ssize_t sent = cargo->way == RELAY_UP ? send(c->far.fd, cargo->data, cargo->bytes, 0)
                                                : sendto(c->relay->listener.fd, cargo->data, cargo->bytes, 0,
                                                         (const struct sockaddr *)&c->address, sizeof c->address);
    if (sent >= 0) c->relay->stats.sent[cargo->way]++;
}

static void watch_both(struct client *c)
{
    struct side *sides[2] = { &c->near, &c->far };
    for (int i = 0; i < 2 && !c->is_gone; i++) {
        struct side *s = sides[i];
        const bool is_swallowing = clock_now_us() < c->relay->swallow_until_us;
        const bool wants_in = !is_swallowing && !c->is_ended[s->way] && c->waiting[s->way] <= WAITING_BYTES_MAX;
        const bool wants_out = c->due[!s->way] && !is_swallowing; /* what comes the other way goes out here */
        const uint32_t events = (wants_in ? EPOLLIN : 0u) | (wants_out ? EPOLLOUT : 0u);
        if (events != s->events) watch(s, events);
    }
}

/* As much as the socket takes. A cargo without bytes is the end of what comes that way. */
static void flush_tcp(struct client *c, int way)
{
    for (struct relay_cargo *cargo; !c->is_gone && (cargo = c->due[way]) != NULL;) {
        while (cargo->at < cargo->bytes) {
            const ssize_t sent = send(side_fd(c, way), cargo->data + cargo->at, cargo->bytes - cargo->at, MSG_NOSIGNAL);
            if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
            if (sent < 0) {
                client_close(c, true);
                return;
            }
            cargo->at += (size_t)sent;
        }
        if (cargo->bytes) {
            c->relay->stats.sent[way]++;
        } else {
            shutdown(side_fd(c, way), SHUT_WR);
            c->is_told[way] = true;
        }
        c->due[way] = cargo->next;
        c->waiting[way] -= cargo->bytes;
        c->cargo--;
        free(cargo);
        if (c->is_told[RELAY_UP] && c->is_told[RELAY_DOWN]) client_close(c, false);
    }
}

static void deliver_due(struct relay_net *n, int64_t now_us)
{
    for (struct relay_cargo *cargo; (cargo = relay_heap_take(&n->heap, now_us)) != NULL;) {
        struct client *c = cargo->owner;
        if (c->is_gone || c->relay->is_udp) {
            if (!c->is_gone) deliver_udp(c, cargo);
            c->cargo--;
            free(cargo);
            continue;
        }
        cargo->next = NULL;
        if (c->due[cargo->way])
            c->last_due[cargo->way]->next = cargo;
        else
            c->due[cargo->way] = cargo;
        c->last_due[cargo->way] = cargo;
        if (now_us >= c->relay->swallow_until_us) flush_tcp(c, cargo->way);
        if (!c->is_gone) watch_both(c);
    }
}

/* -- reading -- */

static void pass(struct client *c, int way, const uint8_t *data, size_t bytes, int64_t now_us)
{
    struct relay *r = c->relay;
    r->stats.seen[way]++;
    const struct relay_fate fate = relay_line_pass(&r->settings, &r->chances[way], &c->line[way], r->is_udp, bytes,
                                                   now_us);
    if (fate.is_lost) {
        r->stats.lost[way]++;
        return;
    }
    r->stats.lost[way] += fate.is_again;
    for (unsigned i = 0; i < fate.copies; i++) {
        struct relay_cargo *cargo = malloc(sizeof *cargo + bytes);
        if (!cargo) {
            r->stats.lost[way]++;
            return;
        }
        *cargo = (struct relay_cargo){ .due_us = fate.due_us, .owner = c, .way = way, .bytes = bytes };
        if (bytes) memcpy(cargo->data, data, bytes);
        if (!relay_heap_give(&r->net->heap, cargo)) {
            r->stats.lost[way]++;
            free(cargo);
            return;
        }
        c->cargo++;
        c->waiting[way] += bytes;
    }
}

static bool is_swallowing(const struct relay *r, int64_t now_us)
{
    return now_us < r->swallow_until_us;
}

static void read_listener_udp(struct relay *r, int64_t now_us)
{
    static _Thread_local uint8_t packet[PACKET_BYTES_MAX];
    for (int budget = TURN_BUDGET; budget; budget--) {
        struct sockaddr_in from = { 0 };
        socklen_t from_bytes = sizeof from;
        const ssize_t got = recvfrom(r->listener.fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_bytes);
        if (got < 0) return;
        struct client *c = r->by_port[from.sin_port];
        if (!c && (c = client_open(r)) != NULL) {
            c->address = from;
            r->by_port[from.sin_port] = c;
            c->far.fd = dial(r);
            if (c->far.fd >= 0) watch(&c->far, EPOLLIN);
        }
        if (c && !is_swallowing(r, now_us)) pass(c, RELAY_UP, packet, (size_t)got, now_us);
    }
}

static void read_far_udp(struct client *c, int64_t now_us)
{
    static _Thread_local uint8_t packet[PACKET_BYTES_MAX];
    for (int budget = TURN_BUDGET; budget; budget--) {
        const ssize_t got = recv(c->far.fd, packet, sizeof packet, 0);
        if (got < 0) return;
        if (!is_swallowing(c->relay, now_us)) pass(c, RELAY_DOWN, packet, (size_t)got, now_us);
    }
}

static void accept_tcp(struct relay *r)
{
    const int fd = accept4(r->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct client *c = client_open(r);
    if (!c) {
        close(fd);
        return;
    }
    c->near.fd = fd;
    c->far.fd = dial(r);
    if (c->far.fd < 0)
        client_close(c, true);
    else
        watch_both(c);
}

static void read_tcp(struct side *s, int64_t now_us)
{
    uint8_t bytes[CHUNK_BYTES];
    struct client *c = s->client;
    if (is_swallowing(c->relay, now_us) || c->is_ended[s->way]) return;
    const ssize_t got = recv(s->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) {
        client_close(c, true);
        return;
    }
    if (!got) c->is_ended[s->way] = true;
    pass(c, s->way, bytes, (size_t)got, now_us);
}

static void on_event(struct side *s, uint32_t events, int64_t now_us)
{
    struct client *c = s->client;
    if (!c) {
        if (s->relay->is_udp)
            read_listener_udp(s->relay, now_us);
        else
            accept_tcp(s->relay);
        return;
    }
    if (c->is_gone) return;
    if (s->relay->is_udp) {
        read_far_udp(c, now_us);
        return;
    }
    if (events & EPOLLOUT) flush_tcp(c, !s->way);
    /* an error or a hang-up is read as one; while everything is swallowed it would come again and again, and is not looked at */
    if (!c->is_gone && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        if (is_swallowing(s->relay, now_us)) {
            epoll_ctl(s->relay->net->epoll, EPOLL_CTL_DEL, s->fd, NULL);
            s->events = 0;
        } else {
            read_tcp(s, now_us);
        }
    }
    if (!c->is_gone && !is_swallowing(s->relay, now_us)) watch_both(c);
}

/* -- the net -- */

struct relay_net *relay_net_create(void)
{
    struct relay_net *n = calloc(1, sizeof *n);
    if (n && (n->epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0) return n;
    free(n);
    return NULL;
}

void relay_net_destroy(struct relay_net *n)
{
    if (!n) return;
    for (struct relay *r; (r = n->relays) != NULL;) {
        n->relays = r->next;
        for (struct client *c; (c = r->clients) != NULL;) {
            r->clients = c->next;
            client_close(c, true);
            free(c);
        }
        if (r->listener.fd >= 0) close(r->listener.fd);
        free(r->by_port);
        free(r);
    }
    relay_heap_deinit(&n->heap);
    close(n->epoll);
    free(n);
}

int relay_net_fd(const struct relay_net *n)
{
    return n->epoll;
}

int64_t relay_net_wait_us(const struct relay_net *n)
{
    const int64_t now_us = clock_now_us();
    int64_t until_us = now_us + 1000000;
    const int64_t due_us = relay_heap_due_us(&n->heap);
    if (due_us < until_us) until_us = due_us;
    for (const struct relay *r = n->relays; r; r = r->next)
        if (r->swallow_until_us > now_us && r->swallow_until_us < until_us) until_us = r->swallow_until_us;
    return until_us > now_us ? until_us - now_us : 0;
}

void relay_net_turn(struct relay_net *n)
{
    struct epoll_event events[EVENTS_MAX];
    const int count = epoll_wait(n->epoll, events, EVENTS_MAX, 0);
    const int64_t now_us = clock_now_us();
    for (int i = 0; i < count; i++) on_event(events[i].data.ptr, events[i].events, now_us);
    deliver_due(n, now_us);
    for (struct relay *r = n->relays; r; r = r->next) {
        if (r->swallow_until_us && now_us >= r->swallow_until_us) relay_mend(r);
        sweep(r);
    }
}

enum weir_err relay_open(struct relay_net *n, bool is_udp, uint16_t listen_port, uint16_t target_port,
                         struct relay **out)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(listen_port),
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t bytes = sizeof a;
    const int on = 1, large = 8 * MIB;
    struct relay *r = calloc(1, sizeof *r);
    if (!r) return WEIR_NOMEM;
    r->net = n;
    r->is_udp = is_udp;
    r->next = n->relays;
    n->relays = r; /* from here on the net's */
    r->listener = (struct side){ .relay = r, .way = RELAY_UP, .fd = -1 };
    relay_settings_init(&r->settings);
    relay_seed(r, 1);
    relay_aim(r, target_port);
    if (is_udp && !(r->by_port = calloc(65536, sizeof *r->by_port))) return WEIR_NOMEM;
    r->listener.fd = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->listener.fd < 0) return WEIR_IO;
    if (!is_udp) setsockopt(r->listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_udp) setsockopt(r->listener.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    if (bind(r->listener.fd, (struct sockaddr *)&a, bytes) ||
        getsockname(r->listener.fd, (struct sockaddr *)&a, &bytes))
        return WEIR_IO;
    if (!is_udp && listen(r->listener.fd, 1024)) return WEIR_IO;
    r->port = ntohs(a.sin_port);
    watch(&r->listener, EPOLLIN);
    *out = r;
    return WEIR_OK;
}

uint16_t relay_port(const struct relay *r)
{
    return r->port;
}

void relay_aim(struct relay *r, uint16_t target_port)
{
    r->target = (struct sockaddr_in){ .sin_family = AF_INET,
                                      .sin_port = htons(target_port),
                                      .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

void relay_seed(struct relay *r, uint64_t seed)
{
    for (int way = RELAY_UP; way <= RELAY_DOWN; way++) relay_chance_seed(&r->chances[way], seed, way);
}

void relay_set(struct relay *r, const struct relay_settings *s)
{
    r->settings = *s;
}

const struct relay_settings *relay_settings(const struct relay *r)
{
    return &r->settings;
}

void relay_cut(struct relay *r, bool is_reset)
{
    for (struct client *c = r->clients; c; c = c->next) client_close(c, is_reset);
}

void relay_blackhole(struct relay *r, int64_t us)
{
    r->swallow_until_us = us ? clock_now_us() + us : INT64_MAX;
    for (struct client *c = r->clients; c && !r->is_udp; c = c->next) watch_both(c);
}

void relay_mend(struct relay *r)
{
    r->swallow_until_us = 0;
    for (struct client *c = r->clients; c && !r->is_udp; c = c->next) {
        for (int way = RELAY_UP; way <= RELAY_DOWN; way++) flush_tcp(c, way);
        if (!c->is_gone) watch_both(c);
    }
}

struct relay_stats relay_stats(const struct relay *r)
{
    return r->stats;
}
