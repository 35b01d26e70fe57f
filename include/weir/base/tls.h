/* TLS for the server's listeners: one certificate for all of them, replaced while connections go on.
 *
 * A connection costs nothing but a few bytes until its first byte came. How many handshakes are under way at once is
 * bounded (TLS_HANDSHAKES_MAX); who comes then waits, and those that make no progress give way.
 * Protocols above see a struct wire (base/wire.h); this header is for who makes and feeds the certificate.
 * Thread: create, destroy: main, without loops running. reload, look: any one thread, may block on files. */
#ifndef WEIR_BASE_TLS_H
#define WEIR_BASE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

struct loop;
struct tls_server;

#define TLS_ERROR_BYTES 384
struct tls_error {
    char text[TLS_ERROR_BYTES]; /* what was wrong, with the file's name */
};

struct tls_server_config {
    const char *cert_file, *key_file; /* PEM: the chain, leaf first; its key. Copied */
    struct loop **loops;              /* lent, outlive the server */
    size_t loop_count;
    uint32_t handshakes_max; /* over all loops; 0: TLS_HANDSHAKES_MAX */
};

/* WEIR_CONFIG: the files do not make a certificate; error->text says why. */
WEIR_MUST_CHECK enum weir_err tls_server_create(struct tls_server **out, const struct tls_server_config *config,
                                                struct tls_error *error);
void tls_server_destroy(struct tls_server *s); /* no channel may be left; NULL is fine */
/* Reads the files again. New connections get the new certificate, old ones go on. WEIR_CONFIG: the pair is not usable and
 * the one before stays; error->text says why. Logs either. */
enum weir_err tls_server_reload(struct tls_server *s, struct tls_error *error);
/* To be called every few seconds: reloads once the files have changed and then stood still for one call; and every day, for
 * new session ticket keys. */
void tls_server_look(struct tls_server *s, int64_t now_us);

#endif
