/* RTMP server session without the socket: bytes in, events and reply bytes out. No I/O, clock or lock.
 * Owner: one connection on one loop. */
#ifndef WEIR_INGEST_RTMP_SESSION_H
#define WEIR_INGEST_RTMP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/base/counters.h>
#include <weir/media/codec.h>

struct rtmp_session;

struct rtmp_frame {
    enum media_codec codec;
    struct blob *message; /* given to the sink: it unrefs it */
    size_t offset, bytes;
    uint32_t timestamp_ms;
    int32_t composition_ms, offset_ns;
    bool is_key;
};

/* Texts and spans are lent for the length of the call. */
struct rtmp_session_events {
    void *context;
    /* The client wants to publish. Answer with rtmp_session_accept or rtmp_session_refuse, now or later; until then feed
     * takes nothing more. app and name as the client said them, queries included: they may hold a key. */
    void (*publish)(void *context, const char *app, const char *name);
    void (*config)(void *context, enum media_codec codec, struct byte_span wire_config);
    void (*codec)(void *context, enum media_codec codec); /* one that needs no configuration */
    void (*frame)(void *context, const struct rtmp_frame *frame);
    void (*metadata)(void *context, double frame_rate, const char *encoder); /* 0, "": not said */
    void (*unpublish)(void *context);
    /* A track other than 0, when its first frame is dropped: once for each. */
    void (*extra_track)(void *context, enum media_kind kind, uint8_t track);
    void (*unsupported)(void *context, const char *what); /* a codec; refuse or go on, as you like */
    /* The session has refused something by itself and told the client `text`. reason: one word, for the log. */
    void (*refused)(void *context, const char *reason, const char *text);
    /* A message was dropped and the session goes on. event: what it was, for the log. */
    void (*dropped)(void *context, const char *event, const char *why);
    void (*random)(void *context, uint8_t *out, size_t bytes);
};

enum rtmp_phase {
    RTMP_HANDSHAKE = 1, /* C0, C1 and C2 */
    RTMP_COMMANDS,      /* nothing published yet */
    RTMP_DECIDING,      /* publish asked, answer not given */
    RTMP_PUBLISHING,
    RTMP_CLOSING, /* refused, or said goodbye: send what is left and close */
};

/* events: copied. counters: lent. NULL: no memory. */
struct rtmp_session *rtmp_session_create(const struct rtmp_session_events *events, struct counters *counters);
void rtmp_session_destroy(struct rtmp_session *s); /* NULL is fine */
/* *consumed < bytes only when the phase became RTMP_DECIDING or RTMP_CLOSING: offer the rest again after the answer.
 * WEIR_MALFORMED, WEIR_LIMIT, WEIR_NOMEM: only destroy is legal afterwards; *why says what was wrong. */
WEIR_MUST_CHECK enum weir_err rtmp_session_feed(struct rtmp_session *s, const uint8_t *in, size_t bytes,
                                                size_t *consumed, const char **why);
struct byte_span rtmp_session_output(const struct rtmp_session *s); /* lent until the next call on `s` */
void rtmp_session_output_sent(struct rtmp_session *s, size_t sent_bytes);
enum rtmp_phase rtmp_session_phase(const struct rtmp_session *s);
void rtmp_session_accept(struct rtmp_session *s);
/* code: "NetStream.Publish.BadName", ...; text goes into the encoder's dialog. The phase is RTMP_CLOSING then. */
void rtmp_session_refuse(struct rtmp_session *s, const char *code, const char *text);
/* Flash version text of the client, for the log; "" before connect. Lent. */
const char *rtmp_session_client(const struct rtmp_session *s);

#endif
