#include <weir/ingest/srt_streamid.h>

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_BYTES (SRT_STREAMID_BYTES_MAX + 1)
#define ESCAPED_BYTES (SRT_STREAMID_BYTES_MAX * 3 + 1)

static const char no_name[] =
    "the stream id names no stream: put r=live/NAME into it, or give the port one (srt.ports)";
static const char no_reading[] =
    "the stream id asks to read: weir takes streams over SRT and gives them as HLS; to publish, say m=publish";
static const char twice[] = "the stream id says the same key twice";

/* What an id said, each a text of its own; NULL: not said. */
struct said {
    char *path, *host, *mode, *type;
    char *key;     /* key=, token=, secret=, password= */
    char *session; /* s=: where no other key is given, many put their password here */
    bool is_decoded;
};

enum srt_reject srt_reject_for(enum publish_verdict verdict)
{
    switch (verdict) {
    case PUBLISH_ALLOWED: return SRT_ACCEPT;
    case PUBLISH_BAD_NAME: return SRT_REJECT_BAD_REQUEST;
    case PUBLISH_BAD_KEY: return SRT_REJECT_UNAUTHORIZED;
    case PUBLISH_NOT_ALLOWED: return SRT_REJECT_FORBIDDEN;
    case PUBLISH_BUSY: return SRT_REJECT_CONFLICT;
    case PUBLISH_LIMIT: return SRT_REJECT_OVERLOAD;
    case PUBLISH_FAILED: break;
    }
    return SRT_REJECT_INTERNAL;
}

const char *srt_reject_name(enum srt_reject code)
{
    switch (code) {
    case SRT_ACCEPT: return "accept";
    case SRT_REJECT_BAD_REQUEST: return "bad_request";
    case SRT_REJECT_UNAUTHORIZED: return "unauthorized";
    case SRT_REJECT_OVERLOAD: return "overload";
    case SRT_REJECT_FORBIDDEN: return "forbidden";
    case SRT_REJECT_NOT_FOUND: return "not_found";
    case SRT_REJECT_BAD_MODE: return "bad_mode";
    case SRT_REJECT_CONFLICT: return "conflict";
    case SRT_REJECT_MEDIA_TYPE: return "media_type";
    case SRT_REJECT_INTERNAL: return "internal";
    case SRT_REJECT_UNIMPLEMENTED: return "unimplemented";
    case SRT_REJECT_DOWN: return "down";
    case SRT_REJECT_VERSION: return "version";
    }
    return "unknown";
}

static enum srt_reject refuse(enum srt_reject code, const char *text, const char **why)
{
    *why = text;
    return code;
}

static bool begins(const char *text, const char *prefix)
{
    return !strncasecmp(text, prefix, strlen(prefix));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* In place. false: an escaped 0, which no text may hold. */
static bool decode(char *text)
{
    char *out = text;
    for (const char *at = text; *at; at++) {
        const int high = *at == '%' ? hex_digit(at[1]) : -1, low = high >= 0 ? hex_digit(at[2]) : -1;
        const char c = low >= 0 ? (char)(high << 4 | low) : *at;
        if (!c) return false;
        if (low >= 0) at += 2;
        *out++ = c;
    }
    *out = 0;
    return true;
}

/* publish_name_make decodes the name: what was decoded already goes to it with its percent signs escaped again. */
static void escape_percent(const char *text, char out[ESCAPED_BYTES])
{
    for (; *text; text++) {
        *out++ = *text;
        if (*text != '%') continue;
        *out++ = '2';
        *out++ = '5';
    }
    *out = 0;
}

static bool set_once(char **slot, char *value)
{
    if (*slot) return false;
    *slot = value;
    return true;
}

static bool is_key_word(const char *word)
{
    static const char *const words[] = { "key", "token", "secret", "password", "pass" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(word, words[i])) return true;
    }
    return false;
}

/* -- #!::k=v,k=v -- */

