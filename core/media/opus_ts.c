#include <weir/media/opus_ts.h>

#include <string.h>

#include "codec_internal.h"

#define CHANNELS_MAX 8
#define DUAL_MONO 0
#define PRE_SKIP 312 /* what libopus needs; the wire does not say it */

/* Streams and mappings of the codes 1 to 8 (RFC 7845, 5.1.1.2: Vorbis order), and 0. */
static const struct layout {
    uint8_t streams, coupled, mapping[CHANNELS_MAX];
} layouts[CHANNELS_MAX + 1] = {
    { 1, 1, { 0, 1 } },
    { 1, 0, { 0 } },
    { 1, 1, { 0, 1 } },
    { 2, 1, { 0, 2, 1 } },
    { 2, 2, { 0, 1, 2, 3 } },
    { 3, 2, { 0, 4, 1, 2, 3 } },
    { 4, 2, { 0, 4, 1, 2, 3, 5 } },
    { 4, 3, { 0, 4, 1, 2, 3, 5, 6 } },
    { 5, 3, { 0, 6, 1, 2, 3, 4, 5, 7 } },
};

enum weir_err opus_ts_config(unsigned code, struct blob **out, const char **why)
{
    if (code > CHANNELS_MAX)
        return codec_bad(WEIR_UNSUPPORTED, why,
                         "Opus with a channel layout of its own; use mono, stereo or a Vorbis layout");
    const struct layout *layout = &layouts[code];
    const unsigned channels = code == DUAL_MONO ? 2 : code, family = code == DUAL_MONO ? 255 : channels > 2;
    uint8_t box[11 + 2 + CHANNELS_MAX] = { 0, (uint8_t)channels, PRE_SKIP >> 8, PRE_SKIP & 0xFF };
    store_u32(box + 4, 48000);
    box[10] = (uint8_t)family;
    box[11] = layout->streams;
    box[12] = layout->coupled;
    memcpy(box + 13, layout->mapping, channels);
    *out = blob_copy(box, family ? 13 + channels : 11);
    return *out ? WEIR_OK : WEIR_NOMEM;
}

enum weir_err opus_ts_channel_code(struct byte_span config, unsigned *out, const char **why)
{
    const bool is_readable = config.bytes >= 11 && config.data[0] == 0;
    const unsigned channels = is_readable ? config.data[1] : 0, family = is_readable ? config.data[10] : 0;
    bool is_known = channels >= 1 && channels <= CHANNELS_MAX && (family || channels <= 2);
    if (is_known && family) {
        const struct layout *layout = &layouts[family == 255 && channels == 2 ? DUAL_MONO : channels];
        is_known = config.bytes >= 13 + channels && config.data[11] == layout->streams &&
                   config.data[12] == layout->coupled && !memcmp(config.data + 13, layout->mapping, channels);
    }
    if (!is_known)
        return codec_bad(WEIR_UNSUPPORTED, why, "this Opus channel layout has no code in a transport stream");
    *out = family == 255 && channels == 2 ? DUAL_MONO : channels;
    return WEIR_OK;
}

enum opus_ts_parse opus_ts_header_read(struct byte_span in, struct opus_ts_header *out)
{
    struct byte_reader r;
    byte_reader_init(&r, in.data, in.bytes);
    const unsigned head = read_u16(&r);
    if (r.failed) return in.bytes && in.data[0] != 0x7F ? OPUS_TS_BAD : OPUS_TS_NEED;
    if ((head & 0xFFE0) != 0x7FE0) return OPUS_TS_BAD;
    size_t bytes = 0;
    uint8_t part;
    do {
        part = read_u8(&r);
        bytes += part;
    } while (part == 255);
    if (head & 0x10) read_u16(&r); /* start trim */
    if (head & 0x08) read_u16(&r); /* end trim */
    if (head & 0x04) read_span(&r, read_u8(&r));
    if (r.failed) return OPUS_TS_NEED;
    if (!bytes) return OPUS_TS_BAD;
    *out = (struct opus_ts_header){ .header_bytes = (size_t)(r.at - in.data), .packet_bytes = bytes };
    return OPUS_TS_DONE;
}

void opus_ts_header_write(struct byte_writer *w, size_t packet_bytes)
{
    write_u16(w, 0x7FE0);
    for (size_t left = packet_bytes; left >= 255; left -= 255) write_u8(w, 255);
    write_u8(w, (uint8_t)(packet_bytes % 255));
}
