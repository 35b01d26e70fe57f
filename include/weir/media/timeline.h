/* timeline: the only place where wire clocks are believed.
 *
 * In: wire timestamps (RTMP: 32-bit milliseconds, also 31-bit wraps; TS: 33-bit 90 kHz), composition offsets, what the
 * codec says about rates. Out: one stream clock per stream that never goes back, starting at TIMELINE_ORIGIN_90K, video in exact
 * ticks where the frame rate is known or found out, each audio track sample-exact from the same origin. What one audio track does does not move another. Everything odd is repaired, counted per
 * kind and never fatal. A break that cannot be bridged starts a new era. Pure; owner and thread: the stream's. */
#ifndef WEIR_MEDIA_TIMELINE_H
#define WEIR_MEDIA_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/media/codec.h>

#define TIMELINE_ORIGIN_90K (10 * 90000) /* shared by all tracks, so that no decode time is ever negative */

enum timeline_repair {
    TIMELINE_WRAP = 1,
    TIMELINE_JUMP,        /* a new era */
    TIMELINE_BACKWARD,    /* dts went back a little: pushed forward */
    TIMELINE_JITTER,      /* pulled onto the frame grid by more than the wire's rounding */
    TIMELINE_COMPOSITION, /* pts before dts, or absurd: corrected */
    TIMELINE_DRIFT,       /* sample clock and wire clock differ: slewed */
    TIMELINE_OVERLAP,     /* audio frame inside what was already played: dropped */
    TIMELINE_GAP,         /* hole bridged within the era */
    TIMELINE_REPAIR_COUNT
};

struct timeline;

struct timeline_wire {
    enum media_kind kind;
    uint8_t track;       /* audio: which; 0 for video */
    uint64_t wire;       /* as it stood on the wire */
    uint8_t wire_bits;   /* 32: RTMP (31-bit wraps are recognised), 33: TS */
    uint32_t wire_hz;    /* 1000 or 90000; the same for all calls */
    int32_t composition; /* pts - dts in wire units */
    int32_t offset_ns;   /* Enhanced RTMP nanosecond offset, added to pts */
    uint32_t samples;    /* audio: samples in this frame, > 0 */
};

struct timeline_time {
    int64_t dts_90k, pts_90k;
    int64_t pts_samples;
    uint32_t nominal_90k;
    uint32_t era;
    bool is_new_era;  /* the first of its era (also the very first packet) */
    bool is_drop;     /* do not use this frame: it belongs to a clock that is over, or to what was already played */
    uint32_t repairs; /* bit (1 << kind) for each timeline_repair done on this frame */
};

struct timeline *timeline_create(void); /* NULL: no memory */
void timeline_destroy(struct timeline *t);
/* Rates from the codec configuration; 0/0 and 0 where unknown. A call with other rates than before does not itself break. */
void timeline_set_video_rate(struct timeline *t, uint32_t fps_num, uint32_t fps_den);
void timeline_set_audio_rate(struct timeline *t, uint8_t track, uint32_t sample_rate);
/* The next packet starts a new era: publisher came back, or configuration bytes changed. */
void timeline_break(struct timeline *t, bool is_new_wire_clock);
void timeline_map(struct timeline *t, const struct timeline_wire *in, struct timeline_time *out);
/* Where a wire time lies that belongs to no track (metadata); only kind and track of *wire are not looked at. false: no era yet. */
bool timeline_peek(const struct timeline *t, const struct timeline_wire *wire, int64_t *at_90k);
/* The track is gone. If it comes again, it is placed anew, beside the others. */
void timeline_drop_track(struct timeline *t, enum media_kind kind, uint8_t track);
uint32_t timeline_era(const struct timeline *t); /* 0: none yet */
uint64_t timeline_repairs(const struct timeline *t, enum timeline_repair kind);
const char *timeline_repair_name(enum timeline_repair kind);
/* Where the stream clock stands: the end of the latest frame of any track. */
int64_t timeline_end_90k(const struct timeline *t);
/* The frame rate in use, found or told; 0/0: none. */
void timeline_video_rate(const struct timeline *t, uint32_t *fps_num, uint32_t *fps_den);

#endif
