/* How a source lies in its mapping: this header, then what it points to. The child that makes it and the parent that reads it are one
 * program. */
#ifndef WEIR_LOADGEN_MEDIA_MAP_H
#define WEIR_LOADGEN_MEDIA_MAP_H

#include <weir/loadgen/media_source.h>

#define TS_PACKET_BYTES 188
#define TS_PID_COUNT 8192

struct media_map {
    uint64_t total_bytes;
    struct media_source_facts facts;
    uint64_t video_config_at, audio_config_at, items_at, pieces_at, counters_at; /* from the beginning */
    uint32_t video_config_bytes, audio_config_bytes, item_count, piece_count;
    int64_t ts_origin_90k;
};

/* What is being made. */
struct media_draft {
    struct media_source_facts facts;
    struct blob *video_config, *audio_config; /* mp4 form; owned */
    struct codec_facts video, audio;
    struct byte_writer bytes; /* of all items, then of the transport stream */
    struct media_item *items;
    uint32_t item_count, item_capacity;
    struct media_ts_piece *pieces;
    uint32_t piece_count, piece_capacity;
    uint8_t counters[TS_PID_COUNT];
    int64_t ts_origin_90k;
    char why[256]; /* what the last error was about */
};

void media_draft_init(struct media_draft *d);
void media_draft_deinit(struct media_draft *d);
/* Configurations that the container gave; empty ones are looked for in the frames. */
WEIR_MUST_CHECK enum weir_err media_draft_configure(struct media_draft *d, enum media_codec codec,
                                                    struct byte_span config);
/* A video frame, with start codes or 4-byte lengths (AVCC); an audio frame, with ADTS or without. Times from wherever. */
WEIR_MUST_CHECK enum weir_err media_draft_video(struct media_draft *d, enum media_codec codec, struct byte_span frame,
                                                int64_t pts_90k, int64_t dts_90k, bool is_key);
WEIR_MUST_CHECK enum weir_err media_draft_audio(struct media_draft *d, struct byte_span frame, int64_t pts_90k);
/* Makes a loop of what came. loop_90k 0: as long as the video, or the audio. Items of the end that come before the beginning in time are
 * turned round. WEIR_MALFORMED: there is no keyframe, or nothing at all. */
WEIR_MUST_CHECK enum weir_err media_draft_loop(struct media_draft *d, int64_t loop_90k);
/* A transport stream's bytes, that go out together at an item's time. */
WEIR_MUST_CHECK enum weir_err media_draft_piece(struct media_draft *d, struct byte_span packets,
                                                const struct media_item *item);
/* The mapping's first bytes, to be followed by d->bytes. */
WEIR_MUST_CHECK enum weir_err media_draft_lay_out(struct media_draft *d, struct byte_writer *out);

/* Pure half of media_source_make: takes what was mapped. Checked for what our own child could have cut short. NULL: it is not whole. */
struct media_source *media_source_over(const void *map, uint64_t bytes);
const void *media_source_map(const struct media_source *s, uint64_t *bytes);

#endif
