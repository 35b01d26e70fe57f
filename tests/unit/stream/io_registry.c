/* Who owns a name: claims, refusals, take-overs between loops, holding, ending; asked the way ingest asks, by publication. */
#include "hex.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/loop.h>
#include <weir/stream/publication.h>

#define DEADLINE_S 10

/* -- a house of two loops, an open gate and a registry -- */

static struct stream_policy policy;

static void ask(struct publish_gate *gate, const struct publish_request *request, struct loop *loop,
                void (*answer)(void *, enum publish_verdict, const struct stream_policy *), void *context);
static struct publish_gate gate = { .ask = ask };

struct asked {
    void (*answer)(void *, enum publish_verdict, const struct stream_policy *);
    void *context;
    enum publish_verdict verdict;
};

static void deliver(void *a, void *b)
{
    struct asked *q = a;
    q->answer(q->context, q->verdict, &policy);
    free(q);
}

/* The key "wrong" is wrong. */
static void ask(struct publish_gate *g, const struct publish_request *request, struct loop *loop,
                void (*answer)(void *, enum publish_verdict, const struct stream_policy *), void *context)
{
    struct asked *q = malloc(sizeof *q);
    *q = (struct asked){ .answer = answer, .context = context };
    q->verdict = strcmp(request->key, "wrong") ? PUBLISH_ALLOWED : PUBLISH_BAD_KEY;
    if (loop_post(loop, deliver, q, NULL)) abort();
}

struct house {
    struct loop *loops[2];
    struct registry *registry;
};

static enum weir_err furnish(void *context, struct stream *stream)
{
    return WEIR_OK;
}

static void setup(struct house *h, uint32_t streams_max, int64_t retain_us)
{
    const struct registry_config config = {
        .furnish = furnish, .streams_max = streams_max, .silent_us = 60000000, .retain_us = retain_us
    };
    policy = (struct stream_policy){
        .hold_us = 60000000, .segment_us = 2000000, .segment_max_us = 3000000, .window_us = 10000000
    };
    assert_int_equal(registry_create(&h->registry, &config), WEIR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_create(&h->loops[i], "test"), WEIR_OK);
        assert_int_equal(loop_start(h->loops[i]), WEIR_OK);
    }
}

static void teardown(struct house *h)
{
    for (int i = 0; i < 2; i++) loop_stop(h->loops[i]);
    for (int i = 0; i < 2; i++) loop_join(h->loops[i]);
    while (loop_drain(h->loops[0]) + loop_drain(h->loops[1])) continue;
    registry_destroy(h->registry);
    for (int i = 0; i < 2; i++) loop_destroy(h->loops[i]);
}

/* -- a publisher, driven from the test's thread -- */

enum what { NOTHING, ACCEPTED, REFUSED, REVOKED, GONE };

struct publisher {
    struct house *house;
    struct loop *loop;
    struct publish_request request;
    struct publication *publication;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum what what;
    enum publish_verdict verdict;
    bool is_final;
};

static void tell(struct publisher *p, enum what what)
{
    pthread_mutex_lock(&p->lock);
    p->what = what;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void on_accepted(void *context, struct stream *stream)
{
    tell(context, ACCEPTED);
}
static void on_refused(void *context, enum publish_verdict verdict)
{
    struct publisher *p = context;
    p->verdict = verdict;
    tell(p, REFUSED);
}
static void on_revoked(void *context)
{
    tell(context, REVOKED);
}

static void start(void *a, void *b)
{
    struct publisher *p = a;
    const struct publication_events events = {
        .context = p, .accepted = on_accepted, .refused = on_refused, .revoked = on_revoked
    };
    p->publication = publication_start(&gate, p->house->registry, p->loop, &p->request, &events);
}

static void finish(void *a, void *b)
{
    struct publisher *p = a;
    publication_end(p->publication, p->is_final);
    tell(p, GONE);
}

static struct publisher publisher(struct house *h, int loop, const char *name, const char *key, uint8_t address)
{
    struct publisher p = { .house = h, .loop = h->loops[loop], .request = { .protocol = "test", .peer = "test" } };
    strcpy(p.request.name, name);
    strcpy(p.request.key, key);
    p.request.address[15] = address;
    return p;
}

static void publish(struct publisher *p)
{
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    assert_int_equal(loop_post(p->loop, start, p, NULL), WEIR_OK);
}

static void expect(struct publisher *p, enum what wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&p->lock);
    while (p->what != wanted) {
        if (pthread_cond_timedwait(&p->changed, &p->lock, &until))
            fail_msg("waited %d s for %d, have %d (verdict %d)", DEADLINE_S, (int)wanted, (int)p->what,
                     (int)p->verdict);
    }
    pthread_mutex_unlock(&p->lock);
}

