/* What the parts of the TS demux share: the way out, and what an elementary stream's reader looks like. */
#ifndef WEIR_INGEST_TS_INTERNAL_H
#define WEIR_INGEST_TS_INTERNAL_H

#include <weir/base/limits.h>
#include <weir/ingest/ts_demux.h>

#include "ts_pes.h"
#include "ts_stream_kind.h"

#define TS_TIME_MASK 0x1FFFFFFFFull /* 33 bits */

/* The way out. */
struct ts_output {
    struct ts_demux_events events;
    struct counters *counters;
    struct ts_demux_figures figures;
    uint32_t used_indexes[MEDIA_AUDIO + 1]; /* a bit per track that was announced */
    bool takes_layer2;                      /* of the configuration */
    bool is_out_of_memory;                  /* something was dropped for it since the flag was cleared */
};

void ts_output_count(struct ts_output *out, enum counter id);
void ts_output_problem(struct ts_output *out, const char *format, ...) WEIR_PRINTF(2, 3);
/* Gives a carried track the lowest free index, unless it has one, and tells. */
void ts_output_announce(struct ts_output *out, struct ts_track *track, bool *is_announced);
void ts_output_retract(struct ts_output *out, const struct ts_track *track, bool *is_announced);
/* Gives the frame away and counts it. */
void ts_output_frame(struct ts_output *out, const struct ts_frame *frame);

/* One elementary stream's reader: `sink` takes its PES packets; sink.context is the argument of the others too. */
struct ts_elementary {
    struct pes_sink sink;
    void (*note_loss)(void *context); /* bytes before the next begin() are missing */
    /* What is open ends here: for want of more, or (is_whole) because what follows begins something new. */
    void (*flush)(void *context, bool is_whole);
    void (*destroy)(void *context);
};

/* A stream of the program. Stays where it is for its reader's life. */
struct ts_stream {
    struct ts_stream_kind kind;
    bool is_announced;
};

/* NULL: no memory. */
struct ts_elementary *ts_video_create(struct ts_output *out, struct ts_stream *stream, bool may_end_early);
struct ts_elementary *ts_audio_create(struct ts_output *out, struct ts_stream *stream);
struct ts_elementary *ts_metadata_create(struct ts_output *out, struct ts_stream *stream);
/* An SCTE-35 section that is whole. */
void ts_scte35_take(struct ts_output *out, const struct ts_stream *stream, struct byte_span section);

#endif
