#include <weir/base/bytes.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/digits.h>

void byte_reader_init(struct byte_reader *r, const void *data, size_t bytes)
{
    r->at = data;
    r->end = bytes ? r->at + bytes : r->at;
    r->failed = false;
}

size_t byte_reader_left(const struct byte_reader *r)
{
    return (size_t)(r->end - r->at);
}

static const uint8_t *advance(struct byte_reader *r, size_t bytes)
{
    if (r->failed || byte_reader_left(r) < bytes) {
        r->failed = true;
        r->at = r->end;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += bytes;
    return at;
}

uint8_t read_u8(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 1);
    return p ? *p : 0;
}

uint16_t read_u16(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 2);
    return p ? load_u16(p) : 0;
}

uint32_t read_u24(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 3);
    return p ? load_u24(p) : 0;
}

uint32_t read_u32(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 4);
    return p ? load_u32(p) : 0;
}

uint64_t read_u64(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 8);
    return p ? (uint64_t)load_u32(p) << 32 | load_u32(p + 4) : 0;
}

uint16_t read_u16_le(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 2);
    return p ? (uint16_t)(p[1] << 8 | p[0]) : 0;
}

uint32_t read_u32_le(struct byte_reader *r)
{
    const uint8_t *p = advance(r, 4);
    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}

struct byte_span read_span(struct byte_reader *r, size_t bytes)
{
    const uint8_t *p = advance(r, bytes);
    return (struct byte_span){ .data = p, .bytes = p ? bytes : 0 };
}

void byte_writer_init(struct byte_writer *w, size_t bytes_max)
{
    *w = (struct byte_writer){ .bytes_max = bytes_max };
}

void byte_writer_deinit(struct byte_writer *w)
{
    free(w->data);
    *w = (struct byte_writer){ .bytes_max = w->bytes_max };
}

void byte_writer_reserve(struct byte_writer *w, size_t bytes)
{
    if (bytes > w->bytes_max) bytes = w->bytes_max;
    if (w->failed || bytes <= w->capacity) return;
    uint8_t *data = realloc(w->data, bytes);
    if (!data) return; /* whoever writes finds out */
    w->data = data;
    w->capacity = bytes;
}

void byte_writer_trim(struct byte_writer *w)
{
    if (!w->bytes || w->bytes == w->capacity) return;
    uint8_t *data = realloc(w->data, w->bytes);
    if (!data) return;
    w->data = data;
    w->capacity = w->bytes;
}

void byte_writer_clear(struct byte_writer *w)
{
    w->bytes = 0;
    w->failed = false;
}

/* Room for `bytes` more; NULL, and failed from now on, when the ceiling or the memory says no. */
static uint8_t *extend(struct byte_writer *w, size_t bytes)
{
    if (w->failed || bytes > w->bytes_max - w->bytes) {
        w->failed = true;
        return NULL;
    }
    if (w->bytes + bytes > w->capacity) {
        size_t capacity = w->capacity ? w->capacity : 256;
        while (capacity < w->bytes + bytes) capacity *= 2;
        if (capacity > w->bytes_max) capacity = w->bytes_max;
        uint8_t *data = realloc(w->data, capacity);
        if (!data) {
            w->failed = true;
            return NULL;
        }
        w->data = data;
        w->capacity = capacity;
    }
    uint8_t *at = w->data + w->bytes;
    w->bytes += bytes;
    return at;
}

void write_u8(struct byte_writer *w, uint8_t v)
{
    uint8_t *p = extend(w, 1);
    if (p) *p = v;
}

void write_u16(struct byte_writer *w, uint16_t v)
{
    uint8_t *p = extend(w, 2);
    if (p) p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}

void write_u24(struct byte_writer *w, uint32_t v)
{
    uint8_t *p = extend(w, 3);
    if (p) p[0] = (uint8_t)(v >> 16), p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)v;
}

void write_u32(struct byte_writer *w, uint32_t v)
{
    uint8_t *p = extend(w, 4);
    if (p) store_u32(p, v);
}

void write_u64(struct byte_writer *w, uint64_t v)
{
    write_u32(w, (uint32_t)(v >> 32));
    write_u32(w, (uint32_t)v);
}

void write_u32_le(struct byte_writer *w, uint32_t v)
{
    uint8_t *p = extend(w, 4);
    if (p) p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24);
}

void write_bytes(struct byte_writer *w, const void *data, size_t bytes)
{
    if (!bytes) return; /* nothing may stand for data, and nothing may be there to write to */
    uint8_t *p = extend(w, bytes);
    if (p && bytes) memcpy(p, data, bytes);
}

void write_zeros(struct byte_writer *w, size_t bytes)
{
    uint8_t *p = extend(w, bytes);
    if (p && bytes) memset(p, 0, bytes);
}

void write_text(struct byte_writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

void write_decimal(struct byte_writer *w, uint64_t v, unsigned least)
{
    char text[DIGITS_BYTES_MAX];
    write_bytes(w, text, (size_t)(digits_decimal(text, v, least) - text));
}

void write_format(struct byte_writer *w, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (bytes >= 0 && (size_t)bytes < sizeof text) {
        write_bytes(w, text, (size_t)bytes);
        return;
    }
    char *longer = NULL;
    va_start(arguments, format);
    const int longer_bytes = vasprintf(&longer, format, arguments);
    va_end(arguments);
    if (longer_bytes < 0) {
        w->failed = true;
        return;
    }
    write_bytes(w, longer, (size_t)longer_bytes);
    free(longer);
}

void patch_u32(struct byte_writer *w, size_t at, uint32_t v)
{
    if (w->failed) return;
    assert(at + 4 <= w->bytes);
    store_u32(w->data + at, v);
}

struct frozen *byte_writer_freeze(const struct byte_writer *w)
{
    return w->failed ? NULL : frozen_copy(w->data, w->bytes);
}
