#include "relay_heap.h"

#include <stdlib.h>
#include <weir/base/limits.h>

static bool is_before(const struct relay_cargo *a, const struct relay_cargo *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

bool relay_heap_give(struct relay_heap *h, struct relay_cargo *cargo)
{
    if (h->count == LOADGEN_RELAY_CARGO_MAX) return false;
    if (h->count == h->capacity) {
        const size_t capacity = h->capacity ? h->capacity * 2 : 1024;
        struct relay_cargo **grown = realloc(h->items, capacity * sizeof *grown);
        if (!grown) return false;
        h->items = grown;
        h->capacity = capacity;
    }
    cargo->order = h->order++;
    size_t at = h->count++;
    for (; at && is_before(cargo, h->items[(at - 1) / 2]); at = (at - 1) / 2) h->items[at] = h->items[(at - 1) / 2];
    h->items[at] = cargo;
    return true;
}

struct relay_cargo *relay_heap_take(struct relay_heap *h, int64_t now_us)
{
    if (!h->count || h->items[0]->due_us > now_us) return NULL;
    struct relay_cargo *first = h->items[0], *last = h->items[--h->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && is_before(h->items[child + 1], h->items[child])) child++;
        if (!is_before(h->items[child], last)) break;
        h->items[at] = h->items[child];
    }
    if (h->count) h->items[at] = last;
    return first;
}

int64_t relay_heap_due_us(const struct relay_heap *h)
{
    return h->count ? h->items[0]->due_us : INT64_MAX;
}

void relay_heap_deinit(struct relay_heap *h)
{
    for (size_t i = 0; i < h->count; i++) free(h->items[i]);
    free(h->items);
    *h = (struct relay_heap){ 0 };
}
