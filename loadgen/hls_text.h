/* Reading HLS text: lines, numbers, times, attribute lists (RFC 8216bis 4.1, 4.2). Texts are cut in place, so that what is kept
 * are pointers into one buffer. Pure; thread: the caller's. */
#ifndef WEIR_LOADGEN_HLS_TEXT_H
#define WEIR_LOADGEN_HLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next line without its LF or CRLF, zero-terminated in place; NULL: no more. *at moves behind it. */
char *hls_line_next(char **at, char *end);

/* decimal-integer: digits alone, up to 2^64-1. */
bool hls_read_integer(const char *text, uint64_t *out);
/* decimal-floating-point in seconds, to microseconds; digits beyond are cut off. Not negative, below ten million seconds. */
bool hls_read_seconds(const char *text, int64_t *out_us);
/* The same in thousandths of anything: FRAME-RATE. */
bool hls_read_milli(const char *text, uint64_t *out_milli);
/* ISO 8601 as EXT-X-PROGRAM-DATE-TIME has it. *has_zone: a zone was written; without one, UTC is taken. */
bool hls_read_date(const char *text, int64_t *out_wall_us, bool *has_zone);
/* "1280x720" */
bool hls_read_resolution(const char *text, uint32_t *width, uint32_t *height);

struct hls_attribute {
    const char *name, *value; /* value without quotes */
    bool is_quoted;
};
enum hls_attributes { HLS_ATTRIBUTES_NEXT = 1, HLS_ATTRIBUTES_END, HLS_ATTRIBUTES_BAD };
/* Cuts the next attribute off the list in place. BAD: the rest cannot be read. */
enum hls_attributes hls_attribute_next(char **at, struct hls_attribute *out);

/* Well-formed UTF-8 without control characters other than CR and LF (4.1). *line: where it breaks, from 1. */
bool hls_text_is_clean(const char *text, size_t bytes, unsigned *line);

#endif
