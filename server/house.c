#include <weir/server/house.h>

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/tls.h>
#include <weir/delivery/http_server.h>
#include <weir/ingest/rtmp_server.h>
#include <weir/packager/packager.h>
#include <weir/server/auth.h>
#include <weir/stream/live_edge.h>

#include "era_mark.h"
#include "house_dvr.h"
#include "house_srt.h"
#include "house_transcode.h"
#include "pages.h"
#include "state.h"

#define CROWD 1000             /* connections that left: worth giving their memory back */
#define ATTEMPT_WEIGHT 20      /* an SRT handshake that leads to nothing leaves as much as so many of them */
#define DRAIN_TURN_NS 10000000 /* how often it is looked whether all have gone */

struct house {
    const struct config *config;
    struct state state;
    struct era_mark eras;
    int64_t started_us, started_wall_us;
    struct auth *auth;
    struct registry *registry;
    struct loop *loops[LOOPS_MAX];
    size_t loop_count;
    const char *origins[CONFIG_ORIGINS_MAX];
    struct tls_server *tls; /* NULL: no certificate */
    struct rtmp_server *rtmp;
    struct http_server *http;
    struct house_srt *srt;
    struct house_dvr *dvr;             /* NULL: no stream is kept on disk */
    struct house_transcode *transcode; /* NULL: every path is passed through */
    struct house_listener listeners[5 * CONFIG_ADDRESSES_MAX + CONFIG_SRT_PORTS_MAX];
    size_t listener_count;
    struct packager_config packager;
    _Atomic bool is_ready;
    unsigned tidies_left;
    uint64_t closed_tidied; /* connections closed when memory was last given back */
    size_t streams_tidied;  /* streams that were there when that was looked at last */
};

/* The clock that media sequence numbers come from does not jump with the machine's: a stream whose numbers were ahead of a clock that was set
 * back would be silent until that has caught up. */
static int64_t wall_now(void *context)
{
    const struct house *h = context;
    return h->started_wall_us + clock_now_us() - h->started_us;
}

static uint64_t eras_used(void *context, uint64_t used)
{
    return era_mark_reach(&((struct house *)context)->eras, used);
}

static enum weir_err furnish(void *context, struct stream *stream)
{
    struct house *h = context;
    struct packager_config config = h->packager;
    /* differs between two lives of one name, too: their inits and parts are called alike otherwise */
    config.run_id = (uint32_t)(clock_wall_us() / 1000);
    config.shelf = house_dvr_shelf(h->dvr, stream_name(stream), stream_policy(stream));
    config.awaits_rungs = house_transcode_wants(h->transcode, stream_name(stream));
    struct packet_sink *packager = packager_create(stream_edge(stream), stream_policy(stream), &config);
    return packager ? house_transcode_furnish(h->transcode, stream, packager) : WEIR_NOMEM;
}

static enum weir_err create_loops(struct house *h)
{
    long wanted = h->config->loops ? (long)h->config->loops : sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted < 1) wanted = 1;
    if (wanted > LOOPS_MAX) wanted = LOOPS_MAX;
    for (; h->loop_count < (size_t)wanted; h->loop_count++) {
        char name[16];
        snprintf(name, sizeof name, "loop-%zu", h->loop_count);
        const enum weir_err err = loop_create(&h->loops[h->loop_count], name);
        if (err) return err;
    }
    return WEIR_OK;
}

static enum weir_err create_servers(struct house *h)
{
    const struct config *c = h->config;
    const struct rtmp_server_config rtmp = {
        .gate = house_dvr_gate(h->dvr, auth_gate(h->auth)),
        .registry = h->registry,
        .loops = h->loops,
        .loop_count = h->loop_count,
        .tls = h->tls,
        .gather_us = c->gather_us,
        .idle_us = c->idle_us,
        .handshake_us = c->handshake_us,
        .publish_us = c->publish_us,
        .connections_max = c->rtmp_connections,
        .connections_per_address_max = c->rtmp_connections_per_address,
    };
    for (uint32_t i = 0; i < c->origins.count; i++) h->origins[i] = c->origins.items[i];
    const struct http_server_config http = {
        .registry = h->registry,
        .loader = house_dvr_loader(h->dvr),
        .loops = h->loops,
        .loop_count = h->loop_count,
        .handler = pages_handle,
        .handler_context = h,
        .origins = h->origins,
        .origin_count = c->origins.count,
        .tls = h->tls,
        .connections_max = c->http_connections,
        .header_us = HTTP_HEADER_US_MAX,
        .idle_us = HTTP_IDLE_US_MAX,
        .stall_us = HTTP_STALL_US_MAX,
        .load_us = ARCHIVE_LOAD_US_MAX,
    };
    enum weir_err err = rtmp_server_create(&h->rtmp, &rtmp);
    if (!err) err = http_server_create(&h->http, &http);
    return err;
}

