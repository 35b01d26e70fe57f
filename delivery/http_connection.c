#include "http_connection.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>
#include <weir/base/wire.h>

#define PIECES_PER_WRITE 64
#define WRITE_BYTES_PER_TURN (1 * MIB) /* then somebody else has his turn */
#define READS_PER_TURN 4
#define PREFACE_TELLING_BYTES 4 /* "PRI ": no method of HTTP/1.1 begins so; nobody sends less in one go */
#define DATE_US 1000000
#define HASH_SEED 0xCBF29CE484222325u
#define LINGER_US (2 * 1000000LL)
#define LINGER_BYTES_MAX (1 * MIB)

struct http_connection {
    struct http_home *home;
    struct http_connection *next, *previous;
    struct http_connection *next_unsettled;
    struct event *readable, *writable;
    struct wire wire;
    struct http_protocol *protocol; /* NULL: not a byte came yet */
    int64_t started_us;
    int64_t active_us; /* last byte in either direction */
    int64_t sent_us;   /* last progress of an answer; a client that keeps talking but does not read moves nothing */
    uint64_t address_hash;
    size_t lingered_bytes;
    uint32_t waiting; /* requests that are answered later */
    uint8_t watched;  /* set of enum wire_watch: the events that are added */
    bool is_broken, is_lingering, is_unsettled;
};

static void count(struct http_connection *c, enum counter id)
{
    counter_add(c->home->room.counters, id, 1);
}

static void forget_unsettled(struct http_connection *c)
{
    for (struct http_connection **link = &c->home->unsettled; *link; link = &(*link)->next_unsettled) {
        if (*link != c) continue;
        *link = c->next_unsettled;
        break;
    }
    c->is_unsettled = false;
}

static void destroy(struct http_connection *c)
{
    struct http_home *home = c->home;
    if (c->is_unsettled) forget_unsettled(c);
    if (c->protocol) c->protocol->ops->destroy(c->protocol);
    if (c->readable) event_free(c->readable);
    if (c->writable) event_free(c->writable);
    wire_deinit(&c->wire);
    close(c->wire.fd);
    if (c->previous)
        c->previous->next = c->next;
    else
        home->first = c->next;
    if (c->next) c->next->previous = c->previous;
    count(c, COUNTER_HTTP_CLOSED);
    home->closed(home->context);
    free(c);
}

/* -- requests -- */

static void refresh_date(struct http_home *home)
{
    const int64_t now_us = clock_wall_us();
    if (now_us - home->date_us < DATE_US && now_us >= home->date_us) return;
    home->date_us = now_us / DATE_US * DATE_US;
    http_date_format(now_us, home->date);
}

static uint64_t hash_more(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001B3u;
    return hash;
}

/* Whom a proxy speaks for, or who is at the other end; and with which player. Anyone can claim to be many: this counts, and decides
 * nothing. */
static uint64_t viewer_id(const struct http_connection *c, const struct http_request *request)
{
    const struct http_text whom = request->forwarded_for;
    const uint64_t hash = whom.bytes ? hash_more(HASH_SEED, whom.data, whom.bytes) : c->address_hash;
    return hash_more(hash, request->user_agent.data, request->user_agent.bytes);
}

static enum http_sight sight_of(const struct http_request *request)
{
    if (!request->sample.bytes) return SIGHT_OWN;
    return request->sample.data[0] == '1' ? SIGHT_SAMPLE : SIGHT_NONE;
}

static bool on_request(void *context, struct http_stream *stream, const struct http_request *request,
                       struct http_answer *answer)
{
    struct http_connection *c = context;
    const struct http_asker asker = { .stream = stream,
                                      .viewer = viewer_id(c, request),
                                      .sight = sight_of(request),
                                      .now_us = c->active_us,
                                      .may_wait = c->waiting < BLOCKED_PER_CONNECTION_MAX };
    const bool is_answered = answer_room_ask(&c->home->room, request, &asker, answer);
    if (!is_answered) c->waiting++;
    return is_answered;
}

