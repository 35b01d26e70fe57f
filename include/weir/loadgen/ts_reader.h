/* A TS segment of HLS as a reader sees it (ISO 13818-1; RFC 8216bis 3.1.1), and where it breaks the format. Reads a whole segment:
 * what is split over segments is a fault. The numbers of the faults are those of the report (C1 to C7). Pure; owner and thread: the
 * caller's. Times are 90 kHz; those of one segment are unwrapped, those of two must be compared with ts_time_difference(). */
#ifndef WEIR_LOADGEN_TS_READER_H
#define WEIR_LOADGEN_TS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>

enum ts_rule {
    TS_C1 = 1, /* 0x47 each 188 bytes, and nothing over */
    TS_C2,     /* continuity counters */
    TS_C3,     /* PAT and PMT first, with right CRCs */
    TS_C4,     /* DTS rising, PTS not before DTS */
    TS_C5,     /* the first video access unit is a random access point with its parameter sets */
    TS_C6,     /* PCR: there, at most 100 ms apart, not ahead of DTS */
    TS_C7,     /* PES lengths match what follows */
    TS_RULES_END,
};

struct ts_fault {
    enum ts_rule rule;
    size_t offset;
    char expected[64], got[96];
};

struct ts_stream {
    uint16_t pid;
    uint8_t stream_type;
    enum media_kind kind; /* 0: neither */
    uint8_t first_counter, last_counter;
    bool has_packets, has_times;
    int64_t first_dts, last_dts, step_dts, first_pts, least_pts, end_dts;
    size_t unit_count;       /* PES packets with a time */
    int64_t frame_90k;       /* longest step between two of them; audio: of one frame where it can be told */
    bool starts_with_access; /* video: IDR, CRA or BLA with parameter sets in front */
};

struct ts_media {
    struct ts_stream streams[LOADGEN_TS_PIDS_MAX];
    size_t stream_count;
    uint16_t pcr_pid;
    uint64_t checked, broken; /* bits 1 << rule */
    struct ts_fault faults[8];
    size_t fault_count;
};

/* The first bytes look like TS. */
bool ts_is_media(const uint8_t *data, size_t bytes);
/* WEIR_NOMEM. WEIR_MALFORMED: no program was found; the findings say why. *out is given unless WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err ts_media_read(const uint8_t *data, size_t bytes, struct ts_media **out);
void ts_media_destroy(struct ts_media *m);
/* The first stream of that kind; NULL: none. */
const struct ts_stream *ts_media_stream(const struct ts_media *m, enum media_kind kind);
/* a - b on a clock of 33 bits. */
int64_t ts_time_difference(int64_t a, int64_t b);

#endif
