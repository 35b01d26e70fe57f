/* Loops, their mailboxes and timers, the gatherer and the acceptor, on real threads and sockets. */
#include "hex.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/acceptor.h>
#include <weir/base/clock.h>
#include <weir/base/gather.h>
#include <weir/base/limits.h>
#include <weir/base/loop.h>

#define DEADLINE_S 10

/* Something that another thread does; waited for with a deadline. */
struct event_count {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
};
#define EVENT_COUNT                                                                                                    \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                                         \
    }

static void note_many(struct event_count *e, size_t n)
{
    pthread_mutex_lock(&e->lock);
    e->count += (unsigned)n;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void note(struct event_count *e)
{
    note_many(e, 1);
}

static void await(struct event_count *e, unsigned wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&e->lock);
    while (e->count < wanted) {
        if (pthread_cond_timedwait(&e->changed, &e->lock, &until))
            fail_msg("waited %d s for %u, have %u", DEADLINE_S, wanted, e->count);
    }
    pthread_mutex_unlock(&e->lock);
}

static void note_message(void *a, void *b)
{
    note(a);
}

static void end_loop(struct loop *loop)
{
    loop_stop(loop);
    loop_join(loop);
    loop_destroy(loop);
}

/* -- mailbox -- */

struct order {
    struct loop *loop;
    struct event_count done;
    uintptr_t next[2];
    bool is_wrong;
};

static void check_order(void *a, void *b)
{
    struct order *o = a;
    const uintptr_t word = (uintptr_t)b, sender = word & 1, number = word >> 1;
    o->is_wrong |= number != o->next[sender]++ || !loop_is_current(o->loop);
    note(&o->done);
}

static void *post_odd(void *context)
{
    struct order *o = context;
    for (uintptr_t i = 0; i < 20000; i++) {
        while (loop_post(o->loop, check_order, o, (void *)(i << 1 | 1))) continue;
    }
    return NULL;
}

static void messages_of_a_sender_keep_their_order(void **state)
{
    struct order o = { .done = EVENT_COUNT };
    pthread_t other;
    assert_int_equal(loop_create(&o.loop, "test"), WEIR_OK);
    assert_int_equal(loop_start(o.loop), WEIR_OK);
    assert_int_equal(pthread_create(&other, NULL, post_odd, &o), 0);
    for (uintptr_t i = 0; i < 20000; i++) {
        while (loop_post(o.loop, check_order, &o, (void *)(i << 1))) continue;
    }
    pthread_join(other, NULL);
    await(&o.done, 40000);
    end_loop(o.loop);
    assert_false(o.is_wrong);
}

static void a_full_mailbox_refuses(void **state)
{
    struct loop *loop;
    struct event_count ran = EVENT_COUNT;
    assert_int_equal(loop_create(&loop, "test"), WEIR_OK);
    for (unsigned i = 0; i < MAILBOX_MESSAGES_MAX; i++)
        assert_int_equal(loop_post(loop, note_message, &ran, NULL), WEIR_OK);
    assert_int_equal(loop_post(loop, note_message, &ran, NULL), WEIR_LIMIT);
    assert_int_equal(loop_start(loop), WEIR_OK);
    await(&ran, MAILBOX_MESSAGES_MAX);
    assert_int_equal(loop_post(loop, note_message, &ran, NULL), WEIR_OK);
    await(&ran, MAILBOX_MESSAGES_MAX + 1);
    assert_int_equal(counter_read(loop_counters(loop), COUNTER_MAILBOX_FULL), 1);
    end_loop(loop);
}

