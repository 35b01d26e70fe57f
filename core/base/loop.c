#include <weir/base/loop.h>

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/base/log.h>
#include <weir/base/queue.h>

struct message {
    loop_fn *fn;
    void *a, *b;
};

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    _Atomic bool has_thread; /* `owner` below may be read */
    pthread_t owner;
    bool was_started;
    _Atomic bool is_stopping;
    char name[16];
    struct counters counters;
    pthread_mutex_t lock; /* guards box alone */
    struct queue box;
    _Atomic uint64_t refused; /* posts refused: any thread counts here, the loop moves it to its counters */
};

struct loop_timer {
    struct event *event;
    void (*fn)(void *);
    void *context;
};

static bool take_message(struct loop *loop, struct message *m)
{
    pthread_mutex_lock(&loop->lock);
    const bool had_one = queue_take(&loop->box, m);
    pthread_mutex_unlock(&loop->lock);
    return had_one;
}

static size_t messages_waiting(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    const size_t count = queue_count(&loop->box);
    pthread_mutex_unlock(&loop->lock);
    return count;
}

static void wake(struct loop *loop)
{
    const uint64_t one = 1;
    /* EAGAIN means the counter is full of wake-ups already */
    if (write(loop->wake_fd, &one, sizeof one) < 0) return;
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    uint64_t ticks;
    if (read((int)fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) return;
    counter_add(&loop->counters, COUNTER_MAILBOX_FULL, atomic_exchange(&loop->refused, 0));
    /* only what was there at the start: a message that posts to its own loop must not starve the sockets */
    struct message m;
    for (size_t left = messages_waiting(loop); left > 0 && take_message(loop, &m); left--) m.fn(m.a, m.b);
    if (messages_waiting(loop)) wake(loop); /* they found the box not empty and woke nobody */
    if (atomic_load(&loop->is_stopping)) event_base_loopbreak(loop->base);
}

enum weir_err loop_create(struct loop **out, const char *name)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) return WEIR_NOMEM;
    strncpy(loop->name, name, sizeof loop->name - 1);
    pthread_mutex_init(&loop->lock, NULL);
    queue_init(&loop->box, sizeof(struct message), MAILBOX_MESSAGES_MAX);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* no libevent locks: nothing but the mailbox is touched from outside */
    struct event_config *config = event_config_new();
    if (config) event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    if (config) loop->base = event_base_new_with_config(config);
    if (config) event_config_free(config);
    if (loop->base && loop->wake_fd >= 0)
        loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    if (!loop->wake || event_add(loop->wake, NULL)) {
        loop_destroy(loop);
        return WEIR_NOMEM;
    }
    *out = loop;
    return WEIR_OK;
}

size_t loop_drain(struct loop *loop)
{
    assert(!loop->was_started);
    loop->owner = pthread_self();
    atomic_store(&loop->has_thread, true);
    size_t run = 0;
    for (struct message m; take_message(loop, &m); run++) m.fn(m.a, m.b);
    return run;
}

void loop_destroy(struct loop *loop)
{
    if (!loop) return;
    while (loop_drain(loop)) continue;
    if (loop->wake) event_free(loop->wake);
    if (loop->base) event_base_free(loop->base);
    if (loop->wake_fd >= 0) close(loop->wake_fd);
    queue_deinit(&loop->box);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

void loop_run(struct loop *loop)
{
    loop->owner = pthread_self();
    atomic_store(&loop->has_thread, true);
    while (!atomic_load(&loop->is_stopping)) {
        if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0) break;
    }
    atomic_store(&loop->has_thread, false);
}

static void *run_thread(void *context)
{
    loop_run(context);
    return NULL;
}

enum weir_err loop_start(struct loop *loop)
{
    const int failed = pthread_create(&loop->thread, NULL, run_thread, loop);
    if (failed) {
        errno = failed;
        return WEIR_IO;
    }
    pthread_setname_np(loop->thread, loop->name);
    loop->was_started = true;
    return WEIR_OK;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}

void loop_join(struct loop *loop)
{
    if (!loop || !loop->was_started) return;
    pthread_join(loop->thread, NULL);
    loop->was_started = false;
}

enum weir_err loop_post(struct loop *loop, loop_fn *fn, void *a, void *b)
{
    const struct message m = { .fn = fn, .a = a, .b = b };
    pthread_mutex_lock(&loop->lock);
    const enum weir_err err = queue_give(&loop->box, &m);
    const bool was_empty = queue_count(&loop->box) == 1;
    pthread_mutex_unlock(&loop->lock);
    if (err) atomic_fetch_add(&loop->refused, 1);
    if (was_empty || err) wake(loop);
    return err;
}

bool loop_is_current(const struct loop *loop)
{
    return atomic_load(&loop->has_thread) && pthread_equal(loop->owner, pthread_self());
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

int64_t loop_now_us(struct loop *loop)
{
    return clock_now_us();
}

struct counters *loop_counters(struct loop *loop)
{
    return &loop->counters;
}

const char *loop_name(const struct loop *loop)
{
    return loop->name;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct loop_timer *t = context;
    t->fn(t->context);
}

struct loop_timer *loop_timer_create(struct loop *loop, void (*fn)(void *), void *context)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->fn = fn;
    t->context = context;
    t->event = event_new(loop->base, -1, 0, on_timer, t);
    if (!t->event) {
        free(t);
        return NULL;
    }
    return t;
}

void loop_timer_arm(struct loop_timer *t, int64_t delay_us)
{
    if (delay_us < 0) delay_us = 0;
    const struct timeval delay = { .tv_sec = delay_us / 1000000, .tv_usec = delay_us % 1000000 };
    event_add(t->event, &delay);
}

void loop_timer_disarm(struct loop_timer *t)
{
    event_del(t->event);
}

void loop_timer_destroy(struct loop_timer *t)
{
    if (!t) return;
    event_free(t->event);
    free(t);
}
