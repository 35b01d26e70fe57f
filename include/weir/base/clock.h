/* Clocks. Pure code never calls these: it is given the time. Thread: any. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_us(void);  /* monotonic */
int64_t clock_wall_us(void); /* since 1970-01-01T00:00:00Z */

#define CLOCK_TEXT_BYTES 32
/* "2026-01-02T03:04:05.678Z" (RFC 3339, always UTC and milliseconds). Pure. */
void clock_format(int64_t wall_us, char out[CLOCK_TEXT_BYTES]);

#endif
