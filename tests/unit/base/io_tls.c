/* TLS on a loop of its own: handshakes under a ceiling, bytes in any pieces, certificates that change. */
#include "hex.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/base/acceptor.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/base/loop.h>
#include <weir/base/tls.h>
#include <weir/base/wire.h>
#include <weir/server/cert_dev.h>

#define DEADLINE_US (20 * 1000000LL)
#define POUR_BYTES (3 * MIB)

#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        const int64_t wait_until_us = clock_now_us() + DEADLINE_US;                                                    \
        while (!(condition)) {                                                                                         \
            if (clock_now_us() > wait_until_us) fail_msg("in vain: %s", #condition);                                   \
            poll(NULL, 0, 5);                                                                                          \
        }                                                                                                              \
    } while (0)

/* -- a server that answers every line with POUR_BYTES in odd pieces -- */

struct server {
    struct loop *loop;
    struct tls_server *tls;
    struct acceptor *acceptor;
    uint16_t port;
    char dir[64];
    struct cert_files files;
    uint8_t *pour;
    struct guest *guests;
};

struct guest {
    struct server *server;
    struct guest *next;
    struct wire wire;
    struct event *readable, *writable;
    size_t at, end; /* of what is poured */
    bool is_gone;
};

static void guest_end(struct guest *g)
{
    if (g->is_gone) return;
    event_free(g->readable);
    event_free(g->writable);
    wire_deinit(&g->wire);
    close(g->wire.fd);
    g->is_gone = true;
}

static void set(struct event *e, bool is_wanted)
{
    if (is_wanted)
        event_add(e, NULL);
    else
        event_del(e);
}

static void pour(struct guest *g)
{
    static const size_t sizes[] = { 9, 16384, 1, 700, 40000, 3, 16383, 5 };
    while (g->at < g->end) {
        struct iovec pieces[8];
        int count = 0;
        size_t at = g->at, sent = 0;
        for (; count < 8 && at < g->end; count++) {
            const size_t run = sizes[count] < g->end - at ? sizes[count] : g->end - at;
            pieces[count] = (struct iovec){ g->server->pour + at % POUR_BYTES, run };
            if (pieces[count].iov_len > POUR_BYTES - at % POUR_BYTES)
                pieces[count].iov_len = POUR_BYTES - at % POUR_BYTES;
            at += pieces[count].iov_len;
        }
        const enum wire_result result = wire_write(&g->wire, pieces, count, false, &sent);
        if (result == WIRE_AGAIN) return;
        if (result != WIRE_OK) {
            guest_end(g);
            return;
        }
        g->at += sent;
    }
}

static void on_ready(void *context)
{
    struct guest *g = context;
    char byte;
    size_t got;
    enum wire_result result;
    while (!g->is_gone && (result = wire_read(&g->wire, &byte, 1, &got)) == WIRE_OK) {
        if (byte == '\n') g->end += POUR_BYTES;
    }
    if (!g->is_gone && result != WIRE_AGAIN) guest_end(g);
    if (!g->is_gone) pour(g);
    if (g->is_gone) return;
    const unsigned needs = wire_watch(&g->wire, WIRE_READABLE | (g->at < g->end ? WIRE_WRITABLE : 0u));
    set(g->readable, needs & WIRE_READABLE);
    set(g->writable, needs & WIRE_WRITABLE);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    on_ready(context);
}

static bool admit(void *context, int fd, const struct sockaddr_storage *peer)
{
    return true;
}

static void arrived(void *context, size_t loop_index, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    struct server *s = context;
    struct guest *g = calloc(1, sizeof *g);
    const int small = 32 * KIB;
    assert_non_null(g);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small); /* so that writing blocks over and over */
    g->server = s;
    g->next = s->guests;
    s->guests = g;
    assert_int_equal(wire_init_tls(&g->wire, fd, s->tls, loop_index, WIRE_HTTP, on_ready, g), WEIR_OK);
    g->readable = event_new(loop_event_base(s->loop), fd, EV_READ | EV_PERSIST, on_event, g);
    g->writable = event_new(loop_event_base(s->loop), fd, EV_WRITE | EV_PERSIST, on_event, g);
    on_ready(g);
}

