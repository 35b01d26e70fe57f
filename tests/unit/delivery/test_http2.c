/* HTTP/2 without a socket: libnghttp2's client on the other end, and bytes of our own where it would not say such things. */
#include "heap.h"
#include "hex.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "delivery/http_protocol.h"

#define BIG_BYTES (1 * MIB + 77)
#define STREAMS 4096
#define SECOND_US 1000000LL

/* -- a server that answers by path, and a client -- */

struct taken {
    int status;
    size_t body_bytes, fields;
    uint32_t error; /* when closed */
    bool is_closed, is_right, has_upper_case;
};

struct pipe {
    struct http_protocol *server;
    nghttp2_session *client;
    struct counters counters;
    struct frozen *big;
    struct taken taken[STREAMS]; /* by stream id / 2 */
    struct http_stream *waiting[STREAMS];
    size_t waiting_count, gone_count, cut;
    int64_t now_us;
    uint32_t goaway;
    bool is_ended, is_deaf; /* deaf: the client opens no windows */
    int32_t first_done;     /* the stream that ended first */
};

static uint8_t big_byte(size_t at)
{
    return (uint8_t)(at * 131 + (at >> 9));
}

static struct frozen *make_big(void)
{
    struct piece pieces[40];
    struct blob *b = blob_create(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++) blob_data(b)[i] = big_byte(i);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        const size_t from = BIG_BYTES * i / ARRAY_LEN(pieces), to = BIG_BYTES * (i + 1) / ARRAY_LEN(pieces);
        pieces[i] = (struct piece){ .blob = b, .data = blob_data(b) + from, .bytes = to - from };
    }
    struct frozen *f = frozen_create(pieces, ARRAY_LEN(pieces));
    blob_unref(b);
    return f;
}

static bool is_path(const struct http_request *r, const char *path)
{
    return r->target.bytes == strlen(path) && !memcmp(r->target.data, path, r->target.bytes);
}

static bool on_request(void *context, struct http_stream *stream, const struct http_request *r, struct http_answer *a)
{
    struct pipe *p = context;
    *a = (struct http_answer){ .status = 0 };
    if (is_path(r, "/wait")) {
        stream->waiter = p;
        p->waiting[p->waiting_count++] = stream;
        return false;
    }
    if (is_path(r, "/big") || is_path(r, "/urgent")) {
        http_answer_set_body(a, frozen_ref(p->big), "video/mp4", "no-cache");
        a->is_urgent = is_path(r, "/urgent");
        snprintf(a->etag, sizeof a->etag, "\"b\"");
        http_answer_apply_conditions(a, r);
    } else if (is_path(r, "/small")) {
        http_answer_set_body(a, frozen_copy("small", 5), "text/plain", "no-cache");
    } else {
        http_answer_error(a, 404, "Nothing.");
    }
    return true;
}

static void on_gone(void *context, void *waiter)
{
    struct pipe *p = context;
    assert_ptr_equal(waiter, p);
    p->gone_count++;
}

static struct taken *taken_of(struct pipe *p, int32_t id)
{
    assert_true(id > 0 && id / 2 < STREAMS);
    return &p->taken[id / 2];
}

static int client_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                            size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags, void *context)
{
    struct taken *t = taken_of(context, frame->hd.stream_id);
    t->fields++;
    for (size_t i = 0; i < name_bytes; i++) t->has_upper_case |= name[i] >= 'A' && name[i] <= 'Z';
    if (name_bytes == 7 && !memcmp(name, ":status", 7)) t->status = atoi((const char *)value);
    return 0;
}

static int client_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t bytes,
                          void *context)
{
    struct taken *t = taken_of(context, id);
    for (size_t i = 0; i < bytes; i++) t->is_right &= data[i] == big_byte(t->body_bytes + i);
    t->body_bytes += bytes;
    return 0;
}

static int client_on_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct pipe *p = context;
    struct taken *t = taken_of(p, id);
    t->is_closed = true;
    t->error = error;
    if (!p->first_done) p->first_done = id;
    return 0;
}

