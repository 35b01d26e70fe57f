#include "sei.h"

#include <string.h>

enum { SEI_USER_DATA_T35 = 4, SEI_MASTERING_DISPLAY = 137, SEI_LIGHT_LEVEL = 144 };
#define PAYLOAD_BYTES_MAX 160

size_t captions_add(struct captions *c, const uint8_t *data, size_t bytes)
{
    bytes -= bytes % 3;
    size_t lost = 0;
    if (bytes > sizeof c->data) {
        lost = bytes - sizeof c->data;
        data += lost;
        bytes = sizeof c->data;
    }
    if (c->bytes + bytes > sizeof c->data) {
        const size_t over = c->bytes + bytes - sizeof c->data;
        memmove(c->data, c->data + over, c->bytes - over);
        c->bytes -= over;
        lost += over;
    }
    if (bytes) memcpy(c->data + c->bytes, data, bytes);
    c->bytes += bytes;
    return lost;
}

/* One message in a NAL unit of its own: header, type, size, payload, stop bit; 03 where two zeros would meet a small byte. */
static void write_sei(struct byte_writer *w, enum media_codec codec, unsigned type, const uint8_t *payload,
                      size_t bytes)
{
    struct byte_writer nal;
    const size_t length_at = w->bytes;
    byte_writer_init(&nal, PAYLOAD_BYTES_MAX + 16);
    write_u8(&nal, (uint8_t)type);
    write_u8(&nal, (uint8_t)bytes);
    write_bytes(&nal, payload, bytes);
    write_u8(&nal, 0x80);
    write_u32(w, 0);
    if (codec == CODEC_HEVC)
        write_u16(w, 39 << 9 | 1); /* PREFIX_SEI_NUT, layer 0, temporal id 0 (H.265 7.3.1.2) */
    else
        write_u8(w, 6);
    unsigned zeros = 0;
    for (size_t i = 0; i < nal.bytes && !nal.failed; i++) {
        if (zeros >= 2 && nal.data[i] <= 3) {
            write_u8(w, 3);
            zeros = 0;
        }
        write_u8(w, nal.data[i]);
        zeros = nal.data[i] ? 0 : zeros + 1;
    }
    if (nal.failed) w->failed = true;
    byte_writer_deinit(&nal);
    if (!w->failed) patch_u32(w, length_at, (uint32_t)(w->bytes - length_at - 4));
}

/* ATSC A/53 Part 4, 6.2.3: user_data_type_code 3 under identifier GA94. */
void sei_write_captions(struct byte_writer *w, enum media_codec codec, const struct captions *c)
{
    static const uint8_t head[] = { 0xB5, 0x00, 0x31, 'G', 'A', '9', '4', 3 };
    uint8_t payload[sizeof head + 2 + CAPTION_BYTES_MAX + 1];
    size_t at = sizeof head;
    if (!c->bytes || (codec != CODEC_H264 && codec != CODEC_HEVC)) return;
    memcpy(payload, head, sizeof head);
    payload[at++] = (uint8_t)(0x40 | c->bytes / 3); /* process_cc_data_flag, cc_count */
    payload[at++] = 0xFF;                           /* em_data */
    memcpy(payload + at, c->data, c->bytes);
    at += c->bytes;
    payload[at++] = 0xFF; /* marker_bits */
    write_sei(w, codec, SEI_USER_DATA_T35, payload, at);
}

static void put_u16(uint8_t **at, unsigned v)
{
    *(*at)++ = (uint8_t)(v >> 8);
    *(*at)++ = (uint8_t)v;
}

void sei_write_hdr(struct byte_writer *w, enum media_codec codec, const struct hdr_facts *hdr)
{
    uint8_t payload[24], *at = payload;
    if (codec != CODEC_H264 && codec != CODEC_HEVC) return;
    if (hdr->has_display) {
        const struct mastering_display *d = &hdr->display;
        for (unsigned i = 0; i < 3; i++) {
            put_u16(&at, d->primaries[i][0]);
            put_u16(&at, d->primaries[i][1]);
        }
        put_u16(&at, d->white[0]);
        put_u16(&at, d->white[1]);
        store_u32(at, d->luminance_max);
        store_u32(at + 4, d->luminance_min);
        write_sei(w, codec, SEI_MASTERING_DISPLAY, payload, sizeof payload);
    }
    if (hdr->has_light) {
        at = payload;
        put_u16(&at, hdr->light.content_max);
        put_u16(&at, hdr->light.average_max);
        write_sei(w, codec, SEI_LIGHT_LEVEL, payload, 4);
    }
}
