#include <weir/delivery/http_route.h>

#include <string.h>
#include <strings.h>
#include <weir/base/err.h>

#define PLAYLIST_FILE "index.m3u8"
#define PLAYLIST_ALIAS "master.m3u8"
#define PLAYLIST_SUFFIX ".m3u8"
#define THUMBNAIL_FILE "thumb.jpg"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes once. An escaped slash or zero byte would make two readings of one path: refused. */
static bool decode(const char *target, size_t bytes, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        char c = target[i];
        if (c == '%') {
            if (i + 2 >= bytes || hex_digit(target[i + 1]) < 0 || hex_digit(target[i + 2]) < 0) return false;
            c = (char)(hex_digit(target[i + 1]) << 4 | hex_digit(target[i + 2]));
            i += 2;
            if (c == '/') return false;
        }
        if ((unsigned char)c < 0x20 || c == 0x7F || c == '\\') return false;
        out[used++] = c;
    }
    out[used] = 0;
    return true;
}

static bool has_dot_segment(const char *path)
{
    for (const char *at = path; (at = strchr(at, '/'));) {
        at++;
        const size_t bytes = strcspn(at, "/");
        if ((bytes == 1 && at[0] == '.') || (bytes == 2 && at[0] == '.' && at[1] == '.')) return true;
    }
    return false;
}

static bool has_prefix(const char *path, const char *prefix)
{
    return !strncmp(path, prefix, strlen(prefix));
}

static bool has_suffix(const char *text, size_t bytes, const char *suffix)
{
    const size_t suffix_bytes = strlen(suffix);
    return bytes > suffix_bytes && !memcmp(text + bytes - suffix_bytes, suffix, suffix_bytes);
}

static void set_stream(struct http_route *r, size_t bytes)
{
    r->stream = r->path + 1;
    r->stream_bytes = bytes;
}

/* Every stream has an app and a name: "/favicon.ico" is none. */
static void set_page(struct http_route *r, enum http_route_kind kind, size_t bytes)
{
    r->kind = memchr(r->path + 1, '/', bytes) ? kind : ROUTE_NONE;
    set_stream(r, bytes);
}

/* "/a/b/c": the last segment, and what is before it. */
static void route_stream(struct http_route *r)
{
    const size_t bytes = strlen(r->path) - 1;
    if (strstr(r->path, "//")) {
        r->kind = ROUTE_NONE;
        return;
    }
    if (r->path[bytes] == '/') {
        set_page(r, ROUTE_STREAM_PAGE, bytes - 1);
        return;
    }
    const char *last = strrchr(r->path, '/') + 1;
    const size_t last_bytes = strlen(last), before = (size_t)(last - r->path) - 1;
    if (before && (!strcmp(last, PLAYLIST_FILE) || !strcmp(last, PLAYLIST_ALIAS))) {
        r->kind = ROUTE_MULTIVARIANT;
        r->file = last;
        r->file_bytes = last_bytes;
        set_stream(r, before - 1);
    } else if (has_suffix(last, last_bytes, PLAYLIST_SUFFIX)) {
        r->kind = ROUTE_MULTIVARIANT;
        set_stream(r, bytes - strlen(PLAYLIST_SUFFIX));
    } else if (before && !strcmp(last, THUMBNAIL_FILE)) {
        set_page(r, ROUTE_THUMBNAIL, before - 1);
    } else if (has_suffix(last, last_bytes, ".mp4") || has_suffix(last, last_bytes, ".m4s") ||
               has_suffix(last, last_bytes, ".ts")) {
        r->file = last;
        r->file_bytes = last_bytes;
        if (before) set_stream(r, before - 1);
        r->kind = before && http_route_as_rendition(r) ? ROUTE_OBJECT : ROUTE_NONE;
    } else {
        set_page(r, ROUTE_STREAM_BARE, bytes);
    }
}

bool http_route_as_rendition(struct http_route *r)
{
    size_t at = r->stream_bytes;
    while (at > 0 && r->stream[at - 1] != '/') at--;
    if (at < 2 || (!r->file && !memchr(r->stream, '/', at - 1))) return false;
    r->rendition = r->stream + at;
    r->rendition_bytes = r->stream_bytes - at;
    r->stream_bytes = at - 1;
    r->kind = ROUTE_OBJECT;
    return true;
}

/* "http://host/path", which proxies send and servers must take (RFC 9112, 3.2.2). Who is meant does not matter here. */
static void skip_authority(const char **target, size_t *bytes)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        const size_t scheme_bytes = strlen(schemes[i]);
        if (*bytes <= scheme_bytes || strncasecmp(*target, schemes[i], scheme_bytes)) continue;
        const char *path = memchr(*target + scheme_bytes, '/', *bytes - scheme_bytes);
        *bytes = path ? *bytes - (size_t)(path - *target) : 1;
        *target = path ? path : "/";
        return;
    }
}

void http_route_parse(const char *target, size_t bytes, struct http_route *out)
{
    const char *query = memchr(target, '?', bytes);
    if (query) bytes = (size_t)(query - target);
    skip_authority(&target, &bytes);
    out->kind = ROUTE_BAD;
    out->stream = out->rendition = out->file = NULL;
    out->stream_bytes = out->rendition_bytes = out->file_bytes = 0;
    if (!bytes || bytes > HTTP_URL_BYTES_MAX || target[0] != '/' || !decode(target, bytes, out->path)) return;
    if (has_dot_segment(out->path)) return;
    if (!strcmp(out->path, "/")) {
        out->kind = ROUTE_INDEX;
    } else if (has_prefix(out->path, "/assets/")) {
        out->kind = ROUTE_ASSET;
        out->file = out->path + strlen("/assets/");
        out->file_bytes = strlen(out->file);
    } else if (has_prefix(out->path, "/api/") || !strcmp(out->path, "/metrics") || !strcmp(out->path, "/healthz") ||
               !strcmp(out->path, "/readyz")) {
        out->kind = ROUTE_HANDLER;
    } else {
        route_stream(out);
    }
}
