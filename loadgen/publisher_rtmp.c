#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "publisher_internal.h"

#define CHUNK_BYTES_DEFAULT 4096
#define SOUND_STAMPED_EVERY 8 /* 171 ms: each part has one */

static const struct media_item *item_at(const struct publisher *p)
{
    uint32_t count;
    return &media_source_items(p->source, &count)[p->at];
}

static void advance(struct publisher *p)
{
    uint32_t count;
    media_source_items(p->source, &count);
    publisher_advance(p, count);
}

static void forget_pending(struct publisher *p)
{
    free(p->rtmp.pending);
    p->rtmp.pending = NULL;
    p->rtmp.pending_bytes = p->rtmp.pending_at = 0;
}

static void forget_events(struct publisher *p)
{
    if (p->rtmp.readable) event_free(p->rtmp.readable);
    if (p->rtmp.writable) event_free(p->rtmp.writable);
    p->rtmp.readable = p->rtmp.writable = NULL;
}

static void close_line(struct publisher *p, bool is_reset)
{
    forget_events(p);
    forget_pending(p);
    rtmp_line_close(&p->rtmp.line, is_reset);
}

static void lose(struct publisher *p, const char *how)
{
    char text[160];
    snprintf(text, sizeof text, "%s%s%s", how, p->rtmp.status[0] ? ", behind " : "", p->rtmp.status);
    close_line(p, false);
    publisher_is_lost(p, text);
}

/* -- sending -- */

/* false: it is gone, or not all of it. */
static bool send_pending(struct publisher *p)
{
    struct publisher_rtmp_half *r = &p->rtmp;
    while (r->pending_at < r->pending_bytes) {
        const ssize_t sent = rtmp_line_send(&r->line, r->pending + r->pending_at, r->pending_bytes - r->pending_at);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) {
            lose(p, strerror(errno));
            return false;
        }
        if (sent < 0) {
            event_add(r->writable, NULL);
            return false;
        }
        r->pending_at += (size_t)sent;
        atomic_fetch_add_explicit(&p->figures.bytes, (uint64_t)sent, memory_order_relaxed);
    }
    forget_pending(p);
    return true;
}

/* What the scratch holds. What the socket does not take is kept: there is nothing else waiting, or it would not have been made. */
static bool send_scratch(struct publisher *p, int64_t due_us)
{
    struct byte_writer *w = &p->home->scratch;
    struct publisher_rtmp_half *r = &p->rtmp;
    ssize_t sent = w->failed ? (errno = ENOMEM, -1) : rtmp_line_send(&r->line, w->data, w->bytes);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        lose(p, strerror(errno));
        return false;
    }
    if (sent < 0) sent = 0;
    atomic_fetch_add_explicit(&p->figures.bytes, (uint64_t)sent, memory_order_relaxed);
    if ((size_t)sent == w->bytes) return true;
    r->pending = malloc(w->bytes - (size_t)sent);
    if (!r->pending) {
        lose(p, "no memory");
        return false;
    }
    r->pending_bytes = w->bytes - (size_t)sent;
    r->pending_at = 0;
    r->pending_due_us = due_us;
    memcpy(r->pending, w->data + sent, r->pending_bytes);
    event_add(r->writable, NULL);
    return false;
}

static void render(struct publisher *p)
{
    struct byte_writer *w = &p->home->scratch;
    const struct media_item *item = item_at(p);
    const int64_t dts_90k = publisher_media_90k(p, item->dts_90k);
    if (!p->is_started) rtmp_write_beginning(&p->rtmp.writer, w, p->source, (uint32_t)((dts_90k + 45) / 90));
    p->is_started = true;
    const bool is_stamped = item->is_video || item->frame % SOUND_STAMPED_EVERY == 0;
    const struct stamp stamp = is_stamped ? publisher_stamp(p, item->is_video, item->dts_90k + item->cts_90k)
                                          : (struct stamp){ 0 };
    rtmp_write_item(&p->rtmp.writer, w, p->source, item, dts_90k, is_stamped ? &stamp : NULL);
}

