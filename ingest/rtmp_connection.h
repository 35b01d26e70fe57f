/* One RTMP connection: socket, TLS, session and publication. Lives and dies on one loop; internal to the server. */
#ifndef WEIR_INGEST_RTMP_CONNECTION_H
#define WEIR_INGEST_RTMP_CONNECTION_H

#include <stdint.h>
#include <sys/socket.h>
#include <weir/base/gather.h>
#include <weir/base/log_burst.h>
#include <weir/ingest/rtmp_server.h>

struct rtmp_connection;

/* What the connections of one loop share. Owner: that loop. */
struct rtmp_home {
    const struct rtmp_server_config *config;
    struct loop *loop;
    size_t loop_index;
    struct gather *gather;
    struct counters *counters;
    uint8_t *buffer; /* RTMP_READ_BYTES_PER_TURN: read into, fed from, never kept */
    struct rtmp_connection *first;
    struct log_burst late_handshakes, late_publishes;
    void (*closed)(void *context, const uint8_t address[16]);
    void *context;
};

/* Takes the socket over, also on failure. On the loop. */
void rtmp_connection_start(struct rtmp_home *home, int fd, const struct sockaddr_storage *peer, bool is_tls);
/* Deadlines, and the ticks of the streams. A few times a second. */
void rtmp_connections_tick(struct rtmp_home *home, int64_t now_us);
void rtmp_connections_close_all(struct rtmp_home *home);

#endif
