#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/delivery/http_request.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static bool is_text(struct http_text got, const char *expected)
{
    return got.bytes == strlen(expected) && !memcmp(got.data, expected, got.bytes);
}

/* Reads `head` in an allocation of exactly its size, so that a sanitizer sees the first byte too many. */
static struct http_parsed parse(const char *head, size_t bytes, struct http_request *out, char **copy)
{
    *copy = malloc(bytes ? bytes : 1);
    assert_non_null(*copy);
    memcpy(*copy, head, bytes);
    return http_request_parse(*copy, bytes, out);
}

static void a_request_of_a_player(void **unused_state)
{
    static const char head[] =
        "GET /live/a/index.m3u8?x=1 HTTP/1.1\r\nHOST: example.test:8080\r\nUser-Agent: Player/1.0 (X)\r\n"
        "Accept-Encoding: gzip, br\r\nRange: bytes=0-1\r\nIf-Range: \"r\"\r\nif-none-match: \"p1\"\r\n\r\n";
    struct http_request r;
    char *copy;
    const struct http_parsed p = parse(head, sizeof head - 1, &r, &copy);
    assert_int_equal(p.result, HTTP_PARSE_DONE);
    assert_int_equal(p.consumed, sizeof head - 1);
    assert_int_equal(r.verb, HTTP_VERB_GET);
    assert_true(r.is_http_1_1 && r.keeps_alive);
    assert_true(is_text(r.target, "/live/a/index.m3u8?x=1"));
    assert_true(is_text(r.user_agent, "Player/1.0 (X)"));
    assert_true(is_text(r.accept_encoding, "gzip, br"));
    assert_true(is_text(r.range, "bytes=0-1"));
    assert_true(is_text(r.if_range, "\"r\""));
    assert_true(is_text(r.if_none_match, "\"p1\""));
    free(copy);
}

