#include "journal.h"

#include <string.h>
#include <zlib.h>

#define MAGIC "WEIRDVR1"
#define DURATION_US_MAX (24 * 3600 * 1000000LL)
#define NUMBER_MAX (1ULL << 62)
enum { FLAG_INDEPENDENT = 1, FLAG_STARTS_ERA = 2 };

void journal_write_magic(struct byte_writer *w)
{
    write_text(w, MAGIC);
}

bool journal_read_magic(struct byte_reader *r)
{
    const struct byte_span magic = read_span(r, strlen(MAGIC));
    return magic.data && !memcmp(magic.data, MAGIC, magic.bytes);
}

/* -- texts -- */

static void put_text(struct byte_writer *w, const char *text, size_t capacity)
{
    const size_t bytes = strlen(text);
    if (bytes >= capacity || bytes > 255) w->failed = true;
    write_u8(w, (uint8_t)bytes);
    write_bytes(w, text, bytes);
}

static bool take_text(struct byte_reader *r, char *out, size_t capacity)
{
    const struct byte_span text = read_span(r, read_u8(r));
    if (r->failed || text.bytes >= capacity || memchr(text.data, 0, text.bytes)) return false;
    memcpy(out, text.data, text.bytes);
    out[text.bytes] = 0;
    return true;
}

/* Names of objects go into playlists and paths of URLs. */
static bool is_plain(const char *name)
{
    for (; *name; name++) {
        const char c = *name;
        const bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                             c == '-' || c == '_';
        if (!is_fine) return false;
    }
    return true;
}

/* -- payloads -- */

static void put_object(struct byte_writer *w, const struct journal_record *record)
{
    if (!is_plain(record->rendition) || !is_plain(record->name) || !is_plain(record->init_name)) w->failed = true;
    put_text(w, record->rendition, sizeof record->rendition);
    put_text(w, record->name, sizeof record->name);
    put_text(w, record->init_name, sizeof record->init_name);
    write_u8(w, (uint8_t)record->media);
    write_u8(w, (record->is_independent ? FLAG_INDEPENDENT : 0) | (record->starts_era ? FLAG_STARTS_ERA : 0));
    write_u64(w, record->offset);
    write_u32(w, record->bytes);
    write_u32(w, record->crc);
    write_u64(w, record->msn);
    write_u64(w, record->discontinuity);
    write_u64(w, record->first_msn);
    write_u64(w, (uint64_t)record->duration_us);
    write_u64(w, (uint64_t)record->wall_us);
}

static bool take_object(struct byte_reader *r, struct journal_record *out)
{
    if (!take_text(r, out->rendition, sizeof out->rendition) || !take_text(r, out->name, sizeof out->name) ||
        !take_text(r, out->init_name, sizeof out->init_name))
        return false;
    if (!is_plain(out->rendition) || !is_plain(out->name) || !is_plain(out->init_name) || !out->name[0]) return false;
    out->media = (enum edge_media)read_u8(r);
    const uint8_t flags = read_u8(r);
    out->is_independent = flags & FLAG_INDEPENDENT;
    out->starts_era = flags & FLAG_STARTS_ERA;
    out->offset = read_u64(r);
    out->bytes = read_u32(r);
    out->crc = read_u32(r);
    out->msn = read_u64(r);
    out->discontinuity = read_u64(r);
    out->first_msn = read_u64(r);
    out->duration_us = (int64_t)read_u64(r);
    out->wall_us = (int64_t)read_u64(r);
    /* sums of what is believed must not overflow */
    return out->offset <= NUMBER_MAX && out->msn <= NUMBER_MAX && out->discontinuity <= NUMBER_MAX &&
           out->first_msn <= NUMBER_MAX && out->duration_us >= 0 && out->duration_us <= DURATION_US_MAX &&
           out->wall_us >= 0 && out->wall_us <= (int64_t)NUMBER_MAX;
}

static void put_payload(struct byte_writer *w, const struct journal_record *record)
{
    write_u8(w, (uint8_t)record->kind);
    switch (record->kind) {
    case JOURNAL_HEAD:
        put_text(w, record->stream, sizeof record->stream);
        write_u64(w, (uint64_t)record->keep_us);
        break;
    case JOURNAL_END:
        write_u64(w, (uint64_t)record->wall_us);
        write_u64(w, (uint64_t)record->keep_us);
        break;
    case JOURNAL_INIT:
    case JOURNAL_SEGMENT:
    case JOURNAL_GAP:
    case JOURNAL_PLAYLIST: put_object(w, record); break;
    }
}

static bool is_time(int64_t us)
{
    return us >= 0 && us <= (int64_t)NUMBER_MAX;
}

static bool take_payload(struct byte_reader *r, struct journal_record *out)
{
    switch (out->kind) {
    case JOURNAL_HEAD:
        if (!take_text(r, out->stream, sizeof out->stream)) return false;
        out->keep_us = (int64_t)read_u64(r);
        return is_time(out->keep_us);
    case JOURNAL_END:
        out->wall_us = (int64_t)read_u64(r);
        out->keep_us = (int64_t)read_u64(r);
        return is_time(out->wall_us) && is_time(out->keep_us);
    case JOURNAL_INIT:
    case JOURNAL_SEGMENT:
    case JOURNAL_GAP:
    case JOURNAL_PLAYLIST: return take_object(r, out);
    }
    return false;
}

/* -- records -- */

static uint32_t crc_of(const void *data, size_t bytes)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)bytes);
}

void journal_write(struct byte_writer *w, const struct journal_record *record)
{
    const size_t start = w->bytes;
    write_zeros(w, 8);
    put_payload(w, record);
    const size_t bytes = w->bytes - start - 8;
    if (w->failed) return;
    patch_u32(w, start, (uint32_t)bytes);
    patch_u32(w, start + 4, crc_of(w->data + start + 8, bytes));
}

enum journal_read journal_read(struct byte_reader *r, struct journal_record *out)
{
    while (byte_reader_left(r)) {
        const uint32_t bytes = read_u32(r), crc = read_u32(r);
        if (r->failed || bytes < 1 || bytes > JOURNAL_RECORD_BYTES_MAX) return JOURNAL_TORN;
        const struct byte_span payload = read_span(r, bytes);
        if (r->failed || crc_of(payload.data, payload.bytes) != crc) return JOURNAL_TORN;
        const uint8_t kind = payload.data[0];
        if (kind < JOURNAL_HEAD || kind > JOURNAL_END) continue; /* of a later version */
        struct journal_record record = { .kind = (enum journal_kind)kind };
        struct byte_reader inside;
        byte_reader_init(&inside, payload.data + 1, payload.bytes - 1);
        if (!take_payload(&inside, &record) || inside.failed) return JOURNAL_TORN;
        *out = record;
        return JOURNAL_GOT;
    }
    return JOURNAL_DONE;
}

uint32_t journal_crc(const struct frozen *f)
{
    const struct piece *pieces = frozen_pieces(f);
    uLong crc = crc32(0, NULL, 0);
    for (size_t i = 0; i < frozen_piece_count(f); i++) crc = crc32(crc, pieces[i].data, (uInt)pieces[i].bytes);
    return (uint32_t)crc;
}
