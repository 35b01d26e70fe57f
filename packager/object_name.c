#include "object_name.h"

#include <stdio.h>
#include <string.h>

void object_name_segment(uint32_t run_id, uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES])
{
    snprintf(out, EDGE_OBJECT_NAME_BYTES, "seg-%08x-%llu.m4s", run_id, (unsigned long long)msn);
}

void object_name_init(uint32_t run_id, uint32_t number, char out[EDGE_OBJECT_NAME_BYTES])
{
    snprintf(out, EDGE_OBJECT_NAME_BYTES, "init-%08x-%u.mp4", run_id, number);
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
