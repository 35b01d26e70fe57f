/* Between the certificate (tls.c) and the connections that use it (tls_channel.c). */
#ifndef WEIR_BASE_TLS_INTERNAL_H
#define WEIR_BASE_TLS_INTERNAL_H

#include <weir/base/tls.h>
#include <weir/base/wire.h>

struct ssl_st;
struct counters;
struct loop_timer;

/* Channels in order; a channel is in one list at most. */
struct tls_list {
    struct tls_channel *first, *last;
};

/* What a loop has of handshakes. Owner: that loop. */
struct tls_desk {
    struct tls_server *server;
    struct counters *counters;
    struct loop_timer *timer; /* armed while somebody waits */
    uint32_t under_way, under_way_max;
    struct tls_list shaking; /* the longest without progress first */
    struct tls_list waiting; /* the newest first: under a flood those who come now are those who still want something */
};

struct tls_desk *tls_server_desk(struct tls_server *s, size_t loop_index);
/* A connection of the present certificate over the socket. Any loop. NULL: no memory. */
struct ssl_st *tls_server_new_ssl(struct tls_server *s, int fd);
/* Lets who waits go on, and those who are stuck give way. */
void tls_desk_turn(void *desk);

struct tls_channel *tls_channel_create(int fd, struct tls_desk *desk, enum wire_application application,
                                       void (*ready)(void *), void *context);
void tls_channel_destroy(struct tls_channel *c); /* NULL is fine */
enum wire_result tls_channel_read(struct tls_channel *c, void *out, size_t bytes, size_t *got);
enum wire_result tls_channel_write(struct tls_channel *c, const struct iovec *pieces, int count, size_t *sent);
void tls_channel_say_end(struct tls_channel *c);
unsigned tls_channel_watch(const struct tls_channel *c, unsigned wanted);
bool tls_channel_has_buffered(const struct tls_channel *c);
bool tls_channel_is_open(const struct tls_channel *c);
bool tls_channel_is_http_2(const struct tls_channel *c);
bool tls_channel_is_plain_talk(const struct tls_channel *c);
const char *tls_channel_error(const struct tls_channel *c);
/* What the client offers in ALPN; chooses. Called by the certificate's side, which knows no channel. */
int tls_channel_choose_protocol(const struct tls_channel *c, const unsigned char **out, unsigned char *out_bytes,
                                const unsigned char *in, unsigned in_bytes);

#endif
