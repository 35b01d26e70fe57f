#include "relay_thread.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct relay_thread {
    pthread_t thread;
    pthread_mutex_t lock; /* guards the net */
    struct relay_net *net;
    int wake;
    _Atomic bool is_stopping;
    bool is_started;
};

static void *run(void *context)
{
    struct relay_thread *t = context;
    while (!atomic_load(&t->is_stopping)) {
        pthread_mutex_lock(&t->lock);
        relay_net_turn(t->net);
        const int64_t wait_us = relay_net_wait_us(t->net);
        pthread_mutex_unlock(&t->lock);
        struct pollfd fds[2] = { { .fd = relay_net_fd(t->net), .events = POLLIN },
                                 { .fd = t->wake, .events = POLLIN } };
        const struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
        uint64_t ticks;
        if (ppoll(fds, 2, &wait, NULL) > 0 && fds[1].revents && read(t->wake, &ticks, sizeof ticks) < 0) continue;
    }
    return NULL;
}

struct relay_thread *relay_thread_create(void)
{
    struct relay_thread *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    t->net = relay_net_create();
    t->is_started = t->net && t->wake >= 0 && !pthread_create(&t->thread, NULL, run, t);
    if (t->is_started) return t;
    relay_thread_destroy(t);
    return NULL;
}

static void wake(struct relay_thread *t)
{
    const uint64_t one = 1;
    if (write(t->wake, &one, sizeof one) < 0) return; /* it is awake already */
}

void relay_thread_destroy(struct relay_thread *t)
{
    if (!t) return;
    atomic_store(&t->is_stopping, true);
    if (t->is_started) {
        wake(t);
        pthread_join(t->thread, NULL);
    }
    relay_net_destroy(t->net);
    if (t->wake >= 0) close(t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct relay_net *relay_thread_lock(struct relay_thread *t)
{
    pthread_mutex_lock(&t->lock);
    return t->net;
}

void relay_thread_unlock(struct relay_thread *t)
{
    pthread_mutex_unlock(&t->lock);
    wake(t); /* what was changed may be due sooner */
}
