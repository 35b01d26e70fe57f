#include "token_bucket.h"

bool token_bucket_take(struct token_bucket *b, const struct token_rate *rate, int64_t now_us)
{
    /* each token taken puts off the moment when all are back by what one takes to come back */
    const int64_t one_us = 1000000 / (rate->per_second ? rate->per_second : 1);
    const int64_t from_us = b->empty_us > now_us ? b->empty_us : now_us;
    if (from_us + one_us - now_us > one_us * (int64_t)rate->burst) return false;
    b->empty_us = from_us + one_us;
    return true;
}

bool address_buckets_take(struct address_buckets *b, const uint8_t address[16], const struct token_rate *rate,
                          int64_t now_us)
{
    uint64_t hash = b->salt ^ 0xCBF29CE484222325u;
    for (int i = 0; i < 16; i++) hash = (hash ^ address[i]) * 0x100000001B3u;
    return token_bucket_take(&b->slots[(hash ^ hash >> 32) % ADDRESS_BUCKETS], rate, now_us);
}
