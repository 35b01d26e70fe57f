/* How often which duration was seen, to within 3 %, in little memory: for percentiles over hours. Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_HISTOGRAM_H
#define WEIR_LOADGEN_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max_us; /* as it was */
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, int64_t value_us); /* below 0: as 0 */
void histogram_merge(struct histogram *h, const struct histogram *more);
/* The least value that at least `percent` of all are not above, at most max_us. -1: nothing was seen. */
int64_t histogram_percentile_us(const struct histogram *h, double percent);

#endif
