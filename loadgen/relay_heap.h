/* What is on its way through relays: by due time, then by order of arrival. Pure. */
#ifndef WEIR_LOADGEN_RELAY_HEAP_H
#define WEIR_LOADGEN_RELAY_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct relay_cargo {
    int64_t due_us;
    uint64_t order;
    struct client *owner;
    struct relay_cargo *next;
    int way;
    size_t bytes, at;
    uint8_t data[];
};

struct relay_heap {
    struct relay_cargo **items;
    size_t count, capacity;
    uint64_t order;
};

void relay_heap_deinit(struct relay_heap *h); /* frees what is in it */
/* false: LOADGEN_RELAY_CARGO_MAX, or no memory; the cargo is still the caller's. */
bool relay_heap_give(struct relay_heap *h, struct relay_cargo *cargo);
/* The first one that is due; NULL: none. The caller's from then on. */
struct relay_cargo *relay_heap_take(struct relay_heap *h, int64_t now_us);
int64_t relay_heap_due_us(const struct relay_heap *h); /* INT64_MAX: it is empty */

#endif
