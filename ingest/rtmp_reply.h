/* What the server says in RTMP: control messages, results and status (RTMP 1.0, 5.4, 7.1, 7.2). Pure. */
#ifndef WEIR_INGEST_RTMP_REPLY_H
#define WEIR_INGEST_RTMP_REPLY_H

#include <stdbool.h>
#include <weir/base/bytes.h>

#define RTMP_OUT_CHUNK_BYTES 4096
#define RTMP_WINDOW_BYTES 2500000

/* After it, messages go out in chunks of RTMP_OUT_CHUNK_BYTES. */
void rtmp_reply_connect_controls(struct byte_writer *out);
void rtmp_reply_connect_result(struct byte_writer *out, double transaction);
void rtmp_reply_connect_rejected(struct byte_writer *out, double transaction, const char *text);
void rtmp_reply_result_null(struct byte_writer *out, double transaction);
void rtmp_reply_stream_created(struct byte_writer *out, double transaction, uint32_t stream_id);
void rtmp_reply_call_failed(struct byte_writer *out, double transaction, const char *text);
void rtmp_reply_stream_begin(struct byte_writer *out, uint32_t stream_id);
/* onStatus on the message stream. is_error chooses the level. */
void rtmp_reply_status(struct byte_writer *out, uint32_t stream_id, bool is_error, const char *code, const char *text);
/* onFCPublish, onFCUnpublish */
void rtmp_reply_fc(struct byte_writer *out, const char *command, const char *code, const char *text);
void rtmp_reply_acknowledge(struct byte_writer *out, uint32_t received_bytes);
void rtmp_reply_pong(struct byte_writer *out, uint32_t timestamp);

#endif