static enum weir_err create_tls(struct house *h, struct config_error *error)
{
    if (!h->config->tls_cert[0]) return WEIR_OK;
    const struct tls_server_config config = {
        .cert_file = h->config->tls_cert, .key_file = h->config->tls_key, .loops = h->loops, .loop_count = h->loop_count
    };
    struct tls_error why;
    const enum weir_err err = tls_server_create(&h->tls, &config, &why);
    if (err) snprintf(error->text, sizeof error->text, "tls.cert, tls.key: %s", why.text);
    return err;
}

static enum weir_err listen_one(struct house *h, const struct house_listener *l, const struct config_srt_port *srt,
                                uint16_t *port, struct config_error *why)
{
    static const struct {
        const char *protocol;
        bool is_rtmp, is_tls;
    } kinds[] = {
        { "rtmp", true, false }, { "rtmps", true, true }, { "http", false, false }, { "https", false, true }
    };
    why->text[0] = 0;
    if (!strcmp(l->protocol, "srt")) return house_srt_listen(h->srt, l->address, srt, port, why);
    size_t i = 0;
    while (strcmp(kinds[i].protocol, l->protocol)) i++;
    if (kinds[i].is_rtmp)
        return kinds[i].is_tls ? rtmp_server_listen_tls(h->rtmp, l->address, port)
                               : rtmp_server_listen(h->rtmp, l->address, port);
    return kinds[i].is_tls ? http_server_listen_tls(h->http, l->address, port)
                           : http_server_listen(h->http, l->address, port);
}

/* srt: what this port has of its own; NULL: nothing, or another protocol. */
static enum weir_err listen_on(struct house *h, const char *protocol, const char *address,
                               const struct config_srt_port *srt, struct config_error *error)
{
    struct house_listener *l = &h->listeners[h->listener_count];
    struct config_error why;
    *l = (struct house_listener){ .protocol = protocol };
    snprintf(l->address, sizeof l->address, "%s", address);
    enum weir_err err = listen_one(h, l, srt, &l->port, &why);
    if (err == WEIR_IO && errno == EAFNOSUPPORT && !strncmp(l->address, "[::]:", 5)) {
        /* a machine without IPv6 still has all of IPv4 */
        snprintf(l->address, sizeof l->address, "0.0.0.0:%s", address + 5);
        err = listen_one(h, l, srt, &l->port, &why);
    }
    if (err && why.text[0]) {
        snprintf(error->text, sizeof error->text, "listen.%s: %s: %.300s", protocol, l->address, why.text);
    } else if (err == WEIR_CONFIG) {
        snprintf(error->text, sizeof error->text,
                 "listen.%s: \"%s\" is not an address; expected for example 0.0.0.0:1935 or [::]:1935", protocol,
                 l->address);
    } else if (err) {
        snprintf(error->text, sizeof error->text, "listen.%s: cannot listen on %s: %s%s", protocol, l->address,
                 strerror(errno),
                 errno == EADDRINUSE ? "; another server has this port: stop it, or choose another with --set listen..."
                                     : "");
    } else {
        log_event(LOG_SERVER, LOG_INFO, "-", "listening", "protocol=%s address=%s port=%u", protocol, l->address,
                  l->port);
        h->listener_count++;
    }
    return err;
}

static enum weir_err listen_all(struct house *h, const char *protocol, const struct config_addresses *addresses,
                                struct config_error *error)
{
    enum weir_err err = WEIR_OK;
    for (uint32_t i = 0; !err && i < addresses->count; i++)
        err = listen_on(h, protocol, addresses->items[i], NULL, error);
    return err;
}

static enum weir_err start_loops(struct loop *const *loops, size_t count, struct config_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const enum weir_err err = loop_start(loops[i]);
        if (err) snprintf(error->text, sizeof error->text, "cannot start a thread: %s", strerror(errno));
        if (err) return err;
    }
    return WEIR_OK;
}

