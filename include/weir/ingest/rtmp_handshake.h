/* RTMP handshake, server side (RTMP 1.0, 5.2; the digest form as Flash clients and librtmp speak it). Pure.
 * The answer to C0 and C1 goes out at once; what C2 holds is never looked at, as no client depends on it. */
#ifndef WEIR_INGEST_RTMP_HANDSHAKE_H
#define WEIR_INGEST_RTMP_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/err.h>

#define RTMP_VERSION 3
#define RTMP_HANDSHAKE_BYTES 1536
#define RTMP_C0_C1_BYTES (1 + RTMP_HANDSHAKE_BYTES)
#define RTMP_S0_S1_S2_BYTES (1 + 2 * RTMP_HANDSHAKE_BYTES)

/* in: C0 and C1. random: bytes for S1's and S2's filling. uptime_ms: S1's time field.
 * out: S0, S1, S2. *used_digest: which form it was. WEIR_MALFORMED: C0 is no version 3; out is untouched. */
WEIR_MUST_CHECK enum weir_err rtmp_handshake_answer(const uint8_t in[RTMP_C0_C1_BYTES],
                                                    const uint8_t random[2 * RTMP_HANDSHAKE_BYTES], uint32_t uptime_ms,
                                                    uint8_t out[RTMP_S0_S1_S2_BYTES], bool *used_digest);

#endif
