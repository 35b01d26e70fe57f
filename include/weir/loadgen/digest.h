/* A digest of 64 bits over a body that comes in pieces: to tell bodies apart at the speed they come in, not to withstand an attacker.
 * Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_DIGEST_H
#define WEIR_LOADGEN_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t state, bytes;
    uint8_t rest[8]; /* what does not fill eight bytes yet: bytes % 8 of them */
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t bytes);
uint64_t digest_value(const struct digest *d); /* more may be added behind it */
uint64_t digest_of(const void *data, size_t bytes);

#endif
