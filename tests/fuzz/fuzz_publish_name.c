/* What a publisher calls its stream: [app] 0 [name]. */
#include <stdlib.h>
#include <string.h>
#include <weir/stream/publish_gate.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 2);
    if (!text) return 0;
    if (bytes) memcpy(text, data, bytes);
    text[bytes] = text[bytes + 1] = 0;
    const char *app = text, *name = text + strlen(text) + 1;
    if (name > text + bytes) name = "";
    struct publish_request r;
    const char *why = NULL;
    if (publish_name_make(&r, app, name, &why) == PUBLISH_ALLOWED) {
        if (!r.name[0] || strlen(r.name) > STREAM_NAME_BYTES_MAX || strlen(r.key) > RTMP_NAME_BYTES_MAX) abort();
        if (strstr(r.name, "/../") || strstr(r.name, "//") || r.name[0] == '/') abort();
    } else if (!why) {
        abort();
    }
    free(text);
    return 0;
}