static int client_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct pipe *p = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) p->goaway = frame->goaway.error_code + 1;
    return 0;
}

static void pipe_open(struct pipe *p, int32_t window)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    memset(p, 0, sizeof *p);
    p->big = make_big();
    p->cut = SIZE_MAX;
    p->now_us = 1000 * SECOND_US;
    for (size_t i = 0; i < STREAMS; i++) p->taken[i].is_right = true;
    const struct http_protocol_events events = { .context = p,
                                                 .request = on_request,
                                                 .gone = on_gone,
                                                 .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                                                 .counters = &p->counters };
    p->server = http2_create(&events, p->now_us);
    assert_non_null(p->server);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_on_frame);
    nghttp2_option_new(&option);
    if (window < 0) nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_client_new2(&p->client, callbacks, p, option);
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                                  (uint32_t)(window > 0 ? window : 65535) },
                                                { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 } };
    nghttp2_submit_settings(p->client, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    if (window > 0) nghttp2_session_set_local_window_size(p->client, NGHTTP2_FLAG_NONE, 0, 16 * MIB);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

static void pipe_close(struct pipe *p)
{
    p->server->ops->destroy(p->server);
    nghttp2_session_del(p->client);
    frozen_unref(p->big);
}

static void feed_server(struct pipe *p, const uint8_t *data, size_t bytes)
{
    /* an exact-size copy of each cut, so that a sanitizer sees the first byte too many */
    for (size_t at = 0; at < bytes;) {
        const size_t run = bytes - at < p->cut ? bytes - at : p->cut;
        char *exact = malloc(run);
        memcpy(exact, data + at, run);
        p->server->ops->feed(p->server, exact, run, p->now_us);
        free(exact);
        at += run;
    }
}

/* Client to server. */
static bool send_up(struct pipe *p)
{
    const uint8_t *data;
    bool has_moved = false;
    for (ssize_t bytes; (bytes = nghttp2_session_mem_send(p->client, &data)) > 0; has_moved = true)
        feed_server(p, data, (size_t)bytes);
    return has_moved;
}

/* Server to client. */
static bool send_down(struct pipe *p)
{
    struct iovec pieces[7];
    bool is_all;
    p->server->ops->fill(p->server, p->now_us);
    const int used = output_gather(&p->server->output, pieces, ARRAY_LEN(pieces), &is_all);
    size_t sent = 0;
    assert_true(p->server->output.left_bytes < 256 * KIB);
    for (int i = 0; i < used; i++) {
        if (p->is_ended) break;
        const ssize_t got = nghttp2_session_mem_recv(p->client, pieces[i].iov_base, pieces[i].iov_len);
        assert_int_equal(got, pieces[i].iov_len);
        sent += pieces[i].iov_len;
    }
    output_advance(&p->server->output, sent);
    return used > 0;
}

static void pump(struct pipe *p)
{
    bool has_moved;
    do {
        const bool went_up = send_up(p), went_down = send_down(p);
        has_moved = went_up || went_down;
    } while (has_moved);
    const enum http_health health = p->server->ops->health(p->server);
    p->is_ended = health == HTTP_ENDED || health == HTTP_BROKEN;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0 };
}

static int32_t ask(struct pipe *p, const char *method, const char *path, const char *name, const char *value)
{
    const nghttp2_nv pairs[] = { pair(":method", method), pair(":scheme", "https"), pair(":path", path),
                                 pair(":authority", "a"), pair(name ? name : "user-agent", value ? value : "test") };
    const int32_t id = nghttp2_submit_request(p->client, NULL, pairs, ARRAY_LEN(pairs), NULL, NULL);
    assert_true(id > 0);
    return id;
}

static uint64_t counted(const struct pipe *p, enum counter id)
{
    return counter_read(&p->counters, id);
}

