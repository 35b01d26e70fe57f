/* HTTPS on one loop: what TLS holds back from the socket must not be forgotten. */
#include "http_house.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <weir/base/tls.h>
#include <weir/server/cert_dev.h>

#define HOST "Host: a\r\n"

struct secure_house {
    struct house h;
    struct tls_server *tls;
    char dir[64];
    struct cert_files files;
    uint16_t port;
    SSL_CTX *context;
};

static void *prepare_tls(struct loop *loop, void *context)
{
    struct secure_house *s = context;
    struct config_error why;
    struct tls_error tls_why;
    snprintf(s->dir, sizeof s->dir, "/tmp/weir-io-https-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(cert_dev_make(s->dir, NULL, &s->files, &why), WEIR_OK);
    const struct tls_server_config config = {
        .cert_file = s->files.cert, .key_file = s->files.key, .loops = &loop, .loop_count = 1
    };
    assert_int_equal(tls_server_create(&s->tls, &config, &tls_why), WEIR_OK);
    return s->tls;
}

static void secure_open(struct secure_house *s)
{
    *s = (struct secure_house){ .port = 0 };
    house_open_with(&s->h, (struct http_server_config){ .connections_max = 0 }, prepare_tls, s, &s->port);
    s->context = SSL_CTX_new(TLS_client_method());
}

static void secure_close(struct secure_house *s)
{
    house_stop(&s->h);
    tls_server_destroy(s->tls);
    house_free(&s->h);
    SSL_CTX_free(s->context);
    unlink(s->files.cert);
    unlink(s->files.key);
    rmdir(s->dir);
}

static SSL *dial(struct secure_house *s, const char *protocol)
{
    struct client c;
    s->h.port = s->port;
    client_open(&c, &s->h);
    SSL *ssl = SSL_new(s->context);
    const struct timeval patience = { .tv_sec = DEADLINE_US / 1000000 };
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL_set_fd(ssl, c.fd);
    if (protocol) SSL_set_alpn_protos(ssl, (const unsigned char *)protocol, (unsigned)strlen(protocol));
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void hang_up(SSL *ssl)
{
    const int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

/* Many records in one packet: the server's TLS takes them all from the socket and gives them out one by one. */
static void records_that_came_together_are_all_read(void **state)
{
    enum { REQUESTS = 14, ROUNDS = 20 };
    static const char request[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
    static struct secure_house s;
    secure_open(&s);
    SSL *ssl = dial(&s, NULL);
    const int fd = SSL_get_fd(ssl);
    for (int round = 0; round < ROUNDS; round++) {
        int on = 1, off = 0, answers = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
        for (int i = 0; i < REQUESTS; i++)
            assert_int_equal(SSL_write(ssl, request, sizeof request - 1), sizeof request - 1);
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
        for (char text[8192]; answers < REQUESTS;) {
            const int got = SSL_read(ssl, text, sizeof text - 1);
            if (got <= 0) fail_msg("%d of %d answers in round %d", answers, REQUESTS, round);
            text[got] = 0;
            for (const char *at = text; (at = strstr(at, "HTTP/1.1 200")); at++) answers++;
        }
    }
    hang_up(ssl);
    WAIT_UNTIL(http_server_connections(s.h.server) == 0);
    secure_close(&s);
    (void)state;
}

/* A segment to someone who reads slowly, and to others meanwhile. */
static void segments_arrive_whole(void **state)
{
    static struct secure_house s;
    static uint8_t buffer[SEGMENT_BYTES + 4096];
    secure_open(&s);
    SSL *ssls[4];
    for (int i = 0; i < 4; i++) ssls[i] = dial(&s, "\x08http/1.1");
    for (int i = 0; i < 4; i++) {
        static const char request[] = "GET /live/a/video/s1.m4s HTTP/1.1\r\n" HOST "\r\n";
        assert_int_equal(SSL_write(ssls[i], request, sizeof request - 1), sizeof request - 1);
    }
    for (int i = 3; i >= 0; i--) {
        size_t used = 0, head = 0;
        while (!head || used < head + SEGMENT_BYTES) {
            const int got = SSL_read(ssls[i], buffer + used, (int)(sizeof buffer - 1 - used));
            if (got <= 0) fail_msg("the body ends early");
            used += (size_t)got;
            buffer[used] = 0;
            const char *end = strstr((char *)buffer, "\r\n\r\n");
            if (!head && end) head = (size_t)(end - (char *)buffer) + 4;
        }
        for (size_t at = 0; at < SEGMENT_BYTES; at++) {
            if (buffer[head + at] != segment_byte(at)) fail_msg("byte %zu differs", at);
        }
        hang_up(ssls[i]);
    }
    secure_close(&s);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_came_together_are_all_read),
        cmocka_unit_test(segments_arrive_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
