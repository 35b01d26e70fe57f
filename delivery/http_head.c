#include "http_head.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *reason(int status)
{
    switch (status) {
    case 200: return "200 OK";
    case 204: return "204 No Content";
    case 206: return "206 Partial Content";
    case 304: return "304 Not Modified";
    case 308: return "308 Permanent Redirect";
    case 400: return "400 Bad Request";
    case 404: return "404 Not Found";
    case 405: return "405 Method Not Allowed";
    case 408: return "408 Request Timeout";
    case 413: return "413 Content Too Large";
    case 414: return "414 URI Too Long";
    case 416: return "416 Range Not Satisfiable";
    case 431: return "431 Request Header Fields Too Large";
    case 501: return "501 Not Implemented";
    case 503: return "503 Service Unavailable";
    case 505: return "505 HTTP Version Not Supported";
    default: return "500 Internal Server Error";
    }
}

static char *put(char *at, const char *text)
{
    const size_t bytes = strlen(text);
    memcpy(at, text, bytes);
    return at + bytes;
}

static char *put_number(char *at, size_t v)
{
    char digits[24];
    size_t count = 0;
    do digits[count++] = (char)('0' + v % 10);
    while (v /= 10);
    while (count) *at++ = digits[--count];
    return at;
}

static void add(struct http_fields *f, const char *title, const char *lower, const char *value)
{
    assert(f->count < HTTP_FIELDS_MAX);
    f->items[f->count++] = (struct http_field){ title, lower, value };
}

static void add_range(struct http_fields *f, const struct http_answer *a)
{
    char *at = put(f->range, "bytes ");
    if (a->is_range_unsatisfiable) {
        *at++ = '*';
    } else {
        at = put_number(at, a->first);
        *at++ = '-';
        at = put_number(at, a->first + a->bytes - 1);
    }
    *at++ = '/';
    *put_number(at, a->whole_bytes) = 0;
    add(f, "Content-Range", "content-range", f->range);
}

static const char *vary(const struct http_answer *a)
{
    return a->varies_by_encoding && a->varies_by_origin ? "Accept-Encoding, Origin"
           : a->varies_by_encoding                      ? "Accept-Encoding"
                                                        : "Origin";
}

void http_fields_collect(struct http_fields *f, const struct http_answer *a, const char *date)
{
    f->count = 0;
    add(f, "Server", "server", "weir");
    add(f, "Date", "date", date);
    if (a->content_type) add(f, "Content-Type", "content-type", a->content_type);
    if (a->status != 204 && a->status != 304) {
        *put_number(f->length, a->bytes) = 0;
        add(f, "Content-Length", "content-length", f->length);
    }
    if (a->cache_control) add(f, "Cache-Control", "cache-control", a->cache_control);
    if (a->etag[0]) add(f, "ETag", "etag", a->etag);
    if (a->is_gzip) add(f, "Content-Encoding", "content-encoding", "gzip");
    if (a->varies_by_encoding || a->varies_by_origin) add(f, "Vary", "vary", vary(a));
    if (a->etag[0] && !a->is_gzip) add(f, "Accept-Ranges", "accept-ranges", "bytes");
    if (a->status == 206 || a->is_range_unsatisfiable) add_range(f, a);
    if (a->location[0]) add(f, "Location", "location", a->location);
    if (a->allow_origin) {
        add(f, "Access-Control-Allow-Origin", "access-control-allow-origin", a->allow_origin);
        add(f, "Access-Control-Expose-Headers", "access-control-expose-headers",
            "Age, Date, Content-Length, Content-Range");
    }
    for (size_t i = 0; i < a->extra_count; i++) add(f, a->extra[i].title, a->extra[i].lower, a->extra[i].value);
}

size_t http_head_write(char out[HTTP_HEAD_BYTES_MAX], const struct http_answer *a, const char *date, bool keeps_alive)
{
    struct http_fields fields;
    http_fields_collect(&fields, a, date);
    char *at = put(out, "HTTP/1.1 ");
    at = put(at, reason(a->status));
    at = put(at, "\r\n");
    for (size_t i = 0; i < fields.count; i++) {
        at = put(at, fields.items[i].title);
        at = put(at, ": ");
        at = put(at, fields.items[i].value);
        at = put(at, "\r\n");
    }
    at = put(at, keeps_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
    return (size_t)(at - out);
}

void http_date_format(int64_t wall_us, char out[HTTP_DATE_BYTES])
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    gmtime_r(&seconds, &t);
    snprintf(out, HTTP_DATE_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday % 100,
             months[t.tm_mon], (t.tm_year + 1900) % 10000, t.tm_hour % 100, t.tm_min % 100, t.tm_sec % 100);
}
