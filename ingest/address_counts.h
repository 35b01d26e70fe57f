/* How many connections an address has. A fixed table of counters by hash: two addresses may share one, which only makes the
 * limit a little stricter for both; it never grows. Thread: any (atomics). */
#ifndef WEIR_INGEST_ADDRESS_COUNTS_H
#define WEIR_INGEST_ADDRESS_COUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_COUNTS_SLOTS 16384

struct address_counts {
    _Atomic uint32_t slots[ADDRESS_COUNTS_SLOTS];
    uint64_t salt; /* so that nobody can choose his neighbours */
};

/* false: the address has `max` already. */
bool address_counts_add(struct address_counts *c, const uint8_t address[16], uint32_t max);
bool address_counts_has_room(struct address_counts *c, const uint8_t address[16], uint32_t max); /* changes nothing */
void address_counts_remove(struct address_counts *c, const uint8_t address[16]);

#endif
