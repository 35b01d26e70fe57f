/* One frame with its time, and the door it goes through.
 * Times: video in 90 kHz ticks of the stream clock; audio in samples of its own rate from the same origin. */
#ifndef WEIR_MEDIA_PACKET_H
#define WEIR_MEDIA_PACKET_H

#include <weir/base/blob.h>
#include <weir/media/codec.h>
#include <weir/media/track.h>

struct media_packet {
    enum media_kind kind;
    uint8_t track; /* which audio track; 0 for video */
    enum frame_access access;
    struct piece payload; /* the sample, as it will stand in mdat */
    uint32_t era;         /* rises by one at each break; a packet of an older era than the last one pushed is late */
    int64_t dts_90k, pts_90k; /* video: dts strictly rising within an era. audio: pts rounded down, for comparing */
    int64_t pts_samples;      /* audio: gapless or rising; sample-exact */
    uint32_t samples;         /* audio: nominal duration in the track's sample rate */
    uint32_t nominal_90k;     /* video: expected duration, 0: unknown */
    int64_t arrival_us;       /* monotonic */
    bool has_captions;        /* video: closed captions stand in it */
    int64_t taken_us;         /* video: wall clock of the encoder, since 1970; 0: it does not say */
    bool is_damaged;          /* bytes of it were lost on the way, and the stream's policy lets it pass */
};

enum metadata_kind { METADATA_ID3 = 1, METADATA_SCTE35, METADATA_KLV };

/* Timed metadata, as it came. */
struct media_metadata {
    enum metadata_kind kind;
    struct piece payload;
    uint32_t era;
    int64_t pts_90k; /* on the stream clock */
    int64_t arrival_us;
};

struct loop;

/* Where frames go: packager, ladder, recorder. All calls come from the stream's owning thread, in stream order:
 * tracks, era, push, push, ..., tracks, era, push, ..., lost, era, push, ..., end, destroy. */
struct packet_sink {
    /* What the stream carries from the next packet on. Lent: take references of your own. */
    void (*tracks)(struct packet_sink *sink, const struct track_set *tracks);
    /* A new era starts with the next packet, at start_90k; another track's first frame may stand a little before it.
     * wall_us: PROGRAM-DATE-TIME at start_90k. */
    void (*era)(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us);
    /* The packet is lent; keep its payload by a reference on payload.blob. */
    void (*push)(struct packet_sink *sink, const struct media_packet *packet);
    /* Optional: NULL in sinks that do not care. The payload is lent like a packet's. Only within an era. */
    void (*metadata)(struct packet_sink *sink, const struct media_metadata *metadata);
    /* Optional. Whose thread the calls come from, from now on; NULL: the stream is on its way to another loop. For sinks that get something
     * from elsewhere and must bring it to the stream's thread. */
    void (*moved)(struct packet_sink *sink, struct loop *loop);
    /* Time passes without packets: called a few times a second by the owner. */
    void (*tick)(struct packet_sink *sink, int64_t now_us);
    /* The publisher is gone and may come back: publish what is whole. The next thing is era or end. */
    void (*lost)(struct packet_sink *sink);
    /* For good. */
    void (*end)(struct packet_sink *sink);
    void (*destroy)(struct packet_sink *sink);
};

#endif
