/* HTTP/2: libnghttp2 knows frames, HPACK and windows; here are requests, answers and the limits of both (RFC 9113). */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>

#include "http_head.h"
#include "http_protocol.h"

#define OUTPUT_BYTES (128 * KIB) /* ready to be written; more is made when these have gone */
/* with its head a DATA frame fills a TLS record */
#define DATA_BYTES (TLS_RECORD_BYTES - 9)
#define ACKS_WAITING_MAX 64

/* Fields of a request that matter here. */
enum field {
    FIELD_METHOD,
    FIELD_PATH,
    FIELD_RANGE,
    FIELD_IF_RANGE,
    FIELD_IF_NONE_MATCH,
    FIELD_ACCEPT_ENCODING,
    FIELD_USER_AGENT,
    FIELD_ORIGIN,
    FIELD_FORWARDED_FOR,
    FIELD_SAMPLE,
    FIELD_COUNT
};

struct stream {
    struct http_stream base; /* first: the stream is this */
    struct stream *next, *previous;
    int32_t id;
    bool is_head, is_asked, is_answered;
    struct frozen *body; /* what is still to be sent of the answer; NULL: nothing */
    struct body_cursor at;
    size_t left;
    int64_t progress_us; /* last time that something of the body went into output */
};

/* The header block that is being read: one at a time in a connection (RFC 9113, 4.3). */
struct block {
    struct stream *stream; /* NULL: none, or not of a request */
    struct byte_writer text;
    struct {
        size_t at, bytes;
        bool is_there;
    } fields[FIELD_COUNT];
    size_t list_bytes; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
};

/* So many at once, so many more each second. */
struct budget {
    int64_t left_milli, refilled_us;
};

struct http2 {
    struct http_protocol base; /* first: the protocol is this */
    nghttp2_session *session;
    struct stream *first;
    size_t streams, waiting;
    size_t pinned_bytes; /* of bodies under way, each whole */
    struct block block;
    struct budget resets, controls;
    int64_t now_us;
    bool is_broken;
};

static struct http2 *of(struct http_protocol *p)
{
    return (struct http2 *)p;
}

static const struct http2 *of_const(const struct http_protocol *p)
{
    return (const struct http2 *)p;
}

static void count(struct http2 *h, enum counter id)
{
    counter_add(h->base.events.counters, id, 1);
}

/* -- limits -- */

/* Spends one; false: none was left. */
static bool spend(struct budget *b, int64_t now_us, int64_t burst, int64_t per_second)
{
    b->left_milli += (now_us - b->refilled_us) * per_second / 1000;
    b->refilled_us = now_us;
    if (b->left_milli > burst * 1000) b->left_milli = burst * 1000;
    if (b->left_milli < 1000) return false;
    b->left_milli -= 1000;
    return true;
}

static void calm_down(struct http2 *h, enum counter id)
{
    if (h->base.wants_linger) return; /* was said */
    count(h, id);
    h->base.wants_linger = true;
    if (nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM)) h->is_broken = true;
}

/* A request taken back, or one that had to be: cheap for the client, work for us (CVE-2023-44487, CVE-2025-8671). */
static void note_reset(struct http2 *h)
{
    if (!spend(&h->resets, h->now_us, HTTP2_RESETS_BURST_MAX, HTTP2_RESETS_PER_SECOND_MAX))
        calm_down(h, COUNTER_HTTP2_LIMIT_RESETS);
}

/* Frames that carry no request and make us answer, or nothing at all. */
static void note_control(struct http2 *h)
{
    if (!spend(&h->controls, h->now_us, HTTP2_CONTROLS_BURST_MAX, HTTP2_CONTROLS_PER_SECOND_MAX))
        calm_down(h, COUNTER_HTTP2_LIMIT_CONTROLS);
}

/* -- streams -- */

static struct stream *stream_create(struct http2 *h, int32_t id)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->base.protocol = &h->base;
    s->id = id;
    s->next = h->first;
    if (s->next) s->next->previous = s;
    h->first = s;
    h->streams++;
    return s;
}

static void drop_body(struct http2 *h, struct stream *s)
{
    if (!s->body) return;
    h->pinned_bytes -= frozen_bytes(s->body);
    frozen_unref(s->body);
    s->body = NULL;
    s->left = 0;
}

static void stream_destroy(struct http2 *h, struct stream *s)
{
    if (s->is_asked && !s->is_answered) {
        h->waiting--;
        h->base.events.gone(h->base.events.context, s->base.waiter);
    }
    drop_body(h, s);
    *(s->previous ? &s->previous->next : &h->first) = s->next;
    if (s->next) s->next->previous = s->previous;
    h->streams--;
    free(s);
}

