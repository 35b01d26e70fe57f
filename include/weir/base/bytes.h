/* Reading and writing bytes and bits with sticky failure: check once, at the end.
 * All multi-byte numbers are big endian unless the name says le. Thread: the caller's. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/blob.h>

struct byte_span {
    const uint8_t *data;
    size_t bytes;
};

struct byte_reader {
    const uint8_t *at, *end;
    bool failed; /* a read went past the end; it and all later reads gave 0 */
};

void byte_reader_init(struct byte_reader *r, const void *data, size_t bytes);
size_t byte_reader_left(const struct byte_reader *r);
uint8_t read_u8(struct byte_reader *r);
uint16_t read_u16(struct byte_reader *r);
uint32_t read_u24(struct byte_reader *r);
uint32_t read_u32(struct byte_reader *r);
uint64_t read_u64(struct byte_reader *r);
uint16_t read_u16_le(struct byte_reader *r);
uint32_t read_u32_le(struct byte_reader *r);
/* Lent bytes of the input; data is NULL when there are not that many. */
struct byte_span read_span(struct byte_reader *r, size_t bytes);

/* Most significant bit first. */
struct bit_reader {
    const uint8_t *data;
    size_t bits, at;
    bool failed;
};

void bit_reader_init(struct bit_reader *r, const void *data, size_t bytes);
uint32_t read_bits(struct bit_reader *r, unsigned count); /* 0..32 */
bool read_flag(struct bit_reader *r);
void skip_bits(struct bit_reader *r, size_t count);
uint32_t read_ue(struct bit_reader *r); /* Exp-Golomb, H.264 9.1; fails above 2^32-2 */
int32_t read_se(struct bit_reader *r);
size_t bit_reader_left(const struct bit_reader *r);

/* A buffer that grows up to a ceiling and remembers the first failure (no memory, or the ceiling). */
struct byte_writer {
    uint8_t *data;
    size_t bytes, capacity, bytes_max;
    bool failed;
};

void byte_writer_init(struct byte_writer *w, size_t bytes_max);
void byte_writer_deinit(struct byte_writer *w);
/* Room for this much at once, within the ceiling; without it the buffer grows as it is written. */
void byte_writer_reserve(struct byte_writer *w, size_t bytes);
/* Gives back what was taken in advance. */
void byte_writer_trim(struct byte_writer *w);
void byte_writer_clear(struct byte_writer *w); /* keeps the memory, forgets the failure */
void write_u8(struct byte_writer *w, uint8_t v);
void write_u16(struct byte_writer *w, uint16_t v);
void write_u24(struct byte_writer *w, uint32_t v);
void write_u32(struct byte_writer *w, uint32_t v);
void write_u64(struct byte_writer *w, uint64_t v);
void write_u32_le(struct byte_writer *w, uint32_t v);
void write_bytes(struct byte_writer *w, const void *data, size_t bytes);
void write_zeros(struct byte_writer *w, size_t bytes);
void write_text(struct byte_writer *w, const char *text); /* without the 0 */
/* Decimal, with zeros in front up to `least` digits (digits.h). */
void write_decimal(struct byte_writer *w, uint64_t v, unsigned least);
void write_format(struct byte_writer *w, const char *format, ...) WEIR_PRINTF(2, 3);
/* Overwrites four bytes written before. */
void patch_u32(struct byte_writer *w, size_t at, uint32_t v);
/* Copies what was written into a frozen; NULL when the writer failed or there is no memory. */
struct frozen *byte_writer_freeze(const struct byte_writer *w);

static inline uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint32_t load_u24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}
static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline void store_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

#endif
