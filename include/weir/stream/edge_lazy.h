/* A body that is made when somebody asks for it, and kept from then on: for what most viewers never fetch.
 * Thread: any. Two threads that ask at the same moment may both make it; one of the two is kept, so that nobody waits on a lock. */
#ifndef WEIR_STREAM_EDGE_LAZY_H
#define WEIR_STREAM_EDGE_LAZY_H

#include <weir/base/blob.h>

struct edge_lazy;

struct edge_recipe {
    /* Called on the asking thread, perhaps on several at once: reads *context, which does not change. NULL: no memory. */
    struct frozen *(*make)(const void *context);
    void (*destroy)(void *context);
    void *context; /* given */
};

/* One reference. NULL: no memory, and the context is destroyed. */
struct edge_lazy *edge_lazy_create(const struct edge_recipe *recipe);
struct edge_lazy *edge_lazy_ref(struct edge_lazy *l);
void edge_lazy_unref(struct edge_lazy *l); /* NULL is fine */
/* A reference for the caller. NULL: no memory. */
struct frozen *edge_lazy_get(struct edge_lazy *l);

#endif
