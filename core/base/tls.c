#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/base/limits.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#include "tls_internal.h"

#define RENEW_US (24 * 3600 * 1000000LL) /* ticket keys live as long as the context that holds them */
#define EXPIRY_WARNING_DAYS 14
#define HANDSHAKES_PER_LOOP_MIN 64

/* What tells a file from the one that was read. */
struct file_mark {
    struct timespec changed;
    off_t bytes;
    ino_t inode;
};
struct pair_mark {
    struct file_mark cert, key;
};

struct tls_server {
    BIO_METHOD *socket_bytes;
    char *cert_file, *key_file;
    struct tls_desk *desks;
    size_t desk_count;
    pthread_mutex_t lock; /* guards `current` alone: a swap here, a reference taken at each handshake's beginning */
    SSL_CTX *current;
    /* of the thread that reloads */
    struct pair_mark loaded, seen;
    int64_t loaded_us;
};

static enum weir_err wrong(struct tls_error *error, const char *what, const char *file)
{
    const unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(error->text, sizeof error->text, "%s: %s%s%s", file, what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return WEIR_CONFIG;
}

/* So that "no such file" is said in those words. */
static enum weir_err check_readable(struct tls_error *error, const char *file)
{
    const int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(error->text, sizeof error->text, "cannot read %s: %s", file, strerror(errno));
        return WEIR_CONFIG;
    }
    close(fd);
    return WEIR_OK;
}

/* A key that wants a passphrase has nobody to ask. */
static int no_passphrase(char *out, int bytes, int is_writing, void *context)
{
    return 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes, const unsigned char *in,
                   unsigned in_bytes, void *context)
{
    return tls_channel_choose_protocol(SSL_get_app_data(ssl), out, out_bytes, in, in_bytes);
}

static void set_behaviour(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* idle connections keep no record buffers; what is retried may have moved */
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* one call for a record's head and body */
    /* sessions are in tickets that the clients keep: nothing here grows with them */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"weir", 4);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
}

static enum weir_err make_context(SSL_CTX **out, const char *cert_file, const char *key_file, struct tls_error *error)
{
    enum weir_err err = check_readable(error, cert_file);
    if (!err) err = check_readable(error, key_file);
    if (err) return err;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return wrong(error, "no TLS", cert_file);
    set_behaviour(context);
    /* forward secrecy and AEAD only; this also leaves nothing that HTTP/2 forbids (RFC 9113, appendix A) */
    if (!SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20"))
        err = wrong(error, "no ciphers", cert_file);
    else if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        err = wrong(error, "is not a certificate chain in PEM", cert_file);
    else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        err = wrong(error,
                    ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
                        ? "is not the key of the certificate"
                        : "is not a private key in PEM without a passphrase",
                    key_file);
    else if (SSL_CTX_check_private_key(context) != 1)
        err = wrong(error, "is not the key of the certificate", key_file);
    if (err) {
        SSL_CTX_free(context);
        return err;
    }
    *out = context;
    return WEIR_OK;
}

static void log_loaded(const SSL_CTX *context, const char *cert_file)
{
    char subject[256] = "";
    int days = 0, seconds = 0;
    X509 *leaf = SSL_CTX_get0_certificate(context);
    if (!leaf || !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf))) return;
    X509_NAME_oneline(X509_get_subject_name(leaf), subject, sizeof subject);
    const bool is_late = days < EXPIRY_WARNING_DAYS;
    log_event(LOG_BASE, is_late ? LOG_WARN : LOG_INFO, "-", "certificate_loaded", "file=\"%s\" subject=%s days_left=%d",
              cert_file, log_quote_text(subject).text, days);
}

static struct file_mark mark_of(const char *file)
{
    struct stat s;
    if (stat(file, &s)) return (struct file_mark){ .bytes = -1 };
    return (struct file_mark){ .changed = s.st_mtim, .bytes = s.st_size, .inode = s.st_ino };
}

static struct pair_mark look_at_files(const struct tls_server *s)
{
    return (struct pair_mark){ .cert = mark_of(s->cert_file), .key = mark_of(s->key_file) };
}

static bool is_same_file(const struct file_mark *a, const struct file_mark *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec && a->bytes == b->bytes &&
           a->inode == b->inode;
}

static bool is_same_pair(const struct pair_mark *a, const struct pair_mark *b)
{
    return is_same_file(&a->cert, &b->cert) && is_same_file(&a->key, &b->key);
}

static void swap_context(struct tls_server *s, SSL_CTX *fresh)
{
    pthread_mutex_lock(&s->lock);
    SSL_CTX *old = s->current;
    s->current = fresh;
    pthread_mutex_unlock(&s->lock);
    SSL_CTX_free(old);
}

