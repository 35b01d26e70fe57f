/* A request's head: reading it whole and growing byte by byte must agree, everything it points to lies inside, and no other
 * server could find a body in what was accepted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/delivery/http_field.h>
#include <weir/delivery/http_request.h>
#include <weir/delivery/http_route.h>

static void check_text(struct http_text t, const char *data, size_t bytes)
{
    if (t.data && (t.data < data || t.data + t.bytes > data + bytes)) abort();
}

/* A second, simpler reading of a head that was accepted: nothing in it may be read as a body by anyone. */
static void check_line(const char *line, size_t bytes)
{
    static const char length[] = "content-length:", encoding[] = "transfer-encoding";
    if (memchr(line, '\n', bytes) || (bytes && (line[0] == ' ' || line[0] == '\t'))) abort();
    if (bytes >= sizeof encoding - 1 && !strncasecmp(line, encoding, sizeof encoding - 1) &&
        strchr(": \t", line[sizeof encoding - 1]))
        abort();
    if (bytes < sizeof length - 1 || strncasecmp(line, length, sizeof length - 2)) return;
    if (line[sizeof length - 2] == ' ' || line[sizeof length - 2] == '\t') abort();
    if (line[sizeof length - 2] != ':') return;
    for (size_t i = sizeof length - 1; i < bytes; i++) {
        if (!strchr(" \t0", line[i])) abort();
    }
}

static void check_lines(const char *head, size_t bytes)
{
    for (size_t at = 0, line = 0; at < bytes; line++) {
        const char *end = memmem(head + at, bytes - at, "\r\n", 2);
        if (!end) abort();
        if (line) check_line(head + at, (size_t)(end - head) - at);
        at = (size_t)(end - head) + 2;
    }
}

/* Whatever of the input has come so far: what is told about it still holds when the rest is there. */
static void check_cuts(const char *text, size_t bytes, const struct http_parsed *whole)
{
    for (size_t cut = 0; cut < bytes; cut += cut < 512 ? 1 : 37) {
        struct http_request early;
        const struct http_parsed p = http_request_parse(text, cut, &early);
        if (p.result == HTTP_PARSE_DONE && (whole->result != HTTP_PARSE_DONE || p.consumed != whole->consumed)) abort();
        if (p.result == HTTP_PARSE_BAD && whole->result == HTTP_PARSE_DONE) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    struct http_request request;
    const struct http_parsed whole = http_request_parse(text, bytes, &request);
    if (whole.result == HTTP_PARSE_BAD && (!whole.why || whole.status < 400)) abort();
    check_cuts(text, bytes, &whole);
    if (whole.result != HTTP_PARSE_DONE) return 0;
    if (!whole.consumed || whole.consumed > bytes) abort();
    check_text(request.target, text, bytes);
    check_text(request.range, text, bytes);
    check_text(request.if_none_match, text, bytes);
    check_text(request.if_range, text, bytes);
    check_text(request.accept_encoding, text, bytes);
    check_text(request.user_agent, text, bytes);
    check_lines(text, whole.consumed);
    size_t first = 0, last = 0;
    if (http_range_parse(request.range, 1000, &first, &last) == RANGE_PART && (first > last || last >= 1000)) abort();
    (void)http_etag_matches(request.if_none_match, "\"x\"");
    (void)http_if_range_matches(request.if_range, "\"x\"");
    (void)http_accepts_gzip(request.accept_encoding);
    struct http_route route;
    http_route_parse(request.target.data, request.target.bytes, &route);
    return 0;
}
