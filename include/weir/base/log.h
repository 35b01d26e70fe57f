/* The log: one line is one fact, `time level room stream event key=value ...`, as text or as JSON lines.
 *
 *   log_event(LOG_INGEST, LOG_WARN, "live/a", "publish_refused", "peer=%s reason=%s", peer, "busy");
 *
 * Values that come from a peer go through log_quote(), which also cuts them; keys and tokens never come here at all.
 * Error: someone must act. Warn: degraded. Info: a life event. Debug: per message.
 * Thread: any; a line is written with one write(2). Levels are atomics, so they may change at run time. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/err.h>

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_room {
    LOG_BASE = 1,
    LOG_MEDIA,
    LOG_STREAM,
    LOG_INGEST,
    LOG_TRANSCODE,
    LOG_PACKAGER,
    LOG_DELIVERY,
    LOG_ARCHIVE,
    LOG_SERVER
};
enum log_format { LOG_TEXT = 1, LOG_JSON };

void log_set_format(enum log_format format);
void log_set_fd(int fd);                  /* default 2 */
void log_set_level(enum log_level level); /* all rooms */
void log_set_room_level(enum log_room room, enum log_level level);
enum log_level log_room_level(enum log_room room);
/* "info" or "info,ingest=debug"; false names nothing and changes nothing: the text is wrong. */
WEIR_MUST_CHECK bool log_set_levels(const char *text);
const char *log_room_name(enum log_room room);
const char *log_level_name(enum log_level level);

bool log_wants(enum log_room room, enum log_level level);
/* stream: "-" or NULL where there is none. format: `key=value` pairs. */
void log_event(enum log_room room, enum log_level level, const char *stream, const char *event, const char *format, ...)
    WEIR_PRINTF(5, 6);

#define LOG_QUOTE_BYTES 132
struct log_quoted {
    char text[LOG_QUOTE_BYTES];
};
/* Makes a peer's string safe for a log line: quoted, control bytes escaped, cut with "..." when long. */
struct log_quoted log_quote(const char *text, size_t bytes);
struct log_quoted log_quote_text(const char *text);

/* Pure: renders a line (with its newline) into out; returns its bytes. The tests' door. */
size_t log_render(enum log_format format, const char *time_text, enum log_level level, enum log_room room,
                  const char *stream, const char *event, const char *pairs, char *out, size_t out_bytes);

#endif
