/* AC-3 and E-AC-3: syncframes (ETSI TS 102 366, 4.3, E.1.2) and their boxes dac3 and dec3 (F.4, F.6). */
#include "codec_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/media/audio_sync.h>

static const uint32_t sample_rates[3] = { 48000, 44100, 32000 };
static const uint8_t channels_by_acmod[8] = { 2, 1, 2, 3, 3, 4, 4, 5 };

/* One substream, as both kinds of frame say it. */
struct ac3_frame {
    unsigned fscod, bsid, bsmod, acmod, lfe, bit_rate_code;
    uint32_t samples, bytes;
};

static void skip_mix_levels(struct bit_reader *r, unsigned acmod)
{
    if ((acmod & 1) && acmod != 1) skip_bits(r, 2);
    if (acmod & 4) skip_bits(r, 2);
    if (acmod == 2) skip_bits(r, 2);
}

static bool read_ac3(struct byte_span in, struct ac3_frame *f)
{
    struct bit_reader r;
    bit_reader_init(&r, in.data, in.bytes);
    if (read_bits(&r, 16) != 0x0B77) return false;
    skip_bits(&r, 16);
    *f = (struct ac3_frame){ .fscod = read_bits(&r, 2), .samples = 1536 };
    const unsigned size_code = read_bits(&r, 6);
    f->bsid = read_bits(&r, 5);
    f->bsmod = read_bits(&r, 3);
    f->acmod = read_bits(&r, 3);
    skip_mix_levels(&r, f->acmod);
    f->lfe = read_bits(&r, 1);
    f->bit_rate_code = size_code >> 1;
    return !r.failed && f->fscod < 3 && f->bsid <= 10 && size_code < 38;
}

static bool read_eac3(struct byte_span in, struct ac3_frame *f)
{
    static const uint8_t blocks[4] = { 1, 2, 3, 6 };
    struct bit_reader r;
    bit_reader_init(&r, in.data, in.bytes);
    if (read_bits(&r, 16) != 0x0B77) return false;
    skip_bits(&r, 5); /* stream type, substream */
    *f = (struct ac3_frame){ .bytes = (read_bits(&r, 11) + 1) * 2 };
    f->fscod = read_bits(&r, 2);
    /* fscod 3: half rates, with six blocks */
    const unsigned second = read_bits(&r, 2);
    f->samples = 256u * (f->fscod == 3 ? 6 : blocks[second]);
    f->acmod = read_bits(&r, 3);
    f->lfe = read_bits(&r, 1);
    f->bsid = read_bits(&r, 5);
    return !r.failed && f->fscod < 3 && f->bsid > 10 && f->bsid <= 16;
}

static size_t ac3_frame_bytes(unsigned fscod, unsigned size_code)
{
    static const uint16_t kbps[19] = { 32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                       192, 224, 256, 320, 384, 448, 512, 576, 640 };
    const size_t words = (size_t)kbps[size_code >> 1] * 1000 * 1536 / 16 / sample_rates[fscod];
    /* only where a frame is no whole number of words does the code's last bit add one */
    return 2 * (words + (fscod == 1 ? size_code & 1 : 0));
}

bool ac3_header_read(struct byte_span in, struct ac3_header *out)
{
    struct ac3_frame f;
    if (in.bytes < AC3_HEADER_BYTES) return false;
    /* the fields behind the header differ; both kinds have bsid in the same place */
    uint8_t head[8] = { 0 };
    memcpy(head, in.data, AC3_HEADER_BYTES);
    const struct byte_span padded = { head, sizeof head };
    const bool is_enhanced = head[5] >> 3 > 10;
    if (!(is_enhanced ? read_eac3(padded, &f) : read_ac3(padded, &f))) return false;
    *out = (struct ac3_header){
        .is_enhanced = is_enhanced,
        .begins_unit = !is_enhanced || !(head[2] & 0xF8),
        .sample_rate = sample_rates[f.fscod],
        .samples = f.samples,
        .frame_bytes = is_enhanced ? f.bytes : ac3_frame_bytes(f.fscod, head[4] & 0x3F),
    };
    return out->frame_bytes > AC3_HEADER_BYTES;
}

static void fill_facts(struct codec_facts *facts, enum media_codec codec, const struct ac3_frame *f, uint32_t samples)
{
    *facts = (struct codec_facts){
        .kind = MEDIA_AUDIO,
        .codec = codec,
        .sample_rate = sample_rates[f->fscod],
        .channels = channels_by_acmod[f->acmod] + f->lfe,
        .frame_samples = samples,
    };
    snprintf(facts->codec_string, sizeof facts->codec_string, "%s", codec == CODEC_AC3 ? "ac-3" : "ec-3");
}

