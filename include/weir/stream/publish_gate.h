/* publish_gate: who may publish. Implemented by the server (keys, later hooks and tokens); asked by every protocol.
 * The answer always comes by mailbox, also when it is known at once. */
#ifndef WEIR_STREAM_PUBLISH_GATE_H
#define WEIR_STREAM_PUBLISH_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/limits.h>
#include <weir/stream/stream.h>

struct loop;

enum publish_verdict {
    PUBLISH_ALLOWED = 1,
    PUBLISH_BAD_NAME,    /* not a legal stream name */
    PUBLISH_BAD_KEY,     /* key missing or wrong */
    PUBLISH_NOT_ALLOWED, /* nobody may publish there */
    PUBLISH_BUSY,        /* someone else is publishing there (registry) */
    PUBLISH_LIMIT,       /* too many streams (registry) */
    PUBLISH_FAILED,      /* our own trouble: memory, mailbox */
};
const char *publish_verdict_name(enum publish_verdict v); /* for logs: "busy" */
const char *publish_verdict_text(enum publish_verdict v); /* for the encoder's dialog: what is wrong and what to do */

struct publish_request {
    char name[STREAM_NAME_BYTES_MAX + 1]; /* "app/name", canonical: publish_name_make */
    char key[RTMP_NAME_BYTES_MAX + 1];    /* "": none given */
    char peer[64];                        /* "127.0.0.1:52000", for logs */
    uint8_t address[16];                  /* IPv6 or v4-mapped */
    const char *protocol;                 /* static text, for logs and figures: "rtmp", "srt" */
    bool is_configured;                   /* the operator himself asks for it (a pull): no key is needed */
};

struct publish_gate {
    /* request is copied. Calls answer(context, ...) on `loop` later, exactly once. policy: valid when allowed, lent. */
    void (*ask)(struct publish_gate *gate, const struct publish_request *request, struct loop *loop,
                void (*answer)(void *context, enum publish_verdict verdict, const struct stream_policy *policy),
                void *context);
};

/* Builds the canonical stream name from what encoders put in the two halves. Pure.
 *   app  "live", "live/room1", "/live/", "live?key=S"      half of the URL before the last choice of the encoder
 *   name "cam", "cam?key=S", "", "room1/cam?token=..."
 * Every split of app/name gives the same name; a query on either half gives the key (key=, else token=). One path segment only
 * ("rtmp://h/cam" with empty key) is the stream "live/cam". Refused (PUBLISH_BAD_NAME, *why says what to do): empty, `.` and `..`
 * segments, control bytes, bytes that are not UTF-8, backslash, more than STREAM_NAME_BYTES_MAX bytes or STREAM_NAME_SEGMENTS_MAX
 * segments. Percent escapes are decoded once before the checks. Spaces, `%`, `"` and other printable characters are kept. */
enum publish_verdict publish_name_make(struct publish_request *request, const char *app, const char *name,
                                       const char **why);

#endif
