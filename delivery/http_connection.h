/* One HTTP connection: socket, TLS, deadlines, and the protocol spoken on it. Lives and dies on one loop; internal to the
 * server. */
#ifndef WEIR_DELIVERY_HTTP_CONNECTION_H
#define WEIR_DELIVERY_HTTP_CONNECTION_H

#include <stdint.h>
#include <sys/socket.h>

#include "answer_room.h"
#include "http_head.h"
#include "http_protocol.h"

#define HTTP_READ_BYTES (64 * KIB)

struct http_connection;

/* What the connections of one loop share. Owner: that loop. */
struct http_home {
    const struct http_server_config *config;
    struct answer_room room;
    size_t loop_index;
    struct http_connection *first;
    struct http_connection *unsettled; /* answered meanwhile, not written yet */
    char *buffer;    /* HTTP_READ_BYTES: read into and parsed in place; only what is incomplete is kept */
    int64_t date_us; /* of `date`, wall */
    char date[HTTP_DATE_BYTES];
    void (*closed)(void *context);
    void *context;
};

/* Takes the socket over, also on failure. On the loop. */
void http_connection_start(struct http_home *home, int fd, const struct sockaddr_storage *peer, bool is_tls);
/* Of requests that waited (struct http_waiter_events); context: the home. */
void http_home_answered(void *context, struct http_stream *stream, struct http_answer *answer);
void http_home_settled(void *context);
void http_connections_tick(struct http_home *home, int64_t now_us);
void http_connections_close_all(struct http_home *home);

#endif
