#include <weir/loadgen/metrics_text.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES_MAX 40

/* A sample's value: behind the name and its labels. */
static double read_value(const char *at, const char *end)
{
    char number[NUMBER_BYTES_MAX];
    if (at < end && *at == '{') {
        while (at < end && *at != '}') at++;
        if (at < end) at++;
    }
    while (at < end && *at == ' ') at++;
    size_t bytes = 0;
    while (at < end && *at != ' ' && bytes < sizeof number - 1) number[bytes++] = *at++;
    number[bytes] = 0;
    char *stop;
    const double value = strtod(number, &stop);
    return stop == number ? NAN : value;
}

double metrics_sum(const char *text, size_t bytes, const char *name, size_t name_bytes)
{
    double sum = NAN;
    for (const char *line = text, *all = text + bytes; line < all;) {
        const char *end = memchr(line, '\n', (size_t)(all - line));
        if (!end) end = all;
        if ((size_t)(end - line) > name_bytes && !memcmp(line, name, name_bytes) && strchr("{ ", line[name_bytes])) {
            const double value = read_value(line + name_bytes, end);
            if (!isnan(value)) sum = isnan(sum) ? value : sum + value;
        }
        line = end + 1;
    }
    return sum;
}

double metrics_sum_of_all(const char *text, size_t bytes, const char *names)
{
    double sum = NAN;
    for (const char *at = names; *at;) {
        const size_t name_bytes = strcspn(at, ",");
        const double value = metrics_sum(text, bytes, at, name_bytes);
        if (!isnan(value)) sum = isnan(sum) ? value : sum + value;
        at += name_bytes;
        at += strspn(at, ", ");
    }
    return sum;
}
