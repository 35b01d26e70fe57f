#include <weir/stream/edge_watch.h>

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <weir/base/loop.h>

struct edge_watch {
    struct edge_listener listener; /* first: the listener is the watch */
    struct live_edge *edge;
    struct loop *loop;
    void (*fn)(void *context);
    void *context;
    _Atomic bool is_under_way; /* a message in the mailbox points here */
    bool is_gone;              /* loop's thread: unwatched while one was */
};

static void destroy(struct edge_watch *w)
{
    live_edge_unref(w->edge);
    free(w);
}

static void on_message(void *a, void *b)
{
    struct edge_watch *w = a;
    if (w->is_gone) {
        destroy(w);
        return;
    }
    /* before fn looks: what is published from here on sends a message of its own */
    atomic_store(&w->is_under_way, false);
    w->fn(w->context); /* may unwatch */
}

static void on_change(struct edge_listener *listener)
{
    struct edge_watch *w = (struct edge_watch *)listener;
    if (atomic_exchange(&w->is_under_way, true)) return;
    if (loop_post(w->loop, on_message, w, NULL)) atomic_store(&w->is_under_way, false);
}

struct edge_watch *live_edge_watch(struct live_edge *e, struct loop *loop, void (*fn)(void *context), void *context)
{
    loop_assert_current(loop);
    struct edge_watch *w = malloc(sizeof *w);
    if (!w) return NULL;
    *w = (struct edge_watch){
        .listener = { .changed = on_change }, .edge = live_edge_ref(e), .loop = loop, .fn = fn, .context = context
    };
    live_edge_listen(e, &w->listener);
    return w;
}

void live_edge_unwatch(struct edge_watch *w)
{
    if (!w) return;
    loop_assert_current(w->loop);
    live_edge_unlisten(w->edge, &w->listener); /* no message is sent from here on */
    if (atomic_load(&w->is_under_way))
        w->is_gone = true;
    else
        destroy(w);
}