enum weir_err tls_server_reload(struct tls_server *s, struct tls_error *error)
{
    SSL_CTX *fresh = NULL;
    s->loaded = s->seen = look_at_files(s); /* before reading: what changes meanwhile is seen as a change */
    const enum weir_err err = make_context(&fresh, s->cert_file, s->key_file, error);
    if (err) {
        log_event(LOG_BASE, LOG_ERROR, "-", "certificate_refused",
                  "reason=%s kept=\"the certificate that was loaded before\"", log_quote_text(error->text).text);
        return err;
    }
    log_loaded(fresh, s->cert_file);
    swap_context(s, fresh);
    return WEIR_OK;
}

void tls_server_look(struct tls_server *s, int64_t now_us)
{
    struct tls_error error;
    const struct pair_mark now = look_at_files(s);
    const bool has_changed = !is_same_pair(&now, &s->loaded), is_still = is_same_pair(&now, &s->seen);
    s->seen = now;
    if (!s->loaded_us) s->loaded_us = now_us;
    /* whoever renews a certificate writes two files: what was just written is looked at again first */
    if ((has_changed && is_still) || now_us - s->loaded_us > RENEW_US) {
        s->loaded_us = now_us;
        tls_server_reload(s, &error); /* logs what came of it */
    }
}

/* -- a socket as OpenSSL sees it: its own would raise SIGPIPE -- */

static int socket_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static void note_failure(BIO *bio, int retry_flag)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
}

static int on_bio_write(BIO *bio, const char *data, int bytes)
{
    const ssize_t sent = send(socket_of(bio), data, (size_t)bytes, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (sent < 0) note_failure(bio, BIO_FLAGS_WRITE);
    return (int)sent;
}

static int on_bio_read(BIO *bio, char *out, int bytes)
{
    const ssize_t got = recv(socket_of(bio), out, (size_t)bytes, 0);
    BIO_clear_retry_flags(bio);
    if (got < 0) note_failure(bio, BIO_FLAGS_READ);
    if (!got) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer)
{
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default: return 0;
    }
}

static BIO_METHOD *make_socket_bytes(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
    if (!m) return NULL;
    BIO_meth_set_write(m, on_bio_write);
    BIO_meth_set_read(m, on_bio_read);
    BIO_meth_set_ctrl(m, on_bio_control);
    return m;
}

static enum weir_err create_desk(struct tls_server *s, struct tls_desk *desk, struct loop *loop,
                                 uint32_t handshakes_max)
{
    *desk = (struct tls_desk){ .server = s, .counters = loop_counters(loop), .under_way_max = handshakes_max };
    desk->timer = loop_timer_create(loop, tls_desk_turn, desk);
    return desk->timer ? WEIR_OK : WEIR_NOMEM;
}

enum weir_err tls_server_create(struct tls_server **out, const struct tls_server_config *config,
                                struct tls_error *error)
{
    struct tls_server *s = calloc(1, sizeof *s);
    snprintf(error->text, sizeof error->text, "%s", err_name(WEIR_NOMEM));
    if (!s) return WEIR_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->cert_file = strdup(config->cert_file);
    s->key_file = strdup(config->key_file);
    s->desks = calloc(config->loop_count, sizeof *s->desks);
    s->socket_bytes = make_socket_bytes();
    enum weir_err err = s->cert_file && s->key_file && s->desks && s->socket_bytes ? WEIR_OK : WEIR_NOMEM;
    uint32_t share = (config->handshakes_max ? config->handshakes_max : TLS_HANDSHAKES_MAX) /
                     (uint32_t)config->loop_count;
    if (!config->handshakes_max && share < HANDSHAKES_PER_LOOP_MIN) share = HANDSHAKES_PER_LOOP_MIN;
    if (!share) share = 1;
    for (; !err && s->desk_count < config->loop_count; s->desk_count++)
        err = create_desk(s, &s->desks[s->desk_count], config->loops[s->desk_count], share);
    if (!err) s->loaded = s->seen = look_at_files(s);
    if (!err) err = make_context(&s->current, config->cert_file, config->key_file, error);
    if (err) {
        tls_server_destroy(s);
        return err;
    }
    log_loaded(s->current, s->cert_file);
    *out = s;
    return WEIR_OK;
}

void tls_server_destroy(struct tls_server *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->desk_count; i++) loop_timer_destroy(s->desks[i].timer);
    SSL_CTX_free(s->current);
    BIO_meth_free(s->socket_bytes);
    pthread_mutex_destroy(&s->lock);
    free(s->desks);
    free(s->cert_file);
    free(s->key_file);
    free(s);
}

struct tls_desk *tls_server_desk(struct tls_server *s, size_t loop_index)
{
    return &s->desks[loop_index];
}

struct ssl_st *tls_server_new_ssl(struct tls_server *s, int fd)
{
    pthread_mutex_lock(&s->lock);
    SSL_CTX *context = s->current;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&s->lock);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    BIO *bytes = ssl ? BIO_new(s->socket_bytes) : NULL;
    if (!bytes) {
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(bytes, (void *)(intptr_t)fd);
    BIO_set_init(bytes, 1);
    SSL_set_bio(ssl, bytes, bytes);
    return ssl;
}