/* -- answers -- */

static ssize_t on_body_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
                              nghttp2_data_source *source, void *context)
{
    const struct stream *s = source->ptr;
    const size_t most = room < DATA_BYTES ? room : DATA_BYTES, run = s->left < most ? s->left : most;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (run == s->left) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)run;
}

static int on_send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t bytes,
                        nghttp2_data_source *source, void *context)
{
    struct http2 *h = context;
    struct stream *s = source->ptr;
    if (h->base.output.left_bytes >= OUTPUT_BYTES) return NGHTTP2_ERR_WOULDBLOCK;
    struct output_entry *e = output_entry_create(head, 9, frozen_ref(s->body), s->at, bytes);
    if (!e) return NGHTTP2_ERR_CALLBACK_FAILURE;
    output_put(&h->base.output, e);
    body_cursor_advance(&s->at, s->body, bytes);
    s->left -= bytes;
    s->progress_us = h->now_us;
    if (!s->left) drop_body(h, s);
    return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t bytes, int flags, void *context)
{
    struct http2 *h = context;
    if (h->base.output.left_bytes >= OUTPUT_BYTES) return NGHTTP2_ERR_WOULDBLOCK;
    return output_put_bytes(&h->base.output, data, bytes) ? (ssize_t)bytes : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ .name = (uint8_t *)name,
                         .namelen = strlen(name),
                         .value = (uint8_t *)value,
                         .valuelen = strlen(value),
                         .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

/* Takes over the reference on the body. */
static void put_answer(struct http2 *h, struct stream *s, struct http_answer *a)
{
    /* playlists and what is small and decides about the next requests go first (RFC 9218) */
    static const nghttp2_extpri urgent = { .urgency = 1 }, media = { .urgency = 3 };
    struct http_fields fields;
    nghttp2_nv pairs[HTTP_FIELDS_MAX + 1];
    char status[16];
    http_fields_collect(&fields, a, h->base.events.date);
    snprintf(status, sizeof status, "%d", a->status);
    pairs[0] = pair(":status", status);
    for (size_t i = 0; i < fields.count; i++) pairs[i + 1] = pair(fields.items[i].lower, fields.items[i].value);
    http_count_answer(h->base.events.counters, a->status);
    s->is_answered = true;
    s->progress_us = h->now_us;
    const bool has_body = a->body && a->bytes && !s->is_head;
    if (has_body) {
        s->body = a->body;
        s->left = a->bytes;
        body_cursor_advance(&s->at, s->body, a->first);
        h->pinned_bytes += frozen_bytes(s->body);
    } else {
        frozen_unref(a->body);
    }
    const nghttp2_data_provider provider = { .source.ptr = s, .read_callback = on_body_wanted };
    if (nghttp2_session_change_extpri_stream_priority(h->session, s->id, a->is_urgent ? &urgent : &media, 0) ||
        nghttp2_submit_response(h->session, s->id, pairs, fields.count + 1, has_body ? &provider : NULL))
        h->is_broken = true;
}

static void answer(struct http_stream *stream, struct http_answer *a)
{
    struct stream *s = (struct stream *)stream;
    struct http2 *h = of(stream->protocol);
    stream->waiter = NULL;
    h->waiting--;
    put_answer(h, s, a);
}

static void refuse(struct http2 *h, struct stream *s, int status, const char *why)
{
    struct http_answer a = { .status = 0 };
    http_answer_error(&a, status, why);
    put_answer(h, s, &a);
}

/* -- requests -- */

static struct http_text text_of(const struct block *b, enum field f)
{
    if (!b->fields[f].is_there) return (struct http_text){ .data = NULL };
    return (struct http_text){ (const char *)b->text.data + b->fields[f].at, b->fields[f].bytes };
}

static enum http_verb verb_of(struct http_text method)
{
    static const struct {
        const char *name;
        enum http_verb verb;
    } verbs[] = { { "GET", HTTP_VERB_GET }, { "HEAD", HTTP_VERB_HEAD }, { "OPTIONS", HTTP_VERB_OPTIONS } };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (method.bytes == strlen(verbs[i].name) && !memcmp(method.data, verbs[i].name, method.bytes))
            return verbs[i].verb;
    }
    return HTTP_VERB_OTHER;
}

