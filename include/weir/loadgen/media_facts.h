/* What a viewer needs to know of a piece of media, read once for all viewers: where its tracks begin and end, and
 * what its publisher wrote into its pictures. Pure; owner and thread:
 * the caller's. */
#ifndef WEIR_LOADGEN_MEDIA_FACTS_H
#define WEIR_LOADGEN_MEDIA_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/loadgen/mp4_reader.h>
#include <weir/loadgen/stamp.h>

struct track_facts {
    bool is_there, starts_with_keyframe;
    uint32_t timescale;
    int64_t start_dts, end_dts, start_pts; /* ticks; start_pts: the least */
    int64_t frame;                         /* ticks of the longest */
};

/* Where a track's media stands: presentation time as served less as its publisher means it. */
struct track_clock {
    bool is_known;
    int64_t shift_us;
};

struct media_facts {
    bool is_ts; /* times wrap at 33 bits */
    struct track_facts video, audio;
    struct track_clock video_clock, audio_clock; /* by the first stamp of each; not told of TS */
    /* of its pictures, in the order of decoding; stamp_count 0: the publisher wrote none */
    struct stamp first_stamp, last_stamp;
    uint32_t stamp_count, stamp_gaps; /* gaps: pictures that are missing between them */
    uint32_t unsound_gaps;            /* of these, behind which no keyframe comes; not told of TS */
};

/* init: NULL for TS. false: not media, or no track that can be told, or no memory. */
bool media_facts_read(const struct mp4_init *init, const uint8_t *data, size_t bytes, struct media_facts *out);
/* The one that leads: video, or audio where there is none. */
const struct track_facts *media_facts_lead(const struct media_facts *m);
int64_t track_ticks_us(const struct track_facts *t, int64_t ticks);

#endif
