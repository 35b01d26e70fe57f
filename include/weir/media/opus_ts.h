/* Opus in MPEG-2 TS: what the extension descriptor and the control header in front of each packet say. Pure.
 * (The format's draft, "Transport of Opus in MPEG-2 TS"; as ffmpeg writes and reads it.) */
#ifndef WEIR_MEDIA_OPUS_TS_H
#define WEIR_MEDIA_OPUS_TS_H

#include <stdbool.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/base/err.h>

/* The body of dOps (media/codec.h) for the descriptor's channel_config_code; owned by the caller. WEIR_UNSUPPORTED: a layout that the
 * code alone does not say. */
WEIR_MUST_CHECK enum weir_err opus_ts_config(unsigned channel_config_code, struct blob **out, const char **why);
/* The reverse; for a configuration that no code says, WEIR_UNSUPPORTED. */
WEIR_MUST_CHECK enum weir_err opus_ts_channel_code(struct byte_span config, unsigned *out, const char **why);

struct opus_ts_header {
    size_t header_bytes, packet_bytes;
};
enum opus_ts_parse { OPUS_TS_DONE = 1, OPUS_TS_NEED, OPUS_TS_BAD };
/* The control header at the start of `in`; NEED: it goes on behind it. */
enum opus_ts_parse opus_ts_header_read(struct byte_span in, struct opus_ts_header *out);
#define OPUS_TS_SIZE_BYTES(packet_bytes) ((packet_bytes) / 255 + 1)
/* Writes a header without trims: 2 + OPUS_TS_SIZE_BYTES bytes. */
void opus_ts_header_write(struct byte_writer *w, size_t packet_bytes);

#endif
