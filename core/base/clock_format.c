#include <weir/base/clock.h>

#include <time.h>
#include <weir/base/digits.h>

void clock_format(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
    if (wall_us < 0) wall_us = 0;
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    const struct {
        unsigned value, digits;
        char after;
    } fields[] = {
        { (unsigned)(parts.tm_year + 1900) % 10000u, 4, '-' },
        { (unsigned)parts.tm_mon + 1, 2, '-' },
        { (unsigned)parts.tm_mday, 2, 'T' },
        { (unsigned)parts.tm_hour, 2, ':' },
        { (unsigned)parts.tm_min, 2, ':' },
        { (unsigned)parts.tm_sec, 2, '.' },
        { (unsigned)(wall_us / 1000 % 1000), 3, 'Z' },
    };
    char *at = out;
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        at = digits_decimal(at, fields[i].value, fields[i].digits);
        *at++ = fields[i].after;
    }
    *at = 0;
}
