/* Requests for what is not in memory any more: they wait while it is loaded from a shelf. Owner and thread: one loop. */
#ifndef WEIR_DELIVERY_SHELVED_H
#define WEIR_DELIVERY_SHELVED_H

#include <weir/delivery/http_request.h>
#include <weir/stream/segment_shelf.h>

#include "gzip_cache.h"
#include "http_waiter.h"

struct loop;
struct shelved;

/* loader and gzip are lent. NULL: no memory. */
struct shelved *shelved_create(struct loop *loop, struct segment_loader *loader, struct gzip_cache *gzip,
                               const struct http_waiter_events *events);
void shelved_destroy(struct shelved *s); /* nobody may wait any more; NULL is fine */

struct shelved_wish {
    struct byte_span stream, rendition, file; /* rendition empty and file index.m3u8: the multivariant playlist */
    struct http_text range;                   /* copied */
    struct http_text start;                   /* of a playlist: ?start= as it was given; copied */
    const char *allow_origin;                 /* as in the answer */
    bool varies_by_origin, is_get, accepts_gzip;
    struct http_stream *asker;
    int64_t deadline_us;
};

/* WEIR_OK: *waiter waits. WEIR_NOT_FOUND: there is no such thing there. WEIR_LIMIT, WEIR_NOMEM: not now. */
WEIR_MUST_CHECK enum weir_err shelved_ask(struct shelved *s, const struct shelved_wish *wish,
                                          struct http_waiter **waiter);
/* Too many wait, or it did not come in time. */
void shelved_answer_busy(struct http_answer *out);
/* Deadlines; a few times a second. */
void shelved_tick(struct shelved *s, int64_t now_us);

#endif
