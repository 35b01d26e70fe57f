/* What to answer: request in; status, fields and body out, at once or when it is born. On a connection's loop, without its
 * socket. */
#ifndef WEIR_DELIVERY_ANSWER_ROOM_H
#define WEIR_DELIVERY_ANSWER_ROOM_H

#include <weir/delivery/http_server.h>

#include "blocked.h"
#include "gzip_cache.h"
#include "http_answer.h"
#include "http_protocol.h"
#include "page_assets.h"
#include "shelved.h"

/* What answering needs of its loop and server. Owner: that loop. */
struct answer_room {
    const struct http_server_config *config;
    const struct page_assets *assets;
    struct loop *loop;
    struct counters *counters;
    struct blocked *blocked;
    struct shelved *shelved; /* NULL: there is nothing but memory */
    struct gzip_cache gzip;
};

WEIR_MUST_CHECK enum weir_err answer_room_init(struct answer_room *room, const struct http_server_config *config,
                                               const struct page_assets *assets, struct loop *loop,
                                               const struct http_waiter_events *events);
void answer_room_deinit(struct answer_room *room);

/* What a request says about viewers: the client's own; one that a cache sends for itself; one that it lets through at random. */
enum http_sight { SIGHT_OWN = 1, SIGHT_NONE, SIGHT_SAMPLE };

/* Who asks. */
struct http_asker {
    struct http_stream *stream;
    uint64_t viewer; /* a stable number for the client */
    enum http_sight sight;
    int64_t now_us;
    bool may_wait; /* false: too many requests of this connection wait already */
};

/* true: *out is the answer, and its body the caller's. false: it comes by events->answered; stream->waiter is who
 * answers, until then. */
bool answer_room_ask(struct answer_room *room, const struct http_request *request, const struct http_asker *asker,
                     struct http_answer *out);

#endif
