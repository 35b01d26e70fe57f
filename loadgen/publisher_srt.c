#include <srt/srt.h>
#include <stdio.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "media_map.h"
#include "publisher_internal.h"
#include "ts_loop.h"

#define PACKETS_PER_MESSAGE 7
#define MESSAGE_BYTES (PACKETS_PER_MESSAGE * TS_PACKET_BYTES)
#define POLL_US 20000
#define RETRY_US 5000
#define LATENCY_MS_DEFAULT 120

static const struct media_ts_piece *piece_at(const struct publisher *p)
{
    uint32_t count;
    return &media_source_ts(p->source, &count)[p->at];
}

static void advance(struct publisher *p)
{
    uint32_t count;
    media_source_ts(p->source, &count);
    publisher_advance(p, count);
    p->srt.packet = 0;
}

static void close_socket(struct publisher *p)
{
    if (p->srt.socket >= 0) srt_close(p->srt.socket);
    p->srt.socket = -1;
}

static void set_text(int s, SRT_SOCKOPT option, const char *text)
{
    if (text && *text) srt_setsockflag(s, option, text, (int)strlen(text));
}

/* All callers share one port, and libsrt's threads for it; where libsrt does not let another onto it, the next ones share a new one. */
static bool bind_caller(struct publishers *g, int s)
{
    struct sockaddr *own = (struct sockaddr *)&g->srt_own;
    if (srt_bind(s, own, (int)g->srt_address_bytes) == 0) return true;
    if (own->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)own)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)(void *)own)->sin6_port = 0;
    return srt_bind(s, own, (int)g->srt_address_bytes) == 0;
}

static void dial(struct publisher *p)
{
    struct publishers *g = p->group;
    const struct publishers_config *c = &g->config;
    const int off = 0, latency = c->latency_ms ? (int)c->latency_ms : LATENCY_MS_DEFAULT,
              timeout = (int)(LOADGEN_DIAL_US / 1000), s = srt_create_socket();
    p->srt.socket = s;
    srt_setsockflag(s, SRTO_SNDSYN, &off, sizeof off);
    srt_setsockflag(s, SRTO_RCVSYN, &off, sizeof off);
    srt_setsockflag(s, SRTO_LATENCY, &latency, sizeof latency);
    srt_setsockflag(s, SRTO_CONNTIMEO, &timeout, sizeof timeout);
    set_text(s, SRTO_PASSPHRASE, c->passphrase);
    set_text(s, SRTO_STREAMID, p->play);
    const struct sockaddr *to = (const struct sockaddr *)&g->srt_address;
    if (s < 0 || !bind_caller(g, s) || srt_connect(s, to, (int)g->srt_address_bytes) < 0) {
        char why[160];
        snprintf(why, sizeof why, "%s", srt_getlasterror_str());
        close_socket(p);
        publisher_is_refused(p, why);
        return;
    }
    int bytes = sizeof g->srt_own;
    struct sockaddr_storage bound;
    if (!srt_getsockname(s, (struct sockaddr *)&bound, &bytes)) g->srt_own = bound;
}

static void poll_dial(struct publisher *p, int64_t now_us)
{
    const SRT_SOCKSTATUS state = srt_getsockstate(p->srt.socket);
    p->due_us = now_us + POLL_US;
    if (state == SRTS_CONNECTED) {
        p->srt.packet = 0;
        publisher_is_live(p);
    } else if (state != SRTS_CONNECTING && state != SRTS_INIT && state != SRTS_OPENED) {
        char why[160];
        const int reason = srt_getrejectreason(p->srt.socket);
        snprintf(why, sizeof why, "rejected: %d %s", reason,
                 reason >= SRT_REJC_PREDEFINED ? "" : srt_rejectreason_str(reason));
        close_socket(p);
        publisher_is_refused(p, why);
    }
}

/* What is sent now of the piece at hand, as it is in this round. Its length. */
static size_t render(struct publisher *p, uint8_t out[MESSAGE_BYTES])
{
    const struct media_ts_piece *piece = piece_at(p);
    const uint8_t *counters = media_source_ts_counters(p->source);
    const uint32_t left = piece->packets - p->srt.packet;
    const uint32_t count = left < PACKETS_PER_MESSAGE ? left : PACKETS_PER_MESSAGE;
    const size_t from = (size_t)p->srt.packet * TS_PACKET_BYTES, bytes = (size_t)count * TS_PACKET_BYTES;
    memcpy(out, media_source_bytes(p->source, piece->at) + from, bytes);
    /* from the stream's own beginning, unless another one was asked for */
    const int64_t origin_90k = p->base_90k ? media_source_ts_origin_90k(p->source) : 0;
    const uint64_t ticks = (uint64_t)(publisher_media_90k(p, 0) - origin_90k) & (((uint64_t)1 << 33) - 1);
    for (size_t at = 0; at < bytes; at += TS_PACKET_BYTES)
        ts_packet_renew(out + at, (unsigned)(p->round * counters[ts_packet_pid(out + at)]) & 0x0F, ticks);
    if (piece->stamp_at >= from && piece->stamp_at && piece->stamp_at < from + bytes) {
        const struct stamp stamp = publisher_stamp(p, piece->is_video, piece->pts_90k);
        stamp_renew(out + (piece->stamp_at - from), &stamp);
    }
    return bytes;
}