static void lost(void *context, const struct sockaddr_storage *peer) {}

static void starved(void *context) {}

static void server_open(struct server *s, uint32_t handshakes_max)
{
    struct config_error why;
    struct tls_error tls_why;
    *s = (struct server){ .port = 0 };
    snprintf(s->dir, sizeof s->dir, "/tmp/weir-io-tls-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(cert_dev_make(s->dir, "example.test", &s->files, &why), WEIR_OK);
    s->pour = malloc(POUR_BYTES);
    for (size_t i = 0; i < POUR_BYTES; i++) s->pour[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(loop_create(&s->loop, "tls"), WEIR_OK);
    const struct tls_server_config config = { .cert_file = s->files.cert,
                                              .key_file = s->files.key,
                                              .loops = &s->loop,
                                              .loop_count = 1,
                                              .handshakes_max = handshakes_max };
    assert_int_equal(tls_server_create(&s->tls, &config, &tls_why), WEIR_OK);
    const struct acceptor_config acceptor = { .loops = &s->loop,
                                              .loop_count = 1,
                                              .context = s,
                                              .admit = admit,
                                              .arrived = arrived,
                                              .lost = lost,
                                              .starved = starved };
    assert_int_equal(acceptor_create(&s->acceptor, &acceptor), WEIR_OK);
    assert_int_equal(acceptor_listen(s->acceptor, "127.0.0.1:0", true, &s->port), WEIR_OK);
    assert_int_equal(loop_start(s->loop), WEIR_OK);
}

static void server_close(struct server *s)
{
    acceptor_stop(s->acceptor);
    loop_stop(s->loop);
    loop_join(s->loop);
    loop_drain(s->loop);
    acceptor_destroy(s->acceptor);
    for (struct guest *g = s->guests, *next; g; g = next) {
        next = g->next;
        guest_end(g);
        free(g);
    }
    tls_server_destroy(s->tls);
    loop_destroy(s->loop);
    unlink(s->files.cert);
    unlink(s->files.key);
    rmdir(s->dir);
    free(s->pour);
}

static uint64_t counted(const struct server *s, enum counter id)
{
    return counter_read(loop_counters(s->loop), id);
}

/* -- a client -- */

static int dial(const struct server *s)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(s->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    const struct timeval patience = { .tv_sec = DEADLINE_US / 1000000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static SSL_CTX *client_context(int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    return context;
}

static SSL *shake(SSL_CTX *context, int fd)
{
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1) fail_msg("no handshake");
    return ssl;
}

static void hang_up(SSL *ssl, int fd)
{
    SSL_free(ssl);
    close(fd);
}

static void ask_and_check(const struct server *s, SSL *ssl, int lines)
{
    static uint8_t buffer[50000];
    for (int i = 0; i < lines; i++) assert_int_equal(SSL_write(ssl, "\n", 1), 1);
    for (size_t at = 0; at < (size_t)lines * POUR_BYTES;) {
        const int got = SSL_read(ssl, buffer, sizeof buffer);
        if (got <= 0) fail_msg("the stream ended at %zu", at);
        for (int i = 0; i < got; i++, at++) {
            if (buffer[i] != s->pour[at % POUR_BYTES]) fail_msg("byte %zu is another", at);
        }
    }
}

/* ClientHello as bytes, to be sent as one pleases. */
static size_t hello(uint8_t *out, size_t room)
{
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    SSL *ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_connect(ssl), -1);
    const int bytes = BIO_read(SSL_get_wbio(ssl), out, (int)room);
    assert_true(bytes > 100);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return (size_t)bytes;
}

/* -- tests -- */

static void every_byte_arrives_over_both_versions(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct server s;
    server_open(&s, 0);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *context = client_context(versions[i]);
        const int fd = dial(&s);
        SSL *ssl = shake(context, fd);
        assert_int_equal(SSL_version(ssl), versions[i]);
        ask_and_check(&s, ssl, 2);
        hang_up(ssl, fd);
        SSL_CTX_free(context);
    }
    assert_int_equal(counted(&s, COUNTER_TLS_OPENED), 2);
    server_close(&s);
    (void)state;
}

static void old_versions_are_refused(void **state)
{
    struct server s;
    server_open(&s, 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    const int fd = dial(&s);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    assert_int_not_equal(SSL_connect(ssl), 1);
    WAIT_UNTIL(counted(&s, COUNTER_TLS_FAILED) == 1);
    hang_up(ssl, fd);
    SSL_CTX_free(context);
    server_close(&s);
    (void)state;
}

static void sessions_resume_from_tickets(void **state)
{
    struct server s;
    server_open(&s, 0);
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    SSL_SESSION *session = NULL;
    for (int i = 0; i < 3; i++) {
        const int fd = dial(&s);
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (session) SSL_set_session(ssl, session);
        assert_int_equal(SSL_connect(ssl), 1);
        assert_int_equal(SSL_session_reused(ssl), i > 0);
        ask_and_check(&s, ssl, 1); /* tickets come with the first bytes */
        SSL_SESSION_free(session);
        session = SSL_get1_session(ssl);
        SSL_shutdown(ssl);
        hang_up(ssl, fd);
    }
    assert_int_equal(counted(&s, COUNTER_TLS_RESUMED), 2);
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    server_close(&s);
    (void)state;
}

static void protocols_are_chosen(void **state)
{
    static const struct {
        const char *offered;
        unsigned bytes;
        const char *chosen; /* NULL: refused */
    } cases[] = {
        { "\x08http/1.1", 9, "http/1.1" },
        { "\x03wtf\x08http/1.1", 13, "http/1.1" },
        { "\x03wtf", 4, NULL },
    };
    struct server s;
    server_open(&s, 0);
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const unsigned char *chosen = NULL;
        unsigned bytes = 0;
        const int fd = dial(&s);
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        SSL_set_alpn_protos(ssl, (const unsigned char *)cases[i].offered, cases[i].bytes);
        assert_int_equal(SSL_connect(ssl) == 1, cases[i].chosen != NULL);
        SSL_get0_alpn_selected(ssl, &chosen, &bytes);
        assert_int_equal(bytes, cases[i].chosen ? strlen(cases[i].chosen) : 0);
        if (cases[i].chosen) assert_memory_equal(chosen, cases[i].chosen, bytes);
        hang_up(ssl, fd);
    }
    SSL_CTX_free(context);
    server_close(&s);
    (void)state;
}

static void who_does_not_speak_tls_is_noticed(void **state)
{
    struct server s;
    char byte;
    server_open(&s, 0);
    const int fd = dial(&s);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    assert_int_equal(counted(&s, COUNTER_TLS_PLAIN_TALK), 1);
    close(fd);
    server_close(&s);
    (void)state;
}

static void a_hello_in_single_bytes(void **state)
{
    uint8_t bytes[2048], first;
    const size_t count = hello(bytes, sizeof bytes);
    struct server s;
    server_open(&s, 0);
    const int fd = dial(&s), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < count; i++) assert_int_equal(send(fd, bytes + i, 1, 0), 1);
    assert_int_equal(recv(fd, &first, 1, 0), 1);
    assert_int_equal(first, 0x16); /* a ServerHello */
    close(fd);
    WAIT_UNTIL(counted(&s, COUNTER_TLS_FAILED) == 1);
    server_close(&s);
    (void)state;
}

