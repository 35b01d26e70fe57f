/* What to answer: request in, status, fields and body out. On a connection's loop, without its socket. */
#ifndef WEIR_DELIVERY_ANSWER_ROOM_H
#define WEIR_DELIVERY_ANSWER_ROOM_H

#include <weir/delivery/http_server.h>

#include "http_answer.h"
#include "page_assets.h"

#define GZIP_CACHE_SLOTS 1024 /* versions are counted over all streams: room for those that many playlists are at now */

/* A playlist is compressed once per version and loop. */
struct gzip_cache {
    struct {
        uint64_t version;
        struct frozen *body;
    } slots[GZIP_CACHE_SLOTS];
};

/* What answering needs of its loop and server. */
struct answer_room {
    const struct http_server_config *config;
    const struct page_assets *assets;
    struct loop *loop;
    struct counters *counters;
    struct gzip_cache gzip;
};

/* Always gives an answer; the caller unrefs out->body. viewer: a stable number for the client. */
void http_answer_make(struct answer_room *room, const struct http_request *request, uint64_t viewer, int64_t now_us,
                      struct http_answer *out);
void gzip_cache_deinit(struct gzip_cache *cache);

#endif
