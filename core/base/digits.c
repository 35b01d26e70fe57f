#include <weir/base/digits.h>

#include <assert.h>
#include <string.h>

char *digits_decimal(char *out, uint64_t v, unsigned least)
{
    char text[DIGITS_BYTES_MAX];
    unsigned at = DIGITS_BYTES_MAX;
    assert(least <= DIGITS_BYTES_MAX);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (DIGITS_BYTES_MAX - at < least) text[--at] = '0';
    memcpy(out, text + at, DIGITS_BYTES_MAX - at);
    return out + (DIGITS_BYTES_MAX - at);
}

char *digits_hex32(char *out, uint32_t v)
{
    for (int shift = 28; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[v >> shift & 15];
    return out;
}
