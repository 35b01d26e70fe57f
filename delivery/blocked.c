#include "blocked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/loop.h>
#include <weir/stream/edge_watch.h>

#define EDGE_BUCKETS 256 /* power of two */

struct blocked_request {
    struct http_waiter face; /* first */
    struct blocked_request *next, *previous;
    struct group *group;
    struct http_stream *stream;
    const char *allow_origin;
    int64_t deadline_us;
    struct hls_directives directives;
    bool accepts_gzip, is_get, varies_by_origin, is_playlist;
    uint8_t file_bytes, range_bytes;
    char text[]; /* file, then range */
};

/* Those who wait for one rendition, the first to come first. */
struct group {
    struct group *next;
    struct blocked_edge *edge;
    char rendition[EDGE_RENDITION_NAME_BYTES];
    size_t rendition_bytes;
    uint64_t seen_version; /* of the snapshot that could not help them */
    struct blocked_request *first, *last;
};

struct blocked_edge {
    struct blocked_edge *next; /* in its bucket */
    struct blocked *blocked;
    struct live_edge *edge; /* the watch holds a reference */
    struct edge_watch *watch;
    struct group *groups;
    size_t requests;
    bool is_kept; /* used since the last tick */
};

struct blocked {
    struct loop *loop;
    struct gzip_cache *gzip;
    struct counters *counters;
    struct http_waiter_events events;
    struct blocked_edge *buckets[EDGE_BUCKETS];
};

struct blocked *blocked_create(struct loop *loop, struct gzip_cache *gzip, const struct http_waiter_events *events)
{
    struct blocked *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->loop = loop;
    b->gzip = gzip;
    b->counters = loop_counters(loop);
    b->events = *events;
    return b;
}

/* -- requests -- */

static void unlink_request(struct blocked_request *r)
{
    struct group *g = r->group;
    *(r->previous ? &r->previous->next : &g->first) = r->next;
    *(r->next ? &r->next->previous : &g->last) = r->previous;
    g->edge->requests--;
    free(r);
}

static void on_cancel(struct http_waiter *face)
{
    struct blocked_request *r = (struct blocked_request *)face;
    counter_add(r->group->edge->blocked->counters, COUNTER_HLS_WAIT_GONE, 1);
    unlink_request(r);
}

static void answer_request(struct blocked_request *r, struct http_answer *a)
{
    struct blocked *b = r->group->edge->blocked;
    const struct http_request request = { .verb = r->is_get ? HTTP_VERB_GET : HTTP_VERB_HEAD,
                                          .range = { r->range_bytes ? r->text + r->file_bytes : NULL,
                                                     r->range_bytes } };
    struct http_stream *stream = r->stream;
    http_answer_apply_conditions(a, &request);
    unlink_request(r);
    b->events.answered(b->events.context, stream, a);
}

static struct http_answer blank_answer(const struct blocked_request *r)
{
    return (struct http_answer){ .allow_origin = r->allow_origin, .varies_by_origin = r->varies_by_origin };
}

/* -- an edge moves -- */

static void wake_group(struct group *g, bool is_over)
{
    struct blocked *b = g->edge->blocked;
    struct edge_snapshot *s = live_edge_acquire(g->edge->edge, g->rendition, g->rendition_bytes);
    if (!s) return; /* once there is one, there always is one */
    const bool is_news = is_over || edge_snapshot_version(s) != g->seen_version;
    g->seen_version = edge_snapshot_version(s);
    for (struct blocked_request *r = is_news ? g->first : NULL, *next; r; r = next) {
        next = r->next;
        const struct edge_question q = { .file = r->is_playlist ? NULL : r->text,
                                         .file_bytes = r->file_bytes,
                                         .directives = r->directives,
                                         .accepts_gzip = r->accepts_gzip };
        struct http_answer a = blank_answer(r);
        if (!edge_answer(b->gzip, &q, s, true, is_over, &a)) continue;
        counter_add(b->counters, COUNTER_HLS_WAIT_ANSWERED, 1);
        answer_request(r, &a);
    }
    edge_snapshot_unref(s);
}

static void on_change(void *context)
{
    struct blocked_edge *e = context;
    struct blocked *b = e->blocked;
    if (!e->requests) return;
    const bool is_over = live_edge_state(e->edge) == STREAM_ENDED;
    for (struct group *g = e->groups; g; g = g->next) wake_group(g, is_over);
    b->events.settled(b->events.context); /* `e` may be gone afterwards */
}

/* -- who waits where -- */

static struct blocked_edge **bucket_of(struct blocked *b, const struct live_edge *edge)
{
    return &b->buckets[((uintptr_t)edge >> 6 ^ (uintptr_t)edge >> 14) % EDGE_BUCKETS];
}

