#include "ts_pes.h"

#include <string.h>

#define FIXED_BYTES 6          /* prefix, stream_id, PES_packet_length */
#define OPTIONAL_FIXED_BYTES 9 /* two bytes of flags, PES_header_data_length */
#define TIME_BYTES 5

/* Of these the length is followed by the payload at once (table 2-18, 2.4.3.7). */
static bool has_optional_head(uint8_t stream_id)
{
    switch (stream_id) {
    case 0xBC: /* program_stream_map */
    case 0xBE: /* padding */
    case 0xBF: /* private_stream_2 */
    case 0xF0: /* ECM */
    case 0xF1: /* EMM */
    case 0xF2: /* DSM-CC */
    case 0xF8: /* H.222.1 type E */
    case 0xFF: /* program_stream_directory */ return false;
    default: return true;
    }
}

/* false: a marker bit is not set, so the rest is not to be believed. */
static bool read_time(const uint8_t *p, uint64_t *out)
{
    if (!(p[0] & 1) || !(p[2] & 1) || !(p[4] & 1)) return false;
    *out = (uint64_t)(p[0] >> 1 & 7) << 30 | (uint64_t)p[1] << 22 | (uint64_t)(p[2] >> 1) << 15 | (uint64_t)p[3] << 7 |
           p[4] >> 1;
    return true;
}

static enum pes_parse bad(const char **why, const char *text)
{
    *why = text;
    return PES_BAD;
}

static void read_times(const uint8_t *in, size_t room, struct pes_head *h)
{
    const unsigned flags = in[7] >> 6; /* 01 is forbidden: as if none */
    if (flags < 2 || room < TIME_BYTES || !read_time(in + OPTIONAL_FIXED_BYTES, &h->pts_90k)) return;
    h->has_time = true;
    h->dts_90k = h->pts_90k;
    uint64_t dts;
    if (flags == 3 && room >= 2 * TIME_BYTES && read_time(in + OPTIONAL_FIXED_BYTES + TIME_BYTES, &dts))
        h->dts_90k = dts;
}

enum pes_parse pes_head_parse(struct byte_span in, struct pes_head *out, const char **why)
{
    static const uint8_t prefix[3] = { 0, 0, 1 };
    const size_t met = in.bytes < sizeof prefix ? in.bytes : sizeof prefix;
    if (memcmp(in.data, prefix, met) != 0) return bad(why, "no PES start code where a PES packet begins");
    if (in.bytes < FIXED_BYTES) return PES_NEED;
    const size_t length = load_u16(in.data + 4);
    struct pes_head h = { .stream_id = in.data[3], .is_bounded = length != 0, .head_bytes = FIXED_BYTES };
    if (h.stream_id < 0xBC) return bad(why, "a PES packet with the stream_id of a program stream's header");
    if (has_optional_head(h.stream_id)) {
        if (in.bytes < OPTIONAL_FIXED_BYTES) return PES_NEED;
        if (in.data[6] >> 6 != 2) return bad(why, "a PES header without its marker bits (MPEG-1 systems?)");
        if (in.data[6] & 0x30) return bad(why, "a scrambled PES packet; send it unencrypted");
        const size_t room = in.data[8];
        h.head_bytes = OPTIONAL_FIXED_BYTES + room;
        if (in.bytes < h.head_bytes) return PES_NEED;
        h.is_aligned = in.data[6] & 4;
        read_times(in.data, room, &h);
    }
    if (h.is_bounded && length + FIXED_BYTES < h.head_bytes) return bad(why, "a PES packet shorter than its header");
    if (h.is_bounded) h.payload_bytes = length + FIXED_BYTES - h.head_bytes;
    *out = h;
    return PES_DONE;
}

void pes_reader_note_loss(struct pes_reader *r)
{
    r->state = PES_IDLE;
}

static void take_payload(struct pes_reader *r, struct byte_span in, bool is_stuffed, const struct pes_sink *sink)
{
    size_t bytes = in.bytes;
    if (r->is_bounded && bytes > r->left) bytes = r->left;
    if (bytes) sink->data(sink->context, in.data, bytes);
    if (r->is_bounded) r->left -= bytes;
    if (r->is_bounded && !r->left) {
        r->state = PES_SKIPPING;
        sink->end(sink->context, PES_END_LENGTH);
    } else if (is_stuffed && !r->is_bounded) {
        sink->end(sink->context, PES_END_STUFFED);
    }
}

/* head: as much as is there. Returns whether the payload begins. */
static bool begin(struct pes_reader *r, struct byte_span head, struct pes_head *out, const struct pes_sink *sink)
{
    const char *why;
    switch (pes_head_parse(head, out, &why)) {
    case PES_NEED: return false;
    case PES_BAD:
        r->state = PES_SKIPPING;
        sink->malformed(sink->context, why);
        return false;
    case PES_DONE: break;
    }
    r->state = PES_IN_PAYLOAD;
    r->is_bounded = out->is_bounded;
    r->left = out->payload_bytes;
    if (out->stream_id == 0xBE) { /* padding */
        r->state = PES_SKIPPING;
        return false;
    }
    sink->begin(sink->context, out);
    return true;
}

/* A header that goes on in the next packet: rare, so it may be copied. */
static void gather_head(struct pes_reader *r, struct byte_span in, bool is_stuffed, const struct pes_sink *sink)
{
    const size_t before = r->head_bytes;
    size_t bytes = sizeof r->head - before;
    if (bytes > in.bytes) bytes = in.bytes;
    memcpy(r->head + before, in.data, bytes);
    r->head_bytes += bytes;
    struct pes_head head;
    if (!begin(r, (struct byte_span){ r->head, r->head_bytes }, &head, sink)) return;
    const size_t used = head.head_bytes - before;
    take_payload(r, (struct byte_span){ in.data + used, in.bytes - used }, is_stuffed, sink);
}

void pes_reader_feed(struct pes_reader *r, struct byte_span payload, bool is_start, bool is_stuffed,
                     const struct pes_sink *sink)
{
    if (!is_start) {
        if (r->state == PES_IN_PAYLOAD) take_payload(r, payload, is_stuffed, sink);
        if (r->state == PES_IN_HEAD) gather_head(r, payload, is_stuffed, sink);
        return;
    }
    if (r->state == PES_IN_PAYLOAD) sink->end(sink->context, r->is_bounded ? PES_END_SHORT : PES_END_NEXT);
    if (r->state == PES_IN_HEAD) sink->malformed(sink->context, "a PES packet that ends inside its header");
    struct pes_head head;
    r->state = PES_IN_HEAD;
    r->head_bytes = 0;
    if (begin(r, payload, &head, sink)) {
        const struct byte_span rest = { payload.data + head.head_bytes, payload.bytes - head.head_bytes };
        take_payload(r, rest, is_stuffed, sink);
    } else if (r->state == PES_IN_HEAD) {
        memcpy(r->head, payload.data, payload.bytes);
        r->head_bytes = payload.bytes;
    }
}
