/* part_reader: holds every version of a low-latency playlist to the rules that are about parts, hints, reports and delta updates
 * (RFC 8216bis, 4.4.3.7 to 4.4.5.4, 6.2.1 to 6.2.5). Shares nothing with the packager. */
#ifndef WEIR_TESTS_PART_READER_H
#define WEIR_TESTS_PART_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PART_SEEN_MAX 16384
#define PART_REPORTS_MAX 8

struct part_seen {
    uint64_t msn;
    uint32_t index;
    char uri[64];
    int64_t duration_us, end_us; /* end_us: on the sum of all durations listed so far */
    bool is_independent, is_gap;
};

struct part_report {
    char uri[64];
    uint64_t last_msn;
    int64_t last_part; /* -1: not said */
};

struct part_reader {
    char label[64];
    char control[256], part_inf[64]; /* as first said, without what goes when the list ends */
    int64_t target_us, part_us, skip_us;
    size_t count;
    struct part_seen seen[PART_SEEN_MAX]; /* oldest first */
    size_t fresh;                         /* told for the first time by the last version */
    /* the last version */
    uint64_t first_msn, last_msn; /* last_msn: of the last whole segment */
    uint32_t open_parts, last_segment_parts;
    int64_t edge_wall_us; /* PROGRAM-DATE-TIME at its end */
    char hint[64], init_hint[64];
    struct part_report reports[PART_REPORTS_MAX];
    size_t report_count;
    bool has_ended;
    size_t skipped, hints_kept, hints_withdrawn, independent, gaps, deltas;
};

void part_reader_init(struct part_reader *r, const char *label);
/* One version, and the delta update that was published with it (the same text where there is nothing to skip). */
void part_reader_read(struct part_reader *r, const char *full, const char *delta);
/* No name stood for two parts. Nothing can be found afterwards. */
void part_reader_finish(struct part_reader *r);
/* NULL: never listed. */
const struct part_seen *part_reader_find(const struct part_reader *r, uint64_t msn, uint32_t index);

#endif