static const struct {
    const char *what, *head;
    enum http_verb verb;
    bool keeps_alive;
} accepted[] = {
    { "GET", GET "\r\n", HTTP_VERB_GET, true },
    { "HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_VERB_HEAD, true },
    { "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_VERB_OPTIONS, true },
    { "POST without a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", HTTP_VERB_OTHER, true },
    { "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_VERB_OTHER, true },
    { "Connection: close", GET "Connection: close\r\n\r\n", HTTP_VERB_GET, false },
    { "an upgrade nobody takes", GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", HTTP_VERB_GET, true },
    { "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", HTTP_VERB_GET, false },
    { "HTTP/1.0 that keeps alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_VERB_GET, true },
    { "absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_VERB_GET, true },
    { "empty lines in front", "\r\n\r\n" GET "\r\n", HTTP_VERB_GET, true },
    { "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_VERB_GET, true },
    { "an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", HTTP_VERB_GET, true },
    { "an empty field", GET "X:\r\n\r\n", HTTP_VERB_GET, true },
    { "a field of another name", GET "Transfer_Encoding: chunked\r\n\r\n", HTTP_VERB_GET, true },
};

static void accepted_whole_and_only_whole(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct http_request r;
        char *copy;
        const size_t bytes = strlen(accepted[i].head);
        print_message("%s\n", accepted[i].what);
        const struct http_parsed p = parse(accepted[i].head, bytes, &r, &copy);
        assert_int_equal(p.result, HTTP_PARSE_DONE);
        assert_int_equal(p.consumed, bytes);
        assert_int_equal(r.verb, accepted[i].verb);
        assert_int_equal(r.keeps_alive, accepted[i].keeps_alive);
        free(copy);
        for (size_t cut = 0; cut < bytes; cut++) {
            r.verb = HTTP_VERB_OTHER;
            r.target.bytes = 4711;
            assert_int_equal(parse(accepted[i].head, cut, &r, &copy).result, HTTP_PARSE_NEED);
            assert_int_equal(r.target.bytes, 4711);
            free(copy);
        }
    }
}

/* Everything two servers in a row could read differently, and everything that is not HTTP. */
static const struct {
    const char *what, *head;
    int status;
} refused[] = {
    { "chunked", GET "Transfer-Encoding: chunked\r\n\r\n", 400 },
    { "gzip, chunked", GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 400 },
    { "identity", GET "Transfer-Encoding: identity\r\n\r\n", 400 },
    { "both lengths", GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "both lengths, the other way round", GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400 },
    { "a space before the colon of Transfer-Encoding", GET "Transfer-Encoding : chunked\r\n\r\n", 400 },
    { "a tab before the colon", GET "Transfer-Encoding\t: chunked\r\n\r\n", 400 },
    { "a space before the colon of Content-Length", GET "Content-Length : 5\r\n\r\n", 400 },
    { "a space in a name", GET "Content -Length: 5\r\n\r\n", 400 },
    { "folded: a length behind a field", GET "X: y\r\n Content-Length: 5\r\n\r\n", 400 },
    { "folded with a tab", GET "X: y\r\n\tz\r\n\r\n", 400 },
    { "folded Transfer-Encoding", GET "Transfer-Encoding:\r\n chunked\r\n\r\n", 400 },
    { "folded and empty", GET "Content-Length: 0\r\n \r\n\r\n", 400 },
    { "a body", GET "Content-Length: 5\r\n\r\nhello", 413 },
    { "a body of a POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", 413 },
    { "a body somebody waits to send",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 413 },
    { "two equal lengths", GET "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400 },
    { "two lengths", GET "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", 400 },
    { "two lengths in one field", GET "Content-Length: 0, 0\r\n\r\n", 400 },
    { "a length with a sign", GET "Content-Length: +5\r\n\r\n", 400 },
    { "a negative length", GET "Content-Length: -1\r\n\r\n", 400 },
    { "a hexadecimal length", GET "Content-Length: 0x5\r\n\r\n", 400 },
    { "a length of nothing", GET "Content-Length: \r\n\r\n", 400 },
    { "a length over 64 bits", GET "Content-Length: 99999999999999999999999\r\n\r\n", 400 },
    { "bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400 },
    { "one bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400 },
    { "a bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
    { "a bare carriage return in a field", GET "X: a\rb\r\n\r\n", 400 },
    { "a control byte in a field", GET "X: a\001b\r\n\r\n", 400 },
    { "a control byte in the target", "GET /\001 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "a name that is no token", GET "X\xe9: b\r\n\r\n", 400 },
    { "no name", GET ": b\r\n\r\n", 400 },
    { "no colon", GET "nocolon\r\n\r\n", 400 },
    { "no Host", "GET / HTTP/1.1\r\n\r\n", 400 },
    { "two Hosts", GET "Host: b\r\n\r\n", 400 },
    { "two equal Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
    { "a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
    { "a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
    { "two Hosts in one field", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400 },
    { "a target that is no path", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "no version", "GET /\r\n\r\n", 505 },
    { "HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
    { "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
    { "HTTP/10.1", "GET / HTTP/10.1\r\nHost: a\r\n\r\n", 505 },
    { "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501 },
    { "an unknown method", "FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
    { "a method in small letters", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
    { "an RTMP handshake", "\x03\x01\x02\x03\r\n\r\n", 501 },
};

static void refused_with_a_reason(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct http_request r = { .verb = HTTP_VERB_OTHER };
        char *copy;
        const size_t bytes = strlen(refused[i].head);
        print_message("%s\n", refused[i].what);
        const struct http_parsed p = parse(refused[i].head, bytes, &r, &copy);
        assert_int_equal(p.result, HTTP_PARSE_BAD);
        assert_int_equal(p.status, refused[i].status);
        assert_non_null(p.why);
        assert_int_equal(r.verb, HTTP_VERB_OTHER);
        free(copy);
        /* however it is cut, it is refused in the end and never read as a request */
        for (size_t cut = 0; cut < bytes; cut++) {
            assert_int_not_equal(parse(refused[i].head, cut, &r, &copy).result, HTTP_PARSE_DONE);
            free(copy);
        }
    }
}

static void the_next_request_is_left_alone(void **unused_state)
{
    static const char two[] = GET "\r\n" GET "X: y\r\n\r\n";
    struct http_request r;
    const size_t first = strlen(GET) + 2;
    assert_int_equal(http_request_parse(two, sizeof two - 1, &r).consumed, first);
    assert_int_equal(http_request_parse(two + first, sizeof two - 1 - first, &r).consumed, sizeof two - 1 - first);
}

static void long_targets(void **unused_state)
{
    static char head[HTTP_HEADER_BYTES_MAX];
    for (size_t bytes = HTTP_URL_BYTES_MAX - 1; bytes <= HTTP_URL_BYTES_MAX + 1; bytes++) {
        struct http_request r;
        memset(head, 'a', sizeof head);
        memcpy(head, "GET /", 5);
        const int used = snprintf(head + 4 + bytes, 64, " HTTP/1.1\r\nHost: a\r\n\r\n");
        const struct http_parsed p = http_request_parse(head, 4 + bytes + (size_t)used, &r);
        if (bytes <= HTTP_URL_BYTES_MAX)
            assert_int_equal(p.result, HTTP_PARSE_DONE);
        else
            assert_int_equal(p.status, 414);
    }
    /* told before its end has come */
    struct http_request r;
    memset(head, 'a', sizeof head);
    memcpy(head, "GET /", 5);
    assert_int_equal(http_request_parse(head, HTTP_URL_BYTES_MAX, &r).result, HTTP_PARSE_NEED);
    assert_int_equal(http_request_parse(head, HTTP_URL_BYTES_MAX + 100, &r).status, 414);
}

static void large_heads(void **unused_state)
{
    static char head[HTTP_HEADER_BYTES_MAX + 64];
    struct http_request r;
    for (size_t bytes = HTTP_HEADER_BYTES_MAX - 1; bytes <= HTTP_HEADER_BYTES_MAX + 1; bytes++) {
        memset(head, 'y', sizeof head);
        memcpy(head, GET "X: ", strlen(GET "X: "));
        memcpy(head + bytes - 4, "\r\n\r\n", 4);
        const struct http_parsed p = http_request_parse(head, bytes, &r);
        if (bytes <= HTTP_HEADER_BYTES_MAX)
            assert_int_equal(p.result, HTTP_PARSE_DONE);
        else
            assert_int_equal(p.status, 431);
    }
    memset(head, 'y', sizeof head);
    memcpy(head, GET "X: ", strlen(GET "X: "));
    assert_int_equal(http_request_parse(head, HTTP_HEADER_BYTES_MAX - 1, &r).result, HTTP_PARSE_NEED);
    assert_int_equal(http_request_parse(head, HTTP_HEADER_BYTES_MAX, &r).status, 431);
    /* nothing but empty lines is no way to stay either */
    for (size_t i = 0; i < sizeof head; i++) head[i] = i % 2 ? '\n' : '\r';
    assert_int_equal(http_request_parse(head, sizeof head, &r).result, HTTP_PARSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_a_player), cmocka_unit_test(accepted_whole_and_only_whole),
        cmocka_unit_test(refused_with_a_reason), cmocka_unit_test(the_next_request_is_left_alone),
        cmocka_unit_test(long_targets),          cmocka_unit_test(large_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
