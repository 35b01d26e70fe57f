/* HEVC: HEVCDecoderConfigurationRecord (ISO 14496-15, 8.3.3.1), SPS (H.265 7.3.2.2) and samples. */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/limits.h>

enum {
    NAL_VPS = 32,
    NAL_SPS = 33,
    NAL_PPS = 34,
    NAL_AUD = 35,
    NAL_EOS = 36,
    NAL_EOB = 37,
    NAL_FILLER = 38,
    NAL_SEI_PREFIX = 39,
    NAL_SEI_SUFFIX = 40
};
#define RECORD_HEAD_BYTES 22
#define SPS_BYTES_MAX 2048

static unsigned nal_type(const uint8_t *nal)
{
    return nal[0] >> 1 & 0x3F;
}

struct profile_tier {
    unsigned space, tier, idc, level;
    uint32_t compatibility;
    uint8_t constraints[6];
};

static void skip_sub_layers(struct bit_reader *r, unsigned sub_layers)
{
    bool has_profile[8] = { false }, has_level[8] = { false };
    for (unsigned i = 0; i < sub_layers; i++) {
        has_profile[i] = read_flag(r);
        has_level[i] = read_flag(r);
    }
    if (sub_layers) skip_bits(r, 2u * (8 - sub_layers));
    for (unsigned i = 0; i < sub_layers; i++) skip_bits(r, (has_profile[i] ? 88u : 0) + (has_level[i] ? 8u : 0));
}

static void skip_scaling_lists(struct bit_reader *r)
{
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            if (!read_flag(r)) {
                read_ue(r);
                continue;
            }
            const unsigned coefficients = size == 0 ? 16 : 64;
            if (size > 1) read_se(r);
            for (unsigned i = 0; i < coefficients && !r->failed; i++) read_se(r);
        }
    }
}

/* st_ref_pic_set (7.3.7); deltas[] remembers how many pictures each set has. */
static void skip_short_term_set(struct bit_reader *r, unsigned index, unsigned *deltas)
{
    if (index && read_flag(r)) {
        skip_bits(r, 1);
        read_ue(r);
        unsigned count = 0;
        for (unsigned i = 0; i <= deltas[index - 1] && !r->failed; i++) {
            const bool is_used = read_flag(r);
            if (is_used || read_flag(r)) count++;
        }
        deltas[index] = count;
        return;
    }
    const uint32_t negative = read_ue(r), positive = read_ue(r);
    if (negative > 16 || positive > 16) r->failed = true;
    for (uint32_t i = 0; i < negative + positive && !r->failed; i++) {
        read_ue(r);
        skip_bits(r, 1);
    }
    deltas[index] = r->failed ? 0 : negative + positive;
}

static void skip_reference_sets(struct bit_reader *r, unsigned poc_bits)
{
    unsigned deltas[65] = { 0 };
    const uint32_t sets = read_ue(r);
    if (sets > 64) r->failed = true;
    for (uint32_t i = 0; i < sets && !r->failed; i++) skip_short_term_set(r, i, deltas);
    if (!read_flag(r)) return;
    const uint32_t long_term = read_ue(r);
    if (long_term > 32) r->failed = true;
    for (uint32_t i = 0; i < long_term && !r->failed; i++) skip_bits(r, poc_bits + 1);
}

static void read_vui(struct bit_reader *r, struct codec_facts *f)
{
    vui_common_read(r, f);
    skip_bits(r, 3);
    if (read_flag(r)) {
        for (int i = 0; i < 4; i++) read_ue(r);
    }
    if (!read_flag(r)) return;
    const uint32_t units = read_bits(r, 32), scale = read_bits(r, 32);
    if (!r->failed) facts_set_fps(f, scale, units); /* no factor two here (E.3.1) */
}

