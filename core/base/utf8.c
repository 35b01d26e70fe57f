#include <weir/base/utf8.h>

#include <stdbool.h>

static size_t length_of(unsigned lead)
{
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead < 0xE0) return 2;
    if (lead >= 0xE0 && lead < 0xF0) return 3;
    return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

static bool is_character(const unsigned char *p, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) return false;
    }
    switch (p[0]) {
    case 0xE0: return p[1] >= 0xA0;
    case 0xED: return p[1] <= 0x9F;
    case 0xF0: return p[1] >= 0x90;
    case 0xF4: return p[1] <= 0x8F;
    default: return true;
    }
}

size_t utf8_prefix_bytes(const char *text, size_t bytes)
{
    const unsigned char *const p = (const unsigned char *)text;
    size_t at = 0;
    while (at < bytes) {
        const size_t length = length_of(p[at]);
        if (!length || bytes - at < length || !is_character(p + at, length)) break;
        at += length;
    }
    return at;
}
