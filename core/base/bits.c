#include <weir/base/bytes.h>

void bit_reader_init(struct bit_reader *r, const void *data, size_t bytes)
{
    *r = (struct bit_reader){ .data = data, .bits = bytes * 8 };
}

size_t bit_reader_left(const struct bit_reader *r)
{
    return r->bits - r->at;
}

uint32_t read_bits(struct bit_reader *r, unsigned count)
{
    if (r->failed || bit_reader_left(r) < count) {
        r->failed = true;
        r->at = r->bits;
        return 0;
    }
    uint32_t value = 0;
    while (count > 0) {
        const unsigned in_byte = 8 - (unsigned)(r->at % 8), take = count < in_byte ? count : in_byte;
        const uint32_t byte = r->data[r->at / 8];
        value = value << take | (byte >> (in_byte - take) & ((1u << take) - 1));
        r->at += take;
        count -= take;
    }
    return value;
}

bool read_flag(struct bit_reader *r)
{
    return read_bits(r, 1) != 0;
}

void skip_bits(struct bit_reader *r, size_t count)
{
    if (r->failed || bit_reader_left(r) < count) {
        r->failed = true;
        r->at = r->bits;
        return;
    }
    r->at += count;
}

uint32_t read_ue(struct bit_reader *r)
{
    unsigned zeros = 0;
    while (!read_flag(r)) {
        if (r->failed || ++zeros > 31) {
            r->failed = true;
            return 0;
        }
    }
    const uint32_t rest = read_bits(r, zeros);
    return r->failed ? 0 : ((1u << zeros) - 1) + rest;
}

int32_t read_se(struct bit_reader *r)
{
    const uint32_t k = read_ue(r);
    return k & 1 ? (int32_t)(k / 2 + 1) : -(int32_t)(k / 2);
}
