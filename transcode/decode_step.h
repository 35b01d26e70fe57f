/* decode_step: packets to pictures. Opens the best backend's decoder at an entry, moves to the next when it fails, deinterlaces what is
 * interlaced, keeps what the picture came with (era, arrival, captions, HDR), shows nothing that was damaged.
 * Owner and thread: the engine. */
#ifndef WEIR_TRANSCODE_DECODE_STEP_H
#define WEIR_TRANSCODE_DECODE_STEP_H

#include "frame_gap.h"
#include "ladder_internal.h"

struct decoded {
    const AVFrame *frame; /* lent; pts is the source packet's; no side data */
    uint32_t era, nominal_90k;
    int64_t arrival_us;
    const uint8_t *captions; /* cc_data triplets */
    size_t caption_bytes;
    bool has_hdr;
    struct hdr_facts hdr;
};

struct decode_events {
    void *context;
    void (*picture)(void *context, const struct decoded *d); /* pts rising within an era */
    void (*backend)(void *context,
                    const struct backend_choice *choice); /* a decoder was opened: pictures will be its */
};

#define DECODE_INSIDE_MAX 128 /* packets whose pictures have not come out; the oldest is given up */

struct decode_step {
    struct ladder_shared *shared; /* lent */
    struct decode_events events;
    struct track *track; /* NULL: none */
    struct decoder *decoder;
    struct scaler *deinterlacer;
    struct backend_choice choice;
    size_t next_rank;
    bool is_moving; /* the one before failed */
    int64_t retry_us;
    bool waits_for_entry;
    bool has_failed;      /* to be closed when the calls in progress are done */
    bool is_damaged;      /* nothing is shown until the next entry */
    int64_t damaged_90k;  /* since; INT64_MIN: not known yet */
    int64_t last_pts_90k; /* of pictures given out; INT64_MIN: none */
    uint32_t bad_in_row;
    AVFrame *frame, *plain;
    struct frame_gap gap;
    struct decode_inside {
        struct media_packet packet; /* without its payload */
        bool is_after_gap;          /* what it is made from is missing */
    } inside[DECODE_INSIDE_MAX];
    size_t inside_count;
    _Atomic int64_t calling_since_us; /* inside a backend; 0: not. For the watchdog outside */
};

/* rank: the first backend in the order that may be tried. */
void decode_step_init(struct decode_step *d, struct ladder_shared *shared, const struct decode_events *events,
                      size_t rank);
void decode_step_deinit(struct decode_step *d);
bool decode_step_has_track(const struct decode_step *d);
void decode_step_set_track(struct decode_step *d, struct track *track); /* NULL: none; what is inside is thrown away */
void decode_step_feed(struct decode_step *d, const struct media_packet *packet);
void decode_step_drain(struct decode_step *d); /* pictures come out, the decoder is closed */
void decode_step_rest(struct decode_step *d);  /* the same without pictures */
/* From within picture(): what comes behind the decoder does not work with it. */
void decode_step_fail(struct decode_step *d);
bool decode_step_is_on_cpu(const struct decode_step *d);

#endif
