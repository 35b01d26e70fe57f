#include <weir/media/latm.h>

#include <string.h>

#include "aac_internal.h"
#include "codec_internal.h"

size_t loas_element_bytes(struct byte_span in)
{
    if (in.bytes < LOAS_HEADER_BYTES || in.data[0] != 0x56 || (in.data[1] & 0xE0) != 0xE0) return 0;
    return LOAS_HEADER_BYTES + ((size_t)(in.data[1] & 0x1F) << 8 | in.data[2]);
}

/* LatmGetValue (1.7.3): one to four bytes. */
static uint32_t read_value(struct bit_reader *r)
{
    const unsigned bytes = read_bits(r, 2) + 1;
    return read_bits(r, 8 * bytes);
}

static unsigned copy_object_type(struct bit_writer *w, struct bit_reader *r)
{
    unsigned type = read_bits(r, 5);
    write_bits(w, type, 5);
    if (type == 31) {
        const unsigned escaped = read_bits(r, 6);
        write_bits(w, escaped, 6);
        type = 32 + escaped;
    }
    return type;
}

static void copy_frequency(struct bit_writer *w, struct bit_reader *r)
{
    const unsigned index = read_bits(r, 4);
    write_bits(w, index, 4);
    if (index == 15) copy_bits(w, r, 24);
}

/* AudioSpecificConfig (1.6.2.1) of the GA types; nothing but its fields says where it ends. */
static enum weir_err copy_config(struct bit_writer *w, struct bit_reader *r, const char **why)
{
    const size_t base = r->at;
    unsigned type = copy_object_type(w, r);
    copy_frequency(w, r);
    const unsigned channels = read_bits(r, 4);
    write_bits(w, channels, 4);
    if (type == 5 || type == 29) {
        copy_frequency(w, r);
        type = copy_object_type(w, r);
    }
    if (r->failed) return codec_bad(WEIR_MALFORMED, why, "the LATM configuration is cut off");
    if (type < 1 || type > 4)
        return codec_bad(WEIR_UNSUPPORTED, why, "LATM with an object type that is not AAC Main, LC, SSR or LTP");
    copy_bits(w, r, 1);
    const bool has_core = read_flag(r);
    write_bits(w, has_core, 1);
    if (has_core) copy_bits(w, r, 14);
    const bool has_extension = read_flag(r);
    write_bits(w, has_extension, 1);
    if (!channels) aac_copy_pce(w, r, base);
    if (has_extension) copy_bits(w, r, 1); /* extensionFlag3 */
    return WEIR_OK;
}

static enum weir_err read_audio_config(struct latm_state *s, struct bit_reader *r, bool has_length, const char **why)
{
    struct bit_writer w;
    bit_writer_init(&w, s->config, sizeof s->config);
    enum weir_err err = WEIR_OK;
    if (has_length) {
        const uint32_t bits = read_value(r);
        if (bits > w.bits_max) return codec_bad(WEIR_UNSUPPORTED, why, "the LATM configuration is too long");
        copy_bits(&w, r, bits);
    } else {
        err = copy_config(&w, r, why);
    }
    if (!err && (r->failed || w.failed || !w.at))
        err = codec_bad(WEIR_MALFORMED, why, "the LATM configuration is cut off");
    s->config_bytes = bit_writer_bytes(&w);
    return err;
}

static void skip_other_data_length(struct bit_reader *r, bool is_version_1)
{
    if (is_version_1) {
        (void)read_value(r);
        return;
    }
    bool has_more = true;
    while (has_more && !r->failed) {
        has_more = read_flag(r);
        skip_bits(r, 8);
    }
}

/* StreamMuxConfig (1.7.3.2.3) */
static enum weir_err read_mux_config(struct latm_state *s, struct bit_reader *r, const char **why)
{
    const bool is_version_1 = read_flag(r);
    if (is_version_1 && read_flag(r)) return codec_bad(WEIR_UNSUPPORTED, why, "this version of LATM is not defined");
    if (is_version_1) (void)read_value(r); /* taraBufferFullness */
    const bool is_same_framing = read_flag(r);
    s->subframes = read_bits(r, 6) + 1;
    const unsigned programs = read_bits(r, 4) + 1, layers = read_bits(r, 3) + 1;
    if (!r->failed && (!is_same_framing || programs != 1 || layers != 1))
        return codec_bad(WEIR_UNSUPPORTED, why, "LATM with several programs or layers; send one per PID");
    const enum weir_err err = read_audio_config(s, r, is_version_1, why);
    if (err) return err;
    if (read_bits(r, 3) != 0)
        return codec_bad(WEIR_UNSUPPORTED, why, "LATM with frames of fixed length, which AAC does not use");
    skip_bits(r, 8); /* latmBufferFullness */
    s->has_other_data = read_flag(r);
    if (s->has_other_data) skip_other_data_length(r, is_version_1);
    if (read_flag(r)) skip_bits(r, 8); /* crcCheckSum */
    if (r->failed) return codec_bad(WEIR_MALFORMED, why, "the LATM configuration is cut off");
    s->is_known = true;
    return WEIR_OK;
}

/* PayloadLengthInfo and PayloadMux (1.7.3.2.4, 1.7.3.2.5) */
static bool read_payload(struct bit_reader *r, struct latm_payload *out)
{
    size_t bytes = 0;
    uint32_t part;
    do {
        part = read_bits(r, 8);
        bytes += part;
    } while (part == 255 && !r->failed);
    *out = (struct latm_payload){ .bit = r->at, .bytes = bytes };
    skip_bits(r, 8 * bytes);
    return !r->failed;
}

enum weir_err latm_element_read(struct latm_state *state, struct byte_span element, struct latm_element *out,
                                const char **why)
{
    struct bit_reader r;
    struct latm_state next = *state;
    bit_reader_init(&r, element.data, element.bytes);
    skip_bits(&r, 8 * LOAS_HEADER_BYTES);
    if (!read_flag(&r)) {
        const enum weir_err err = r.failed ? WEIR_MALFORMED : read_mux_config(&next, &r, why);
        if (err) return err == WEIR_MALFORMED ? codec_bad(err, why, "the LATM element is cut off") : err;
    }
    if (!next.is_known) return codec_bad(WEIR_STATE, why, "LATM without a configuration so far");
    struct latm_element e = { .count = 0 };
    for (unsigned i = 0; i < next.subframes; i++) {
        if (!read_payload(&r, &e.payloads[e.count]))
            return codec_bad(WEIR_MALFORMED, why, "a LATM payload is longer than its element");
        e.count += e.payloads[e.count].bytes > 0;
    }
    *state = next;
    *out = e;
    return WEIR_OK;
}

void latm_payload_copy(struct byte_span element, const struct latm_payload *payload, uint8_t *out)
{
    const uint8_t *from = element.data + payload->bit / 8;
    const unsigned shift = payload->bit % 8;
    if (!shift) {
        memcpy(out, from, payload->bytes);
        return;
    }
    for (size_t i = 0; i < payload->bytes; i++) out[i] = (uint8_t)(from[i] << shift | from[i + 1] >> (8 - shift));
}
