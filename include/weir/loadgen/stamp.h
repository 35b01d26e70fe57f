/* The marks that a publisher puts into its media, so that latency, missing pictures and the offset between sound and picture are read without
 * decoding: when it was sent by the wall clock, where it is presented on its publisher's own timeline, and which frame of its publisher it
 * is. In each picture a user data unregistered SEI (H.264 and H.265 annex D.2.7) under a UUID of our own; in audio frames a data stream
 * element (ISO 14496-3 4.4.2.7, which decoders skip) under another. No byte of them is zero: they need no emulation prevention, and stand
 * the same way in AVCC, Annex B, ADTS, fMP4 and TS. Pure; thread: the caller's. */
#ifndef WEIR_LOADGEN_STAMP_H
#define WEIR_LOADGEN_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/media/codec.h>

#define STAMP_BYTES (16 + 8 + 5 + 8)          /* UUID, time, frame, presentation */
#define STAMP_NAL_BYTES_MAX (STAMP_BYTES + 5) /* with the NAL header, type, size and trailing bits */
#define STAMP_SOUND_BYTES (STAMP_BYTES + 2)   /* with the element's head */

struct stamp {
    int64_t wall_us; /* since 1970, when its bytes were made to be sent; 56 bits count. 0: the mark was not filled in */
    uint64_t
        frame; /* of this publisher, from 0; goes on over loops of the source and reconnects; 35 bits count. Sound: 0 */
    int64_t pts_us; /* as its publisher means it, from the beginning of its session; 56 bits count */
};

/* The SEI as a NAL unit without length or start code; how long it is. codec: H264 or HEVC. */
size_t stamp_write_nal(enum media_codec codec, const struct stamp *s, uint8_t out[STAMP_NAL_BYTES_MAX]);
/* To be put in front of an AAC frame (raw_data_block). */
void stamp_write_sound(const struct stamp *s, uint8_t out[STAMP_SOUND_BYTES]);
/* Where the first stamp in data begins (at its UUID), or NULL. What was cut into transport packets is found where it lies in one. */
const uint8_t *stamp_find(const uint8_t *data, size_t bytes);
/* The same of sound. */
const uint8_t *stamp_find_sound(const uint8_t *data, size_t bytes);
struct stamp stamp_read(const uint8_t at[STAMP_BYTES]);
void stamp_renew(uint8_t at[STAMP_BYTES], const struct stamp *s);

#endif
