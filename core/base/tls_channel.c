#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/base/clock.h>
#include <weir/base/counters.h>
#include <weir/base/limits.h>
#include <weir/base/loop.h>

#include "tls_internal.h"

#define HANDSHAKE_RECORD 0x16 /* first byte of every ClientHello (RFC 8446, 5.1) */
#define WAITING_TURN_US (100 * 1000LL)
#define WRITE_BYTES_PER_CALL (256 * KIB) /* then somebody else has his turn */

enum channel_state {
    CHANNEL_SILENT = 1, /* not a byte yet: nothing of OpenSSL is allocated */
    CHANNEL_WAITING,    /* said something, but too many handshakes are under way */
    CHANNEL_SHAKING,
    CHANNEL_OPEN,
    CHANNEL_BROKEN,
};

struct tls_channel {
    struct tls_desk *desk;
    struct tls_channel *next, *previous; /* in one of the desk's lists */
    struct tls_list *list;
    SSL *ssl; /* NULL before CHANNEL_SHAKING */
    void (*ready)(void *context);
    void *context;
    const char *error;   /* static text */
    int64_t progress_us; /* of the handshake */
    int fd;
    uint8_t state, application;
    uint8_t read_needs, write_needs; /* what the descriptor must be ready for: set of enum wire_watch */
    bool is_http_2, is_plain_talk;
};

/* -- lists -- */

static void list_append(struct tls_list *list, struct tls_channel *c)
{
    assert(!c->list);
    c->list = list;
    c->next = NULL;
    c->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = c;
    list->last = c;
}

static void list_prepend(struct tls_list *list, struct tls_channel *c)
{
    assert(!c->list);
    c->list = list;
    c->previous = NULL;
    c->next = list->first;
    *(list->first ? &list->first->previous : &list->last) = c;
    list->first = c;
}

static void list_remove(struct tls_channel *c)
{
    if (!c->list) return;
    *(c->previous ? &c->previous->next : &c->list->first) = c->next;
    *(c->next ? &c->next->previous : &c->list->last) = c->previous;
    c->list = NULL;
}

/* -- the desk -- */

static void take_place(struct tls_channel *c)
{
    c->state = CHANNEL_SHAKING;
    c->read_needs = WIRE_READABLE;
    c->progress_us = clock_now_us();
    c->desk->under_way++;
    list_append(&c->desk->shaking, c);
}

/* Leaves whichever list it is in, and its place with it. */
static void leave(struct tls_channel *c)
{
    struct tls_desk *desk = c->desk;
    if (c->list == &desk->shaking) {
        desk->under_way--;
        if (desk->waiting.first) loop_timer_arm(desk->timer, 0);
    }
    list_remove(c);
}

static void fail(struct tls_channel *c, const char *error)
{
    leave(c);
    c->state = CHANNEL_BROKEN;
    c->error = error;
    c->read_needs = WIRE_READABLE;
}

/* Callbacks may end any channel, so the lists are looked at anew after each. */
void tls_desk_turn(void *context)
{
    struct tls_desk *desk = context;
    const int64_t now_us = clock_now_us();
    struct tls_channel *c;
    while (desk->under_way >= desk->under_way_max && desk->waiting.first && (c = desk->shaking.first) &&
           now_us - c->progress_us > TLS_HANDSHAKE_STALE_US) {
        counter_add(desk->counters, COUNTER_TLS_GAVE_WAY, 1);
        fail(c, "the handshake stood still while others waited");
        c->ready(c->context);
    }
    while (desk->under_way < desk->under_way_max && (c = desk->waiting.first)) {
        list_remove(c);
        take_place(c);
        c->ready(c->context);
    }
    if (desk->waiting.first) loop_timer_arm(desk->timer, WAITING_TURN_US);
}

/* -- the handshake -- */

struct tls_channel *tls_channel_create(int fd, struct tls_desk *desk, enum wire_application application,
                                       void (*ready)(void *), void *context)
{
    struct tls_channel *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->fd = fd;
    c->desk = desk;
    c->application = (uint8_t)application;
    c->ready = ready;
    c->context = context;
    c->state = CHANNEL_SILENT;
    c->read_needs = WIRE_READABLE;
    c->write_needs = WIRE_WRITABLE;
    c->error = "";
    return c;
}

