/* Blocking reloads over real sockets: who waits, what releases him, and what he gets. */
#include "http_house.h"

#define HOST "Host: a\r\n"
#define PLAYLIST "/live/a/video/index.m3u8"
#define TARGET_S 4

/* -- a low-latency rendition, moved by hand -- */

struct state_of_it {
    uint64_t msn; /* last complete segment */
    uint32_t parts;
    const char *part_hint, *init_hint;
    const char *born; /* an object that is there now, "": none */
    bool is_ended;
    uint32_t target_s; /* 0: TARGET_S */
};

static void publish(struct house *h, const struct state_of_it *at)
{
    char text[160], delta_text[160];
    const int bytes = snprintf(text, sizeof text, "#EXTM3U\n# full %llu.%u\n", (unsigned long long)at->msn, at->parts),
              delta_bytes = snprintf(delta_text, sizeof delta_text, "#EXTM3U\n# delta %llu.%u\n",
                                     (unsigned long long)at->msn, at->parts);
    struct frozen *full = frozen_copy(text, (size_t)bytes), *delta = frozen_copy(delta_text, (size_t)delta_bytes),
                  *body = frozen_copy("the whole part", 14);
    struct edge_object object = { .kind = EDGE_PART, .body = body };
    snprintf(object.name, sizeof object.name, "%s", at->born ? at->born : "");
    struct edge_snapshot *s = edge_snapshot_create(
        &(struct edge_snapshot_config){ .media = EDGE_VIDEO_MP4,
                                        .playlist = full,
                                        .delta = delta,
                                        .last_msn = at->msn,
                                        .part_count = at->parts,
                                        .last_segment_parts = 8,
                                        .part_target_us = 250000,
                                        .target_duration_s = at->target_s ? at->target_s : TARGET_S,
                                        .part_hint = at->part_hint,
                                        .init_hint = at->init_hint,
                                        .is_ended = at->is_ended,
                                        .objects = &object,
                                        .object_count = at->born ? 1 : 0 });
    assert_int_equal(live_edge_publish(h->edge, "video", s), WEIR_OK);
    frozen_unref(full);
    frozen_unref(delta);
    frozen_unref(body);
}

static void open_at(struct house *h, uint64_t msn, uint32_t parts)
{
    house_open(h, (struct http_server_config){ .connections_max = 0 });
    publish(h, &(struct state_of_it){ .msn = msn, .parts = parts });
}

static void ask(struct client *c, const char *target)
{
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", target);
    client_say(c, text);
}

/* Asks on a connection of its own, and makes sure that it waits. */
static void ask_and_wait(struct client *c, struct house *h, const char *target)
{
    const uint64_t before = counted(h, COUNTER_HLS_WAITS);
    client_open(c, h);
    ask(c, target);
    WAIT_UNTIL(counted(h, COUNTER_HLS_WAITS) == before + 1);
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 0), 0); /* not a byte */
}

static void assert_answer(struct client *c, int status, const char *body, const char *cache_control)
{
    struct received r;
    client_receive(c, &r, false);
    assert_int_equal(r.status, status);
    if (body) assert_string_equal((char *)r.body, body);
    assert_string_equal(field(&r, "Cache-Control"), cache_control);
    received_free(&r);
}

#define SIX_TARGETS "public, max-age=24"

/* -- tests -- */

static void a_part_releases_all_who_wait_for_it(void **state)
{
    enum { MANY = 40 };
    static struct client clients[MANY], later, whole;
    struct house h;
    open_at(&h, 10, 3);
    for (int i = 0; i < MANY; i++)
        ask_and_wait(&clients[i], &h,
                     i % 2 ? PLAYLIST "?_HLS_msn=11&_HLS_part=3" : PLAYLIST "?_HLS_part=3&_HLS_msn=11&x=y");
    ask_and_wait(&later, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=4");
    ask_and_wait(&whole, &h, PLAYLIST "?_HLS_msn=11");
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4 });
    for (int i = 0; i < MANY; i++) {
        assert_answer(&clients[i], 200, "#EXTM3U\n# full 10.4\n", SIX_TARGETS);
        close(clients[i].fd);
    }
    assert_int_equal(counted(&h, COUNTER_HLS_WAIT_ANSWERED), MANY);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 5 });
    assert_answer(&later, 200, "#EXTM3U\n# full 10.5\n", SIX_TARGETS);
    publish(&h, &(struct state_of_it){ .msn = 11, .parts = 0 });
    assert_answer(&whole, 200, "#EXTM3U\n# full 11.0\n", SIX_TARGETS);
    /* both connections go on */
    ask(&later, PLAYLIST);
    assert_answer(&later, 200, "#EXTM3U\n# full 11.0\n", "public, max-age=2");
    close(later.fd);
    close(whole.fd);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    house_close(&h);
    (void)state;
}

