/* RTMP chunks to messages (RTMP 1.0, 5.3). Pure: bytes in, whole messages out; the payload is copied once, straight into the
 * buffer that will later stand in the segment.
 * Owner: one session. Memory: what has been received, never what was announced; RTMP_ASSEMBLY_BYTES_MAX in all. */
#ifndef WEIR_INGEST_RTMP_CHUNK_H
#define WEIR_INGEST_RTMP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/counters.h>

enum rtmp_message_type {
    RTMP_SET_CHUNK_SIZE = 1,
    RTMP_ABORT,
    RTMP_ACKNOWLEDGEMENT,
    RTMP_USER_CONTROL,
    RTMP_WINDOW_ACK_SIZE,
    RTMP_SET_PEER_BANDWIDTH,
    RTMP_AUDIO = 8,
    RTMP_VIDEO = 9,
    RTMP_DATA_AMF3 = 15,
    RTMP_COMMAND_AMF3 = 17,
    RTMP_DATA_AMF0 = 18,
    RTMP_COMMAND_AMF0 = 20,
    RTMP_AGGREGATE = 22,
};

struct rtmp_message {
    uint8_t type;
    uint32_t timestamp_ms; /* absolute, mod 2^32, as reconstructed from deltas */
    uint32_t stream_id;
    struct blob *body; /* given; exactly the message's bytes */
};

struct rtmp_chunk_reader;

/* counters: lent, outlives the reader. NULL: no memory. */
struct rtmp_chunk_reader *rtmp_chunk_reader_create(struct counters *counters);
void rtmp_chunk_reader_destroy(struct rtmp_chunk_reader *r); /* NULL is fine */
/* Reads up to the end of the first whole message. *consumed: how far it got; everything is consumed when no message came out.
 * After a message, call again although all was consumed: some of what was looked at ahead may be held, and whole.
 * *message: given when *has_message. WEIR_MALFORMED, WEIR_LIMIT, WEIR_NOMEM: only destroy is legal afterwards; *why says it. */
WEIR_MUST_CHECK enum weir_err rtmp_chunk_feed(struct rtmp_chunk_reader *r, const uint8_t *in, size_t bytes,
                                              size_t *consumed, struct rtmp_message *message, bool *has_message,
                                              const char **why);
/* 1 to 0x7FFFFFFF; larger than RTMP_CHUNK_BYTES_MAX is clamped. WEIR_MALFORMED: anything else. */
WEIR_MUST_CHECK enum weir_err rtmp_chunk_set_size(struct rtmp_chunk_reader *r, uint32_t chunk_bytes);
/* Drops what was received of a message on this chunk stream (5.4.2). */
void rtmp_chunk_abort(struct rtmp_chunk_reader *r, uint32_t csid);
/* Bytes held by half-received messages. */
size_t rtmp_chunk_held_bytes(const struct rtmp_chunk_reader *r);

#endif
