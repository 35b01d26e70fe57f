#include <weir/ingest/rtmp_server.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <weir/base/acceptor.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/log_burst.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#include "address_counts.h"
#include "rtmp_connection.h"

#define TICK_US (250 * 1000LL)
#define AWAY_US (2 * 1000000LL)

/* A loop's share of the connections. */
struct branch {
    struct rtmp_home home;
    struct loop_timer *tick;
    int64_t ticked_us; /* 0: not yet */
};

struct rtmp_server {
    struct rtmp_server_config config;
    struct acceptor *acceptor;
    struct branch *branches;
    _Atomic uint32_t connections;
    struct address_counts addresses;
    struct log_burst refused; /* first loop's thread */
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
    const int64_t now_us = clock_now_us();
    /* the process itself stood still, stopped or suspended: what publishers said meanwhile is read before anyone is called silent */
    const bool was_away = b->ticked_us && now_us - b->ticked_us > AWAY_US;
    b->ticked_us = now_us;
    if (!was_away) rtmp_connections_tick(&b->home, now_us);
    loop_timer_arm(b->tick, TICK_US);
}

static void log_refused(struct rtmp_server *s, const struct sockaddr_storage *peer, const char *reason)
{
    uint64_t left_out;
    char text[NET_PEER_BYTES];
    if (!log_burst_take(&s->refused, clock_now_us(), &left_out)) return;
    net_format_peer(peer, text);
    log_event(LOG_INGEST, LOG_WARN, "-", "connection_refused", "peer=%s reason=\"%s\" not_logged=%llu", text, reason,
              (unsigned long long)left_out);
}

static bool on_admit(void *context, int fd, const struct sockaddr_storage *peer)
{
    struct rtmp_server *s = context;
    struct counters *counters = s->branches[0].home.counters;
    uint8_t address[16];
    net_address_bytes(peer, address);
    if (atomic_load(&s->connections) >= s->config.connections_max) {
        counter_add(counters, COUNTER_RTMP_REFUSED_TOTAL, 1);
        log_refused(s, peer, "too many connections in all (ingest.connections)");
    } else if (!address_counts_add(&s->addresses, address, s->config.connections_per_address_max)) {
        counter_add(counters, COUNTER_RTMP_REFUSED_ADDRESS, 1);
        log_refused(s, peer, "too many connections from one address (ingest.connections_per_address)");
    } else {
        atomic_fetch_add(&s->connections, 1);
        return true;
    }
    return false;
}

static void on_arrived(void *context, size_t loop_index, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    struct rtmp_server *s = context;
    rtmp_connection_start(&s->branches[loop_index].home, fd, peer, is_tls);
}

static void on_lost(void *context, const struct sockaddr_storage *peer)
{
    uint8_t address[16];
    net_address_bytes(peer, address);
    on_closed(context, address);
}

static void on_starved(void *context)
{
    struct rtmp_server *s = context;
    counter_add(s->branches[0].home.counters, COUNTER_RTMP_REFUSED_TOTAL, 1);
}

static enum weir_err create_branch(struct rtmp_server *s, size_t index)
{
    struct branch *b = &s->branches[index];
    struct loop *loop = s->config.loops[index];
    b->home = (struct rtmp_home){ .config = &s->config,
                                  .loop = loop,
                                  .loop_index = index,
                                  .counters = loop_counters(loop),
                                  .closed = on_closed,
                                  .context = s };
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
    if (getrandom(&s->addresses.salt, sizeof s->addresses.salt, 0) < 0) s->addresses.salt = (uint64_t)clock_now_us();
    s->branches = calloc(config->loop_count, sizeof *s->branches);
    enum weir_err err = s->branches ? WEIR_OK : WEIR_NOMEM;
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
        rtmp_server_destroy(s);
        return err;
    }
    *out = s;
    return WEIR_OK;
}

enum weir_err rtmp_server_listen(struct rtmp_server *s, const char *address, uint16_t *bound_port)
{
    return acceptor_listen(s->acceptor, address, false, bound_port);
}

enum weir_err rtmp_server_listen_tls(struct rtmp_server *s, const char *address, uint16_t *bound_port)
{
    assert(s->config.tls);
    return acceptor_listen(s->acceptor, address, true, bound_port);
}

void rtmp_server_stop_accepting(struct rtmp_server *s)
{
    acceptor_stop(s->acceptor);
}

static void end_branch(void *branch, void *unused)
{
    rtmp_connections_close_all(&((struct branch *)branch)->home);
}

void rtmp_server_end_publishers(struct rtmp_server *s)
{
    for (size_t i = 0; i < s->config.loop_count; i++)
        (void)!loop_post(s->config.loops[i], end_branch, &s->branches[i],
                         NULL); /* a full mailbox: they end with the process */
}

void rtmp_server_destroy(struct rtmp_server *s)
{
    if (!s) return;
    acceptor_destroy(s->acceptor);
    for (size_t i = 0; s->branches && i < s->config.loop_count; i++) {
        struct branch *b = &s->branches[i];
        rtmp_connections_close_all(&b->home);
        gather_destroy(b->home.gather);
        loop_timer_destroy(b->tick);
        free(b->home.buffer);
    }
    free(s->branches);
    free(s);
}

uint32_t rtmp_server_connections(const struct rtmp_server *s)
{
    return atomic_load(&s->connections);
}