static void on_gone(void *context, void *waiter)
{
    struct http_connection *c = context;
    c->waiting--;
    struct http_waiter *w = waiter;
    w->cancel(w);
}

/* -- sockets -- */

static void watch_one(struct event *event, bool is_wanted)
{
    if (is_wanted)
        event_add(event, NULL);
    else
        event_del(event);
}

static void watch(struct http_connection *c, unsigned wanted)
{
    const unsigned needed = wire_watch(&c->wire, wanted), changed = needed ^ c->watched;
    if (changed & WIRE_READABLE) watch_one(c->readable, needed & WIRE_READABLE);
    if (changed & WIRE_WRITABLE) watch_one(c->writable, needed & WIRE_WRITABLE);
    c->watched = (uint8_t)needed;
}

static void flush(struct http_connection *c)
{
    struct http_output *output = &c->protocol->output;
    size_t budget = WRITE_BYTES_PER_TURN;
    for (;;) {
        struct iovec pieces[PIECES_PER_WRITE];
        bool is_all;
        c->protocol->ops->fill(c->protocol, c->active_us);
        const int used = output_gather(output, pieces, PIECES_PER_WRITE, &is_all);
        if (!used || !budget) return;
        size_t sent = 0;
        const enum wire_result result = wire_write(&c->wire, pieces, used, !is_all, &sent);
        if (result == WIRE_AGAIN) return;
        if (result != WIRE_OK) {
            c->is_broken = true;
            return;
        }
        c->active_us = c->sent_us = clock_now_us();
        counter_add(c->home->room.counters, COUNTER_HTTP_BYTES_OUT, sent);
        output_advance(output, sent);
        budget -= sent < budget ? sent : budget;
    }
}

/* Closing a socket with bytes unread resets it, and the client may never see what was wrong (RFC 9112, 9.6). So after a refusal
 * what still comes is thrown away for a moment. false: nothing to wait for. */
static bool linger(struct http_connection *c)
{
    if (!c->protocol->wants_linger) return false;
    c->is_lingering = true;
    c->active_us = clock_now_us();
    return wire_end_writing(&c->wire);
}

static void throw_away(struct http_connection *c)
{
    size_t got = 0;
    const enum wire_result result = wire_read(&c->wire, c->home->buffer, HTTP_READ_BYTES, &got);
    if (result == WIRE_AGAIN) return;
    c->lingered_bytes += got;
    if (result != WIRE_OK || c->lingered_bytes > LINGER_BYTES_MAX) destroy(c);
}

/* Reads on at the next turn of the loop without waiting for the descriptor. */
static void read_on(struct http_connection *c)
{
    static const struct timeval at_once = { .tv_sec = 0 };
    c->watched |= WIRE_READABLE;
    event_add(c->readable, &at_once);
}

/* Puts into effect what happened; `c` may be gone afterwards. */
static void finish_turn(struct http_connection *c)
{
    struct http_protocol *p = c->protocol;
    if (!(c->watched & WIRE_WRITABLE)) c->sent_us = c->active_us;
    if (p && !c->is_broken) flush(c);
    const enum http_health health = p ? p->ops->health(p) : HTTP_IDLE;
    if (c->is_broken || health == HTTP_BROKEN || (health == HTTP_ENDED && !linger(c))) {
        destroy(c);
        return;
    }
    const bool is_reading = c->is_lingering || !p || p->ops->wants_bytes(p);
    watch(c, (is_reading ? WIRE_READABLE : 0u) | (health == HTTP_SENDING ? WIRE_WRITABLE : 0u));
    if (is_reading && wire_has_buffered(&c->wire)) read_on(c);
}

/* The last answer that a connection waits for is sent at once: what it touches is in the cache now, and of thousands the first one does not wait
 * until the last one is made. The others of a connection go out together. */
