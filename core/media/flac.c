/* FLAC: STREAMINFO as dfLa carries it (FLAC in ISO BMFF, 3.3.2) and the frame header's block size (RFC 9639, 9.1.1). */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>

#define STREAMINFO_BYTES 34
#define BLOCK_BYTES (4 + STREAMINFO_BYTES)

static enum weir_err from_wire(struct byte_span wire, struct blob **out, const char **why)
{
    if (wire.bytes >= 4 && !memcmp(wire.data, "fLaC", 4)) wire = (struct byte_span){ wire.data + 4, wire.bytes - 4 };
    struct blob *b = blob_create(BLOCK_BYTES);
    if (!b) return WEIR_NOMEM;
    uint8_t *data = blob_data(b);
    const bool has_header = wire.bytes >= BLOCK_BYTES && (wire.data[0] & 0x7F) == 0 &&
                            load_u24(wire.data + 1) == STREAMINFO_BYTES;
    if (!has_header && wire.bytes != STREAMINFO_BYTES) {
        blob_unref(b);
        return codec_bad(WEIR_MALFORMED, why, "the FLAC configuration holds no STREAMINFO");
    }
    data[0] = 0x80; /* the last block: the others say nothing to a decoder */
    data[1] = data[2] = 0;
    data[3] = STREAMINFO_BYTES;
    memcpy(data + 4, wire.data + (has_header ? 4 : 0), STREAMINFO_BYTES);
    *out = b;
    return WEIR_OK;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes < BLOCK_BYTES || (config.data[0] & 0x7F))
        return codec_bad(WEIR_MALFORMED, why, "the FLAC configuration holds no STREAMINFO");
    const uint8_t *info = config.data + 4;
    const unsigned block_min = load_u16(info), block_max = load_u16(info + 2);
    struct codec_facts f = { .kind = MEDIA_AUDIO, .codec = CODEC_FLAC };
    f.sample_rate = load_u24(info + 10) >> 4;
    f.channels = (info[12] >> 1 & 7) + 1u;
    f.bit_depth = (uint8_t)(((info[12] & 1) << 4 | info[13] >> 4) + 1);
    if (!f.sample_rate || f.sample_rate > 655350)
        return codec_bad(WEIR_MALFORMED, why, "the FLAC configuration has an impossible sample rate");
    if (block_min == block_max && block_min >= 16) f.frame_samples = block_min;
    snprintf(f.codec_string, sizeof f.codec_string, "fLaC");
    *out = f;
    return WEIR_OK;
}

/* Bytes of the frame or sample number, which is coded like UTF-8 with up to 7 bytes. */
static unsigned coded_number_bytes(uint8_t first)
{
    unsigned ones = 0;
    while (ones < 8 && first & (0x80 >> ones)) ones++;
    return ones == 0 ? 1 : ones == 1 || ones == 8 ? 0 : ones;
}

static uint32_t samples(const struct codec_facts *facts, struct byte_span frame)
{
    struct byte_reader r;
    byte_reader_init(&r, frame.data, frame.bytes);
    if ((read_u16(&r) & 0xFFFE) != 0xFFF8) return 0;
    const unsigned code = read_u8(&r) >> 4;
    read_u8(&r);
    const unsigned number = r.failed || !byte_reader_left(&r) ? 0 : coded_number_bytes(*r.at);
    if (!number) return 0;
    read_span(&r, number);
    uint32_t size = 0;
    if (code == 1)
        size = 192;
    else if (code >= 2 && code <= 5)
        size = 576u << (code - 2);
    else if (code == 6)
        size = read_u8(&r) + 1u;
    else if (code == 7)
        size = read_u16(&r) + 1u;
    else if (code >= 8)
        size = 256u << (code - 8);
    return r.failed ? 0 : size;
}

const struct codec_ops flac_ops = {
    .kind = MEDIA_AUDIO,
    .name = "flac",
    .needs_config = true,
    .describe = describe,
    .from_wire = from_wire,
    .samples = samples,
};
