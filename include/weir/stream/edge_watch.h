/* edge_watch: how a loop learns that something on a live edge changed: one watch per loop and edge is enough, whoever waits there.
 * Owner and thread: the loop. */
#ifndef WEIR_STREAM_EDGE_WATCH_H
#define WEIR_STREAM_EDGE_WATCH_H

#include <weir/stream/live_edge.h>

struct loop;
struct edge_watch;

/* After any publish on the edge (a snapshot, the multivariant playlist, the state), fn(context) runs on `loop`, by mailbox. Coalesced:
 * at most one message of a watch is under way, and what fn acquires is at least as new as what the message was for. Should the
 * mailbox be full, the next publish tries again. Takes a reference on the edge. NULL: no memory. */
struct edge_watch *live_edge_watch(struct live_edge *e, struct loop *loop, void (*fn)(void *context), void *context);
/* fn does not run afterwards, also when a message is under way. From fn itself: fine. NULL is fine. */
void live_edge_unwatch(struct edge_watch *w);

#endif
