/* AAC: AudioSpecificConfig (ISO 14496-3, 1.6.2.1), with both ways of saying SBR and PS. */
#include "aac_internal.h"
#include "codec_internal.h"

#include <stdio.h>

enum { AOT_MAIN = 1, AOT_LC = 2, AOT_SBR = 5, AOT_PS = 29, AOT_USAC = 42 };

static unsigned read_object_type(struct bit_reader *r)
{
    const unsigned type = read_bits(r, 5);
    return type == 31 ? 32 + read_bits(r, 6) : type;
}

static uint32_t read_frequency(struct bit_reader *r)
{
    static const uint32_t rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                      22050, 16000, 12000, 11025, 8000,  7350 };
    const unsigned index = read_bits(r, 4);
    if (index == 15) return read_bits(r, 24);
    return index < ARRAY_LEN(rates) ? rates[index] : 0;
}

/* program_config_element (4.4.1.1): only to count channels. */
static uint32_t read_pce_channels(struct bit_reader *r)
{
    skip_bits(r, 4 + 2 + 4);
    const unsigned front = read_bits(r, 4), side = read_bits(r, 4), back = read_bits(r, 4), lfe = read_bits(r, 2);
    skip_bits(r, 3 + 4);
    if (read_flag(r)) skip_bits(r, 4);
    if (read_flag(r)) skip_bits(r, 4);
    if (read_flag(r)) skip_bits(r, 3);
    uint32_t channels = lfe;
    for (unsigned i = 0; i < front + side + back && !r->failed; i++) {
        channels += read_flag(r) ? 2 : 1;
        skip_bits(r, 4);
    }
    return r->failed ? 0 : channels;
}

void aac_copy_pce(struct bit_writer *w, struct bit_reader *r, size_t base)
{
    static const unsigned mixdown_bits[3] = { 4, 4, 3 }; /* mono, stereo, matrix */
    unsigned elements = 0;                               /* of five bits: front, side, back */
    copy_bits(w, r, 4 + 2 + 4);
    for (int i = 0; i < 3; i++) {
        const unsigned count = read_bits(r, 4);
        write_bits(w, count, 4);
        elements += count;
    }
    const unsigned lfe = read_bits(r, 2), associated = read_bits(r, 3), coupled = read_bits(r, 4);
    write_bits(w, lfe, 2);
    write_bits(w, associated, 3);
    write_bits(w, coupled, 4);
    for (int i = 0; i < 3; i++) {
        const bool has_mixdown = read_flag(r);
        write_bits(w, has_mixdown, 1);
        if (has_mixdown) copy_bits(w, r, mixdown_bits[i]);
    }
    copy_bits(w, r, 5ul * elements + 4ul * (lfe + associated) + 5ul * coupled);
    skip_bits(r, (8 - (r->at - base) % 8) % 8);
    skip_bits(r, 8ul * read_bits(r, 8));
    write_bits(w, 0, (unsigned)((8 - w->at % 8) % 8));
    write_bits(w, 0, 8);
}

struct specific_config {
    unsigned type; /* of the core: LC, ... */
    uint32_t core_rate, rate;
    uint32_t channels;
    bool has_sbr, has_ps, is_short; /* 960 samples */
};

static void read_extension_tail(struct bit_reader *r, struct specific_config *c)
{
    if (bit_reader_left(r) < 16 || read_bits(r, 11) != 0x2B7) return;
    if (read_object_type(r) != AOT_SBR) return;
    if (!read_flag(r)) return; /* says: no SBR */
    const uint32_t rate = read_frequency(r);
    if (r->failed || !rate) return;
    c->has_sbr = true;
    c->rate = rate;
    if (bit_reader_left(r) >= 12 && read_bits(r, 11) == 0x548) c->has_ps = read_flag(r);
}

static enum weir_err read_config(struct byte_span config, struct specific_config *c, const char **why)
{
    static const uint8_t by_configuration[16] = { 0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8, 0 };
    struct bit_reader r;
    bit_reader_init(&r, config.data, config.bytes);
    *c = (struct specific_config){ .type = read_object_type(&r) };
    c->core_rate = c->rate = read_frequency(&r);
    const unsigned configuration = read_bits(&r, 4);
    const bool is_explicit = c->type == AOT_SBR || c->type == AOT_PS;
    if (is_explicit) {
        c->has_sbr = true;
        c->has_ps = c->type == AOT_PS;
        c->rate = read_frequency(&r);
        c->type = read_object_type(&r);
    }
    if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the AAC configuration is cut off");
    if (!c->core_rate || !c->rate || c->rate > 192000)
        return codec_bad(WEIR_MALFORMED, why, "the AAC configuration has an impossible sample rate");
    if (c->type < AOT_MAIN || (c->type > 4 && c->type != AOT_USAC))
        return codec_bad(WEIR_UNSUPPORTED, why,
                         "this AAC object type is not supported; use AAC-LC, HE-AAC or HE-AACv2");
    c->channels = by_configuration[configuration];
    if (c->type <= 4) {
        c->is_short = read_flag(&r);
        if (read_flag(&r)) skip_bits(&r, 14);
        read_flag(&r);
        if (!configuration) c->channels = read_pce_channels(&r);
        if (r.failed) return codec_bad(WEIR_MALFORMED, why, "the AAC configuration is cut off");
    }
    if (!c->channels || c->channels > 48)
        return codec_bad(WEIR_MALFORMED, why, "the AAC configuration has an impossible channel layout");
    if (!is_explicit && configuration) read_extension_tail(&r, c);
    return WEIR_OK;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    struct specific_config c;
    const enum weir_err err = read_config(config, &c, why);
    if (err) return err;
    struct codec_facts f = { .kind = MEDIA_AUDIO, .codec = CODEC_AAC, .sample_rate = c.rate, .channels = c.channels };
    f.aac_object_type = (uint8_t)(c.has_ps ? AOT_PS : c.has_sbr ? AOT_SBR : c.type);
    if (c.has_ps && f.channels == 1) f.channels = 2;
    const uint32_t core_samples = c.is_short ? 960 : 1024;
    /* at the output rate: 2048 where SBR doubles it */
    f.frame_samples = (uint32_t)((uint64_t)core_samples * c.rate / c.core_rate);
    if (!f.frame_samples || f.frame_samples > 8192)
        return codec_bad(WEIR_MALFORMED, why, "the AAC configuration has sample rates that do not fit together");
    snprintf(f.codec_string, sizeof f.codec_string, "mp4a.40.%u", f.aac_object_type);
    *out = f;
    return WEIR_OK;
}

const struct codec_ops aac_ops = {
    .kind = MEDIA_AUDIO,
    .name = "aac",
    .needs_config = true,
    .describe = describe,
    .from_wire = codec_copy_config,
};
