/* What weir-loadgen watch says while it runs and at its end. */
#ifndef WEIR_LOADGEN_WATCH_OUTPUT_H
#define WEIR_LOADGEN_WATCH_OUTPUT_H

#include <stdio.h>
#include <weir/loadgen/crowd.h>

/* One look at the crowd, and what lies between it and the look before. */
struct watch_sample {
    struct crowd_moment now;
    int64_t at_us, seconds_us; /* since the beginning; of how long */
    uint64_t requests_before, bytes_before;
    int64_t before_us;
    uint32_t viewers;      /* wanted */
    uint64_t memory_bytes; /* resident, of this process */
    int64_t cpu_us;        /* of this process, ever */
};

void watch_write_sample_json(const struct watch_sample *s, const char *const *urls, FILE *out);
void watch_write_sample_line(const struct watch_sample *s, FILE *out);
/* Drawn over the one before; is_first: there is none. */
void watch_draw(const struct watch_sample *s, const char *const *urls, bool is_first, FILE *out);
void watch_write_fault(const char *url, const char *text, bool is_json, FILE *out);

struct watch_end {
    const struct watch_sample *last;
    const struct histogram *latency, *arrival; /* of the whole run */
    struct crowd *crowd;
    const char *const *urls;
    uint32_t url_count;
    bool is_good;
};
void watch_write_end_json(const struct watch_end *e, FILE *out);
void watch_write_end_text(const struct watch_end *e, FILE *out);

#endif
