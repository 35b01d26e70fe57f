/* HTTP for the load generator: many requests at once over libcurl's multi interface, HTTP/1.1 and HTTP/2, with times. Not for
 * strangers: it talks to loopback unless told otherwise, follows no redirect, and gives up what is larger than was asked for.
 * A client has connections of its own, as a player does; many clients live on one loop.
 * Owner: one thread, which calls everything. */
#ifndef WEIR_LOADGEN_HTTP_CLIENT_H
#define WEIR_LOADGEN_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

struct http_loop;
struct http_client;

/* NULL: no memory, or no descriptor. */
struct http_loop *http_loop_create(void);
void http_loop_destroy(struct http_loop *l); /* behind its clients. NULL is fine */
/* Waits for at most wait_us, moves what can be moved, and tells what is done. WEIR_IO: the system or libcurl is broken. */
WEIR_MUST_CHECK enum weir_err http_loop_turn(struct http_loop *l, int64_t wait_us);

struct http_result;
/* Asked before the first byte of a 200's body: is it wanted, or enough to count and digest it? What a crowd of viewers has read once
 * it need not keep again. */
typedef bool http_client_wants(void *owner, const struct http_result *head);

struct http_client_config {
    http_client_wants *wants; /* NULL: every body is kept */
    bool is_any_host;         /* not loopback alone: --i-own-this-host */
    bool is_any_certificate;  /* --insecure */
    bool is_http1;            /* HTTP/2 is not asked for, even over TLS */
};

struct http_ask {
    const char *url; /* copied */
    bool is_head, accepts_gzip, has_range;
    uint64_t range_first, range_last;
    int64_t timeout_us;
    size_t bytes_max;
    void *context; /* given back */
};

#define HTTP_FIELD_BYTES_MAX 256

/* Lent for the call. */
struct http_result {
    void *context;
    int status; /* 0: error says why */
    char error[256];
    int64_t sent_us, first_byte_us, done_us; /* monotonic; first_byte 0: none came */
    bool is_tls, is_http2, is_too_large;
    int64_t content_length; /* -1 */
    /* fields as they came, cut at HTTP_FIELD_BYTES_MAX; "": not there */
    char content_type[HTTP_FIELD_BYTES_MAX], cache_control[HTTP_FIELD_BYTES_MAX],
        content_encoding[HTTP_FIELD_BYTES_MAX], vary[HTTP_FIELD_BYTES_MAX], allow_origin[HTTP_FIELD_BYTES_MAX],
        etag[HTTP_FIELD_BYTES_MAX];
    const uint8_t *body; /* decoded; NULL: there is none, or it was not wanted */
    size_t bytes;
    uint64_t digest; /* of the decoded body: digest.h */
};
typedef void http_client_done(void *owner, const struct http_result *result);

/* NULL: no memory, or LOADGEN_CLIENTS_MAX are there. done is called from http_loop_turn alone, and must not destroy the client. */
struct http_client *http_client_create(struct http_loop *l, const struct http_client_config *config,
                                       http_client_done *done, void *owner);
/* What is on its way is dropped without a result. NULL is fine. */
void http_client_destroy(struct http_client *h);
/* WEIR_NOMEM. WEIR_MALFORMED: the URL cannot be read. Neither gives a result later. */
WEIR_MUST_CHECK enum weir_err http_client_ask(struct http_client *h, const struct http_ask *ask);
size_t http_client_pending(const struct http_client *h);
/* A connection was refused because it was not to loopback. */
bool http_client_saw_stranger(const struct http_client *h);

#endif
