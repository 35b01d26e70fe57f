/* Reads what a server's /metrics says (Prometheus text format). Pure; thread: any. */
#ifndef WEIR_LOADGEN_METRICS_TEXT_H
#define WEIR_LOADGEN_METRICS_TEXT_H

#include <stddef.h>

/* The sum of all samples of that name, whatever their labels; NAN: there is none. */
double metrics_sum(const char *text, size_t bytes, const char *name, size_t name_bytes);
/* The sum over several names with commas between; those that are not there count nothing. NAN: none is. */
double metrics_sum_of_all(const char *text, size_t bytes, const char *names);

#endif
