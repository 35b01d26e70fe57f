#include <weir/delivery/hls_start.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>

#define SECOND_US 1000000LL
#define OFFSET_S_MAX (100LL * 24 * 3600)
#define EPOCH_S_MIN 1000000000LL /* 2001: no playlist is that long, so it is a time */
#define EPOCH_S_MAX 100000000000LL
#define VALUE_BYTES_MAX 40
#define HEAD "#EXTM3U\n"
#define START_HELP                                                                                                     \
    "start: expected seconds (-90: before the end, 90: behind the beginning) or a time such as 2026-01-02T03:04:05Z."

/* -- the query -- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool decode(struct http_text value, char out[VALUE_BYTES_MAX + 1])
{
    size_t used = 0;
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];
        if (c == '%') {
            const int high = i + 2 < value.bytes ? hex_digit(value.data[i + 1]) : -1;
            const int low = i + 2 < value.bytes ? hex_digit(value.data[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (used == VALUE_BYTES_MAX || c <= ' ' || c > '~') return false;
        out[used++] = c;
    }
    out[used] = 0;
    return used > 0;
}

/* "90", "12.5", up to microseconds. NULL: no number; otherwise what follows it. */
static const char *read_seconds(const char *at, int64_t *us)
{
    int64_t whole = 0, fraction = 0, scale = SECOND_US;
    if (*at < '0' || *at > '9') return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (whole > EPOCH_S_MAX) return NULL;
        whole = whole * 10 + (*at - '0');
    }
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++) {
            scale /= 10;
            fraction += (*at - '0') * scale;
        }
    }
    *us = whole * SECOND_US + fraction;
    return at;
}

