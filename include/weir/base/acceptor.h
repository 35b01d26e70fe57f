/* acceptor: listens, and hands each new socket to one of the loops in turn. Shared by all protocols over TCP.
 * Listeners stand on the first loop. Running out of descriptors refuses one connection at a time instead of spinning.
 * Thread: create, listen and destroy on the main thread before the loops start or after they stopped; stop from any. */
#ifndef WEIR_BASE_ACCEPTOR_H
#define WEIR_BASE_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/base/err.h>

struct loop;
struct acceptor;

struct acceptor_config {
    struct loop **loops; /* lent */
    size_t loop_count;
    void *context;
    /* On the first loop: whether to take this one. When false, the acceptor closes it. */
    bool (*admit)(void *context, int fd, const struct sockaddr_storage *peer);
    /* On loops[loop_index]: the socket is the callee's. is_tls: as its listener was given. */
    void (*arrived)(void *context, size_t loop_index, int fd, const struct sockaddr_storage *peer, bool is_tls);
    /* On the first loop: admitted, but could not be handed over (it was closed). */
    void (*lost)(void *context, const struct sockaddr_storage *peer);
    /* On the first loop: one was refused for want of descriptors. */
    void (*starved)(void *context);
};

WEIR_MUST_CHECK enum weir_err acceptor_create(struct acceptor **out, const struct acceptor_config *config);
/* As net_listen. is_tls is told to whoever arrives here. WEIR_LIMIT: more than 16 listeners. */
WEIR_MUST_CHECK enum weir_err acceptor_listen(struct acceptor *a, const char *address, bool is_tls,
                                              uint16_t *bound_port);
void acceptor_stop(struct acceptor *a);    /* no more connections; NULL is fine */
void acceptor_destroy(struct acceptor *a); /* NULL is fine */

#endif