void http_home_answered(void *context, struct http_stream *stream, struct http_answer *answer)
{
    struct http_home *home = context;
    struct http_protocol *p = stream->protocol;
    struct http_connection *c = p->events.context;
    c->waiting--;
    refresh_date(home);
    p->ops->answer(stream, answer);
    const bool is_first = home->unsettled == c;
    if (!c->waiting && (!c->is_unsettled || is_first)) {
        if (is_first) home->unsettled = c->next_unsettled;
        c->is_unsettled = false;
        c->active_us = clock_now_us();
        finish_turn(c);
        return;
    }
    if (c->is_unsettled) return;
    c->is_unsettled = true;
    c->next_unsettled = home->unsettled;
    home->unsettled = c;
}

void http_home_settled(void *context)
{
    struct http_home *home = context;
    const int64_t now_us = clock_now_us();
    refresh_date(home);
    for (struct http_connection *c; (c = home->unsettled);) {
        home->unsettled = c->next_unsettled;
        c->is_unsettled = false;
        c->active_us = now_us;
        finish_turn(c);
    }
}

/* Who speaks HTTP without TLS to the port for HTTPS gets an answer that he can read. */
static void answer_plain_talk(struct http_connection *c)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 48\r\n\r\n400 This port speaks HTTPS: ask with https://...\n";
    if (send(c->wire.fd, text, sizeof text - 1, MSG_NOSIGNAL) > 0) shutdown(c->wire.fd, SHUT_WR);
    /* what the client said is read once, so that closing does not reset what he is to read */
    if (recv(c->wire.fd, c->home->buffer, HTTP_READ_BYTES, MSG_DONTWAIT) < 0) return;
}

static void on_wire_broken(struct http_connection *c)
{
    c->is_broken = true;
    if (wire_is_plain_talk(&c->wire)) answer_plain_talk(c);
    if (!wire_is_open(&c->wire))
        log_event(LOG_DELIVERY, LOG_DEBUG, "-", "tls_failed", "reason=%s", log_quote_text(wire_error(&c->wire)).text);
}

/* How every client of HTTP/2 begins (RFC 9113, 3.4). */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* TLS has agreed on one; in the clear the client just speaks it. */
static bool is_http_2(const struct http_connection *c, const char *data, size_t bytes)
{
    if (c->wire.tls) return wire_is_http_2(&c->wire);
    const size_t run = bytes < sizeof preface - 1 ? bytes : sizeof preface - 1;
    return run >= PREFACE_TELLING_BYTES && !memcmp(data, preface, run);
}

static bool choose_protocol(struct http_connection *c, const char *data, size_t bytes)
{
    const struct http_protocol_events events = {
        .context = c,
        .request = on_request,
        .gone = on_gone,
        .date = c->home->date,
        .counters = c->home->room.counters,
    };
    c->protocol = is_http_2(c, data, bytes) ? http2_create(&events, c->started_us)
                                            : http1_create(&events, c->started_us);
    return c->protocol != NULL;
}

