/* A rate with a burst: tokens come back at `per_second`, up to `burst`. Pure. Owner and thread: the caller's.
 * address_buckets: one for each address, in a fixed table by hash: two addresses may share one, which only makes the limit
 * a little stricter for both; it never grows. */
#ifndef WEIR_INGEST_TOKEN_BUCKET_H
#define WEIR_INGEST_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct token_rate {
    uint32_t per_second, burst;
};

struct token_bucket {
    int64_t empty_us; /* when the tokens would all be back; in the past: they are. 0: never used */
};

/* Takes a token. false: there is none. */
bool token_bucket_take(struct token_bucket *b, const struct token_rate *rate, int64_t now_us);

#define ADDRESS_BUCKETS 4096
struct address_buckets {
    struct token_bucket slots[ADDRESS_BUCKETS];
    uint64_t salt; /* so that nobody can choose his neighbours */
};
bool address_buckets_take(struct address_buckets *b, const uint8_t address[16], const struct token_rate *rate,
                          int64_t now_us);

#endif
