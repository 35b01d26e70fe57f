/* Transport stream packets: where they begin in a byte stream, and what their headers say (H.222.0 2.4.3). */
#ifndef WEIR_INGEST_TS_PACKET_H
#define WEIR_INGEST_TS_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

#define TS_PACKET_BYTES 188
#define TS_STRIDE_BYTES_MAX 204
#define TS_PIDS 8192
#define TS_PID_PAT 0
#define TS_PID_NULL 0x1FFF

/* Finds the rhythm: three sync bytes 188, 192 (M2TS's time codes between them) or 204 (parity behind each) apart. Zeroed at the start. */
struct ts_framer {
    size_t stride_bytes; /* 0: not found */
    size_t skip_bytes;   /* what follows the last packet and is none */
    size_t from, to;     /* the part of `carry` that was not given yet */
    uint8_t carry[3 * TS_STRIDE_BYTES_MAX];
    uint64_t skipped_bytes, losses; /* of the rhythm; rising */
};

/* The next packet's TS_PACKET_BYTES, lent until the next call; NULL: all of *in was taken and more is needed. *in advances. */
const uint8_t *ts_framer_next(struct ts_framer *f, struct byte_span *in);
/* Something is missing before the next bytes: half a packet is none. */
void ts_framer_note_loss(struct ts_framer *f);

struct ts_packet {
    bool is_discontinuity; /* discontinuity_indicator */
    bool is_stuffed;       /* its adaptation field is longer than what it says: the payload had to be filled up */
    bool has_clock;        /* a PCR */
    bool has_payload;
    struct byte_span payload;
};

static inline unsigned ts_packet_pid(const uint8_t *p)
{
    return (p[1] & 0x1Fu) << 8 | p[2];
}
static inline bool ts_packet_has_error(const uint8_t *p)
{
    return p[1] & 0x80;
}
static inline bool ts_packet_is_start(const uint8_t *p)
{
    return p[1] & 0x40;
}
static inline bool ts_packet_is_scrambled(const uint8_t *p)
{
    return p[3] & 0xC0;
}
static inline unsigned ts_packet_continuity(const uint8_t *p)
{
    return p[3] & 0xF;
}
/* false: reserved or impossible adaptation field (2.4.3.4); *out is untouched. */
bool ts_packet_parse(const uint8_t p[TS_PACKET_BYTES], struct ts_packet *out);

#endif
