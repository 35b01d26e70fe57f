/* The HTTP server under clients that are slow, greedy, broken or hostile: each costs little and hurts nobody. */
#include "http_house.h"

#include <sys/mman.h>
#include <weir/base/log.h>

#define HOST "Host: a\r\n"
#define SEGMENT "/live/a/video/s1.m4s"

static void refusals_arrive_and_close(void **state)
{
    enum { BODY_BYTES = 300000 };
    static const struct {
        const char *what, *head;
        size_t padding;
        int status;
        enum counter counter;
    } cases[] = {
        { "a URL too long", "GET /", 3000, 414, COUNTER_HTTP_LIMIT_URL },
        { "a head too large", "GET / HTTP/1.1\r\n" HOST "X: ", 20000, 431, COUNTER_HTTP_LIMIT_HEADER },
        { "a large body", "POST /live/a/ HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n", BODY_BYTES, 413,
          COUNTER_HTTP_LIMIT_BODY },
        { "chunked", "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", BODY_BYTES, 400,
          COUNTER_HTTP_MALFORMED },
        { "a smuggled length", "GET / HTTP/1.1\r\n" HOST "Content-Length : 9\r\n\r\n", BODY_BYTES, 400,
          COUNTER_HTTP_MALFORMED },
        { "TLS", "\x16\x03\x01\x02\x01\x01\x01\r\n\r\n", BODY_BYTES, 501, COUNTER_HTTP_MALFORMED },
        { "a request inside another", "GET / HTTP/1.1\r\n" HOST "Host: b\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n",
          0, 400, COUNTER_HTTP_MALFORMED },
    };
    struct house h;
    char *padding = malloc(BODY_BYTES);
    memset(padding, 'p', BODY_BYTES);
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client c;
        struct received r;
        const uint64_t before = counted(&h, cases[i].counter);
        print_message("%s\n", cases[i].what);
        client_open(&c, &h);
        client_say(&c, cases[i].head);
        client_send(&c, padding, cases[i].padding);
        client_receive(&c, &r, false);
        assert_int_equal(r.status, cases[i].status);
        assert_string_equal(field(&r, "Connection"), "close");
        assert_true(r.body_bytes > 8);
        received_free(&r);
        /* not reset, although much of what was sent was never read; and the smuggled request has no answer */
        assert_true(client_sees_end(&c));
        assert_int_equal(counted(&h, cases[i].counter), before + 1);
        close(c.fd);
    }
    free(padding);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    house_close(&h);
    (void)state;
}

static void who_lingers_is_let_go(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    client_say(&c, "GET / HTTP/2.0\r\n\r\n");
    client_receive(&c, &r, false);
    assert_int_equal(r.status, 505);
    received_free(&r);
    WAIT_UNTIL(http_server_connections(h.server) == 0); /* although this end stays open */
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void slow_heads_are_told_and_silent_ones_dropped(void **state)
{
    struct house h;
    struct client slow, silent, second;
    struct received r;
    house_open(&h, (struct http_server_config){ .header_us = 100000 });
    client_open(&slow, &h);
    client_open(&silent, &h);
    client_open(&second, &h);
    client_say(&slow, "GET / HTTP/1.1\r\nX: y");
    client_get(&second, "/healthz", "", &r); /* in time, and its next request starts but does not end */
    received_free(&r);
    client_say(&second, "GET");
    client_receive(&slow, &r, false);
    assert_int_equal(r.status, 408);
    received_free(&r);
    client_receive(&second, &r, false);
    assert_int_equal(r.status, 408);
    received_free(&r);
    assert_true(client_sees_end(&slow));
    assert_true(client_sees_end(&silent));
    assert_true(client_sees_end(&second));
    assert_int_equal(counted(&h, COUNTER_HTTP_HEADER_TIMEOUT), 3);
    close(slow.fd);
    close(silent.fd);
    close(second.fd);
    house_close(&h);
    (void)state;
}

static void the_idle_are_dropped(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    house_open(&h, (struct http_server_config){ .idle_us = 100000 });
    client_open(&c, &h);
    client_get(&c, "/healthz", "", &r);
    received_free(&r);
    assert_true(client_sees_end(&c));
    assert_int_equal(counted(&h, COUNTER_HTTP_IDLE_TIMEOUT), 1);
    close(c.fd);
    house_close(&h);
    (void)state;
}

/* Who asks for much, reads nothing and keeps talking: talking is no progress. */
static void the_stalled_are_dropped(void **state)
{
    struct house h;
    struct client c;
    struct received r;
    const int small = 4096;
    house_open(&h, (struct http_server_config){ .stall_us = 1000000 });
    client_open(&c, &h);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 8; i++) client_say(&c, "GET " SEGMENT " HTTP/1.1\r\n" HOST "\r\n");
    struct client other;
    client_open(&other, &h);
    client_get(&other, SEGMENT, "", &r); /* nobody else is held up */
    assert_int_equal(r.body_bytes, SEGMENT_BYTES);
    received_free(&r);
    const int64_t until_us = clock_now_us() + DEADLINE_US;
    while (!counted(&h, COUNTER_HTTP_STALL_TIMEOUT)) {
        if (clock_now_us() > until_us) fail_msg("still there");
        poll(NULL, 0, 20);
        if (send(c.fd, "G", 1, MSG_NOSIGNAL) < 0) break;
    }
    WAIT_UNTIL(counted(&h, COUNTER_HTTP_STALL_TIMEOUT) == 1);
    close(c.fd);
    close(other.fd);
    house_close(&h);
    (void)state;
}

