#include "http_connection.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#define IOV_MAX_USED 64
#define DATE_US 1000000
#define LINGER_US (2 * 1000000LL)
#define LINGER_BYTES_MAX (1 * MIB)

/* A response on its way out. */
struct response {
    struct response *next;
    struct frozen *body;        /* NULL: none */
    size_t piece, piece_offset; /* where the body goes on */
    size_t body_left;
    uint32_t head_bytes, head_sent;
    char head[];
};

enum pause { PAUSE_PIPELINE = 1, PAUSE_CLOSING = 2 };

struct http_connection {
    struct http_home *home;
    struct http_connection *next, *previous;
    struct event *readable, *writable;
    struct response *first, *last;
    size_t responses, pinned_bytes;
    char *kept; /* the beginning of a head that was cut by the end of a read */
    size_t kept_bytes;
    int64_t active_us; /* last byte in either direction */
    int64_t sent_us;   /* last progress of a response; a client that keeps talking but does not read moves nothing */
    int64_t head_us;   /* when the head being read began; 0: none is */
    uint64_t address_hash;
    int fd;
    unsigned pauses; /* set of enum pause: reasons not to read */
    bool is_writing, is_broken;
    bool wants_linger, is_lingering;
    size_t lingered_bytes;
};

static void count(struct http_connection *c, enum counter id)
{
    counter_add(c->home->room.counters, id, 1);
}

static void response_destroy(struct response *r)
{
    frozen_unref(r->body);
    free(r);
}

static void destroy(struct http_connection *c)
{
    struct http_home *home = c->home;
    for (struct response *r = c->first, *next; r; r = next) {
        next = r->next;
        response_destroy(r);
    }
    if (c->readable) event_free(c->readable);
    if (c->writable) event_free(c->writable);
    close(c->fd);
    if (c->previous)
        c->previous->next = c->next;
    else
        home->first = c->next;
    if (c->next) c->next->previous = c->previous;
    count(c, COUNTER_HTTP_CLOSED);
    home->closed(home->context);
    free(c->kept);
    free(c);
}

/* -- writing -- */

/* Fills iov from a response; returns how many entries. */
static int gather_response(const struct response *r, struct iovec *iov, int room)
{
    int used = 0;
    if (r->head_sent < r->head_bytes)
        iov[used++] = (struct iovec){ (char *)r->head + r->head_sent, r->head_bytes - r->head_sent };
    if (!r->body) return used;
    const struct piece *pieces = frozen_pieces(r->body);
    size_t offset = r->piece_offset, left = r->body_left;
    for (size_t i = r->piece; left && used < room; i++, offset = 0) {
        size_t run = pieces[i].bytes - offset;
        if (run > left) run = left;
        iov[used++] = (struct iovec){ (void *)(pieces[i].data + offset), run };
        left -= run;
    }
    return used;
}

/* Moves a response on by sent bytes; returns what is left of them when it is done. */
static size_t advance_response(struct response *r, size_t sent)
{
    const size_t head = r->head_bytes - r->head_sent < sent ? r->head_bytes - r->head_sent : sent;
    r->head_sent += (uint32_t)head;
    sent -= head;
    while (sent && r->body_left) {
        const struct piece *piece = &frozen_pieces(r->body)[r->piece];
        size_t run = piece->bytes - r->piece_offset;
        if (run > r->body_left) run = r->body_left;
        if (run > sent) {
            r->piece_offset += sent;
            r->body_left -= sent;
            return 0;
        }
        r->piece++;
        r->piece_offset = 0;
        r->body_left -= run;
        sent -= run;
    }
    return sent;
}

static bool is_done(const struct response *r)
{
    return r->head_sent == r->head_bytes && !r->body_left;
}

static void pop_done(struct http_connection *c)
{
    while (c->first && is_done(c->first)) {
        struct response *done = c->first;
        c->first = done->next;
        if (!c->first) c->last = NULL;
        c->responses--;
        c->pinned_bytes -= done->body ? frozen_bytes(done->body) : 0;
        response_destroy(done);
    }
}

static void want_write(struct http_connection *c, bool is_wanted)
{
    if (c->is_writing == is_wanted) return;
    c->is_writing = is_wanted;
    if (is_wanted)
        event_add(c->writable, NULL);
    else
        event_del(c->writable);
}

static void flush(struct http_connection *c)
{
    while (c->first && !c->is_broken) {
        struct iovec iov[IOV_MAX_USED];
        int used = 0;
        for (const struct response *r = c->first; r && used + 1 < IOV_MAX_USED; r = r->next)
            used += gather_response(r, iov + used, IOV_MAX_USED - used);
        const struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)used };
        const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | (used >= IOV_MAX_USED ? MSG_MORE : 0));
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (sent < 0) {
            c->is_broken = true;
            break;
        }
        c->active_us = c->sent_us = clock_now_us();
        counter_add(c->home->room.counters, COUNTER_HTTP_BYTES_OUT, (uint64_t)sent);
        size_t rest = (size_t)sent;
        for (struct response *r = c->first; r && rest; r = r->next) rest = advance_response(r, rest);
        pop_done(c);
    }
    want_write(c, c->first && !c->is_broken);
}