static void ask(struct http2 *h, struct stream *s, bool has_body)
{
    const struct block *b = &h->block;
    const struct http_request request = {
        .verb = verb_of(text_of(b, FIELD_METHOD)),
        .target = text_of(b, FIELD_PATH),
        .range = text_of(b, FIELD_RANGE),
        .if_range = text_of(b, FIELD_IF_RANGE),
        .if_none_match = text_of(b, FIELD_IF_NONE_MATCH),
        .accept_encoding = text_of(b, FIELD_ACCEPT_ENCODING),
        .user_agent = text_of(b, FIELD_USER_AGENT),
        .origin = text_of(b, FIELD_ORIGIN),
        .forwarded_for = text_of(b, FIELD_FORWARDED_FOR),
        .sample = text_of(b, FIELD_SAMPLE),
        .keeps_alive = true,
        .is_http_1_1 = true,
    };
    struct http_answer a;
    s->is_head = request.verb == HTTP_VERB_HEAD;
    if (b->list_bytes > HTTP_HEADER_BYTES_MAX || b->text.failed) {
        count(h, COUNTER_HTTP_LIMIT_HEADER);
        refuse(h, s, 431, "The request's fields are larger than 16 KiB.");
    } else if (request.target.bytes > HTTP_URL_BYTES_MAX) {
        count(h, COUNTER_HTTP_LIMIT_URL);
        refuse(h, s, 414, "The URL is longer than 2048 bytes.");
    } else if (has_body) {
        count(h, COUNTER_HTTP_LIMIT_BODY);
        refuse(h, s, 413, "Requests with a body are not accepted here.");
    } else if (h->pinned_bytes >= HTTP_PINNED_BYTES_MAX) {
        count(h, COUNTER_HTTP2_LIMIT_PINNED);
        refuse(h, s, 503, "Too much was asked for on this connection and not taken. Read what is there first.");
    } else if (h->base.events.request(h->base.events.context, &s->base, &request, &a)) {
        put_answer(h, s, &a);
    } else {
        s->is_asked = true;
        h->waiting++;
    }
}

static void forget_block(struct http2 *h)
{
    byte_writer_deinit(&h->block.text);
    h->block = (struct block){ .stream = NULL };
    byte_writer_init(&h->block.text, HTTP_HEADER_BYTES_MAX);
    h->base.reading_us = 0;
}

static int on_block_begins(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    struct block *b = &h->block;
    forget_block(h); /* one before it may have been refused in the middle */
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    b->stream = stream_create(h, frame->hd.stream_id);
    if (!b->stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    h->base.reading_us = h->now_us;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, b->stream);
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_bytes,
                    const uint8_t *value, size_t value_bytes, uint8_t flags, void *context)
{
    static const char *const names[FIELD_COUNT] = {
        [FIELD_METHOD] = ":method",
        [FIELD_PATH] = ":path",
        [FIELD_RANGE] = "range",
        [FIELD_IF_RANGE] = "if-range",
        [FIELD_IF_NONE_MATCH] = "if-none-match",
        [FIELD_ACCEPT_ENCODING] = "accept-encoding",
        [FIELD_USER_AGENT] = "user-agent",
        [FIELD_ORIGIN] = "origin",
        [FIELD_FORWARDED_FOR] = "x-forwarded-for",
        [FIELD_SAMPLE] = "weir-sample",
    };
    struct http2 *h = context;
    struct block *b = &h->block;
    if (!b->stream || b->stream->id != frame->hd.stream_id) return 0;
    b->list_bytes += name_bytes + value_bytes + 32; /* RFC 9113, 6.5.2 */
    if (b->list_bytes > HTTP_HEADER_BYTES_MAX)
        return 0; /* answered when the block is whole: HPACK must see all of it */
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strlen(names[i]) != name_bytes || memcmp(names[i], name, name_bytes) || b->fields[i].is_there) continue;
        b->fields[i].at = b->text.bytes;
        b->fields[i].bytes = value_bytes;
        b->fields[i].is_there = true;
        write_bytes(&b->text, value, value_bytes);
    }
    return 0;
}

static int on_frame_begins(nghttp2_session *session, const nghttp2_frame_hd *hd, void *context)
{
    struct http2 *h = context;
    switch (hd->type) {
    case NGHTTP2_RST_STREAM: note_reset(h); break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:         /* bounded in size and number by the library, and by what a block may hold */
    case NGHTTP2_WINDOW_UPDATE: break; /* as many as there are DATA frames of ours, and nothing is answered */
    default: note_control(h); break;   /* PING, SETTINGS, priorities, bodies that nobody wants, unknown ones */
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    struct block *b = &h->block;
    if (frame->hd.type != NGHTTP2_HEADERS || !b->stream || b->stream->id != frame->hd.stream_id) return 0;
    ask(h, b->stream, !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM));
    forget_block(h);
    return 0;
}

