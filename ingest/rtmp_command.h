/* Commands and data messages of a session (RTMP 1.0, 7.2). Pure; part of rtmp_session. */
#ifndef WEIR_INGEST_RTMP_COMMAND_H
#define WEIR_INGEST_RTMP_COMMAND_H

#include <weir/ingest/rtmp_chunk.h>
#include <weir/ingest/rtmp_session.h>

/* WEIR_MALFORMED, WEIR_LIMIT: the session is over. */
WEIR_MUST_CHECK enum weir_err rtmp_command_take(struct rtmp_session *s, const struct rtmp_message *m, const char **why);
/* onMetaData and @setDataFrame; anything else is ignored. */
void rtmp_data_take(struct rtmp_session *s, const struct rtmp_message *m);

#endif
