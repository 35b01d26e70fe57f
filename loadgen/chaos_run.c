#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>

#include "chaos_internal.h"
#include "rtmp_line.h"

#define REDIAL_US 200000
#define TERM_WITHIN_US 15000000
#define FLAP_CYCLE_US_MAX                                                                                              \
    2000000 /* a cycle that takes longer on average is a server that does not take publishers back */
#define SIZE_WITHIN_US 20000000 /* to come back to its size after flaps */
#define VANISH_OPEN_US 20000000 /* the silent socket stays open */

/* -- publishers -- */

static void on_event(void *owner, const struct publisher_event *e)
{
    struct chaos_stream *s = owner;
    if (e->kind == PUBLISHER_LIVE) {
        atomic_store(&s->live_us, clock_now_us());
        atomic_fetch_add(&s->lives, 1);
    }
    if (e->kind == PUBLISHER_LOST) atomic_store(&s->lost_us, clock_now_us());
    if (e->kind == PUBLISHER_REFUSED) atomic_fetch_add(&s->refusals, 1);
    event_log_publisher(s->chaos->log, e);
}

static void on_steady_event(void *owner, const struct publisher_event *e)
{
    struct chaos *c = owner;
    on_event(&c->streams[e->index], e);
}

static struct publishers_config common(const struct chaos *c)
{
    return (struct publishers_config){ .url = c->config.url,
                                       .name = c->config.name,
                                       .key = c->config.key,
                                       .source = c->config.source,
                                       .count = 1,
                                       .reconnect_us = REDIAL_US,
                                       .is_any_host = c->config.is_any_host };
}

static void name_stream(struct chaos *c, struct chaos_stream *s, struct publishers *g, uint32_t index)
{
    const char *place = strstr(c->config.play, "%s");
    s->publishers = g;
    s->index = index;
    snprintf(s->name, sizeof s->name, "%s", publishers_name(g, index));
    snprintf(s->list, sizeof s->list, "%s%.*s%s%s", c->config.http, (int)(place - c->config.play), c->config.play,
             s->name, place + 2);
    s->media[0] = 0;
    follower_init(&s->follower);
}

/* "rtmp://127.0.0.1:PORT/app" with the relay's port. */
static bool through_relay(const char *url, uint16_t port, char *out, size_t bytes, uint16_t *target)
{
    const char *host = strstr(url, "://"), *colon = host ? strchr(host + 3, ':') : NULL;
    char *rest;
    if (!colon) return false;
    const long number = strtol(colon + 1, &rest, 10);
    if (number < 1 || number > 65535) return false;
    *target = (uint16_t)number;
    return snprintf(out, bytes, "%.*s127.0.0.1:%u%s", (int)(host + 3 - url), url, port, rest) < (int)bytes;
}

static enum weir_err open_victim(struct chaos *c, uint32_t number, char *why, size_t why_bytes)
{
    struct chaos_stream *s = &c->streams[c->config.steady + number];
    struct publishers_config config = common(c);
    char url[CHAOS_URL_BYTES];
    uint16_t target = 0;
    s->is_srt = c->config.srt_url && number % 2;
    if (s->is_srt) config.url = c->config.srt_url;
    if (!through_relay(config.url, 1, url, sizeof url, &target)) {
        snprintf(why, why_bytes, "%s: an address with its port was expected", config.url);
        return WEIR_CONFIG;
    }
    struct relay_net *net = relay_thread_lock(c->relays);
    enum weir_err err = relay_open(net, s->is_srt, 0, target, &c->relay[number]);
    const uint16_t port = err ? 0 : relay_port(c->relay[number]);
    if (!err) relay_seed(c->relay[number], number + 1);
    relay_thread_unlock(c->relays);
    if (err) {
        snprintf(why, why_bytes, "no relay: %s", strerror(errno));
        return err;
    }
    through_relay(config.url, port, url, sizeof url, &target);
    config.url = url;
    config.first = c->config.steady + number;
    config.on_event = on_event;
    config.owner = s;
    err = publishers_create(&config, &c->victims[number], why, why_bytes);
    if (!err) name_stream(c, s, c->victims[number], 0);
    return err;
}