static bool read_digits(const char **at, int count, int *out)
{
    *out = 0;
    for (; count > 0; count--, ++*at) {
        if (**at < '0' || **at > '9') return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool read_mark(const char **at, char mark)
{
    return *(*at)++ == mark;
}

/* "2026-01-02T03:04:05.678Z", in UTC; the fraction may be missing. */
static bool read_time(const char *at, int64_t *us)
{
    struct tm t = { .tm_isdst = 0 };
    int64_t second_us;
    if (!read_digits(&at, 4, &t.tm_year) || !read_mark(&at, '-') || !read_digits(&at, 2, &t.tm_mon) ||
        !read_mark(&at, '-') || !read_digits(&at, 2, &t.tm_mday) || !read_mark(&at, 'T') ||
        !read_digits(&at, 2, &t.tm_hour) || !read_mark(&at, ':') || !read_digits(&at, 2, &t.tm_min) ||
        !read_mark(&at, ':') || !(at = read_seconds(at, &second_us)) || strcmp(at, "Z") != 0)
        return false;
    if (t.tm_year < 1970 || t.tm_mon < 1 || t.tm_mon > 12 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 ||
        t.tm_min > 59 || second_us >= 61 * SECOND_US)
        return false;
    t.tm_year -= 1900;
    t.tm_mon--;
    *us = (int64_t)timegm(&t) * SECOND_US + second_us;
    return true;
}

const char *hls_start_parse_value(struct http_text value, struct hls_start *out)
{
    char text[VALUE_BYTES_MAX + 1] = "";
    int64_t us;
    if (!decode(value, text)) return START_HELP;
    const bool is_negative = text[0] == '-';
    const char *end = read_seconds(text + is_negative, &us);
    if (end && !*end && !is_negative && us >= EPOCH_S_MIN * SECOND_US) {
        *out = (struct hls_start){ HLS_START_TIME, us, value };
    } else if (end && !*end && us <= OFFSET_S_MAX * SECOND_US) {
        *out = (struct hls_start){ HLS_START_OFFSET, is_negative ? -us : us, value };
    } else {
        if (!read_time(text, &us)) return START_HELP;
        *out = (struct hls_start){ HLS_START_TIME, us, value };
    }
    return NULL;
}

const char *hls_start_parse(struct http_text query, struct hls_start *out)
{
    static const char name[] = "start=";
    *out = (struct hls_start){ .kind = HLS_START_NONE };
    while (query.bytes) {
        const char *end = memchr(query.data, '&', query.bytes);
        const size_t bytes = end ? (size_t)(end - query.data) : query.bytes;
        if (bytes >= sizeof name - 1 && !memcmp(query.data, name, sizeof name - 1))
            return hls_start_parse_value((struct http_text){ query.data + sizeof name - 1, bytes - (sizeof name - 1) },
                                         out);
        query.data += bytes + (end != NULL);
        query.bytes -= bytes + (end != NULL);
    }
    return NULL;
}

/* -- a time in a list -- */

struct list_clock {
    int64_t wall_us, end_wall_us;  /* of the segment at hand: its PROGRAM-DATE-TIME; of the one before: its end */
    int64_t position_us, found_us; /* from the list's beginning */
    bool has_wall, is_found;
};

static void read_list_line(struct list_clock *c, int64_t sought_us, const char *line)
{
    static const char date[] = "#EXT-X-PROGRAM-DATE-TIME:", duration[] = "#EXTINF:";
    int64_t us;
    if (!strncmp(line, date, sizeof date - 1)) {
        c->has_wall = read_time(line + sizeof date - 1, &c->wall_us);
    } else if (!strncmp(line, duration, sizeof duration - 1) && read_seconds(line + sizeof duration - 1, &us)) {
        if (!c->has_wall) c->wall_us = c->end_wall_us;
        /* between two segments: where the later one begins */
        if (!c->is_found && sought_us < c->wall_us + us) {
            c->is_found = true;
            c->found_us = c->position_us + (sought_us > c->wall_us ? sought_us - c->wall_us : 0);
        }
        c->position_us += us;
        c->end_wall_us = c->wall_us + us;
        c->has_wall = false;
    }
}

/* How far behind the list's beginning a time is; its end, where it lies behind that. */
static int64_t find_time(const struct frozen *text, int64_t sought_us)
{
    struct list_clock clock = { .has_wall = false };
    char line[128] = "";
    size_t used = 0;
    const struct piece *pieces = frozen_pieces(text);
    for (size_t i = 0; i < frozen_piece_count(text) && !clock.is_found; i++) {
        for (size_t k = 0; k < pieces[i].bytes; k++) {
            const char c = (char)pieces[i].data[k];
            if (c != '\n' && used < sizeof line - 1) line[used++] = c;
            if (c != '\n') continue;
            line[used] = 0;
            used = 0;
            if (line[0] == '#') read_list_line(&clock, sought_us, line);
        }
    }
    return clock.is_found ? clock.found_us : clock.position_us;
}

/* -- texts -- */

/* `tag` goes in behind the first line. */
static struct frozen *insert(struct frozen *text, const struct byte_writer *tag)
{
    const size_t count = frozen_piece_count(text), head_bytes = strlen(HEAD);
    const struct piece *old = frozen_pieces(text);
    struct piece *pieces = malloc((count + 2) * sizeof *pieces);
    struct blob *blob = tag->failed ? NULL : blob_copy(tag->data, tag->bytes);
    struct frozen *marked = NULL;
    if (pieces && blob && count && old[0].bytes >= head_bytes) {
        pieces[0] = (struct piece){ old[0].blob, old[0].data, head_bytes };
        pieces[1] = (struct piece){ blob, blob_data(blob), blob_bytes(blob) };
        pieces[2] = (struct piece){ old[0].blob, old[0].data + head_bytes, old[0].bytes - head_bytes };
        for (size_t i = 1; i < count; i++) pieces[i + 2] = old[i];
        marked = frozen_create(pieces, count + 2);
    }
    free(pieces);
    blob_unref(blob);
    frozen_unref(text);
    return marked;
}

struct frozen *hls_start_mark_media(struct frozen *text, const struct hls_start *start)
{
    struct byte_writer tag;
    const int64_t us = start->kind == HLS_START_TIME ? find_time(text, start->us) : start->us;
    const int64_t size_us = us < 0 ? -us : us;
    byte_writer_init(&tag, 256);
    write_format(&tag, "#EXT-X-START:TIME-OFFSET=%s%lld.%06lld\n", us < 0 ? "-" : "", (long long)(size_us / SECOND_US),
                 (long long)(size_us % SECOND_US));
    struct frozen *marked = insert(text, &tag);
    byte_writer_deinit(&tag);
    return marked;
}

static void write_query(struct byte_writer *w, const struct hls_start *start)
{
    write_text(w, "?start=");
    write_bytes(w, start->value.data, start->value.bytes);
}

/* A line of the multivariant playlist: a URI stands alone, or in an attribute. */
static void copy_line(struct byte_writer *w, const char *line, size_t bytes, const struct hls_start *start)
{
    static const char attribute[] = "URI=\"";
    if (bytes && line[0] != '#') {
        write_bytes(w, line, bytes);
        write_query(w, start);
        return;
    }
    const char *uri = memmem(line, bytes, attribute, sizeof attribute - 1);
    const char *from = uri ? uri + sizeof attribute - 1 : line + bytes;
    const char *end = memchr(from, '"', bytes - (size_t)(from - line));
    if (!end) end = line + bytes;
    write_bytes(w, line, (size_t)(end - line));
    if (uri) write_query(w, start);
    write_bytes(w, end, bytes - (size_t)(end - line));
}

struct frozen *hls_start_mark_multivariant(struct frozen *text, const struct hls_start *start)
{
    const size_t bytes = frozen_bytes(text);
    char *plain = malloc(bytes + 1);
    struct byte_writer w;
    struct frozen *marked = NULL;
    byte_writer_init(&w, PLAYLIST_BYTES_MAX);
    if (plain) {
        frozen_read(text, 0, plain, bytes);
        for (size_t at = 0; at < bytes;) {
            const char *end = memchr(plain + at, '\n', bytes - at);
            const size_t line = end ? (size_t)(end - plain) - at : bytes - at;
            copy_line(&w, plain + at, line, start);
            if (end) write_text(&w, "\n");
            at += line + 1;
        }
        marked = byte_writer_freeze(&w);
    }
    byte_writer_deinit(&w);
    free(plain);
    frozen_unref(text);
    return marked;
}
