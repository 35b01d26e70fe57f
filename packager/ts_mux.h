/* MPEG transport stream segments for HLS (ISO/IEC 13818-1; RFC 8216bis 3.1.1), muxed from the samples of CMAF segments. Pure.
 *
 * A segment begins with PAT and PMT. Video and one audio track are interleaved by decode time; PCR rides on video (without it on
 * audio), at least each 90 ms. Access units get their delimiter, and in front of random access points the parameter sets of the
 * track's configuration; AAC gets ADTS headers, Opus its control header. Continuity counters go on from segment to segment. */
#ifndef WEIR_PACKAGER_TS_MUX_H
#define WEIR_PACKAGER_TS_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/media/track.h>

#include "fmp4.h"

enum ts_mux_stream { TS_MUX_PAT, TS_MUX_PMT, TS_MUX_VIDEO, TS_MUX_AUDIO, TS_MUX_ID3, TS_MUX_STREAMS };

/* What one segment leaves to the next. Zeroed at the start. */
struct ts_mux_state {
    uint8_t continuity[TS_MUX_STREAMS]; /* of the next packet with a payload */
    uint8_t version;                    /* of the PMT; rises when what it says changes */
    uint32_t pmt_crc;                   /* of what it said, to know that; 0: nothing so far */
    bool has_id3;                       /* once there was one, the PMT names its PID */
};

/* An ID3 tag. */
struct ts_mux_tag {
    struct piece payload;
    int64_t pts_90k;
};

/* A segment's contents; all lent. Samples as in CMAF: times in the track's timescale. */
struct ts_mux_segment {
    const struct track *video, *audio; /* NULL: none. Named in the PMT also where there are no samples of it here */
    const struct fmp4_sample *video_samples, *audio_samples;
    size_t video_count, audio_count;
    const struct ts_mux_tag *tags; /* rising times */
    size_t tag_count;
};

/* Whether a track of this configuration can be said in a transport stream for HLS; *why (may be NULL) is a short static text. */
bool ts_mux_can_carry(const struct track *track, const char **why);
/* How many bytes the segment takes, without writing them; *state becomes what the segment after it begins with. */
size_t ts_mux_measure(const struct ts_mux_segment *segment, struct ts_mux_state *state);
/* The segment's bytes. state: what it begins with. NULL: no memory. */
struct frozen *ts_mux_write(const struct ts_mux_segment *segment, const struct ts_mux_state *state);

#endif
