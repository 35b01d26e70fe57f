#include "house_srt.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>
#include <weir/server/auth.h>

#define LOOPS_OF_SRT_MAX (CONFIG_ADDRESSES_MAX + CONFIG_SRT_PORTS_MAX + 1) /* and that of the pulls */

#define STUCK_US (10 * 1000000LL)

/* Of a loop: a message goes round. */
struct pulse {
    _Atomic bool is_under_way;
    int64_t sent_us;
    bool is_stuck;
};

struct house_srt {
    const struct config *config;
    const char *server_key;
    struct srt_server *server;
    struct loop *loops[LOOPS_OF_SRT_MAX];
    size_t loop_count;
    struct pulse pulses[LOOPS_OF_SRT_MAX];
    _Atomic size_t stuck;
};

/* On libsrt's receiving thread: looks things up in what never changes. */
static enum publish_verdict look(void *context, const void *port, const struct publish_request *request,
                                 struct srt_options *options, struct stream_policy *policy)
{
    const struct house_srt *h = context;
    const struct config_path *path = config_path_for(h->config, request->name);
    const enum publish_verdict verdict = auth_decide(path, h->server_key, request);
    if (verdict != PUBLISH_ALLOWED) return verdict;
    config_srt_options(h->config, port, path, options);
    config_policy(path, policy);
    return PUBLISH_ALLOWED;
}

/* A filter, say, is a text to us: libsrt knows whether it is one. */
static enum weir_err try_options(const struct house_srt *h, const struct config_srt_port *port,
                                 const struct config_path *path, struct config_error *error)
{
    struct srt_options options;
    config_srt_options(h->config, port, path, &options);
    const char *refused = srt_options_refused(&options);
    explicit_bzero(options.passphrase, sizeof options.passphrase);
    if (!refused) return WEIR_OK;
    snprintf(error->text, sizeof error->text, "srt.%s%s%.100s%s: libsrt does not take this value", refused,
             path != &h->config->defaults ? " of the path \"" : "", path != &h->config->defaults ? path->pattern : "",
             path != &h->config->defaults ? "\"" : "");
    return WEIR_CONFIG;
}

enum weir_err house_srt_create(struct house_srt **out, const struct config *config, const char *server_key,
                               struct publish_gate *gate, struct registry *registry, struct config_error *error)
{
    struct house_srt *h = calloc(1, sizeof *h);
    if (!h) return WEIR_NOMEM;
    h->config = config;
    h->server_key = server_key;
    const struct srt_server_config server = {
        .gate = gate,
        .registry = registry,
        .context = h,
        .look = look,
        .pass_us = config->gather_us ? config->gather_us : SRT_PASS_US_MIN,
        .idle_us = config->idle_us,
        .publish_us = config->publish_us,
        .connections_max = config->srt_connections,
        .connections_per_address_max = config->srt_connections_per_address,
        .attempts_per_second = config->srt_attempts,
        .attempts_per_address_per_second = config->srt_attempts_per_address,
    };
    enum weir_err err = srt_server_create(&h->server, &server);
    if (!err) err = try_options(h, NULL, &config->defaults, error);
    for (size_t i = 0; !err && i < config->path_count; i++) err = try_options(h, NULL, &config->paths[i], error);
    for (size_t i = 0; !err && i < config->srt_port_count; i++)
        err = try_options(h, &config->srt_ports[i], &config->defaults, error);
    if (err) {
        house_srt_destroy(h);
        return err;
    }
    *out = h;
    return WEIR_OK;
}

enum weir_err house_srt_listen(struct house_srt *h, const char *address, const struct config_srt_port *port,
                               uint16_t *bound_port, struct config_error *error)
{
    const struct config *c = h->config;
    const int64_t mode = port && port->default_mode != SRT_UNSAID ? port->default_mode : c->srt_default_mode;
    struct srt_port_config config = {
        .address = address,
        .rules = { .stream = port && port->stream[0] ? port->stream : c->srt_stream,
                   .default_mode = (enum srt_mode)mode },
        .look_port = port,
    };
    config_srt_options(c, port, &c->defaults, &config.options);
    char name[16], text[SRT_ERROR_BYTES] = "";
    snprintf(name, sizeof name, "srt-%zu", h->loop_count);
    struct loop *loop = NULL;
    enum weir_err err = h->loop_count < LOOPS_OF_SRT_MAX - 1 ? loop_create(&loop, name) : WEIR_LIMIT;
    if (!err) err = srt_server_listen(h->server, loop, &config, bound_port, text);
    explicit_bzero(config.options.passphrase, sizeof config.options.passphrase);
    if (err) {
        loop_destroy(loop);
        snprintf(error->text, sizeof error->text, "%s", text);
        return err;
    }
    h->loops[h->loop_count++] = loop;
    return WEIR_OK;
}

