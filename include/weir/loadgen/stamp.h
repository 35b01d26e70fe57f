/* The mark that a publisher puts into each picture: when it was sent by the wall clock, and which frame of its publisher it is. A user data
 * unregistered SEI (H.264 and H.265 annex D.2.7) under a UUID of our own, so that latency is read without decoding. No byte of it is
 * zero: it needs no emulation prevention, and stands the same way in AVCC, Annex B, fMP4 and TS. Pure; thread: the caller's. */
#ifndef WEIR_LOADGEN_STAMP_H
#define WEIR_LOADGEN_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/media/codec.h>

#define STAMP_BYTES (16 + 8 + 5)              /* UUID, time, frame */
#define STAMP_NAL_BYTES_MAX (STAMP_BYTES + 5) /* with the NAL header, type, size and trailing bits */

struct stamp {
    int64_t wall_us; /* since 1970, when its bytes were made to be sent; 56 bits count */
    uint64_t frame;  /* of this publisher, from 0; goes on over loops of the source and reconnects; 35 bits count */
};

/* The SEI as a NAL unit without length or start code; how long it is. codec: H264 or HEVC. */
size_t stamp_write_nal(enum media_codec codec, const struct stamp *s, uint8_t out[STAMP_NAL_BYTES_MAX]);
/* Where the first stamp in data begins (at its UUID), or NULL. What was cut into transport packets is found where it lies in one. */
const uint8_t *stamp_find(const uint8_t *data, size_t bytes);
struct stamp stamp_read(const uint8_t at[STAMP_BYTES]);
void stamp_renew(uint8_t at[STAMP_BYTES], const struct stamp *s);

#endif
