/* Test tables write bytes as hex text; spaces are for reading. */
#ifndef WEIR_TESTS_HEX_H
#define WEIR_TESTS_HEX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#define HEX_BYTES_MAX 4096
struct hex {
    uint8_t data[HEX_BYTES_MAX];
    size_t bytes;
};
/* Fails the test on anything that is not pairs of hex digits and spaces. */
struct hex hex(const char *text);
/* Names the first difference, with a few bytes around it, and fails. */
void assert_bytes(const void *got, size_t got_bytes, const char *expected_hex);

#endif
