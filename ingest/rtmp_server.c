#include <weir/ingest/rtmp_server.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#include "address_counts.h"
#include "rtmp_connection.h"

#define LISTENERS_MAX 8
#define ACCEPTS_PER_TURN 64
#define TICK_US (250 * 1000LL)

struct listener {
    struct rtmp_server *server;
    struct event *event;
    int fd;
};

/* A loop's share of the connections. */
struct branch {
    struct rtmp_home home;
    struct loop_timer *tick;
};

struct rtmp_server {
    struct rtmp_server_config config;
    struct branch *branches;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    size_t next_branch;            /* accepting loop */
    _Atomic uint32_t connections;
    _Atomic bool is_accepting;
    struct address_counts addresses;
    int reserve_fd;                /* given up for a moment to refuse a connection when descriptors have run out */
    int64_t starved_logged_us;
};

/* A socket on its way to its loop. */
struct newcomer {
    int fd;
    struct sockaddr_storage peer;
};

static void on_closed(void *context, const uint8_t address[16])
{
    struct rtmp_server *s = context;
    address_counts_remove(&s->addresses, address);
    atomic_fetch_sub(&s->connections, 1);
}

static void on_tick(void *context)
{
    struct branch *b = context;
    rtmp_connections_tick(&b->home, clock_now_us());
    loop_timer_arm(b->tick, TICK_US);
}

static enum weir_err create_branch(struct rtmp_server *s, struct branch *b, struct loop *loop)
{
    b->home = (struct rtmp_home){
        .config = &s->config, .loop = loop, .counters = loop_counters(loop), .closed = on_closed, .context = s
    };
    b->home.buffer = malloc(RTMP_READ_BYTES_PER_TURN);
    b->tick = loop_timer_create(loop, on_tick, b);
    if (!b->home.buffer || !b->tick) return WEIR_NOMEM;
    loop_timer_arm(b->tick, TICK_US);
    return gather_create(&b->home.gather, loop, s->config.gather_us);
}

enum weir_err rtmp_server_create(struct rtmp_server **out, const struct rtmp_server_config *config)
{
    struct rtmp_server *s = calloc(1, sizeof *s);
    if (!s) return WEIR_NOMEM;
    s->config = *config;
    s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    atomic_store(&s->is_accepting, true);
    if (getrandom(&s->addresses.salt, sizeof s->addresses.salt, 0) < 0) s->addresses.salt = (uint64_t)clock_now_us();
    s->branches = calloc(config->loop_count, sizeof *s->branches);
    enum weir_err err = s->branches ? WEIR_OK : WEIR_NOMEM;
    for (size_t i = 0; !err && i < config->loop_count; i++) err = create_branch(s, &s->branches[i], config->loops[i]);
    if (err) {
        rtmp_server_destroy(s);
        return err;
    }
    *out = s;
    return WEIR_OK;
}

static void on_newcomer(void *a, void *b)
{
    struct branch *branch = a;
    struct newcomer *n = b;
    rtmp_connection_start(&branch->home, n->fd, &n->peer);
    free(n);
}

/* Out of descriptors: take one connection with the spare one and drop it, so that the queue does not spin. */
static void refuse_starved(struct rtmp_server *s, int listen_fd)
{
    const int64_t now_us = clock_now_us();
    if (now_us - s->starved_logged_us > 10000000) {
        s->starved_logged_us = now_us;
        log_event(LOG_INGEST, LOG_ERROR, "-", "no_descriptors", "reason=\"raise the open files limit (ulimit -n)\"");
    }
    if (s->reserve_fd >= 0) close(s->reserve_fd);
    const int fd = accept(listen_fd, NULL, NULL);
    if (fd >= 0) close(fd);
    s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    counter_add(s->branches[0].home.counters, COUNTER_RTMP_REFUSED_TOTAL, 1);
}

/* false: refused and closed. */
static bool admit(struct rtmp_server *s, int fd, const struct sockaddr_storage *peer)
{
    struct counters *counters = s->branches[0].home.counters;
    uint8_t address[16];
    net_address_bytes(peer, address);
    if (atomic_load(&s->connections) >= s->config.connections_max) {
        counter_add(counters, COUNTER_RTMP_REFUSED_TOTAL, 1);
    } else if (!address_counts_add(&s->addresses, address, s->config.connections_per_address_max)) {
        counter_add(counters, COUNTER_RTMP_REFUSED_ADDRESS, 1);
    } else {
        atomic_fetch_add(&s->connections, 1);
        return true;
    }
    if (log_wants(LOG_INGEST, LOG_DEBUG)) {
        char text[NET_PEER_BYTES];
        net_format_peer(peer, text);
        log_event(LOG_INGEST, LOG_DEBUG, "-", "connection_refused", "peer=%s reason=\"too many connections\"", text);
    }
    close(fd);
    return false;
}

static void send_to_branch(struct rtmp_server *s, int fd, const struct sockaddr_storage *peer)
{
    struct branch *b = &s->branches[s->next_branch++ % s->config.loop_count];
    struct newcomer *n = malloc(sizeof *n);
    if (n) {
        n->fd = fd;
        n->peer = *peer;
        if (loop_post(b->home.loop, on_newcomer, b, n) == WEIR_OK) return;
    }
    free(n);
    close(fd);
    uint8_t address[16];
    net_address_bytes(peer, address);
    on_closed(s, address);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *context)
{
    struct listener *l = context;
    struct rtmp_server *s = l->server;
    for (int i = 0; i < ACCEPTS_PER_TURN && atomic_load(&s->is_accepting); i++) {
        struct sockaddr_storage peer;
        const int fd = net_accept((int)listen_fd, &peer);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) refuse_starved(s, (int)listen_fd);
        if (fd < 0) return;
        if (admit(s, fd, &peer)) send_to_branch(s, fd, &peer);
    }
}

enum weir_err rtmp_server_listen(struct rtmp_server *s, const char *address, uint16_t *bound_port)
{
    if (s->listener_count == LISTENERS_MAX) return WEIR_CONFIG;
    struct listener *l = &s->listeners[s->listener_count];
    const enum weir_err err = net_listen(address, &l->fd, bound_port);
    if (err) return err;
    l->server = s;
    l->event = event_new(loop_event_base(s->config.loops[0]), l->fd, EV_READ | EV_PERSIST, on_accept, l);
    if (!l->event || event_add(l->event, NULL)) {
        close(l->fd);
        errno = ENOMEM;
        return WEIR_IO;
    }
    s->listener_count++;
    return WEIR_OK;
}

void rtmp_server_stop_accepting(struct rtmp_server *s)
{
    atomic_store(&s->is_accepting, false);
}

void rtmp_server_destroy(struct rtmp_server *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->listener_count; i++) {
        event_free(s->listeners[i].event);
        close(s->listeners[i].fd);
    }
    for (size_t i = 0; s->branches && i < s->config.loop_count; i++) {
        struct branch *b = &s->branches[i];
        rtmp_connections_close_all(&b->home);
        gather_destroy(b->home.gather);
        loop_timer_destroy(b->tick);
        free(b->home.buffer);
    }
    if (s->reserve_fd >= 0) close(s->reserve_fd);
    free(s->branches);
    free(s);
}

uint32_t rtmp_server_connections(const struct rtmp_server *s)
{
    return atomic_load(&s->connections);
}
