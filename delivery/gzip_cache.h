/* Compressed playlists: each state of one is compressed once per loop, whoever asks. Owner: one loop. */
#ifndef WEIR_DELIVERY_GZIP_CACHE_H
#define WEIR_DELIVERY_GZIP_CACHE_H

#include <weir/base/blob.h>

#define GZIP_CACHE_SLOTS 1024 /* states are counted over all streams: room for those that many playlists are at now */

struct gzip_cache {
    struct {
        uint64_t state;
        struct frozen *body;
    } slots[GZIP_CACHE_SLOTS];
};

/* A reference on the compressed form of `plain`, which is what the state (never 0) always was. NULL: no memory. */
struct frozen *gzip_cache_get(struct gzip_cache *cache, uint64_t state, const struct frozen *plain);
void gzip_cache_deinit(struct gzip_cache *cache);

#endif
