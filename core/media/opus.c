/* Opus: OpusHead (RFC 7845, 5.1), dOps (Opus in ISO BMFF, 4.3.2) and packet durations (RFC 6716, 3.1). */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>

#define OPUS_RATE 48000
#define PACKET_SAMPLES_MAX 5760 /* 120 ms */
#define DEFAULT_PRE_SKIP 312    /* what libopus needs; used when the encoder does not say */

static enum weir_err write_dops(struct blob **out, unsigned channels, unsigned pre_skip, uint32_t input_rate,
                                unsigned gain, unsigned family, struct byte_span mapping)
{
    struct byte_writer w;
    byte_writer_init(&w, 300);
    write_u8(&w, 0);
    write_u8(&w, (uint8_t)channels);
    write_u16(&w, (uint16_t)pre_skip);
    write_u32(&w, input_rate);
    write_u16(&w, (uint16_t)gain);
    write_u8(&w, (uint8_t)family);
    write_bytes(&w, mapping.data, mapping.bytes);
    *out = w.failed ? NULL : blob_copy(w.data, w.bytes);
    byte_writer_deinit(&w);
    return *out ? WEIR_OK : WEIR_NOMEM;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes < 11 || config.data[0] != 0 || !config.data[1])
        return codec_bad(WEIR_MALFORMED, why, "the Opus configuration is no dOps of version 0");
    if (config.data[10] && config.bytes < 13u + config.data[1])
        return codec_bad(WEIR_MALFORMED, why, "the Opus configuration is cut off");
    struct codec_facts f = {
        .kind = MEDIA_AUDIO, .codec = CODEC_OPUS, .sample_rate = OPUS_RATE, .channels = config.data[1]
    };
    snprintf(f.codec_string, sizeof f.codec_string, "opus");
    *out = f;
    return WEIR_OK;
}

static enum weir_err from_wire(struct byte_span wire, struct blob **out, const char **why)
{
    const struct byte_span none = { NULL, 0 };
    if (!wire.bytes) return write_dops(out, 2, DEFAULT_PRE_SKIP, OPUS_RATE, 0, 0, none);
    if (!wire.data[0]) { /* an mp4 form already; an OpusHead begins with its name */
        struct codec_facts facts;
        const enum weir_err err = describe(wire, &facts, why);
        return err ? err : codec_copy_config(wire, out, why);
    }
    if (wire.bytes < 19 || memcmp(wire.data, "OpusHead", 8))
        return codec_bad(WEIR_MALFORMED, why, "the Opus configuration is no OpusHead");
    struct byte_reader r;
    byte_reader_init(&r, wire.data + 8, wire.bytes - 8);
    const unsigned version = read_u8(&r), channels = read_u8(&r), pre_skip = read_u16_le(&r);
    const uint32_t input_rate = read_u32_le(&r);
    const unsigned gain = read_u16_le(&r), family = read_u8(&r);
    if (version >> 4) return codec_bad(WEIR_UNSUPPORTED, why, "this version of OpusHead is not known");
    if (!channels || (!family && channels > 2))
        return codec_bad(WEIR_MALFORMED, why, "the Opus configuration has an impossible channel layout");
    const struct byte_span mapping = family ? read_span(&r, 2u + channels) : none;
    if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the Opus configuration is cut off");
    return write_dops(out, channels, pre_skip, input_rate, gain, family, mapping);
}

static uint32_t samples(const struct codec_facts *facts, struct byte_span frame)
{
    /* tenths of milliseconds by configuration number */
    static const uint16_t sizes[3][4] = { { 100, 200, 400, 600 }, { 100, 200, 100, 200 }, { 25, 50, 100, 200 } };
    if (!frame.bytes) return 0;
    const unsigned configuration = frame.data[0] >> 3, code = frame.data[0] & 3;
    const unsigned row = configuration < 12 ? 0 : configuration < 16 ? 1 : 2;
    const uint32_t each = sizes[row][configuration & 3] * (uint32_t)(OPUS_RATE / 1000) / 10;
    uint32_t count = code == 0 ? 1 : 2;
    if (code == 3) {
        if (frame.bytes < 2) return 0;
        count = frame.data[1] & 0x3F;
    }
    const uint32_t total = count * each;
    return total <= PACKET_SAMPLES_MAX ? total : 0;
}

const struct codec_ops opus_ops = {
    .kind = MEDIA_AUDIO,
    .name = "opus",
    .needs_config = true,
    .describe = describe,
    .from_wire = from_wire,
    .samples = samples,
};
