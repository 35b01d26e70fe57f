#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/limits.h>
#include <weir/base/queue.h>

#include "publisher_internal.h"

struct dialers {
    struct publishers *group;
    pthread_t threads[LOADGEN_DIALERS];
    uint32_t thread_count;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t asked;
    struct queue queue;
    bool is_stopping;
};

struct answer {
    struct rtmp_line line;
    bool is_line;
    char why[DIAL_WHY_BYTES];
};

static void deliver(void *a, void *b)
{
    struct publisher *p = a;
    struct answer *answer = b;
    publisher_rtmp_dialled(p, answer && answer->is_line ? &answer->line : NULL, answer ? answer->why : "no memory");
    free(answer);
}

static void dial(struct publisher *p)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer)
        answer->is_line = !rtmp_line_dial(&p->group->rtmp, p->play, p->group->config.is_any_host, &answer->line,
                                          answer->why);
    /* it waits for nothing else: until there is room */
    while (loop_post(p->home->loop, deliver, p, answer)) {
        const struct timespec pause = { .tv_nsec = 10000000 };
        nanosleep(&pause, NULL);
    }
}

static void *run(void *context)
{
    struct dialers *d = context;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* librtmp writes to sockets as if they were files */
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    for (;;) {
        struct publisher *p = NULL;
        pthread_mutex_lock(&d->lock);
        while (!d->is_stopping && !queue_take(&d->queue, &p)) pthread_cond_wait(&d->asked, &d->lock);
        const bool is_stopping = d->is_stopping;
        pthread_mutex_unlock(&d->lock);
        if (is_stopping) return NULL;
        dial(p);
    }
}

struct dialers *dialers_create(struct publishers *g)
{
    struct dialers *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->group = g;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->asked, NULL);
    queue_init(&d->queue, sizeof(struct publisher *), LOADGEN_PUBLISHERS_MAX);
    const uint32_t wanted = g->config.count < LOADGEN_DIALERS ? g->config.count : LOADGEN_DIALERS;
    for (; d->thread_count < wanted; d->thread_count++)
        if (pthread_create(&d->threads[d->thread_count], NULL, run, d)) break;
    if (d->thread_count) return d;
    dialers_destroy(d);
    return NULL;
}

void dialers_destroy(struct dialers *d)
{
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    d->is_stopping = true;
    pthread_cond_broadcast(&d->asked);
    pthread_mutex_unlock(&d->lock);
    for (uint32_t i = 0; i < d->thread_count; i++) pthread_join(d->threads[i], NULL);
    queue_deinit(&d->queue);
    pthread_cond_destroy(&d->asked);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void dialers_ask(struct dialers *d, struct publisher *p)
{
    pthread_mutex_lock(&d->lock);
    const enum weir_err err = queue_give(&d->queue, &p);
    pthread_cond_signal(&d->asked);
    pthread_mutex_unlock(&d->lock);
    if (err) publisher_rtmp_dialled(p, NULL, "too many wait to dial");
}
