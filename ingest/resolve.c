#include "resolve.h"

#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#define STACK_BYTES (256 * 1024)

struct resolve {
    pthread_mutex_t lock; /* guards loop and refs */
    struct loop *loop;    /* NULL: nobody wants to know any more */
    unsigned refs;        /* the asker's, and the thread's or the message's */
    resolve_fn *done;
    void *context;
    struct sockaddr_storage address;
    bool is_found;
    const char *why;
    uint16_t port;
    char host[];
};

static void drop_refs(struct resolve *r, unsigned count)
{
    pthread_mutex_lock(&r->lock);
    r->refs -= count;
    const bool is_last = r->refs == 0;
    pthread_mutex_unlock(&r->lock);
    if (!is_last) return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* On the loop. */
static void deliver(void *a, void *b)
{
    struct resolve *r = a;
    const bool is_wanted = r->loop != NULL; /* only this loop takes it away */
    if (is_wanted) r->done(r->context, r->is_found ? &r->address : NULL, r->why);
    drop_refs(r, is_wanted ? 2 : 1); /* the message's, and the asker's */
}

static void look_up(struct resolve *r)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(r->host, NULL, &hints, &found);
    r->why = failed ? gai_strerror(failed) : "";
    if (failed) return;
    for (const struct addrinfo *at = found; at && !r->is_found; at = at->ai_next) {
        char numeric[NET_PEER_BYTES];
        r->is_found = !getnameinfo(at->ai_addr, at->ai_addrlen, numeric, sizeof numeric, NULL, 0, NI_NUMERICHOST) &&
                      net_parse_numeric(numeric, r->port, &r->address);
    }
    freeaddrinfo(found);
}

static void *run(void *context)
{
    struct resolve *r = context;
    look_up(r);
    pthread_mutex_lock(&r->lock);
    const bool is_posted = r->loop && loop_post(r->loop, deliver, r, NULL) == WEIR_OK;
    pthread_mutex_unlock(&r->lock);
    if (!is_posted) drop_refs(r, 1);
    return NULL;
}

struct resolve *resolve_start(struct loop *loop, const char *host, uint16_t port, resolve_fn *done, void *context)
{
    loop_assert_current(loop);
    const size_t bytes = strlen(host) + 1;
    struct resolve *r = calloc(1, sizeof *r + bytes);
    if (!r) return NULL;
    pthread_mutex_init(&r->lock, NULL);
    r->loop = loop;
    r->refs = 2;
    r->done = done;
    r->context = context;
    r->port = port;
    memcpy(r->host, host, bytes);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    const int failed = pthread_create(&thread, &attributes, run, r);
    pthread_attr_destroy(&attributes);
    if (!failed) return r;
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void resolve_cancel(struct resolve *r)
{
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->loop = NULL;
    pthread_mutex_unlock(&r->lock);
    drop_refs(r, 1);
}
