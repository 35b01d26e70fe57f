#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <srt/srt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "dial.h"
#include "publisher_internal.h"

#define TICK_US 5000 /* frames go out by so much late at most; what is due in the same tick shares a wake-up */
#define STREAM_BYTES 128
#define RELAXED memory_order_relaxed

_Static_assert(sizeof((struct publishers *)0)->homes / sizeof(struct publisher_home) == LOADGEN_PUBLISHER_THREADS_MAX,
               "publisher_internal.h");

/* -- threads that send -- */

static void on_tick(void *context)
{
    struct publisher_home *h = context;
    const int64_t now_us = clock_now_us();
    int64_t next_us = now_us + 1000000;
    for (uint32_t i = 0; i < h->count; i++) {
        struct publisher *p = h->publishers[i];
        if (p->due_us <= now_us || p->ghost_until_us) publisher_tick(p, now_us);
        if (p->due_us < next_us) next_us = p->due_us;
    }
    const int64_t wait_us = next_us - clock_now_us();
    loop_timer_arm(h->tick, wait_us > TICK_US ? wait_us : TICK_US);
}

static void start_tick(void *a, void *b)
{
    on_tick(a);
}

struct order {
    struct publisher *publisher;
    struct publisher_action action;
};

static void on_order(void *a, void *b)
{
    struct order *o = a;
    publisher_do(o->publisher, &o->action);
    free(o);
}

enum weir_err publishers_act(struct publishers *g, uint32_t index, const struct publisher_action *action)
{
    if (index >= g->config.count || action->bytes > LOADGEN_GARBAGE_BYTES_MAX) return WEIR_LIMIT;
    if (action->act == PUBLISHER_SWITCH) {
        uint32_t pieces;
        if (!action->source) return WEIR_STATE;
        media_source_ts(action->source, &pieces);
        if (g->protocol == &publisher_srt && !pieces) return WEIR_STATE;
    }
    struct order *o = malloc(sizeof *o);
    if (!o) return WEIR_NOMEM;
    *o = (struct order){ &g->publishers[index], *action };
    const enum weir_err err = loop_post(g->publishers[index].home->loop, on_order, o, NULL);
    if (err) free(o);
    return err;
}

/* -- beginning -- */

static const char *keep_text(struct publishers *g, const char *text, bool *is_good)
{
    if (!text) return NULL;
    char *copy = strdup(text);
    if (!copy) *is_good = false;
    g->texts[g->text_count++] = copy;
    return copy;
}

static void name_publisher(struct publishers *g, struct publisher *p)
{
    const struct publishers_config *c = &g->config;
    const char *number = strstr(c->name, "%d");
    char stream[STREAM_BYTES];
    if (number)
        snprintf(stream, sizeof stream, "%.*s%u%s", (int)(number - c->name), c->name, c->first + p->index, number + 2);
    else
        snprintf(stream, sizeof stream, "%s", c->name);
    snprintf(p->name, sizeof p->name, "%.*s/%s", (int)strcspn(g->rtmp.app, "?"), g->rtmp.app, stream);
    const bool has_key = c->key && *c->key;
    if (g->protocol == &publisher_rtmp) {
        snprintf(p->play, sizeof p->play, "%s%s%s", stream, has_key ? "?key=" : "", has_key ? c->key : "");
    } else if (c->streamid) {
        number = strstr(c->streamid, "%d");
        if (number)
            snprintf(p->play, sizeof p->play, "%.*s%u%s", (int)(number - c->streamid), c->streamid, c->first + p->index,
                     number + 2);
        else
            snprintf(p->play, sizeof p->play, "%s", c->streamid);
    } else {
        snprintf(p->play, sizeof p->play, "publish:%s%s%s", p->name, has_key ? ":any:" : "", has_key ? c->key : "");
    }
}

static void open_publisher(struct publishers *g, uint32_t index)
{
    const double ramp = g->config.ramp_per_second;
    struct publisher *p = &g->publishers[index];
    p->group = g;
    p->home = &g->homes[index % g->home_count];
    p->index = index;
    p->source = g->config.source;
    p->state = PUBLISHER_IS_WAITING;
    atomic_init(&p->figures.state, PUBLISHER_IS_WAITING);
    p->due_us = g->start_us + (ramp > 0 ? (int64_t)(index * 1e6 / ramp) : 0);
    p->rtmp.line.fd = p->rtmp.ghost.fd = p->srt.socket = p->srt.ghost = -1;
    name_publisher(g, p);
    p->home->publishers[p->home->count++] = p;
}