static const struct {
    const char *query;
    int status;
    const char *body, *cache_control;
} at_once[] = {
    { "", 200, "#EXTM3U\n# full 10.3\n", "public, max-age=2" },
    { "?unknown=1&_HLS_report=x", 200, "#EXTM3U\n# full 10.3\n", "public, max-age=2" },
    { "?_HLS_skip=YES", 200, "#EXTM3U\n# delta 10.3\n", "public, max-age=2" },
    { "?_HLS_skip=v2", 200, "#EXTM3U\n# delta 10.3\n", "public, max-age=2" },
    { "?_HLS_skip=NO", 200, "#EXTM3U\n# full 10.3\n", "public, max-age=2" },
    { "?_HLS_msn=2&_HLS_part=9", 200, "#EXTM3U\n# full 10.3\n", SIX_TARGETS },
    { "?_HLS_msn=10", 200, "#EXTM3U\n# full 10.3\n", SIX_TARGETS },
    { "?_HLS_msn=10&_HLS_part=8", 200, "#EXTM3U\n# full 10.3\n", SIX_TARGETS },
    { "?_HLS_msn=11&_HLS_part=2&_HLS_skip=YES", 200, "#EXTM3U\n# delta 10.3\n", SIX_TARGETS },
    { "?_HLS_msn=13", 400, NULL, "max-age=1" },
    { "?_HLS_msn=11&_HLS_part=15", 400, NULL, "max-age=1" },
    { "?_HLS_msn=18446744073709551615", 400, NULL, "max-age=1" },
    { "?_HLS_part=0", 400, "400 _HLS_part needs _HLS_msn.\n", "max-age=16" },
    { "?_HLS_msn=-1", 400, "400 _HLS_msn is not a decimal number.\n", "max-age=16" },
    { "?_HLS_msn=18446744073709551616", 400, NULL, "max-age=16" },
};

static void what_is_answered_at_once(void **state)
{
    struct house h;
    struct client c;
    open_at(&h, 10, 3);
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
        char target[128];
        print_message("%s\n", at_once[i].query);
        snprintf(target, sizeof target, PLAYLIST "%s", at_once[i].query);
        ask(&c, target);
        assert_answer(&c, at_once[i].status, at_once[i].body, at_once[i].cache_control);
    }
    assert_int_equal(counted(&h, COUNTER_HLS_WAITS), 0);
    assert_int_equal(counted(&h, COUNTER_HLS_BAD_DIRECTIVES), 3);
    /* the end written: nothing asked for matters any more */
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3, .is_ended = true });
    for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
        char target[128];
        snprintf(target, sizeof target, PLAYLIST "%s", at_once[i].query);
        ask(&c, target);
        assert_answer(&c, 200, "#EXTM3U\n# full 10.3\n", "public, max-age=3600");
    }
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void first_the_wait_then_the_delta(void **state)
{
    struct house h;
    struct client delta, full, head;
    struct received r;
    static char tags[2][2100];
    open_at(&h, 10, 3);
    ask_and_wait(&delta, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3&_HLS_skip=YES");
    ask_and_wait(&full, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
    client_open(&head, &h);
    client_say(&head, "HEAD " PLAYLIST "?_HLS_msn=11&_HLS_part=3 HTTP/1.1\r\n" HOST "\r\n");
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == 3);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4 });
    client_receive(&delta, &r, false);
    assert_string_equal((char *)r.body, "#EXTM3U\n# delta 10.4\n");
    snprintf(tags[0], sizeof tags[0], "%s", field(&r, "ETag"));
    received_free(&r);
    client_receive(&full, &r, false);
    assert_string_equal((char *)r.body, "#EXTM3U\n# full 10.4\n");
    snprintf(tags[1], sizeof tags[1], "%s", field(&r, "ETag"));
    received_free(&r);
    assert_string_not_equal(tags[0], tags[1]);
    client_receive(&head, &r, true);
    assert_int_equal(r.status, 200);
    assert_string_equal(field(&r, "Content-Length"), "20");
    received_free(&r);
    ask(&head, "/healthz"); /* nothing came behind the head */
    assert_answer(&head, 200, "ok\n", "no-store");
    close(delta.fd);
    close(full.fd);
    close(head.fd);
    house_close(&h);
    (void)state;
}