static enum srt_reject take_pair(struct said *said, char *pair, const char **why)
{
    char *value = strchr(pair, '=');
    if (!value || value == pair)
        return refuse(SRT_REJECT_BAD_REQUEST, "the stream id's #!:: form wants key=value pairs, separated by commas",
                      why);
    *value++ = 0; /* a later = stays in the value */
    bool is_first = true;
    if (pair[1] == 0) {
        switch (pair[0]) {
        case 'r': is_first = set_once(&said->path, value); break;
        case 'h': is_first = set_once(&said->host, value); break;
        case 's': is_first = set_once(&said->session, value); break;
        case 't': is_first = set_once(&said->type, value); break;
        case 'm': is_first = set_once(&said->mode, value); break;
        default: break; /* u, and letters reserved for later */
        }
    } else if (is_key_word(pair)) {
        is_first = set_once(&said->key, value);
    }
    return is_first ? SRT_ACCEPT : refuse(SRT_REJECT_BAD_REQUEST, twice, why);
}

static enum srt_reject read_pairs(struct said *said, char *text, const char **why)
{
    for (char *rest = text, *pair; (pair = strsep(&rest, ","));) {
        const enum srt_reject code = *pair ? take_pair(said, pair, why) : SRT_ACCEPT;
        if (code) return code;
    }
    if (said->path || !said->host) return SRT_ACCEPT;
    /* SRS: host and path in one, h=example.org/live/cam, or the path alone */
    char *slash = strchr(said->host, '/');
    if (!slash) return SRT_ACCEPT;
    const bool has_host = memchr(said->host, '.', (size_t)(slash - said->host)) ||
                          memchr(said->host, ':', (size_t)(slash - said->host)) || begins(said->host, "localhost/");
    said->path = has_host ? slash + 1 : said->host;
    return SRT_ACCEPT;
}

/* -- publish:path:user:pass:query -- */

static char publish_word[] = "publish", request_word[] = "request";

static bool is_action(const char *text)
{
    static const char *const actions[] = { "publish:", "read:", "request:", "play:" };
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (begins(text, actions[i])) return true;
    }
    return false;
}

/* `query` receives "path?query" where the id has one: the name's reader knows queries. */
static enum srt_reject read_action(struct said *said, char *text, char query[TEXT_BYTES], const char **why)
{
    char *rest = text;
    const char *action = strsep(&rest, ":");
    said->mode = !strcasecmp(action, "publish") ? publish_word : request_word;
    said->path = strsep(&rest, ":");
    const char *user = strsep(&rest, ":");
    char *password = strsep(&rest, ":");
    if (user && !password)
        return refuse(SRT_REJECT_BAD_REQUEST,
                      "the stream id names a user without a password; expected publish:live/NAME:USER:KEY", why);
    if (password && *password) said->key = password;
    if (rest && *rest) {
        snprintf(query, TEXT_BYTES, "%s?%s", said->path, rest);
        said->path = query;
    }
    return SRT_ACCEPT;
}

/* -- name,mode:publish,token:KEY -- */

static bool is_datarhei(const char *text)
{
    const char *comma = strchr(text, ',');
    return comma && (begins(comma + 1, "mode:") || begins(comma + 1, "token:"));
}

static enum srt_reject read_datarhei(struct said *said, char *text, const char **why)
{
    char *rest = text;
    said->path = strsep(&rest, ",");
    for (char *part; (part = strsep(&rest, ","));) {
        char *value = strchr(part, ':');
        if (!value)
            return refuse(SRT_REJECT_BAD_REQUEST,
                          "the stream id is not understood; expected NAME,mode:publish,token:KEY", why);
        *value++ = 0;
        bool is_first = true;
        if (!strcasecmp(part, "mode")) is_first = set_once(&said->mode, value);
        if (!strcasecmp(part, "token")) is_first = set_once(&said->key, value);
        if (!is_first) return refuse(SRT_REJECT_BAD_REQUEST, twice, why);
    }
    return SRT_ACCEPT;
}

/* -- all together -- */

static enum srt_reject read_dialect(struct said *said, char *text, char query[TEXT_BYTES], const char **why)
{
    if (begins(text, "#!:{") || begins(text, "#!{"))
        return refuse(SRT_REJECT_BAD_REQUEST,
                      "the nested form #!:{...} of the stream id is not understood; write #!::r=live/NAME,m=publish",
                      why);
    if (begins(text, "#!::")) return read_pairs(said, text + 4, why);
    if (begins(text, "#!:")) return read_pairs(said, text + 3, why);
    if (begins(text, "#!"))
        return refuse(SRT_REJECT_BAD_REQUEST,
                      "the stream id begins like the standard's form and is none; write #!::r=live/NAME,m=publish",
                      why);
    if (is_action(text)) return read_action(said, text, query, why);
    if (is_datarhei(text)) return read_datarhei(said, text, why);
    said->mode = publish_word;
    if (!begins(text, "srt://")) {
        said->path = text;
        return SRT_ACCEPT;
    }
    char *path = strchr(text + strlen("srt://"), '/');
    if (!path) return refuse(SRT_REJECT_BAD_REQUEST, no_name, why);
    said->path = path + 1;
    return SRT_ACCEPT;
}

