/* What to answer: request in, status, fields and body out. On a connection's loop, without its socket. */
#ifndef WEIR_DELIVERY_HTTP_ANSWER_H
#define WEIR_DELIVERY_HTTP_ANSWER_H

#include <weir/delivery/http_request.h>
#include <weir/delivery/http_server.h>

#include "page_assets.h"

#define GZIP_CACHE_SLOTS 1024 /* versions are counted over all streams: room for those that many playlists are at now */
#define ETAG_BYTES 64
#define LOCATION_BYTES (HTTP_URL_BYTES_MAX + 8)

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

struct http_answer {
    int status;
    const char *content_type;  /* static; NULL: none */
    const char *cache_control; /* static, or `cache_text` */
    const char *extra;         /* static header lines with their line ends; NULL: none */
    struct frozen *body;       /* owned; NULL: empty */
    size_t first, bytes;       /* of the body */
    size_t whole_bytes;        /* for Content-Range */
    bool is_range_unsatisfiable, is_gzip, varies;
    char etag[ETAG_BYTES]; /* with quotes; "": none */
    char cache_text[48];
    char location[LOCATION_BYTES];
};

/* Always gives an answer; the caller unrefs out->body. viewer: a stable number for the client. */
void http_answer_make(struct answer_room *room, const struct http_request *request, uint64_t viewer, int64_t now_us,
                      struct http_answer *out);
/* A short plain body. */
void http_answer_error(struct http_answer *out, int status, const char *text);
void gzip_cache_deinit(struct gzip_cache *cache);

#endif
