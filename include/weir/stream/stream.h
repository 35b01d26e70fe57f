/* A stream: the tracks, the clock and the sinks of one live name. Owner: the loop that accepted its publisher; it moves
 * to another loop only through the registry. Pure: time comes in as an argument. */
#ifndef WEIR_STREAM_STREAM_H
#define WEIR_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/counters.h>
#include <weir/media/packet.h>
#include <weir/media/timeline.h>
#include <weir/stream/live_edge.h>

struct stream;

/* What to do with a frame that lost bytes on the way. */
enum damage_policy {
    DAMAGE_DROP = 1, /* drop it, and for video all that follows up to the next frame where decoding may begin */
    DAMAGE_PASS,     /* let it pass, flagged */
};

/* What a stream's multivariant playlist names; the other is there too, under its own URL. */
enum stream_container { CONTAINER_CMAF = 1, CONTAINER_TS };

/* Where media sequence numbers come from, and with them where segments are cut. */
enum stream_numbering {
    NUMBERING_STREAM = 1, /* each stream counts by itself, from the clock at its start */
    NUMBERING_EPOCH,      /* the encoder's time: the same on every server that gets the same stream */
};

/* What a path's configuration says about its streams. Plain values, copied. */
struct stream_policy {
    bool may_take_over;     /* a newer publisher replaces a living older one */
    int64_t hold_us;        /* how long a lost publisher's stream waits for it */
    int64_t segment_us;     /* target */
    int64_t segment_max_us; /* a GOP longer than this is cut inside; TARGETDURATION is its ceiling */
    int64_t window_us;      /* playlist length */
    int64_t part_us;        /* low latency: PART-TARGET; 0: none */
    int64_t part_hold_back_us;
    bool can_skip;                   /* delta updates */
    int64_t dvr_us;                  /* playlist length with segments on disk; 0: none are kept */
    int64_t vod_keep_us;             /* how long they stay when the stream is over */
    uint64_t dvr_bytes;              /* of this stream on disk; 0: no limit of its own */
    bool is_event;                   /* the playlist does not slide while it is not longer than dvr_us */
    enum damage_policy on_damage;    /* 0: drop */
    enum stream_container container; /* 0: CMAF */
    enum stream_numbering numbering; /* 0: STREAM. EPOCH: segment_max_us is twice segment_us or more */
    bool makes_sound;                /* of audio that HLS does not carry something is made that it does */
};

/* Takes a reference on `edge`. NULL: no memory. */
struct stream *stream_create(struct live_edge *edge, const struct stream_policy *policy);
void stream_destroy(struct stream *s); /* ends its sinks first if need be */
const char *stream_name(const struct stream *s);
struct live_edge *stream_edge(struct stream *s); /* lent */
const struct stream_policy *stream_policy(const struct stream *s);
/* Gives the sink to the stream. WEIR_LIMIT: SINKS_PER_STREAM_MAX, and the sink is destroyed. */
WEIR_MUST_CHECK enum weir_err stream_add_sink(struct stream *s, struct packet_sink *sink);
/* The counters of the loop that owns the stream now. */
void stream_set_counters(struct stream *s, struct counters *counters);
/* The loop that owns the stream from now on, for sinks that want to know; NULL: it is on its way. Not touched here. */
void stream_set_loop(struct stream *s, struct loop *loop);

/* A frame as ingest got it. config-less codecs and in-band parameter sets are handled inside. */
struct stream_frame {
    enum media_kind kind;
    uint8_t track;   /* audio: which, below AUDIO_TRACKS_MAX; 0 for video */
    bool is_damaged; /* bytes of it are missing */
    struct blob
        *message; /* the message's buffer; given: the stream owns this reference from here on, also on failure */
    size_t offset, bytes; /* where the frame is inside it */
    bool is_claimed_key;
    struct timeline_wire wire; /* kind, track and samples are filled in by the stream */
    int64_t now_us, wall_us;
};

/* track: which audio track; 0 for video. A track begins with its configuration; one that comes later joins without a break.
 * wire_config: FLV or Enhanced RTMP form, which is the mp4 form for H264, HEVC, AV1 and AAC. Equal bytes change nothing; others
 * start a new era. WEIR_MALFORMED, WEIR_UNSUPPORTED: nothing changed; *why says what was wrong. */
WEIR_MUST_CHECK enum weir_err stream_set_config(struct stream *s, uint8_t track, enum media_codec codec,
                                                struct byte_span wire_config, const char **why);
/* Whether anything can come of it here: HLS carries it, or something is made of it. */
bool stream_takes_codec(const struct stream *s, enum media_codec codec);
/* For audio codecs that need no configuration: announces the codec; the facts come with the first frame. */
void stream_set_codec(struct stream *s, uint8_t track, enum media_codec codec);
/* What people are shown of an audio track. language: BCP 47 or ISO 639-2 ("eng"), name: any text; NULL or "": not said. Copied. */
void stream_set_track_label(struct stream *s, uint8_t track, const char *language, const char *name);
/* The track is gone (its PID vanished), the others go on. It may come again: with the same configuration that is no break. */
void stream_drop_track(struct stream *s, enum media_kind kind, uint8_t track);
/* A track that cannot be played, to be shown to the operator: "MP2 audio". Kept until the publisher goes or the track of this
 * kind and number gets a configuration; NULL takes it back. Copied. */
void stream_note_unsupported(struct stream *s, enum media_kind kind, uint8_t track, const char *text);
/* From onMetaData; 0: unknown. Believed only where the bitstream does not say. */
void stream_set_frame_rate_hint(struct stream *s, double fps);
/* WEIR_STATE: no configuration yet (dropped). WEIR_MALFORMED: dropped. */
WEIR_MUST_CHECK enum weir_err stream_push(struct stream *s, const struct stream_frame *frame, const char **why);
bool stream_has_track(const struct stream *s, enum media_kind kind, uint8_t track);

struct stream_metadata {
    enum metadata_kind kind;
    struct blob *payload; /* given: the stream owns this reference from here on */
    bool has_time;
    struct timeline_wire wire; /* wire, wire_bits, wire_hz: on the same clock as the frames; has_time false: now */
    int64_t now_us;
};
/* To the sinks that care. Over METADATA_BYTES_MAX, or before the first frame: dropped and counted. */
void stream_push_metadata(struct stream *s, const struct stream_metadata *metadata);

void stream_tick(struct stream *s, int64_t now_us);
/* The publisher is gone; sinks publish what is whole. */
void stream_lost(struct stream *s);
/* A publisher is (again) there: wire clocks start anew. */
void stream_resume(struct stream *s, int64_t wall_us);
/* For good: sinks end. */
void stream_end(struct stream *s);

#endif