/* Behind by more than it may be: to the keyframe that is due now. */
static void leave_out(struct publisher *p, int64_t now_us)
{
    uint64_t dropped = 0;
    char text[48];
    for (const struct media_item *i = item_at(p);; advance(p), i = item_at(p)) {
        const bool is_entry = i->is_key && (i->is_video || !media_source_facts(p->source)->video);
        if (is_entry && publisher_due_us(p, i->dts_90k) + LOADGEN_BEHIND_US_MAX / 2 > now_us) break;
        dropped += i->is_video;
    }
    p->frame += dropped;
    atomic_fetch_add_explicit(&p->figures.dropped_frames, dropped, memory_order_relaxed);
    snprintf(text, sizeof text, "%llu pictures left out", (unsigned long long)dropped);
    publisher_tell(p, PUBLISHER_BEHIND, text);
}

static void pump(struct publisher *p, int64_t now_us)
{
    struct byte_writer *w = &p->home->scratch;
    if (p->rtmp.pending) {
        publisher_note_age(p, now_us - p->rtmp.pending_due_us);
        if (!send_pending(p)) {
            if (p->state == PUBLISHER_IS_LIVE)
                p->due_us = now_us + 100000; /* for the age; the socket tells when it can go on */
            return;
        }
    }
    int64_t due_us = publisher_due_us(p, item_at(p)->dts_90k);
    publisher_note_age(p, now_us - due_us);
    if (now_us - due_us > LOADGEN_BEHIND_US_MAX) {
        leave_out(p, now_us);
        due_us = publisher_due_us(p, item_at(p)->dts_90k);
    }
    while (due_us <= now_us) {
        const int64_t first_due_us = due_us;
        byte_writer_clear(w);
        do {
            render(p);
            advance(p);
            due_us = publisher_due_us(p, item_at(p)->dts_90k);
        } while (due_us <= now_us && w->bytes < LOADGEN_BATCH_BYTES);
        if (send_scratch(p, first_due_us)) continue;
        if (p->state == PUBLISHER_IS_LIVE) p->due_us = now_us + 100000;
        return;
    }
    p->due_us = due_us;
}

/* -- events of the socket -- */

static void on_ping(void *owner, uint32_t time)
{
    struct publisher *p = owner;
    if (p->rtmp.pending) return; /* it asks again; what waits must not be cut into */
    byte_writer_clear(&p->home->scratch);
    rtmp_write_pong(&p->rtmp.writer, &p->home->scratch, time);
    send_scratch(p, clock_now_us());
}

static void on_status(void *owner, const char *code)
{
    struct publisher *p = owner;
    snprintf(p->rtmp.status, sizeof p->rtmp.status, "%s", code);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct publisher *p = context;
    const struct rtmp_reader_sink sink = { .owner = p, .on_ping = on_ping, .on_status = on_status };
    uint8_t bytes[4096];
    for (int budget = 4; budget && p->rtmp.line.fd >= 0; budget--) {
        const ssize_t got = rtmp_line_receive(&p->rtmp.line, bytes, sizeof bytes);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            lose(p, got ? strerror(errno) : "the server closed the connection");
            return;
        }
        const enum weir_err err = rtmp_reader_feed(&p->rtmp.line.reader, bytes, (size_t)got, &sink);
        if (err && p->state == PUBLISHER_IS_LIVE) {
            lose(p, "the server's chunks make no sense");
            return;
        }
    }
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct publisher *p = context;
    const int64_t now_us = clock_now_us();
    if (p->state != PUBLISHER_IS_LIVE || now_us < p->quiet_until_us) return;
    pump(p, now_us);
    publisher_wake(p);
}