static enum weir_err read_sps(struct byte_span nal, struct codec_facts *f, unsigned *chroma_depth, const char **why)
{
    uint8_t raw[SPS_BYTES_MAX];
    if (nal.bytes < 16) return codec_bad(WEIR_MALFORMED, why, "the HEVC SPS is too short");
    const size_t bytes = nal_unescape(nal.data + 2, nal.bytes - 2, raw, sizeof raw);
    struct bit_reader r;
    bit_reader_init(&r, raw, bytes);
    skip_bits(&r, 4);
    const unsigned sub_layers = read_bits(&r, 3);
    if (sub_layers > 6) return codec_bad(WEIR_MALFORMED, why, "the HEVC SPS has an impossible number of layers");
    skip_bits(&r, 1 + 88 + 8);
    skip_sub_layers(&r, sub_layers);
    read_ue(&r);
    f->chroma_format_idc = (uint8_t)read_ue(&r);
    if (f->chroma_format_idc > 3) return codec_bad(WEIR_MALFORMED, why, "the HEVC SPS has an impossible pixel format");
    if (f->chroma_format_idc == 3) skip_bits(&r, 1);
    const uint64_t width = read_ue(&r), height = read_ue(&r);
    uint64_t crop_x = 0, crop_y = 0;
    if (read_flag(&r)) {
        crop_x = (uint64_t)read_ue(&r) + read_ue(&r);
        crop_y = (uint64_t)read_ue(&r) + read_ue(&r);
        crop_x *= f->chroma_format_idc == 1 || f->chroma_format_idc == 2 ? 2 : 1;
        crop_y *= f->chroma_format_idc == 1 ? 2 : 1;
    }
    f->bit_depth = (uint8_t)(8 + read_ue(&r));
    *chroma_depth = 8 + read_ue(&r);
    const uint32_t poc_bits = read_ue(&r) + 4;
    if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the HEVC SPS is cut off");
    if (!width || !height || width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX || crop_x >= width ||
        crop_y >= height || f->bit_depth > 16 || poc_bits > 16)
        return codec_bad(WEIR_MALFORMED, why, "the HEVC SPS has an impossible picture size");
    f->width = (uint32_t)(width - crop_x);
    f->height = (uint32_t)(height - crop_y);
    /* from here on it is about the frame rate only: what is cut off costs that hint */
    for (unsigned i = read_flag(&r) ? 0 : sub_layers; i <= sub_layers; i++) {
        for (int k = 0; k < 3; k++) read_ue(&r);
    }
    for (int i = 0; i < 6; i++) read_ue(&r);
    if (read_flag(&r) && read_flag(&r)) skip_scaling_lists(&r);
    skip_bits(&r, 2);
    if (read_flag(&r)) {
        skip_bits(&r, 8);
        read_ue(&r);
        read_ue(&r);
        skip_bits(&r, 1);
    }
    skip_reference_sets(&r, poc_bits);
    skip_bits(&r, 2);
    if (read_flag(&r)) read_vui(&r, f);
    return WEIR_OK;
}

static bool next_set(struct byte_reader *r, struct nal_walk *walk, struct byte_span *nal)
{
    if (!walk->has_begun) walk->lists_left = read_u8(r);
    walk->has_begun = true;
    while (!walk->left && walk->lists_left) {
        read_u8(r);
        walk->left = read_u16(r);
        walk->lists_left--;
    }
    const bool has_more = walk->left && !r->failed;
    if (has_more) {
        walk->left--;
        *nal = read_span(r, read_u16(r));
    }
    return has_more && !r->failed;
}

/* RFC 6381 and ISO 14496-15 E.3: "hvc1.1.6.L93.B0" */
static void write_string(const uint8_t *record, char *out, size_t out_bytes)
{
    static const char spaces[] = { 0, 'A', 'B', 'C' };
    const unsigned space = record[1] >> 6;
    uint32_t compatibility = load_u32(record + 2), reversed = 0;
    for (int i = 0; i < 32; i++) reversed |= (compatibility >> i & 1) << (31 - i);
    const char prefix[2] = { spaces[space], 0 };
    int used = snprintf(out, out_bytes, "hvc1.%s%u.%X.%c%u", prefix, record[1] & 0x1Fu, reversed,
                        record[1] & 0x20 ? 'H' : 'L', record[12]);
    int last = 5;
    while (last >= 0 && !record[6 + last]) last--;
    for (int i = 0; i <= last && used > 0 && (size_t)used < out_bytes; i++)
        used += snprintf(out + used, out_bytes - (size_t)used, ".%X", record[6 + i]);
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    struct codec_facts f = { .kind = MEDIA_VIDEO, .codec = CODEC_HEVC };
    if (config.bytes < RECORD_HEAD_BYTES + 1)
        return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration is too short");
    if (config.data[0] > 1)
        return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration is no hvcC record of version 1");
    f.nal_length_bytes = (uint8_t)((config.data[21] & 3) + 1);
    if (f.nal_length_bytes == 3)
        return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration has NAL lengths of 3 bytes");
    f.profile = config.data[1] & 0x1F;
    f.level = config.data[12];
    struct byte_reader r;
    struct nal_walk walk = { .has_begun = false };
    struct byte_span nal, sps = { NULL, 0 };
    unsigned met[3] = { 0 };
    byte_reader_init(&r, config.data + RECORD_HEAD_BYTES, config.bytes - RECORD_HEAD_BYTES);
    while (next_set(&r, &walk, &nal)) {
        if (nal.bytes < 2) return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration holds an empty parameter set");
        const unsigned type = nal_type(nal.data);
        if (type >= NAL_VPS && type <= NAL_PPS) met[type - NAL_VPS]++;
        if (type == NAL_SPS && !sps.data) sps = nal;
    }
    if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration is cut off");
    if (!met[0] || !met[1] || !met[2])
        return codec_bad(WEIR_MALFORMED, why, "the HEVC configuration lacks a VPS, SPS or PPS");
    unsigned chroma_depth;
    const enum weir_err err = read_sps(sps, &f, &chroma_depth, why);
    if (err) return err;
    write_string(config.data, f.codec_string, sizeof f.codec_string);
    *out = f;
    return WEIR_OK;
}

