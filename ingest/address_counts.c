#include "address_counts.h"

static _Atomic uint32_t *slot_of(struct address_counts *c, const uint8_t address[16])
{
    uint64_t hash = c->salt ^ 0xCBF29CE484222325u;
    for (int i = 0; i < 16; i++) hash = (hash ^ address[i]) * 0x100000001B3u;
    return &c->slots[(hash ^ hash >> 32) % ADDRESS_COUNTS_SLOTS];
}

bool address_counts_add(struct address_counts *c, const uint8_t address[16], uint32_t max)
{
    _Atomic uint32_t *slot = slot_of(c, address);
    if (atomic_fetch_add_explicit(slot, 1, memory_order_relaxed) < max) return true;
    atomic_fetch_sub_explicit(slot, 1, memory_order_relaxed);
    return false;
}

bool address_counts_has_room(struct address_counts *c, const uint8_t address[16], uint32_t max)
{
    return atomic_load_explicit(slot_of(c, address), memory_order_relaxed) < max;
}

void address_counts_remove(struct address_counts *c, const uint8_t address[16])
{
    atomic_fetch_sub_explicit(slot_of(c, address), 1, memory_order_relaxed);
}
