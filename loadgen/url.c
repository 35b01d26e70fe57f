#include <weir/loadgen/url.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How long "scheme:" is; 0: there is none. */
static size_t scheme_bytes(const char *reference)
{
    if (!isalpha((unsigned char)reference[0])) return 0;
    size_t at = 1;
    while (isalnum((unsigned char)reference[at]) || strchr("+-.", reference[at])) {
        if (!reference[at]) return 0;
        at++;
    }
    return reference[at] == ':' ? at + 1 : 0;
}

bool url_is_absolute(const char *reference)
{
    return scheme_bytes(reference) > 0;
}

/* Grows a text up to a ceiling. */
struct text_room {
    char *out;
    size_t used, bytes;
    bool is_full;
};

static void put(struct text_room *r, const char *text, size_t bytes)
{
    if (r->is_full || bytes >= r->bytes - r->used) {
        r->is_full = true;
        return;
    }
    memcpy(r->out + r->used, text, bytes);
    r->used += bytes;
    r->out[r->used] = 0;
}

/* RFC 3986, 5.2.4, on out[from..]: "." and ".." segments go. Never longer than before, so in place. */
static void remove_dot_segments(char *out, size_t from)
{
    char *write = out + from;
    const char *read = out + from;
    while (*read) {
        const size_t bytes = 1 + strcspn(read + 1, "/"); /* the slash and the segment behind it */
        const bool is_last = !read[bytes];
        if (bytes == 2 && read[1] == '.') {
            if (is_last) *write++ = '/';
        } else if (bytes == 3 && read[1] == '.' && read[2] == '.') {
            while (write > out + from && *--write != '/') continue;
            if (is_last) *write++ = '/';
        } else {
            memmove(write, read, bytes);
            write += bytes;
        }
        read += bytes;
    }
    *write = 0;
}

enum weir_err url_resolve(const char *base, const char *reference, char *out, size_t out_bytes)
{
    struct text_room r = { out, 0, out_bytes, false };
    out[0] = 0;
    const size_t scheme = scheme_bytes(base);
    const bool is_http = !strncasecmp(base, "http://", 7) || !strncasecmp(base, "https://", 8);
    if (!is_http) return WEIR_MALFORMED;
    const size_t authority = scheme + 2 + strcspn(base + scheme + 2, "/?#");
    const size_t path = authority + strcspn(base + authority, "?#"), query = path + strcspn(base + path, "#");
    const size_t reference_bytes = strcspn(reference, "#"), reference_path = strcspn(reference, "?#");
    size_t path_from = authority;
    if (url_is_absolute(reference)) {
        put(&r, reference, reference_bytes);
        return r.is_full ? WEIR_LIMIT : WEIR_OK;
    }
    if (!strncmp(reference, "//", 2)) {
        put(&r, base, scheme);
        put(&r, reference, reference_bytes);
        return r.is_full ? WEIR_LIMIT : WEIR_OK;
    }
    put(&r, base, authority);
    if (!reference_path) { /* only a query, or nothing */
        put(&r, base + authority, path - authority);
        if (reference[0] == '?')
            put(&r, reference, reference_bytes);
        else
            put(&r, base + path, query - path);
        return r.is_full ? WEIR_LIMIT : WEIR_OK;
    }
    if (reference[0] != '/') {
        size_t last = path;
        while (last > authority && base[last - 1] != '/') last--;
        if (last > authority)
            put(&r, base + authority, last - authority);
        else
            put(&r, "/", 1);
    }
    put(&r, reference, reference_path);
    if (r.is_full) return WEIR_LIMIT;
    remove_dot_segments(out, path_from);
    r.used = strlen(out);
    put(&r, reference + reference_path, reference_bytes - reference_path);
    return r.is_full ? WEIR_LIMIT : WEIR_OK;
}

enum weir_err url_add_query(char *url, size_t url_bytes, const char *name, const char *value)
{
    const size_t used = strlen(url);
    const int more = snprintf(url + used, url_bytes - used, "%c%s=%s", strchr(url, '?') ? '&' : '?', name, value);
    if (more >= 0 && used + (size_t)more < url_bytes) return WEIR_OK;
    url[used] = 0;
    return WEIR_LIMIT;
}
