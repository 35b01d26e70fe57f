#include <weir/stream/segment_shelf.h>

#include <stdatomic.h>
#include <stdlib.h>

struct shelf_past *shelf_past_create(size_t count)
{
    if (count > SIZE_MAX / sizeof(struct shelf_past_segment) / 2) return NULL;
    struct shelf_past *past = calloc(1, sizeof *past + count * sizeof past->segments[0]);
    if (!past) return NULL;
    atomic_init(&past->refs, 1);
    past->count = count;
    return past;
}

struct shelf_past *shelf_past_ref(struct shelf_past *past)
{
    atomic_fetch_add_explicit(&past->refs, 1, memory_order_relaxed);
    return past;
}

void shelf_past_unref(struct shelf_past *past)
{
    if (past && atomic_fetch_sub_explicit(&past->refs, 1, memory_order_acq_rel) == 1) free(past);
}