static void a_hinted_part_comes_whole_or_not_at_all(void **state)
{
    static const char born_age[] = "public, max-age=31536000, immutable";
    struct house h;
    struct client part, piece, init, lost, stranger;
    struct received r;
    open_at(&h, 10, 3);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3, .part_hint = "p11.3.m4s", .init_hint = "init-2.mp4" });
    ask_and_wait(&part, &h, "/live/a/video/p11.3.m4s");
    ask_and_wait(&init, &h, "/live/a/video/init-2.mp4");
    client_open(&piece, &h);
    client_say(&piece, "GET /live/a/video/p11.3.m4s HTTP/1.1\r\n" HOST "Range: bytes=4-8\r\n\r\n");
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == 3);
    client_open(&stranger, &h);
    ask(&stranger, "/live/a/video/p11.4.m4s"); /* nobody announced it */
    assert_answer(&stranger, 404, NULL, "no-store");
    publish(&h, &(struct state_of_it){
                    .msn = 10, .parts = 4, .part_hint = "p11.4.m4s", .init_hint = "init-2.mp4", .born = "p11.3.m4s" });
    assert_answer(&part, 200, "the whole part", born_age);
    client_receive(&piece, &r, false);
    assert_int_equal(r.status, 206);
    assert_string_equal((char *)r.body, "whole");
    assert_string_equal(field(&r, "Content-Range"), "bytes 4-8/14");
    received_free(&r);
    /* another era: what was hinted is never made */
    ask_and_wait(&lost, &h, "/live/a/video/p11.4.m4s");
    publish(&h, &(struct state_of_it){ .msn = 11, .parts = 0, .part_hint = "p12.0.m4s", .born = "init-2.mp4" });
    assert_answer(&init, 200, "the whole part", born_age);
    assert_answer(&lost, 404, NULL, "max-age=4");
    ask(&lost, "/live/a/video/p12.0.m4s");
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == 5);
    publish(&h, &(struct state_of_it){ .msn = 11, .parts = 0, .part_hint = "p12.0.m4s", .is_ended = true });
    assert_answer(&lost, 404, NULL, "max-age=4");
    close(part.fd);
    close(piece.fd);
    close(init.fd);
    close(lost.fd);
    close(stranger.fd);
    house_close(&h);
    (void)state;
}

static void the_end_of_a_stream_releases_everyone(void **state)
{
    struct house h;
    struct client one, two;
    open_at(&h, 10, 3);
    ask_and_wait(&one, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=9");
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3, .is_ended = true });
    assert_answer(&one, 200, "#EXTM3U\n# full 10.3\n", "public, max-age=3600");
    /* a stream that breaks off without an ENDLIST */
    publish(&h, &(struct state_of_it){ .msn = 20, .parts = 1, .part_hint = "p.m4s" });
    ask_and_wait(&one, &h, PLAYLIST "?_HLS_msn=21&_HLS_part=1&_HLS_skip=YES");
    ask_and_wait(&two, &h, "/live/a/video/p.m4s");
    live_edge_set_state(h.edge, STREAM_ENDED);
    assert_answer(&one, 200, "#EXTM3U\n# delta 20.1\n", SIX_TARGETS);
    assert_answer(&two, 404, NULL, "max-age=4");
    close(one.fd);
    close(two.fd);
    house_close(&h);
    (void)state;
}

