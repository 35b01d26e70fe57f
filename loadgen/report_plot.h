/* One plot of a report, as inline SVG. */
#ifndef WEIR_LOADGEN_REPORT_PLOT_H
#define WEIR_LOADGEN_REPORT_PLOT_H

#include <weir/base/bytes.h>
#include <weir/loadgen/run_record.h>

#define PLOT_LINES_MAX 12

struct plot_line {
    const struct run_series *series;
    const char *label;
    unsigned colour; /* class c0, c1, ... of the page */
};

struct plot {
    const char *title, *unit;
    struct plot_line lines[PLOT_LINES_MAX];
    size_t line_count;
    double from_s, to_s;             /* of the time axis */
    const struct run_record *events; /* whose events are marked; NULL: none */
};

void plot_write(const struct plot *p, struct byte_writer *out);
void html_escape(const char *text, struct byte_writer *out);

#endif
