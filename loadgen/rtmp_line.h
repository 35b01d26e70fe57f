/* A connection that publishes, dialled with librtmp and then driven without it: its handshake, TLS and commands are blocking and are its own;
 * its writes would block, so that one server that does not read would stop all. librtmp's packet reader overflows on hostile replies: only
 * for servers that are ours (docs/testing.md). Owner: whoever dialled, then whoever it was given to. */
#ifndef WEIR_LOADGEN_RTMP_LINE_H
#define WEIR_LOADGEN_RTMP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/base/err.h>

#include "rtmp_reader.h"

struct RTMP;

struct rtmp_address {
    char host[256], app[256];
    uint16_t port;
    bool is_tls;
};
/* "rtmp://host[:port]/app", "rtmps://…". false: it is not. */
bool rtmp_address_parse(const char *url, struct rtmp_address *out);

struct rtmp_line {
    int fd;           /* non-blocking */
    struct RTMP *tls; /* NULL: plain */
    uint32_t stream_id;
    struct rtmp_reader reader;
    /* what had come already */
    uint8_t early[2048];
    size_t early_bytes;
};

#define DIAL_WHY_BYTES 160

/* Blocks, LOADGEN_DIAL_US for each answer. play: the stream's name with its query. WEIR_DENIED: not loopback. WEIR_IO: nobody there, or a
 * refusal; why says which. */
WEIR_MUST_CHECK enum weir_err rtmp_line_dial(const struct rtmp_address *to, const char *play, bool is_any_host,
                                             struct rtmp_line *out, char why[DIAL_WHY_BYTES]);
/* As send() and recv(): -1 with errno EAGAIN, or another for a broken line; recv 0 is the end. */
ssize_t rtmp_line_send(struct rtmp_line *l, const void *data, size_t bytes);
ssize_t rtmp_line_receive(struct rtmp_line *l, void *data, size_t bytes);
void rtmp_line_close(struct rtmp_line *l, bool is_reset);

#endif