enum weir_err chaos_open(struct chaos *c, char *why, size_t why_bytes)
{
    const struct http_client_config http = { .is_any_host = c->config.is_any_host };
    struct publishers_config config = common(c);
    c->stream_count = c->config.steady + c->config.victims;
    c->streams = calloc(c->stream_count + 1, sizeof *c->streams);
    c->http_loop = http_loop_create();
    c->http = c->http_loop ? http_client_create(c->http_loop, &http, chaos_watch_done, c) : NULL;
    c->relays = relay_thread_create();
    snprintf(why, why_bytes, "no memory");
    if (!c->streams || !c->http || !c->relays) return WEIR_NOMEM;
    for (uint32_t i = 0; i <= c->stream_count; i++) c->streams[i].chaos = c;
    config.count = c->config.steady;
    config.ramp_per_second = 20;
    config.on_event = on_steady_event;
    config.owner = c;
    enum weir_err err = c->config.steady ? publishers_create(&config, &c->steady, why, why_bytes) : WEIR_OK;
    for (uint32_t i = 0; i < c->config.steady && !err; i++) name_stream(c, &c->streams[i], c->steady, i);
    for (uint32_t i = 0; i < c->config.victims && !err; i++) err = open_victim(c, i, why, why_bytes);
    c->begin_us = c->now_us = clock_now_us();
    c->phase = CHAOS_IDLE;
    return err;
}

void chaos_close(struct chaos *c)
{
    chaos_disk_end(c);
    publishers_destroy(c->guest);
    for (uint32_t i = 0; i < c->config.victims; i++) publishers_destroy(c->victims[i]);
    publishers_destroy(c->steady);
    bad_viewers_destroy(c->viewers);
    relay_thread_destroy(c->relays);
    http_client_destroy(c->http);
    http_loop_destroy(c->http_loop);
    free(c->streams);
}

/* -- events -- */

static struct chaos_stream *victim(const struct chaos *c)
{
    return &c->streams[c->config.steady + c->event->victim % c->config.victims];
}

static void act(struct chaos *c, enum publisher_act what, int64_t us, int64_t reconnect_us)
{
    const struct chaos_event *e = c->event;
    struct chaos_stream *s = victim(c);
    const struct publisher_action action = { .act = what,
                                             .us = us,
                                             .reconnect_us = reconnect_us,
                                             .bytes = e->count,
                                             .seed = e->seed + c->flaps_done,
                                             .source = c->config.other };
    s->is_target = true;
    if (publishers_act(s->publishers, s->index, &action)) chaos_say(c, "BROKEN", s->name, "no memory to ask for it");
}

static void begin_network(struct chaos *c)
{
    struct chaos_stream *s = victim(c);
    struct relay *r = c->relay[c->event->victim % c->config.victims];
    struct relay_settings settings;
    relay_settings_init(&settings);
    settings.delay_us = 100000;
    settings.jitter_us = 20000;
    settings.loss = 5;
    settings.burst = 4;
    relay_thread_lock(c->relays);
    relay_seed(r, c->event->seed);
    relay_set(r, &settings);
    relay_thread_unlock(c->relays);
    s->is_target = true;
}

static void end_network(struct chaos *c)
{
    struct relay_settings settings;
    relay_settings_init(&settings);
    relay_thread_lock(c->relays);
    relay_set(c->relay[c->event->victim % c->config.victims], &settings);
    relay_thread_unlock(c->relays);
}

