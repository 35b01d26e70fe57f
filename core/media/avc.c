/* H.264: AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1), SPS (H.264 7.3.2.1.1) and samples. */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/limits.h>

enum {
    NAL_SLICE = 1,
    NAL_IDR = 5,
    NAL_SEI = 6,
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_AUD = 9,
    NAL_END_SEQUENCE = 10,
    NAL_END_STREAM = 11,
    NAL_FILLER = 12,
    NAL_SPS_EXTENSION = 13
};
#define SEI_RECOVERY_POINT 6
#define SPS_BYTES_MAX 1024
#define RECORD_HEAD_BYTES 5

static bool is_high_profile(unsigned profile)
{
    static const uint8_t high[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };
    return memchr(high, (int)profile, sizeof high) != NULL;
}

static void skip_scaling_list(struct bit_reader *r, unsigned size)
{
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < size && !r->failed; i++) {
        const int32_t delta = next ? read_se(r) : 0;
        if (delta < -128 || delta > 127) r->failed = true; /* 7.4.2.1.1.1 */
        if (!r->failed && next) next = (last + delta + 256) % 256;
        if (next) last = next;
    }
}

static void read_high_fields(struct bit_reader *r, struct codec_facts *f, bool *is_separate_planes)
{
    f->chroma_format_idc = (uint8_t)read_ue(r);
    if (f->chroma_format_idc == 3) *is_separate_planes = read_flag(r);
    f->bit_depth = (uint8_t)(8 + read_ue(r));
    read_ue(r); /* chroma bit depth */
    skip_bits(r, 1);
    if (!read_flag(r)) return;
    const unsigned lists = f->chroma_format_idc == 3 ? 12 : 8;
    for (unsigned i = 0; i < lists && !r->failed; i++) {
        if (read_flag(r)) skip_scaling_list(r, i < 6 ? 16 : 64);
    }
}

static void read_order_count(struct bit_reader *r)
{
    const uint32_t type = read_ue(r);
    if (type == 0) read_ue(r);
    if (type != 1) return;
    skip_bits(r, 1);
    read_se(r);
    read_se(r);
    const uint32_t cycle = read_ue(r);
    if (cycle > 255) r->failed = true;
    for (uint32_t i = 0; i < cycle && !r->failed; i++) read_se(r);
}

static void read_timing(struct bit_reader *r, struct codec_facts *f)
{
    vui_common_read(r, f);
    if (!read_flag(r)) return;
    const uint32_t units = read_bits(r, 32), scale = read_bits(r, 32);
    const bool is_fixed = read_flag(r);
    /* a tick is a field (E.2.1); where the rate is not fixed it is no promise */
    if (!r->failed && is_fixed) facts_set_fps(f, scale, 2ull * units);
}

static enum weir_err read_size(struct bit_reader *r, struct codec_facts *f, bool is_separate_planes, const char **why)
{
    const uint64_t width_mbs = (uint64_t)read_ue(r) + 1, height_units = (uint64_t)read_ue(r) + 1;
    const bool is_frames_only = read_flag(r);
    if (!is_frames_only) skip_bits(r, 1);
    skip_bits(r, 1); /* direct_8x8_inference */
    const uint64_t fields = is_frames_only ? 1 : 2;
    const unsigned chroma = is_separate_planes ? 0 : f->chroma_format_idc;
    const uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1, unit_y = (chroma == 1 ? 2 : 1) * fields;
    uint64_t crop_x = 0, crop_y = 0;
    if (read_flag(r)) {
        crop_x = (uint64_t)read_ue(r) + read_ue(r);
        crop_y = (uint64_t)read_ue(r) + read_ue(r);
    }
    const uint64_t width = width_mbs * 16, height = height_units * 16 * fields;
    if (r->failed) return codec_bad(WEIR_MALFORMED, why, "the H.264 SPS is cut off");
    if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX || crop_x * unit_x >= width || crop_y * unit_y >= height)
        return codec_bad(WEIR_MALFORMED, why, "the H.264 SPS has an impossible picture size");
    f->width = (uint32_t)(width - crop_x * unit_x);
    f->height = (uint32_t)(height - crop_y * unit_y);
    return WEIR_OK;
}

