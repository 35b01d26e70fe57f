/* Supplemental enhancement information (H.264 and H.265, 7.3.2.3): the messages of a NAL unit, and what some of them are. */
#include "codec_internal.h"

#include <string.h>

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
