/* A caller's stream id: [1 byte of port rules] [id]. */
#include <stdlib.h>
#include <string.h>
#include <weir/ingest/srt_streamid.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes) return 0;
    char *id = malloc(bytes);
    if (!id) return 0;
    memcpy(id, data + 1, bytes - 1);
    id[bytes - 1] = 0;
    const struct srt_streamid_rules rules = { .stream = data[0] & 1 ? "live/own" : "",
                                              .default_mode = data[0] & 2 ? SRT_MODE_PUBLISH : SRT_MODE_REQUEST };
    struct publish_request r = { .name = "" };
    const char *why = NULL;
    const enum srt_reject code = srt_streamid_parse(id, &rules, &r, &why);
    if (code == SRT_ACCEPT) {
        if (!r.name[0] || strlen(r.name) > STREAM_NAME_BYTES_MAX || strlen(r.key) > RTMP_NAME_BYTES_MAX) abort();
        if (strstr(r.name, "/../") || strstr(r.name, "//") || r.name[0] == '/') abort();
    } else {
        if (!why || code < 1400 || code > 1599 || r.name[0] || r.key[0]) abort();
        if (!strcmp(srt_reject_name(code), "unknown")) abort();
    }
    free(id);
    return 0;
}
