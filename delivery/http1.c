/* HTTP/1.1: heads in, answers out in the order of the requests (RFC 9112). */
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "http_head.h"
#include "http_protocol.h"

/* A request that was read. Slots are answered in any order and leave in that of their requests. */
struct slot {
    struct http_stream stream; /* first: the stream is the slot */
    struct slot *next;
    struct output_entry *entry; /* NULL: not answered yet */
    bool is_head, keeps_alive;
};

struct http1 {
    struct http_protocol base; /* first: the protocol is this */
    struct slot *first, *last;
    size_t slots;
    char *kept; /* what was read and not understood yet, or not wanted yet */
    size_t kept_bytes;
    bool is_full;    /* too many answers under way: reads no more until half of them are gone */
    bool is_closing; /* no request after the last one */
    bool is_broken;
};

static struct http1 *of(struct http_protocol *p)
{
    return (struct http1 *)p;
}

static const struct http1 *of_const(const struct http_protocol *p)
{
    return (const struct http1 *)p;
}

void http_count_answer(struct counters *counters, int status)
{
    counter_add(counters, COUNTER_HTTP_REQUESTS, 1);
    counter_add(counters,
                status < 300   ? COUNTER_HTTP_2XX
                : status < 400 ? COUNTER_HTTP_3XX
                : status < 500 ? COUNTER_HTTP_4XX
                               : COUNTER_HTTP_5XX,
                1);
}

/* -- answers -- */

static void check_full(struct http1 *h)
{
    const size_t answers = h->slots + h->base.output.entries;
    if (answers >= HTTP_PIPELINE_MAX || h->base.output.pinned_bytes >= HTTP_PINNED_BYTES_MAX)
        h->is_full = true;
    else if (answers < HTTP_PIPELINE_MAX / 2)
        h->is_full = false;
}

/* Takes over the reference on the body. NULL: no memory. */
static struct output_entry *render(struct http1 *h, struct http_answer *a, bool is_head, bool keeps_alive)
{
    char head[HTTP_HEAD_BYTES_MAX];
    const size_t head_bytes = http_head_write(head, a, h->base.events.date, keeps_alive);
    struct body_cursor from = { .piece = 0 };
    struct frozen *body = a->body;
    if (!body || is_head || !a->bytes) {
        frozen_unref(body);
        body = NULL;
    } else {
        body_cursor_advance(&from, body, a->first);
    }
    http_count_answer(h->base.events.counters, a->status);
    struct output_entry *entry = output_entry_create(head, head_bytes, body, from, a->bytes);
    if (!entry) h->is_broken = true;
    return entry;
}

static void append_slot(struct http1 *h, struct slot *slot)
{
    *(h->last ? &h->last->next : &h->first) = slot;
    h->last = slot;
    h->slots++;
}

static void pop_slot(struct http1 *h)
{
    struct slot *slot = h->first;
    h->first = slot->next;
    if (!h->first) h->last = NULL;
    h->slots--;
    free(slot);
}

static void promote(struct http1 *h)
{
    while (h->first && h->first->entry) {
        output_put(&h->base.output, h->first->entry);
        pop_slot(h);
    }
    check_full(h);
}

static void put_answer(struct http1 *h, struct http_answer *a, bool is_head, bool keeps_alive)
{
    struct output_entry *entry = render(h, a, is_head, keeps_alive);
    if (!entry) return;
    struct slot *slot = h->first ? calloc(1, sizeof *slot) : NULL;
    if (slot) {
        slot->entry = entry;
        append_slot(h, slot);
    } else if (h->first) {
        output_entry_destroy(entry);
        h->is_broken = true;
    } else {
        output_put(&h->base.output, entry);
    }
    check_full(h);
}

static void answer(struct http_stream *stream, struct http_answer *a)
{
    struct slot *slot = (struct slot *)stream;
    struct http1 *h = of(stream->protocol);
    stream->waiter = NULL;
    slot->entry = render(h, a, slot->is_head, slot->keeps_alive);
    promote(h);
}

static void ask(struct http1 *h, const struct http_request *request)
{
    struct http_answer a;
    struct slot *slot = malloc(sizeof *slot);
    if (!slot) {
        h->is_broken = true;
        return;
    }
    *slot = (struct slot){ .stream.protocol = &h->base,
                           .is_head = request->verb == HTTP_VERB_HEAD,
                           .keeps_alive = request->keeps_alive };
    if (!request->keeps_alive) h->is_closing = true;
    if (h->base.events.request(h->base.events.context, &slot->stream, request, &a)) {
        put_answer(h, &a, slot->is_head, slot->keeps_alive);
        free(slot);
    } else {
        append_slot(h, slot);
        check_full(h);
    }
}

static void refuse(struct http1 *h, int status, const char *why)
{
    struct http_answer a = { .status = 0 };
    http_answer_error(&a, status, why);
    h->is_closing = true;
    put_answer(h, &a, false, false);
}

