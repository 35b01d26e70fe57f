#include <weir/ingest/srt_server.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/base/log.h>

#include "srt_connection.h"
#include "srt_library.h"
#include "srt_port.h"
#include "srt_pull.h"

/* A loop: of one port, or of all pulls. */
struct branch {
    struct srt_home home;
    struct srt_port *port; /* NULL: pulls */
    struct srt_pull **pulls;
    size_t pull_count;
};

struct srt_server {
    struct srt_shared shared;
    struct branch *branches[LOOPS_MAX];
    size_t branch_count;
};

static void on_tick(void *context)
{
    struct branch *b = context;
    const int64_t now_us = clock_now_us();
    srt_connections_tick(&b->home, now_us);
    const bool has_knocks = b->port && srt_port_tick(b->port, now_us);
    b->home.is_ticking = false;
    if (b->home.first || has_knocks)
        srt_home_keep_ticking(&b->home);
    else if (b->port)
        srt_port_rest(b->port);
}

enum weir_err srt_server_create(struct srt_server **out, const struct srt_server_config *config)
{
    struct srt_server *s = calloc(1, sizeof *s);
    if (!s) return WEIR_NOMEM;
    s->shared.config = *config;
    if (getrandom(&s->shared.addresses.salt, sizeof s->shared.addresses.salt, 0) < 0)
        s->shared.addresses.salt = (uint64_t)clock_now_us();
    const enum weir_err err = srt_library_start();
    if (err) {
        free(s);
        return err;
    }
    struct srt_library_facts facts;
    srt_library_describe(&facts);
    log_event(LOG_INGEST, LOG_INFO, "-", "srt_library", "version=%u.%u.%u encryption=%s bonding=%s",
              facts.version_major, facts.version_minor, facts.version_patch, facts.has_encryption ? "yes" : "no",
              facts.has_groups ? "yes" : "unavailable");
    *out = s;
    return WEIR_OK;
}

static void destroy_branch(struct branch *b)
{
    if (!b) return;
    srt_connections_close_all(&b->home);
    srt_port_destroy(b->port);
    for (size_t i = 0; i < b->pull_count; i++) srt_pull_destroy(b->pulls[i]);
    free(b->pulls);
    srt_pass_destroy(b->home.pass);
    loop_timer_destroy(b->home.tick);
    free(b);
}

static enum weir_err create_branch(struct srt_server *s, struct loop *loop, struct branch **out)
{
    if (s->branch_count == LOOPS_MAX) return WEIR_LIMIT;
    struct branch *b = calloc(1, sizeof *b);
    if (!b) return WEIR_NOMEM;
    b->home.shared = &s->shared;
    b->home.loop = loop;
    b->home.counters = loop_counters(loop);
    b->home.tick = loop_timer_create(loop, on_tick, b);
    const enum weir_err err = b->home.tick ? srt_pass_create(&b->home.pass, loop, s->shared.config.pass_us)
                                           : WEIR_NOMEM;
    if (err)
        destroy_branch(b);
    else
        *out = b;
    return err;
}

enum weir_err srt_server_listen(struct srt_server *s, struct loop *loop, const struct srt_port_config *config,
                                uint16_t *bound_port, char error[SRT_ERROR_BYTES])
{
    struct branch *b = NULL;
    error[0] = 0;
    enum weir_err err = create_branch(s, loop, &b);
    if (err) return err;
    err = srt_port_create(&b->port, &b->home, config, bound_port, error);
    if (err) {
        const int why = errno;
        destroy_branch(b);
        errno = why;
        return err;
    }
    s->branches[s->branch_count++] = b;
    return WEIR_OK;
}

static enum weir_err branch_of_pulls(struct srt_server *s, struct loop *loop, struct branch **out)
{
    for (size_t i = 0; i < s->branch_count; i++) {
        if (s->branches[i]->home.loop != loop) continue;
        *out = s->branches[i];
        return WEIR_OK;
    }
    const enum weir_err err = create_branch(s, loop, out);
    if (!err) s->branches[s->branch_count++] = *out;
    return err;
}

enum weir_err srt_server_pull(struct srt_server *s, struct loop *loop, const struct srt_pull_config *config)
{
    struct branch *b = NULL;
    const enum weir_err err = branch_of_pulls(s, loop, &b);
    if (err) return err;
    struct srt_pull **pulls = realloc(b->pulls, (b->pull_count + 1) * sizeof *pulls);
    if (!pulls) return WEIR_NOMEM;
    b->pulls = pulls;
    const enum weir_err created = srt_pull_create(&b->pulls[b->pull_count], &b->home, config);
    if (!created) b->pull_count++;
    return created;
}

void srt_server_stop_accepting(struct srt_server *s)
{
    atomic_store(&s->shared.is_stopping, true);
}

static void end_branch(void *branch, void *unused)
{
    srt_connections_close_all(&((struct branch *)branch)->home);
}

void srt_server_end_publishers(struct srt_server *s)
{
    for (size_t i = 0; i < s->branch_count; i++)
        (void)!loop_post(s->branches[i]->home.loop, end_branch, s->branches[i], NULL);
}

void srt_server_destroy(struct srt_server *s)
{
    if (!s) return;
    srt_server_stop_accepting(s);
    for (size_t i = 0; i < s->branch_count; i++) destroy_branch(s->branches[i]);
    srt_library_stop();
    free(s);
}

uint32_t srt_server_connections(const struct srt_server *s)
{
    return atomic_load(&s->shared.connections);
}

size_t srt_server_counters(const struct srt_server *s, const struct counters **out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < s->branch_count && count < max; i++) {
        if (s->branches[i]->port) out[count++] = srt_port_counters(s->branches[i]->port);
    }
    return count;
}

uint64_t srt_server_datagrams_dropped(const struct srt_server *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->branch_count; i++) {
        if (s->branches[i]->port) sum += srt_port_datagrams_dropped(s->branches[i]->port);
    }
    return sum;
}
