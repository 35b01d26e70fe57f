/* lane: a thread around a rung_coder, with a short queue. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>

#include "ladder_internal.h"
#include "rung_coder.h"

#define MARKS_MAX 4 /* drains and the like, besides frames */

struct lane {
    _Atomic uint32_t refs; /* its owner's and its thread's */
    struct ladder_shared *shared;
    pthread_mutex_t lock; /* the queue and the flags below */
    pthread_cond_t has_items, has_room;
    struct queue items;
    size_t frames;
    bool is_over, is_over_when_empty;
    _Atomic bool is_coding;
    _Atomic uint64_t busy_us;
    uint32_t answers_seen;   /* the owner's */
    struct rung_coder coder; /* the thread's */
};

static void lane_unref(struct lane *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1) return;
    struct lane_item item;
    while (queue_take(&l->items, &item)) frame_release(&l->shared->figures, item.frame);
    queue_deinit(&l->items);
    pthread_cond_destroy(&l->has_items);
    pthread_cond_destroy(&l->has_room);
    pthread_mutex_destroy(&l->lock);
    shared_unref(l->shared);
    free(l);
}

/* false: the lane is over. */
static bool take(struct lane *l, struct lane_item *item)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->is_coding, false);
    pthread_cond_signal(&l->has_room); /* whoever waits for it to be idle */
    while (!l->is_over && !queue_count(&l->items) && !l->is_over_when_empty) pthread_cond_wait(&l->has_items, &l->lock);
    const bool has_one = !l->is_over && queue_take(&l->items, item);
    if (has_one) atomic_store(&l->is_coding, true);
    if (has_one && item->kind == LANE_FRAME) l->frames--;
    pthread_cond_signal(&l->has_room);
    pthread_mutex_unlock(&l->lock);
    return has_one;
}

static void serve(struct lane *l, const struct lane_item *item)
{
    switch (item->kind) {
    case LANE_FRAME: rung_coder_frame(&l->coder, item); break;
    case LANE_DRAIN:
        rung_coder_drain(&l->coder);
        rung_coder_drained(&l->coder);
        break;
    case LANE_LEAVE_OUT:
        rung_coder_drain(&l->coder);
        rung_coder_absent(&l->coder);
        break;
    }
}

static void *run(void *context)
{
    struct lane *l = context;
    struct ladder_shared *shared = shared_ref(l->shared);
    struct transcoder *transcoder = shared->transcoder;
    struct transcode_figures *figures = &shared->figures;
    struct lane_item item;
    libav_log_stream(l->shared->name);
    while (take(l, &item)) {
        const int64_t began_us = clock_now_us();
        serve(l, &item);
        frame_release(figures, item.frame);
        atomic_fetch_add(&l->busy_us, (uint64_t)(clock_now_us() - began_us));
        atomic_fetch_add(&l->coder.answers, 1);
    }
    pthread_mutex_lock(&l->lock);
    const bool is_drained = l->is_over_when_empty && !l->is_over;
    pthread_mutex_unlock(&l->lock);
    if (is_drained) {
        rung_coder_drain(&l->coder);
        rung_coder_drained(&l->coder);
    }
    rung_coder_deinit(&l->coder);
    lane_unref(l); /* frames that waited go with it: only then is nothing of this thread left */
    transcode_count(figures, FIGURE_THREADS_ALIVE, -1);
    shared_unref(shared);
    transcoder_leave_thread(transcoder);
    return NULL;
}

static bool start(struct lane *l)
{
    pthread_t thread;
    char name[16];
    transcoder_enter_thread(l->shared->transcoder);
    transcode_count(&l->shared->figures, FIGURE_THREADS_ALIVE, 1);
    atomic_store(&l->refs, 2);
    if (pthread_create(&thread, NULL, run, l)) {
        transcode_count(&l->shared->figures, FIGURE_THREADS_ALIVE, -1);
        transcoder_leave_thread(l->shared->transcoder);
        atomic_store(&l->refs, 1);
        return false;
    }
    snprintf(name, sizeof name, "enc-%.11s", l->coder.plan.name);
    pthread_setname_np(thread, name);
    pthread_detach(thread);
    return true;
}

struct lane *lane_create(struct ladder_shared *shared, size_t rung, const struct rung_plan *plan,
                         enum ladder_latency latency, uint32_t threads, size_t rank)
{
    struct lane *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->shared = shared_ref(shared);
    atomic_init(&l->refs, 1);
    pthread_mutex_init(&l->lock, NULL);
    monotonic_cond_init(&l->has_items);
    monotonic_cond_init(&l->has_room);
    queue_init(&l->items, sizeof(struct lane_item), LADDER_FRAMES_WAITING_MAX + MARKS_MAX);
    if (rung_coder_init(&l->coder, shared, l, rung, plan, latency, threads, rank)) {
        lane_unref(l);
        return NULL;
    }
    if (!start(l)) {
        rung_coder_deinit(&l->coder);
        lane_unref(l);
        return NULL;
    }
    pthread_mutex_lock(&shared->out_lock);
    shared->outputs[rung].writer = l;
    pthread_mutex_unlock(&shared->out_lock);
    return l;
}

void lane_end(struct lane *l, bool is_drained)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    if (is_drained)
        l->is_over_when_empty = true;
    else
        l->is_over = true;
    pthread_cond_signal(&l->has_items);
    pthread_mutex_unlock(&l->lock);
    lane_unref(l);
}

enum lane_give lane_give(struct lane *l, const struct lane_item *item, int64_t wait_us)
{
    const struct timespec until = time_after(wait_us);
    enum lane_give given = LANE_FULL;
    pthread_mutex_lock(&l->lock);
    const bool is_frame = item->kind == LANE_FRAME;
    while (is_frame && l->frames == LADDER_FRAMES_WAITING_MAX && wait_us > 0 &&
           pthread_cond_timedwait(&l->has_room, &l->lock, &until) != ETIMEDOUT)
        continue;
    if ((!is_frame || l->frames < LADDER_FRAMES_WAITING_MAX) && !queue_give(&l->items, item)) {
        l->frames += is_frame;
        given = LANE_TAKEN;
        pthread_cond_signal(&l->has_items);
    }
    pthread_mutex_unlock(&l->lock);
    return given;
}

void lane_wait_idle(struct lane *l, int64_t wait_us)
{
    const struct timespec until = time_after(wait_us > 0 ? wait_us : 0);
    pthread_mutex_lock(&l->lock);
    while (!l->is_over && (queue_count(&l->items) || atomic_load(&l->is_coding)) &&
           pthread_cond_timedwait(&l->has_room, &l->lock, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&l->lock);
}

struct lane_look lane_look(struct lane *l)
{
    struct lane_look look = { .has_work = atomic_load(&l->is_coding) };
    const uint32_t answers = atomic_load(&l->coder.answers);
    pthread_mutex_lock(&l->lock);
    look.has_work |= queue_count(&l->items) > 0;
    pthread_mutex_unlock(&l->lock);
    look.has_answered = answers != l->answers_seen;
    l->answers_seen = answers;
    look.busy_us = atomic_exchange(&l->busy_us, 0);
    look.rank = atomic_load(&l->coder.rank);
    return look;
}
