/* libsrt as a whole, and the few things that all of its sockets share. Internal to the SRT rooms of ingest. */
#ifndef WEIR_INGEST_SRT_LIBRARY_H
#define WEIR_INGEST_SRT_LIBRARY_H

#include <stdbool.h>
#include <weir/base/err.h>
#include <weir/ingest/srt_options.h>
#include <weir/ingest/srt_streamid.h>

#include "srt_api.h"

/* Once for the process, on the main thread: starts libsrt's threads and sends its log into ours, thinned out. */
WEIR_MUST_CHECK enum weir_err srt_library_start(void);
/* After all sockets are closed. Joins its threads. */
void srt_library_stop(void);

enum srt_role {
    SRT_ROLE_LISTENER = 1, /* a port's own socket, before it is bound */
    SRT_ROLE_ACCEPTED,     /* in the listen callback */
    SRT_ROLE_CALLER,       /* before it connects */
};
/* Sets all that `options` say; they are complete. NULL, or the key of the option that libsrt did not take. */
const char *srt_library_apply(SRTSOCKET socket, const struct srt_options *options, enum srt_role role);
/* A caller's bonded links become one stream. false: this libsrt was built without. */
bool srt_library_allow_groups(SRTSOCKET listener);
bool srt_library_is_group(SRTSOCKET socket);
/* A connected socket of the group, or `socket` itself where it is none: what only single sockets can be asked. */
SRTSOCKET srt_library_member(SRTSOCKET socket);

/* What a connection to somewhere else failed of, in words: from srt_getrejectreason. */
const char *srt_library_reject_text(int reason);

int64_t srt_library_get_number(SRTSOCKET socket, SRT_SOCKOPT option); /* -1: libsrt does not say */

#endif
