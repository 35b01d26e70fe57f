#include <weir/base/gather.h>

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/base/loop.h>

#define EVENTS_PER_PASS 128
#define ACTIVE_TO_GATHER 2 /* a lone publisher is served the moment it sends */

struct gather {
    struct loop *loop;
    int epoll_fd;
    struct event *readable;  /* the epoll set itself has something ready */
    struct loop_timer *pass; /* armed while gathering */
    int64_t gather_us;
    int active, watched;
    bool is_gathering;
    /* the pass under way: an unwatch from a callback must not leave a dangling pointer in it */
    struct epoll_event events[EVENTS_PER_PASS];
    int event_count;
    struct gather_watch *again;         /* those with more to read than their socket says */
    struct gather_watch *serving_again; /* what is left of that list in the pass under way */
};

static unsigned to_epoll(unsigned events)
{
    return (events & GATHER_READ ? (unsigned)EPOLLIN : 0) | (events & GATHER_WRITE ? (unsigned)EPOLLOUT : 0);
}

static unsigned from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? GATHER_READ : 0u) | (events & EPOLLOUT ? GATHER_WRITE : 0u) |
           (events & (EPOLLERR | EPOLLHUP) ? GATHER_BROKEN : 0u);
}

static void serve_again(struct gather *g)
{
    /* who asks anew has his turn in the next pass */
    g->serving_again = g->again;
    g->again = NULL;
    for (struct gather_watch *w; (w = g->serving_again);) {
        g->serving_again = w->next_again;
        w->is_again = false;
        w->ready(w, GATHER_READ);
    }
}

/* Serves whatever is ready, all of it once. Returns how many sockets that were. */
static int serve(struct gather *g)
{
    int served = 0;
    if (g->again) serve_again(g);
    do {
        g->event_count = epoll_wait(g->epoll_fd, g->events, EVENTS_PER_PASS, 0);
        for (int i = 0; i < g->event_count; i++) {
            struct gather_watch *w = g->events[i].data.ptr;
            if (!w) continue; /* unwatched earlier in this pass */
            w->ready(w, from_epoll(g->events[i].events));
        }
        if (g->event_count > 0) served += g->event_count;
        /* a full batch may have more behind it; level triggering would give busy ones again, so stop after all had a turn */
    } while (g->event_count == EVENTS_PER_PASS && served < g->watched + EVENTS_PER_PASS);
    g->event_count = 0;
    return served;
}

/* The loop looks at the sockets first, then there is another pass. */
static void pass_soon(struct gather *g)
{
    static const struct timeval at_once = { .tv_sec = 0 };
    if (g->again && !g->is_gathering) event_add(g->readable, &at_once);
}

static void begin_gathering(struct gather *g)
{
    if (!g->is_gathering) event_del(g->readable);
    g->is_gathering = true;
    loop_timer_arm(g->pass, g->gather_us);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct gather *g = context;
    if (what & EV_TIMEOUT) event_add(g->readable, NULL); /* of pass_soon: libevent took the event out with it */
    serve(g);
    if (g->gather_us > 0 && g->active >= ACTIVE_TO_GATHER) begin_gathering(g);
    pass_soon(g);
}

static void on_pass(void *context)
{
    struct gather *g = context;
    const int served = serve(g);
    if (served > 0 && g->active >= ACTIVE_TO_GATHER) {
        loop_timer_arm(g->pass, g->gather_us);
        return;
    }
    /* nothing came for a whole pass: sleep until something does */
    g->is_gathering = false;
    event_add(g->readable, NULL);
    pass_soon(g);
}

enum weir_err gather_create(struct gather **out, struct loop *loop, int64_t gather_us)
{
    struct gather *g = calloc(1, sizeof *g);
    if (!g) return WEIR_NOMEM;
    g->loop = loop;
    g->gather_us = gather_us;
    g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    g->pass = loop_timer_create(loop, on_pass, g);
    if (g->epoll_fd >= 0)
        g->readable = event_new(loop_event_base(loop), g->epoll_fd, EV_READ | EV_PERSIST, on_readable, g);
    if (!g->pass || !g->readable || event_add(g->readable, NULL)) {
        gather_destroy(g);
        return WEIR_NOMEM;
    }
    *out = g;
    return WEIR_OK;
}

void gather_destroy(struct gather *g)
{
    if (!g) return;
    assert(g->watched == 0);
    if (g->readable) event_free(g->readable);
    loop_timer_destroy(g->pass);
    if (g->epoll_fd >= 0) close(g->epoll_fd);
    free(g);
}

enum weir_err gather_watch(struct gather *g, struct gather_watch *w, int fd, unsigned events)
{
    assert(!w->is_watched && w->ready);
    struct epoll_event e = { .events = to_epoll(events), .data.ptr = w };
    if (epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, fd, &e)) return WEIR_IO;
    w->fd = fd;
    w->wanted = events;
    w->is_watched = true;
    g->watched++;
    return WEIR_OK;
}

void gather_rewatch(struct gather *g, struct gather_watch *w, unsigned events)
{
    if (!w->is_watched || w->wanted == events) return;
    struct epoll_event e = { .events = to_epoll(events), .data.ptr = w };
    const int failed = epoll_ctl(g->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
    assert(!failed); /* the fd is in the set: we put it there */
    (void)failed;
    w->wanted = events;
}

void gather_again(struct gather *g, struct gather_watch *w)
{
    if (!w->is_watched || w->is_again) return;
    w->is_again = true;
    w->next_again = g->again;
    g->again = w;
    pass_soon(g);
}

static bool take_out(struct gather_watch **list, const struct gather_watch *w)
{
    for (; *list; list = &(*list)->next_again) {
        if (*list != w) continue;
        *list = w->next_again;
        return true;
    }
    return false;
}

void gather_unwatch(struct gather *g, struct gather_watch *w)
{
    if (!w->is_watched) return;
    if (w->is_again && !take_out(&g->again, w)) take_out(&g->serving_again, w);
    w->is_again = false;
    epoll_ctl(g->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = 0; i < g->event_count; i++) {
        if (g->events[i].data.ptr == w) g->events[i].data.ptr = NULL;
    }
    w->is_watched = false;
    g->watched--;
}

void gather_count_active(struct gather *g, int change)
{
    g->active += change;
    assert(g->active >= 0);
}
