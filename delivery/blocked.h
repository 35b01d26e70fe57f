/* Requests that wait for a live edge to move: blocking reloads, and objects that were hinted and are not born (RFC 8216bis, 6.2.5
 * and 6.2.6). They cost memory only. A change of the edge is heard once per loop, and answers all that it releases.
 * Owner and thread: one loop. */
#ifndef WEIR_DELIVERY_BLOCKED_H
#define WEIR_DELIVERY_BLOCKED_H

#include "edge_answer.h"
#include "http_waiter.h"

struct loop;
struct http_stream;
struct blocked;
struct blocked_edge;

/* gzip is lent. NULL: no memory. */
struct blocked *blocked_create(struct loop *loop, struct gzip_cache *gzip, const struct http_waiter_events *events);
void blocked_destroy(struct blocked *b); /* nobody may wait any more; NULL is fine */

/* The edge is watched from here on: look at it (again) after this, then add. *was_watched: it was before. NULL: no memory. */
struct blocked_edge *blocked_watch(struct blocked *b, struct live_edge *edge, bool *was_watched);

/* What of a request is needed when its answer comes. */
struct blocked_wish {
    const struct edge_question *question; /* copied */
    struct http_text range;               /* copied */
    const char *allow_origin;             /* as in the answer */
    bool varies_by_origin, is_get;
    struct http_stream *stream;
    int64_t deadline_us; /* as late as any before it for the same rendition */
};

/* NULL: no memory, or BLOCKED_PER_STREAM_MAX wait there (counted). */
struct http_waiter *blocked_add(struct blocked_edge *e, const struct blocked_wish *wish);
/* Deadlines; a few times a second. */
void blocked_tick(struct blocked *b, int64_t now_us);

#endif
