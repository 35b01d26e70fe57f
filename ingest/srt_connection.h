/* One SRT connection that brings a stream: socket, publication and transport stream. Lives and dies on one loop; internal to the
 * server. */
#ifndef WEIR_INGEST_SRT_CONNECTION_H
#define WEIR_INGEST_SRT_CONNECTION_H

#include <sys/socket.h>

#include "srt_home.h"

struct srt_connection;

/* A socket that a port accepted; taken over, also on failure. */
void srt_connection_accept(struct srt_home *home, SRTSOCKET socket, const struct sockaddr_storage *peer,
                           const struct srt_streamid_rules *rules, const void *look_port);

/* A socket that is connected to where a stream is pulled from; taken over, also on failure. request is copied. ended() comes exactly once, and
 * not from within this call; lasted_us: how long it carried frames. */
struct srt_connection_owner {
    void *context;
    void (*ended)(void *context, const char *reason, int64_t lasted_us);
};
WEIR_MUST_CHECK enum weir_err srt_connection_adopt(struct srt_home *home, SRTSOCKET socket,
                                                   const struct publish_request *request,
                                                   const struct srt_connection_owner *owner);

/* Deadlines, figures, and the ticks of the streams. A few times a second. */
void srt_connections_tick(struct srt_home *home, int64_t now_us);
/* owners hear nothing of it */
void srt_connections_close_all(struct srt_home *home);

#endif