/* Two places, three who took them and say nothing more: those who come later have to wait, and get their turn. */
static void stuck_handshakes_give_way(void **state)
{
    enum { STUCK = 8 };
    uint8_t bytes[2048];
    int stuck[STUCK];
    const size_t count = hello(bytes, sizeof bytes);
    struct server s;
    server_open(&s, 2);
    for (int i = 0; i < STUCK; i++) {
        stuck[i] = dial(&s);
        assert_int_equal(send(stuck[i], bytes, count, 0), count);
    }
    WAIT_UNTIL(counted(&s, COUNTER_TLS_WAITED) == STUCK - 2);
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    for (int i = 0; i < 3; i++) {
        const int64_t before_us = clock_now_us();
        const int fd = dial(&s);
        SSL *ssl = shake(context, fd); /* the newest is the next to go */
        assert_true(clock_now_us() - before_us < 3 * TLS_HANDSHAKE_STALE_US);
        ask_and_check(&s, ssl, 1);
        hang_up(ssl, fd);
    }
    WAIT_UNTIL(counted(&s, COUNTER_TLS_GAVE_WAY) >= STUCK - 2); /* the last two need not: nobody waits for them */
    for (int i = 0; i < STUCK; i++) close(stuck[i]);
    SSL_CTX_free(context);
    server_close(&s);
    (void)state;
}

