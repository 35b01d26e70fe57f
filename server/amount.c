#include <weir/server/config.h>

#include <string.h>

static const struct {
    const char *unit;
    int64_t factor;
} units[] = { { "", 1 },           { "k", 1000 },        { "M", 1000000 },
              { "G", 1000000000 }, { "KiB", 1LL << 10 }, { "MiB", 1LL << 20 },
              { "GiB", 1LL << 30 } };

bool amount_parse(const char *text, int64_t *amount)
{
    int64_t whole = 0;
    const char *at = text;
    if (*at < '0' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (whole > 1000000000000LL) return false;
        whole = whole * 10 + (*at - '0');
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(at, units[i].unit) != 0) continue;
        if (whole > INT64_MAX / units[i].factor) return false;
        *amount = whole * units[i].factor;
        return true;
    }
    return false;
}
