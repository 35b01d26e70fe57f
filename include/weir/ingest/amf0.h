/* AMF0: the values of RTMP commands and metadata (Adobe AMF0 specification). Pure.
 * Reading is a walk over lent bytes with limits on depth, string length and values; nothing is allocated. */
#ifndef WEIR_INGEST_AMF0_H
#define WEIR_INGEST_AMF0_H

#include <stdbool.h>
#include <weir/base/bytes.h>
#include <weir/base/counters.h>

enum amf0_kind {
    AMF0_NUMBER = 1,
    AMF0_BOOLEAN,
    AMF0_STRING,
    AMF0_OBJECT_BEGIN, /* object, typed object or ECMA array: members follow, each with a name */
    AMF0_ARRAY_BEGIN,  /* strict array: values without names follow */
    AMF0_END,          /* of the innermost of those */
    AMF0_NULL,         /* null, undefined, unsupported */
    AMF0_DATE,
};

struct amf0_value {
    enum amf0_kind kind;
    struct byte_span name; /* inside an object; lent */
    double number;         /* number, boolean as 0 or 1, date in ms */
    struct byte_span text; /* string; lent */
    unsigned depth;        /* of the value itself: 0 is the outermost */
};

struct amf0_reader {
    struct byte_reader bytes;
    struct counters *counters;
    unsigned depth, values;
    struct {
        bool has_names;
        uint32_t left; /* of a strict array */
    } levels[17];
    const char *why;
    bool is_amf3; /* an AMF3 value began: the rest cannot be read, and is no error */
};

enum amf0_result { AMF0_VALUE = 1, AMF0_FINISHED, AMF0_BAD };

/* counters: lent, may be NULL. */
void amf0_reader_init(struct amf0_reader *r, const uint8_t *data, size_t bytes, struct counters *counters);
/* The next value in reading order. AMF0_BAD: r->why says what was wrong; nothing more can be read. A missing end marker at
 * the end of the message is forgiven: encoders forget it. */
enum amf0_result amf0_read(struct amf0_reader *r, struct amf0_value *out);
/* Reads past the value that was read last, with all that is inside it. */
enum amf0_result amf0_skip(struct amf0_reader *r, const struct amf0_value *v);

void amf0_write_number(struct byte_writer *w, double v);
void amf0_write_boolean(struct byte_writer *w, bool v);
void amf0_write_string(struct byte_writer *w, const char *text);
void amf0_write_null(struct byte_writer *w);
void amf0_write_object_begin(struct byte_writer *w);
void amf0_write_ecma_begin(struct byte_writer *w, uint32_t count);
void amf0_write_strict_begin(struct byte_writer *w, uint32_t count);
void amf0_write_name(struct byte_writer *w, const char *name);
void amf0_write_end(struct byte_writer *w);

#endif
