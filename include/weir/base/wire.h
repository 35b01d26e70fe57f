/* wire: the bytes of a connected socket, as they are or through TLS, without blocking. The owner watches the descriptor
 * and closes it. Owner and thread: one connection on one loop. */
#ifndef WEIR_BASE_WIRE_H
#define WEIR_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include <weir/base/err.h>

struct tls_server;
struct tls_channel;

enum wire_result {
    WIRE_OK = 1,
    WIRE_AGAIN,  /* not now: watch for what wire_watch says */
    WIRE_CLOSED, /* the peer ended its direction */
    WIRE_BROKEN, /* wire_error says why; only wire_deinit is legal */
};
enum wire_watch { WIRE_READABLE = 1, WIRE_WRITABLE = 2 };
enum wire_application { WIRE_NO_ALPN = 1, WIRE_HTTP /* offers h2 and http/1.1 */ };

struct wire {
    int fd;
    struct tls_channel *tls; /* NULL: plain */
};

void wire_init_plain(struct wire *w, int fd);
/* loop_index: of the loop that we are on, in the TLS server's list. ready: called from the loop when the wire can go on
 * although the descriptor does not say so; try reading then. WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err wire_init_tls(struct wire *w, int fd, struct tls_server *tls, size_t loop_index,
                                            enum wire_application application, void (*ready)(void *context),
                                            void *context);
void wire_deinit(struct wire *w); /* says goodbye where that can be done at once; the descriptor stays open */

/* WIRE_OK: *got bytes, more than none. */
enum wire_result wire_read(struct wire *w, void *out, size_t bytes, size_t *got);
/* Takes what it can of the pieces, in order. WIRE_OK: *sent, more than none. After less than all, what is offered next must
 * begin with the rest. is_more_coming: do not hurry with the last packet. */
enum wire_result wire_write(struct wire *w, const struct iovec *pieces, int count, bool is_more_coming, size_t *sent);
/* No more will be written. false: could not be said. */
bool wire_end_writing(struct wire *w);

/* What to watch the descriptor for, when the owner wants to do `wanted` (set of enum wire_watch). */
unsigned wire_watch(const struct wire *w, unsigned wanted);
/* Bytes that came from the descriptor already: read again without waiting for it. */
bool wire_has_buffered(const struct wire *w);
bool wire_is_open(const struct wire *w);      /* plain, or the handshake is done */
bool wire_is_http_2(const struct wire *w);    /* the client chose h2 */
const char *wire_error(const struct wire *w); /* short text; lent until the next call */
/* The first byte was none of TLS: someone speaks plainly to a TLS port. The descriptor may be answered plainly. */
bool wire_is_plain_talk(const struct wire *w);

#endif
