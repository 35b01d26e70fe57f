/* HTTP listener: serves live edges, the player page and what the server hangs in (API, metrics).
 * Thread: create and destroy on the main thread before the loops start and after they stopped. */
#ifndef WEIR_DELIVERY_HTTP_SERVER_H
#define WEIR_DELIVERY_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/stream/registry.h>
#include <weir/stream/segment_shelf.h>

struct loop;
struct tls_server;
struct http_server;

/* The answer of a handler. */
struct http_reply {
    int status;               /* 200, 503, ... */
    const char *content_type; /* static */
    struct frozen *body;      /* given to the connection; NULL: empty */
};

/* Called on the connection's loop for GET and HEAD of "/metrics", "/healthz", "/readyz" and "/api/..."; path is decoded, without
 * query, ends with 0. Must not block. false: not found. */
typedef bool http_handler_fn(void *context, struct loop *loop, const char *path, struct http_reply *reply);

struct http_server_config {
    struct registry *registry;
    struct segment_loader *loader; /* lent: what is not in memory any more; NULL: nowhere else */
    struct loop **loops;
    size_t loop_count;
    http_handler_fn *handler;
    void *handler_context;
    struct tls_server *tls;     /* lent, outlives the server; NULL: http_server_listen_tls is not called */
    const char *const *origins; /* who may read answers from pages of other sites; "*": all. Lent, outlive the server */
    size_t origin_count;
    uint32_t connections_max;
    int64_t header_us, idle_us, stall_us;
    int64_t load_us; /* what is loaded and takes longer is refused */
};

WEIR_MUST_CHECK enum weir_err http_server_create(struct http_server **out, const struct http_server_config *config);
/* As rtmp_server_listen. */
WEIR_MUST_CHECK enum weir_err http_server_listen(struct http_server *s, const char *address, uint16_t *bound_port);
/* The same for HTTPS, with HTTP/2 and HTTP/1.1 on one port. */
WEIR_MUST_CHECK enum weir_err http_server_listen_tls(struct http_server *s, const char *address, uint16_t *bound_port);
void http_server_stop_accepting(struct http_server *s);
void http_server_destroy(struct http_server *s);
uint32_t http_server_connections(const struct http_server *s);

#endif