/* hvc1: all parameter sets stand in the record, and it says so (8.3.3.1.2). */
static enum weir_err from_wire(struct byte_span wire, struct blob **out, const char **why)
{
    const enum weir_err err = codec_copy_config(wire, out, why);
    if (err) return err;
    uint8_t *data = blob_data(*out);
    struct byte_reader r;
    byte_reader_init(&r, data, wire.bytes);
    read_span(&r, RECORD_HEAD_BYTES);
    const unsigned arrays = read_u8(&r);
    for (unsigned i = 0; i < arrays && !r.failed; i++) {
        const size_t at = (size_t)(r.at - data);
        const unsigned type = read_u8(&r) & 0x3F;
        if (!r.failed && type >= NAL_VPS && type <= NAL_PPS) data[at] |= 0x80;
        for (unsigned left = read_u16(&r); left && !r.failed; left--) read_span(&r, read_u16(&r));
    }
    return WEIR_OK;
}

static void look_at_sei(struct nal_visitor *v, const uint8_t *nal, size_t bytes)
{
    struct sei_walk walk;
    struct byte_span payload;
    uint32_t type;
    sei_walk_init(&walk, nal + 2, bytes - 2);
    while (sei_walk_next(&walk, &type, &payload)) {
        v->has_captions |= sei_is_captions(type, payload);
        if (!v->taken_us) v->taken_us = sei_precision_time_us(type, payload);
    }
}

static enum nal_use look(struct nal_visitor *v, const uint8_t *nal, size_t bytes)
{
    if (bytes < 2) return NAL_DROP;
    const unsigned type = nal_type(nal), layer = (nal[0] & 1u) << 5 | nal[1] >> 3;
    if (layer) return NAL_DROP;
    if (type == 19 || type == 20) v->access = FRAME_IDR;
    if ((type >= 16 && type <= 18) || type == 21) v->access = FRAME_OPEN;
    if (type < 32) return NAL_KEEP;
    switch (type) {
    case NAL_VPS:
    case NAL_SPS:
    case NAL_PPS:
        write_u16(&v->sets, (uint16_t)bytes);
        write_bytes(&v->sets, nal, bytes < UINT16_MAX ? bytes : 0);
        return NAL_PARAMETER_SET;
    case NAL_AUD:
    case NAL_EOS:
    case NAL_EOB:
    case NAL_FILLER: return NAL_DROP;
    case NAL_SEI_PREFIX: look_at_sei(v, nal, bytes); return NAL_KEEP_AUX;
    default: return NAL_KEEP_AUX;
    }
}

/* How many sets of a type, and of their units, the frame brought. */
static unsigned count_sets(const struct byte_writer *sets, unsigned type)
{
    struct byte_reader r;
    unsigned count = 0;
    byte_reader_init(&r, sets->data, sets->bytes);
    while (byte_reader_left(&r)) {
        const struct byte_span nal = read_span(&r, read_u16(&r));
        count += nal.bytes >= 2 && nal_type(nal.data) == type;
    }
    return count;
}

static void write_array(struct byte_writer *w, const struct byte_writer *sets, unsigned type)
{
    struct byte_reader r;
    write_u8(w, (uint8_t)(0x80 | type));
    write_u16(w, (uint16_t)count_sets(sets, type));
    byte_reader_init(&r, sets->data, sets->bytes);
    while (byte_reader_left(&r)) {
        const struct byte_span nal = read_span(&r, read_u16(&r));
        if (nal.bytes < 2 || nal_type(nal.data) != type) continue;
        write_u16(w, (uint16_t)nal.bytes);
        write_bytes(w, nal.data, nal.bytes);
    }
}

