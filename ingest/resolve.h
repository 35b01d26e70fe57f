/* A host's name to an address, without holding up a loop: the system's resolver may take its many seconds on a thread that nobody waits for.
 * A lock guards the one pointer by which that thread finds its way back: whoever asked may be gone by then.
 * Owner and thread: the loop that asked. */
#ifndef WEIR_INGEST_RESOLVE_H
#define WEIR_INGEST_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

struct loop;
struct resolve;

/* address: NULL when there is none, and `why` says so (lent). Runs on the loop, exactly once, unless cancelled. Numeric hosts, too. */
typedef void resolve_fn(void *context, const struct sockaddr_storage *address, const char *why);

/* NULL: no memory or no thread. The result is freed by itself after done(). */
struct resolve *resolve_start(struct loop *loop, const char *host, uint16_t port, resolve_fn *done, void *context);
void resolve_cancel(struct resolve *r); /* done() does not come. NULL is fine */

#endif
