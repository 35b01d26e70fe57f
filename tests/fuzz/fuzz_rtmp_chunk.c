/* Chunks alone: whole and split input must give the same messages, and memory stays within its budget. */
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/rtmp_chunk.h>

struct digest {
    uint64_t hash;
    unsigned messages;
    enum weir_err err;
};

static void add(struct digest *d, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) d->hash = (d->hash ^ at[i]) * 0x100000001B3u;
}

static struct digest run(const uint8_t *data, size_t bytes, uint32_t chunk_bytes, size_t step)
{
    static struct counters counters;
    struct digest d = { .hash = 0xCBF29CE484222325u };
    struct rtmp_chunk_reader *r = rtmp_chunk_reader_create(&counters);
    if (!r || rtmp_chunk_set_size(r, chunk_bytes)) abort();
    for (size_t at = 0; at < bytes && !d.err; at += step) {
        const size_t end = at + step < bytes ? at + step : bytes;
        bool has_message = true;
        for (size_t from = at; (from < end || has_message) && !d.err;) {
            struct rtmp_message m;
            size_t used = 0;
            const char *why;
            d.err = rtmp_chunk_feed(r, data + from, end - from, &used, &m, &has_message, &why);
            if (d.err) break;
            if (rtmp_chunk_held_bytes(r) > RTMP_ASSEMBLY_BYTES_MAX) abort();
            if (from < end && !used && !has_message) abort(); /* no progress */
            from += used;
            if (!has_message) continue;
            d.messages++;
            add(&d, &m.type, sizeof m.type);
            add(&d, &m.timestamp_ms, sizeof m.timestamp_ms);
            add(&d, blob_data(m.body), blob_bytes(m.body));
            blob_unref(m.body);
        }
    }
    rtmp_chunk_reader_destroy(r);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 3) return 0;
    const uint32_t chunk_bytes = 1 + data[0] * 16u;
    const size_t step = 1 + data[1];
    data += 2;
    bytes -= 2;
    const struct digest whole = run(data, bytes, chunk_bytes, bytes), split = run(data, bytes, chunk_bytes, step),
                        single = run(data, bytes, chunk_bytes, 1);
    if (whole.hash != split.hash || whole.messages != split.messages || whole.err != split.err) abort();
    if (whole.hash != single.hash || whole.messages != single.messages || whole.err != single.err) abort();
    return 0;
}