static void what_is_left_is_run_at_the_end(void **state)
{
    struct loop *loop;
    struct event_count ran = EVENT_COUNT;
    assert_int_equal(loop_create(&loop, "test"), WEIR_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(loop_post(loop, note_message, &ran, NULL), WEIR_OK);
    assert_int_equal(loop_drain(loop), 3);
    assert_int_equal(loop_post(loop, note_message, &ran, NULL), WEIR_OK);
    loop_destroy(loop);
    assert_int_equal(ran.count, 4);
}

/* -- timer -- */

struct ticking {
    struct loop *loop;
    struct loop_timer *timer;
    struct event_count ticks;
    unsigned left;
    int64_t armed_us, fired_us;
};

static void on_tick(void *context)
{
    struct ticking *t = context;
    t->fired_us = clock_now_us();
    note(&t->ticks);
    if (--t->left) loop_timer_arm(t->timer, 1000);
}

static void start_ticking(void *a, void *b)
{
    struct ticking *t = a;
    t->timer = loop_timer_create(t->loop, on_tick, t);
    t->armed_us = clock_now_us();
    loop_timer_arm(t->timer, 20000);
}

static void stop_ticking(void *a, void *b)
{
    struct ticking *t = a;
    loop_timer_destroy(t->timer);
    note(b);
}

static void a_timer_fires_and_may_be_armed_again(void **state)
{
    struct ticking t = { .ticks = EVENT_COUNT, .left = 3 };
    struct event_count stopped = EVENT_COUNT;
    assert_int_equal(loop_create(&t.loop, "test"), WEIR_OK);
    assert_int_equal(loop_start(t.loop), WEIR_OK);
    assert_int_equal(loop_post(t.loop, start_ticking, &t, NULL), WEIR_OK);
    await(&t.ticks, 3);
    assert_int_equal(loop_post(t.loop, stop_ticking, &t, &stopped), WEIR_OK);
    await(&stopped, 1);
    end_loop(t.loop);
    assert_true(t.fired_us - t.armed_us >= 20000 + 2 * 1000);
    assert_int_equal(t.ticks.count, 3);
}

/* -- gather -- */

#define PAIRS 8

struct reader {
    struct gather_watch watch; /* first */
    struct gathering *house;
    int far_fd;
    size_t hidden; /* bytes taken from the socket and not looked at yet, as TLS has them */
};

struct gathering {
    struct loop *loop;
    struct gather *gather;
    struct reader readers[PAIRS];
    struct event_count bytes, ends, steps;
    int active;
    bool drops_neighbours, hides;
};

static void on_ready(struct gather_watch *w, unsigned events)
{
    struct reader *r = (struct reader *)w;
    struct gathering *g = r->house;
    char got[64];
    const ssize_t bytes = read(w->fd, got, sizeof got);
    if (bytes == 0) {
        gather_unwatch(g->gather, w);
        note(&g->ends);
    }
    /* in the middle of a pass all others go away */
    for (int i = 0; g->drops_neighbours && i < PAIRS; i++) {
        if (&g->readers[i] != r) gather_unwatch(g->gather, &g->readers[i].watch);
    }
    if (bytes > 0) note_many(&g->bytes, (size_t)bytes);
}

/* Takes all at once and looks at one byte a turn. */
static void on_hidden(struct gather_watch *w, unsigned events)
{
    struct reader *r = (struct reader *)w;
    char got[64];
    const ssize_t bytes = read(w->fd, got, sizeof got);
    if (bytes > 0) r->hidden += (size_t)bytes;
    if (!r->hidden) return;
    r->hidden--;
    note(&r->house->bytes);
    if (r->hidden) gather_again(r->house->gather, w);
}

static void open_all(void *a, void *b)
{
    struct gathering *g = a;
    if (gather_create(&g->gather, g->loop, 8000)) return;
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds)) return;
        g->readers[i] =
            (struct reader){ .house = g, .far_fd = fds[1], .watch = { .ready = g->hides ? on_hidden : on_ready } };
        if (gather_watch(g->gather, &g->readers[i].watch, fds[0], GATHER_READ)) return;
    }
    gather_count_active(g->gather, g->active);
    note(&g->steps);
}

static void close_all(void *a, void *b)
{
    struct gathering *g = a;
    gather_count_active(g->gather, -g->active);
    for (int i = 0; i < PAIRS; i++) {
        const int fd = g->readers[i].watch.fd;
        gather_unwatch(g->gather, &g->readers[i].watch);
        close(fd);
        close(g->readers[i].far_fd);
    }
    gather_destroy(g->gather);
    note(&g->steps);
}

static void open_gathering(struct gathering *g, int active, bool hides)
{
    *g = (struct gathering){
        .bytes = EVENT_COUNT, .ends = EVENT_COUNT, .steps = EVENT_COUNT, .active = active, .hides = hides
    };
    assert_int_equal(loop_create(&g->loop, "test"), WEIR_OK);
    assert_int_equal(loop_start(g->loop), WEIR_OK);
    assert_int_equal(loop_post(g->loop, open_all, g, NULL), WEIR_OK);
    await(&g->steps, 1);
}

static void close_gathering(struct gathering *g)
{
    assert_int_equal(loop_post(g->loop, close_all, g, NULL), WEIR_OK);
    await(&g->steps, 2);
    end_loop(g->loop);
}

static void all_that_is_sent_is_read(void **state)
{
    static const int active[] = { 0, 1, 2, PAIRS };
    for (size_t a = 0; a < ARRAY_LEN(active); a++) {
        static struct gathering g;
        open_gathering(&g, active[a], false);
        for (unsigned round = 1; round <= 20; round++) {
            for (int i = 0; i < PAIRS; i++) assert_int_equal(write(g.readers[i].far_fd, "x", 1), 1);
            await(&g.bytes, round * PAIRS);
        }
        for (int i = 0; i < PAIRS; i++) shutdown(g.readers[i].far_fd, SHUT_WR);
        await(&g.ends, PAIRS);
        close_gathering(&g);
        assert_int_equal(g.bytes.count, 20 * PAIRS);
    }
}

