#include <weir/base/clock.h>

#include <stdio.h>
#include <time.h>

void clock_format(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
    if (wall_us < 0) wall_us = 0;
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    snprintf(out, CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (parts.tm_year + 1900) % 10000, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(wall_us / 1000 % 1000));
}
