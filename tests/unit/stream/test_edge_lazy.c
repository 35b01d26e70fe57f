/* Bodies made when asked for: once for all who come later, by whoever asks first. */
#include "hex.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/stream/edge_lazy.h>
#include <weir/stream/edge_snapshot.h>

#define THREADS 4

struct source {
    _Atomic int made, destroyed;
    bool has_no_memory;
};

static struct frozen *make(const void *context)
{
    struct source *s = *(struct source *const *)context;
    atomic_fetch_add(&s->made, 1);
    return s->has_no_memory ? NULL : frozen_copy("body", 4);
}

static void destroy(void *context)
{
    struct source *s = *(struct source **)context;
    atomic_fetch_add(&s->destroyed, 1);
    free(context);
}

static struct edge_lazy *create(struct source *s)
{
    struct source **context = malloc(sizeof *context);
    *context = s;
    struct edge_lazy *l = edge_lazy_create(&(struct edge_recipe){ make, destroy, context });
    assert_non_null(l);
    return l;
}

static void made_once_and_only_when_asked(void **unused_state)
{
    struct source s = { .made = 0 };
    struct edge_lazy *l = create(&s);
    assert_int_equal(s.made, 0);
    struct frozen *a = edge_lazy_get(l), *b = edge_lazy_get(l);
    assert_ptr_equal(a, b);
    assert_int_equal(s.made, 1);
    edge_lazy_unref(l);
    assert_int_equal(s.destroyed, 1);
    assert_int_equal(frozen_bytes(a), 4); /* whoever has it keeps it */
    frozen_unref(a);
    frozen_unref(b);
    edge_lazy_unref(NULL);
}

static void without_memory_it_is_tried_again(void **unused_state)
{
    struct source s = { .has_no_memory = true };
    struct edge_lazy *l = create(&s);
    assert_null(edge_lazy_get(l));
    s.has_no_memory = false;
    struct frozen *body = edge_lazy_get(l);
    assert_non_null(body);
    frozen_unref(body);
    edge_lazy_unref(l);
    assert_int_equal(s.made, 2);
}

static void *ask(void *context)
{
    struct frozen *body = edge_lazy_get(context);
    edge_lazy_unref(context);
    return body;
}

static void many_at_once(void **unused_state)
{
    for (int round = 0; round < 200; round++) {
        struct source s = { .made = 0 };
        struct edge_lazy *l = create(&s);
        pthread_t threads[THREADS];
        void *bodies[THREADS];
        for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask, edge_lazy_ref(l)), 0);
        edge_lazy_unref(l);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], &bodies[i]);
        for (int i = 0; i < THREADS; i++) {
            assert_ptr_equal(bodies[i], bodies[0]); /* all have the one that was kept */
            frozen_unref(bodies[i]);
        }
        assert_in_range(s.made, 1, THREADS);
        assert_int_equal(s.destroyed, 1);
    }
}

static void in_a_snapshot(void **unused_state)
{
    struct source s = { .made = 0 };
    struct edge_lazy *l = create(&s);
    struct frozen *playlist = frozen_copy("#EXTM3U\n", 8);
    const struct edge_object objects[] = {
        { .name = "a.ts", .kind = EDGE_SEGMENT, .lazy = l },
        { .name = EDGE_OWN_MULTIVARIANT, .kind = EDGE_MULTIVARIANT, .body = playlist }
    };
    struct edge_snapshot *snapshot = edge_snapshot_create(&(struct edge_snapshot_config){
        .media = EDGE_MUXED_TS, .playlist = playlist, .objects = objects, .object_count = 2 });
    edge_lazy_unref(l);
    struct frozen *body = edge_object_body(edge_snapshot_find(snapshot, "a.ts", 4));
    assert_int_equal(frozen_bytes(body), 4);
    frozen_unref(body);
    body = edge_object_body(edge_snapshot_find(snapshot, EDGE_OWN_MULTIVARIANT, 1));
    assert_ptr_equal(body, playlist);
    frozen_unref(body);
    frozen_unref(playlist);
    edge_snapshot_unref(snapshot);
    assert_int_equal(s.destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_and_only_when_asked),
        cmocka_unit_test(without_memory_it_is_tried_again),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(in_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
