/* A run as one self-contained HTML page: verdicts, figures, plots as inline SVG with what happened on the time axis. No script, nothing is loaded.
 * Pure; thread: any. */
#ifndef WEIR_LOADGEN_RUN_REPORT_H
#define WEIR_LOADGEN_RUN_REPORT_H

#include <weir/base/bytes.h>
#include <weir/loadgen/run_record.h>

struct run_report {
    const struct scenario *scenario;
    const struct run_record *records; /* one for each server, drawn over each other */
    size_t record_count;
    const char *when, *machine, *command; /* texts for the head */
};

void run_report_write_html(const struct run_report *r, struct byte_writer *out);

#endif
