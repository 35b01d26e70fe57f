/* Bits into a small fixed buffer, most significant first; remembers when it was too small. */
#ifndef WEIR_MEDIA_BIT_WRITER_H
#define WEIR_MEDIA_BIT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/bytes.h>

struct bit_writer {
    uint8_t *data; /* zeroed by bit_writer_init */
    size_t bits_max, at;
    bool failed;
};

static inline void bit_writer_init(struct bit_writer *w, uint8_t *data, size_t bytes)
{
    *w = (struct bit_writer){ .data = data, .bits_max = bytes * 8 };
    for (size_t i = 0; i < bytes; i++) data[i] = 0;
}

static inline void write_bits(struct bit_writer *w, uint32_t value, unsigned count)
{
    if (w->failed || w->bits_max - w->at < count) {
        w->failed = true;
        return;
    }
    for (unsigned i = count; i-- > 0; w->at++)
        if (value >> i & 1) w->data[w->at / 8] |= (uint8_t)(0x80 >> w->at % 8);
}

/* Copies `count` bits, of a reader that may stand anywhere in a byte. */
static inline void copy_bits(struct bit_writer *w, struct bit_reader *r, size_t count)
{
    for (; count >= 32; count -= 32) write_bits(w, read_bits(r, 32), 32);
    write_bits(w, read_bits(r, (unsigned)count), (unsigned)count);
}

static inline size_t bit_writer_bytes(const struct bit_writer *w)
{
    return (w->at + 7) / 8;
}

#endif
