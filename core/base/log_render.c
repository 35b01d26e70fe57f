/* How a log line looks. Pure: the time comes in as text. */
#include <weir/base/log.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = { "?", "error", "warn", "info", "debug" };
static const char *const room_names[] = { "?",         "base",     "media",    "stream",  "ingest",
                                          "transcode", "packager", "delivery", "archive", "server" };

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < ARRAY_LEN(level_names) ? level_names[level] : "?";
}

const char *log_room_name(enum log_room room)
{
    return (unsigned)room < ARRAY_LEN(room_names) ? room_names[room] : "?";
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != 0x7F && c != '"' && c != '\\';
}

struct log_quoted log_quote(const char *text, size_t bytes)
{
    struct log_quoted out;
    size_t at = 0;
    out.text[at++] = '"';
    for (size_t i = 0; i < bytes; i++) {
        if (at > LOG_QUOTE_BYTES - 10) {
            memcpy(out.text + at, "...", 3);
            at += 3;
            break;
        }
        const unsigned char c = (unsigned char)text[i];
        if (is_plain(c) && c < 0x80)
            out.text[at++] = (char)c;
        else
            at += (size_t)snprintf(out.text + at, 7, "\\u%04x", c); /* JSON's form, so both formats can carry it */
    }
    out.text[at++] = '"';
    out.text[at] = 0;
    return out;
}

struct log_quoted log_quote_text(const char *text)
{
    return log_quote(text, strlen(text));
}

struct line {
    char *out;
    size_t bytes, room;
};

static void put(struct line *l, const char *text, size_t bytes)
{
    if (bytes > l->room - l->bytes) bytes = l->room - l->bytes;
    memcpy(l->out + l->bytes, text, bytes);
    l->bytes += bytes;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* A JSON string's inside; what log_quote escaped already is left alone. Non-ASCII bytes are UTF-8 of our own making. */
static void put_json(struct line *l, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (is_plain(c)) {
            put(l, text + i, 1);
            continue;
        }
        char escaped[8];
        put(l, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
    }
}

/* Splits `key=value key="va lue"` into JSON members. */
static void put_json_pairs(struct line *l, const char *at)
{
    while (*at) {
        while (*at == ' ') at++;
        const size_t key = strcspn(at, "= ");
        if (at[key] != '=') break;
        put_text(l, ",\"");
        put_json(l, at, key);
        put_text(l, "\":\"");
        at += key + 1;
        if (*at == '"') {
            const size_t quoted = strcspn(at + 1, "\"");
            put(l, at + 1, quoted); /* log_quote's own escapes are JSON's */
            at += 1 + quoted + (at[1 + quoted] == '"');
        } else {
            const size_t plain = strcspn(at, " ");
            put_json(l, at, plain);
            at += plain;
        }
        put_text(l, "\"");
    }
}

static void put_json_member(struct line *l, const char *prefix, const char *value)
{
    put_text(l, prefix);
    put_json(l, value, strlen(value));
    put_text(l, "\"");
}

size_t log_render(enum log_format format, const char *time_text, enum log_level level, enum log_room room,
                  const char *stream, const char *event, const char *pairs, char *out, size_t out_bytes)
{
    struct line l = { .out = out, .room = out_bytes - 3 }; /* the closing brace and newline always fit */
    if (!stream || !*stream) stream = "-";
    if (format == LOG_JSON) {
        put_json_member(&l, "{\"time\":\"", time_text);
        put_json_member(&l, ",\"level\":\"", log_level_name(level));
        put_json_member(&l, ",\"room\":\"", log_room_name(room));
        put_json_member(&l, ",\"stream\":\"", stream);
        put_json_member(&l, ",\"event\":\"", event);
        put_json_pairs(&l, pairs);
        l.room = out_bytes - 1;
        put_text(&l, "}\n");
    } else {
        put_text(&l, time_text);
        put_text(&l, " ");
        put_text(&l, log_level_name(level));
        put_text(&l, " ");
        put_text(&l, log_room_name(room));
        put_text(&l, " ");
        /* a name may hold spaces or more: then it is quoted, so that a line stays one line of fields */
        const bool is_odd = strpbrk(stream, " \t\"\\=") != NULL || strspn(stream, "\x01\x02\x1b\r\n") != 0;
        if (is_odd)
            put_text(&l, log_quote_text(stream).text);
        else
            put_text(&l, stream);
        put_text(&l, " ");
        put_text(&l, event);
        if (*pairs) put_text(&l, " ");
        put_text(&l, pairs);
        l.room = out_bytes - 1;
        put_text(&l, "\n");
    }
    out[l.bytes] = 0;
    return l.bytes;
}