/* The record's general fields follow the new SPS: its profile, tier and level stand in the same order, the rest is read. */
static void patch_head(uint8_t *head, const struct byte_writer *sets)
{
    struct byte_reader r;
    byte_reader_init(&r, sets->data, sets->bytes);
    while (byte_reader_left(&r)) {
        const struct byte_span nal = read_span(&r, read_u16(&r));
        struct codec_facts f;
        unsigned chroma_depth;
        uint8_t raw[16];
        if (nal.bytes < 16 || nal_type(nal.data) != NAL_SPS) continue;
        if (nal_unescape(nal.data + 2, nal.bytes - 2, raw, sizeof raw) < 13) return;
        memcpy(head + 1, raw + 1, 12);
        if (read_sps(nal, &f, &chroma_depth, NULL)) return; /* describe() will say why */
        head[16] = 0xFC | f.chroma_format_idc;
        head[17] = (uint8_t)(0xF8 | ((f.bit_depth - 8) & 7));
        head[18] = (uint8_t)(0xF8 | ((chroma_depth - 8) & 7));
        /* numTemporalLayers, temporalIdNested */
        head[21] = (uint8_t)((head[21] & 0xC3) | ((raw[0] >> 1 & 7) + 1) << 3 | (raw[0] & 1) << 2);
        return;
    }
}

static enum weir_err merge_sets(struct byte_span config, const struct byte_writer *sets, struct blob **out)
{
    struct byte_writer all, w;
    struct byte_reader r;
    struct nal_walk walk = { .has_begun = false };
    struct byte_span nal;
    byte_writer_init(&all, 2 * CODEC_CONFIG_BYTES_MAX);
    byte_writer_init(&w, CODEC_CONFIG_BYTES_MAX);
    write_bytes(&all, sets->data, sets->bytes);
    byte_reader_init(&r, config.data + RECORD_HEAD_BYTES, config.bytes - RECORD_HEAD_BYTES);
    while (next_set(&r, &walk, &nal)) {
        if (nal.bytes < 2 || nal_type(nal.data) > NAL_PPS || count_sets(sets, nal_type(nal.data))) continue;
        write_u16(&all, (uint16_t)nal.bytes);
        write_bytes(&all, nal.data, nal.bytes);
    }
    write_bytes(&w, config.data, RECORD_HEAD_BYTES);
    write_u8(&w, 3);
    for (unsigned type = NAL_VPS; type <= NAL_PPS; type++) write_array(&w, &all, type);
    const bool is_bad = w.failed || all.failed;
    if (!is_bad) patch_head(w.data, &all);
    *out = is_bad ? NULL : blob_copy(w.data, w.bytes);
    byte_writer_deinit(&w);
    byte_writer_deinit(&all);
    return is_bad ? WEIR_LIMIT : *out ? WEIR_OK : WEIR_NOMEM;
}

static const struct nal_family family = {
    .look = look, .next_set = next_set, .merge_sets = merge_sets, .record_head_bytes = RECORD_HEAD_BYTES
};

static enum weir_err from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts, const char **why)
{
    /* nothing known about segmentation or parallelism, no average frame rate, lengths of 4 bytes, no arrays */
    static const uint8_t empty_record[RECORD_HEAD_BYTES + 1] = {
        [0] = 1, [13] = 0xF0, [15] = 0xFC, [16] = 0xFC, [17] = 0xF8, [18] = 0xF8, [21] = 3
    };
    const struct byte_span none = { empty_record, sizeof empty_record };
    struct blob *config = NULL;
    enum weir_err err = nal_config_from_frame(&family, none, frame, &config, why);
    if (err) return err;
    err = describe((struct byte_span){ blob_data(config), blob_bytes(config) }, facts, why);
    if (err)
        blob_unref(config);
    else
        *out = config;
    return err;
}

static enum weir_err prepare(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                             bool claimed_key, struct codec_frame *out, const char **why)
{
    return nal_frame_prepare(&family, facts, config, data, bytes, claimed_key, out, why);
}

const struct codec_ops hevc_ops = {
    .kind = MEDIA_VIDEO,
    .name = "hevc",
    .needs_config = true,
    .describe = describe,
    .from_wire = from_wire,
    .from_frame = from_frame,
    .prepare = prepare,
};