/* -- answering -- */

static const char *date_now(struct http_home *home)
{
    const int64_t now_us = clock_wall_us();
    if (now_us - home->date_us >= DATE_US || now_us < home->date_us) {
        home->date_us = now_us / DATE_US * DATE_US;
        http_date_format(now_us, home->date);
    }
    return home->date;
}

static void count_status(struct http_connection *c, int status)
{
    count(c, COUNTER_HTTP_REQUESTS);
    count(c, status < 300   ? COUNTER_HTTP_2XX
             : status < 400 ? COUNTER_HTTP_3XX
             : status < 500 ? COUNTER_HTTP_4XX
                            : COUNTER_HTTP_5XX);
}

/* Skips the pieces before the first byte of a range. */
static void seek(struct response *r, size_t first)
{
    const struct piece *pieces = frozen_pieces(r->body);
    while (first && first >= pieces[r->piece].bytes) first -= pieces[r->piece++].bytes;
    r->piece_offset = first;
}

/* Takes over the reference on the body. */
static void enqueue(struct http_connection *c, struct http_answer *a, bool is_head, bool keeps_alive)
{
    char head[HTTP_HEAD_BYTES_MAX];
    const size_t head_bytes = http_head_write(head, a, date_now(c->home), keeps_alive);
    struct response *r = malloc(sizeof *r + head_bytes);
    if (!r) {
        frozen_unref(a->body);
        c->is_broken = true;
        return;
    }
    *r = (struct response){ .head_bytes = (uint32_t)head_bytes };
    memcpy(r->head, head, head_bytes);
    if (a->body && !is_head && a->bytes) {
        r->body = a->body;
        r->body_left = a->bytes;
        seek(r, a->first);
        c->pinned_bytes += frozen_bytes(a->body);
    } else {
        frozen_unref(a->body);
    }
    if (c->last) {
        c->last->next = r;
    } else {
        c->first = r;
        c->sent_us = clock_now_us();
    }
    c->last = r;
    c->responses++;
    count_status(c, a->status);
    if (!keeps_alive) c->pauses |= PAUSE_CLOSING;
    if (c->responses >= HTTP_PIPELINE_MAX || c->pinned_bytes >= HTTP_PINNED_BYTES_MAX) c->pauses |= PAUSE_PIPELINE;
}

static uint64_t viewer_id(const struct http_connection *c, const struct http_request *request)
{
    uint64_t hash = c->address_hash;
    for (size_t i = 0; i < request->user_agent.bytes; i++)
        hash = (hash ^ (uint8_t)request->user_agent.data[i]) * 0x100000001B3u;
    return hash;
}

static void answer(struct http_connection *c, const struct http_request *request)
{
    struct http_answer a;
    http_answer_make(&c->home->room, request, viewer_id(c, request), c->active_us, &a);
    enqueue(c, &a, request->verb == HTTP_VERB_HEAD, request->keeps_alive);
}

static void answer_broken(struct http_connection *c, const struct http_parsed *parsed)
{
    struct http_answer a = { .status = 0 };
    const enum counter counter = parsed->status == 414   ? COUNTER_HTTP_LIMIT_URL
                                 : parsed->status == 431 ? COUNTER_HTTP_LIMIT_HEADER
                                 : parsed->status == 413 ? COUNTER_HTTP_LIMIT_BODY
                                                         : COUNTER_HTTP_MALFORMED;
    count(c, counter);
    http_answer_error(&a, parsed->status, parsed->why);
    enqueue(c, &a, false, false);
    c->wants_linger = true;
}

/* -- reading -- */

/* Answers all whole requests in [data, bytes); returns what it took. */
static size_t take_requests(struct http_connection *c, const char *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && !c->pauses && !c->is_broken) {
        struct http_request request;
        const struct http_parsed parsed = http_request_parse(data + at, bytes - at, &request);
        if (parsed.result == HTTP_PARSE_NEED) break;
        c->head_us = 0;
        if (parsed.result == HTTP_PARSE_BAD) {
            answer_broken(c, &parsed);
            return bytes;
        }
        at += parsed.consumed;
        answer(c, &request);
    }
    return c->pauses & PAUSE_CLOSING ? bytes : at;
}

static void keep(struct http_connection *c, const char *data, size_t bytes)
{
    if (!bytes) {
        free(c->kept);
        c->kept = NULL;
        c->kept_bytes = 0;
        return;
    }
    /* data may lie inside the old buffer */
    char *kept = malloc(bytes);
    if (!kept) {
        c->is_broken = true;
        return;
    }
    memcpy(kept, data, bytes);
    free(c->kept);
    c->kept = kept;
    c->kept_bytes = bytes;
    if (!c->head_us && !(c->pauses & PAUSE_PIPELINE)) c->head_us = c->active_us;
}

