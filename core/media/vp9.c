/* VP9: VPCodecConfigurationRecord (VP codec ISO media file format binding) and the uncompressed header (VP9 6.2). */
#include "codec_internal.h"

#include <stdio.h>

#define RECORD_BYTES 8

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes < RECORD_BYTES) return codec_bad(WEIR_MALFORMED, why, "the VP9 configuration is too short");
    struct codec_facts f = { .kind = MEDIA_VIDEO, .codec = CODEC_VP9 };
    f.profile = config.data[0];
    f.level = config.data[1];
    f.bit_depth = config.data[2] >> 4;
    f.transfer = config.data[4];
    const unsigned chroma = config.data[2] >> 1 & 7;
    f.chroma_format_idc = (uint8_t)(chroma < 2 ? 1 : chroma);
    if (f.profile > 3 || (f.bit_depth != 8 && f.bit_depth != 10 && f.bit_depth != 12))
        return codec_bad(WEIR_MALFORMED, why, "the VP9 configuration has an impossible profile or bit depth");
    snprintf(f.codec_string, sizeof f.codec_string, "vp09.%02u.%02u.%02u", f.profile, f.level, f.bit_depth);
    *out = f;
    return WEIR_OK;
}

/* Some send the FullBox header (version 1, flags 0) in front, some do not. */
static enum weir_err from_wire(struct byte_span wire, struct blob **out, const char **why)
{
    const bool has_box_header = wire.bytes >= RECORD_BYTES + 4 && wire.data[0] == 1 && !wire.data[1] && !wire.data[2] &&
                                !wire.data[3];
    if (has_box_header) wire = (struct byte_span){ wire.data + 4, wire.bytes - 4 };
    return codec_copy_config(wire, out, why);
}

struct vp9_header {
    bool is_shown_existing, is_key;
    uint32_t width, height; /* of a keyframe */
};

static bool read_header(struct byte_span frame, struct vp9_header *h)
{
    struct bit_reader r;
    bit_reader_init(&r, frame.data, frame.bytes);
    if (read_bits(&r, 2) != 2) return false;
    unsigned profile = read_bits(&r, 1);
    profile |= read_bits(&r, 1) << 1;
    if (profile == 3 && read_flag(&r)) return false;
    *h = (struct vp9_header){ .is_shown_existing = read_flag(&r) };
    if (h->is_shown_existing) return !r.failed;
    h->is_key = !read_flag(&r);
    skip_bits(&r, 2); /* show_frame, error_resilient_mode */
    if (!h->is_key) return !r.failed;
    if (read_bits(&r, 24) != 0x498342) return false;
    if (profile >= 2) skip_bits(&r, 1);
    const unsigned space = read_bits(&r, 3);
    if (space != 7)
        skip_bits(&r, profile == 1 || profile == 3 ? 4 : 1);
    else if (profile == 1 || profile == 3)
        skip_bits(&r, 1);
    h->width = read_bits(&r, 16) + 1;
    h->height = read_bits(&r, 16) + 1;
    return !r.failed;
}

bool codec_frame_size(enum media_codec codec, struct byte_span frame, uint32_t *width, uint32_t *height)
{
    struct vp9_header h;
    if (codec != CODEC_VP9 || !read_header(frame, &h) || !h.is_key) return false;
    if (h.width > PICTURE_SIDE_MAX || h.height > PICTURE_SIDE_MAX) return false;
    *width = h.width;
    *height = h.height;
    return true;
}

static enum weir_err prepare(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                             bool claimed_key, struct codec_frame *out, const char **why)
{
    struct vp9_header h;
    if (!read_header((struct byte_span){ data, bytes }, &h))
        return codec_bad(WEIR_MALFORMED, why, "the VP9 frame has no readable header");
    *out = (struct codec_frame){
        .access = h.is_key ? FRAME_IDR : FRAME_INTER,
        .bytes = bytes,
        .is_claimed_key_wrong = claimed_key != h.is_key,
    };
    return WEIR_OK;
}

const struct codec_ops vp9_ops = {
    .kind = MEDIA_VIDEO,
    .name = "vp9",
    .needs_config = true,
    .describe = describe,
    .from_wire = from_wire,
    .prepare = prepare,
};