/* "srt://host:port[/app]": in the form that rtmp:// has, for its parser. */
static bool read_srt_address(const char *url, struct rtmp_address *out)
{
    char text[1024];
    const char *host = url + 6, *slash = strchr(host, '/');
    if (strncmp(url, "srt://", 6) != 0 || !strchr(host, ':')) return false;
    const bool has_app = slash && slash[1];
    const size_t bytes = slash && !has_app ? (size_t)(slash - host) : strlen(host);
    if (snprintf(text, sizeof text, "rtmp://%.*s%s", (int)bytes, host, has_app ? "" : "/live") >= (int)sizeof text)
        return false;
    return rtmp_address_parse(text, out);
}

static enum weir_err read_address(struct publishers *g, char *why, size_t why_bytes)
{
    const struct publishers_config *c = &g->config;
    uint32_t pieces;
    g->protocol = strncmp(c->url, "srt://", 6) != 0 ? &publisher_rtmp : &publisher_srt;
    if (!(g->protocol == &publisher_srt ? read_srt_address(c->url, &g->rtmp) : rtmp_address_parse(c->url, &g->rtmp))) {
        snprintf(why, why_bytes, "%s: rtmp://HOST[:PORT]/APP, rtmps://… or srt://HOST:PORT[/APP] was expected", c->url);
        return WEIR_CONFIG;
    }
    const enum weir_err err = dial_find(g->rtmp.host, g->rtmp.port, c->is_any_host, &g->srt_address,
                                        &g->srt_address_bytes);
    if (err == WEIR_DENIED)
        snprintf(why, why_bytes, "%s is not on this machine; --i-own-this-host says that you may publish to it",
                 g->rtmp.host);
    else if (err)
        snprintf(why, why_bytes, "%s has no address", g->rtmp.host);
    if (err || g->protocol == &publisher_rtmp) return err;
    media_source_ts(c->source, &pieces);
    if (!pieces) {
        snprintf(why, why_bytes, "SRT carries a transport stream, and the source was made without one");
        return WEIR_CONFIG;
    }
    g->srt_own.ss_family = g->srt_address.ss_family; /* any address, any port */
    return WEIR_OK;
}

static enum weir_err check_config(const struct publishers_config *c, char *why, size_t why_bytes)
{
    const char *wrong = NULL;
    if (!c->count || c->count > LOADGEN_PUBLISHERS_MAX) wrong = "1 to 4096 publishers were expected";
    if (c->threads > LOADGEN_PUBLISHER_THREADS_MAX) wrong = "at most 16 threads were expected";
    if (c->speed < 0 || c->speed > 1000) wrong = "a speed of at most 1000 was expected";
    if (c->chunk_bytes > 0xFFFFFF) wrong = "chunks of at most 16777215 bytes were expected";
    if (wrong) snprintf(why, why_bytes, "%s", wrong);
    return wrong ? WEIR_LIMIT : WEIR_OK;
}

static enum weir_err open_home(struct publishers *g, uint32_t number)
{
    struct publisher_home *h = &g->homes[number];
    char name[24];
    snprintf(name, sizeof name, "publish%u", number);
    h->group = g;
    byte_writer_init(&h->scratch, LOADGEN_SOURCE_BYTES_MAX);
    h->publishers = calloc(g->config.count, sizeof *h->publishers);
    enum weir_err err = h->publishers ? loop_create(&h->loop, name) : WEIR_NOMEM;
    if (err) return err;
    h->tick = loop_timer_create(h->loop, on_tick, h);
    return h->tick ? WEIR_OK : WEIR_NOMEM;
}

static enum weir_err start(struct publishers *g)
{
    /* of SRT, libsrt's own threads send */
    const uint32_t threads = g->config.threads && g->protocol == &publisher_rtmp ? g->config.threads : 1;
    enum weir_err err = WEIR_OK;
    g->publishers = calloc(g->config.count, sizeof *g->publishers);
    if (!g->publishers) return WEIR_NOMEM;
    for (uint32_t i = 0; i < threads && !err; i++) {
        g->home_count = i + 1;
        err = open_home(g, i);
    }
    if (err) return err;
    g->start_us = clock_now_us();
    for (uint32_t i = 0; i < g->config.count; i++) open_publisher(g, i);
    if (g->protocol == &publisher_rtmp && !(g->dialers = dialers_create(g))) return WEIR_NOMEM;
    if (g->protocol == &publisher_srt) {
        srt_startup();
        srt_setloglevel(0);
    }
    for (uint32_t i = 0; i < threads && !err; i++) {
        err = loop_post(g->homes[i].loop, start_tick, &g->homes[i], NULL);
        if (!err) err = loop_start(g->homes[i].loop);
    }
    return err;
}

