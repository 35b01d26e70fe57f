/* What the files behind /metrics share. */
#ifndef WEIR_SERVER_METRICS_INTERNAL_H
#define WEIR_SERVER_METRICS_INTERNAL_H

#include <weir/base/bytes.h>
#include <weir/server/house.h>

/* A label's value, escaped (exposition format 0.0.4). */
void metrics_write_label(struct byte_writer *w, const char *text);
/* Of all ladders together, and of each; nothing where no path has one. */
void metrics_write_ladders(struct byte_writer *w, struct house *h);

#endif