/* A publisher of its own: under a name that is taken, or over a cliff. */
static void begin_guest(struct chaos *c)
{
    const struct chaos_event *e = c->event;
    struct chaos_stream *s = &c->streams[c->stream_count];
    struct publishers_config config = common(c);
    char why[256] = "", name[192];
    const char *slash = strchr(victim(c)->name, '/');
    if (e->kind == CHAOS_CONTEND) {
        snprintf(name, sizeof name, "%s", slash ? slash + 1 : victim(c)->name);
        config.reconnect_us = -1;
    } else {
        const char *number = strstr(c->config.name, "%d");
        snprintf(name, sizeof name, "%.*scliff%u", number ? (int)(number - c->config.name) : 0, c->config.name, c->at);
        config.start_ms = chaos_cliff(e->victim)->ms - 5000;
        config.is_absolute_times = e->seed % 2;
        chaos_say(c, "cliff", name, "%s", chaos_cliff(e->victim)->says);
    }
    config.name = name;
    config.on_event = on_event;
    config.owner = s;
    atomic_store(&s->refusals, 0);
    atomic_store(&s->live_us, 0);
    if (publishers_create(&config, &c->guest, why, sizeof why)) {
        chaos_say(c, "BROKEN", "guest", "%s", why);
        c->faults++;
        return;
    }
    name_stream(c, s, c->guest, 0);
    follower_mark(&s->follower, c->now_us);
    c->has_guest = e->kind == CHAOS_CLIFF;
}

static void end_guest(struct chaos *c)
{
    publishers_destroy(c->guest);
    c->guest = NULL;
    c->has_guest = false;
}

static void begin_restart(struct chaos *c)
{
    const bool is_kill = c->event->kind == CHAOS_KILL;
    const int64_t took_us = server_process_end(c->server, is_kill ? SIGKILL : SIGTERM, TERM_WITHIN_US);
    if (took_us < 0) {
        chaos_say(c, "BROKEN", "server", "SIGTERM did not end it in %d s", TERM_WITHIN_US / 1000000);
        c->faults++;
    } else {
        chaos_say(c, "ended", "server", "by %s, in %.3f s", is_kill ? "SIGKILL" : "SIGTERM", (double)took_us / 1e6);
    }
    if (server_process_start(c->server)) {
        chaos_say(c, "BROKEN", "server", "it does not start: %s", strerror(errno));
        c->faults++;
    }
    for (uint32_t i = 0; i < c->stream_count; i++) c->streams[i].is_target = true;
}

static void begin(struct chaos *c)
{
    const struct chaos_event *e = c->event;
    c->event_us = c->now_us;
    chaos_mark(c);
    const char *whom = chaos_kind_needs_server(e->kind) ? "server" : e->kind == CHAOS_DISK ? "disk" : victim(c)->name;
    chaos_say(c, chaos_kind_name(e->kind), whom, "%s", chaos_kind_says(e->kind));
    switch (e->kind) {
    case CHAOS_CUT_FIN: act(c, PUBLISHER_CUT_FIN, 0, e->us); break;
    case CHAOS_CUT_RST: act(c, PUBLISHER_CUT_RST, 0, e->us); break;
    case CHAOS_VANISH: act(c, PUBLISHER_VANISH, VANISH_OPEN_US, e->us); break;
    case CHAOS_STALL: act(c, PUBLISHER_STALL, e->us, 0); break;
    case CHAOS_GARBAGE: act(c, PUBLISHER_GARBAGE, 0, 0); break;
    case CHAOS_JUMP: act(c, PUBLISHER_JUMP, e->us, 0); break;
    case CHAOS_SWITCH: act(c, PUBLISHER_SWITCH, 0, 0); break;
    case CHAOS_NETWORK: begin_network(c); break;
    case CHAOS_CONTEND:
    case CHAOS_CLIFF: begin_guest(c); break;
    case CHAOS_SLOW:
    case CHAOS_LEAVE: c->viewers = bad_viewers_create(victim(c)->last_uri, e->count, e->kind == CHAOS_LEAVE); break;
    case CHAOS_TERM:
    case CHAOS_KILL: begin_restart(c); break;
    case CHAOS_DISK: chaos_disk_begin(c); break;
    case CHAOS_FLAP:
        victim(c)->is_target = true;
        c->flaps_done = 0;
        c->flap_lives = atomic_load(&victim(c)->lives) - 1; /* it lives now */
        c->flap_due_us = c->now_us;
        break;
    default: break;
    }
}

