/* G.711: a byte a sample, 8000 of them a second, in two laws. Nothing says more; FLV carries it with one channel. */
#include "codec_internal.h"

#include <stdio.h>

#define SAMPLE_RATE 8000

static enum weir_err from_frame(enum media_codec codec, struct byte_span frame, struct blob **out,
                                struct codec_facts *facts, const char **why)
{
    if (!frame.bytes) return codec_bad(WEIR_MALFORMED, why, "the G.711 frame is empty");
    struct blob *empty = blob_create(0);
    if (!empty) return codec_bad(WEIR_NOMEM, why, "out of memory");
    *facts = (struct codec_facts){ .kind = MEDIA_AUDIO, .codec = codec, .sample_rate = SAMPLE_RATE, .channels = 1 };
    snprintf(facts->codec_string, sizeof facts->codec_string, codec == CODEC_PCMA ? "alaw" : "ulaw");
    *out = empty;
    return WEIR_OK;
}

static enum weir_err pcma_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                     const char **why)
{
    return from_frame(CODEC_PCMA, frame, out, facts, why);
}

static enum weir_err pcmu_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                     const char **why)
{
    return from_frame(CODEC_PCMU, frame, out, facts, why);
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    return codec_bad(WEIR_UNSUPPORTED, why, "G.711 has no configuration; it is always the same");
}

static uint32_t samples(const struct codec_facts *facts, struct byte_span frame)
{
    return (uint32_t)frame.bytes;
}

const struct codec_ops pcma_ops = {
    .kind = MEDIA_AUDIO,
    .name = "pcma",
    .describe = describe,
    .from_frame = pcma_from_frame,
    .samples = samples,
};

const struct codec_ops pcmu_ops = {
    .kind = MEDIA_AUDIO,
    .name = "pcmu",
    .describe = describe,
    .from_frame = pcmu_from_frame,
    .samples = samples,
};
