#include <weir/stream/edge_lazy.h>

#include <stdatomic.h>
#include <stdlib.h>

struct edge_lazy {
    _Atomic uint32_t refs;
    struct edge_recipe recipe;
    struct frozen *_Atomic body; /* NULL: not made yet; set once */
};

struct edge_lazy *edge_lazy_create(const struct edge_recipe *recipe)
{
    struct edge_lazy *l = malloc(sizeof *l);
    if (!l) {
        recipe->destroy(recipe->context);
        return NULL;
    }
    atomic_init(&l->refs, 1);
    atomic_init(&l->body, NULL);
    l->recipe = *recipe;
    return l;
}

struct edge_lazy *edge_lazy_ref(struct edge_lazy *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void edge_lazy_unref(struct edge_lazy *l)
{
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1) return;
    frozen_unref(atomic_load_explicit(&l->body, memory_order_relaxed));
    l->recipe.destroy(l->recipe.context);
    free(l);
}

struct frozen *edge_lazy_get(struct edge_lazy *l)
{
    struct frozen *body = atomic_load_explicit(&l->body, memory_order_acquire);
    if (body) return frozen_ref(body);
    struct frozen *made = l->recipe.make(l->recipe.context);
    if (!made) return NULL;
    if (atomic_compare_exchange_strong_explicit(&l->body, &body, made, memory_order_acq_rel, memory_order_acquire))
        return frozen_ref(made);
    frozen_unref(made); /* another thread was faster */
    return frozen_ref(body);
}
