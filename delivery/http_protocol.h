/* What a connection and the protocol spoken on it ask of each other. A protocol is pure: bytes and the time go in, requests
 * come out by callback, answers go in, bytes come out in `output`. HTTP/1.1 (http1.c) and HTTP/2 (http2.c) are the two.
 * Owner: one connection. */
#ifndef WEIR_DELIVERY_HTTP_PROTOCOL_H
#define WEIR_DELIVERY_HTTP_PROTOCOL_H

#include <weir/base/counters.h>

#include "http_answer.h"
#include "http_output.h"

struct http_protocol;

/* One request until its answer is whole; lives in the protocol, which embeds it. */
struct http_stream {
    struct http_protocol *protocol;
    void *waiter; /* whoever will answer later; NULL: nobody waits */
};

struct http_protocol_events {
    void *context;
    /* true: *answer is the answer, and its body the protocol's. false: it comes later, by ops->answer, or `gone` comes first.
     * request: lent. */
    bool (*request)(void *context, struct http_stream *stream, const struct http_request *request,
                    struct http_answer *answer);
    /* The client takes back a request that was not answered yet. `waiter` was set to NULL. */
    void (*gone)(void *context, void *waiter);
    const char *date; /* text that the owner keeps fresh */
    struct counters *counters;
};

enum http_health {
    HTTP_IDLE = 1, /* nothing asked, nothing to say */
    HTTP_READING,  /* the beginning of a request is there, or the first one is due */
    HTTP_WAITING,  /* all that was asked waits for something to happen */
    HTTP_SENDING,  /* the client is to take bytes */
    HTTP_ENDED,    /* close once output is empty */
    HTTP_BROKEN,   /* close now */
};

struct http_protocol_ops {
    void (*destroy)(struct http_protocol *p);
    /* Takes all bytes. */
    void (*feed)(struct http_protocol *p, const char *data, size_t bytes, int64_t now_us);
    /* No more bytes will come. */
    void (*feed_end)(struct http_protocol *p);
    /* Puts into output what there is room for; call again after output was written. */
    void (*fill)(struct http_protocol *p, int64_t now_us);
    /* The answer of a stream whose request() said false; its body is given. */
    void (*answer)(struct http_stream *stream, struct http_answer *answer);
    bool (*wants_bytes)(const struct http_protocol *p);
    enum http_health (*health)(const struct http_protocol *p);
    /* A few times a second. */
    void (*tick)(struct http_protocol *p, int64_t now_us, int64_t stall_us);
    /* The request that began is not there in time: says so if that is possible. */
    void (*give_up_reading)(struct http_protocol *p);
};

struct http_protocol {
    const struct http_protocol_ops *ops;
    struct http_protocol_events events;
    struct http_output output;
    int64_t reading_us; /* when the head being read began; 0: none is */
    bool wants_linger;  /* close slowly: the client may still be sending, and is to read why it was refused */
};

void http_count_answer(struct counters *counters, int status);

/* NULL: no memory. */
struct http_protocol *http1_create(const struct http_protocol_events *events, int64_t now_us);
struct http_protocol *http2_create(const struct http_protocol_events *events, int64_t now_us);

#endif
