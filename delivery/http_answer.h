/* An answer: status, fields and body, whatever protocol carries it. Pure. */
#ifndef WEIR_DELIVERY_HTTP_ANSWER_H
#define WEIR_DELIVERY_HTTP_ANSWER_H

#include <weir/base/blob.h>
#include <weir/base/limits.h>
#include <weir/delivery/http_request.h>

#define ETAG_BYTES 64
#define LOCATION_BYTES (HTTP_URL_BYTES_MAX + 8)

/* A field whose texts outlive the answer. */
struct http_field {
    const char *title, *lower; /* "Content-Type" as HTTP/1.1 writes it, "content-type" as HTTP/2 must */
    const char *value;
};

struct http_answer {
    int status;
    const char *content_type;  /* static; NULL: none */
    const char *cache_control; /* static, or `cache_text` */
    const char *allow_origin;  /* lives as long as the server's configuration; NULL: other origins may not read it */
    const struct http_field *extra;
    size_t extra_count;
    struct frozen *body; /* owned; NULL: empty */
    size_t first, bytes; /* of the body */
    size_t whole_bytes;  /* for Content-Range */
    bool is_range_unsatisfiable, is_gzip, varies_by_encoding, varies_by_origin, is_urgent;
    char etag[ETAG_BYTES]; /* with quotes; "": none */
    char cache_text[64];
    char location[LOCATION_BYTES]; /* "": none */
};

/* A short plain body. Replaces what was there. */
void http_answer_error(struct http_answer *out, int status, const char *text);
/* Takes over the reference on body. */
void http_answer_set_body(struct http_answer *out, struct frozen *body, const char *content_type,
                          const char *cache_control);
/* If-None-Match, Range, If-Range on an answer that would be 200 (RFC 9110, 13 and 14). */
void http_answer_apply_conditions(struct http_answer *out, const struct http_request *request);

#endif