static int on_bad_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *context)
{
    struct http2 *h = context;
    if (h->block.stream && h->block.stream->id == frame->hd.stream_id) forget_block(h);
    note_reset(h);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    const int32_t id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !h->base.wants_linger) {
        count(h, COUNTER_HTTP2_MALFORMED);
        h->base.wants_linger = true; /* the client may still be sending, and is to read it */
    }
    /* a request with a body was answered without reading it: the rest is not wanted (RFC 9113, 8.1) */
    const bool is_end = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                        frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!is_end || nghttp2_session_get_stream_remote_close(session, id) != 0) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static int on_stream_closed(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct http2 *h = context;
    struct stream *s = nghttp2_session_get_stream_user_data(session, id);
    if (!s) return 0;
    if (h->block.stream == s) forget_block(h);
    stream_destroy(h, s);
    return 0;
}

/* -- the protocol -- */

static void feed(struct http_protocol *p, const char *data, size_t bytes, int64_t now_us)
{
    struct http2 *h = of(p);
    h->now_us = now_us;
    if (h->is_broken) return;
    const ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, bytes);
    if (used < 0) {
        count(h, COUNTER_HTTP2_MALFORMED);
        h->is_broken = true;
    }
}

static void feed_end(struct http_protocol *p)
{
    of(p)->is_broken = true; /* nobody opens windows any more */
}

static void fill(struct http_protocol *p, int64_t now_us)
{
    struct http2 *h = of(p);
    h->now_us = now_us;
    if (!h->is_broken && nghttp2_session_send(h->session)) h->is_broken = true;
}

static void give_up_reading(struct http_protocol *p)
{
    struct http2 *h = of(p);
    p->reading_us = 0;
    if (nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR)) h->is_broken = true;
}

static bool wants_bytes(const struct http_protocol *p)
{
    const struct http2 *h = of_const(p);
    return !h->is_broken && nghttp2_session_want_read(h->session);
}

static enum http_health health(const struct http_protocol *p)
{
    const struct http2 *h = of_const(p);
    if (h->is_broken) return HTTP_BROKEN;
    if (p->output.left_bytes) return HTTP_SENDING;
    if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session)) return HTTP_ENDED;
    if (p->reading_us) return HTTP_READING;
    return h->streams ? HTTP_WAITING : HTTP_IDLE;
}

/* A stream whose client opens no window keeps a body alive: not for ever. */
static void tick(struct http_protocol *p, int64_t now_us, int64_t stall_us)
{
    struct http2 *h = of(p);
    h->now_us = now_us;
    for (struct stream *s = h->first; s && !h->is_broken; s = s->next) {
        if (!s->left || now_us - s->progress_us <= stall_us) continue;
        if (nghttp2_session_get_stream_remote_window_size(h->session, s->id) > 0 &&
            nghttp2_session_get_remote_window_size(h->session) > 0)
            continue; /* others go first, or the socket is full */
        count(h, COUNTER_HTTP2_STREAM_STALLED);
        s->progress_us = now_us; /* said once */
        if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL)) h->is_broken = true;
    }
}

static void destroy(struct http_protocol *p)
{
    struct http2 *h = of(p);
    byte_writer_deinit(&h->block.text);
    for (struct stream *s = h->first, *next; s; s = next) {
        next = s->next;
        stream_destroy(h, s);
    }
    nghttp2_session_del(h->session);
    output_deinit(&p->output);
    free(h);
}

static bool open_session(struct http2 *h)
{
    static const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_BYTES_MAX },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option)) {
        nghttp2_session_callbacks_del(callbacks);
        return false;
    }
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_body);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_block_begins);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_frame_begins);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_bad_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
    nghttp2_option_set_no_auto_window_update(option, 1); /* bodies are not wanted: what a window holds of them is all */
    nghttp2_option_set_max_outbound_ack(option, ACKS_WAITING_MAX);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    const bool is_open = !nghttp2_session_server_new2(&h->session, callbacks, h, option) &&
                         !nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return is_open;
}

struct http_protocol *http2_create(const struct http_protocol_events *events, int64_t now_us)
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
    struct http2 *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->base = (struct http_protocol){ .ops = &ops, .events = *events, .reading_us = now_us };
    h->now_us = now_us;
    h->resets = (struct budget){ HTTP2_RESETS_BURST_MAX * 1000LL, now_us };
    h->controls = (struct budget){ HTTP2_CONTROLS_BURST_MAX * 1000LL, now_us };
    if (open_session(h)) {
        counter_add(events->counters, COUNTER_HTTP2_OPENED, 1);
        return &h->base;
    }
    destroy(&h->base);
    return NULL;
}