static void lose(struct publisher *p)
{
    char why[160];
    snprintf(why, sizeof why, "%s", srt_getlasterror_str());
    close_socket(p);
    publisher_is_lost(p, why);
}

/* false: not now, or it is gone. */
static bool send_piece(struct publisher *p, int64_t now_us)
{
    uint8_t message[MESSAGE_BYTES];
    while (p->srt.packet < piece_at(p)->packets) {
        const uint64_t frame = p->frame;
        const size_t bytes = render(p, message);
        if (srt_sendmsg2(p->srt.socket, (const char *)message, (int)bytes, NULL) < 0) {
            if (p->frame != frame) { /* it is stamped anew when it goes */
                p->frame = frame;
                atomic_fetch_sub_explicit(&p->figures.frames, 1, memory_order_relaxed);
            }
            if (srt_getlasterror(NULL) == SRT_EASYNCSND)
                p->due_us = now_us + RETRY_US;
            else
                lose(p);
            return false;
        }
        atomic_fetch_add_explicit(&p->figures.bytes, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->figures.packets, 1, memory_order_relaxed);
        p->srt.packet += (uint32_t)(bytes / TS_PACKET_BYTES);
    }
    advance(p);
    return true;
}

static void leave_out(struct publisher *p, int64_t now_us)
{
    uint64_t dropped = 0;
    char text[48];
    do {
        dropped += piece_at(p)->is_video;
        advance(p);
    } while (!(piece_at(p)->is_key || !media_source_facts(p->source)->video) ||
             publisher_due_us(p, piece_at(p)->dts_90k) + LOADGEN_BEHIND_US_MAX / 2 <= now_us);
    p->frame += dropped;
    atomic_fetch_add_explicit(&p->figures.dropped_frames, dropped, memory_order_relaxed);
    snprintf(text, sizeof text, "%llu pictures left out", (unsigned long long)dropped);
    publisher_tell(p, PUBLISHER_BEHIND, text);
}

static void pump(struct publisher *p, int64_t now_us)
{
    int64_t due_us = publisher_due_us(p, piece_at(p)->dts_90k);
    publisher_note_age(p, now_us - due_us);
    if (now_us - due_us > LOADGEN_BEHIND_US_MAX) leave_out(p, now_us);
    while ((due_us = publisher_due_us(p, piece_at(p)->dts_90k)) <= now_us)
        if (!send_piece(p, now_us)) return;
    p->due_us = due_us;
    /* a publisher that is only heard of when it sends would not notice a server that has gone during a long pause */
    if (srt_getsockstate(p->srt.socket) > SRTS_CONNECTED) lose(p);
}

/* -- misbehaviour -- */

static void cut(struct publisher *p, bool is_reset, uint64_t seed)
{
    uint8_t message[MESSAGE_BYTES];
    const size_t bytes = render(p, message);
    srt_sendmsg2(p->srt.socket, (const char *)message, (int)bytes, NULL);
    close_socket(p);
}

static void drop_ghost(struct publisher *p)
{
    if (p->srt.ghost >= 0) srt_close(p->srt.ghost);
    p->srt.ghost = -1;
}

/* libsrt goes on telling the server that it is there: the half-open state of a program that hangs. */
static void vanish(struct publisher *p, int64_t until_us)
{
    drop_ghost(p);
    p->srt.ghost = p->srt.socket;
    p->srt.socket = -1;
}

static void garbage(struct publisher *p, uint32_t bytes, uint64_t seed)
{
    uint8_t message[MESSAGE_BYTES];
    for (uint32_t sent = 0; sent < bytes; sent += MESSAGE_BYTES) {
        for (size_t i = 0; i < sizeof message; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            message[i] = (uint8_t)(seed >> 56);
        }
        if (srt_sendmsg2(p->srt.socket, (const char *)message, sizeof message, NULL) < 0) return;
    }
}

static void end(struct publisher *p)
{
    close_socket(p);
}

static void close_all(struct publisher *p)
{
    close_socket(p);
    drop_ghost(p);
}

const struct publisher_protocol publisher_srt = { .dial = dial,
                                                  .poll = poll_dial,
                                                  .pump = pump,
                                                  .cut = cut,
                                                  .vanish = vanish,
                                                  .garbage = garbage,
                                                  .end = end,
                                                  .close = close_all,
                                                  .drop_ghost = drop_ghost };
