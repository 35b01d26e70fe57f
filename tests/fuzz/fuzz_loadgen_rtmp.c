/* A server's bytes to a publisher: whatever comes, the reader stays within itself, and any split tells the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/rtmp_reader.h"

struct heard {
    uint64_t pings, hash;
};

static void on_ping(void *owner, uint32_t time)
{
    struct heard *h = owner;
    h->pings++;
    h->hash = h->hash * 31 + time;
}

static void on_status(void *owner, const char *code)
{
    struct heard *h = owner;
    if (strlen(code) > 95) abort();
    for (; *code; code++) h->hash = h->hash * 31 + (uint8_t)*code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct heard whole = { 0 }, split = { 0 };
    struct rtmp_reader r;
    struct rtmp_reader_sink sink = { &whole, on_ping, on_status };
    rtmp_reader_init(&r, 128);
    const enum weir_err err = rtmp_reader_feed(&r, data, bytes, &sink);
    sink.owner = &split;
    rtmp_reader_init(&r, 128);
    enum weir_err again = WEIR_OK;
    for (size_t i = 0; i < bytes && !again; i++) again = rtmp_reader_feed(&r, data + i, 1, &sink);
    if (err != again || whole.pings != split.pings || whole.hash != split.hash) abort();
    return 0;
}