static void nothing_for_three_target_durations(void **state)
{
    struct house h;
    struct client playlist, part;
    struct received r;
    open_at(&h, 10, 3);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3, .part_hint = "p.m4s", .target_s = 1 });
    const int64_t before_us = clock_now_us();
    ask_and_wait(&playlist, &h, PLAYLIST "?_HLS_msn=11");
    ask_and_wait(&part, &h, "/live/a/video/p.m4s");
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4, .part_hint = "p.m4s", .target_s = 1 }); /* no help */
    client_receive(&playlist, &r, false);
    assert_int_equal(r.status, 503);
    assert_string_equal(field(&r, "Retry-After"), "1");
    received_free(&r);
    assert_answer(&part, 503, NULL, "no-store");
    assert_in_range(clock_now_us() - before_us, 3000000, 8000000);
    assert_int_equal(counted(&h, COUNTER_HLS_WAIT_TIMEOUT), 2);
    close(playlist.fd);
    close(part.fd);
    house_close(&h);
    (void)state;
}

static void who_leaves_does_not_wait(void **state)
{
    struct house h;
    struct client closed, reset, stays;
    const struct linger at_once_away = { .l_onoff = 1 };
    open_at(&h, 10, 3);
    ask_and_wait(&closed, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
    ask_and_wait(&reset, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
    ask_and_wait(&stays, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
    close(closed.fd);
    setsockopt(reset.fd, SOL_SOCKET, SO_LINGER, &at_once_away, sizeof at_once_away);
    close(reset.fd);
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAIT_GONE) == 2);
    WAIT_UNTIL(http_server_connections(h.server) == 1);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4 });
    assert_answer(&stays, 200, NULL, SIX_TARGETS);
    ask(&stays, PLAYLIST "?_HLS_msn=11&_HLS_part=4");
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == 4);
    house_close(&h); /* with one that waits */
    close(stays.fd);
    (void)state;
}

static void pipelined_answers_keep_their_order(void **state)
{
    struct house h;
    struct client c;
    open_at(&h, 10, 3);
    client_open(&c, &h);
    client_say(&c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
                   "GET " PLAYLIST "?_HLS_msn=11&_HLS_part=4 HTTP/1.1\r\n" HOST "\r\n"
                   "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
                   "GET " PLAYLIST "?_HLS_msn=11&_HLS_part=3 HTTP/1.1\r\n" HOST "\r\n"
                   "GET /nothing HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == 2);
    assert_answer(&c, 200, "ok\n", "no-store");
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4 }); /* the second to wait is released first */
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAIT_ANSWERED) == 1);
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 5 });
    assert_answer(&c, 200, "#EXTM3U\n# full 10.5\n", SIX_TARGETS);
    assert_answer(&c, 200, "ok\n", "no-store");
    assert_answer(&c, 200, "#EXTM3U\n# full 10.4\n", SIX_TARGETS);
    assert_answer(&c, 404, NULL, "max-age=1");
    assert_true(client_sees_end(&c));
    close(c.fd);
    house_close(&h);
    (void)state;
}

/* Waiting is not stalling, idling, or a head that does not come. */
static void the_patient_are_not_thrown_out(void **state)
{
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .header_us = 100000, .idle_us = 100000, .stall_us = 100000 });
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3 });
    ask_and_wait(&c, &h, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
    poll(NULL, 0, 1500); /* three looks at the deadlines */
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 4 });
    assert_answer(&c, 200, NULL, SIX_TARGETS);
    close(c.fd);
    house_close(&h);
    (void)state;
}

static void those_who_wait_are_small(void **state)
{
    enum { MANY = 400 };
    static int fds[MANY];
    struct house h;
    open_at(&h, 10, 3);
    const size_t before = heap_bytes();
    for (int i = 0; i < MANY; i++) {
        struct client c;
        client_open(&c, &h);
        ask(&c, PLAYLIST "?_HLS_msn=11&_HLS_part=3");
        fds[i] = c.fd;
    }
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == MANY);
    const size_t each = (heap_bytes() - before) / MANY;
    print_message("%zu bytes a connection that waits\n", each);
    assert_true(each < 2 * KIB);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    WAIT_UNTIL(counted(&h, COUNTER_HLS_WAIT_GONE) == MANY);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    house_close(&h);
    (void)state;
}