static enum weir_err read_sps(struct byte_span nal, struct codec_facts *f, const char **why)
{
    uint8_t raw[SPS_BYTES_MAX];
    if (nal.bytes < 4 || (nal.data[0] & 0x1F) != NAL_SPS)
        return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration holds no SPS where one must be");
    const size_t bytes = nal_unescape(nal.data + 1, nal.bytes - 1, raw, sizeof raw);
    struct bit_reader r;
    bool is_separate_planes = false;
    bit_reader_init(&r, raw, bytes);
    f->profile = (uint8_t)read_bits(&r, 8);
    skip_bits(&r, 8);
    f->level = (uint8_t)read_bits(&r, 8);
    if (read_ue(&r) > 31) return codec_bad(WEIR_MALFORMED, why, "the H.264 SPS has an impossible number");
    f->chroma_format_idc = 1;
    f->bit_depth = 8;
    if (is_high_profile(f->profile)) read_high_fields(&r, f, &is_separate_planes);
    if (f->chroma_format_idc > 3 || f->bit_depth > 14)
        return codec_bad(WEIR_MALFORMED, why, "the H.264 SPS has an impossible pixel format");
    read_ue(&r); /* log2_max_frame_num */
    read_order_count(&r);
    read_ue(&r); /* reference frames */
    skip_bits(&r, 1);
    const enum weir_err err = read_size(&r, f, is_separate_planes, why);
    if (err) return err;
    if (read_flag(&r)) read_timing(&r, f); /* a cut VUI costs its hints only */
    snprintf(f->codec_string, sizeof f->codec_string, "avc1.%02x%02x%02x", nal.data[1], nal.data[2], nal.data[3]);
    return WEIR_OK;
}

/* The record's lists: SPS, then PPS. */
static bool next_set(struct byte_reader *r, struct nal_walk *walk, struct byte_span *nal)
{
    while (!walk->left) {
        if (walk->list == 2) return false;
        const uint8_t count = read_u8(r);
        walk->left = walk->list == 0 ? count & 0x1F : count;
        walk->list++;
        if (r->failed) return false;
    }
    walk->left--;
    *nal = read_span(r, read_u16(r));
    return !r->failed;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    struct codec_facts f = { .kind = MEDIA_VIDEO, .codec = CODEC_H264 };
    if (config.bytes < 7) return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration is too short");
    if (config.data[0] != 1)
        return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration is no avcC record of version 1");
    f.nal_length_bytes = (uint8_t)((config.data[4] & 3) + 1);
    if (f.nal_length_bytes == 3)
        return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration has NAL lengths of 3 bytes");
    struct byte_reader r;
    struct nal_walk walk = { .has_begun = false };
    struct byte_span nal, sps = { NULL, 0 };
    unsigned sps_count = config.data[5] & 0x1F, pps_count = 0;
    byte_reader_init(&r, config.data + RECORD_HEAD_BYTES, config.bytes - RECORD_HEAD_BYTES);
    while (next_set(&r, &walk, &nal)) {
        if (!nal.bytes) return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration holds an empty parameter set");
        if (walk.list == 1 && !sps.data) sps = nal;
        if (walk.list == 2) pps_count++;
    }
    if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration is cut off");
    if (!sps_count || !pps_count) return codec_bad(WEIR_MALFORMED, why, "the H.264 configuration has no SPS or no PPS");
    const enum weir_err err = read_sps(sps, &f, why);
    if (!err) *out = f;
    return err;
}

static void look_at_sei(struct nal_visitor *v, const uint8_t *nal, size_t bytes)
{
    struct sei_walk walk;
    struct byte_span payload;
    uint32_t type;
    sei_walk_init(&walk, nal + 1, bytes - 1);
    while (sei_walk_next(&walk, &type, &payload)) {
        v->has_captions |= sei_is_captions(type, payload);
        if (!v->taken_us) v->taken_us = sei_precision_time_us(type, payload);
        if (type != SEI_RECOVERY_POINT || !payload.bytes) continue;
        struct bit_reader r;
        bit_reader_init(&r, payload.data, payload.bytes);
        const uint32_t frames = read_ue(&r); /* recovery_frame_cnt (D.1.8) */
        if (!r.failed && v->access == FRAME_INTER) v->access = frames ? FRAME_RECOVERY : FRAME_OPEN;
    }
}

static enum nal_use look(struct nal_visitor *v, const uint8_t *nal, size_t bytes)
{
    switch (nal[0] & 0x1F) {
    case NAL_IDR: v->access = FRAME_IDR; return NAL_KEEP;
    case NAL_SLICE:
    case 2:
    case 3:
    case 4: v->is_mixed |= v->access == FRAME_IDR; return NAL_KEEP;
    case NAL_SEI: look_at_sei(v, nal, bytes); return NAL_KEEP_AUX;
    case NAL_SPS:
    case NAL_PPS:
        write_u16(&v->sets, (uint16_t)bytes);
        write_bytes(&v->sets, nal, bytes < UINT16_MAX ? bytes : 0);
        return NAL_PARAMETER_SET;
    case NAL_AUD:
    case NAL_END_SEQUENCE:
    case NAL_END_STREAM:
    case NAL_FILLER:
    case NAL_SPS_EXTENSION: return NAL_DROP;
    default: return NAL_KEEP_AUX;
    }
}

static void write_list(struct byte_writer *w, const struct byte_writer *sets, unsigned type, unsigned mask)
{
    struct byte_reader r;
    const size_t count_at = w->bytes;
    unsigned count = 0;
    write_u8(w, 0);
    byte_reader_init(&r, sets->data, sets->bytes);
    while (byte_reader_left(&r) && count < mask) {
        const struct byte_span nal = read_span(&r, read_u16(&r));
        if (!nal.bytes || (nal.data[0] & 0x1F) != type) continue;
        write_u16(w, (uint16_t)nal.bytes);
        write_bytes(w, nal.data, nal.bytes);
        count++;
    }
    if (!w->failed) w->data[count_at] = (uint8_t)(type == NAL_SPS ? 0xE0 | count : count);
}