static void leave(struct publisher *p, bool is_final)
{
    p->is_final = is_final;
    assert_int_equal(loop_post(p->loop, finish, p, NULL), WEIR_OK);
    expect(p, GONE);
}

static enum stream_state state_of(struct house *h, const char *name)
{
    struct live_edge *e = registry_find(h->registry, name, strlen(name));
    const enum stream_state state = e ? live_edge_state(e) : 0;
    live_edge_unref(e);
    return state;
}

/* The moment that a timer of the house acts: waited for by looking, with a deadline. */
static void await_state(struct house *h, const char *name, enum stream_state wanted)
{
    const int64_t until_us = clock_now_us() + DEADLINE_S * 1000000LL;
    while (state_of(h, name) != wanted) {
        if (clock_now_us() > until_us) fail_msg("%s: state %d, expected %d", name, (int)state_of(h, name), (int)wanted);
        sched_yield();
    }
}

/* -- tests -- */

static void one_name_one_publisher(void **state)
{
    struct house h;
    setup(&h, 10, 60000000);
    assert_null(registry_find(h.registry, "live/a", 6));
    struct publisher first = publisher(&h, 0, "live/a", "k1", 1), second = publisher(&h, 1, "live/a", "k2", 2),
                     other = publisher(&h, 1, "live/b", "k2", 2), wrong = publisher(&h, 0, "live/c", "wrong", 1);
    publish(&first);
    expect(&first, ACCEPTED);
    publish(&second);
    expect(&second, REFUSED);
    assert_int_equal(second.verdict, PUBLISH_BUSY);
    publish(&other);
    expect(&other, ACCEPTED);
    publish(&wrong);
    expect(&wrong, REFUSED);
    assert_int_equal(wrong.verdict, PUBLISH_BAD_KEY);
    assert_int_equal(registry_count(h.registry), 2);
    struct live_edge *edges[4];
    assert_int_equal(registry_list(h.registry, edges, 4), 2);
    assert_string_equal(live_edge_name(edges[0]), "live/a");
    assert_string_equal(live_edge_name(edges[1]), "live/b");
    live_edge_unref(edges[0]);
    live_edge_unref(edges[1]);
    leave(&second, true);
    leave(&wrong, true);
    leave(&first, false);
    leave(&other, true);
    teardown(&h);
}

/* Asked beforehand, the registry says no only where the claim would. */
static void what_can_be_foreseen(void **state)
{
    struct house h;
    setup(&h, 1, 60000000);
    struct publisher first = publisher(&h, 0, "live/a", "k1", 1), other = publisher(&h, 1, "live/a", "k2", 2),
                     new = publisher(&h, 1, "live/b", "k2", 2);
    assert_int_equal(registry_foresee(h.registry, &first.request, &policy), PUBLISH_ALLOWED);
    assert_int_equal(registry_count(h.registry), 0);
    publish(&first);
    expect(&first, ACCEPTED);
    assert_int_equal(registry_foresee(h.registry, &other.request, &policy), PUBLISH_BUSY);
    assert_int_equal(registry_foresee(h.registry, &new.request, &policy), PUBLISH_LIMIT);
    assert_int_equal(registry_foresee(h.registry, &first.request, &policy), PUBLISH_ALLOWED); /* itself, coming back */
    policy.may_take_over = true;
    assert_int_equal(registry_foresee(h.registry, &other.request, &policy), PUBLISH_ALLOWED);
    policy.may_take_over = false;
    leave(&first, false);
    assert_int_equal(registry_foresee(h.registry, &other.request, &policy), PUBLISH_ALLOWED); /* held for whoever may */
    teardown(&h);
}

