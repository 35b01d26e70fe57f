/* rung_coder: one rung's encoder and all that may happen to it: opened, fed, drained, failed, moved to the next backend. What comes
 * out is checked against what was asked for and given to the ladder's events. No thread of its own: the lane's. */
#ifndef WEIR_TRANSCODE_RUNG_CODER_H
#define WEIR_TRANSCODE_RUNG_CODER_H

#include "ladder_internal.h"

/* A frame inside the encoder. */
struct in_flight {
    int64_t pts_90k, arrival_us, sent_us;
    uint32_t era, nominal_90k;
    bool is_key, has_hdr;
    struct captions captions;
    struct hdr_facts hdr;
};

struct rung_coder {
    struct ladder_shared *shared; /* lent */
    const void *writer;           /* what stands in the rung's output while this one may write */
    size_t rung;
    struct rung_plan plan;
    enum ladder_latency latency;
    uint32_t threads;
    struct encoder *encoder;
    struct backend_choice choice;
    enum preset_speed speed;
    size_t next_rank;
    bool is_moving;   /* the one before failed */
    int64_t retry_us; /* nothing could be opened: not before this */
    bool is_absent;   /* and the events know */
    bool wants_key;   /* the next frame is one, whatever the plan says */
    uint32_t misses;  /* keyframes in a row that were none */
    bool has_encoded;
    struct encoded encoded;
    AVPacket *packet;
    struct in_flight inside[LADDER_IN_FLIGHT_MAX];
    size_t inside_count;
    /* what encoding costs, since it was last reported */
    uint64_t cost_pixels;
    int64_t cost_ns;
    _Atomic size_t rank;      /* of the backend in use, for others to read */
    _Atomic uint32_t answers; /* rises with whatever the encoder does: the watchdog reads it */
};

WEIR_MUST_CHECK enum weir_err rung_coder_init(struct rung_coder *c, struct ladder_shared *shared, const void *writer,
                                              size_t rung, const struct rung_plan *plan, enum ladder_latency latency,
                                              uint32_t threads, size_t rank);
void rung_coder_deinit(struct rung_coder *c);
/* The item stays the caller's. */
void rung_coder_frame(struct rung_coder *c, const struct lane_item *item);
/* Everything inside comes out; the next frame opens the encoder anew. */
void rung_coder_drain(struct rung_coder *c);
/* Tells that nothing comes for now. */
void rung_coder_absent(struct rung_coder *c);
/* All given before is out. */
void rung_coder_drained(struct rung_coder *c);

#endif