static enum weir_err ac3_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                    const char **why)
{
    struct ac3_frame f;
    if (!read_ac3(frame, &f)) return codec_bad(WEIR_MALFORMED, why, "the AC-3 frame has no readable header");
    const uint32_t box = f.fscod << 22 | f.bsid << 17 | f.bsmod << 14 | f.acmod << 11 | f.lfe << 10 |
                         f.bit_rate_code << 5;
    const uint8_t bytes[3] = { (uint8_t)(box >> 16), (uint8_t)(box >> 8), (uint8_t)box };
    *out = blob_copy(bytes, sizeof bytes);
    if (!*out) return WEIR_NOMEM;
    fill_facts(facts, CODEC_AC3, &f, 1536);
    return WEIR_OK;
}

static uint32_t eac3_samples(const struct codec_facts *facts, struct byte_span frame)
{
    struct ac3_frame f;
    uint32_t total = 0;
    /* independent substream 0 may come in several frames of few blocks each */
    while (frame.bytes && read_eac3(frame, &f) && f.bytes <= frame.bytes && total < 16384) {
        const unsigned type = frame.data[2] >> 6, substream = frame.data[2] >> 3 & 7;
        if (type == 0 && substream == 0) total += f.samples;
        frame = (struct byte_span){ frame.data + f.bytes, frame.bytes - f.bytes };
    }
    return total;
}

static enum weir_err eac3_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                     const char **why)
{
    struct ac3_frame f;
    if (!read_eac3(frame, &f)) return codec_bad(WEIR_MALFORMED, why, "the E-AC-3 frame has no readable header");
    const uint32_t samples = eac3_samples(NULL, frame);
    /* kbit/s of this frame, for the box's data_rate */
    const uint32_t kbps = (uint32_t)((uint64_t)frame.bytes * 8 * sample_rates[f.fscod] / (samples ? samples : 1536) /
                                     1000);
    const uint16_t rate = (uint16_t)((kbps > 8191 ? 8191 : kbps) << 3);
    /* data_rate 13, num_ind_sub 3 | fscod 2, bsid 5, reserved 1, asvc 1, bsmod 3, acmod 3, lfeon 1, reserved 3, num_dep_sub 4, 0 */
    const uint8_t bytes[5] = { (uint8_t)(rate >> 8), (uint8_t)rate, (uint8_t)(f.fscod << 6 | f.bsid << 1),
                               (uint8_t)(f.acmod << 1 | f.lfe), 0 };
    *out = blob_copy(bytes, sizeof bytes);
    if (!*out) return WEIR_NOMEM;
    fill_facts(facts, CODEC_EAC3, &f, samples ? samples : f.samples);
    return WEIR_OK;
}

static enum weir_err ac3_describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes < 3) return codec_bad(WEIR_MALFORMED, why, "the AC-3 configuration is too short");
    const uint32_t box = load_u24(config.data);
    const struct ac3_frame f = { .fscod = box >> 22, .acmod = box >> 11 & 7, .lfe = box >> 10 & 1 };
    if (f.fscod > 2) return codec_bad(WEIR_MALFORMED, why, "the AC-3 configuration has an impossible sample rate");
    fill_facts(out, CODEC_AC3, &f, 1536);
    return WEIR_OK;
}

static enum weir_err eac3_describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    if (config.bytes < 5) return codec_bad(WEIR_MALFORMED, why, "the E-AC-3 configuration is too short");
    const struct ac3_frame f = { .fscod = config.data[2] >> 6,
                                 .acmod = config.data[3] >> 1 & 7,
                                 .lfe = config.data[3] & 1 };
    if (f.fscod > 2) return codec_bad(WEIR_MALFORMED, why, "the E-AC-3 configuration has an impossible sample rate");
    fill_facts(out, CODEC_EAC3, &f, 0);
    return WEIR_OK;
}

static uint32_t ac3_samples(const struct codec_facts *facts, struct byte_span frame)
{
    struct ac3_frame f;
    return read_ac3(frame, &f) ? f.samples : 0;
}

const struct codec_ops ac3_ops = {
    .kind = MEDIA_AUDIO,
    .name = "ac3",
    .needs_config = false,
    .describe = ac3_describe,
    .from_wire = codec_copy_config,
    .from_frame = ac3_from_frame,
    .samples = ac3_samples,
};
const struct codec_ops eac3_ops = {
    .kind = MEDIA_AUDIO,
    .name = "eac3",
    .needs_config = false,
    .describe = eac3_describe,
    .from_wire = codec_copy_config,
    .from_frame = eac3_from_frame,
    .samples = eac3_samples,
};
