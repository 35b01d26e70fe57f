/* Lines that strangers can cause by the thousand: the first of a burst is written, then one in each interval, which says how
 * many were left out. Pure; the time is passed in. Owner: one thread. */
#ifndef WEIR_BASE_LOG_BURST_H
#define WEIR_BASE_LOG_BURST_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed before the first use. */
struct log_burst {
    int64_t next_us; /* earlier than this nothing is written */
    uint64_t left_out;
};

/* true: write the line, with *left_out of the same kind since the last one. */
bool log_burst_take(struct log_burst *b, int64_t now_us, uint64_t *left_out);

#endif
