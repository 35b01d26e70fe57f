/* Sockets: the few calls that listeners share. Thread: any. */
#ifndef WEIR_BASE_NET_H
#define WEIR_BASE_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/base/err.h>

#define NET_PEER_BYTES 64

/* Non-blocking, close-on-exec, SO_REUSEADDR, backlog 4096. "[::]:p" takes IPv4 too. *bound_port: what the kernel gave.
 * WEIR_CONFIG: not "address:port" or "[v6]:port" with a numeric address. WEIR_IO: errno says. */
WEIR_MUST_CHECK enum weir_err net_listen(const char *address, int *fd, uint16_t *bound_port);
/* The same for a datagram socket, blocking; without SO_REUSEADDR: a port that another program has is an error. */
WEIR_MUST_CHECK enum weir_err net_bind_datagram(const char *address, int *fd, uint16_t *bound_port);
/* Accepts one, non-blocking and close-on-exec. -1: none now, or errno says (EMFILE, ...). */
int net_accept(int listen_fd, struct sockaddr_storage *peer);
/* "192.0.2.1:5000", "[2001:db8::1]:5000"; v4-mapped addresses print as IPv4. */
void net_format_peer(const struct sockaddr_storage *peer, char out[NET_PEER_BYTES]);
/* 16 bytes, IPv4 as ::ffff:a.b.c.d. */
void net_address_bytes(const struct sockaddr_storage *peer, uint8_t out[16]);
/* A numeric address ("192.0.2.1", "2001:db8::1") and a port. false: not numeric. */
bool net_parse_numeric(const char *host, uint16_t port, struct sockaddr_storage *out);
bool net_address_is_loopback(const uint8_t address[16]);

#endif
