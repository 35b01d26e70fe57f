/* One HTTP/1.1 connection. Lives and dies on one loop; internal to the server. */
#ifndef WEIR_DELIVERY_HTTP_CONNECTION_H
#define WEIR_DELIVERY_HTTP_CONNECTION_H

#include <stdint.h>
#include <sys/socket.h>

#include "http_answer.h"
#include "http_head.h"

#define HTTP_READ_BYTES (64 * KIB)

struct http_connection;

/* What the connections of one loop share. Owner: that loop. */
struct http_home {
    const struct http_server_config *config;
    struct answer_room room;
    struct http_connection *first;
    char *buffer;    /* HTTP_READ_BYTES: read into and parsed in place; only an incomplete head is kept */
    int64_t date_us; /* of `date`, wall */
    char date[HTTP_DATE_BYTES];
    void (*closed)(void *context);
    void *context;
};

/* Takes the socket over, also on failure. On the loop. */
void http_connection_start(struct http_home *home, int fd, const struct sockaddr_storage *peer);
void http_connections_tick(struct http_home *home, int64_t now_us);
void http_connections_close_all(struct http_home *home);

#endif
