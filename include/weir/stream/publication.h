/* publication: the way from "someone wants to publish" to a stream to push into: asks the gate, then the registry.
 * The same for every protocol. Owner and thread: the publisher's loop. */
#ifndef WEIR_STREAM_PUBLICATION_H
#define WEIR_STREAM_PUBLICATION_H

#include <weir/stream/publish_gate.h>
#include <weir/stream/registry.h>

struct publication;

struct publication_events {
    void *context;
    void (*accepted)(void *context, struct stream *stream); /* push into it until revoked or publication_end */
    void (*refused)(void *context, enum publish_verdict verdict);
    void (*revoked)(void *context); /* someone took over: the stream is no longer yours */
};

/* request is copied. NULL: no memory (no event comes). Ends with publication_end, also after refused or revoked. */
struct publication *publication_start(struct publish_gate *gate, struct registry *registry, struct loop *loop,
                                      const struct publish_request *request, const struct publication_events *events);
/* is_final: the publisher said goodbye for good; otherwise the stream is held for it. No event comes afterwards. */
void publication_end(struct publication *p, bool is_final);

#endif