struct blocked_edge *blocked_watch(struct blocked *b, struct live_edge *edge, bool *was_watched)
{
    struct blocked_edge **bucket = bucket_of(b, edge);
    for (struct blocked_edge *e = *bucket; e; e = e->next) {
        if (e->edge != edge) continue;
        e->is_kept = true;
        *was_watched = true;
        return e;
    }
    struct blocked_edge *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (struct blocked_edge){ .blocked = b, .edge = edge, .is_kept = true };
    e->watch = live_edge_watch(edge, b->loop, on_change, e);
    if (!e->watch) {
        free(e);
        return NULL;
    }
    e->next = *bucket;
    *bucket = e;
    *was_watched = false;
    return e;
}

static struct group *group_of(struct blocked_edge *e, const struct edge_question *q)
{
    for (struct group *g = e->groups; g; g = g->next) {
        if (g->rendition_bytes == q->rendition_bytes && !memcmp(g->rendition, q->rendition, g->rendition_bytes))
            return g;
    }
    struct group *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    assert(q->rendition_bytes < sizeof g->rendition); /* it exists */
    memcpy(g->rendition, q->rendition, q->rendition_bytes);
    g->rendition_bytes = q->rendition_bytes;
    g->edge = e;
    g->next = e->groups;
    e->groups = g;
    return g;
}

struct http_waiter *blocked_add(struct blocked_edge *e, const struct blocked_wish *wish)
{
    const struct edge_question *q = wish->question;
    const size_t range_bytes = wish->range.bytes <= UINT8_MAX ? wish->range.bytes : 0;
    assert(q->file_bytes <= UINT8_MAX);
    if (e->requests >= BLOCKED_PER_STREAM_MAX) {
        counter_add(e->blocked->counters, COUNTER_HLS_LIMIT_STREAM_WAITS, 1);
        return NULL;
    }
    struct group *g = group_of(e, q);
    struct blocked_request *r = g ? malloc(sizeof *r + q->file_bytes + range_bytes) : NULL;
    if (!r) return NULL;
    *r = (struct blocked_request){ .face = { .cancel = on_cancel },
                                   .group = g,
                                   .previous = g->last,
                                   .stream = wish->stream,
                                   .allow_origin = wish->allow_origin,
                                   .deadline_us = wish->deadline_us,
                                   .directives = q->directives,
                                   .accepts_gzip = q->accepts_gzip,
                                   .is_get = wish->is_get,
                                   .varies_by_origin = wish->varies_by_origin,
                                   .is_playlist = !q->file,
                                   .file_bytes = (uint8_t)q->file_bytes,
                                   .range_bytes = (uint8_t)range_bytes };
    if (q->file) memcpy(r->text, q->file, q->file_bytes);
    if (range_bytes) memcpy(r->text + q->file_bytes, wish->range.data, range_bytes);
    *(g->last ? &g->last->next : &g->first) = r;
    g->last = r;
    e->requests++;
    counter_add(e->blocked->counters, COUNTER_HLS_WAITS, 1);
    return &r->face;
}

/* -- time -- */

static bool time_out(struct group *g, int64_t now_us)
{
    bool has_any = false;
    for (struct blocked_request *r = g->first, *next; r && r->deadline_us <= now_us; r = next) {
        struct http_answer a = blank_answer(r);
        next = r->next;
        has_any = true;
        counter_add(g->edge->blocked->counters, COUNTER_HLS_WAIT_TIMEOUT, 1);
        edge_answer_timeout(&a);
        answer_request(r, &a);
    }
    return has_any;
}

static void edge_destroy(struct blocked_edge *e)
{
    assert(!e->requests);
    live_edge_unwatch(e->watch);
    for (struct group *g = e->groups, *next; g; g = next) {
        next = g->next;
        free(g);
    }
    free(e);
}

void blocked_tick(struct blocked *b, int64_t now_us)
{
    bool has_any = false;
    for (size_t i = 0; i < EDGE_BUCKETS; i++) {
        for (struct blocked_edge **link = &b->buckets[i], *e; (e = *link);) {
            for (struct group *g = e->groups; g; g = g->next) has_any |= time_out(g, now_us);
            if (e->requests || e->is_kept) {
                e->is_kept = false;
                link = &e->next;
            } else {
                *link = e->next;
                edge_destroy(e);
            }
        }
    }
    if (has_any) b->events.settled(b->events.context);
}

void blocked_destroy(struct blocked *b)
{
    if (!b) return;
    for (size_t i = 0; i < EDGE_BUCKETS; i++) {
        for (struct blocked_edge *e = b->buckets[i], *next; e; e = next) {
            next = e->next;
            edge_destroy(e);
        }
    }
    free(b);
}
