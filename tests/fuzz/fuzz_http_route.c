#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/delivery/http_route.h>

static void check(const struct http_route *r, const char *text, size_t bytes)
{
    const size_t path = strlen(r->path);
    if (text && (text < r->path || text + bytes > r->path + path)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct http_route r;
    http_route_parse((const char *)data, bytes, &r);
    if (r.kind < ROUTE_INDEX || r.kind > ROUTE_BAD) abort();
    if (r.kind == ROUTE_BAD) return 0;
    check(&r, r.stream, r.stream_bytes);
    check(&r, r.rendition, r.rendition_bytes);
    check(&r, r.file, r.file_bytes);
    if (strstr(r.path, "/../") || strstr(r.path, "/./")) abort();
    if (r.kind == ROUTE_MULTIVARIANT && http_route_as_rendition(&r)) {
        check(&r, r.stream, r.stream_bytes);
        check(&r, r.rendition, r.rendition_bytes);
    }
    return 0;
}
