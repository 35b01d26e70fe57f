/* fMP4 as a reader sees it: init segments and media segments or parts (ISO 14496-12, 14496-15, 23000-19), and where they break the
 * format. The numbers of the faults are those of the report (V1 to V20). Pure; owner and thread: the caller's.
 *
 * Times are ticks of the track's timescale. */
#ifndef WEIR_LOADGEN_MP4_READER_H
#define WEIR_LOADGEN_MP4_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>

#define MP4_TRACK_CONFIG_BYTES_MAX CODEC_CONFIG_BYTES_MAX

enum mp4_rule {
    MP4_V1 = 1, /* moof: mfhd, traf with tfhd, tfdt, trun; one mdat behind it */
    MP4_V2,     /* sample sizes fill mdat */
    MP4_V3,     /* data_offset points at the payload */
    MP4_V4,     /* the track is one of the init's */
    MP4_V5,     /* sequence_number rises */
    MP4_V6,     /* tfdt goes on where the fragment before it ended */
    MP4_V7,     /* durations: not 0, at most 10 s */
    MP4_V8,     /* the first sample of a video segment is a sync sample (judged by the caller) */
    MP4_V9,     /* NAL lengths fill each sample */
    MP4_V10,    /* no parameter sets in avc1 and hvc1 samples */
    MP4_V11,    /* the codec configuration can be read */
    MP4_V12,    /* part durations sum up to EXTINF (judged by the caller) */
    MP4_V13,    /* parts are slices of the segment, byte for byte (judged by the caller) */
    MP4_V14,    /* no base_data_offset */
    MP4_V15,    /* mvex and trex are there, sample tables are empty */
    MP4_V16,    /* audio and video start together (judged by the caller) */
    MP4_V17,    /* presentation times: unique, not negative */
    MP4_V18,    /* width and height are those of the SPS */
    MP4_V19,    /* the audio configuration's rate is the timescale */
    MP4_V20,    /* boxes fill the file */
    MP4_RULES_END,
    MP4_T6 = 40, /* no edit list */
    MP4_T8,      /* sync is claimed of true random access points, and of all of them */
};
#define MP4_RULE_BIT(rule) (1ull << (rule))

struct mp4_fault {
    enum mp4_rule rule;
    size_t offset; /* in the file */
    char expected[64], got[96];
};

/* What was looked at, and the first fault of each rule. */
struct mp4_findings {
    uint64_t checked; /* MP4_RULE_BIT */
    uint64_t broken;
    struct mp4_fault faults[24];
    size_t fault_count;
};

struct mp4_track {
    uint32_t id, timescale;
    enum media_kind kind; /* 0: neither */
    char entry[5];        /* "avc1", ... */
    bool has_facts;
    struct codec_facts facts;
    uint8_t config[MP4_TRACK_CONFIG_BYTES_MAX];
    size_t config_bytes;
    uint32_t width, height;                                  /* of the sample entry */
    uint32_t default_duration, default_bytes, default_flags; /* of trex */
    bool has_trex, is_encrypted;
};

struct mp4_init {
    struct mp4_track tracks[LOADGEN_TRACKS_MAX];
    size_t track_count;
    struct mp4_findings findings;
};

struct mp4_sample {
    int64_t dts, pts;
    uint32_t duration, bytes;
    size_t offset; /* in the file */
    bool is_sync;
    uint64_t digest; /* of times within the fragment, flags and payload: equal samples have equal ones */
};

struct mp4_fragment {
    const struct mp4_track *track; /* in the init that was given */
    uint32_t sequence;
    size_t first_sample, sample_count;
};

struct mp4_media {
    struct mp4_fragment *fragments;
    size_t fragment_count;
    struct mp4_sample *samples;
    size_t sample_count;
    struct mp4_findings findings;
};

/* WEIR_NOMEM. WEIR_MALFORMED: not an init segment at all; its findings say why. *out is given in both other cases.
 * End it with mp4_init_destroy(). */
WEIR_MUST_CHECK enum weir_err mp4_init_read(const uint8_t *data, size_t bytes, struct mp4_init **out);
void mp4_init_destroy(struct mp4_init *init); /* NULL is fine */
/* The track of that kind; NULL: none. */
const struct mp4_track *mp4_init_track(const struct mp4_init *init, enum media_kind kind);
/* Codec configurations and timescales are the same: a player need not start anew. */
bool mp4_init_same(const struct mp4_init *a, const struct mp4_init *b);

/* TIMES: boxes alone, for who only plays; samples have no digest and are not looked into. PICTURE: the front of a segment as an I-frame
 * playlist lists it (RFC 8216bis 4.4.3.6): the last mdat may be cut off, and samples that are not whole are left out. */
enum mp4_depth { MP4_TIMES = 1, MP4_WHOLE, MP4_PICTURE };
/* Reads a segment or a part. init must outlive the result. WEIR_NOMEM. WEIR_LIMIT: too many fragments or samples
 * (base/limits.h). WEIR_MALFORMED: no fragment could be read. *out is given unless WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err mp4_media_read(const struct mp4_init *init, const uint8_t *data, size_t bytes,
                                             enum mp4_depth depth, struct mp4_media **out);
void mp4_media_destroy(struct mp4_media *m);

/* First and end time of a kind of track in this file, in decode order. */
struct mp4_span {
    const struct mp4_track *track;
    int64_t start_dts, end_dts, start_pts, least_pts;
    uint32_t longest_sample, shortest_sample;
    size_t sample_count;
    bool starts_with_sync, has_sync, has_b_frames;
};
bool mp4_media_span(const struct mp4_media *m, enum media_kind kind, struct mp4_span *out);

#endif
