#include "ts_builder.h"

#include "hex.h"

#include <stdlib.h>
#include <string.h>

void ts_builder_init(struct ts_builder *b)
{
    memset(b, 0, sizeof *b);
    b->data = malloc(TS_BUILD_BYTES_MAX);
    assert_non_null(b->data);
}

void ts_builder_deinit(struct ts_builder *b)
{
    free(b->data);
}

void ts_build_raw(struct ts_builder *b, const void *data, size_t bytes)
{
    assert_true(b->bytes + bytes <= TS_BUILD_BYTES_MAX);
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
}

size_t ts_build_packet(struct ts_builder *b, const struct ts_build_packet *packet, const uint8_t *payload,
                       size_t payload_bytes)
{
    uint8_t p[188];
    const bool has_flags = packet->is_discontinuity || packet->is_random_access || packet->pcr_90k != NO_PCR;
    size_t field = has_flags ? 2 + (packet->pcr_90k != NO_PCR ? 6 : 0) : 0; /* with its length byte */
    size_t taken = 184 - field;
    if (packet->has_no_payload) taken = 0;
    if (taken > payload_bytes) taken = packet->has_no_payload ? 0 : payload_bytes;
    field = 184 - taken;
    memset(p, 0xFF, sizeof p);
    p[0] = 0x47;
    p[1] = (uint8_t)(packet->has_error << 7 | packet->is_start << 6 | packet->pid >> 8);
    p[2] = (uint8_t)packet->pid;
    uint8_t *continuity = &b->continuity[packet->pid];
    if (packet->keeps_continuity || packet->has_no_payload) *continuity = (*continuity + 15) & 15;
    p[3] = (uint8_t)(packet->scrambling << 6 | (field > 0) << 5 | !packet->has_no_payload << 4 | *continuity);
    *continuity = (*continuity + 1) & 15;
    if (field) p[4] = (uint8_t)(field - 1);
    if (field > 1) {
        p[5] = (uint8_t)(packet->is_discontinuity << 7 | packet->is_random_access << 6 |
                         (packet->pcr_90k != NO_PCR) << 4);
    }
    if (packet->pcr_90k != NO_PCR) {
        for (int i = 0; i < 4; i++) p[6 + i] = (uint8_t)(packet->pcr_90k >> (25 - 8 * i));
        p[10] = (uint8_t)((packet->pcr_90k & 1) << 7 | 0x7E);
        p[11] = 0;
    }
    if (taken) memcpy(p + 4 + field, payload, taken);
    ts_build_raw(b, p, sizeof p);
    return taken;
}

void ts_build_null(struct ts_builder *b)
{
    static const uint8_t filling[184] = { 0 };
    ts_build_packet(b, &(struct ts_build_packet){ .pid = 0x1FFF, .pcr_90k = NO_PCR }, filling, sizeof filling);
}

void ts_build_lose(struct ts_builder *b)
{
    assert_true(b->bytes >= 188);
    b->bytes -= 188;
}

static uint32_t crc_bit_by_bit(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < bytes; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            const uint32_t top = (crc >> 31) ^ (data[i] >> bit & 1);
            crc <<= 1;
            if (top) crc ^= 0x04C11DB7;
        }
    }
    return crc;
}

