#include "hex.h"

#include <stdio.h>
#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

struct hex hex(const char *text)
{
    struct hex out = { .bytes = 0 };
    for (const char *at = text; *at;) {
        if (*at == ' ' || *at == '\n') {
            at++;
            continue;
        }
        const int high = digit(at[0]), low = at[1] ? digit(at[1]) : -1;
        if (high < 0 || low < 0 || out.bytes == HEX_BYTES_MAX) fail_msg("not hex, or too long: %s", at);
        out.data[out.bytes++] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return out;
}

void assert_bytes(const void *got, size_t got_bytes, const char *expected_hex)
{
    const struct hex expected = hex(expected_hex);
    const uint8_t *bytes = got;
    size_t at = 0;
    while (at < got_bytes && at < expected.bytes && bytes[at] == expected.data[at]) at++;
    if (at == got_bytes && at == expected.bytes) return;
    print_error("byte %zu differs (got %zu bytes, expected %zu)\n got:", at, got_bytes, expected.bytes);
    for (size_t i = at > 4 ? at - 4 : 0; i < got_bytes && i < at + 16; i++) print_error(" %02x", bytes[i]);
    print_error("\n expected:");
    for (size_t i = at > 4 ? at - 4 : 0; i < expected.bytes && i < at + 16; i++) print_error(" %02x", expected.data[i]);
    print_error("\n");
    fail();
}
