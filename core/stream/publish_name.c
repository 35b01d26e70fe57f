/* What encoders put into "server" and "key" becomes one canonical stream name and a key. */
#include <weir/stream/publish_gate.h>

#include <stdio.h>
#include <string.h>
#include <weir/base/utf8.h>

#define DEFAULT_APP "live"

const char *publish_verdict_name(enum publish_verdict v)
{
    switch (v) {
    case PUBLISH_ALLOWED: return "allowed";
    case PUBLISH_BAD_NAME: return "bad_name";
    case PUBLISH_BAD_KEY: return "bad_key";
    case PUBLISH_NOT_ALLOWED: return "not_allowed";
    case PUBLISH_BUSY: return "busy";
    case PUBLISH_LIMIT: return "limit";
    case PUBLISH_FAILED: return "failed";
    }
    return "unknown";
}

const char *publish_verdict_text(enum publish_verdict v)
{
    switch (v) {
    case PUBLISH_ALLOWED: return "Publishing.";
    case PUBLISH_BAD_NAME:
        return "The stream name is not usable. Use letters, digits, dashes and slashes, for example live/studio.";
    case PUBLISH_BAD_KEY:
        return "The key is missing or wrong. Append ?key=KEY to the stream key; KEY stands in the server's file "
               "publish.key, or in its configuration.";
    case PUBLISH_NOT_ALLOWED: return "Publishing under this name is not allowed by the server's configuration.";
    case PUBLISH_BUSY:
        return "Someone is already publishing under this name. Stop the other encoder or choose another name.";
    case PUBLISH_LIMIT: return "The server carries as many streams as it is allowed to. Try again later.";
    case PUBLISH_FAILED: return "The server could not start the stream. Try again; its log says why.";
    }
    return "Refused.";
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Percent escapes, once. `out` has room for bytes + 1. An escape that is none stays as it is. */
static size_t decode(const char *text, size_t bytes, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '%' && i + 2 < bytes && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            out[used++] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
        } else {
            out[used++] = text[i];
        }
    }
    out[used] = 0;
    return used;
}

/* Value of `field` in a query, decoded; false: absent or too long. */
static bool query_value(const char *query, const char *field, char *out, size_t out_bytes)
{
    const size_t field_bytes = strlen(field);
    while (*query) {
        const size_t pair = strcspn(query, "&");
        if (pair > field_bytes && !memcmp(query, field, field_bytes) && query[field_bytes] == '=') {
            const size_t value = pair - field_bytes - 1;
            if (value >= out_bytes) return false;
            decode(query + field_bytes + 1, value, out);
            return true;
        }
        query += pair + (query[pair] == '&');
    }
    return false;
}

static void take_key(struct publish_request *request, const char *query)
{
    if (request->key[0] || !query) return;
    if (!query_value(query, "key", request->key, sizeof request->key) &&
        !query_value(query, "token", request->key, sizeof request->key))
        request->key[0] = 0;
}

/* Appends the path segments of `half` (before its query) to the name. */
static const char *append_half(char *name, size_t *bytes, size_t *segments, const char *half)
{
    const size_t path = strcspn(half, "?");
    size_t at = 0;
    while (at < path) {
        const size_t segment = strcspn(half + at, "/?");
        const size_t run = segment < path - at ? segment : path - at;
        if (run) {
            char decoded[STREAM_NAME_BYTES_MAX + 1];
            if (run > STREAM_NAME_BYTES_MAX * 3u) return "the name is too long";
            char whole[STREAM_NAME_BYTES_MAX * 3 + 1];
            const size_t used = decode(half + at, run, whole);
            if (used > STREAM_NAME_BYTES_MAX || *bytes + used + 1 > STREAM_NAME_BYTES_MAX)
                return "the name is too long";
            memcpy(decoded, whole, used + 1);
            if (strlen(decoded) != used) return "the name holds a zero byte";
            if (!strcmp(decoded, ".") || !strcmp(decoded, "..")) return "the name holds . or .. as a part";
            if (strchr(decoded, '/')) return "the name holds an escaped slash";
            if (++*segments > STREAM_NAME_SEGMENTS_MAX) return "the name has too many parts";
            if (*bytes) name[(*bytes)++] = '/';
            memcpy(name + *bytes, decoded, used + 1);
            *bytes += used;
        }
        at += run + 1;
    }
    return NULL;
}

static const char *check_bytes(const char *name, size_t bytes)
{
    if (utf8_prefix_bytes(name, bytes) != bytes) return "the name is not UTF-8";
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7F) return "the name holds a control character";
        if (c == '\\') return "the name holds a backslash";
        /* C1 controls are two bytes in UTF-8 */
        if (c == 0xC2 && i + 1 < bytes && (unsigned char)name[i + 1] < 0xA0)
            return "the name holds a control character";
    }
    return NULL;
}

/* These would shadow the server's own pages: /api, /assets, /metrics, ... */
static const char *check_reserved(const char *name)
{
    static const char *const reserved[] = { "api", "assets", "metrics", "healthz", "readyz" };
    const size_t first = strcspn(name, "/");
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strlen(reserved[i]) == first && !memcmp(reserved[i], name, first))
            return "the name begins with a reserved word";
    }
    return NULL;
}

enum publish_verdict publish_name_make(struct publish_request *request, const char *app, const char *name,
                                       const char **why)
{
    char made[STREAM_NAME_BYTES_MAX * 2 + 2] = "";
    size_t bytes = 0, segments = 0;
    const char *wrong = append_half(made, &bytes, &segments, app);
    if (!wrong) wrong = append_half(made, &bytes, &segments, name);
    if (!wrong && !segments) wrong = "the name is empty";
    if (!wrong && segments == 1) {
        /* "rtmp://host/cam" with an empty key: the default app is meant */
        const size_t prefix = strlen(DEFAULT_APP "/");
        if (bytes + prefix > STREAM_NAME_BYTES_MAX) wrong = "the name is too long";
        if (!strcmp(made, DEFAULT_APP)) wrong = "the name is empty: put a name into the stream key";
        memmove(made + prefix, made, bytes + 1);
        memcpy(made, DEFAULT_APP "/", prefix);
        bytes += prefix;
    }
    if (!wrong) wrong = check_bytes(made, bytes);
    if (!wrong) wrong = check_reserved(made);
    if (wrong) {
        if (why) *why = wrong;
        return PUBLISH_BAD_NAME;
    }
    memcpy(request->name, made, bytes + 1);
    request->key[0] = 0;
    const char *name_query = strchr(name, '?'), *app_query = strchr(app, '?');
    take_key(request, name_query ? name_query + 1 : NULL);
    take_key(request, app_query ? app_query + 1 : NULL);
    return PUBLISH_ALLOWED;
}