static void one_too_many_is_told_so(void **state)
{
    struct house h;
    struct client first, second, third;
    struct received r;
    house_open(&h, (struct http_server_config){ .connections_max = 2 });
    client_open(&first, &h);
    client_open(&second, &h);
    client_get(&first, "/healthz", "", &r);
    received_free(&r);
    client_get(&second, "/healthz", "", &r);
    received_free(&r);
    const int log = memfd_create("log", 0);
    assert_true(log >= 0);
    log_set_fd(log);
    client_open(&third, &h);
    client_receive(&third, &r, false);
    log_set_fd(STDERR_FILENO);
    char line[512] = "";
    assert_true(pread(log, line, sizeof line - 1, 0) > 0);
    assert_non_null(strstr(line, "warn delivery - connection_refused peer=127.0.0.1"));
    assert_non_null(strstr(line, "(delivery.connections)"));
    close(log);
    assert_int_equal(r.status, 503);
    assert_string_equal(field(&r, "Retry-After"), "5");
    received_free(&r);
    assert_true(client_sees_end(&third));
    assert_int_equal(counted(&h, COUNTER_HTTP_REFUSED_TOTAL), 1);
    close(first.fd);
    WAIT_UNTIL(http_server_connections(h.server) == 1);
    close(third.fd);
    client_open(&third, &h);
    client_get(&third, "/healthz", "", &r);
    received_free(&r);
    close(second.fd);
    close(third.fd);
    house_close(&h);
    (void)state;
}

static void ask_for_missing(struct client *c, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        struct received r;
        char target[64];
        snprintf(target, sizeof target, "/live/%08x/%s", (unsigned)i * 2654435761u,
                 i % 2 ? "index.m3u8" : "video/s1.m4s");
        client_get(c, target, "", &r);
        assert_int_equal(r.status, 404);
        received_free(&r);
    }
}

static void ten_thousand_missing_names_leave_nothing(void **state)
{
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    client_open(&c, &h);
    ask_for_missing(&c, 0, 1000);
    const size_t before = heap_bytes();
    ask_for_missing(&c, 1000, 10000);
    assert_true(heap_bytes() < before + 16 * KIB);
    assert_int_equal(registry_count(h.registry), 1);
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void connections_that_wait_are_small(void **state)
{
    enum { MANY = 400 };
    static int fds[MANY];
    struct house h;
    house_open(&h, (struct http_server_config){ .connections_max = 0 });
    const size_t before = heap_bytes();
    for (int i = 0; i < MANY; i++) {
        struct client c;
        client_open(&c, &h);
        client_say(&c, "GET /live/a/index.m3u8 HTTP/1.1\r\nHost: example.test\r\nUser-Agent: slow\r\nX-");
        fds[i] = c.fd;
    }
    WAIT_UNTIL(counted(&h, COUNTER_HTTP_ACCEPTED) == MANY);
    struct client c;
    struct received r;
    client_open(&c, &h);
    client_get(&c, "/healthz", "", &r); /* whoever knocks now is served at once, and all before it were read */
    received_free(&r);
    const size_t each = (heap_bytes() - before) / MANY;
    print_message("%zu bytes a connection\n", each);
    assert_true(each < 2 * KIB);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    close(c.fd);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    assert_true(heap_bytes() < before + 64 * KIB);
    house_close(&h);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_arrive_and_close),
        cmocka_unit_test(who_lingers_is_let_go),
        cmocka_unit_test(slow_heads_are_told_and_silent_ones_dropped),
        cmocka_unit_test(the_idle_are_dropped),
        cmocka_unit_test(the_stalled_are_dropped),
        cmocka_unit_test(one_too_many_is_told_so),
        cmocka_unit_test(ten_thousand_missing_names_leave_nothing),
        cmocka_unit_test(connections_that_wait_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
