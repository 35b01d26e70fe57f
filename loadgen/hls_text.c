#include "hls_text.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX 10000000ull

char *hls_line_next(char **at, char *end)
{
    if (*at >= end) return NULL;
    char *line = *at, *newline = memchr(line, '\n', (size_t)(end - line));
    char *stop = newline ? newline : end;
    *at = newline ? newline + 1 : end;
    if (stop > line && stop[-1] == '\r') stop--;
    *stop = 0; /* the buffer has one byte behind its end */
    return line;
}

static const char *read_digits(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (v > (UINT64_MAX - digit) / 10) return NULL;
        v = v * 10 + digit;
    }
    if (at == text) return NULL;
    *out = v;
    return at;
}

bool hls_read_integer(const char *text, uint64_t *out)
{
    uint64_t v;
    const char *end = read_digits(text, &v);
    if (!end || *end) return false;
    *out = v;
    return true;
}

/* A decimal number scaled by a power of ten; what is finer than the scale is cut off. */
static bool read_decimal(const char *text, unsigned decimals, uint64_t *out)
{
    uint64_t whole;
    const char *at = read_digits(text, &whole);
    if (!at || whole >= SECONDS_MAX) return false;
    if (*at == '.') {
        at++;
        if (!isdigit((unsigned char)*at)) return false;
    }
    for (unsigned i = 0; i < decimals; i++)
        whole = whole * 10 + (isdigit((unsigned char)*at) ? (uint64_t)(*at++ - '0') : 0);
    while (isdigit((unsigned char)*at)) at++;
    if (*at) return false;
    *out = whole;
    return true;
}

bool hls_read_seconds(const char *text, int64_t *out_us)
{
    uint64_t v;
    if (!read_decimal(text, 6, &v)) return false;
    *out_us = (int64_t)v;
    return true;
}

bool hls_read_milli(const char *text, uint64_t *out_milli)
{
    return read_decimal(text, 3, out_milli);
}

static bool read_fixed(const char **at, unsigned digits, int *out)
{
    int v = 0;
    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at)) return false;
        v = v * 10 + (**at - '0');
    }
    *out = v;
    return true;
}

static bool read_char(const char **at, char c)
{
    if (**at != c) return false;
    (*at)++;
    return true;
}

/* "Z", "+01:00", "-0130" */
static bool read_zone(const char **at, int *offset_s, bool *has_zone)
{
    *offset_s = 0;
    *has_zone = **at != 0;
    if (!**at) return true;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return true;
    }
    const int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
    int hours, minutes = 0;
    if (!sign) return false;
    (*at)++;
    if (!read_fixed(at, 2, &hours)) return false;
    if (**at == ':') (*at)++;
    if (**at && !read_fixed(at, 2, &minutes)) return false;
    if (hours > 23 || minutes > 59) return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool hls_read_date(const char *text, int64_t *out_wall_us, bool *has_zone)
{
    struct tm tm = { .tm_isdst = 0 };
    const char *at = text;
    if (!read_fixed(&at, 4, &tm.tm_year) || !read_char(&at, '-') || !read_fixed(&at, 2, &tm.tm_mon) ||
        !read_char(&at, '-') || !read_fixed(&at, 2, &tm.tm_mday) || !read_char(&at, 'T'))
        return false;
    if (!read_fixed(&at, 2, &tm.tm_hour) || !read_char(&at, ':') || !read_fixed(&at, 2, &tm.tm_min) ||
        !read_char(&at, ':') || !read_fixed(&at, 2, &tm.tm_sec))
        return false;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return false;
    int64_t fraction_us = 0;
    if (*at == '.') {
        at++;
        if (!isdigit((unsigned char)*at)) return false;
        for (int i = 0; i < 6; i++) fraction_us = fraction_us * 10 + (isdigit((unsigned char)*at) ? *at++ - '0' : 0);
        while (isdigit((unsigned char)*at)) at++;
    }
    int offset_s;
    if (!read_zone(&at, &offset_s, has_zone) || *at) return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *out_wall_us = ((int64_t)timegm(&tm) - offset_s) * 1000000 + fraction_us;
    return true;
}

bool hls_read_resolution(const char *text, uint32_t *width, uint32_t *height)
{
    uint64_t w, h;
    const char *at = read_digits(text, &w);
    if (!at || *at != 'x' || w > UINT32_MAX || !hls_read_integer(at + 1, &h) || h > UINT32_MAX) return false;
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

static bool is_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

enum hls_attributes hls_attribute_next(char **at, struct hls_attribute *out)
{
    char *name = *at;
    if (!*name) return HLS_ATTRIBUTES_END;
    char *equals = name;
    while (is_name_char(*equals)) equals++;
    if (*equals != '=' || equals == name) return HLS_ATTRIBUTES_BAD;
    *equals = 0;
    char *value = equals + 1, *stop;
    out->is_quoted = *value == '"';
    if (out->is_quoted) {
        value++;
        stop = strchr(value, '"');
        if (!stop) return HLS_ATTRIBUTES_BAD;
        *stop++ = 0;
        if (*stop && *stop != ',') return HLS_ATTRIBUTES_BAD;
    } else {
        stop = value + strcspn(value, ",");
        if (stop == value) return HLS_ATTRIBUTES_BAD;
    }
    const bool goes_on = *stop == ',';
    if (goes_on) *stop++ = 0;
    if (goes_on && !*stop) return HLS_ATTRIBUTES_BAD; /* a comma with nothing behind it */
    *at = stop;
    out->name = name;
    out->value = value;
    return HLS_ATTRIBUTES_NEXT;
}

/* How many bytes the UTF-8 sequence at `at` has; 0: none that is well formed (RFC 3629). */
static size_t utf8_bytes(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80) return 1;
    const size_t bytes = at[0] >= 0xC2 && at[0] < 0xE0   ? 2
                         : at[0] >= 0xE0 && at[0] < 0xF0 ? 3
                         : at[0] >= 0xF0 && at[0] < 0xF5 ? 4
                                                         : 0;
    if (!bytes || left < bytes) return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F)) return 0;
    if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) return 0;
    return bytes;
}

bool hls_text_is_clean(const char *text, size_t bytes, unsigned *line)
{
    *line = 1;
    for (size_t i = 0; i < bytes;) {
        const unsigned char c = (unsigned char)text[i];
        const size_t step = utf8_bytes((const unsigned char *)text + i, bytes - i);
        if (!step || c == 0x7F || (c < 0x20 && c != '\n' && c != '\r' && c != '\t')) return false;
        if (c == '\n') (*line)++;
        i += step;
    }
    return true;
}
