/* Watches: every publish reaches every loop that waits, in few messages, and none reaches one that has stopped waiting. */
#include "hex.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/loop.h>
#include <weir/stream/edge_watch.h>

#define DEADLINE_S 10

struct waiter {
    struct loop *loop;
    struct live_edge *edge;
    struct edge_watch *watch;
    uint64_t stop_at; /* unwatches itself from within when it saw this number; 0: never */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t seen, calls; /* seen: the newest number found on the edge */
    bool is_done;         /* watch is set, or was taken down */
};

static struct edge_snapshot *numbered(uint64_t msn)
{
    struct frozen *text = frozen_copy("x", 1);
    struct edge_snapshot *s = edge_snapshot_create(
        &(struct edge_snapshot_config){ .media = EDGE_VIDEO_MP4, .playlist = text, .last_msn = msn });
    frozen_unref(text);
    return s;
}

static void tell(struct waiter *w, bool is_done)
{
    pthread_mutex_lock(&w->lock);
    w->is_done = is_done;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void on_change(void *context)
{
    struct waiter *w = context;
    loop_assert_current(w->loop);
    assert_non_null(w->watch); /* never after unwatch */
    struct edge_snapshot *s = live_edge_acquire(w->edge, "video", 5);
    pthread_mutex_lock(&w->lock);
    w->seen = s ? edge_snapshot_last_msn(s) : 0;
    w->calls++;
    pthread_cond_signal(&w->changed);
    const bool is_enough = w->stop_at && w->seen >= w->stop_at;
    pthread_mutex_unlock(&w->lock);
    edge_snapshot_unref(s);
    if (!is_enough) return;
    live_edge_unwatch(w->watch);
    w->watch = NULL;
    tell(w, true);
}

static void start(void *a, void *b)
{
    struct waiter *w = a;
    w->watch = live_edge_watch(w->edge, w->loop, on_change, w);
    assert_non_null(w->watch);
    tell(w, true);
}

static void stop(void *a, void *b)
{
    struct waiter *w = a;
    live_edge_unwatch(w->watch);
    w->watch = NULL;
    tell(w, true);
}

static void await_time(struct timespec *until)
{
    clock_gettime(CLOCK_REALTIME, until);
    until->tv_sec += DEADLINE_S;
}

static void await_done(struct waiter *w)
{
    struct timespec until;
    await_time(&until);
    pthread_mutex_lock(&w->lock);
    while (!w->is_done) {
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until))
            fail_msg("the loop did nothing for %d s", DEADLINE_S);
    }
    w->is_done = false;
    pthread_mutex_unlock(&w->lock);
}

static void await_number(struct waiter *w, uint64_t number)
{
    struct timespec until;
    await_time(&until);
    pthread_mutex_lock(&w->lock);
    while (w->seen < number) {
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until))
            fail_msg("number %llu was never seen, %llu was", (unsigned long long)number, (unsigned long long)w->seen);
    }
    pthread_mutex_unlock(&w->lock);
}

static void waiter_init(struct waiter *w, struct loop *loop, struct live_edge *edge, uint64_t stop_at)
{
    *w = (struct waiter){ .loop = loop, .edge = edge, .stop_at = stop_at };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    assert_int_equal(loop_post(loop, start, w, NULL), WEIR_OK);
    await_done(w);
}

static void open_loops(struct loop *loops[2])
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_create(&loops[i], "test"), WEIR_OK);
        assert_int_equal(loop_start(loops[i]), WEIR_OK);
    }
}

static void close_loops(struct loop *loops[2])
{
    for (int i = 0; i < 2; i++) loop_stop(loops[i]);
    for (int i = 0; i < 2; i++) loop_join(loops[i]);
    for (int i = 0; i < 2; i++) loop_destroy(loops[i]);
}

static void the_last_publish_is_always_seen(void **state)
{
    struct loop *loops[2];
    struct live_edge *edge = live_edge_create("live/a");
    struct waiter w[2];
    open_loops(loops);
    for (int i = 0; i < 2; i++) waiter_init(&w[i], loops[i], edge, 0);
    for (uint64_t msn = 1; msn <= 20000; msn++)
        assert_int_equal(live_edge_publish(edge, "video", numbered(msn)), WEIR_OK);
    for (int i = 0; i < 2; i++) {
        await_number(&w[i], 20000);
        assert_true(w[i].calls <= 20000);
        assert_int_equal(loop_post(loops[i], stop, &w[i], NULL), WEIR_OK);
        await_done(&w[i]);
    }
    close_loops(loops);
    live_edge_unref(edge);
}

/* A loop that is busy elsewhere finds one message, however much was published meanwhile. */
static void what_is_under_way_is_one_message(void **state)
{
    struct loop *loop;
    struct live_edge *edge = live_edge_create("live/a");
    struct waiter w = { .edge = edge };
    assert_int_equal(loop_create(&loop, "test"), WEIR_OK);
    w.loop = loop;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    loop_drain(loop); /* this thread is the loop now */
    start(&w, NULL);
    for (uint64_t msn = 1; msn <= 100; msn++)
        assert_int_equal(live_edge_publish(edge, "video", numbered(msn)), WEIR_OK);
    assert_int_equal(loop_drain(loop), 1);
    assert_int_equal(w.seen, 100);
    live_edge_set_state(edge, STREAM_HOLDING);
    assert_int_equal(loop_drain(loop), 1);
    assert_int_equal(w.calls, 2);
    /* unwatched while a message is under way: it comes and says nothing */
    live_edge_set_state(edge, STREAM_ENDED);
    stop(&w, NULL);
    live_edge_set_state(edge, STREAM_LIVE);
    assert_int_equal(loop_drain(loop), 1);
    assert_int_equal(w.calls, 2);
    loop_destroy(loop);
    live_edge_unref(edge);
}

static void publish_all(uint64_t count, struct live_edge *edge)
{
    for (uint64_t msn = 1; msn <= count; msn++)
        if (live_edge_publish(edge, "video", numbered(msn))) abort();
}

static void *publish_from_elsewhere(void *context)
{
    publish_all(5000, context);
    return NULL;
}

static void watches_come_and_go_under_fire(void **state)
{
    struct loop *loops[2];
    struct live_edge *edge = live_edge_create("live/a");
    pthread_t publisher;
    open_loops(loops);
    assert_int_equal(pthread_create(&publisher, NULL, publish_from_elsewhere, edge), 0);
    for (int round = 0; round < 200; round++) {
        struct waiter w[2];
        for (int i = 0; i < 2; i++) waiter_init(&w[i], loops[i], edge, 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(loop_post(loops[i], stop, &w[i], NULL), WEIR_OK);
            await_done(&w[i]);
        }
    }
    /* one that leaves from within its own call */
    struct waiter last;
    waiter_init(&last, loops[0], edge, 1);
    pthread_join(publisher, NULL);
    live_edge_set_state(edge, STREAM_ENDED);
    await_done(&last);
    close_loops(loops);
    live_edge_unref(edge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_publish_is_always_seen),
        cmocka_unit_test(what_is_under_way_is_one_message),
        cmocka_unit_test(watches_come_and_go_under_fire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