/* As soon as it lives it is cut again, after a moment that is drawn: before its first frame, or some frames later. */
static void flap(struct chaos *c)
{
    struct chaos_stream *s = victim(c);
    const uint32_t lives = atomic_load(&s->lives);
    if (lives == c->flap_lives || c->flaps_done == c->event->count) return;
    const uint64_t luck = (c->event->seed ^ c->flaps_done) * 0x9E3779B97F4A7C15u >> 32;
    if (!c->flap_due_us) c->flap_due_us = c->now_us + (int64_t)(luck % 40000);
    if (c->now_us < c->flap_due_us) return;
    c->flap_due_us = 0;
    c->flap_lives = lives;
    act(c, luck & 0x10000 ? PUBLISHER_CUT_RST : PUBLISHER_CUT_FIN, 0,
        c->flaps_done + 1 == c->event->count ? 500000 : 0);
    c->flaps_done++;
}

static bool is_acting(const struct chaos *c)
{
    const int64_t since_us = c->now_us - c->event_us;
    if (c->event->kind == CHAOS_FLAP)
        return c->flaps_done < c->event->count && since_us < c->event->count * FLAP_CYCLE_US_MAX;
    if (c->event->kind == CHAOS_DISK) return chaos_disk_is_acting(c);
    return since_us < chaos_event_lasts_us(c->event);
}

static void end(struct chaos *c)
{
    if (c->event->kind == CHAOS_NETWORK) end_network(c);
    if (c->event->kind == CHAOS_DISK) chaos_disk_end(c);
    c->phase = CHAOS_SETTLING;
    c->phase_until_us = c->now_us + c->config.settle_us;
}

static void settle(struct chaos *c)
{
    struct server_size size;
    if (c->now_us < c->phase_until_us) return;
    /* what a server frees it may free a little later */
    if (c->event->kind == CHAOS_FLAP && c->now_us < c->phase_until_us + SIZE_WITHIN_US && !chaos_size_is_back(c, &size))
        return;
    if (c->event->kind == CHAOS_DISK && c->now_us < c->phase_until_us + SIZE_WITHIN_US && !chaos_disk_is_back(c))
        return;
    chaos_judge(c);
    bad_viewers_destroy(c->viewers);
    c->viewers = NULL;
    end_guest(c);
    c->event = NULL;
    c->at++;
    c->phase = CHAOS_IDLE;
}

static void watch_server(struct chaos *c)
{
    if (!c->server->command || server_process_is_running(c->server)) return;
    chaos_say(c, "BROKEN", "server", "it ended by itself");
    c->faults++;
    if (server_process_start(c->server)) chaos_say(c, "BROKEN", "server", "it does not start: %s", strerror(errno));
}

void chaos_turn(struct chaos *c)
{
    const bool is_busy = c->phase == CHAOS_ACTING && c->event->kind == CHAOS_FLAP;
    if (http_loop_turn(c->http_loop, is_busy ? 1000 : 20000)) c->faults++;
    c->now_us = clock_now_us();
    chaos_watch_turn(c);
    if (c->phase == CHAOS_IDLE && c->at < c->plan->count && c->now_us - c->begin_us >= c->plan->events[c->at].at_us) {
        c->event = &c->plan->events[c->at];
        c->phase = CHAOS_ACTING;
        begin(c);
    }
    if (c->phase == CHAOS_ACTING && c->event->kind == CHAOS_FLAP) flap(c);
    if (c->phase != CHAOS_IDLE && c->event->kind == CHAOS_DISK) chaos_disk_turn(c);
    if (c->viewers && c->now_us >= c->turn_us) {
        bad_viewers_turn(c->viewers);
        c->turn_us = c->now_us + 100000;
    }
    if (c->phase == CHAOS_ACTING && !is_acting(c)) end(c);
    if (c->phase == CHAOS_SETTLING) settle(c);
    watch_server(c);
}

bool chaos_is_over(const struct chaos *c)
{
    return c->phase == CHAOS_IDLE && c->at == c->plan->count;
}
