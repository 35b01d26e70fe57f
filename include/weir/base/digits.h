/* digits: numbers as text where it is written thousands of times a second: playlists, names of objects, times. printf costs ten times
 * as much. Pure; any thread. Each returns behind what it wrote and writes no 0. */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <stdint.h>

#define DIGITS_BYTES_MAX 20 /* of a uint64_t */

/* Decimal, with zeros in front up to `least` (at most DIGITS_BYTES_MAX) digits. out: room for DIGITS_BYTES_MAX. */
char *digits_decimal(char *out, uint64_t v, unsigned least);
/* Eight digits, lower case. */
char *digits_hex32(char *out, uint32_t v);

#endif