static void assert_taken(struct pipe *p, int32_t id, int status, size_t body_bytes)
{
    const struct taken *t = taken_of(p, id);
    assert_int_equal(t->status, status);
    assert_true(t->is_closed);
    assert_int_equal(t->body_bytes, body_bytes);
    assert_int_equal(t->error, NGHTTP2_NO_ERROR);
    assert_false(t->has_upper_case);
}

static void answer(struct pipe *p, struct http_stream *stream, const char *text)
{
    struct http_answer a = { .status = 0 };
    http_answer_set_body(&a, frozen_copy(text, strlen(text)), "text/plain", "no-cache");
    p->server->ops->answer(stream, &a);
}

/* -- tests -- */

static void answers_in_any_cut(void **state)
{
    static const size_t cuts[] = { SIZE_MAX, 1, 2, 3, 9, 100, 16393 };
    static struct pipe p;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        pipe_open(&p, 0);
        p.cut = cuts[i];
        const int32_t big = ask(&p, "GET", "/big", NULL, NULL), small = ask(&p, "GET", "/small", NULL, NULL),
                      head = ask(&p, "HEAD", "/big", NULL, NULL), none = ask(&p, "GET", "/none", NULL, NULL),
                      range = ask(&p, "GET", "/big", "range", "bytes=0-99999"),
                      same = ask(&p, "GET", "/big", "if-none-match", "\"b\"");
        pump(&p);
        assert_taken(&p, big, 200, BIG_BYTES);
        assert_true(taken_of(&p, big)->is_right);
        assert_taken(&p, small, 200, 5);
        assert_taken(&p, head, 200, 0);
        assert_taken(&p, none, 404, strlen("404 Nothing.\n"));
        assert_taken(&p, range, 206, 100000);
        assert_true(taken_of(&p, range)->is_right);
        assert_taken(&p, same, 304, 0);
        assert_int_equal(p.server->ops->health(p.server), HTTP_IDLE);
        assert_int_equal(counted(&p, COUNTER_HTTP_REQUESTS), 6);
        assert_int_equal(counted(&p, COUNTER_HTTP2_MALFORMED), 0);
        pipe_close(&p);
    }
    (void)state;
}

static void waiting_ends_with_an_answer_or_a_goodbye(void **state)
{
    static struct pipe p;
    pipe_open(&p, 0);
    const int32_t first = ask(&p, "GET", "/wait", NULL, NULL), second = ask(&p, "GET", "/wait", NULL, NULL);
    ask(&p, "GET", "/wait", NULL, NULL);
    pump(&p);
    assert_int_equal(p.waiting_count, 3);
    assert_int_equal(p.server->ops->health(p.server), HTTP_WAITING);
    assert_int_equal(taken_of(&p, first)->fields, 0); /* not a byte before the answer */
    nghttp2_submit_rst_stream(p.client, NGHTTP2_FLAG_NONE, second, NGHTTP2_CANCEL);
    pump(&p);
    assert_int_equal(p.gone_count, 1);
    answer(&p, p.waiting[0], "born");
    pump(&p);
    assert_taken(&p, first, 200, 4);
    pipe_close(&p);
    assert_int_equal(p.gone_count, 2); /* the third, with its connection */
    (void)state;
}

static void a_waiter_is_small(void **state)
{
    static struct pipe p;
    pipe_open(&p, 0);
    pump(&p);
    const size_t before = heap_bytes();
    for (int i = 0; i < HTTP2_STREAMS_MAX; i++) ask(&p, "GET", "/wait", NULL, NULL);
    const size_t client = heap_bytes() - before;
    pump(&p);
    const size_t each = (heap_bytes() - before) / HTTP2_STREAMS_MAX;
    print_message("%zu bytes a waiter, both ends; %zu of them are requests under way\n", each,
                  client / HTTP2_STREAMS_MAX);
    assert_int_equal(p.waiting_count, HTTP2_STREAMS_MAX);
    assert_true(each < 2 * KIB);
    pipe_close(&p);
    (void)state;
}

