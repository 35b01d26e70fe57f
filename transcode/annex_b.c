#include "annex_b.h"

#include <string.h>

/* The next 00 00 01 at or after `at`, or the end. */
static size_t find_start(struct byte_span in, size_t at)
{
    while (at + 3 <= in.bytes) {
        const uint8_t *one = memchr(in.data + at + 2, 1, in.bytes - at - 2);
        if (!one) return in.bytes;
        const size_t start = (size_t)(one - in.data) - 2;
        if (!in.data[start] && !in.data[start + 1]) return start;
        at = start + 1;
    }
    return in.bytes;
}

void annex_b_to_sample(struct byte_writer *w, struct byte_span in)
{
    size_t start = find_start(in, 0);
    while (start < in.bytes) {
        const size_t first = start + 3, next = find_start(in, first);
        size_t end = next;
        /* zeros before a start code belong to it; a NAL unit never ends with one (7.4.1) */
        while (end > first && !in.data[end - 1]) end--;
        if (end > first) {
            write_u32(w, (uint32_t)(end - first));
            write_bytes(w, in.data + first, end - first);
        }
        start = next;
    }
}
