/* RTMP listener: accepts publishers on its loops and turns each into a publication. Thread: create and destroy on the
 * main thread before the loops start and after they stopped; counts from any. */
#ifndef WEIR_INGEST_RTMP_SERVER_H
#define WEIR_INGEST_RTMP_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/stream/publication.h>

struct loop;
struct tls_server;
struct rtmp_server;

struct rtmp_server_config {
    struct publish_gate *gate;
    struct registry *registry;
    struct loop **loops; /* connections are spread over these; lent, outlive the server */
    size_t loop_count;
    struct tls_server *tls; /* lent, outlives the server; NULL: rtmp_server_listen_tls is not called */
    int64_t gather_us;      /* 0: wake for every send */
    int64_t idle_us, handshake_us, publish_us;
    uint32_t connections_max, connections_per_address_max;
};

/* Listens on `address` ("127.0.0.1:1935", "[::]:1935", "0.0.0.0:0"). *bound_port: the port the kernel gave.
 * WEIR_CONFIG: not an address. WEIR_IO: cannot listen there (errno is kept). */
WEIR_MUST_CHECK enum weir_err rtmp_server_create(struct rtmp_server **out, const struct rtmp_server_config *config);
WEIR_MUST_CHECK enum weir_err rtmp_server_listen(struct rtmp_server *s, const char *address, uint16_t *bound_port);
/* The same for RTMPS. */
WEIR_MUST_CHECK enum weir_err rtmp_server_listen_tls(struct rtmp_server *s, const char *address, uint16_t *bound_port);
/* Stops accepting; connections go on. Any thread. */
void rtmp_server_stop_accepting(struct rtmp_server *s);
/* Closes all connections, each on its loop: streams lose their publishers, and what was open of them is told. Any thread while the loops run. */
void rtmp_server_end_publishers(struct rtmp_server *s);
void rtmp_server_destroy(struct rtmp_server *s);
uint32_t rtmp_server_connections(const struct rtmp_server *s);

#endif
