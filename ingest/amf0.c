#include <weir/ingest/amf0.h>

#include <string.h>
#include <weir/base/limits.h>

enum marker {
    MARKER_NUMBER = 0,
    MARKER_BOOLEAN = 1,
    MARKER_STRING = 2,
    MARKER_OBJECT = 3,
    MARKER_MOVIECLIP = 4,
    MARKER_NULL = 5,
    MARKER_UNDEFINED = 6,
    MARKER_REFERENCE = 7,
    MARKER_ECMA_ARRAY = 8,
    MARKER_OBJECT_END = 9,
    MARKER_STRICT_ARRAY = 10,
    MARKER_DATE = 11,
    MARKER_LONG_STRING = 12,
    MARKER_UNSUPPORTED = 13,
    MARKER_XML = 15,
    MARKER_TYPED_OBJECT = 16,
    MARKER_AMF3 = 17,
};

void amf0_reader_init(struct amf0_reader *r, const uint8_t *data, size_t bytes, struct counters *counters)
{
    *r = (struct amf0_reader){ .counters = counters };
    byte_reader_init(&r->bytes, data, bytes);
}

static enum amf0_result bad(struct amf0_reader *r, enum counter counter, const char *why)
{
    if (r->counters && !r->why) counter_add(r->counters, counter, 1);
    r->why = why;
    byte_reader_init(&r->bytes, NULL, 0);
    return AMF0_BAD;
}

static enum amf0_result cut(struct amf0_reader *r)
{
    return bad(r, COUNTER_AMF_MALFORMED, "an AMF0 value is cut off");
}

static enum amf0_result open_level(struct amf0_reader *r, struct amf0_value *v, enum amf0_kind kind, uint32_t count)
{
    if (r->depth == AMF_DEPTH_MAX) return bad(r, COUNTER_AMF_LIMIT_DEPTH, "AMF0 values are nested deeper than 16");
    v->kind = kind;
    r->depth++;
    r->levels[r->depth].has_names = kind == AMF0_OBJECT_BEGIN;
    r->levels[r->depth].left = count;
    return AMF0_VALUE;
}

static enum amf0_result read_text(struct amf0_reader *r, struct amf0_value *v, size_t bytes)
{
    if (r->bytes.failed) return cut(r);
    if (bytes > AMF_STRING_BYTES_MAX) return bad(r, COUNTER_AMF_LIMIT_STRING, "an AMF0 string is longer than 16 KiB");
    v->kind = AMF0_STRING;
    v->text = read_span(&r->bytes, bytes);
    return r->bytes.failed ? cut(r) : AMF0_VALUE;
}

