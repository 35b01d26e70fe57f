#include "ts_section.h"

#include <string.h>
#include <weir/base/crc.h>

#define SECTION_HEAD_BYTES 3
#define LONG_HEAD_BYTES 8 /* with section_syntax_indicator: id, version, numbers */
#define CRC_BYTES 4

void ts_section_note_loss(struct ts_section *s)
{
    s->used = 0;
    s->is_begun = false;
}

static void finish(struct ts_section *s, const struct ts_section_sink *sink)
{
    const struct byte_span section = { s->data, s->used };
    s->used = 0;
    if (section.bytes < SECTION_HEAD_BYTES + CRC_BYTES || crc32_mpeg(section.data, section.bytes)) {
        s->is_begun = false; /* its length is not to be believed either */
        sink->malformed(sink->context, false);
        return;
    }
    sink->section(sink->context, section);
}

/* Sections follow each other until a table_id of 0xFF, which is stuffing. */
static void append(struct ts_section *s, const uint8_t *data, size_t bytes, const struct ts_section_sink *sink)
{
    while (bytes && s->is_begun) {
        if (!s->used && *data == 0xFF) {
            s->is_begun = false;
            return;
        }
        size_t wanted = SECTION_HEAD_BYTES;
        if (s->used >= SECTION_HEAD_BYTES) wanted += (load_u16(s->data + 1) & 0xFFF);
        if (wanted > s->bytes_max) {
            ts_section_note_loss(s);
            sink->malformed(sink->context, true);
            return;
        }
        size_t part = wanted - s->used;
        if (part > bytes) part = bytes;
        memcpy(s->data + s->used, data, part);
        s->used += part;
        data += part;
        bytes -= part;
        const bool knows_length = s->used >= SECTION_HEAD_BYTES;
        if (knows_length && s->used == SECTION_HEAD_BYTES + (load_u16(s->data + 1) & 0xFFFu)) finish(s, sink);
    }
}

void ts_section_feed(struct ts_section *s, struct byte_span payload, bool is_start, const struct ts_section_sink *sink)
{
    if (!is_start) {
        append(s, payload.data, payload.bytes, sink);
        return;
    }
    const size_t pointer = payload.bytes ? payload.data[0] : 0;
    if (!payload.bytes || 1 + pointer > payload.bytes) {
        ts_section_note_loss(s);
        sink->malformed(sink->context, false);
        return;
    }
    if (s->used) append(s, payload.data + 1, pointer, sink); /* the rest of the one before */
    if (s->used) sink->malformed(sink->context, false);
    s->used = 0;
    s->is_begun = true;
    append(s, payload.data + 1 + pointer, payload.bytes - 1 - pointer, sink);
}

/* What PAT and PMT have in common; the data between head and CRC. */
static bool read_long(struct byte_span section, unsigned table, struct byte_span *data, bool *is_malformed)
{
    *is_malformed = false;
    if (section.data[0] != table) return false;
    *is_malformed = true;
    if (section.bytes < LONG_HEAD_BYTES + CRC_BYTES || !(section.data[1] & 0x80)) return false;
    *is_malformed = false;
    *data = (struct byte_span){ section.data + LONG_HEAD_BYTES, section.bytes - LONG_HEAD_BYTES - CRC_BYTES };
    return section.data[5] & 1; /* current_next_indicator */
}

bool ts_pat_read(struct byte_span section, struct ts_pat *out, bool *is_malformed)
{
    struct byte_span data;
    if (!read_long(section, TS_TABLE_PAT, &data, is_malformed)) return false;
    *out = (struct ts_pat){ .number = section.data[6], .last_number = section.data[7], .programs = data };
    out->programs.bytes -= data.bytes % 4;
    return true;
}

bool ts_pmt_read(struct byte_span section, struct ts_pmt *out, bool *is_malformed)
{
    struct byte_span data;
    if (!read_long(section, TS_TABLE_PMT, &data, is_malformed)) return false;
    struct byte_reader r;
    struct ts_pmt pmt = { .program_number = load_u16(section.data + 3) };
    byte_reader_init(&r, data.data, data.bytes);
    pmt.clock_pid = read_u16(&r) & 0x1FFF;
    pmt.descriptors = read_span(&r, read_u16(&r) & 0xFFF);
    *is_malformed = r.failed;
    if (r.failed) return false;
    pmt.streams = (struct byte_span){ r.at, byte_reader_left(&r) };
    *out = pmt;
    return true;
}

bool ts_pmt_next(struct byte_span *streams, struct ts_pmt_stream *out)
{
    struct byte_reader r;
    byte_reader_init(&r, streams->data, streams->bytes);
    out->type = read_u8(&r);
    out->pid = read_u16(&r) & 0x1FFF;
    out->descriptors = read_span(&r, read_u16(&r) & 0xFFF);
    *streams = (struct byte_span){ r.at, byte_reader_left(&r) };
    return !r.failed;
}

struct byte_span ts_descriptor_find(struct byte_span descriptors, unsigned tag)
{
    struct byte_reader r;
    byte_reader_init(&r, descriptors.data, descriptors.bytes);
    while (byte_reader_left(&r) >= 2) {
        const unsigned found = read_u8(&r);
        const struct byte_span body = read_span(&r, read_u8(&r));
        if (found == tag && !r.failed) return body;
    }
    return (struct byte_span){ NULL, 0 };
}