enum weir_err publishers_create(const struct publishers_config *config, struct publishers **out, char *why,
                                size_t why_bytes)
{
    enum weir_err err = check_config(config, why, why_bytes);
    if (err) return err;
    struct publishers *g = calloc(1, sizeof *g);
    if (!g) return WEIR_NOMEM;
    bool is_good = true;
    g->config = *config;
    g->config.url = keep_text(g, config->url, &is_good);
    g->config.name = keep_text(g, config->name ? config->name : "load%d", &is_good);
    g->config.key = keep_text(g, config->key, &is_good);
    g->config.passphrase = keep_text(g, config->passphrase, &is_good);
    g->config.streamid = keep_text(g, config->streamid, &is_good);
    if (config->speed == 0) g->config.speed = 1;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    why[0] = 0;
    err = is_good ? read_address(g, why, why_bytes) : WEIR_NOMEM;
    if (!err) err = start(g);
    if (err) {
        if (!why[0]) snprintf(why, why_bytes, "%s", err_name(err));
        publishers_destroy(g);
        return err;
    }
    *out = g;
    return WEIR_OK;
}

/* -- the end -- */

void publishers_stop(struct publishers *g, int64_t within_us)
{
    const struct publisher_action end = { .act = PUBLISHER_END };
    if (!atomic_exchange(&g->is_stopping, true)) {
        for (uint32_t i = 0; i < g->config.count; i++)
            if (publishers_act(g, i, &end)) break;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t ns = until.tv_nsec + within_us % 1000000 * 1000;
    until.tv_sec += within_us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&g->lock);
    while (g->ended < g->config.count && pthread_cond_timedwait(&g->changed, &g->lock, &until) != ETIMEDOUT) continue;
    pthread_mutex_unlock(&g->lock);
}

void publishers_destroy(struct publishers *g)
{
    if (!g) return;
    const bool is_started = g->start_us != 0;
    if (is_started) publishers_stop(g, 5000000);
    dialers_destroy(g->dialers); /* their last answers go to the loops, which close what came */
    for (uint32_t i = 0; i < g->home_count; i++) {
        struct publisher_home *h = &g->homes[i];
        if (h->loop) loop_stop(h->loop);
        if (h->loop) loop_join(h->loop);
        if (h->loop)
            while (loop_drain(h->loop)) continue;
    }
    for (uint32_t i = 0; is_started && i < g->config.count; i++) g->protocol->close(&g->publishers[i]);
    for (uint32_t i = 0; i < g->home_count; i++) {
        loop_timer_destroy(g->homes[i].tick);
        loop_destroy(g->homes[i].loop);
        byte_writer_deinit(&g->homes[i].scratch);
        free(g->homes[i].publishers);
    }
    if (is_started && g->protocol == &publisher_srt) srt_cleanup();
    for (uint32_t i = 0; i < g->text_count; i++) free(g->texts[i]);
    free(g->publishers);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* -- looking -- */

void publishers_look(const struct publishers *g, uint32_t index, struct publisher_figures *out)
{
    assert(index < g->config.count);
    const struct publisher *p = &g->publishers[index];
    *out = (struct publisher_figures){
        .state = (enum publisher_state)atomic_load_explicit(&p->figures.state, RELAXED),
        .frames = atomic_load_explicit(&p->figures.frames, RELAXED),
        .bytes = atomic_load_explicit(&p->figures.bytes, RELAXED),
        .packets = atomic_load_explicit(&p->figures.packets, RELAXED),
        .dropped_frames = atomic_load_explicit(&p->figures.dropped_frames, RELAXED),
        .lives = atomic_load_explicit(&p->figures.lives, RELAXED),
        .losses = atomic_load_explicit(&p->figures.losses, RELAXED),
        .refusals = atomic_load_explicit(&p->figures.refusals, RELAXED),
        .queue_age_us = atomic_load_explicit(&p->figures.queue_age_us, RELAXED),
        .queue_age_max_us = atomic_load_explicit(&p->figures.queue_age_max_us, RELAXED),
    };
}

void publishers_totals(const struct publishers *g, struct publishers_totals *out)
{
    *out = (struct publishers_totals){ 0 };
    for (uint32_t i = 0; i < g->config.count; i++) {
        struct publisher_figures f;
        publishers_look(g, i, &f);
        out->live += f.state == PUBLISHER_IS_LIVE;
        out->ended += f.state == PUBLISHER_IS_ENDED;
        out->waiting += f.state == PUBLISHER_IS_WAITING || f.state == PUBLISHER_IS_DIALING;
        out->frames += f.frames, out->bytes += f.bytes, out->dropped_frames += f.dropped_frames;
        out->packets += f.packets;
        out->lives += f.lives, out->losses += f.losses, out->refusals += f.refusals;
        if (f.queue_age_us > out->queue_age_us) out->queue_age_us = f.queue_age_us;
        if (f.queue_age_max_us > out->queue_age_max_us) out->queue_age_max_us = f.queue_age_max_us;
    }
}

uint32_t publishers_count(const struct publishers *g)
{
    return g->config.count;
}

const char *publishers_name(const struct publishers *g, uint32_t index)
{
    return g->publishers[index].name;
}
