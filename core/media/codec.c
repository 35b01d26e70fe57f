/* The doors of codec.h: find the codec's row, check what is common to all. */
#include "codec_internal.h"

#include <assert.h>
#include <weir/base/limits.h>

static const struct codec_ops *ops_of(enum media_codec codec)
{
    static const struct codec_ops *const rows[] = {
        [CODEC_H264] = &avc_ops,  [CODEC_HEVC] = &hevc_ops, [CODEC_AV1] = &av1_ops,   [CODEC_VP9] = &vp9_ops,
        [CODEC_AAC] = &aac_ops,   [CODEC_MP3] = &mp3_ops,   [CODEC_OPUS] = &opus_ops, [CODEC_FLAC] = &flac_ops,
        [CODEC_AC3] = &ac3_ops,   [CODEC_EAC3] = &eac3_ops, [CODEC_MP2] = &mp2_ops,   [CODEC_PCMA] = &pcma_ops,
        [CODEC_PCMU] = &pcmu_ops,
    };
    assert((unsigned)codec < ARRAY_LEN(rows) && rows[codec]);
    return rows[codec];
}

enum media_kind codec_kind(enum media_codec codec)
{
    return ops_of(codec)->kind;
}

const char *codec_name(enum media_codec codec)
{
    return ops_of(codec)->name;
}

bool codec_needs_config(enum media_codec codec)
{
    return ops_of(codec)->needs_config;
}

bool codec_is_carried(enum media_codec codec)
{
    return codec != CODEC_MP2 && codec != CODEC_PCMA && codec != CODEC_PCMU;
}

enum weir_err codec_copy_config(struct byte_span wire, struct blob **out, const char **why)
{
    if (!wire.bytes) return codec_bad(WEIR_MALFORMED, why, "the codec configuration is empty");
    if (wire.bytes > CODEC_CONFIG_BYTES_MAX)
        return codec_bad(WEIR_LIMIT, why, "the codec configuration is larger than 4 KiB");
    struct blob *b = blob_copy(wire.data, wire.bytes);
    if (!b) return codec_bad(WEIR_NOMEM, why, "out of memory");
    *out = b;
    return WEIR_OK;
}

enum weir_err codec_describe(enum media_codec codec, struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes > CODEC_CONFIG_BYTES_MAX)
        return codec_bad(WEIR_LIMIT, why, "the codec configuration is larger than 4 KiB");
    return ops_of(codec)->describe(config, out, why);
}

enum weir_err codec_config_from_wire(enum media_codec codec, struct byte_span wire, struct blob **out, const char **why)
{
    const struct codec_ops *ops = ops_of(codec);
    if (wire.bytes > CODEC_CONFIG_BYTES_MAX)
        return codec_bad(WEIR_LIMIT, why, "the codec configuration is larger than 4 KiB");
    if (!ops->from_wire)
        return codec_bad(WEIR_UNSUPPORTED, why, "this codec has no configuration; its frames say everything");
    return ops->from_wire(wire, out, why);
}

enum weir_err codec_config_from_frame(enum media_codec codec, struct byte_span frame, struct blob **out,
                                      struct codec_facts *facts, const char **why)
{
    const struct codec_ops *ops = ops_of(codec);
    if (!ops->from_frame) return codec_bad(WEIR_UNSUPPORTED, why, "this codec's frames do not say its configuration");
    return ops->from_frame(frame, out, facts, why);
}

enum weir_err codec_frame_prepare(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                                  bool claimed_key, struct codec_frame *out, const char **why)
{
    const struct codec_ops *ops = ops_of(facts->codec);
    assert(ops->prepare); /* video only */
    return ops->prepare(facts, config, data, bytes, claimed_key, out, why);
}

uint32_t codec_frame_samples(const struct codec_facts *facts, struct byte_span frame)
{
    const struct codec_ops *ops = ops_of(facts->codec);
    return ops->samples ? ops->samples(facts, frame) : facts->frame_samples;
}
