/* What a server says to a publisher once it publishes. Only what must be answered or told is kept: pings, chunk sizes, and the status that
 * says why it ends; the rest is skipped without being stored. Pure. RTMP 1.0, 5.3 and 5.4. */
#ifndef WEIR_LOADGEN_RTMP_READER_H
#define WEIR_LOADGEN_RTMP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

#define RTMP_READER_CHANNELS 64
#define RTMP_READER_KEPT_BYTES 512 /* of a message: its beginning */

struct rtmp_reader_channel {
    uint32_t bytes, done; /* of its message */
    uint8_t type;
    bool is_known, is_extended;
};

struct rtmp_reader {
    uint32_t chunk_bytes;
    struct rtmp_reader_channel channels[RTMP_READER_CHANNELS];
    /* the chunk at hand */
    uint8_t header[3 + 11 + 4];
    uint32_t header_bytes, left;
    uint8_t csid;
    /* the message at hand, of the kinds that are kept. The protocol lets messages be mixed; servers do not mix these */
    uint8_t kept[RTMP_READER_KEPT_BYTES];
    uint32_t kept_bytes;
};

struct rtmp_reader_sink {
    void *owner;
    void (*on_ping)(void *owner, uint32_t time);
    /* An onStatus or _error with its code ("NetStream.Publish.BadName"); lent for the call. */
    void (*on_status)(void *owner, const char *code);
};

void rtmp_reader_init(struct rtmp_reader *r, uint32_t chunk_bytes);
/* What a channel's last message was: later headers may be shortened by it. */
void rtmp_reader_seed(struct rtmp_reader *r, unsigned csid, uint32_t bytes, uint8_t type);
/* WEIR_MALFORMED: no sense can be made of what comes from here on. */
WEIR_MUST_CHECK enum weir_err rtmp_reader_feed(struct rtmp_reader *r, const uint8_t *data, size_t bytes,
                                               const struct rtmp_reader_sink *sink);

#endif
