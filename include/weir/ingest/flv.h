/* Audio and video messages: legacy FLV tags (Adobe FLV 10.1, E.4) and Enhanced RTMP v1 and v2. Pure.
 * One message gives events in order; a multitrack message gives several. Offsets point into the message. */
#ifndef WEIR_INGEST_FLV_H
#define WEIR_INGEST_FLV_H

#include <stdbool.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>

enum flv_event_kind {
    FLV_CONFIG = 1, /* a codec configuration in wire form */
    FLV_FRAME,
    FLV_END,         /* end of sequence */
    FLV_IGNORED,     /* well formed and of no use here: info frames, colour metadata, silence markers */
    FLV_UNSUPPORTED, /* a codec that weir does not carry: `what` names it */
};

struct flv_event {
    enum flv_event_kind kind;
    enum media_codec codec;
    uint8_t track;
    bool is_key; /* what the container claims */
    int32_t composition_ms;
    int32_t offset_ns;    /* to be added to the presentation time */
    size_t offset, bytes; /* in the message */
    char what[24];        /* FLV_UNSUPPORTED */
};

struct flv_events {
    struct flv_event items[ERTMP_TRACKS_MAX];
    size_t count;
};

/* WEIR_MALFORMED, WEIR_LIMIT: *out is untouched, *why says it. An empty video message gives no event. */
WEIR_MUST_CHECK enum weir_err flv_video_parse(const uint8_t *data, size_t bytes, struct flv_events *out,
                                              const char **why);
WEIR_MUST_CHECK enum weir_err flv_audio_parse(const uint8_t *data, size_t bytes, struct flv_events *out,
                                              const char **why);

#endif
