#include <weir/loadgen/histogram.h>

/* 32 buckets for each power of two; the first 32 hold one value each. */
#define SUB_BITS 5
#define SUB (1u << SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB) return (unsigned)value;
    const unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    const unsigned bucket = (shift + 1) * SUB + (unsigned)(value >> shift & (SUB - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static int64_t bucket_end_us(unsigned bucket)
{
    if (bucket < SUB) return bucket;
    const unsigned shift = bucket / SUB - 1;
    return (int64_t)(((uint64_t)(SUB + bucket % SUB + 1) << shift) - 1);
}

void histogram_clear(struct histogram *h)
{
    *h = (struct histogram){ .count = 0 };
}

void histogram_add(struct histogram *h, int64_t value_us)
{
    if (value_us < 0) value_us = 0;
    h->counts[bucket_of((uint64_t)value_us)]++;
    h->count++;
    if (value_us > h->max_us) h->max_us = value_us;
}

void histogram_merge(struct histogram *h, const struct histogram *more)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) h->counts[i] += more->counts[i];
    h->count += more->count;
    if (more->max_us > h->max_us) h->max_us = more->max_us;
}

int64_t histogram_percentile_us(const struct histogram *h, double percent)
{
    const double wanted = (double)h->count * percent / 100;
    uint64_t seen = 0;
    if (!h->count) return -1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen && (double)seen >= wanted) return bucket_end_us(i) < h->max_us ? bucket_end_us(i) : h->max_us;
    }
    return h->max_us;
}
