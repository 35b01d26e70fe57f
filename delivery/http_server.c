#include <weir/delivery/http_server.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/acceptor.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/log_burst.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#include "http_connection.h"

#define TICK_US (500 * 1000LL)

/* A loop's share of the connections. */
struct branch {
    struct http_home home;
    struct loop_timer *tick;
};

struct http_server {
    struct http_server_config config;
    struct page_assets assets;
    struct acceptor *acceptor;
    struct branch *branches;
    _Atomic uint32_t connections;
    struct log_burst refused; /* first loop's thread */
};

static void on_closed(void *context)
{
    struct http_server *s = context;
    atomic_fetch_sub(&s->connections, 1);
}

static void on_tick(void *context)
{
    struct branch *b = context;
    http_connections_tick(&b->home, clock_now_us());
    loop_timer_arm(b->tick, TICK_US);
}

/* One write into an empty socket buffer; whether it arrives is the client's luck. */
static void say_busy(int fd)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\n503\n";
    if (write(fd, text, sizeof text - 1) < 0) return;
}

static void log_refused(struct http_server *s, const struct sockaddr_storage *peer)
{
    uint64_t left_out;
    char text[NET_PEER_BYTES];
    if (!log_burst_take(&s->refused, clock_now_us(), &left_out)) return;
    net_format_peer(peer, text);
    log_event(LOG_DELIVERY, LOG_WARN, "-", "connection_refused",
              "peer=%s reason=\"too many connections (delivery.connections)\" not_logged=%llu", text,
              (unsigned long long)left_out);
}

static bool on_admit(void *context, int fd, const struct sockaddr_storage *peer)
{
    struct http_server *s = context;
    if (atomic_load(&s->connections) < s->config.connections_max) {
        atomic_fetch_add(&s->connections, 1);
        return true;
    }
    counter_add(s->branches[0].home.room.counters, COUNTER_HTTP_REFUSED_TOTAL, 1);
    log_refused(s, peer);
    say_busy(fd);
    return false;
}

static void on_arrived(void *context, size_t loop_index, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    struct http_server *s = context;
    http_connection_start(&s->branches[loop_index].home, fd, peer, is_tls);
}

static void on_lost(void *context, const struct sockaddr_storage *peer)
{
    on_closed(context);
}

static void on_starved(void *context)
{
    struct http_server *s = context;
    counter_add(s->branches[0].home.room.counters, COUNTER_HTTP_REFUSED_TOTAL, 1);
}

static enum weir_err create_branch(struct http_server *s, size_t index)
{
    struct branch *b = &s->branches[index];
    struct loop *loop = s->config.loops[index];
    b->home = (struct http_home){ .config = &s->config, .loop_index = index, .closed = on_closed, .context = s };
    b->home.buffer = malloc(HTTP_READ_BYTES);
    b->tick = loop_timer_create(loop, on_tick, b);
    if (!b->home.buffer || !b->tick) return WEIR_NOMEM;
    loop_timer_arm(b->tick, TICK_US);
    const struct http_waiter_events events = { .context = &b->home,
                                               .answered = http_home_answered,
                                               .settled = http_home_settled };
    return answer_room_init(&b->home.room, &s->config, &s->assets, loop, &events);
}

enum weir_err http_server_create(struct http_server **out, const struct http_server_config *config)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s) return WEIR_NOMEM;
    s->config = *config;
    s->branches = calloc(config->loop_count, sizeof *s->branches);
    enum weir_err err = s->branches ? page_assets_init(&s->assets) : WEIR_NOMEM;
    for (size_t i = 0; !err && i < config->loop_count; i++) err = create_branch(s, i);
    const struct acceptor_config acceptor = {
        .loops = config->loops,
        .loop_count = config->loop_count,
        .context = s,
        .admit = on_admit,
        .arrived = on_arrived,
        .lost = on_lost,
        .starved = on_starved,
    };
    if (!err) err = acceptor_create(&s->acceptor, &acceptor);
    if (err) {
        http_server_destroy(s);
        return err;
    }
    *out = s;
    return WEIR_OK;
}

enum weir_err http_server_listen(struct http_server *s, const char *address, uint16_t *bound_port)
{
    return acceptor_listen(s->acceptor, address, false, bound_port);
}

enum weir_err http_server_listen_tls(struct http_server *s, const char *address, uint16_t *bound_port)
{
    assert(s->config.tls);
    return acceptor_listen(s->acceptor, address, true, bound_port);
}

void http_server_stop_accepting(struct http_server *s)
{
    acceptor_stop(s->acceptor);
}

void http_server_destroy(struct http_server *s)
{
    if (!s) return;
    acceptor_destroy(s->acceptor);
    for (size_t i = 0; s->branches && i < s->config.loop_count; i++) {
        struct branch *b = &s->branches[i];
        http_connections_close_all(&b->home);
        answer_room_deinit(&b->home.room);
        loop_timer_destroy(b->tick);
        free(b->home.buffer);
    }
    page_assets_deinit(&s->assets);
    free(s->branches);
    free(s);
}

uint32_t http_server_connections(const struct http_server *s)
{
    return atomic_load(&s->connections);
}