void tls_channel_destroy(struct tls_channel *c)
{
    if (!c) return;
    tls_channel_say_end(c);
    leave(c);
    SSL_free(c->ssl);
    free(c);
}

/* Looks at the first byte without taking it. */
static enum wire_result meet(struct tls_channel *c)
{
    uint8_t first;
    const ssize_t got = recv(c->fd, &first, 1, MSG_PEEK);
    if (!got) return WIRE_CLOSED;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return WIRE_AGAIN;
    if (got < 0) {
        fail(c, "the connection was lost");
        return WIRE_BROKEN;
    }
    if (first != HANDSHAKE_RECORD) {
        counter_add(c->desk->counters, COUNTER_TLS_PLAIN_TALK, 1);
        c->is_plain_talk = true;
        fail(c, "the client does not speak TLS");
        return WIRE_BROKEN;
    }
    if (c->desk->under_way < c->desk->under_way_max) {
        take_place(c);
        return WIRE_OK;
    }
    counter_add(c->desk->counters, COUNTER_TLS_WAITED, 1);
    c->state = CHANNEL_WAITING;
    c->read_needs = 0;
    list_prepend(&c->desk->waiting, c);
    loop_timer_arm(c->desk->timer, WAITING_TURN_US);
    return WIRE_AGAIN;
}

static const char *reason_of(unsigned long code)
{
    const char *text = ERR_reason_error_string(code);
    return text ? text : "the connection was lost";
}

/* WIRE_OK never; what to watch for is in *needs. */
static enum wire_result blocked(struct tls_channel *c, int result, uint8_t *needs)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ: *needs = WIRE_READABLE; return WIRE_AGAIN;
    case SSL_ERROR_WANT_WRITE: *needs = WIRE_WRITABLE; return WIRE_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return WIRE_CLOSED;
    default: break;
    }
    fail(c, reason_of(ERR_peek_error()));
    return WIRE_BROKEN;
}

static enum wire_result shake(struct tls_channel *c)
{
    if (!c->ssl) {
        c->ssl = tls_server_new_ssl(c->desk->server, c->fd);
        if (!c->ssl) {
            fail(c, "out of memory");
            return WIRE_BROKEN;
        }
        SSL_set_app_data(c->ssl, c);
        SSL_set_accept_state(c->ssl);
    }
    ERR_clear_error();
    const uint64_t before = BIO_number_read(SSL_get_rbio(c->ssl));
    const int result = SSL_do_handshake(c->ssl);
    if (result != 1) {
        if (BIO_number_read(SSL_get_rbio(c->ssl)) != before) {
            c->progress_us = clock_now_us();
            list_remove(c);
            list_append(&c->desk->shaking, c);
        }
        const enum wire_result blocked_how = blocked(c, result, &c->read_needs);
        if (blocked_how != WIRE_AGAIN) counter_add(c->desk->counters, COUNTER_TLS_FAILED, 1);
        return blocked_how;
    }
    leave(c);
    c->state = CHANNEL_OPEN;
    c->read_needs = WIRE_READABLE;
    counter_add(c->desk->counters, COUNTER_TLS_OPENED, 1);
    if (SSL_session_reused(c->ssl)) counter_add(c->desk->counters, COUNTER_TLS_RESUMED, 1);
    return WIRE_OK;
}

int tls_channel_choose_protocol(const struct tls_channel *c, const unsigned char **out, unsigned char *out_bytes,
                                const unsigned char *in, unsigned in_bytes)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    if (c->application != WIRE_HTTP) return SSL_TLSEXT_ERR_NOACK;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_bytes, ours, sizeof ours - 1, in, in_bytes) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* -- bytes -- */

static enum wire_result open_up(struct tls_channel *c)
{
    if (c->state == CHANNEL_SILENT) {
        const enum wire_result met = meet(c);
        if (met != WIRE_OK) return met;
    }
    if (c->state == CHANNEL_SHAKING) return shake(c);
    return c->state == CHANNEL_OPEN ? WIRE_OK : c->state == CHANNEL_WAITING ? WIRE_AGAIN : WIRE_BROKEN;
}

enum wire_result tls_channel_read(struct tls_channel *c, void *out, size_t bytes, size_t *got)
{
    const enum wire_result opened = open_up(c);
    if (opened != WIRE_OK) return opened;
    ERR_clear_error();
    const int result = SSL_read_ex(c->ssl, out, bytes, got);
    if (result != 1) return blocked(c, result, &c->read_needs);
    c->read_needs = WIRE_READABLE;
    return WIRE_OK;
}

