#include <weir/loadgen/stamp.h>

#include <assert.h>
#include <string.h>

#define SEI_USER_DATA_UNREGISTERED 5
#define UUID_BYTES 16
#define TIME_BYTES 8
#define FRAME_BYTES 5
#define TIME_AT UUID_BYTES
#define FRAME_AT (TIME_AT + TIME_BYTES)
#define PTS_AT (FRAME_AT + FRAME_BYTES)
#define DATA_STREAM_ELEMENT                                                                                            \
    0x81 /* ID_DSE, instance 0, aligned: with its length it is whole bytes, and what follows stays aligned */

static const uint8_t picture_uuid[UUID_BYTES] = { 0x8B, 0x1E, 0x5A, 0xD3, 0x77, 0xC4, 0x4F, 0x96,
                                                  0xA9, 0x6D, 0x3C, 0xF2, 0x91, 0x58, 0xE7, 0x2D };
static const uint8_t sound_uuid[UUID_BYTES] = { 0xC6, 0x31, 0x9F, 0x74, 0x2E, 0xB8, 0x4A, 0x57,
                                                0x8D, 0xE3, 0x15, 0xA2, 0x6B, 0xF9, 0x40, 0xDC };

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
    memcpy(at, picture_uuid, sizeof picture_uuid);
    stamp_renew(at, s);
    at += STAMP_BYTES;
    *at++ = 0x80; /* rbsp_trailing_bits */
    return (size_t)(at - out);
}

void stamp_write_sound(const struct stamp *s, uint8_t out[STAMP_SOUND_BYTES])
{
    out[0] = DATA_STREAM_ELEMENT;
    out[1] = STAMP_BYTES;
    memcpy(out + 2, sound_uuid, sizeof sound_uuid);
    stamp_renew(out + 2, s);
}

static const uint8_t *find(const uint8_t *data, size_t bytes, const uint8_t uuid[UUID_BYTES])
{
    const uint8_t *end = data + bytes;
    for (const uint8_t *at = data; (at = memmem(at, (size_t)(end - at), uuid, UUID_BYTES)) != NULL; at++) {
        if ((size_t)(end - at) < STAMP_BYTES) return NULL;
        /* elsewhere in the media the same sixteen bytes are next to impossible; these bits are always set */
        bool is_whole = true;
        for (size_t i = UUID_BYTES; i < STAMP_BYTES; i++) is_whole = is_whole && (at[i] & 0x80);
        if (is_whole) return at;
    }
    return NULL;
}

const uint8_t *stamp_find(const uint8_t *data, size_t bytes)
{
    return find(data, bytes, picture_uuid);
}

const uint8_t *stamp_find_sound(const uint8_t *data, size_t bytes)
{
    return find(data, bytes, sound_uuid);
}

struct stamp stamp_read(const uint8_t at[STAMP_BYTES])
{
    return (struct stamp){ .wall_us = (int64_t)get(at + TIME_AT, TIME_BYTES),
                           .frame = get(at + FRAME_AT, FRAME_BYTES),
                           .pts_us = (int64_t)get(at + PTS_AT, TIME_BYTES) };
}

void stamp_renew(uint8_t at[STAMP_BYTES], const struct stamp *s)
{
    put(at + TIME_AT, TIME_BYTES, (uint64_t)s->wall_us);
    put(at + FRAME_AT, FRAME_BYTES, s->frame);
    put(at + PTS_AT, TIME_BYTES, (uint64_t)s->pts_us);
}
