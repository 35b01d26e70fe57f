#include <weir/loadgen/crowd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "http_bridge.h"

#define TURN_US_MAX 100000

struct seat {
    struct crowd *crowd;
    struct viewer *viewer; /* NULL: not begun */
    struct http_client *client;
    uint32_t number, url;
    bool is_told; /* its first fault */
    enum viewer_fault told;
};

struct crowd {
    struct crowd_config config;
    struct http_loop *loop;
    struct object_cache *cache;
    struct alignment **alignments; /* by URL */
    struct seat *seats;
    int64_t *wake_us; /* of each seat; side by side, for they are looked at each turn */
    uint32_t begun;
    int64_t start_us;
};

/* -- between viewers and the HTTP client -- */

static bool wants_body(void *owner, const struct http_result *head)
{
    const struct seat *s = owner;
    return viewer_wants_body(s->viewer, bridge_id(head), head->etag);
}

static void on_done(void *owner, const struct http_result *r)
{
    struct seat *s = owner;
    const struct check_answer a = bridge_answer(r);
    viewer_answer(s->viewer, &a);
    s->crowd->wake_us[s->number] = 0;
}

static void serve(struct seat *s)
{
    struct check_request q;
    struct http_result unsent;
    while (viewer_next_request(s->viewer, clock_now_us(), &q)) {
        if (!bridge_ask(s->client, &q, &unsent)) on_done(s, &unsent);
    }
    s->crowd->wake_us[s->number] = viewer_wake_us(s->viewer, clock_now_us());
}

/* -- beginning -- */

static bool begin_one(struct crowd *c)
{
    const struct crowd_config *k = &c->config;
    struct seat *s = &c->seats[c->begun];
    const struct viewer_config config = {
        .url = k->urls[s->url],
        .is_plain = k->is_plain,
        .wants_http2 = k->wants_http2,
        .choice = s->number / k->url_count,
        .switch_us = k->switch_us,
        .speed = k->speed,
        .wall_less_us = clock_wall_us() - clock_now_us(),
        .wait_us = k->wait_us,
        .cache = c->cache,
        .alignment = c->alignments[s->url],
    };
    s->viewer = viewer_create(&config, clock_now_us());
    s->client = s->viewer ? http_client_create(c->loop, &k->http, on_done, s) : NULL;
    if (!s->client) return false;
    c->wake_us[s->number] = 0;
    c->begun++;
    return true;
}

static uint32_t due_to_begin(const struct crowd *c, int64_t now_us)
{
    const double due = c->config.ramp_per_second * (double)(now_us - c->start_us) / 1e6 + 1;
    return c->config.ramp_per_second <= 0 || due >= c->config.viewers ? c->config.viewers : (uint32_t)due;
}

static int64_t next_wake_us(const struct crowd *c, int64_t now_us)
{
    int64_t wake_us = now_us + TURN_US_MAX;
    for (uint32_t i = 0; i < c->begun; i++) {
        if (c->wake_us[i] < wake_us) wake_us = c->wake_us[i];
    }
    return wake_us;
}

enum weir_err crowd_turn(struct crowd *c, int64_t wait_us)
{
    int64_t now_us = clock_now_us();
    for (const uint32_t due = due_to_begin(c, now_us); c->begun < due;) {
        if (!begin_one(c)) return WEIR_NOMEM;
    }
    for (uint32_t i = 0; i < c->begun; i++) {
        if (c->wake_us[i] <= now_us) serve(&c->seats[i]);
    }
    now_us = clock_now_us();
    const int64_t until_us = next_wake_us(c, now_us);
    return http_loop_turn(c->loop, until_us - now_us < wait_us ? until_us - now_us : wait_us);
}

/* -- looking -- */

static void add_figures(struct crowd_figures *sum, const struct viewer_figures *f)
{
    sum->viewers++;
    sum->states[f->state]++;
    sum->requests += f->requests;
    sum->bytes += f->bytes;
    sum->segments += f->segments;
    sum->parts += f->parts;
    sum->stalls += f->stalls;
    sum->switches += f->switches;
    sum->discontinuities += f->discontinuities;
    sum->played_us += f->played_us;
    sum->stalled_us += f->stalled_us;
    if (f->longest_stall_us > sum->longest_stall_us) sum->longest_stall_us = f->longest_stall_us;
    sum->av_compared += f->av_compared;
    if (llabs(f->av_offset_us) > llabs(sum->av_offset_us)) sum->av_offset_us = f->av_offset_us;
    if (f->startup_us > sum->slowest_startup_us) sum->slowest_startup_us = f->startup_us;
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) sum->faults[i] += f->faults[i];
}

