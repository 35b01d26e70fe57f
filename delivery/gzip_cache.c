#include "gzip_cache.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_LEVEL 5

void gzip_cache_deinit(struct gzip_cache *cache)
{
    for (size_t i = 0; i < GZIP_CACHE_SLOTS; i++) frozen_unref(cache->slots[i].body);
    memset(cache, 0, sizeof *cache);
}

static struct frozen *compress_body(const struct frozen *body)
{
    const size_t bytes = frozen_bytes(body);
    z_stream z = { .next_in = NULL };
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return NULL;
    const size_t most = deflateBound(&z, bytes);
    struct blob *packed = blob_create(most);
    uint8_t *plain = malloc(bytes ? bytes : 1);
    int result = Z_ERRNO;
    if (packed && plain) {
        z.avail_in = (uInt)frozen_read(body, 0, plain, bytes);
        z.next_in = plain;
        z.next_out = blob_data(packed);
        z.avail_out = (uInt)most;
        result = deflate(&z, Z_FINISH);
    }
    const size_t used = z.total_out;
    deflateEnd(&z);
    free(plain);
    struct blob *fit = result == Z_STREAM_END ? blob_resize(packed, used) : NULL;
    if (fit) return frozen_give(fit);
    blob_unref(packed);
    return NULL;
}

struct frozen *gzip_cache_get(struct gzip_cache *cache, uint64_t state, const struct frozen *plain)
{
    const size_t slot = state % GZIP_CACHE_SLOTS;
    if (cache->slots[slot].state != state) {
        struct frozen *packed = compress_body(plain);
        if (!packed) return NULL;
        frozen_unref(cache->slots[slot].body);
        cache->slots[slot].state = state;
        cache->slots[slot].body = packed;
    }
    return frozen_ref(cache->slots[slot].body);
}