static void the_same_key_and_address_comes_back_on_another_loop(void **state)
{
    struct house h;
    setup(&h, 10, 60000000);
    struct publisher old = publisher(&h, 0, "live/a", "k", 1), back = publisher(&h, 1, "live/a", "k", 1);
    publish(&old);
    expect(&old, ACCEPTED);
    struct live_edge *before = registry_find(h.registry, "live/a", 6);
    publish(&back);
    expect(&old, REVOKED);
    expect(&back, ACCEPTED);
    struct live_edge *after = registry_find(h.registry, "live/a", 6);
    assert_non_null(after);
    assert_ptr_equal(before, after);
    assert_int_equal(after ? figure_read(&live_edge_figures(after)->publishes) : 0, 2);
    live_edge_unref(before);
    live_edge_unref(after);
    leave(&old, false);
    assert_int_equal(registry_count(h.registry), 1);
    leave(&back, false);
    teardown(&h);
}

static void whoever_is_allowed_to_takes_over(void **state)
{
    struct house h;
    setup(&h, 10, 60000000);
    policy.may_take_over = true;
    struct publisher chain[6];
    for (int i = 0; i < 6; i++) {
        chain[i] = publisher(&h, i % 2, "live/a", "", (uint8_t)(i + 1));
        publish(&chain[i]);
        expect(&chain[i], ACCEPTED);
        if (i) expect(&chain[i - 1], REVOKED);
    }
    for (int i = 0; i < 6; i++) leave(&chain[i], i == 5);
    await_state(&h, "live/a", STREAM_ENDED);
    teardown(&h);
}

static void held_then_ended_then_forgotten(void **state)
{
    struct house h;
    setup(&h, 1, 1000);
    policy.hold_us = 1000;
    struct publisher p = publisher(&h, 0, "live/a", "k", 1), q = publisher(&h, 1, "live/b", "k", 1);
    publish(&p);
    expect(&p, ACCEPTED);
    publish(&q);
    expect(&q, REFUSED);
    assert_int_equal(q.verdict, PUBLISH_LIMIT);
    leave(&q, true);
    leave(&p, false);
    await_state(&h, "live/a", 0);
    assert_int_equal(registry_count(h.registry), 0);
    struct publisher again = publisher(&h, 1, "live/b", "k", 1);
    publish(&again);
    expect(&again, ACCEPTED);
    leave(&again, true);
    teardown(&h);
}

/* Gone before the answer came: nobody is left holding the name. */
static void impatient_publishers_leave_no_trace(void **state)
{
    struct house h;
    setup(&h, 100, 1000);
    policy.hold_us = 1000;
    static struct publisher crowd[50];
    for (int i = 0; i < 50; i++) {
        crowd[i] = publisher(&h, i % 2, i % 3 ? "live/a" : "live/b", "k", 1);
        crowd[i].is_final = i % 2;
        publish(&crowd[i]);
        assert_int_equal(loop_post(crowd[i].loop, finish, &crowd[i], NULL), WEIR_OK);
    }
    for (int i = 0; i < 50; i++) expect(&crowd[i], GONE);
    await_state(&h, "live/a", 0);
    await_state(&h, "live/b", 0);
    teardown(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_name_one_publisher),
        cmocka_unit_test(what_can_be_foreseen),
        cmocka_unit_test(the_same_key_and_address_comes_back_on_another_loop),
        cmocka_unit_test(whoever_is_allowed_to_takes_over),
        cmocka_unit_test(held_then_ended_then_forgotten),
        cmocka_unit_test(impatient_publishers_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