static void one_stream_too_many_is_refused(void **state)
{
    static struct pipe p;
    pipe_open(&p, 0);
    for (int i = 0; i < HTTP2_STREAMS_MAX + 5; i++) ask(&p, "GET", "/wait", NULL, NULL);
    pump(&p);
    assert_int_equal(p.waiting_count, HTTP2_STREAMS_MAX);
    for (int i = 0; i < HTTP2_STREAMS_MAX; i++) answer(&p, p.waiting[i], "now");
    pump(&p);
    int done = 0, refused = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        done += p.taken[i].status == 200;
        refused += p.taken[i].is_closed && p.taken[i].error == NGHTTP2_REFUSED_STREAM;
    }
    /* the client learns the limit from SETTINGS and holds some back itself */
    assert_true(done >= HTTP2_STREAMS_MAX);
    assert_int_equal(done + refused + (int)(p.waiting_count - HTTP2_STREAMS_MAX), HTTP2_STREAMS_MAX + 5);
    pipe_close(&p);
    (void)state;
}

static void requests_that_are_refused(void **state)
{
    static struct pipe p;
    static char long_path[HTTP_URL_BYTES_MAX + 2], long_value[6000];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    memset(long_value, 'v', sizeof long_value - 1);
    pipe_open(&p, 0);
    const nghttp2_nv many[] = { pair(":method", "GET"),  pair(":scheme", "https"), pair(":path", "/small"),
                                pair(":authority", "a"), pair("a", long_value),    pair("b", long_value),
                                pair("c", long_value) };
    const int32_t large = nghttp2_submit_request(p.client, NULL, many, ARRAY_LEN(many), NULL, NULL),
                  url = ask(&p, "GET", long_path, NULL, NULL);
    pump(&p);
    assert_int_equal(taken_of(&p, large)->status, 431);
    assert_int_equal(taken_of(&p, url)->status, 414);
    assert_int_equal(counted(&p, COUNTER_HTTP_LIMIT_HEADER), 1);
    assert_int_equal(counted(&p, COUNTER_HTTP_LIMIT_URL), 1);
    const int32_t after = ask(&p, "GET", "/small", NULL, NULL);
    pump(&p);
    assert_taken(&p, after, 200, 5); /* HPACK's table is still the same on both ends */
    pipe_close(&p);
    (void)state;
}

static ssize_t endless_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *context)
{
    memset(out, 0, room);
    return (ssize_t)room;
}

static void bodies_are_refused_and_not_read(void **state)
{
    static struct pipe p;
    const nghttp2_nv pairs[] = { pair(":method", "POST"), pair(":scheme", "https"), pair(":path", "/small"),
                                 pair(":authority", "a") };
    const nghttp2_data_provider body = { .read_callback = endless_body };
    pipe_open(&p, 0);
    const int32_t id = nghttp2_submit_request(p.client, NULL, pairs, ARRAY_LEN(pairs), &body, NULL);
    pump(&p);
    assert_int_equal(taken_of(&p, id)->status, 413);
    assert_true(taken_of(&p, id)->is_closed);
    assert_int_equal(taken_of(&p, id)->error, NGHTTP2_NO_ERROR);
    pipe_close(&p);
    (void)state;
}

/* The playlist that was asked for last is there before the segments that were asked for first. */
static void playlists_go_first(void **state)
{
    static struct pipe p;
    pipe_open(&p, 8 * MIB);
    pump(&p);
    ask(&p, "GET", "/big", NULL, NULL);
    ask(&p, "GET", "/big", NULL, NULL);
    send_up(&p);
    send_down(&p); /* the first has begun */
    const int32_t urgent = ask(&p, "GET", "/urgent", NULL, NULL);
    pump(&p);
    assert_int_equal(p.first_done, urgent);
    pipe_close(&p);
    (void)state;
}

