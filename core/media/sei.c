/* Supplemental enhancement information (H.264 and H.265, 7.3.2.3): the messages of a NAL unit, and what some of them are. */
#include "codec_internal.h"

#include <string.h>

#define UUID_BYTES 16
#define TIME_STAMP_BYTES (UUID_BYTES + 1 + 11) /* status; four times two bytes with FF between them */

void sei_walk_init(struct sei_walk *w, const uint8_t *payload, size_t bytes)
{
    w->bytes = nal_unescape(payload, bytes, w->raw, sizeof w->raw);
    w->at = 0;
}

/* A number as so many 0xFF and a last byte. */
static uint32_t read_sum(struct sei_walk *w)
{
    uint32_t sum = 0;
    while (w->at < w->bytes && w->raw[w->at] == 0xFF) sum += w->raw[w->at++];
    if (w->at < w->bytes) sum += w->raw[w->at++];
    return sum;
}

bool sei_walk_next(struct sei_walk *w, uint32_t *type, struct byte_span *payload)
{
    if (w->at + 2 > w->bytes) return false;
    *type = read_sum(w);
    const uint32_t size = read_sum(w);
    const size_t left = w->bytes - w->at;
    *payload = (struct byte_span){ w->raw + w->at, size < left ? size : left };
    w->at += payload->bytes;
    return true;
}

bool sei_is_captions(uint32_t type, struct byte_span payload)
{
    /* user_data_registered_itu_t_t35: United States, ATSC, "GA94", cc_data (ATSC A/53 Part 4, 6.2.3) */
    static const uint8_t head[] = { 0xB5, 0x00, 0x31, 'G', 'A', '9', '4', 3 };
    return type == 4 && payload.bytes > sizeof head && !memcmp(payload.data, head, sizeof head) &&
           (payload.data[sizeof head] & 0x1F) > 0; /* cc_count */
}

int64_t sei_precision_time_us(uint32_t type, struct byte_span payload)
{
    /* user_data_unregistered (D.2.7 in both); H.264 has microseconds alone */
    static const struct {
        uint8_t uuid[UUID_BYTES];
        int64_t per_us;
    } kinds[] = {
        { { 'M', 'I', 'S', 'P', 'm', 'i', 'c', 'r', 'o', 's', 'e', 'c', 't', 'i', 'm', 'e' }, 1 },
        { { 0xA8, 0x68, 0x7D, 0xD4, 0xD7, 0x59, 0x37, 0x58, 0xA5, 0xCE, 0xF0, 0x33, 0x8B, 0x65, 0x45, 0xF1 }, 1 },
        { { 0xCF, 0x84, 0x82, 0x78, 0xEE, 0x23, 0x30, 0x6C, 0x92, 0x65, 0xE8, 0xFE, 0xF2, 0x2F, 0xB8, 0xB8 }, 1000 },
    };
    if (type != 5 || payload.bytes < TIME_STAMP_BYTES) return 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (memcmp(payload.data, kinds[i].uuid, UUID_BYTES) != 0) continue;
        uint64_t time = 0;
        for (size_t at = UUID_BYTES + 1; at < TIME_STAMP_BYTES; at += 3)
            time = time << 16 | (uint64_t)payload.data[at] << 8 | payload.data[at + 1];
        return time <= INT64_MAX ? (int64_t)time / kinds[i].per_us : 0;
    }
    return 0;
}
