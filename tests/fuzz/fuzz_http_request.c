/* A request's head: reading it whole and growing byte by byte must agree, and everything it points to lies inside. */
#include <stdlib.h>
#include <string.h>
#include <weir/delivery/http_field.h>
#include <weir/delivery/http_request.h>
#include <weir/delivery/http_route.h>

static void check_text(struct http_text t, const char *data, size_t bytes)
{
    if (t.data && (t.data < data || t.data + t.bytes > data + bytes)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    struct http_request request;
    const struct http_parsed whole = http_request_parse(text, bytes, &request);
    if (whole.result == HTTP_PARSE_BAD && (!whole.why || whole.status < 400)) abort();
    if (whole.result != HTTP_PARSE_DONE) return 0;
    if (!whole.consumed || whole.consumed > bytes) abort();
    check_text(request.target, text, bytes);
    check_text(request.range, text, bytes);
    check_text(request.if_none_match, text, bytes);
    for (size_t cut = whole.consumed > 64 ? whole.consumed - 64 : 0; cut < whole.consumed; cut++) {
        struct http_request early;
        if (http_request_parse(text, cut, &early).result == HTTP_PARSE_DONE) abort();
    }
    size_t first = 0, last = 0;
    if (http_range_parse(request.range, 1000, &first, &last) == RANGE_PART && (first > last || last >= 1000)) abort();
    (void)http_etag_matches(request.if_none_match, "\"x\"");
    (void)http_accepts_gzip(request.accept_encoding);
    struct http_route route;
    http_route_parse(request.target.data, request.target.bytes, &route);
    return 0;
}