void ts_build_section(struct ts_builder *b, unsigned pid, uint8_t *section, size_t bytes)
{
    const uint32_t crc = crc_bit_by_bit(section, bytes - 4);
    for (int i = 0; i < 4; i++) section[bytes - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    uint8_t payload[4200] = { 0 };
    memcpy(payload + 1, section, bytes);
    /* what is left of the last packet is stuffing of the section's kind */
    const size_t packets = (bytes + 1 + 183) / 184;
    memset(payload + 1 + bytes, 0xFF, packets * 184 - bytes - 1);
    for (size_t i = 0; i < packets; i++) {
        const struct ts_build_packet packet = { .pid = pid, .is_start = !i, .pcr_90k = NO_PCR };
        ts_build_packet(b, &packet, payload + 184 * i, 184);
    }
}

static size_t begin_section(uint8_t *s, unsigned table, unsigned id, unsigned version)
{
    const uint8_t head[8] = {
        (uint8_t)table, 0xB0, 0, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(0xC1 | version << 1)
    };
    memcpy(s, head, sizeof head);
    return sizeof head;
}

static void end_section(struct ts_builder *b, unsigned pid, uint8_t *s, size_t used)
{
    const size_t bytes = used + 4;
    s[1] = (uint8_t)(0xB0 | (bytes - 3) >> 8);
    s[2] = (uint8_t)(bytes - 3);
    ts_build_section(b, pid, s, bytes);
}

void ts_build_pat(struct ts_builder *b, unsigned version, const struct ts_build_program *programs, size_t count)
{
    uint8_t s[4096];
    size_t used = begin_section(s, 0, 1, version);
    for (size_t i = 0; i < count; i++) {
        s[used++] = (uint8_t)(programs[i].number >> 8);
        s[used++] = (uint8_t)programs[i].number;
        s[used++] = (uint8_t)(0xE0 | programs[i].pid >> 8);
        s[used++] = (uint8_t)programs[i].pid;
    }
    end_section(b, 0, s, used);
}

static size_t put_descriptors(uint8_t *out, const char *text)
{
    const struct hex body = hex(text ? text : "");
    out[0] = (uint8_t)(0xF0 | body.bytes >> 8);
    out[1] = (uint8_t)body.bytes;
    memcpy(out + 2, body.data, body.bytes);
    return 2 + body.bytes;
}

void ts_build_pmt(struct ts_builder *b, unsigned pid, unsigned program, unsigned version, unsigned pcr_pid,
                  const char *descriptors_hex, const struct ts_build_stream *streams, size_t count)
{
    uint8_t s[4096];
    size_t used = begin_section(s, 2, program, version);
    s[used++] = (uint8_t)(0xE0 | pcr_pid >> 8);
    s[used++] = (uint8_t)pcr_pid;
    used += put_descriptors(s + used, descriptors_hex);
    for (size_t i = 0; i < count; i++) {
        s[used++] = (uint8_t)streams[i].type;
        s[used++] = (uint8_t)(0xE0 | streams[i].pid >> 8);
        s[used++] = (uint8_t)streams[i].pid;
        used += put_descriptors(s + used, streams[i].descriptors_hex);
    }
    end_section(b, pid, s, used);
}

static void put_time(uint8_t *out, unsigned mark, uint64_t time)
{
    out[0] = (uint8_t)(mark << 4 | (time >> 30 & 7) << 1 | 1);
    out[1] = (uint8_t)(time >> 22);
    out[2] = (uint8_t)((time >> 15 & 0x7F) << 1 | 1);
    out[3] = (uint8_t)(time >> 7);
    out[4] = (uint8_t)((time & 0x7F) << 1 | 1);
}

void ts_build_pes(struct ts_builder *b, const struct ts_build_pes *pes, const uint8_t *payload, size_t bytes)
{
    uint8_t *whole = malloc(9 + 255 + bytes);
    assert_non_null(whole);
    const bool has_pts = pes->pts_90k != NO_TIME, has_dts = has_pts && pes->dts_90k != NO_TIME;
    const size_t room = (has_pts ? 5 : 0) + (has_dts ? 5 : 0) + pes->head_stuffing;
    const size_t length = pes->is_unbounded ? 0 : (size_t)((int)(3 + room + bytes) + pes->length_lie);
    const uint8_t head[9] = { 0,
                              0,
                              1,
                              (uint8_t)pes->stream_id,
                              (uint8_t)(length >> 8),
                              (uint8_t)length,
                              (uint8_t)(0x80 | pes->is_aligned << 2),
                              (uint8_t)(has_pts << 7 | has_dts << 6),
                              (uint8_t)room };
    memcpy(whole, head, sizeof head);
    memset(whole + 9, 0xFF, room);
    if (has_pts) put_time(whole + 9, has_dts ? 3 : 2, pes->pts_90k);
    if (has_dts) put_time(whole + 14, 1, pes->dts_90k);
    memcpy(whole + 9 + room, payload, bytes);
    const size_t total = 9 + room + bytes;
    for (size_t at = 0; at < total;) {
        const struct ts_build_packet packet = {
            .pid = pes->pid,
            .is_start = !at,
            .is_discontinuity = !at && pes->is_discontinuity,
            .pcr_90k = !at && pes->is_discontinuity ? pes->dts_90k : NO_PCR,
        };
        at += ts_build_packet(b, &packet, whole + at, total - at);
    }
    free(whole);
}