static double read_double(struct byte_reader *r)
{
    const uint64_t bits = read_u64(r);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static enum amf0_result read_value(struct amf0_reader *r, struct amf0_value *v)
{
    switch (read_u8(&r->bytes)) {
    case MARKER_NUMBER:
        v->kind = AMF0_NUMBER;
        v->number = read_double(&r->bytes);
        break;
    case MARKER_BOOLEAN:
        v->kind = AMF0_BOOLEAN;
        v->number = read_u8(&r->bytes) != 0;
        break;
    case MARKER_STRING: return read_text(r, v, read_u16(&r->bytes));
    case MARKER_LONG_STRING:
    case MARKER_XML: return read_text(r, v, read_u32(&r->bytes));
    case MARKER_OBJECT: return open_level(r, v, AMF0_OBJECT_BEGIN, 0);
    case MARKER_ECMA_ARRAY:
        read_u32(&r->bytes); /* only a hint: the end marker ends it */
        return r->bytes.failed ? cut(r) : open_level(r, v, AMF0_OBJECT_BEGIN, 0);
    case MARKER_TYPED_OBJECT:
        read_span(&r->bytes, read_u16(&r->bytes));
        return r->bytes.failed ? cut(r) : open_level(r, v, AMF0_OBJECT_BEGIN, 0);
    case MARKER_STRICT_ARRAY: {
        const uint32_t count = read_u32(&r->bytes);
        return r->bytes.failed ? cut(r) : open_level(r, v, AMF0_ARRAY_BEGIN, count);
    }
    case MARKER_DATE:
        v->kind = AMF0_DATE;
        v->number = read_double(&r->bytes);
        read_u16(&r->bytes);
        break;
    case MARKER_NULL:
    case MARKER_UNDEFINED:
    case MARKER_UNSUPPORTED: v->kind = AMF0_NULL; break;
    case MARKER_AMF3:
        r->is_amf3 = true;
        r->depth = 0;
        byte_reader_init(&r->bytes, NULL, 0);
        return AMF0_FINISHED;
    case MARKER_REFERENCE: return bad(r, COUNTER_AMF_MALFORMED, "AMF0 references are not accepted");
    default: return bad(r, COUNTER_AMF_MALFORMED, "an AMF0 value has an unknown marker");
    }
    return r->bytes.failed ? cut(r) : AMF0_VALUE;
}

static enum amf0_result close_level(struct amf0_reader *r, struct amf0_value *v)
{
    r->depth--;
    v->kind = AMF0_END;
    v->depth = r->depth;
    return AMF0_VALUE;
}

enum amf0_result amf0_read(struct amf0_reader *r, struct amf0_value *out)
{
    if (r->why) return AMF0_BAD;
    struct amf0_value v = { .depth = r->depth };
    const bool is_at_end = !byte_reader_left(&r->bytes);
    if (is_at_end && !r->depth) return AMF0_FINISHED;
    if (++r->values > AMF_VALUES_MAX)
        return bad(r, COUNTER_AMF_LIMIT_VALUES, "an AMF0 message holds more than 4096 values");
    enum amf0_result result = AMF0_VALUE;
    if (r->depth && !r->levels[r->depth].has_names && !r->levels[r->depth].left) {
        result = close_level(r, &v);
    } else if (is_at_end) {
        if (!r->levels[r->depth].has_names) return cut(r);
        result = close_level(r, &v); /* the end marker that was forgotten */
    } else if (r->depth && r->levels[r->depth].has_names) {
        v.name = read_span(&r->bytes, read_u16(&r->bytes));
        if (r->bytes.failed) return cut(r);
        if (!v.name.bytes && byte_reader_left(&r->bytes) && *r->bytes.at == MARKER_OBJECT_END) {
            read_u8(&r->bytes);
            result = close_level(r, &v);
        } else {
            result = read_value(r, &v);
        }
    } else {
        if (r->depth) r->levels[r->depth].left--;
        result = read_value(r, &v);
    }
    if (result == AMF0_VALUE) *out = v;
    return result;
}

enum amf0_result amf0_skip(struct amf0_reader *r, const struct amf0_value *v)
{
    if (v->kind != AMF0_OBJECT_BEGIN && v->kind != AMF0_ARRAY_BEGIN) return AMF0_VALUE;
    for (;;) {
        struct amf0_value inner;
        const enum amf0_result result = amf0_read(r, &inner);
        if (result != AMF0_VALUE) return result;
        if (inner.kind == AMF0_END && inner.depth == v->depth) return AMF0_VALUE;
    }
}

void amf0_write_number(struct byte_writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    write_u8(w, MARKER_NUMBER);
    write_u64(w, bits);
}

void amf0_write_boolean(struct byte_writer *w, bool v)
{
    write_u8(w, MARKER_BOOLEAN);
    write_u8(w, v);
}

void amf0_write_string(struct byte_writer *w, const char *text)
{
    const size_t bytes = strlen(text);
    write_u8(w, MARKER_STRING);
    write_u16(w, (uint16_t)bytes);
    write_bytes(w, text, bytes & 0xFFFF);
}

void amf0_write_null(struct byte_writer *w)
{
    write_u8(w, MARKER_NULL);
}

void amf0_write_object_begin(struct byte_writer *w)
{
    write_u8(w, MARKER_OBJECT);
}

void amf0_write_ecma_begin(struct byte_writer *w, uint32_t count)
{
    write_u8(w, MARKER_ECMA_ARRAY);
    write_u32(w, count);
}

void amf0_write_strict_begin(struct byte_writer *w, uint32_t count)
{
    write_u8(w, MARKER_STRICT_ARRAY);
    write_u32(w, count);
}

void amf0_write_name(struct byte_writer *w, const char *name)
{
    write_u16(w, (uint16_t)strlen(name));
    write_text(w, name);
}

void amf0_write_end(struct byte_writer *w)
{
    write_u24(w, MARKER_OBJECT_END);
}
