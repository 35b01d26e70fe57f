#include <stdint.h>
#include <stdlib.h>
#include <weir/loadgen/ts_reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct ts_media *m;
    if (ts_media_read(data, bytes, &m) == WEIR_NOMEM) return 0;
    if (m->stream_count > LOADGEN_TS_PIDS_MAX || m->broken & ~m->checked) abort();
    const struct ts_stream *video = ts_media_stream(m, MEDIA_VIDEO);
    if (video && (!video->unit_count || video->end_dts < video->last_dts)) abort();
    ts_media_destroy(m);
    return ts_is_media(data, bytes) && bytes < 188 ? 1 : 0;
}