static void look_at_moment(struct seat *s, int64_t now_us, struct crowd_moment *out)
{
    const int64_t latency_us = viewer_latency_us(s->viewer, now_us), arrival_us = viewer_arrival_us(s->viewer);
    const int64_t buffer_us = viewer_buffer_us(s->viewer, now_us);
    if (latency_us >= 0) histogram_add(&out->latency, latency_us);
    if (arrival_us >= 0) histogram_add(&out->arrival, arrival_us);
    if (out->least_buffer_us < 0 || buffer_us < out->least_buffer_us) out->least_buffer_us = buffer_us;
    if (latency_us <= out->worst_latency_us) return;
    out->worst_latency_us = latency_us;
    out->worst_stream = s->url;
}

void crowd_look(struct crowd *c, struct crowd_moment *out)
{
    const int64_t now_us = clock_now_us();
    *out = (struct crowd_moment){ .all.slowest_startup_us = -1, .least_buffer_us = -1, .worst_latency_us = -1 };
    for (uint32_t i = 0; i < c->begun; i++) {
        struct seat *s = &c->seats[i];
        const struct viewer_figures *f = viewer_figures(s->viewer, now_us);
        add_figures(&out->all, f);
        if (f->startup_us >= 0) histogram_add(&out->startup, f->startup_us);
        if (f->state == VIEWER_PLAYING) look_at_moment(s, now_us, out);
    }
}

void crowd_look_at_stream(struct crowd *c, uint32_t url, struct crowd_figures *out)
{
    const int64_t now_us = clock_now_us();
    *out = (struct crowd_figures){ .slowest_startup_us = -1 };
    for (uint32_t i = url; i < c->begun; i += c->config.url_count)
        add_figures(out, viewer_figures(c->seats[i].viewer, now_us));
}

const char *crowd_next_fault(struct crowd *c, uint32_t *url)
{
    for (uint32_t i = 0; i < c->begun; i++) {
        struct seat *s = &c->seats[i];
        const struct viewer_figures *f = viewer_figures(s->viewer, clock_now_us());
        if (!f->first_fault[0] || (s->is_told && s->told == f->first_kind)) continue;
        s->is_told = true;
        s->told = f->first_kind;
        *url = s->url;
        return f->first_fault;
    }
    return NULL;
}

struct object_cache_figures crowd_cache_figures(const struct crowd *c)
{
    return object_cache_figures(c->cache);
}

bool crowd_saw_stranger(const struct crowd *c)
{
    for (uint32_t i = 0; i < c->begun; i++) {
        if (http_client_saw_stranger(c->seats[i].client)) return true;
    }
    return false;
}

bool crowd_is_over(struct crowd *c)
{
    const int64_t now_us = clock_now_us();
    for (uint32_t i = 0; i < c->begun; i++) {
        const enum viewer_state state = viewer_figures(c->seats[i].viewer, now_us)->state;
        if (state != VIEWER_ENDED && state != VIEWER_FAILED) return false;
    }
    return c->begun == c->config.viewers;
}

/* -- life -- */

struct crowd *crowd_create(const struct crowd_config *config)
{
    struct crowd *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->config = *config;
    c->config.http.wants = wants_body;
    c->start_us = clock_now_us();
    c->loop = http_loop_create();
    c->cache = object_cache_create();
    c->alignments = calloc(config->url_count, sizeof *c->alignments);
    c->seats = calloc(config->viewers, sizeof *c->seats);
    c->wake_us = calloc(config->viewers, sizeof *c->wake_us);
    bool is_whole = c->loop && c->cache && c->alignments && c->seats && c->wake_us;
    for (uint32_t i = 0; is_whole && i < config->url_count; i++)
        is_whole = (c->alignments[i] = alignment_create()) != NULL;
    if (!is_whole) {
        crowd_destroy(c);
        return NULL;
    }
    for (uint32_t i = 0; i < config->viewers; i++)
        c->seats[i] = (struct seat){ .crowd = c, .number = i, .url = i % config->url_count };
    return c;
}

void crowd_destroy(struct crowd *c)
{
    if (!c) return;
    for (uint32_t i = 0; c->seats && i < c->config.viewers; i++) {
        http_client_destroy(c->seats[i].client);
        viewer_destroy(c->seats[i].viewer);
    }
    for (uint32_t i = 0; c->alignments && i < c->config.url_count; i++) alignment_destroy(c->alignments[i]);
    http_loop_destroy(c->loop);
    object_cache_destroy(c->cache);
    free(c->alignments);
    free(c->seats);
    free(c->wake_us);
    free(c);
}
