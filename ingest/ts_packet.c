#include "ts_packet.h"

#include <string.h>

#define SYNC 0x47

static const size_t strides[] = { TS_PACKET_BYTES, 192, TS_STRIDE_BYTES_MAX };

static void take(struct byte_span *in, size_t bytes)
{
    in->data += bytes;
    in->bytes -= bytes;
}

/* Appends to carry what fits, at most until it holds `wanted` bytes from `from` on. */
static void fill(struct ts_framer *f, struct byte_span *in, size_t wanted)
{
    if (f->from) {
        memmove(f->carry, f->carry + f->from, f->to - f->from);
        f->to -= f->from;
        f->from = 0;
    }
    size_t bytes = wanted > f->to ? wanted - f->to : 0;
    if (bytes > in->bytes) bytes = in->bytes;
    if (bytes) memcpy(f->carry + f->to, in->data, bytes);
    f->to += bytes;
    take(in, bytes);
}

static void skip(struct ts_framer *f, struct byte_span *in)
{
    size_t bytes = f->skip_bytes < f->to - f->from ? f->skip_bytes : f->to - f->from;
    f->from += bytes;
    f->skip_bytes -= bytes;
    bytes = f->skip_bytes < in->bytes ? f->skip_bytes : in->bytes;
    take(in, bytes);
    f->skip_bytes -= bytes;
}

enum verdict { IS_SYNC = 1, IS_NONE, IS_OPEN };

/* Whether the sync byte at `at` in carry begins a packet; the shortest stride that is not refuted decides. */
static enum verdict judge(struct ts_framer *f, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(strides); i++) {
        const size_t second = at + strides[i], third = second + strides[i];
        if (second >= f->to) return IS_OPEN;
        if (f->carry[second] != SYNC) continue;
        if (third >= f->to) return IS_OPEN;
        if (f->carry[third] != SYNC) continue;
        f->stride_bytes = strides[i];
        return IS_SYNC;
    }
    return IS_NONE;
}

/* false: needs more bytes than there are. */
static bool find_rhythm(struct ts_framer *f, struct byte_span *in)
{
    for (;;) {
        fill(f, in, sizeof f->carry);
        enum verdict verdict = IS_NONE;
        while (f->from < f->to) {
            const uint8_t *sync = memchr(f->carry + f->from, SYNC, f->to - f->from);
            const size_t at = sync ? (size_t)(sync - f->carry) : f->to;
            f->skipped_bytes += at - f->from;
            f->from = at;
            verdict = sync ? judge(f, at) : IS_NONE;
            if (verdict != IS_NONE) break;
            if (sync) f->from++, f->skipped_bytes++;
        }
        if (verdict == IS_SYNC) return true;
        if (!in->bytes) return false;
    }
}

static void lose_rhythm(struct ts_framer *f)
{
    f->stride_bytes = 0;
    f->losses++;
}

const uint8_t *ts_framer_next(struct ts_framer *f, struct byte_span *in)
{
    for (;;) {
        if (f->skip_bytes) skip(f, in);
        if (f->skip_bytes || (!f->stride_bytes && !find_rhythm(f, in))) return NULL;
        const uint8_t *packet;
        if (f->from == f->to && in->bytes >= TS_PACKET_BYTES) {
            packet = in->data;
            if (packet[0] == SYNC) take(in, TS_PACKET_BYTES);
        } else {
            if (f->to - f->from < TS_PACKET_BYTES) fill(f, in, TS_PACKET_BYTES);
            if (f->to - f->from < TS_PACKET_BYTES) return NULL;
            packet = f->carry + f->from;
            if (packet[0] == SYNC) f->from += TS_PACKET_BYTES;
        }
        if (packet[0] == SYNC) {
            f->skip_bytes = f->stride_bytes - TS_PACKET_BYTES;
            return packet;
        }
        lose_rhythm(f);
    }
}

void ts_framer_note_loss(struct ts_framer *f)
{
    f->skipped_bytes += f->to - f->from;
    f->from = f->to = f->skip_bytes = 0;
}

/* How long the adaptation field must be for what its flags promise. */
static size_t adaptation_needs(const uint8_t *field, size_t bytes)
{
    const unsigned flags = field[0];
    size_t needs = 1 + (flags & 0x10 ? 6 : 0) + (flags & 0x08 ? 6 : 0) + (flags & 0x04 ? 1 : 0);
    if (flags & 0x02) needs += 1 + (needs < bytes ? field[needs] : 0);
    if (flags & 0x01) needs += 1 + (needs < bytes ? field[needs] : 0);
    return needs;
}

bool ts_packet_parse(const uint8_t p[TS_PACKET_BYTES], struct ts_packet *out)
{
    const unsigned control = p[3] >> 4 & 3;
    struct ts_packet packet = { .has_payload = control & 1 };
    size_t at = 4;
    if (!control) return false;
    if (control & 2) {
        const size_t bytes = p[4];
        if (bytes > (packet.has_payload ? 182 : 183)) return false;
        if (bytes) packet.is_discontinuity = p[5] & 0x80;
        packet.has_clock = bytes >= 7 && p[5] & 0x10;
        packet.is_stuffed = !bytes || !p[5] || bytes > adaptation_needs(p + 5, bytes);
        at = 5 + bytes;
    }
    if (packet.has_payload) packet.payload = (struct byte_span){ p + at, TS_PACKET_BYTES - at };
    *out = packet;
    return true;
}