void publisher_rtmp_dialled(struct publisher *p, const struct rtmp_line *line, const char *why)
{
    struct publisher_rtmp_half *r = &p->rtmp;
    if (!line) {
        publisher_is_refused(p, why);
        return;
    }
    r->line = *line;
    if (p->state != PUBLISHER_IS_DIALING) { /* ended meanwhile */
        rtmp_line_close(&r->line, false);
        return;
    }
    r->status[0] = 0;
    r->readable = event_new(loop_event_base(p->home->loop), r->line.fd, EV_READ | EV_PERSIST, on_readable, p);
    r->writable = event_new(loop_event_base(p->home->loop), r->line.fd, EV_WRITE, on_writable, p);
    if (!r->readable || !r->writable || event_add(r->readable, NULL)) {
        close_line(p, false);
        publisher_is_refused(p, "no memory");
        return;
    }
    const struct publishers_config *c = &p->group->config;
    rtmp_writer_init(&r->writer, r->line.stream_id, c->is_absolute_times);
    byte_writer_clear(&p->home->scratch);
    rtmp_write_chunk_size(&r->writer, &p->home->scratch, c->chunk_bytes ? c->chunk_bytes : CHUNK_BYTES_DEFAULT);
    publisher_is_live(p);
    if (send_scratch(p, clock_now_us()) && r->line.early_bytes) on_readable(r->line.fd, EV_READ, p);
}

static void dial(struct publisher *p)
{
    dialers_ask(p->group->dialers, p);
}

/* -- misbehaviour -- */

static uint64_t mix(uint64_t x)
{
    x = (x + 0x9E3779B97F4A7C15u);
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void cut(struct publisher *p, bool is_reset, uint64_t seed)
{
    struct byte_writer *w = &p->home->scratch;
    if (!p->rtmp.pending) {
        byte_writer_clear(w);
        render(p);
        /* somewhere in it, neither at its beginning nor at its end */
        if (!w->failed && w->bytes > 2) {
            const size_t bytes = 1 + (size_t)(mix(seed) % (w->bytes - 1));
            if (rtmp_line_send(&p->rtmp.line, w->data, bytes) > 0)
                atomic_fetch_add_explicit(&p->figures.bytes, bytes, memory_order_relaxed);
        }
    }
    close_line(p, is_reset);
}

static void drop_ghost(struct publisher *p)
{
    rtmp_line_close(&p->rtmp.ghost, false);
}

static void vanish(struct publisher *p, int64_t until_us)
{
    drop_ghost(p);
    forget_events(p);
    forget_pending(p);
    p->rtmp.ghost = p->rtmp.line;
    p->rtmp.line.fd = -1;
    p->rtmp.line.tls = NULL;
}

static void garbage(struct publisher *p, uint32_t bytes, uint64_t seed)
{
    struct byte_writer *w = &p->home->scratch;
    if (p->rtmp.pending) return;
    byte_writer_clear(w);
    for (uint32_t i = 0; i < bytes; i += 4) write_u32(w, (uint32_t)mix(seed + i));
    send_scratch(p, clock_now_us());
}

static void end(struct publisher *p)
{
    const char *slash = strrchr(p->name, '/');
    struct byte_writer *w = &p->home->scratch;
    byte_writer_clear(w);
    rtmp_write_end(&p->rtmp.writer, w, slash ? slash + 1 : p->name);
    if (!p->rtmp.pending && !w->failed && rtmp_line_send(&p->rtmp.line, w->data, w->bytes) > 0)
        atomic_fetch_add_explicit(&p->figures.bytes, w->bytes, memory_order_relaxed);
    close_line(p, false);
}

static void close_all(struct publisher *p)
{
    close_line(p, false);
    drop_ghost(p);
}

const struct publisher_protocol publisher_rtmp = { .dial = dial,
                                                   .pump = pump,
                                                   .cut = cut,
                                                   .vanish = vanish,
                                                   .garbage = garbage,
                                                   .end = end,
                                                   .close = close_all,
                                                   .drop_ghost = drop_ghost };