static void a_client_without_windows_is_not_waited_for(void **state)
{
    static struct pipe p;
    pipe_open(&p, -1);
    const int32_t id = ask(&p, "GET", "/big", NULL, NULL), other = ask(&p, "GET", "/small", NULL, NULL);
    pump(&p);
    assert_int_equal(taken_of(&p, id)->body_bytes, 65535);
    p.server->ops->tick(p.server, p.now_us += 10 * SECOND_US, 20 * SECOND_US);
    pump(&p);
    assert_false(taken_of(&p, id)->is_closed);
    p.server->ops->tick(p.server, p.now_us += 11 * SECOND_US, 20 * SECOND_US);
    pump(&p);
    assert_int_equal(taken_of(&p, id)->error, NGHTTP2_CANCEL);
    assert_true(counted(&p, COUNTER_HTTP2_STREAM_STALLED) >= 1);
    assert_true(taken_of(&p, other)->status == 200 || taken_of(&p, other)->is_closed);
    pipe_close(&p);
    (void)state;
}

static void bodies_kept_alive_are_bounded(void **state)
{
    static struct pipe p;
    pipe_open(&p, -1);
    for (int i = 0; i < 90; i++) ask(&p, "GET", "/big", NULL, NULL);
    pump(&p);
    int refused = 0;
    for (size_t i = 0; i < STREAMS; i++) refused += p.taken[i].status == 503;
    assert_int_equal(counted(&p, COUNTER_HTTP2_LIMIT_PINNED), 90 - HTTP_PINNED_BYTES_MAX / BIG_BYTES - 1);
    assert_true(refused > 0);
    pipe_close(&p);
    (void)state;
}

