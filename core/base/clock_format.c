#include <weir/base/clock.h>

#include <stdio.h>
#include <time.h>

void clock_format(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
    if (wall_us < 0) wall_us = 0;
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    /* each field is bounded, so that the compiler can see that 24 characters are enough */
    snprintf(out, CLOCK_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(parts.tm_year + 1900) % 10000u,
             (unsigned)(parts.tm_mon + 1) % 100u, (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
             (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u, (unsigned)(wall_us / 1000 % 1000) % 1000u);
}
