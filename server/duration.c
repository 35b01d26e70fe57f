#include <weir/server/config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_US_MAX (1000LL * 365 * 24 * 3600 * 1000000) /* a thousand years: whatever is meant is below it */

static const struct {
    const char *unit;
    int64_t us;
} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000LL } };

bool duration_parse(const char *text, int64_t *us)
{
    int64_t whole = 0, fraction = 0, scale = 1;
    const char *at = text;
    if (*at < '0' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (whole > 1000000000) return false;
        whole = whole * 10 + (*at - '0');
    }
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++) {
            if (scale >= 1000000) return false;
            fraction = fraction * 10 + (*at - '0');
            scale *= 10;
        }
        if (scale == 1) return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(at, units[i].unit)) continue;
        if (whole > DURATION_US_MAX / units[i].us) return false;
        *us = whole * units[i].us + fraction * units[i].us / scale;
        return true;
    }
    return false;
}

void duration_format(int64_t us, char out[24])
{
    if (us % 1000000 == 0)
        snprintf(out, 24, "%llds", (long long)(us / 1000000));
    else if (us % 1000 == 0)
        snprintf(out, 24, "%lldms", (long long)(us / 1000));
    else
        snprintf(out, 24, "%lldus", (long long)us);
}
