#include <weir/delivery/http_request.h>

#include <http_parser.h>
#include <string.h>
#include <strings.h>
#include <weir/base/limits.h>

/* What libhttp-parser tells while it walks a head. */
struct walk {
    struct http_request request;
    struct http_text field;
    unsigned hosts, lengths;
    bool has_body, has_transfer_encoding, has_odd_name, has_odd_host, is_complete;
};

static bool is_field(const struct http_text *field, const char *name)
{
    return field->bytes == strlen(name) && !strncasecmp(field->data, name, field->bytes);
}

static int on_url(http_parser *p, const char *at, size_t bytes)
{
    struct walk *w = p->data;
    w->request.target = (struct http_text){ at, bytes };
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t bytes)
{
    struct walk *w = p->data;
    w->field = (struct http_text){ at, bytes };
    /* built without its strict mode, as distributions do, the library takes "Transfer-Encoding : x" for a name of its own */
    if (memchr(at, ' ', bytes)) w->has_odd_name = true;
    return 0;
}

/* RFC 9112, 3.2: a Host that cannot be one is refused, for another server might see a different one in it. */
static bool is_host(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)at[i] <= ' ' || strchr("/?#@,\\", at[i])) return false;
    }
    return true;
}

static int on_value(http_parser *p, const char *at, size_t bytes)
{
    struct walk *w = p->data;
    struct http_request *r = &w->request;
    const struct http_text value = { at, bytes };
    static const struct {
        const char *name;
        size_t offset;
    } wanted[] = {
        { "range", offsetof(struct http_request, range) },
        { "if-range", offsetof(struct http_request, if_range) },
        { "if-none-match", offsetof(struct http_request, if_none_match) },
        { "accept-encoding", offsetof(struct http_request, accept_encoding) },
        { "user-agent", offsetof(struct http_request, user_agent) },
        { "origin", offsetof(struct http_request, origin) },
        { "x-forwarded-for", offsetof(struct http_request, forwarded_for) },
        { "weir-sample", offsetof(struct http_request, sample) },
    };
    if (is_field(&w->field, "host")) {
        w->hosts++;
        w->has_odd_host |= !is_host(at, bytes);
    }
    if (is_field(&w->field, "transfer-encoding")) w->has_transfer_encoding = true;
    if (is_field(&w->field, "content-length")) {
        w->lengths++;
        w->has_body |= !(bytes == 1 && *at == '0');
    }
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (is_field(&w->field, wanted[i].name)) memcpy((char *)r + wanted[i].offset, &value, sizeof value);
    }
    return 0;
}

static int on_head_done(http_parser *p)
{
    struct walk *w = p->data;
    w->is_complete = true;
    w->request.is_http_1_1 = p->http_major == 1 && p->http_minor >= 1;
    w->request.keeps_alive = http_should_keep_alive(p) != 0;
    w->request.verb = p->method == HTTP_GET       ? HTTP_VERB_GET
                      : p->method == HTTP_HEAD    ? HTTP_VERB_HEAD
                      : p->method == HTTP_OPTIONS ? HTTP_VERB_OPTIONS
                                                  : HTTP_VERB_OTHER;
    return 1; /* no body is read by the parser */
}

static struct http_parsed bad(int status, const char *why)
{
    return (struct http_parsed){ .result = HTTP_PARSE_BAD, .status = status, .why = why };
}

/* End of the head: the empty line; 0: not there yet. *why: set when lines are ended or folded in ways that must not be. */
static size_t find_end(const char *data, size_t bytes, const char **why)
{
    for (const char *at = data; (at = memchr(at, '\n', bytes - (size_t)(at - data))); at++) {
        if (at == data || at[-1] != '\r') *why = "A line ends without a carriage return.";
        if (at - data >= 3 && at[-2] == '\n') return (size_t)(at - data) + 1;
        /* RFC 9112, 5.2 */
        if (at + 1 < data + bytes && (at[1] == ' ' || at[1] == '\t'))
            *why = "Fields folded over several lines are not accepted here.";
        if (*why) return 0;
    }
    return 0;
}

/* A request line that is too long is told so before its end has come. */
static struct http_parsed incomplete(const char *data, size_t bytes)
{
    if (bytes > HTTP_URL_BYTES_MAX + 64 && !memchr(data, '\n', HTTP_URL_BYTES_MAX + 64))
        return bad(414, "The URL is longer than 2048 bytes.");
    if (bytes >= HTTP_HEADER_BYTES_MAX) return bad(431, "The request's head is larger than 16 KiB.");
    return (struct http_parsed){ .result = HTTP_PARSE_NEED };
}

static struct http_parsed check(const struct walk *w)
{
    if (w->has_odd_name) return bad(400, "A field's name has a space in it.");
    if (w->has_transfer_encoding) return bad(400, "Requests with Transfer-Encoding are not accepted here.");
    if (w->lengths > 1) return bad(400, "Content-Length is given more than once.");
    if (w->has_body) return bad(413, "Requests with a body are not accepted here.");
    if (w->hosts > 1 || (w->request.is_http_1_1 && !w->hosts))
        return bad(400, "An HTTP/1.1 request needs exactly one Host.");
    if (w->has_odd_host) return bad(400, "The Host is not a name or an address.");
    if (w->request.target.bytes > HTTP_URL_BYTES_MAX) return bad(414, "The URL is longer than 2048 bytes.");
    return (struct http_parsed){ .result = HTTP_PARSE_DONE };
}

struct http_parsed http_request_parse(const char *data, size_t bytes, struct http_request *out)
{
    static const http_parser_settings settings = {
        .on_url = on_url, .on_header_field = on_field, .on_header_value = on_value, .on_headers_complete = on_head_done
    };
    struct walk w = { .is_complete = false };
    http_parser parser;
    /* empty lines in front of a request are skipped (RFC 9112, 2.2) */
    size_t skipped = 0;
    while (bytes - skipped >= 2 && data[skipped] == '\r' && data[skipped + 1] == '\n' && skipped < 16) skipped += 2;
    data += skipped;
    bytes -= skipped;
    const char *why = NULL;
    const size_t end = find_end(data, bytes < HTTP_HEADER_BYTES_MAX ? bytes : HTTP_HEADER_BYTES_MAX, &why);
    if (why) return bad(400, why);
    if (!end) return incomplete(data, bytes);
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &w;
    http_parser_execute(&parser, &settings, data, end);
    const enum http_errno failed = HTTP_PARSER_ERRNO(&parser);
    if (failed == HPE_INVALID_METHOD) return bad(501, "This method is not known here.");
    if (failed == HPE_INVALID_VERSION) return bad(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    if (failed != HPE_OK || !w.is_complete) return bad(400, "The request could not be read.");
    if (parser.http_major != 1) return bad(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    struct http_parsed result = check(&w);
    if (result.result != HTTP_PARSE_DONE) return result;
    result.consumed = skipped + end;
    *out = w.request;
    return result;
}