/* A record of the sets met in the frame, where both kinds were there; a lone PPS joins what the record had. */
static enum weir_err merge_sets(struct byte_span config, const struct byte_writer *sets, struct blob **out)
{
    bool has_sps = false, has_pps = false;
    struct byte_span sps = { NULL, 0 }, nal;
    struct byte_reader r;
    byte_reader_init(&r, sets->data, sets->bytes);
    while (byte_reader_left(&r)) {
        nal = read_span(&r, read_u16(&r));
        if (!nal.bytes) continue;
        const unsigned type = nal.data[0] & 0x1F;
        if (type == NAL_SPS && !has_sps) sps = nal;
        has_sps |= type == NAL_SPS;
        has_pps |= type == NAL_PPS;
    }
    struct byte_writer all, w;
    byte_writer_init(&all, 2 * CODEC_CONFIG_BYTES_MAX);
    byte_writer_init(&w, CODEC_CONFIG_BYTES_MAX);
    write_bytes(&all, sets->data, sets->bytes);
    struct nal_walk walk = { .has_begun = false };
    byte_reader_init(&r, config.data + RECORD_HEAD_BYTES, config.bytes - RECORD_HEAD_BYTES);
    while (next_set(&r, &walk, &nal)) {
        const bool is_wanted = walk.list == 1 ? !has_sps : !has_pps;
        if (!is_wanted) continue;
        if (walk.list == 1 && !sps.data) sps = nal;
        write_u16(&all, (uint16_t)nal.bytes);
        write_bytes(&all, nal.data, nal.bytes);
    }
    write_u8(&w, 1);
    write_bytes(&w, sps.bytes >= 4 ? sps.data + 1 : config.data + 1, 3);
    write_u8(&w, config.data[4]);
    write_list(&w, &all, NAL_SPS, 31);
    write_list(&w, &all, NAL_PPS, 255);
    const bool is_bad = w.failed || all.failed;
    *out = is_bad ? NULL : blob_copy(w.data, w.bytes);
    byte_writer_deinit(&w);
    byte_writer_deinit(&all);
    return is_bad ? WEIR_LIMIT : *out ? WEIR_OK : WEIR_NOMEM;
}

static const struct nal_family family = {
    .look = look, .next_set = next_set, .merge_sets = merge_sets, .record_head_bytes = RECORD_HEAD_BYTES
};
static const uint8_t empty_record[] = { 1, 0, 0, 0, 0xFF, 0xE0, 0 };

static enum weir_err prepare(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                             bool claimed_key, struct codec_frame *out, const char **why)
{
    return nal_frame_prepare(&family, facts, config, data, bytes, claimed_key, out, why);
}

/* Some encoders put Annex B into the sequence header: make a record of it. */
static enum weir_err from_annex_b(struct byte_span wire, struct blob **out, const char **why)
{
    struct byte_writer sets;
    byte_writer_init(&sets, CODEC_CONFIG_BYTES_MAX);
    size_t at = 0;
    while (at + 3 < wire.bytes) {
        if (wire.data[at] || wire.data[at + 1] || wire.data[at + 2] != 1) {
            at++;
            continue;
        }
        const size_t first = at + 3;
        size_t end = first;
        while (end < wire.bytes &&
               !(end + 2 < wire.bytes && !wire.data[end] && !wire.data[end + 1] && wire.data[end + 2] <= 1))
            end++;
        if (end > first) {
            write_u16(&sets, (uint16_t)(end - first));
            write_bytes(&sets, wire.data + first, end - first);
        }
        at = end;
    }
    const struct byte_span none = { empty_record, sizeof empty_record };
    const enum weir_err err = sets.failed || !sets.bytes ? WEIR_MALFORMED : merge_sets(none, &sets, out);
    byte_writer_deinit(&sets);
    return err ? codec_bad(err, why, "the H.264 configuration has start codes and no usable parameter sets") : WEIR_OK;
}

static enum weir_err from_wire(struct byte_span wire, struct blob **out, const char **why)
{
    const bool is_annex_b = wire.bytes > 4 && !wire.data[0] && !wire.data[1] &&
                            (wire.data[2] == 1 || (!wire.data[2] && wire.data[3] == 1));
    if (is_annex_b && wire.bytes <= CODEC_CONFIG_BYTES_MAX) return from_annex_b(wire, out, why);
    return codec_copy_config(wire, out, why);
}

static enum weir_err from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts, const char **why)
{
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

const struct codec_ops avc_ops = {
    .kind = MEDIA_VIDEO,
    .name = "h264",
    .needs_config = true,
    .describe = describe,
    .from_wire = from_wire,
    .from_frame = from_frame,
    .prepare = prepare,
};