static void those_unwatched_in_a_pass_are_not_called(void **state)
{
    static struct gathering g;
    open_gathering(&g, PAIRS, false);
    g.drops_neighbours = true;
    for (int i = 0; i < PAIRS; i++) assert_int_equal(write(g.readers[i].far_fd, "x", 1), 1);
    await(&g.bytes, 1);
    close_gathering(&g);
    assert_int_equal(g.bytes.count, 1);
}

static void what_no_socket_announces_is_read(void **state)
{
    static const int active[] = { 0, 1, 2, PAIRS };
    for (size_t a = 0; a < ARRAY_LEN(active); a++) {
        static struct gathering g;
        open_gathering(&g, active[a], true);
        for (unsigned round = 1; round <= 20; round++) {
            for (int i = 0; i < PAIRS; i++) assert_int_equal(write(g.readers[i].far_fd, "hidden", 6), 6);
            await(&g.bytes, round * PAIRS * 6);
        }
        for (int i = 0; i < PAIRS; i++) assert_int_equal(write(g.readers[i].far_fd, "hidden", 6), 6);
        close_gathering(&g); /* in the middle of it */
    }
}

/* -- acceptor -- */

struct front {
    struct loop *loops[2];
    struct event_count arrived, refused;
    unsigned per_loop[2];
    _Atomic bool is_closed;
    bool was_elsewhere;
};

static bool admit(void *context, int fd, const struct sockaddr_storage *peer)
{
    struct front *f = context;
    if (!atomic_load(&f->is_closed)) return true;
    note(&f->refused);
    return false;
}

static void on_arrived(void *context, size_t loop_index, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    struct front *f = context;
    f->was_elsewhere |= !loop_is_current(f->loops[loop_index]);
    f->per_loop[loop_index]++;
    if (write(fd, is_tls ? "tls--" : "plain", 5) == 5) note(&f->arrived);
    close(fd);
}

static void on_lost(void *context, const struct sockaddr_storage *peer) {}
static void on_starved(void *context) {}

static int dial(uint16_t port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval deadline = { .tv_sec = DEADLINE_S };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void sockets_go_to_the_loops_in_turn(void **state)
{
    struct front f = { .arrived = EVENT_COUNT, .refused = EVENT_COUNT };
    const struct acceptor_config config = { .loops = f.loops,
                                            .loop_count = 2,
                                            .context = &f,
                                            .admit = admit,
                                            .arrived = on_arrived,
                                            .lost = on_lost,
                                            .starved = on_starved };
    struct acceptor *a;
    uint16_t port = 0, tls_port = 0;
    char got[8];
    for (int i = 0; i < 2; i++) assert_int_equal(loop_create(&f.loops[i], "test"), WEIR_OK);
    assert_int_equal(acceptor_create(&a, &config), WEIR_OK);
    assert_int_equal(acceptor_listen(a, "127.0.0.1:0", false, &port), WEIR_OK);
    assert_int_equal(acceptor_listen(a, "127.0.0.1:0", true, &tls_port), WEIR_OK);
    assert_int_equal(acceptor_listen(a, "no-address", false, &port), WEIR_CONFIG);
    for (int i = 0; i < 2; i++) assert_int_equal(loop_start(f.loops[i]), WEIR_OK);
    for (int i = 0; i < 10; i++) {
        const int fd = dial(i % 2 ? tls_port : port);
        assert_int_equal(recv(fd, got, 5, MSG_WAITALL), 5);
        assert_memory_equal(got, i % 2 ? "tls--" : "plain", 5);
        close(fd);
    }
    await(&f.arrived, 10);
    atomic_store(&f.is_closed, true);
    const int refused = dial(port);
    assert_true(recv(refused, got, sizeof got, 0) <= 0);
    close(refused);
    await(&f.refused, 1);
    acceptor_stop(a);
    for (int i = 0; i < 2; i++) loop_stop(f.loops[i]);
    for (int i = 0; i < 2; i++) loop_join(f.loops[i]);
    acceptor_destroy(a);
    for (int i = 0; i < 2; i++) loop_destroy(f.loops[i]);
    assert_int_equal(f.per_loop[0], 5);
    assert_int_equal(f.per_loop[1], 5);
    assert_false(f.was_elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_a_sender_keep_their_order),
        cmocka_unit_test(a_full_mailbox_refuses),
        cmocka_unit_test(what_is_left_is_run_at_the_end),
        cmocka_unit_test(a_timer_fires_and_may_be_armed_again),
        cmocka_unit_test(all_that_is_sent_is_read),
        cmocka_unit_test(those_unwatched_in_a_pass_are_not_called),
        cmocka_unit_test(what_no_socket_announces_is_read),
        cmocka_unit_test(sockets_go_to_the_loops_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
