/* A request's head: complete or not, legal or not, and what of it matters here (RFC 9112, 9110). Pure.
 * The grammar is libhttp-parser's; on top of it everything is refused that two servers in a row could read differently: bare
 * line feeds, folded fields, spaces in field names, Transfer-Encoding, bodies, repeated Content-Length, no or a strange Host. */
#ifndef WEIR_DELIVERY_HTTP_REQUEST_H
#define WEIR_DELIVERY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

enum http_verb { HTTP_VERB_GET = 1, HTTP_VERB_HEAD, HTTP_VERB_OPTIONS, HTTP_VERB_OTHER };

struct http_text {
    const char *data; /* lent: points into the input; NULL: absent */
    size_t bytes;
};

struct http_request {
    enum http_verb verb;
    struct http_text target, range, if_range, if_none_match, accept_encoding, user_agent, origin, forwarded_for, sample;
    bool keeps_alive, is_http_1_1;
};

enum http_parse { HTTP_PARSE_DONE = 1, HTTP_PARSE_NEED, HTTP_PARSE_BAD };

struct http_parsed {
    enum http_parse result;
    size_t consumed; /* DONE: bytes of the head */
    int status;      /* BAD: what to answer before closing */
    const char *why; /* BAD: static text for the body */
};

/* *out changes only on HTTP_PARSE_DONE. */
struct http_parsed http_request_parse(const char *data, size_t bytes, struct http_request *out);

#endif
