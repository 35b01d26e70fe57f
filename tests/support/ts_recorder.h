/* Writes down as text what a TS demux gives: a line per event, for comparing. */
#ifndef WEIR_TESTS_TS_RECORDER_H
#define WEIR_TESTS_TS_RECORDER_H

#include <weir/ingest/ts_demux.h>

struct ts_recorder {
    struct byte_writer text; /* ends with 0 after ts_recorder_text() */
    bool has_problems;       /* wanted in the text */
    size_t problems;
    struct ts_demux_events events; /* for ts_demux_create; context is the recorder */
    struct counters counters;
};

void ts_recorder_init(struct ts_recorder *r);
void ts_recorder_deinit(struct ts_recorder *r);
/* The text so far; lent until more is written. */
const char *ts_recorder_text(struct ts_recorder *r);
/* Feeds in pieces: `piece` bytes each (0: all at once), flushes, and ends. */
void ts_recorder_run(struct ts_recorder *r, const struct ts_demux_config *config, const uint8_t *data, size_t bytes,
                     size_t piece);
/* FNV-1a, 64 bits */
uint64_t fnv(const uint8_t *data, size_t bytes);

#endif
