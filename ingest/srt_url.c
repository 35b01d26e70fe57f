#include <weir/ingest/srt_url.h>

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LATENCY_MS_MAX 60000 /* more is a mistake of unit: ffmpeg's URLs have microseconds */
#define CONNECT_MS_MAX 60000

static const char shape[] = "expected srt://HOST:PORT?streamid=...&passphrase=...&latency=500ms";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* false: too long, or a zero byte in it. */
static bool decode(const char *text, char *out, size_t out_bytes)
{
    size_t used = 0;
    for (; *text; text++) {
        const int high = *text == '%' ? hex_digit(text[1]) : -1, low = high >= 0 ? hex_digit(text[2]) : -1;
        const char c = low >= 0 ? (char)(high << 4 | low) : *text;
        if (!c || used + 1 >= out_bytes) return false;
        if (low >= 0) text += 2;
        out[used++] = c;
    }
    out[used] = 0;
    return true;
}

static bool parse_number(const char *text, long long max, long long *value, const char **rest)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    *value = strtoll(text, &end, 10);
    *rest = end;
    return *value <= max;
}

/* "500", "500ms", "2s". */
static bool parse_time(const char *text, long long ms_max, int64_t *us)
{
    long long value;
    const char *unit;
    if (!parse_number(text, ms_max, &value, &unit)) return false;
    if (!strcmp(unit, "s"))
        value = value <= ms_max / 1000 ? value * 1000 : ms_max + 1;
    else if (*unit && strcmp(unit, "ms") != 0)
        return false;
    *us = value * 1000;
    return value <= ms_max;
}

static const char *take_pair(struct srt_url *url, const char *key, const char *value)
{
    char text[SRT_STREAMID_BYTES_MAX + 1];
    long long number;
    const char *rest;
    if (!decode(value, text, sizeof text)) return "a value of the SRT URL is too long, or holds a zero byte";
    if (!strcmp(key, "streamid")) {
        memcpy(url->streamid, text, strlen(text) + 1);
    } else if (!strcmp(key, "passphrase")) {
        const size_t bytes = strlen(text);
        if (bytes < SRT_PASSPHRASE_BYTES_MIN || bytes > SRT_PASSPHRASE_BYTES_MAX)
            return "the passphrase of an SRT URL has 10 to 79 characters";
        memcpy(url->options.passphrase, text, bytes + 1);
    } else if (!strcmp(key, "pbkeylen")) {
        if (!parse_number(text, 32, &number, &rest) || *rest ||
            (number != 0 && number != 16 && number != 24 && number != 32))
            return "the pbkeylen of an SRT URL is 16, 24 or 32";
        url->options.key_bytes = number;
    } else if (!strcmp(key, "latency") || !strcmp(key, "rcvlatency")) {
        if (!parse_time(text, LATENCY_MS_MAX, &url->options.latency_us))
            return "the latency of an SRT URL is a time up to 60s, such as 500ms; a plain number is milliseconds "
                   "(ffmpeg's are "
                   "microseconds)";
    } else if (!strcmp(key, "connect_timeout") || !strcmp(key, "conntimeo")) {
        if (!parse_time(text, CONNECT_MS_MAX, &url->connect_us) || !url->connect_us)
            return "the connect_timeout of an SRT URL is a time up to 60s, such as 3s";
    } else if (!strcmp(key, "packetfilter")) {
        if (strlen(text) > SRT_FILTER_BYTES_MAX) return "the packetfilter of an SRT URL is too long";
        memcpy(url->options.filter, text, strlen(text) + 1);
    } else if (!strcmp(key, "mode")) {
        if (strcmp(text, "caller") != 0) return "weir pulls as the caller: the mode of an SRT URL is caller";
    } else if (!strcmp(key, "transtype")) {
        if (strcmp(text, "live") != 0) return "weir pulls live streams: the transtype of an SRT URL is live";
    } else {
        return "an SRT URL takes streamid, passphrase, pbkeylen, latency, connect_timeout, packetfilter, mode=caller "
               "and transtype=live";
    }
    explicit_bzero(text, sizeof text);
    return NULL;
}

static const char *take_query(struct srt_url *url, char *query)
{
    for (char *rest = query, *pair; (pair = strsep(&rest, "&"));) {
        if (!*pair) continue;
        char *value = strchr(pair, '=');
        if (!value) return "what stands behind the ? of an SRT URL is key=value pairs with & between them";
        *value++ = 0;
        const char *wrong = take_pair(url, pair, value);
        if (wrong) return wrong;
    }
    return NULL;
}

static bool is_host(const char *host)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:";
    return *host && strlen(host) <= SRT_HOST_BYTES_MAX && strspn(host, plain) == strlen(host);
}

/* "host:port", "[v6]:port" */
static const char *take_authority(struct srt_url *url, char *authority)
{
    char *port = strrchr(authority, ':'), *host = authority;
    if (!port || strchr(authority, '@')) return shape;
    *port++ = 0;
    const size_t bytes = strlen(host);
    const bool is_bracketed = bytes > 2 && host[0] == '[' && host[bytes - 1] == ']';
    if (is_bracketed) {
        host[bytes - 1] = 0;
        host++;
    }
    if (!is_host(host) || (strchr(host, ':') && !is_bracketed)) return shape;
    long long number;
    const char *rest;
    if (!parse_number(port, 65535, &number, &rest) || *rest || !number) return shape;
    memcpy(url->host, host, strlen(host) + 1);
    url->port = (uint16_t)number;
    return NULL;
}

enum weir_err srt_url_parse(const char *text, struct srt_url *url, const char **why)
{
    assert(text && url && why);
    char copy[SRT_URL_BYTES_MAX + 1];
    struct srt_url made = { .connect_us = SRT_UNSAID };
    srt_options_init(&made.options);
    const size_t bytes = strnlen(text, sizeof copy);
    *why = shape;
    if (bytes >= sizeof copy || strncasecmp(text, "srt://", 6) != 0) return WEIR_CONFIG;
    memcpy(copy, text + 6, bytes - 6 + 1);
    char *query = strchr(copy, '?');
    if (query) *query++ = 0;
    const size_t authority = strlen(copy);
    if (authority && copy[authority - 1] == '/') copy[authority - 1] = 0;
    const char *wrong = take_authority(&made, copy);
    if (!wrong && query) wrong = take_query(&made, query);
    if (wrong)
        *why = wrong;
    else
        *url = made;
    explicit_bzero(copy, sizeof copy);
    explicit_bzero(&made, sizeof made);
    return wrong ? WEIR_CONFIG : WEIR_OK;
}