static enum srt_reject check_mode(const struct said *said, enum srt_mode default_mode, const char **why)
{
    if (said->type && strcasecmp(said->type, "stream") && strcasecmp(said->type, "live"))
        return strcasecmp(said->type, "file")
                   ? refuse(SRT_REJECT_UNIMPLEMENTED, "the stream id's t= is neither stream nor file", why)
                   : refuse(SRT_REJECT_MEDIA_TYPE, "the stream id offers a file (t=file): weir takes live streams",
                            why);
    if (!said->mode)
        return default_mode == SRT_MODE_PUBLISH
                   ? SRT_ACCEPT
                   : refuse(SRT_REJECT_BAD_MODE,
                            "the stream id does not say m=publish; add it, or set srt.default_mode to publish", why);
    if (!strcasecmp(said->mode, "publish")) return SRT_ACCEPT;
    if (!strcasecmp(said->mode, "request")) return refuse(SRT_REJECT_BAD_MODE, no_reading, why);
    if (!strcasecmp(said->mode, "bidirectional"))
        return refuse(SRT_REJECT_BAD_MODE, "the stream id asks for both ways; to publish, say m=publish", why);
    return refuse(SRT_REJECT_BAD_MODE, "the stream id's mode is not known; to publish, say m=publish", why);
}

static enum srt_reject make_request(const struct said *said, struct publish_request *request, const char **why)
{
    char escaped[ESCAPED_BYTES];
    const char *path = said->path, *key = said->key ? said->key : said->session;
    if (said->is_decoded) {
        escape_percent(path, escaped);
        path = escaped;
    }
    struct publish_request made = { .name = "" };
    if (publish_name_make(&made, "", path, why) != PUBLISH_ALLOWED) return SRT_REJECT_BAD_REQUEST;
    if (key && strlen(key) > RTMP_NAME_BYTES_MAX)
        return refuse(SRT_REJECT_UNAUTHORIZED, "the key in the stream id is longer than any key is", why);
    if (said->key || (key && !made.key[0])) memcpy(made.key, key, strlen(key) + 1);
    memcpy(request->name, made.name, sizeof request->name);
    memcpy(request->key, made.key, sizeof request->key);
    explicit_bzero(made.key, sizeof made.key);
    return SRT_ACCEPT;
}

enum srt_reject srt_streamid_parse(const char *id, const struct srt_streamid_rules *rules,
                                   struct publish_request *request, const char **why)
{
    assert(id && rules && rules->stream && request && why);
    char text[TEXT_BYTES], query[TEXT_BYTES];
    struct said said = { .path = NULL };
    const size_t bytes = strnlen(id, TEXT_BYTES);
    if (bytes > SRT_STREAMID_BYTES_MAX)
        return refuse(SRT_REJECT_BAD_REQUEST, "the stream id is longer than 512 bytes", why);
    memcpy(text, id, bytes + 1);
    enum srt_reject code = SRT_ACCEPT;
    if (begins(text, "%23!") || begins(text, "srt%3A")) {
        said.is_decoded = true;
        if (!decode(text)) code = refuse(SRT_REJECT_BAD_REQUEST, "the stream id holds a zero byte", why);
    }
    if (!code && text[0]) code = read_dialect(&said, text, query, why);
    if (!code && text[0]) code = check_mode(&said, rules->default_mode, why);
    char own[STREAM_NAME_BYTES_MAX + 1];
    if (!code && (!said.path || !said.path[0])) {
        said.is_decoded = true; /* a name from the configuration is a name, not a part of a URL */
        snprintf(own, sizeof own, "%s", rules->stream);
        said.path = own;
        if (!own[0]) code = refuse(SRT_REJECT_BAD_REQUEST, no_name, why);
    }
    if (!code) code = make_request(&said, request, why);
    explicit_bzero(text, sizeof text);
    explicit_bzero(query, sizeof query);
    return code;
}
