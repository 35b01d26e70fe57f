#include "http_head.h"

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

static char *put_field(char *at, const char *name, const char *value)
{
    at = put(at, name);
    at = put(at, value);
    return put(at, "\r\n");
}

static char *put_range(char *at, const struct http_answer *a)
{
    at = put(at, "Content-Range: bytes ");
    if (a->is_range_unsatisfiable) {
        *at++ = '*';
    } else {
        at = put_number(at, a->first);
        *at++ = '-';
        at = put_number(at, a->first + a->bytes - 1);
    }
    *at++ = '/';
    at = put_number(at, a->whole_bytes);
    return put(at, "\r\n");
}

size_t http_head_write(char out[HTTP_HEAD_BYTES_MAX], const struct http_answer *a, const char *date, bool keeps_alive)
{
    char *at = put(out, "HTTP/1.1 ");
    at = put(at, reason(a->status));
    at = put(at, "\r\nServer: weir\r\n");
    at = put_field(at, "Date: ", date);
    if (a->content_type) at = put_field(at, "Content-Type: ", a->content_type);
    if (a->status != 204 && a->status != 304) {
        at = put(at, "Content-Length: ");
        at = put_number(at, a->bytes);
        at = put(at, "\r\n");
    }
    if (a->cache_control) at = put_field(at, "Cache-Control: ", a->cache_control);
    if (a->etag[0]) at = put_field(at, "ETag: ", a->etag);
    if (a->is_gzip) at = put(at, "Content-Encoding: gzip\r\n");
    if (a->varies) at = put(at, "Vary: Accept-Encoding\r\n");
    if (a->etag[0] && !a->is_gzip) at = put(at, "Accept-Ranges: bytes\r\n");
    if (a->status == 206 || a->is_range_unsatisfiable) at = put_range(at, a);
    if (a->location[0]) at = put_field(at, "Location: ", a->location);
    at = put(at, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Age, Date, Content-Length, "
                 "Content-Range\r\n");
    if (a->extra) at = put(at, a->extra);
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
