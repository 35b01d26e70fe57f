/* chunker: gathers the samples of one track into CMAF chunks: with low latency a chunk is a part of its segment, no longer than the
 * part target; without, it is the whole segment. Pure; owner: the rendition.
 *
 * What holds for parts (RFC 8216bis, 4.4.4.9): none is longer than the target, and each lasts at least 85 % of it, except a
 * segment's last, independent ones, and gaps with the part in front of them. Frames come on a grid of their own. Where so many whole
 * frames make 85 %, a part is those. Where they do not (23.976 fps and 250 ms), the last frame's duration is cut so that the part is
 * exactly as long as the target, and the next frame takes over the rest: its decode time moves, its presentation time does not.
 * Audio frames are never cut: each is independent, and so is each part of them.
 *
 * A part is finished as soon as one more nominal frame would not fit, not when the next one comes.
 *
 * Media is held for half a minute, packets for as long as they are on their way. Where a packet is small its payload moves into a block with
 * its neighbours': a blob and a reference of its own would cost more memory than copying costs time, and the packets' blobs, freed
 * and made again at once, stay in the processor's cache and leave no holes between what is held. */
#ifndef WEIR_PACKAGER_CHUNKER_H
#define WEIR_PACKAGER_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fmp4.h"

struct chunk {
    struct frozen *body; /* NULL: a gap */
    int64_t start, ticks;
    bool is_independent; /* begins with a sync sample */
    size_t first_bytes;  /* up to the end of that frame */
};

struct chunker_config {
    uint32_t timescale;
    int64_t part_us;    /* 0: no parts */
    int64_t longest_us; /* of a segment */
    bool is_video;
};

struct chunker {
    uint32_t timescale;
    bool is_video;
    int64_t part_ticks, least_ticks; /* 0: no parts */
    int64_t longest_ticks;
    uint32_t sequence; /* of moofs, rising */
    int64_t end;       /* where the last finished chunk ended: the next sample belongs there */
    /* the open segment */
    bool is_open;
    bool is_whole; /* frames longer than a part: this one has none */
    int64_t segment_start;
    struct chunk *chunks; /* finished ones */
    size_t chunk_count, chunk_capacity;
    /* the open chunk */
    struct fmp4_sample *samples;
    size_t sample_count, sample_capacity, open_bytes;
    size_t loose_count, loose_bytes; /* the last ones: their payloads are in small blobs of their own */
    int64_t frame_ticks;             /* expected of the last sample */
    int64_t
        first_ticks; /* an independent part ends here already, so that those behind it fit into the GOP; 0: no plan */
};

/* A sample as it came: duration is what is expected of it, made exact by the next one. */
struct chunker_input {
    struct fmp4_sample sample;
    bool is_duration_known;
    bool may_jump;      /* an era begins: wherever it stands */
    int64_t plan_ticks; /* of the part that it would begin, when that is shorter than the target; 0: none */
};

/* Nothing may be open: a new track, or the first. */
void chunker_configure(struct chunker *c, const struct chunker_config *config);
void chunker_deinit(struct chunker *c);

/* Adds a sample, its payload referenced; finishes what is full. false: it does not fit behind what is there (dropped). */
bool chunker_push(struct chunker *c, const struct chunker_input *input);

/* What a keyframe inside a segment does to the open part. */
enum chunker_key {
    CHUNKER_KEY_INSIDE = 1, /* stays in the part, which begins with a keyframe itself */
    CHUNKER_KEY_PART,       /* begins a part */
    CHUNKER_KEY_SEGMENT     /* the part in front is too short to stand anywhere but at a segment's end */
};
/* gop_ticks: expected distance to the next keyframe; 0: unknown. */
enum chunker_key chunker_at_key(const struct chunker *c, int64_t dts, int64_t gop_ticks);
/* Finishes the open part: the next sample, at next_dts, begins another. */
void chunker_end_part(struct chunker *c, int64_t next_dts);
/* Finishes the segment's last chunk. next_dts: where the next sample will stand, or -1. A hole up to there becomes gaps, as far as
 * the segment may reach; without parts the last sample stands longer instead. */
void chunker_end_segment(struct chunker *c, int64_t next_dts);
/* After chunker_end_segment: the caller has taken the chunks' references, or none. */
void chunker_begin_segment(struct chunker *c);

/* Whether a sample at dts would begin where the last chunk ended. dts -1: none is to come. */
bool chunker_is_next(const struct chunker *c, int64_t dts);

/* From the open segment's start to the end of its last sample. */
int64_t chunker_open_ticks(const struct chunker *c);
/* To the end of its last finished chunk. */
int64_t chunker_finished_ticks(const struct chunker *c);

#endif