static void many_resets_end_the_connection(void **state)
{
    static struct pipe p;
    pipe_open(&p, 0);
    pump(&p);
    int asked = 0;
    while (!p.goaway && asked < 1000) {
        const int32_t id = ask(&p, "GET", "/wait", NULL, NULL);
        send_up(&p);
        nghttp2_submit_rst_stream(p.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        pump(&p);
        asked++;
    }
    assert_int_equal(p.goaway, NGHTTP2_ENHANCE_YOUR_CALM + 1);
    assert_int_equal(asked, HTTP2_RESETS_BURST_MAX + 1);
    assert_int_equal(counted(&p, COUNTER_HTTP2_LIMIT_RESETS), 1);
    assert_true(p.is_ended);
    pipe_close(&p);
    assert_int_equal(p.gone_count, asked);
    /* a player that changes its mind now and then is no attacker */
    pipe_open(&p, 0);
    for (int i = 0; i < 1000; i++) {
        const int32_t id = ask(&p, "GET", "/wait", NULL, NULL);
        send_up(&p);
        nghttp2_submit_rst_stream(p.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        pump(&p);
        p.now_us += SECOND_US / 10;
    }
    assert_int_equal(p.goaway, 0);
    pipe_close(&p);
    (void)state;
}

static void many_pings_and_settings_end_the_connection(void **state)
{
    static struct pipe p;
    for (int is_settings = 0; is_settings < 2; is_settings++) {
        int sent = 0;
        pipe_open(&p, 0);
        pump(&p);
        for (; !p.goaway && sent < 1000; sent++) {
            if (is_settings)
                nghttp2_submit_settings(p.client, NGHTTP2_FLAG_NONE, NULL, 0);
            else
                nghttp2_submit_ping(p.client, NGHTTP2_FLAG_NONE, NULL);
            pump(&p);
        }
        assert_int_equal(p.goaway, NGHTTP2_ENHANCE_YOUR_CALM + 1);
        assert_true(sent <= HTTP2_CONTROLS_BURST_MAX);
        assert_int_equal(counted(&p, COUNTER_HTTP2_LIMIT_CONTROLS), 1);
        pipe_close(&p);
    }
    (void)state;
}

/* -- what no library sends -- */

#define PREFACE "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a"
#define SETTINGS "000000040000000000"

static void feed_hex(struct pipe *p, const char *text)
{
    const struct hex h = hex(text);
    feed_server(p, h.data, h.bytes);
}

static void broken_from_the_start(void **state)
{
    static const struct {
        const char *what, *bytes;
        enum http_health health; /* at once, before anything is written */
    } cases[] = {
        { "HTTP/1.1", "474554202f20485454502f312e310d0a0d0a00000000000000", HTTP_BROKEN },
        { "no SETTINGS first", PREFACE "0000080600000000000000000000000000", HTTP_SENDING },
        { "a frame larger than agreed", PREFACE SETTINGS "00400100000000000100", HTTP_SENDING },
        { "DATA on stream 0", PREFACE SETTINGS "00000100000000000000", HTTP_SENDING },
        { "HEADERS on an even stream",
          PREFACE SETTINGS "000001010500000002"
                           "82",
          HTTP_SENDING },
        { "HPACK that is none",
          PREFACE SETTINGS "000001010500000001"
                           "ff",
          HTTP_SENDING },
        { "a window beyond 2^31-1", PREFACE SETTINGS "0000040800000000007fffffff", HTTP_SENDING },
    };
    static struct pipe p;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("%s\n", cases[i].what);
        for (size_t cut = 0; cut < 2; cut++) {
            pipe_open(&p, 0);
            p.cut = cut ? 1 : SIZE_MAX;
            feed_hex(&p, cases[i].bytes);
            p.server->ops->fill(p.server, p.now_us);
            assert_int_equal(p.server->ops->health(p.server), cases[i].health);
            assert_int_equal(counted(&p, COUNTER_HTTP2_MALFORMED), 1);
            output_advance(&p.server->output, p.server->output.left_bytes);
            if (cases[i].health == HTTP_SENDING) assert_int_equal(p.server->ops->health(p.server), HTTP_ENDED);
            assert_false(p.server->ops->wants_bytes(p.server));
            pipe_close(&p);
        }
    }
    (void)state;
}

/* CVE-2024-27316 and its kin: a header block that never ends. */
static void endless_continuations_end_the_connection(void **state)
{
    static struct pipe p;
    int frames = 0;
    pipe_open(&p, 0);
    feed_hex(&p, PREFACE SETTINGS "000001010000000001"
                                  "82"); /* HEADERS without END_HEADERS */
    while (p.server->ops->wants_bytes(p.server) && frames < 100000) {
        feed_hex(&p, "000005090000000001"
                     "0001610162");
        frames++;
    }
    assert_true(frames < 100);
    assert_true(p.server->output.left_bytes < 64 * KIB);
    pipe_close(&p);
    (void)state;
}

/* A block that is refused in the middle leaves nothing, and the next one is read. */
static void a_refused_block_is_forgotten(void **state)
{
    static struct pipe p;
    pipe_open(&p, 0);
    /* no :path; ":method: GET" alone is no request */
    feed_hex(&p, PREFACE SETTINGS "000001010500000001"
                                  "82");
    /* :method GET, :scheme https, :path /, :authority a */
    feed_hex(&p, "000006010500000003"
                 "828784"
                 "410161");
    p.server->ops->fill(p.server, p.now_us);
    assert_int_equal(counted(&p, COUNTER_HTTP_REQUESTS), 1);
    assert_int_equal(counted(&p, COUNTER_HTTP_4XX), 1);
    assert_int_equal(p.server->reading_us, 0);
    pipe_close(&p);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_any_cut),
        cmocka_unit_test(waiting_ends_with_an_answer_or_a_goodbye),
        cmocka_unit_test(a_waiter_is_small),
        cmocka_unit_test(one_stream_too_many_is_refused),
        cmocka_unit_test(requests_that_are_refused),
        cmocka_unit_test(bodies_are_refused_and_not_read),
        cmocka_unit_test(playlists_go_first),
        cmocka_unit_test(a_client_without_windows_is_not_waited_for),
        cmocka_unit_test(bodies_kept_alive_are_bounded),
        cmocka_unit_test(many_resets_end_the_connection),
        cmocka_unit_test(many_pings_and_settings_end_the_connection),
        cmocka_unit_test(broken_from_the_start),
        cmocka_unit_test(endless_continuations_end_the_connection),
        cmocka_unit_test(a_refused_block_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
