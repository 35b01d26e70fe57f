#include <weir/loadgen/stamp.h>

#include <assert.h>
#include <string.h>

#define SEI_USER_DATA_UNREGISTERED 5
#define TIME_BYTES 8
#define FRAME_BYTES 5

static const uint8_t uuid[16] = { 0x8B, 0x1E, 0x5A, 0xD3, 0x77, 0xC4, 0x4F, 0x96,
                                  0xA9, 0x6D, 0x3C, 0xF2, 0x91, 0x58, 0xE7, 0x2D };

/* Seven bits to a byte, the highest always set. */
static void put(uint8_t *at, size_t bytes, uint64_t value)
{
    for (size_t i = bytes; i-- > 0; value >>= 7) at[i] = (uint8_t)(0x80 | (value & 0x7F));
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 7 | (at[i] & 0x7F);
    return value;
}

size_t stamp_write_nal(enum media_codec codec, const struct stamp *s, uint8_t out[STAMP_NAL_BYTES_MAX])
{
    assert(codec == CODEC_H264 || codec == CODEC_HEVC);
    uint8_t *at = out;
    if (codec == CODEC_H264) {
        *at++ = 0x06;
    } else {
        *at++ = 39 << 1; /* PREFIX_SEI_NUT, layer 0 */
        *at++ = 1;
    }
    *at++ = SEI_USER_DATA_UNREGISTERED;
    *at++ = STAMP_BYTES;
    stamp_renew(at, s);
    at += STAMP_BYTES;
    *at++ = 0x80; /* rbsp_trailing_bits */
    return (size_t)(at - out);
}

const uint8_t *stamp_find(const uint8_t *data, size_t bytes)
{
    const uint8_t *end = data + bytes;
    for (const uint8_t *at = data; (at = memmem(at, (size_t)(end - at), uuid, sizeof uuid)) != NULL; at++) {
        if ((size_t)(end - at) < STAMP_BYTES) return NULL;
        /* elsewhere in the picture the same sixteen bytes are next to impossible; these bits are always set */
        bool is_whole = true;
        for (size_t i = sizeof uuid; i < STAMP_BYTES; i++) is_whole = is_whole && (at[i] & 0x80);
        if (is_whole) return at;
    }
    return NULL;
}

struct stamp stamp_read(const uint8_t at[STAMP_BYTES])
{
    return (struct stamp){ .wall_us = (int64_t)get(at + sizeof uuid, TIME_BYTES),
                           .frame = get(at + sizeof uuid + TIME_BYTES, FRAME_BYTES) };
}

void stamp_renew(uint8_t at[STAMP_BYTES], const struct stamp *s)
{
    memcpy(at, uuid, sizeof uuid);
    put(at + sizeof uuid, TIME_BYTES, (uint64_t)s->wall_us);
    put(at + sizeof uuid + TIME_BYTES, FRAME_BYTES, s->frame);
}