/* A position in the caller's pieces. */
struct cursor {
    const struct iovec *pieces;
    int count, index;
    size_t offset;
};

static void cursor_advance(struct cursor *at, size_t bytes)
{
    while (at->index < at->count && bytes >= at->pieces[at->index].iov_len - at->offset) {
        bytes -= at->pieces[at->index].iov_len - at->offset;
        at->index++;
        at->offset = 0;
    }
    at->offset += bytes;
}

/* The bytes of the next record: where they lie when one piece fills it, else copied together. */
static const void *next_record(const struct cursor *at, uint8_t *scratch, size_t *bytes)
{
    const struct iovec *piece = &at->pieces[at->index];
    const size_t run = piece->iov_len - at->offset;
    if (run >= TLS_RECORD_BYTES || at->index + 1 == at->count) {
        *bytes = run < TLS_RECORD_BYTES ? run : TLS_RECORD_BYTES;
        return (const uint8_t *)piece->iov_base + at->offset;
    }
    struct cursor walk = *at;
    size_t used = 0;
    while (used < TLS_RECORD_BYTES && walk.index < walk.count) {
        piece = &walk.pieces[walk.index];
        size_t part = piece->iov_len - walk.offset;
        if (part > TLS_RECORD_BYTES - used) part = TLS_RECORD_BYTES - used;
        memcpy(scratch + used, (const uint8_t *)piece->iov_base + walk.offset, part);
        used += part;
        cursor_advance(&walk, part);
    }
    *bytes = used;
    return scratch;
}

enum wire_result tls_channel_write(struct tls_channel *c, const struct iovec *pieces, int count, size_t *sent)
{
    const enum wire_result opened = open_up(c);
    if (opened != WIRE_OK) return opened;
    uint8_t scratch[TLS_RECORD_BYTES];
    struct cursor at = { .pieces = pieces, .count = count };
    size_t done = 0;
    cursor_advance(&at, 0); /* over empty pieces */
    while (at.index < count && done < WRITE_BYTES_PER_CALL) {
        size_t bytes, written = 0;
        const void *record = next_record(&at, scratch, &bytes);
        ERR_clear_error();
        const int result = SSL_write_ex(c->ssl, record, bytes, &written);
        if (result != 1) {
            const enum wire_result how = blocked(c, result, &c->write_needs);
            if (how == WIRE_AGAIN && done) break;
            return how == WIRE_CLOSED ? WIRE_BROKEN : how;
        }
        c->write_needs = WIRE_WRITABLE;
        done += written;
        cursor_advance(&at, written);
    }
    *sent = done;
    return done ? WIRE_OK : WIRE_AGAIN;
}

void tls_channel_say_end(struct tls_channel *c)
{
    if (c->state != CHANNEL_OPEN || SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) return;
    ERR_clear_error();
    if (SSL_shutdown(c->ssl) < 0) ERR_clear_error(); /* the socket is full or gone: the peer learns it from TCP */
}

unsigned tls_channel_watch(const struct tls_channel *c, unsigned wanted)
{
    if (c->state != CHANNEL_OPEN) return c->read_needs;
    return (wanted & WIRE_READABLE ? c->read_needs : 0u) | (wanted & WIRE_WRITABLE ? c->write_needs : 0u);
}

bool tls_channel_has_buffered(const struct tls_channel *c)
{
    return c->state == CHANNEL_OPEN && SSL_has_pending(c->ssl);
}

bool tls_channel_is_open(const struct tls_channel *c)
{
    return c->state == CHANNEL_OPEN;
}

bool tls_channel_is_http_2(const struct tls_channel *c)
{
    const unsigned char *chosen = NULL;
    unsigned bytes = 0;
    if (c->state != CHANNEL_OPEN) return false;
    SSL_get0_alpn_selected(c->ssl, &chosen, &bytes);
    return bytes == 2 && !memcmp(chosen, "h2", 2);
}

bool tls_channel_is_plain_talk(const struct tls_channel *c)
{
    return c->is_plain_talk;
}

const char *tls_channel_error(const struct tls_channel *c)
{
    return c->error;
}