static void other_origins(void **state)
{
    static const char *const origins[] = { "https://a.example", "https://b.example:8443" };
    static const struct {
        const char *origin, *allowed;
    } cases[] = {
        { "", "" },
        { "Origin: https://a.example\r\n", "https://a.example" },
        { "Origin: HTTPS://A.Example\r\n", "https://a.example" },
        { "Origin: https://b.example:8443\r\n", "https://b.example:8443" },
        { "Origin: https://b.example\r\n", "" },
        { "Origin: https://a.example.evil\r\n", "" },
        { "Origin: null\r\n", "" },
    };
    struct house h;
    struct client c;
    house_open(&h, (struct http_server_config){ .origins = origins, .origin_count = 2 });
    publish(&h, &(struct state_of_it){ .msn = 10, .parts = 3 });
    client_open(&c, &h);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct received r;
        char extra[256];
        print_message("%s\n", cases[i].origin);
        client_get(&c, PLAYLIST, cases[i].origin, &r);
        assert_string_equal(field(&r, "Access-Control-Allow-Origin"), cases[i].allowed);
        assert_string_equal(field(&r, "Vary"), "Accept-Encoding, Origin");
        received_free(&r);
        /* and after a wait */
        snprintf(extra, sizeof extra, "GET " PLAYLIST "?_HLS_msn=11&_HLS_part=%zu HTTP/1.1\r\n" HOST "%s\r\n", 3 + i,
                 cases[i].origin);
        client_say(&c, extra);
        WAIT_UNTIL(counted(&h, COUNTER_HLS_WAITS) == i + 1);
        publish(&h, &(struct state_of_it){ .msn = 10, .parts = (uint32_t)(4 + i) });
        client_receive(&c, &r, false);
        assert_string_equal(field(&r, "Access-Control-Allow-Origin"), cases[i].allowed);
        assert_string_equal(field(&r, "Vary"), "Accept-Encoding, Origin");
        received_free(&r);
    }
    close(c.fd);
    house_close(&h);
    (void)state;
}

/* Publishing and asking at the same time, as fast as both can: nobody is forgotten. */
static void nobody_is_forgotten(void **state)
{
    enum { PARTS = 2000, CLIENTS = 4 };
    static struct client clients[CLIENTS];
    uint64_t wanted[CLIENTS];
    struct house h;
    open_at(&h, 10, 0);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &h);
        ask(&clients[i], PLAYLIST "?_HLS_msn=11&_HLS_part=0");
        wanted[i] = 0;
    }
    for (uint64_t part = 1; part <= PARTS; part++) {
        publish(&h, &(struct state_of_it){ .msn = 10 + part / 8, .parts = part % 8 });
        const int i = (int)(part % CLIENTS);
        struct received r;
        char target[128];
        client_receive(&clients[i], &r, false);
        assert_int_equal(r.status, 200);
        unsigned long long msn, parts;
        assert_int_equal(sscanf((char *)r.body, "#EXTM3U\n# full %llu.%llu", &msn, &parts), 2);
        assert_true((msn - 10) * 8 + parts > wanted[i]);
        received_free(&r);
        wanted[i] = part + (CLIENTS - 1); /* there when it is this one's turn again */
        snprintf(target, sizeof target, PLAYLIST "?_HLS_msn=%llu&_HLS_part=%llu",
                 11 + (unsigned long long)wanted[i] / 8, (unsigned long long)wanted[i] % 8);
        ask(&clients[i], target);
    }
    for (int i = 0; i < CLIENTS; i++) close(clients[i].fd);
    WAIT_UNTIL(http_server_connections(h.server) == 0);
    const uint64_t left = counted(&h, COUNTER_HLS_WAITS) - counted(&h, COUNTER_HLS_WAIT_ANSWERED) -
                          counted(&h, COUNTER_HLS_WAIT_GONE) - counted(&h, COUNTER_HLS_WAIT_TIMEOUT);
    assert_int_equal(left, 0);
    house_close(&h);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_releases_all_who_wait_for_it),
        cmocka_unit_test(what_is_answered_at_once),
        cmocka_unit_test(first_the_wait_then_the_delta),
        cmocka_unit_test(a_hinted_part_comes_whole_or_not_at_all),
        cmocka_unit_test(the_end_of_a_stream_releases_everyone),
        cmocka_unit_test(nothing_for_three_target_durations),
        cmocka_unit_test(who_leaves_does_not_wait),
        cmocka_unit_test(pipelined_answers_keep_their_order),
        cmocka_unit_test(the_patient_are_not_thrown_out),
        cmocka_unit_test(those_who_wait_are_small),
        cmocka_unit_test(other_origins),
        cmocka_unit_test(nobody_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
