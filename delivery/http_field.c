#include <weir/delivery/http_field.h>

#include <string.h>
#include <strings.h>

static bool take_number(const char **at, const char *end, size_t *out)
{
    const char *first = *at;
    size_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        if (value > (SIZE_MAX - 9) / 10) return false;
        value = value * 10 + (size_t)(**at - '0');
    }
    *out = value;
    return *at > first;
}

enum http_range http_range_parse(struct http_text field, size_t size, size_t *first, size_t *last)
{
    static const char unit[] = "bytes=";
    if (!field.data || field.bytes <= sizeof unit - 1 || strncasecmp(field.data, unit, sizeof unit - 1))
        return RANGE_WHOLE;
    const char *at = field.data + sizeof unit - 1, *end = field.data + field.bytes;
    size_t from = 0, to = 0;
    const bool has_from = take_number(&at, end, &from);
    if (at == end || *at++ != '-') return RANGE_WHOLE;
    const bool has_to = take_number(&at, end, &to);
    if (at != end || (!has_from && !has_to)) return RANGE_WHOLE; /* several ranges, or nonsense: ignored (14.2) */
    if (!has_from) {
        if (!to || !size) return RANGE_UNSATISFIABLE;
        *first = to < size ? size - to : 0;
        *last = size - 1;
        return RANGE_PART;
    }
    if (has_to && to < from) return RANGE_WHOLE;
    if (from >= size) return RANGE_UNSATISFIABLE;
    *first = from;
    *last = has_to && to < size ? to : size - 1;
    return RANGE_PART;
}

/* The next element of a comma-separated list, without the white space around it. false: no more. */
static bool next_element(struct http_text *rest, struct http_text *out)
{
    while (rest->bytes) {
        const char *comma = memchr(rest->data, ',', rest->bytes);
        struct http_text e = { rest->data, comma ? (size_t)(comma - rest->data) : rest->bytes };
        const size_t used = e.bytes + (comma != NULL);
        rest->data += used;
        rest->bytes -= used;
        while (e.bytes && (*e.data == ' ' || *e.data == '\t')) e.data++, e.bytes--;
        while (e.bytes && (e.data[e.bytes - 1] == ' ' || e.data[e.bytes - 1] == '\t')) e.bytes--;
        *out = e;
        if (e.bytes) return true;
    }
    return false;
}

bool http_etag_matches(struct http_text field, const char *etag)
{
    struct http_text element;
    if (!field.data) return false;
    while (next_element(&field, &element)) {
        if (element.bytes == 1 && *element.data == '*') return true;
        if (element.bytes > 2 && !memcmp(element.data, "W/", 2)) element.data += 2, element.bytes -= 2;
        if (element.bytes == strlen(etag) && !memcmp(element.data, etag, element.bytes)) return true;
    }
    return false;
}

bool http_if_range_matches(struct http_text field, const char *etag)
{
    return field.data && field.bytes == strlen(etag) && !memcmp(field.data, etag, field.bytes);
}

/* "gzip;q=0", "gzip; q=0.000": named in order to be refused. */
static bool has_zero_quality(const struct http_text *e, size_t at)
{
    while (at < e->bytes && e->data[at] != '=') at++;
    if (at == e->bytes) return false;
    for (at++; at < e->bytes; at++) {
        if (e->data[at] >= '1' && e->data[at] <= '9') return false;
    }
    return true;
}

bool http_accepts_gzip(struct http_text field)
{
    struct http_text element;
    bool is_wanted = false;
    if (!field.data) return false;
    while (next_element(&field, &element)) {
        const char *semicolon = memchr(element.data, ';', element.bytes);
        size_t name = semicolon ? (size_t)(semicolon - element.data) : element.bytes;
        while (name && element.data[name - 1] == ' ') name--;
        const bool is_zero = semicolon && has_zero_quality(&element, (size_t)(semicolon - element.data));
        if (name == 4 && !strncasecmp(element.data, "gzip", 4)) return !is_zero;
        if (name == 1 && *element.data == '*') is_wanted = !is_zero;
    }
    return is_wanted;
}
