/* What happens, as JSON lines for machines: one object a line, with "t" (seconds since 1970) and "event". Thread: any. */
#ifndef WEIR_LOADGEN_EVENT_LOG_H
#define WEIR_LOADGEN_EVENT_LOG_H

#include <weir/loadgen/publisher.h>

struct event_log;

/* path "-": standard output. NULL: it cannot be written; errno says. */
struct event_log *event_log_open(const char *path);
void event_log_close(struct event_log *l); /* NULL is fine */
void event_log_publisher(struct event_log *l, const struct publisher_event *e);
void event_log_totals(struct event_log *l, const char *event, const struct publishers_totals *t);
/* {"event": event, "stream": stream, "text": text} */
void event_log_note(struct event_log *l, const char *event, const char *stream, const char *text);

#endif
