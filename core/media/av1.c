/* AV1: AV1CodecConfigurationRecord and sequence header (AV1 5.5), temporal units (5.3, 5.9). */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/limits.h>

enum {
    OBU_SEQUENCE = 1,
    OBU_TEMPORAL_DELIMITER = 2,
    OBU_FRAME_HEADER = 3,
    OBU_TILE_GROUP = 4,
    OBU_METADATA = 5,
    OBU_FRAME = 6,
    OBU_REDUNDANT_FRAME_HEADER = 7,
    OBU_TILE_LIST = 8,
    OBU_PADDING = 15
};
#define RECORD_HEAD_BYTES 4
#define OBUS_PER_FRAME_MAX 4096

struct obu {
    unsigned type;
    size_t whole_bytes; /* header, size field and payload */
    struct byte_span payload;
};

/* leb128 (4.10.5): at most 8 bytes, value below 2^32. */
static bool read_leb128(struct byte_reader *r, uint32_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t byte = read_u8(r);
        if (r->failed) return false;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80)) {
            *out = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

static bool next_obu(const uint8_t *data, size_t bytes, struct obu *out)
{
    struct byte_reader r;
    byte_reader_init(&r, data, bytes);
    const uint8_t head = read_u8(&r);
    if (r.failed || head & 0x80) return false;
    if (head & 4) read_u8(&r);
    uint32_t size = (uint32_t)byte_reader_left(&r);
    if (head & 2 && !read_leb128(&r, &size)) return false;
    out->type = head >> 3 & 0xF;
    out->payload = read_span(&r, size);
    out->whole_bytes = (size_t)(r.at - data);
    return !r.failed;
}

/* What of the sequence header later reading needs. */
struct sequence {
    struct codec_facts facts;
    bool is_reduced;
    uint8_t record_flags; /* av1C's third byte: tier, depth, chroma */
};

static void skip_uvlc(struct bit_reader *r)
{
    unsigned zeros = 0;
    while (!r->failed && zeros < 32 && !read_flag(r)) zeros++;
    if (zeros < 32) skip_bits(r, zeros);
}

struct timing {
    bool has_decoder_model;
    unsigned delay_bits;
};

static void read_timing(struct bit_reader *r, struct codec_facts *f, struct timing *t)
{
    const uint32_t units = read_bits(r, 32), scale = read_bits(r, 32);
    if (read_flag(r)) {
        struct bit_reader ahead = *r;
        skip_uvlc(r);
        const uint32_t ticks = read_flag(&ahead) ? 1 : 0; /* num_ticks_per_picture of 1 is the code "1" */
        if (ticks && !r->failed) facts_set_fps(f, scale, units);
    }
    t->has_decoder_model = read_flag(r);
    if (!t->has_decoder_model) return;
    t->delay_bits = read_bits(r, 5) + 1;
    skip_bits(r, 32 + 5 + 5);
}

static void read_operating_points(struct bit_reader *r, struct codec_facts *f, const struct timing *t, unsigned *tier)
{
    const bool has_display_delay = read_flag(r);
    const unsigned points = read_bits(r, 5) + 1;
    for (unsigned i = 0; i < points && !r->failed; i++) {
        skip_bits(r, 12);
        const unsigned level = read_bits(r, 5);
        const unsigned this_tier = level > 7 ? read_bits(r, 1) : 0;
        if (!i) f->level = (uint8_t)level, *tier = this_tier;
        if (t->has_decoder_model && read_flag(r)) skip_bits(r, 2 * t->delay_bits + 1);
        if (has_display_delay && read_flag(r)) skip_bits(r, 4);
    }
}

/* Between the picture size and the colour: coding tools that say nothing to a packager. */
static void skip_tools(struct bit_reader *r)
{
    skip_bits(r, 4); /* interintra, masked compound, warped motion, dual filter */
    const bool has_order_hint = read_flag(r);
    if (has_order_hint) skip_bits(r, 2);
    const unsigned screen = read_flag(r) ? 2 : read_bits(r, 1);
    if (screen && !read_flag(r)) skip_bits(r, 1);
    if (has_order_hint) skip_bits(r, 3);
}

/* The end of color_config (5.5.2), behind mono_chrome, as av1C wants it: subsampling and chroma sample position. */
static uint8_t read_chroma(struct bit_reader *r, struct codec_facts *f, bool is_mono)
{
    unsigned primaries = 2, transfer = 2, matrix = 2;
    if (read_flag(r)) {
        primaries = read_bits(r, 8);
        transfer = read_bits(r, 8);
        matrix = read_bits(r, 8);
        f->transfer = (uint8_t)transfer;
    }
    unsigned x = 1, y = 1, position = 0;
    if (!is_mono && primaries == 1 && transfer == 13 && matrix == 0) return 0; /* sRGB: 4:4:4 */
    skip_bits(r, 1);
    if (is_mono) return 3 << 2;
    if (f->profile == 1) x = y = 0;
    if (f->profile == 2 && f->bit_depth == 12) {
        x = read_bits(r, 1);
        y = x ? read_bits(r, 1) : 0;
    } else if (f->profile == 2) {
        y = 0;
    }
    if (x && y) position = read_bits(r, 2);
    return (uint8_t)(r->failed ? 3 << 2 : x << 3 | y << 2 | position);
}

static bool read_sequence(struct byte_span payload, struct sequence *out)
{
    struct bit_reader r;
    struct codec_facts f = { .kind = MEDIA_VIDEO, .codec = CODEC_AV1 };
    struct timing timing = { false, 0 };
    unsigned tier = 0;
    bit_reader_init(&r, payload.data, payload.bytes);
    f.profile = (uint8_t)read_bits(&r, 3);
    skip_bits(&r, 1);
    const bool is_reduced = read_flag(&r);
    if (is_reduced) {
        f.level = (uint8_t)read_bits(&r, 5);
    } else {
        if (read_flag(&r)) read_timing(&r, &f, &timing);
        read_operating_points(&r, &f, &timing, &tier);
    }
    const unsigned width_bits = read_bits(&r, 4) + 1, height_bits = read_bits(&r, 4) + 1;
    f.width = read_bits(&r, width_bits) + 1;
    f.height = read_bits(&r, height_bits) + 1;
    if (!is_reduced && read_flag(&r)) skip_bits(&r, 7);
    skip_bits(&r, 3);
    if (!is_reduced) skip_tools(&r);
    skip_bits(&r, 3);
    const bool is_high = read_flag(&r);
    f.bit_depth = is_high ? (f.profile == 2 && read_flag(&r) ? 12 : 10) : 8;
    const bool is_mono = f.profile != 1 && read_flag(&r);
    f.chroma_format_idc = is_mono ? 0 : f.profile == 1 ? 3 : 1;
    if (r.failed || f.width > PICTURE_SIDE_MAX || f.height > PICTURE_SIDE_MAX || f.profile > 2) return false;
    snprintf(f.codec_string, sizeof f.codec_string, "av01.%u.%02u%c.%02u", f.profile, f.level, tier ? 'H' : 'M',
             f.bit_depth);
    out->is_reduced = is_reduced;
    out->record_flags = (uint8_t)((tier ? 0x80 : 0) | (is_high ? 0x40 : 0) | (f.bit_depth == 12 ? 0x20 : 0) |
                                  (is_mono ? 0x10 : 0) | read_chroma(&r, &f, is_mono));
    out->facts = f;
    return true;
}

static bool find_sequence(struct byte_span config, struct byte_span *whole, struct sequence *out)
{
    size_t at = RECORD_HEAD_BYTES;
    struct obu obu;
    while (at < config.bytes && next_obu(config.data + at, config.bytes - at, &obu)) {
        if (obu.type == OBU_SEQUENCE) {
            *whole = obu.payload;
            return read_sequence(obu.payload, out);
        }
        at += obu.whole_bytes;
    }
    return false;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    struct sequence sequence;
    struct byte_span payload;
    if (config.bytes < RECORD_HEAD_BYTES || config.data[0] != 0x81)
        return codec_bad(WEIR_MALFORMED, why, "the AV1 configuration is no av1C record of version 1");
    if (!find_sequence(config, &payload, &sequence))
        return codec_bad(WEIR_MALFORMED, why, "the AV1 configuration holds no readable sequence header");
    *out = sequence.facts;
    return WEIR_OK;
}

/* The start of uncompressed_header (5.9.2), which says how the frame may be entered. */
static enum frame_access read_access(struct byte_span payload, bool is_reduced)
{
    struct bit_reader r;
    if (is_reduced) return FRAME_IDR; /* still pictures: each is a shown key frame */
    bit_reader_init(&r, payload.data, payload.bytes);
    if (read_flag(&r)) return FRAME_INTER; /* show_existing_frame */
    const unsigned type = read_bits(&r, 2);
    const bool is_shown = read_flag(&r);
    if (r.failed || type != 0) return FRAME_INTER;
    return is_shown ? FRAME_IDR : FRAME_OPEN; /* a key frame shown later: delayed random access point (7.6) */
}

/* A record of this sequence header. delay: the record's last byte, initial_presentation_delay. */
static enum weir_err make_config(uint8_t delay, struct byte_span payload, const struct sequence *sequence,
                                 struct blob **out)
{
    struct byte_writer w;
    byte_writer_init(&w, CODEC_CONFIG_BYTES_MAX);
    write_u8(&w, 0x81);
    write_u8(&w, (uint8_t)(sequence->facts.profile << 5 | sequence->facts.level));
    write_u8(&w, sequence->record_flags);
    write_u8(&w, delay);
    write_u8(&w, OBU_SEQUENCE << 3 | 2);
    if (payload.bytes > 127) write_u8(&w, (uint8_t)(0x80 | (payload.bytes & 0x7F)));
    write_u8(&w, (uint8_t)(payload.bytes > 127 ? payload.bytes >> 7 : payload.bytes));
    write_bytes(&w, payload.data, payload.bytes);
    if (w.failed || payload.bytes >= 1 << 14) {
        byte_writer_deinit(&w);
        return WEIR_LIMIT;
    }
    *out = blob_copy(w.data, w.bytes);
    byte_writer_deinit(&w);
    return *out ? WEIR_OK : WEIR_NOMEM;
}

static enum weir_err prepare(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                             bool claimed_key, struct codec_frame *out, const char **why)
{
    struct sequence known = { .is_reduced = false }, fresh;
    struct byte_span known_payload = { NULL, 0 };
    struct blob *new_config = NULL;
    enum frame_access access = 0;
    bool has_picture = false;
    size_t at = 0, kept = 0;
    if (!find_sequence(config, &known_payload, &known)) known_payload.bytes = 0;
    for (unsigned count = 0; at < bytes; count++) {
        struct obu obu;
        if (count > OBUS_PER_FRAME_MAX || !next_obu(data + at, bytes - at, &obu)) {
            blob_unref(new_config);
            return codec_bad(WEIR_MALFORMED, why, "the AV1 frame holds an OBU that is longer than the frame");
        }
        const bool is_dropped = obu.type == OBU_TEMPORAL_DELIMITER || obu.type == OBU_TILE_LIST ||
                                obu.type == OBU_PADDING;
        if (obu.type == OBU_SEQUENCE &&
            (!known_payload.data || obu.payload.bytes != known_payload.bytes ||
             memcmp(obu.payload.data, known_payload.data, obu.payload.bytes)) &&
            !new_config && read_sequence(obu.payload, &fresh)) {
            const enum weir_err err = make_config(config.data[3], obu.payload, &fresh, &new_config);
            if (err) return codec_bad(err, why, "the AV1 sequence header is too large");
            known.is_reduced = fresh.is_reduced;
        }
        if (obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER) {
            if (!has_picture) access = read_access(obu.payload, known.is_reduced);
            has_picture = true;
        }
        if (!is_dropped) {
            if (kept != at) memmove(data + kept, data + at, obu.whole_bytes);
            kept += obu.whole_bytes;
        }
        at += obu.whole_bytes;
    }
    if (!access) access = FRAME_INTER;
    *out = (struct codec_frame){
        .access = access,
        .bytes = kept,
        .new_config = new_config,
        .is_empty = !has_picture,
        .is_claimed_key_wrong = has_picture && claimed_key != (access != FRAME_INTER),
    };
    return WEIR_OK;
}

static enum weir_err from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts, const char **why)
{
    struct obu obu;
    struct sequence sequence;
    for (size_t at = 0; at < frame.bytes && next_obu(frame.data + at, frame.bytes - at, &obu); at += obu.whole_bytes) {
        if (obu.type != OBU_SEQUENCE) continue;
        if (!read_sequence(obu.payload, &sequence))
            return codec_bad(WEIR_MALFORMED, why, "the AV1 sequence header cannot be read");
        const enum weir_err err = make_config(0, obu.payload, &sequence, out);
        if (err) return codec_bad(err, why, "the AV1 sequence header is too large");
        *facts = sequence.facts;
        return WEIR_OK;
    }
    return codec_bad(WEIR_NOT_FOUND, why, "the frame brings no AV1 sequence header");
}

const struct codec_ops av1_ops = {
    .kind = MEDIA_VIDEO,
    .name = "av1",
    .needs_config = true,
    .describe = describe,
    .from_wire = codec_copy_config,
    .from_frame = from_frame,
    .prepare = prepare,
};