static void refuse_broken(struct http1 *h, const struct http_parsed *parsed)
{
    const enum counter counter = parsed->status == 414   ? COUNTER_HTTP_LIMIT_URL
                                 : parsed->status == 431 ? COUNTER_HTTP_LIMIT_HEADER
                                 : parsed->status == 413 ? COUNTER_HTTP_LIMIT_BODY
                                                         : COUNTER_HTTP_MALFORMED;
    counter_add(h->base.events.counters, counter, 1);
    refuse(h, parsed->status, parsed->why);
    h->base.wants_linger = true;
}

/* -- requests -- */

/* Asks for all whole requests in [data, bytes); returns what it took. */
static size_t take_requests(struct http1 *h, const char *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && !h->is_full && !h->is_closing && !h->is_broken) {
        struct http_request request;
        const struct http_parsed parsed = http_request_parse(data + at, bytes - at, &request);
        if (parsed.result == HTTP_PARSE_NEED) break;
        h->base.reading_us = 0;
        if (parsed.result == HTTP_PARSE_BAD) {
            refuse_broken(h, &parsed);
            break;
        }
        at += parsed.consumed;
        ask(h, &request);
    }
    return h->is_closing ? bytes : at;
}

/* data may lie inside the old buffer. */
static void keep(struct http1 *h, const char *data, size_t bytes)
{
    char *kept = bytes ? malloc(bytes) : NULL;
    if (bytes && !kept) h->is_broken = true;
    if (kept) memcpy(kept, data, bytes);
    free(h->kept);
    h->kept = kept;
    h->kept_bytes = kept ? bytes : 0;
}

static bool keep_more(struct http1 *h, const char *data, size_t bytes)
{
    char *kept = realloc(h->kept, h->kept_bytes + bytes);
    if (!kept) {
        h->is_broken = true;
        return false;
    }
    memcpy(kept + h->kept_bytes, data, bytes);
    h->kept = kept;
    h->kept_bytes += bytes;
    return true;
}

static void take_kept(struct http1 *h, int64_t now_us)
{
    const size_t used = take_requests(h, h->kept, h->kept_bytes);
    if (used) keep(h, h->kept + used, h->kept_bytes - used);
    if (h->kept_bytes && !h->is_full && !h->base.reading_us) h->base.reading_us = now_us;
}

static void feed(struct http_protocol *p, const char *data, size_t bytes, int64_t now_us)
{
    struct http1 *h = of(p);
    if (h->is_closing || h->is_broken) return;
    if (h->kept_bytes) {
        if (keep_more(h, data, bytes)) take_kept(h, now_us);
        return;
    }
    const size_t used = take_requests(h, data, bytes);
    if (used == bytes) return;
    keep(h, data + used, bytes - used);
    if (!h->is_full && !p->reading_us) p->reading_us = now_us;
}

static void fill(struct http_protocol *p, int64_t now_us)
{
    struct http1 *h = of(p);
    check_full(h);
    if (h->kept_bytes && !h->is_full) take_kept(h, now_us);
}

/* Whoever waits is not there any more: a client that only ended its direction cannot be told from one that left. Answers that
 * exist are still sent. */
static void feed_end(struct http_protocol *p)
{
    struct http1 *h = of(p);
    h->is_closing = true;
    struct slot *slot = h->first, *next;
    h->first = h->last = NULL;
    h->slots = 0;
    for (; slot; slot = next) {
        next = slot->next;
        slot->next = NULL;
        if (slot->entry) {
            append_slot(h, slot);
            continue;
        }
        p->events.gone(p->events.context, slot->stream.waiter);
        free(slot);
    }
    promote(h);
}

static void give_up_reading(struct http_protocol *p)
{
    struct http1 *h = of(p);
    p->reading_us = 0;
    h->is_closing = true;
    if (h->kept_bytes) refuse(h, 408, "The request did not come in time.");
}

static bool wants_bytes(const struct http_protocol *p)
{
    const struct http1 *h = of_const(p);
    return !h->is_full && !h->is_closing && !h->is_broken;
}

static enum http_health health(const struct http_protocol *p)
{
    const struct http1 *h = of_const(p);
    if (h->is_broken) return HTTP_BROKEN;
    if (p->output.left_bytes) return HTTP_SENDING;
    if (h->first) return HTTP_WAITING;
    if (h->is_closing) return HTTP_ENDED;
    return p->reading_us ? HTTP_READING : HTTP_IDLE;
}

static void tick(struct http_protocol *p, int64_t now_us, int64_t stall_us) {}

static void destroy(struct http_protocol *p)
{
    struct http1 *h = of(p);
    while (h->first) {
        if (h->first->entry)
            output_entry_destroy(h->first->entry);
        else
            p->events.gone(p->events.context, h->first->stream.waiter);
        pop_slot(h);
    }
    output_deinit(&p->output);
    free(h->kept);
    free(h);
}

struct http_protocol *http1_create(const struct http_protocol_events *events, int64_t now_us)
{
    static const struct http_protocol_ops ops = {
        .destroy = destroy,
        .feed = feed,
        .feed_end = feed_end,
        .fill = fill,
        .answer = answer,
        .wants_bytes = wants_bytes,
        .health = health,
        .tick = tick,
        .give_up_reading = give_up_reading,
    };
    struct http1 *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    /* who connects and says nothing is on the head's clock too */
    h->base = (struct http_protocol){ .ops = &ops, .events = *events, .reading_us = now_us };
    return &h->base;
}
