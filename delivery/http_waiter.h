/* What stands in http_stream.waiter here: whoever will answer the request later. First member of those who do. */
#ifndef WEIR_DELIVERY_HTTP_WAITER_H
#define WEIR_DELIVERY_HTTP_WAITER_H

#include "http_answer.h"

struct http_stream;

struct http_waiter {
    void (*cancel)(struct http_waiter *w); /* the client left; w is gone afterwards */
};

/* How they answer. */
struct http_waiter_events {
    void *context;
    /* The answer of a request that waited; its body is given. New requests may be asked in it; none that waits is cancelled. */
    void (*answered)(void *context, struct http_stream *stream, struct http_answer *answer);
    /* Those of one moment were all answered. Anything may be done. */
    void (*settled)(void *context);
};

#endif