static enum weir_err build(struct house *h, struct config_error *error)
{
    enum weir_err err = state_open(&h->state, h->config->state_dir, error);
    if (!err) err = era_mark_open(&h->eras, h->state.dir, clock_wall_us(), error);
    if (err) return err;
    err = auth_create(&h->auth, h->config, h->state.key);
    const struct registry_config registry = {
        .furnish = furnish,
        .context = h,
        .streams_max = h->config->streams,
        .silent_us = h->config->silent_us,
        .retain_us = h->config->retain_us,
    };
    live_edge_begin_versions((uint64_t)clock_wall_us());
    if (!err) err = house_transcode_create(&h->transcode, h->config);
    if (!err) err = registry_create(&h->registry, &registry);
    if (!err) err = create_loops(h);
    if (!err && create_tls(h, error)) return WEIR_CONFIG;
    if (!err) err = house_dvr_create(&h->dvr, h->config, h->state.dir, auth_gate(h->auth), error);
    if (!err) err = create_servers(h);
    struct publish_gate *gate = err ? NULL : house_dvr_gate(h->dvr, auth_gate(h->auth));
    if (!err) err = house_srt_create(&h->srt, h->config, h->state.key, gate, h->registry, error);
    if (err && !error->text[0]) {
        snprintf(error->text, sizeof error->text, "cannot start: %s", err_name(err));
    }
    if (!err) err = listen_all(h, "rtmp", &h->config->rtmp, error);
    if (!err) err = listen_all(h, "rtmps", &h->config->rtmps, error);
    if (!err) err = listen_all(h, "srt", &h->config->srt, error);
    for (size_t i = 0; !err && i < h->config->srt_port_count; i++)
        err = listen_on(h, "srt", h->config->srt_ports[i].address, &h->config->srt_ports[i], error);
    if (!err) err = house_srt_pull(h->srt, error);
    if (!err) err = listen_all(h, "http", &h->config->http, error);
    if (!err) err = listen_all(h, "https", &h->config->https, error);
    struct loop *const *srt_loops = NULL;
    if (!err) err = start_loops(h->loops, h->loop_count, error);
    const size_t srt_loop_count = house_srt_loops(h->srt, &srt_loops);
    if (!err) err = start_loops(srt_loops, srt_loop_count, error);
    return err;
}

enum weir_err house_create(struct house **out, const struct config *config, struct config_error *error)
{
    struct house *h = calloc(1, sizeof *h);
    if (!h) {
        snprintf(error->text, sizeof error->text, "cannot start: %s", err_name(WEIR_NOMEM));
        return WEIR_NOMEM;
    }
    h->config = config;
    h->started_us = clock_now_us();
    h->started_wall_us = clock_wall_us();
    h->packager = (struct packager_config){ .wall_now_us = wall_now, .context = h, .eras_used = eras_used };
    const enum weir_err err = build(h, error);
    if (err) {
        if (!error->text[0]) snprintf(error->text, sizeof error->text, "cannot start: %s", err_name(err));
        house_destroy(h);
        return err;
    }
    atomic_store(&h->is_ready, true);
    *out = h;
    return WEIR_OK;
}

static void drain_loops(struct house *h)
{
    struct loop *const *srt_loops = NULL;
    const size_t srt_loop_count = house_srt_loops(h->srt, &srt_loops);
    size_t run;
    do {
        run = 0;
        for (size_t i = 0; i < h->loop_count; i++) run += loop_drain(h->loops[i]);
        for (size_t i = 0; i < srt_loop_count; i++) run += loop_drain(srt_loops[i]);
    } while (run);
}

static size_t live_streams(struct house *h)
{
    struct live_edge **edges = malloc(STREAMS_MAX * sizeof(struct live_edge *));
    const size_t count = edges ? registry_list(h->registry, edges, STREAMS_MAX) : 0;
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        live += live_edge_state(edges[i]) == STREAM_LIVE;
        live_edge_unref(edges[i]);
    }
    free(edges);
    return live;
}

void house_drain(struct house *h)
{
    const struct timespec turn = { .tv_nsec = DRAIN_TURN_NS };
    const int64_t until_us = clock_now_us() + h->config->drain_us;
    atomic_store(&h->is_ready, false);
    if (!h->config->drain_us || !live_streams(h)) return;
    rtmp_server_stop_accepting(h->rtmp);
    house_srt_stop_accepting(h->srt);
    rtmp_server_end_publishers(h->rtmp);
    house_srt_end_publishers(h->srt);
    while (live_streams(h) && clock_now_us() < until_us) nanosleep(&turn, NULL);
    while (http_server_connections(h->http) && clock_now_us() < until_us) nanosleep(&turn, NULL);
}

