/* A transport stream into a stream: the demux's events become frames, tracks and metadata. Knows nothing of where the bytes come from.
 * Owner and thread: the stream's loop. */
#ifndef WEIR_INGEST_TS_INTAKE_H
#define WEIR_INGEST_TS_INTAKE_H

#include <stddef.h>
#include <stdint.h>
#include <weir/stream/stream.h>

struct ts_intake;

/* stream and counters are lent and outlive it; peer (for the log) is copied. NULL: no memory. */
struct ts_intake *ts_intake_create(struct stream *stream, struct counters *counters, const char *peer);
void ts_intake_destroy(struct ts_intake *i); /* NULL is fine */
void ts_intake_feed(struct ts_intake *i, const uint8_t *data, size_t bytes, int64_t now_us);
/* In front of the next bytes so many transport packets can be missing. */
void ts_intake_note_loss(struct ts_intake *i, size_t packets_max);
/* What is whole but for the proof of it goes into the stream now. */
void ts_intake_flush(struct ts_intake *i, int64_t now_us);
uint64_t ts_intake_frames(const struct ts_intake *i); /* taken by the stream so far */

#endif
