/* PES packets out of transport packets (H.222.0 2.4.3.6): header, length, and the payload as it comes. */
#ifndef WEIR_INGEST_TS_PES_H
#define WEIR_INGEST_TS_PES_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

#define PES_HEAD_BYTES_MAX (9 + 255)

struct pes_head {
    uint8_t stream_id;
    bool is_bounded; /* its length was said */
    bool is_aligned; /* data_alignment_indicator */
    bool has_time;
    uint64_t pts_90k, dts_90k;        /* 33 bits; equal where no DTS was said */
    size_t head_bytes, payload_bytes; /* payload_bytes: where it is bounded */
};

enum pes_parse { PES_DONE = 1, PES_NEED, PES_BAD };
/* *out changes on PES_DONE only. PES_NEED: more than `in` is needed, at most PES_HEAD_BYTES_MAX. *why: static text. */
enum pes_parse pes_head_parse(struct byte_span in, struct pes_head *out, const char **why);

enum pes_end {
    PES_END_LENGTH = 1, /* all of its length came */
    PES_END_STUFFED, /* its packet was filled up, which nobody does in the middle: most likely the end; more may come yet */
    PES_END_NEXT,  /* of unknown length, and the next one begins */
    PES_END_SHORT, /* the next one begins before its length was there */
};

/* Who takes the payload. All members are needed. */
struct pes_sink {
    void *context;
    void (*begin)(void *context, const struct pes_head *head);
    void (*data)(void *context, const uint8_t *data, size_t bytes);
    void (*end)(void *context, enum pes_end how);
    void (*malformed)(void *context, const char *why); /* a PES without begin: it is skipped */
};

/* Zeroed at the start. */
struct pes_reader {
    enum { PES_IDLE, PES_IN_HEAD, PES_IN_PAYLOAD, PES_SKIPPING } state; /* idle: until the next start */
    bool is_bounded;
    size_t left; /* is_bounded */
    size_t head_bytes;
    uint8_t head[PES_HEAD_BYTES_MAX];
};

/* The payload of one transport packet. is_stuffed: see ts_packet.h. */
void pes_reader_feed(struct pes_reader *r, struct byte_span payload, bool is_start, bool is_stuffed,
                     const struct pes_sink *sink);
/* Something is missing: waits for the next start. The sink is not told. */
void pes_reader_note_loss(struct pes_reader *r);

#endif
