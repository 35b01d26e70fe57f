#include <stdlib.h>
#include <weir/ingest/flv.h>

static void check(const struct flv_events *events, size_t bytes)
{
    if (events->count > ERTMP_TRACKS_MAX) abort();
    for (size_t i = 0; i < events->count; i++) {
        const struct flv_event *e = &events->items[i];
        if (e->kind != FLV_CONFIG && e->kind != FLV_FRAME) continue;
        if (e->offset > bytes || e->bytes > bytes - e->offset) abort();
        if (e->kind == FLV_FRAME && !e->bytes) abort();
        if (!e->codec) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct flv_events events;
    const char *why;
    if (flv_video_parse(data, bytes, &events, &why) == WEIR_OK) check(&events, bytes);
    if (flv_audio_parse(data, bytes, &events, &why) == WEIR_OK) check(&events, bytes);
    return 0;
}
