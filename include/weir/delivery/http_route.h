/* Which thing a URL means. Pure: knows no files and creates nothing; names are decoded once and compared as bytes. */
#ifndef WEIR_DELIVERY_HTTP_ROUTE_H
#define WEIR_DELIVERY_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/limits.h>

enum http_route_kind {
    ROUTE_INDEX = 1,    /* "/" */
    ROUTE_ASSET,        /* "/assets/NAME" */
    ROUTE_HANDLER,      /* "/api/...", "/metrics", "/healthz", "/readyz" */
    ROUTE_STREAM_PAGE,  /* "/app/name/" */
    ROUTE_STREAM_BARE,  /* "/app/name": the page, one slash short */
    ROUTE_MULTIVARIANT, /* "/app/name/index.m3u8", "/app/name/master.m3u8", "/app/name.m3u8" */
    ROUTE_THUMBNAIL,    /* "/app/name/thumb.jpg" */
    ROUTE_OBJECT,       /* "/app/name/RENDITION/FILE": a playlist when FILE is index.m3u8 */
    ROUTE_NONE,         /* well formed, means nothing here */
    ROUTE_BAD,          /* not a path: bad escape, control byte, dot segments */
};

struct http_route {
    enum http_route_kind kind;
    char path[HTTP_URL_BYTES_MAX + 1]; /* decoded; the texts below are slices of it, each ended by a 0 */
    const char *stream, *rendition, *file;
    size_t stream_bytes, rendition_bytes, file_bytes;
};

/* target: as in the request line, in origin or absolute form. The query is cut off. */
void http_route_parse(const char *target, size_t bytes, struct http_route *out);
/* "/live/a/b/index.m3u8" is a multivariant of live/a/b, or a rendition b of live/a: this turns the first reading into the second. So
 * with "/live/a/b.m3u8", which then is the multivariant playlist of that rendition alone (file NULL). false: there is no second. */
bool http_route_as_rendition(struct http_route *route);

#endif