static void read_bytes(struct http_connection *c)
{
    char *buffer = c->home->buffer;
    for (int i = 0; i < READS_PER_TURN && (!c->protocol || c->protocol->ops->wants_bytes(c->protocol)); i++) {
        size_t got = 0;
        const enum wire_result result = wire_read(&c->wire, buffer, HTTP_READ_BYTES, &got);
        if (result == WIRE_AGAIN) return;
        if (result == WIRE_BROKEN || (result == WIRE_CLOSED && !c->protocol)) {
            on_wire_broken(c);
            return;
        }
        c->active_us = clock_now_us();
        refresh_date(c->home);
        if (result == WIRE_CLOSED) {
            c->protocol->ops->feed_end(c->protocol);
            return;
        }
        if (!c->protocol && !choose_protocol(c, buffer, got)) {
            c->is_broken = true;
            return;
        }
        c->protocol->ops->feed(c->protocol, buffer, got, c->active_us);
        if (!wire_has_buffered(&c->wire)) return;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct http_connection *c = context;
    if (what & EV_TIMEOUT) c->watched &= (uint8_t)~WIRE_READABLE; /* of read_on: libevent took the event out with it */
    if (c->is_lingering) {
        throw_away(c);
        return;
    }
    read_bytes(c);
    finish_turn(c);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct http_connection *c = context;
    /* TLS may have to write before it can read */
    if (!(wire_watch(&c->wire, WIRE_READABLE) & WIRE_READABLE) && !c->is_lingering) read_bytes(c);
    finish_turn(c);
}

static void on_wire_ready(void *context)
{
    on_readable(-1, 0, context);
}

/* -- life -- */

static bool open_wire(struct http_connection *c, int fd, bool is_tls)
{
    if (!is_tls) {
        wire_init_plain(&c->wire, fd);
        return true;
    }
    c->wire.fd = fd;
    return wire_init_tls(&c->wire, fd, c->home->config->tls, c->home->loop_index, WIRE_HTTP, on_wire_ready, c) ==
           WEIR_OK;
}

void http_connection_start(struct http_home *home, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    loop_assert_current(home->room.loop);
    struct http_connection *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        home->closed(home->context);
        return;
    }
    struct event_base *base = loop_event_base(home->room.loop);
    uint8_t address[16];
    const int on = 1;
    net_address_bytes(peer, address);
    c->home = home;
    c->address_hash = hash_more(HASH_SEED, address, sizeof address);
    c->active_us = c->started_us = clock_now_us();
    c->next = home->first;
    if (c->next) c->next->previous = c;
    home->first = c;
    count(c, COUNTER_HTTP_ACCEPTED);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if (!open_wire(c, fd, is_tls) || !c->readable || !c->writable)
        destroy(c);
    else
        watch(c, WIRE_READABLE);
}

static void give_up_opening(struct http_connection *c)
{
    count(c, wire_is_open(&c->wire) ? COUNTER_HTTP_HEADER_TIMEOUT : COUNTER_TLS_TIMEOUT);
    destroy(c);
}

static void check_deadline(struct http_connection *c, int64_t now_us)
{
    const struct http_server_config *config = c->home->config;
    struct http_protocol *p = c->protocol;
    if (c->is_lingering) {
        if (now_us - c->active_us > LINGER_US) destroy(c);
        return;
    }
    if (!p) {
        if (now_us - c->started_us > config->header_us) give_up_opening(c);
        return;
    }
    p->ops->tick(p, now_us, config->stall_us);
    switch (p->ops->health(p)) {
    case HTTP_SENDING:
        if (!(c->watched & WIRE_WRITABLE)) {
            finish_turn(c); /* said just now */
        } else if (now_us - c->sent_us > config->stall_us) {
            count(c, COUNTER_HTTP_STALL_TIMEOUT);
            log_event(LOG_DELIVERY, LOG_DEBUG, "-", "http_stalled", "pinned_bytes=%zu", p->output.pinned_bytes);
            destroy(c);
        }
        break;
    case HTTP_READING:
        if (now_us - p->reading_us <= config->header_us) break;
        count(c, COUNTER_HTTP_HEADER_TIMEOUT);
        p->ops->give_up_reading(p);
        finish_turn(c);
        break;
    case HTTP_IDLE:
        if (now_us - c->active_us <= config->idle_us) break;
        count(c, COUNTER_HTTP_IDLE_TIMEOUT);
        p->ops->give_up_reading(p); /* HTTP/2 says goodbye */
        finish_turn(c);
        break;
    case HTTP_WAITING: break;
    case HTTP_ENDED:
    case HTTP_BROKEN: finish_turn(c); break;
    }
}

void http_connections_tick(struct http_home *home, int64_t now_us)
{
    refresh_date(home);
    blocked_tick(home->room.blocked, now_us);
    if (home->room.shelved) shelved_tick(home->room.shelved, now_us);
    for (struct http_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        check_deadline(c, now_us);
    }
}

void http_connections_close_all(struct http_home *home)
{
    for (struct http_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        destroy(c);
    }
}
