/* What H.264 and HEVC have in common: NAL units, their samples, and parts of the VUI. */
#include "codec_internal.h"

#include <string.h>
#include <weir/base/limits.h>

size_t nal_unescape(const uint8_t *data, size_t bytes, uint8_t *out, size_t room)
{
    size_t used = 0, zeros = 0;
    for (size_t i = 0; i < bytes && used < room; i++) {
        if (zeros >= 2 && data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = data[i] ? 0 : zeros + 1;
        out[used++] = data[i];
    }
    return used;
}

void facts_set_fps(struct codec_facts *facts, uint64_t num, uint64_t den)
{
    if (!num || !den || num / den > 300 || num < den / 2) return;
    uint64_t a = num, b = den;
    while (b) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    num /= a;
    den /= a;
    if (num > UINT32_MAX || den > UINT32_MAX) return;
    facts->fps_num = (uint32_t)num;
    facts->fps_den = (uint32_t)den;
}

void vui_common_read(struct bit_reader *r, struct codec_facts *facts)
{
    /* H.264 table E-1 */
    static const uint16_t ratios[][2] = { { 0, 0 },   { 1, 1 },    { 12, 11 }, { 10, 11 }, { 16, 11 }, { 40, 33 },
                                          { 24, 11 }, { 20, 11 },  { 32, 11 }, { 80, 33 }, { 18, 11 }, { 15, 11 },
                                          { 64, 33 }, { 160, 99 }, { 4, 3 },   { 3, 2 },   { 2, 1 } };
    if (read_flag(r)) {
        const uint32_t index = read_bits(r, 8);
        if (index == 255) {
            facts->sar_num = read_bits(r, 16);
            facts->sar_den = read_bits(r, 16);
        } else if (index < ARRAY_LEN(ratios)) {
            facts->sar_num = ratios[index][0];
            facts->sar_den = ratios[index][1];
        }
    }
    if (read_flag(r)) skip_bits(r, 1); /* overscan */
    if (read_flag(r)) {
        skip_bits(r, 4);
        if (read_flag(r)) {
            skip_bits(r, 8);
            facts->transfer = (uint8_t)read_bits(r, 8);
            skip_bits(r, 8);
        }
    }
    if (read_flag(r)) {
        read_ue(r);
        read_ue(r);
    }
}

static size_t read_length(const uint8_t *at, unsigned length_bytes)
{
    return length_bytes == 4 ? load_u32(at) : length_bytes == 2 ? load_u16(at) : at[0];
}

static bool is_annex_b(const uint8_t *data, size_t bytes)
{
    return bytes > 4 && !data[0] && !data[1] && (data[2] == 1 || (!data[2] && data[3] == 1));
}

/* Walks a sample's units (each looked at is not empty) and closes the holes that dropped ones leave. */
static enum weir_err compact(const struct nal_family *family, unsigned length_bytes, uint8_t *data, size_t bytes,
                             struct nal_visitor *v, size_t *kept_bytes, bool *has_picture, const char **why)
{
    size_t at = 0, kept = 0, count = 0;
    bool is_picture = false;
    while (at < bytes) {
        if (bytes - at < length_bytes)
            return codec_bad(WEIR_MALFORMED, why, "the frame ends inside a NAL unit's length");
        const size_t length = read_length(data + at, length_bytes);
        if (length > bytes - at - length_bytes) {
            return codec_bad(WEIR_MALFORMED, why,
                             is_annex_b(data, bytes) ? "the frame has start codes; expected length-prefixed NAL units"
                                                     : "a NAL unit is longer than its frame");
        }
        if (++count > NAL_UNITS_PER_FRAME_MAX) return codec_bad(WEIR_LIMIT, why, "the frame has too many NAL units");
        const size_t whole = length_bytes + length;
        /* cameras send empty NAL units; they mean nothing (ossrs/srs#3750) */
        const enum nal_use use = length ? family->look(v, data + at + length_bytes, length) : NAL_DROP;
        if (use == NAL_KEEP || use == NAL_KEEP_AUX) {
            if (kept != at) memmove(data + kept, data + at, whole);
            kept += whole;
            is_picture |= use == NAL_KEEP;
        }
        at += whole;
    }
    *kept_bytes = kept;
    *has_picture = is_picture;
    return WEIR_OK;
}

/* Whether every set that the frame brought stands in the configuration already. */
static bool are_sets_known(const struct nal_family *family, const struct byte_writer *sets, struct byte_span config)
{
    struct byte_reader in;
    byte_reader_init(&in, sets->data, sets->bytes);
    while (byte_reader_left(&in)) {
        const struct byte_span wanted = read_span(&in, read_u16(&in));
        struct nal_walk walk = { .has_begun = false };
        struct byte_reader r;
        struct byte_span nal;
        bool is_known = false;
        byte_reader_init(&r, config.data, config.bytes);
        read_span(&r, family->record_head_bytes);
        while (!is_known && family->next_set(&r, &walk, &nal))
            is_known = nal.bytes == wanted.bytes && !memcmp(nal.data, wanted.data, nal.bytes);
        if (!is_known) return false;
    }
    return true;
}

enum weir_err nal_frame_prepare(const struct nal_family *family, const struct codec_facts *facts,
                                struct byte_span config, uint8_t *data, size_t bytes, bool claimed_key,
                                struct codec_frame *out, const char **why)
{
    struct nal_visitor v = { .access = FRAME_INTER };
    byte_writer_init(&v.sets, CODEC_CONFIG_BYTES_MAX);
    bool has_picture = false;
    size_t kept = 0;
    struct blob *merged = NULL;
    enum weir_err err = compact(family, facts->nal_length_bytes, data, bytes, &v, &kept, &has_picture, why);
    if (!err && v.sets.bytes && !v.sets.failed && !are_sets_known(family, &v.sets, config)) {
        err = family->merge_sets(config, &v.sets, &merged);
        if (err == WEIR_LIMIT) err = codec_bad(err, why, "the frame's parameter sets are too large");
    }
    byte_writer_deinit(&v.sets);
    if (err) return err;
    if (v.is_mixed) v.access = FRAME_INTER; /* IDR and other slices in one picture: no clean entry */
    *out = (struct codec_frame){
        .access = v.access,
        .bytes = kept,
        .new_config = merged,
        .has_captions = v.has_captions,
        .taken_us = v.taken_us,
        .is_empty = !has_picture,
        .is_claimed_key_wrong = has_picture && claimed_key != (v.access != FRAME_INTER),
    };
    return WEIR_OK;
}

enum weir_err nal_config_from_frame(const struct nal_family *family, struct byte_span empty_record,
                                    struct byte_span frame, struct blob **out, const char **why)
{
    struct nal_visitor v = { .access = FRAME_INTER };
    struct byte_reader r;
    byte_writer_init(&v.sets, CODEC_CONFIG_BYTES_MAX);
    byte_reader_init(&r, frame.data, frame.bytes);
    for (unsigned count = 0; byte_reader_left(&r) && count < NAL_UNITS_PER_FRAME_MAX; count++) {
        const struct byte_span nal = read_span(&r, read_u32(&r));
        if (nal.bytes) (void)family->look(&v, nal.data, nal.bytes);
    }
    enum weir_err err = v.sets.bytes ? WEIR_OK : codec_bad(WEIR_NOT_FOUND, why, "the frame brings no parameter sets");
    if (!err) err = v.sets.failed ? WEIR_LIMIT : family->merge_sets(empty_record, &v.sets, out);
    if (err == WEIR_LIMIT) err = codec_bad(err, why, "the frame's parameter sets are too large");
    byte_writer_deinit(&v.sets);
    return err;
}