static enum weir_err pull_one(struct house_srt *h, struct loop *loop, const struct config_path *path,
                              struct config_error *error)
{
    struct srt_pull_config pull;
    const char *why = "";
    memset(&pull, 0, sizeof pull);
    enum weir_err err = srt_url_parse(path->pull, &pull.url, &why);
    snprintf(pull.stream, sizeof pull.stream, "%.*s", STREAM_NAME_BYTES_MAX, path->pattern);
    config_srt_options(h->config, NULL, path, &pull.options);
    srt_options_overlay(&pull.options, &pull.url.options);
    const char *refused = srt_options_refused(&pull.options);
    if (!err && refused) {
        snprintf(error->text, sizeof error->text, "pull of \"%.100s\": libsrt does not take its %s", path->pattern,
                 refused);
        err = WEIR_CONFIG;
    }
    if (!err) err = srt_server_pull(h->server, loop, &pull);
    explicit_bzero(&pull, sizeof pull);
    return err;
}

enum weir_err house_srt_pull(struct house_srt *h, struct config_error *error)
{
    struct loop *loop = NULL;
    enum weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < h->config->path_count; i++) {
        const struct config_path *path = &h->config->paths[i];
        if (!path->pull[0]) continue;
        if (!loop) {
            err = loop_create(&loop, "srt-pull");
            if (!err) h->loops[h->loop_count++] = loop;
        }
        if (!err) err = pull_one(h, loop, path, error);
    }
    return err;
}

static void on_pulse(void *a, void *b)
{
    struct pulse *p = a;
    atomic_store(&p->is_under_way, false);
}

static void watch_loop(struct loop *loop, struct pulse *p, int64_t now_us)
{
    const bool is_stuck = atomic_load(&p->is_under_way) && now_us - p->sent_us > STUCK_US;
    if (is_stuck && !p->is_stuck)
        log_event(LOG_SERVER, LOG_ERROR, "-", "srt_loop_stuck",
                  "loop=%s seconds=%lld text=\"libsrt does not return; the streams of this port stand still, all "
                  "others go on: restart weir\"",
                  loop_name(loop), (long long)(now_us - p->sent_us) / 1000000);
    if (!is_stuck && p->is_stuck)
        log_event(LOG_SERVER, LOG_WARN, "-", "srt_loop_turns_again", "loop=%s", loop_name(loop));
    p->is_stuck = is_stuck;
    if (atomic_load(&p->is_under_way)) return;
    atomic_store(&p->is_under_way, true);
    p->sent_us = now_us;
    if (loop_post(loop, on_pulse, p, NULL)) atomic_store(&p->is_under_way, false);
}

void house_srt_watch(struct house_srt *h, int64_t now_us)
{
    size_t stuck = 0;
    for (size_t i = 0; i < h->loop_count; i++) {
        watch_loop(h->loops[i], &h->pulses[i], now_us);
        stuck += h->pulses[i].is_stuck;
    }
    atomic_store(&h->stuck, stuck);
}

size_t house_srt_stuck(const struct house_srt *h)
{
    return h ? atomic_load(&h->stuck) : 0;
}

void house_srt_stop_accepting(struct house_srt *h)
{
    if (h) srt_server_stop_accepting(h->server);
}

void house_srt_end_publishers(struct house_srt *h)
{
    if (h) srt_server_end_publishers(h->server);
}

void house_srt_close(struct house_srt *h)
{
    if (!h) return;
    srt_server_destroy(h->server);
    h->server = NULL;
}

void house_srt_destroy(struct house_srt *h)
{
    if (!h) return;
    house_srt_close(h);
    for (size_t i = 0; i < h->loop_count; i++) loop_destroy(h->loops[i]);
    free(h);
}

size_t house_srt_loops(const struct house_srt *h, struct loop *const **loops)
{
    if (!h) return 0;
    *loops = h->loops;
    return h->loop_count;
}

struct srt_server *house_srt_server(struct house_srt *h)
{
    return h->server;
}