void house_destroy(struct house *h)
{
    if (!h) return;
    atomic_store(&h->is_ready, false);
    if (h->rtmp) rtmp_server_stop_accepting(h->rtmp);
    if (h->http) http_server_stop_accepting(h->http);
    house_srt_stop_accepting(h->srt);
    struct loop *const *srt_loops = NULL;
    const size_t srt_loop_count = house_srt_loops(h->srt, &srt_loops);
    for (size_t i = 0; i < h->loop_count; i++) loop_stop(h->loops[i]);
    for (size_t i = 0; i < srt_loop_count; i++) loop_stop(srt_loops[i]);
    for (size_t i = 0; i < h->loop_count; i++) loop_join(h->loops[i]);
    for (size_t i = 0; i < srt_loop_count; i++) loop_join(srt_loops[i]);
    /* from here on this thread stands in for every loop */
    house_dvr_leave(h->dvr);
    drain_loops(h);
    rtmp_server_destroy(h->rtmp);
    house_srt_close(h->srt);
    http_server_destroy(h->http);
    drain_loops(h);
    tls_server_destroy(h->tls);
    registry_destroy(h->registry);
    house_transcode_destroy(h->transcode);
    era_mark_close(&h->eras);
    house_dvr_destroy(h->dvr);
    house_srt_destroy(h->srt);
    for (size_t i = 0; i < h->loop_count; i++) loop_destroy(h->loops[i]);
    auth_destroy(h->auth);
    explicit_bzero(h->state.key, sizeof h->state.key);
    free(h);
}

void house_reload(struct house *h)
{
    struct tls_error error; /* was logged */
    if (h->tls) tls_server_reload(h->tls, &error);
}

void house_look_at_files(struct house *h)
{
    era_mark_look(&h->eras);
    if (h->tls) tls_server_look(h->tls, clock_now_us());
}

size_t house_listeners(const struct house *h, const struct house_listener **listeners)
{
    *listeners = h->listeners;
    return h->listener_count;
}

struct registry *house_registry(struct house *h)
{
    return h->registry;
}

size_t house_loops(const struct house *h, struct loop *const **loops)
{
    *loops = h->loops;
    return h->loop_count;
}

const char *house_key_file(const struct house *h)
{
    return h->state.key_file;
}

const char *house_key(const struct house *h)
{
    return h->state.key;
}

bool house_is_key_new(const struct house *h)
{
    return h->state.is_key_new;
}

int64_t house_started_us(const struct house *h)
{
    return h->started_us;
}

uint32_t house_rtmp_connections(const struct house *h)
{
    return rtmp_server_connections(h->rtmp);
}

uint32_t house_srt_connections(const struct house *h)
{
    return srt_server_connections(house_srt_server(h->srt));
}

size_t house_srt_loops_stuck(const struct house *h)
{
    return house_srt_stuck(h->srt);
}

uint64_t house_srt_datagrams_dropped(const struct house *h)
{
    return srt_server_datagrams_dropped(house_srt_server(h->srt));
}

size_t house_counters(const struct house *h, const struct counters *out[HOUSE_COUNTERS_MAX])
{
    struct loop *const *srt_loops = NULL;
    const size_t srt_loop_count = house_srt_loops(h->srt, &srt_loops);
    size_t count = 0;
    for (size_t i = 0; i < h->loop_count; i++) out[count++] = loop_counters(h->loops[i]);
    for (size_t i = 0; i < srt_loop_count; i++) out[count++] = loop_counters(srt_loops[i]);
    if (h->dvr) out[count++] = archive_counters(house_dvr_archive(h->dvr));
    return count + srt_server_counters(house_srt_server(h->srt), out + count, HOUSE_COUNTERS_MAX - count);
}

uint32_t house_http_connections(const struct house *h)
{
    return http_server_connections(h->http);
}

void house_tidy(struct house *h)
{
    house_srt_watch(h->srt, clock_now_us());
    uint64_t closed = 0;
    const struct counters *counters[HOUSE_COUNTERS_MAX];
    const size_t count = house_counters(h, counters);
    for (size_t i = 0; i < count; i++) {
        closed += counter_read(counters[i], COUNTER_RTMP_CLOSED);
        closed += counter_read(counters[i], COUNTER_HTTP_CLOSED);
        closed += counter_read(counters[i], COUNTER_SRT_ATTEMPTS) * ATTEMPT_WEIGHT;
    }
    /* windows are the most of what is allocated: when streams have gone, so should their memory */
    const size_t streams = registry_count(h->registry);
    const bool have_streams_gone = streams < h->streams_tidied;
    h->streams_tidied = streams;
    if (closed - h->closed_tidied >= CROWD || have_streams_gone) {
        h->closed_tidied = closed;
        h->tidies_left = 2; /* libsrt frees what it had a second or two later: once more the next time */
    }
    if (!h->tidies_left) return;
    h->tidies_left--;
    malloc_trim(0);
}

struct ladder_board *house_ladders(const struct house *h)
{
    return house_transcode_board(h->transcode);
}

struct transcoder *house_transcoder(const struct house *h)
{
    return house_transcode_transcoder(h->transcode);
}

struct archive *house_archive(const struct house *h)
{
    return house_dvr_archive(h->dvr);
}

bool house_is_ready(const struct house *h)
{
    return atomic_load(&h->is_ready);
}
