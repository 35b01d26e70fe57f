/* Finding and connecting to an address, with the rule that keeps strangers out: each address is looked at, not its name. Blocking. */
#ifndef WEIR_LOADGEN_DIAL_H
#define WEIR_LOADGEN_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/base/err.h>

/* The first of its addresses. WEIR_NOT_FOUND: it has none. WEIR_DENIED: it is not loopback, and is_any_host is not set. */
WEIR_MUST_CHECK enum weir_err dial_find(const char *host, uint16_t port, bool is_any_host, struct sockaddr_storage *out,
                                        socklen_t *out_bytes);
/* A connected TCP socket that sends at once, blocking, with timeout_us on each call. WEIR_IO: errno says. */
WEIR_MUST_CHECK enum weir_err dial_tcp(const struct sockaddr_storage *to, socklen_t to_bytes, int64_t timeout_us,
                                       int *fd);

#endif