/* Closing a socket with bytes unread resets it, and the client may never see what was wrong (RFC 9112, 9.6). So after a refusal
 * what still comes is thrown away for a moment. false: nothing to wait for. */
static bool linger(struct http_connection *c)
{
    if (!c->wants_linger) return false;
    if (c->is_lingering) return true;
    c->is_lingering = true;
    c->active_us = clock_now_us();
    free(c->kept);
    c->kept = NULL;
    c->kept_bytes = 0;
    return !shutdown(c->fd, SHUT_WR);
}

static void throw_away(struct http_connection *c)
{
    const ssize_t got = recv(c->fd, c->home->buffer, HTTP_READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got > 0) c->lingered_bytes += (size_t)got;
    if (got <= 0 || c->lingered_bytes > LINGER_BYTES_MAX) destroy(c);
}

static void finish_turn(struct http_connection *c)
{
    for (;;) {
        flush(c);
        if (c->is_broken || !(c->pauses & PAUSE_PIPELINE)) break;
        if (c->responses >= HTTP_PIPELINE_MAX / 2 || c->pinned_bytes >= HTTP_PINNED_BYTES_MAX) break;
        /* room again: requests that were read and not answered come first */
        c->pauses &= ~(unsigned)PAUSE_PIPELINE;
        if (!c->kept_bytes) break;
        const size_t used = take_requests(c, c->kept, c->kept_bytes);
        keep(c, c->kept + used, c->kept_bytes - used);
    }
    if (c->is_broken || (c->pauses & PAUSE_CLOSING && !c->first && !linger(c))) {
        destroy(c);
        return;
    }
    if (c->pauses && !c->is_lingering)
        event_del(c->readable);
    else if (!event_pending(c->readable, EV_READ, NULL))
        event_add(c->readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct http_connection *c = context;
    char *buffer = c->home->buffer;
    if (c->is_lingering) {
        throw_away(c);
        return;
    }
    /* an incomplete head goes in front, so that parsing always sees it in one piece */
    const size_t before = c->kept_bytes;
    if (before) memcpy(buffer, c->kept, before);
    const ssize_t got = recv((int)fd, buffer + before, HTTP_READ_BYTES - before, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got <= 0) {
        /* half-closed clients still get what they asked for */
        c->pauses |= PAUSE_CLOSING;
        c->is_broken = got < 0;
        finish_turn(c);
        return;
    }
    c->active_us = clock_now_us();
    const size_t bytes = before + (size_t)got, used = take_requests(c, buffer, bytes);
    if (used < bytes || before) keep(c, buffer + used, bytes - used);
    finish_turn(c);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    finish_turn(context);
}

/* -- life -- */

void http_connection_start(struct http_home *home, int fd, const struct sockaddr_storage *peer)
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
    c->fd = fd;
    c->address_hash = 0xCBF29CE484222325u;
    for (int i = 0; i < 16; i++) c->address_hash = (c->address_hash ^ address[i]) * 0x100000001B3u;
    c->active_us = c->head_us = clock_now_us(); /* who connects and says nothing is on the head's clock too */
    c->next = home->first;
    if (c->next) c->next->previous = c;
    home->first = c;
    count(c, COUNTER_HTTP_ACCEPTED);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if (!c->readable || !c->writable || event_add(c->readable, NULL)) destroy(c);
}

static void check_deadline(struct http_connection *c, int64_t now_us)
{
    const struct http_server_config *config = c->home->config;
    if (c->is_lingering) {
        if (now_us - c->active_us > LINGER_US) destroy(c);
    } else if (c->first) {
        if (now_us - c->sent_us <= config->stall_us) return;
        count(c, COUNTER_HTTP_STALL_TIMEOUT);
        log_event(LOG_DELIVERY, LOG_DEBUG, "-", "http_stalled", "pinned_bytes=%zu", c->pinned_bytes);
        destroy(c);
    } else if (c->head_us && !c->pauses) {
        if (now_us - c->head_us <= config->header_us) return;
        count(c, COUNTER_HTTP_HEADER_TIMEOUT);
        if (!c->kept_bytes) {
            destroy(c);
            return;
        }
        struct http_answer a = { .status = 0 };
        http_answer_error(&a, 408, "The request did not come in time.");
        enqueue(c, &a, false, false);
        finish_turn(c);
    } else if (now_us - c->active_us > config->idle_us) {
        count(c, COUNTER_HTTP_IDLE_TIMEOUT);
        destroy(c);
    }
}

void http_connections_tick(struct http_home *home, int64_t now_us)
{
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
