#include "object_name.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/digits.h>

#define PREFIX_CHARS_MAX 5
#define SUFFIX_CHARS_MAX 4
_Static_assert(PREFIX_CHARS_MAX + 8 + 1 + DIGITS_BYTES_MAX + SUFFIX_CHARS_MAX < EDGE_OBJECT_NAME_BYTES, "longest name");

static void compose(char *out, const char *prefix, uint32_t run_id, uint64_t number, const char *suffix)
{
    const size_t prefix_chars = strlen(prefix);
    memcpy(out, prefix, prefix_chars);
    out = digits_hex32(out + prefix_chars, run_id);
    *out++ = '-';
    out = digits_decimal(out, number, 1);
    memcpy(out, suffix, strlen(suffix) + 1);
}

void object_name_segment(uint32_t run_id, uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES])
{
    compose(out, "seg-", run_id, msn, ".m4s");
}

void object_name_ts_segment(uint32_t run_id, uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES])
{
    compose(out, "seg-", run_id, msn, ".ts");
}

void object_name_part(uint32_t run_id, int64_t start, char out[EDGE_OBJECT_NAME_BYTES])
{
    compose(out, "part-", run_id, (uint64_t)start, ".m4s");
}

void object_name_init(uint32_t run_id, uint32_t number, char out[EDGE_OBJECT_NAME_BYTES])
{
    compose(out, "init-", run_id, number, ".mp4");
}

/* What was parsed must be written the same way: nothing else is such a name. */
bool object_name_parse_segment(const char *name, uint32_t *run_id, uint64_t *msn)
{
    char again[EDGE_OBJECT_NAME_BYTES];
    unsigned run;
    unsigned long long number;
    if (sscanf(name, "seg-%8x-%llu", &run, &number) != 2) return false;
    object_name_segment(run, number, again);
    if (strcmp(name, again)) return false;
    *run_id = run;
    *msn = number;
    return true;
}

bool object_name_parse_init(const char *name, uint32_t *run_id, uint32_t *number)
{
    char again[EDGE_OBJECT_NAME_BYTES];
    unsigned run, found;
    if (sscanf(name, "init-%8x-%u", &run, &found) != 2) return false;
    object_name_init(run, found, again);
    if (strcmp(name, again)) return false;
    *run_id = run;
    *number = found;
    return true;
}
