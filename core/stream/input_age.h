/* How late media comes: what waits at its publisher or in the network. The most punctual frame of late is the measure, so neither a
 * constant delay counts nor, for more than a little, clocks that drift apart. Pure; owner and thread: the stream's. */
#ifndef WEIR_STREAM_INPUT_AGE_H
#define WEIR_STREAM_INPUT_AGE_H

#include <stdbool.h>
#include <stdint.h>

struct input_age_span {
    int64_t best_us; /* the least of arrival less media time */
    int64_t peak_us; /* the highest age */
};

struct input_age {
    bool has_begun;
    uint32_t era;
    int64_t span_start_us;
    struct input_age_span now,
        before; /* before: the span that went before; with it at least one whole one is looked back on */
};

/* The age of a frame that came at arrival_us, in microseconds, at least 0. dts_90k: on the timeline of its era. A new era begins anew. */
int64_t input_age_note(struct input_age *a, uint32_t era, int64_t dts_90k, int64_t arrival_us);
/* The highest of the last one to two minutes. */
int64_t input_age_peak_us(const struct input_age *a);

#endif