static void overwrite(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static uint64_t serial_seen(const struct server *s)
{
    uint64_t serial = 0;
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    const int fd = dial(s);
    SSL *ssl = shake(context, fd);
    X509 *leaf = SSL_get1_peer_certificate(ssl);
    assert_int_equal(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(leaf)), 1);
    X509_free(leaf);
    hang_up(ssl, fd);
    SSL_CTX_free(context);
    return serial;
}

static void certificates_change_and_bad_ones_do_not(void **state)
{
    static const char *const bad[] = { "", "nonsense",
                                       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
    struct server s;
    struct tls_error error;
    struct config_error why;
    server_open(&s, 0);
    const uint64_t first = serial_seen(&s);
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    const int old_fd = dial(&s);
    SSL *old = shake(context, old_fd);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        overwrite(s.files.cert, bad[i]);
        error.text[0] = 0;
        assert_int_equal(tls_server_reload(s.tls, &error), WEIR_CONFIG);
        print_message("%s\n", error.text);
        assert_non_null(strstr(error.text, s.files.cert));
        assert_int_equal(serial_seen(&s), first);
    }
    unlink(s.files.cert);
    assert_int_equal(tls_server_reload(s.tls, &error), WEIR_CONFIG);
    assert_non_null(strstr(error.text, "No such file"));
    /* another pair's certificate does not fit the key */
    char keep[300];
    snprintf(keep, sizeof keep, "%s.keep", s.files.key);
    rename(s.files.key, keep);
    assert_int_equal(cert_dev_make(s.dir, NULL, &s.files, &why), WEIR_OK);
    rename(keep, s.files.key);
    assert_int_equal(tls_server_reload(s.tls, &error), WEIR_CONFIG);
    print_message("%s\n", error.text);
    assert_int_equal(serial_seen(&s), first);
    unlink(s.files.cert);
    unlink(s.files.key);
    assert_int_equal(cert_dev_make(s.dir, NULL, &s.files, &why), WEIR_OK);
    assert_int_equal(tls_server_reload(s.tls, &error), WEIR_OK);
    const uint64_t second = serial_seen(&s);
    assert_int_not_equal(second, first);
    ask_and_check(&s, old, 1); /* who is connected goes on */
    hang_up(old, old_fd);
    SSL_CTX_free(context);
    server_close(&s);
    (void)state;
}

static void changed_files_are_read_once_they_stand_still(void **state)
{
    struct server s;
    struct config_error why;
    server_open(&s, 0);
    const uint64_t first = serial_seen(&s);
    tls_server_look(s.tls, 1);
    tls_server_look(s.tls, 2);
    assert_int_equal(serial_seen(&s), first);
    unlink(s.files.cert);
    unlink(s.files.key);
    assert_int_equal(cert_dev_make(s.dir, NULL, &s.files, &why), WEIR_OK);
    tls_server_look(s.tls, 3);
    assert_int_equal(serial_seen(&s), first); /* it may still be being written */
    tls_server_look(s.tls, 4);
    const uint64_t second = serial_seen(&s);
    assert_int_not_equal(second, first);
    tls_server_look(s.tls, 5);
    assert_int_equal(serial_seen(&s), second);
    server_close(&s);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_over_both_versions),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(sessions_resume_from_tickets),
        cmocka_unit_test(protocols_are_chosen),
        cmocka_unit_test(who_does_not_speak_tls_is_noticed),
        cmocka_unit_test(a_hello_in_single_bytes),
        cmocka_unit_test(stuck_handshakes_give_way),
        cmocka_unit_test(certificates_change_and_bad_ones_do_not),
        cmocka_unit_test(changed_files_are_read_once_they_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
