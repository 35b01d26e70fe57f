#include <weir/media/adts.h>

#include "aac_internal.h"
#include "codec_internal.h"

#define FREQUENCIES 13
#define FREQUENCY_ESCAPE 15
#define ID_PCE 5 /* ISO 14496-3, table 4.85 */

static const uint32_t sample_rates[FREQUENCIES] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                                    22050, 16000, 12000, 11025, 8000,  7350 };

bool adts_header_read(struct byte_span in, struct adts_header *out)
{
    const uint8_t *p = in.data;
    if (in.bytes < ADTS_HEADER_BYTES || p[0] != 0xFF || (p[1] & 0xF6) != 0xF0) return false;
    const struct adts_header h = {
        .object_type = (p[2] >> 6) + 1u,
        .frequency_index = p[2] >> 2 & 0xF,
        .channel_configuration = (p[2] & 1u) << 2 | p[3] >> 6,
        .raw_blocks = (p[6] & 3u) + 1,
        .header_bytes = p[1] & 1 ? ADTS_HEADER_BYTES : ADTS_HEADER_BYTES + 2,
        .frame_bytes = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5,
    };
    if (h.frequency_index >= FREQUENCIES || h.frame_bytes <= h.header_bytes) return false;
    *out = h;
    out->sample_rate = sample_rates[h.frequency_index];
    return true;
}

enum weir_err adts_config(const struct adts_header *header, struct byte_span frame, uint8_t out[ADTS_CONFIG_BYTES_MAX],
                          size_t *out_bytes, const char **why)
{
    struct bit_writer w;
    bit_writer_init(&w, out, ADTS_CONFIG_BYTES_MAX);
    write_bits(&w, header->object_type, 5);
    write_bits(&w, header->frequency_index, 4);
    write_bits(&w, header->channel_configuration, 4);
    write_bits(&w, 0, 3); /* 1024 samples, no core coder, no extension */
    if (!header->channel_configuration) {
        struct bit_reader r;
        bit_reader_init(&r, frame.data, frame.bytes);
        skip_bits(&r, 8 * header->header_bytes);
        if (read_bits(&r, 3) != ID_PCE)
            return codec_bad(WEIR_UNSUPPORTED, why,
                             "the ADTS header leaves the channels open and its frame does not say them");
        aac_copy_pce(&w, &r, 0);
        if (r.failed || w.failed)
            return codec_bad(WEIR_UNSUPPORTED, why, "the channel layout in the ADTS frame cannot be read");
    }
    *out_bytes = bit_writer_bytes(&w);
    return WEIR_OK;
}

/* 0 to 12, or FREQUENCY_ESCAPE where the rate has no number of its own. */
static unsigned read_frequency_index(struct bit_reader *r)
{
    const unsigned index = read_bits(r, 4);
    if (index != FREQUENCY_ESCAPE) return index < FREQUENCIES ? index : FREQUENCY_ESCAPE;
    const uint32_t rate = read_bits(r, 24);
    for (unsigned i = 0; i < FREQUENCIES; i++)
        if (sample_rates[i] == rate) return i;
    return FREQUENCY_ESCAPE;
}

enum weir_err adts_header_write(struct byte_span config, size_t payload_bytes, uint8_t out[ADTS_HEADER_BYTES],
                                const char **why)
{
    struct bit_reader r;
    bit_reader_init(&r, config.data, config.bytes);
    unsigned type = read_bits(&r, 5);
    const unsigned frequency = read_frequency_index(&r), channels = read_bits(&r, 4);
    if (type == 5 || type == 29) { /* SBR, PS: the core's type stands behind the extension's rate */
        (void)read_frequency_index(&r);
        type = read_bits(&r, 5);
    }
    if (r.failed || type < 1 || type > 4 || frequency == FREQUENCY_ESCAPE || !channels || channels > 7)
        return codec_bad(WEIR_UNSUPPORTED, why, "this AAC configuration cannot be said in an ADTS header");
    const size_t bytes = payload_bytes + ADTS_HEADER_BYTES;
    if (bytes > 0x1FFF) return codec_bad(WEIR_LIMIT, why, "the AAC frame is longer than an ADTS header can say");
    struct bit_writer w;
    bit_writer_init(&w, out, ADTS_HEADER_BYTES);
    write_bits(&w, 0xFFF1, 16); /* MPEG-4, no CRC */
    write_bits(&w, type - 1, 2);
    write_bits(&w, frequency, 4);
    write_bits(&w, 0, 1);
    write_bits(&w, channels, 3);
    write_bits(&w, 0, 4);
    write_bits(&w, (uint32_t)bytes, 13);
    write_bits(&w, 0x7FF, 11); /* variable bit rate */
    write_bits(&w, 0, 2);
    return WEIR_OK;
}
