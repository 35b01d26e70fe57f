#include "frame_gap.h"

#include <string.h>

#define SPS_BYTES_MAX 256 /* what is wanted stands in front of the VUI */
#define RECORD_HEAD_BYTES 6

static size_t unescape(const uint8_t *data, size_t bytes, uint8_t *out, size_t room)
{
    size_t used = 0, zeros = 0;
    for (size_t i = 0; i < bytes && used < room; i++) {
        if (zeros >= 2 && data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = data[i] ? 0 : zeros + 1;
        out[used++] = data[i];
    }
    return used;
}

static bool has_chroma_fields(uint32_t profile)
{
    static const uint8_t profiles[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };
    return memchr(profiles, (int)profile, sizeof profiles) != NULL;
}

static void skip_scaling_list(struct bit_reader *r, unsigned coefficients)
{
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < coefficients && next && !r->failed; i++) {
        /* a delta outside of -128 to 127 is the stream's mistake; unsigned, so that it has a result (7.3.2.1.1.1) */
        next = (int32_t)(((uint32_t)last + (uint32_t)read_se(r)) & 255);
        if (next) last = next;
    }
}

/* seq_parameter_set_data up to gaps_in_frame_num_value_allowed_flag (7.3.2.1.1). */
static void read_sps(struct frame_gap *g, const uint8_t *sps, size_t bytes)
{
    uint8_t raw[SPS_BYTES_MAX];
    struct bit_reader r;
    if (bytes < 4) return;
    bit_reader_init(&r, raw, unescape(sps + 1, bytes - 1, raw, sizeof raw));
    const uint32_t profile = read_bits(&r, 8);
    read_bits(&r, 16);
    read_ue(&r);
    if (has_chroma_fields(profile)) {
        const uint32_t chroma = read_ue(&r);
        if (chroma == 3) g->has_colour_planes = read_flag(&r);
        read_ue(&r);
        read_ue(&r);
        read_flag(&r);
        if (read_flag(&r)) {
            for (unsigned i = 0; i < (chroma == 3 ? 12u : 8u); i++) {
                if (read_flag(&r)) skip_scaling_list(&r, i < 6 ? 16 : 64);
            }
        }
    }
    const uint32_t bits = read_ue(&r) + 4, order = read_ue(&r);
    if (order == 0) read_ue(&r);
    if (order == 1) {
        read_flag(&r);
        read_se(&r);
        read_se(&r);
        const uint32_t cycle = read_ue(&r);
        for (uint32_t i = 0; i < cycle && i < 256 && !r.failed; i++) read_se(&r);
    }
    read_ue(&r);
    const bool may_have_gaps = read_flag(&r);
    if (!r.failed && bits <= 16 && !may_have_gaps) g->bits = bits;
}

void frame_gap_init(struct frame_gap *g, struct byte_span avcc)
{
    struct byte_reader r;
    *g = (struct frame_gap){ .bits = 0 };
    if (avcc.bytes <= RECORD_HEAD_BYTES) return;
    g->length_bytes = (uint8_t)((avcc.data[4] & 3) + 1);
    byte_reader_init(&r, avcc.data + RECORD_HEAD_BYTES - 1, avcc.bytes - RECORD_HEAD_BYTES + 1);
    if ((read_u8(&r) & 0x1F) != 1) return; /* several: which one holds is only known further inside */
    const struct byte_span sps = read_span(&r, read_u16(&r));
    if (!r.failed) read_sps(g, sps.data, sps.bytes);
}

/* frame_num in a slice's header (7.3.3); false: not a slice. */
static bool read_slice(const struct frame_gap *g, const uint8_t *nal, size_t bytes, uint32_t *frame_num)
{
    uint8_t raw[24];
    struct bit_reader r;
    const unsigned type = nal[0] & 0x1F;
    if (type != 1 && type != 2 && type != 5) return false;
    bit_reader_init(&r, raw, unescape(nal + 1, bytes - 1, raw, sizeof raw));
    read_ue(&r);
    read_ue(&r);
    read_ue(&r);
    if (g->has_colour_planes) read_bits(&r, 2);
    *frame_num = read_bits(&r, g->bits);
    return !r.failed;
}

bool frame_gap_look(struct frame_gap *g, struct byte_span sample)
{
    size_t at = 0;
    while (g->bits && at + g->length_bytes < sample.bytes) {
        size_t length = 0;
        for (unsigned i = 0; i < g->length_bytes; i++) length = length << 8 | sample.data[at + i];
        const uint8_t *nal = sample.data + at + g->length_bytes;
        if (!length || length > sample.bytes - at - g->length_bytes) return false;
        at += g->length_bytes + length;
        uint32_t frame_num;
        if (!read_slice(g, nal, length, &frame_num)) continue;
        const bool is_idr = (nal[0] & 0x1F) == 5, is_reference = nal[0] >> 5 & 3;
        const uint32_t next = (g->last + 1) & ((1u << g->bits) - 1);
        const bool is_gap = !is_idr && g->has_last && frame_num != g->last && frame_num != next;
        if (is_reference) {
            g->last = frame_num;
            g->has_last = true;
        }
        return is_gap;
    }
    return false;
}
