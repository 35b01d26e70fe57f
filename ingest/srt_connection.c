#include "srt_connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/net.h>

#include "refusal.h"
#include "srt_figures.h"
#include "srt_library.h"
#include "ts_intake.h"

#define FIGURES_US (1000 * 1000LL)
#define QUIET_US (500 * 1000LL)
#define TS_PACKET_BYTES 188
#define SEQUENCE_MASK 0x7FFFFFFF /* packet sequence numbers have 31 bits */
#define SEQUENCE_HALF 0x40000000

struct srt_connection {
    struct srt_watch watch; /* first: the watch is the connection */
    struct srt_home *home;
    struct srt_connection *next, *previous;
    struct srt_connection_owner owner;
    struct publication *publication;
    struct stream *stream; /* while accepted */
    struct ts_intake *intake;
    char name[STREAM_NAME_BYTES_MAX + 1];
    char peer[NET_PEER_BYTES];
    const char *protocol;
    uint8_t address[16];
    int64_t started_us, accepted_us, data_us, frame_us, figures_us;
    int64_t idle_us; /* libsrt's: after this without any packet it breaks */
    uint64_t frames_seen, bytes_in, messages_in;
    uint32_t sequence; /* that comes next */
    bool has_sequence, is_counted;
    uint32_t packets_per_message; /* transport packets that a message holds at most, as seen */
    struct srt_figures figures;
    const char *end_reason; /* set: close as soon as nobody is inside */
    bool is_inside;
};

static void count(struct srt_connection *c, enum counter id)
{
    counter_add(c->home->counters, id, 1);
}

/* -- ending -- */

static void log_end(const struct srt_connection *c)
{
    const struct srt_figures *f = &c->figures;
    log_event(LOG_INGEST, LOG_INFO, c->name, "publish_ended",
              "peer=%s protocol=%s reason=\"%s\" seconds=%lld bytes=%llu packets=%llu lost=%llu retransmitted=%llu "
              "dropped=%llu belated=%llu "
              "undecryptable=%llu rtt_ms=%.2f",
              c->peer, c->protocol, c->end_reason ? c->end_reason : "stopped",
              (long long)(clock_now_us() - c->accepted_us) / 1000000, (unsigned long long)c->bytes_in,
              (unsigned long long)c->messages_in, (unsigned long long)f->packets_lost,
              (unsigned long long)f->packets_retransmitted, (unsigned long long)f->packets_dropped,
              (unsigned long long)f->packets_belated, (unsigned long long)f->packets_undecryptable,
              (double)f->rtt_us / 1000);
}

/* What is whole goes into the stream first, unless it is another's already. */
static void end_publication(struct srt_connection *c, bool is_ours)
{
    if (c->stream && is_ours) {
        srt_figures_read(&c->figures, c->watch.socket, srt_library_member(c->watch.socket));
        /* libsrt tells nothing of a connection that is broken; but what it delivered since it was asked last has come */
        if (c->messages_in > c->figures.packets) c->figures.packets = c->messages_in;
        srt_figures_publish(&c->figures, live_edge_figures(stream_edge(c->stream)));
        ts_intake_flush(c->intake, clock_now_us());
    }
    ts_intake_destroy(c->intake);
    c->intake = NULL;
    const bool was_publishing = c->stream != NULL;
    c->stream = NULL;
    struct publication *p = c->publication;
    c->publication = NULL;
    publication_end(p, false);
    if (was_publishing) log_end(c);
}

static void unlink_connection(struct srt_connection *c)
{
    if (c->previous)
        c->previous->next = c->next;
    else
        c->home->first = c->next;
    if (c->next) c->next->previous = c->previous;
}

static void destroy(struct srt_connection *c)
{
    struct srt_shared *shared = c->home->shared;
    const struct srt_connection_owner owner = c->owner;
    const char *reason = c->end_reason ? c->end_reason : "";
    const int64_t lasted_us = c->frame_us > c->accepted_us && c->accepted_us ? c->frame_us - c->accepted_us : 0;
    end_publication(c, true);
    srt_pass_unwatch(c->home->pass, &c->watch);
    srt_close(c->watch.socket);
    unlink_connection(c);
    log_event(LOG_INGEST, LOG_DEBUG, c->name, "srt_closed", "peer=%s reason=\"%s\"", c->peer, reason);
    count(c, COUNTER_SRT_CLOSED);
    atomic_fetch_sub(&shared->connections, 1);
    if (c->is_counted) address_counts_remove(&shared->addresses, c->address);
    free(c);
    if (owner.ended) owner.ended(owner.context, reason, lasted_us);
}

/* Ends the connection now, or when the call that is inside it returns. */
static void finish(struct srt_connection *c, const char *reason)
{
    if (!c->end_reason) c->end_reason = reason;
    if (!c->is_inside) destroy(c);
}

/* -- what the gate and the registry say -- */

static void log_start(const struct srt_connection *c)
{
    const SRTSOCKET socket = srt_library_member(c->watch.socket);
    const int64_t version = srt_library_get_number(socket, SRTO_PEERVERSION);
    char encryption[16] = "none";
    if (srt_library_get_number(socket, SRTO_RCVKMSTATE) == SRT_KM_S_SECURED)
        snprintf(encryption, sizeof encryption, "aes-%d", (int)srt_library_get_number(socket, SRTO_PBKEYLEN) * 8);
    log_event(LOG_INGEST, LOG_INFO, c->name, "publish_started",
              "peer=%s protocol=%s libsrt=%u.%u.%u latency_ms=%lld encryption=%s links=%s", c->peer, c->protocol,
              (unsigned)(version >> 16 & 0xFF), (unsigned)(version >> 8 & 0xFF), (unsigned)(version & 0xFF),
              (long long)srt_library_get_number(socket, SRTO_RCVLATENCY), encryption,
              srt_library_is_group(c->watch.socket) ? "bonded" : "one");
}

static void on_accepted(void *context, struct stream *stream)
{
    struct srt_connection *c = context;
    c->stream = stream;
    c->accepted_us = c->data_us = c->frame_us = c->figures_us = clock_now_us();
    c->intake = ts_intake_create(stream, c->home->counters, c->peer);
    if (!c->intake || srt_pass_watch(c->home->pass, &c->watch, SRT_EPOLL_IN | SRT_EPOLL_ERR)) {
        finish(c, "out of memory");
        return;
    }
    srt_figures_begin(&c->figures, c->protocol, live_edge_figures(stream_edge(stream)));
    count(c, COUNTER_PUBLISH_ACCEPTED);
    log_start(c);
}

static void on_refused(void *context, enum publish_verdict verdict)
{
    struct srt_connection *c = context;
    log_event(LOG_INGEST, LOG_WARN, c->name, "publish_refused",
              "peer=%s protocol=%s code=%d reason=%s text=\"%s\" told=no", c->peer, c->protocol,
              (int)srt_reject_for(verdict), publish_verdict_name(verdict), publish_verdict_text(verdict));
    count(c, refusal_counter(verdict));
    finish(c, publish_verdict_name(verdict));
}

static void on_revoked(void *context)
{
    struct srt_connection *c = context;
    count(c, COUNTER_PUBLISH_TAKEOVER);
    c->end_reason = "another publisher took over";
    end_publication(c, false);
    finish(c, c->end_reason);
}

/* -- reading -- */

static void note_sequence(struct srt_connection *c, int32_t pktseq, size_t bytes)
{
    const uint32_t sequence = (uint32_t)pktseq & SEQUENCE_MASK;
    const uint32_t gap = (sequence - c->sequence) & SEQUENCE_MASK;
    const uint32_t packets = (uint32_t)(bytes + TS_PACKET_BYTES - 1) / TS_PACKET_BYTES;
    if (packets > c->packets_per_message) c->packets_per_message = packets;
    if (c->has_sequence && gap && gap < SEQUENCE_HALF) {
        counter_add(c->home->counters, COUNTER_SRT_PACKETS_MISSING, gap);
        c->figures.packets_missing += gap;
        ts_intake_note_loss(c->intake, (size_t)gap * c->packets_per_message);
    }
    c->sequence = sequence + 1;
    c->has_sequence = true;
}

static const char *broken_reason(const struct srt_connection *c)
{
    const int64_t quiet_us = clock_now_us() - c->data_us;
    return quiet_us > c->idle_us - c->idle_us / 4 ? "connection lost: nothing came any more (srt.idle)"
                                                  : "closed by the publisher";
}

static void on_ready(struct srt_watch *w, int events)
{
    struct srt_connection *c = (struct srt_connection *)w;
    SRT_MSGCTRL control = srt_msgctrl_default;
    c->is_inside = true;
    const int bytes = srt_recvmsg2(w->socket, (char *)c->home->message, sizeof c->home->message, &control);
    if (bytes > 0) {
        c->data_us = srt_pass_now_us(c->home->pass);
        c->bytes_in += (uint64_t)bytes;
        c->messages_in++;
        counter_add(c->home->counters, COUNTER_SRT_BYTES_IN, (uint64_t)bytes);
        counter_add(c->home->counters, COUNTER_SRT_MESSAGES_IN, 1);
        note_sequence(c, control.pktseq, (size_t)bytes);
        ts_intake_feed(c->intake, c->home->message, (size_t)bytes, c->data_us);
    } else if (bytes == 0 || srt_getlasterror(NULL) != SRT_EASYNCRCV) {
        if (!c->end_reason) c->end_reason = broken_reason(c);
    } else if (events & SRT_EPOLL_ERR) {
        if (!c->end_reason) c->end_reason = broken_reason(c);
    }
    c->is_inside = false;
    if (c->end_reason) destroy(c);
}

/* -- life -- */

static struct srt_connection *create(struct srt_home *home, SRTSOCKET socket, const struct publish_request *request)
{
    struct srt_connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->home = home;
    c->watch = (struct srt_watch){ .socket = socket, .ready = on_ready, .is_close = true };
    c->started_us = clock_now_us();
    c->packets_per_message = 1;
    c->protocol = request->protocol;
    memcpy(c->name, request->name, sizeof c->name);
    memcpy(c->peer, request->peer, sizeof c->peer);
    memcpy(c->address, request->address, sizeof c->address);
    c->idle_us = srt_library_get_number(srt_library_member(socket), SRTO_PEERIDLETIMEO) * 1000;
    c->next = home->first;
    if (c->next) c->next->previous = c;
    home->first = c;
    atomic_fetch_add(&home->shared->connections, 1);
    count(c, COUNTER_SRT_ACCEPTED);
    srt_home_keep_ticking(home);
    return c;
}

static bool start_publication(struct srt_connection *c, const struct publish_request *request)
{
    const struct srt_server_config *config = &c->home->shared->config;
    const struct publication_events events = {
        .context = c, .accepted = on_accepted, .refused = on_refused, .revoked = on_revoked
    };
    c->publication = publication_start(config->gate, config->registry, c->home->loop, request, &events);
    return c->publication != NULL;
}

/* libsrt takes the caller's key length where only the path says another. */
static bool has_weak_key(const struct srt_home *home, SRTSOCKET socket, const struct publish_request *request,
                         const void *look_port)
{
    const struct srt_server_config *config = &home->shared->config;
    struct srt_options options;
    struct stream_policy policy;
    if (config->look(config->context, look_port, request, &options, &policy) != PUBLISH_ALLOWED) return false;
    const bool is_weak = options.passphrase[0] &&
                         srt_library_get_number(srt_library_member(socket), SRTO_PBKEYLEN) < options.key_bytes;
    explicit_bzero(options.passphrase, sizeof options.passphrase);
    return is_weak;
}

static void refuse_now(struct srt_home *home, SRTSOCKET socket, const char *peer, enum counter counter, const char *why)
{
    counter_add(home->counters, counter, 1);
    log_event(LOG_INGEST, LOG_WARN, "-", "publish_refused", "peer=%s protocol=srt text=\"%s\" told=no", peer, why);
    srt_close(socket);
}

void srt_connection_accept(struct srt_home *home, SRTSOCKET socket, const struct sockaddr_storage *peer,
                           const struct srt_streamid_rules *rules, const void *look_port)
{
    loop_assert_current(home->loop);
    struct srt_shared *shared = home->shared;
    struct publish_request request = { .protocol = "srt" };
    char streamid[SRT_STREAMID_BYTES_MAX + 1] = "";
    int bytes = sizeof streamid;
    const char *why = "";
    net_address_bytes(peer, request.address);
    net_format_peer(peer, request.peer);
    /* said before in the listen callback, and told again here: between the two nothing needs to be kept */
    if (srt_getsockflag(srt_library_member(socket), SRTO_STREAMID, streamid, &bytes) < 0) streamid[0] = 0;
    const enum srt_reject code = srt_streamid_parse(streamid, rules, &request, &why);
    explicit_bzero(streamid, sizeof streamid);
    if (code) {
        refuse_now(home, socket, request.peer, COUNTER_PUBLISH_REFUSED_NAME, why);
        return;
    }
    if (has_weak_key(home, socket, &request, look_port)) {
        refuse_now(home, socket, request.peer, COUNTER_SRT_HANDSHAKE_FAILED,
                   "this name wants a longer AES key (srt.pbkeylen): set pbkeylen in the encoder");
        return;
    }
    if (!address_counts_add(&shared->addresses, request.address, shared->config.connections_per_address_max)) {
        refuse_now(home, socket, request.peer, COUNTER_SRT_REFUSED_ADDRESS,
                   "too many SRT connections from this address");
        return;
    }
    struct srt_connection *c = create(home, socket, &request);
    if (!c) {
        address_counts_remove(&shared->addresses, request.address);
        srt_close(socket);
    } else {
        c->is_counted = true;
        if (!start_publication(c, &request)) finish(c, "out of memory");
    }
    explicit_bzero(request.key, sizeof request.key);
}

enum weir_err srt_connection_adopt(struct srt_home *home, SRTSOCKET socket, const struct publish_request *request,
                                   const struct srt_connection_owner *owner)
{
    loop_assert_current(home->loop);
    struct srt_connection *c = create(home, socket, request);
    if (!c) {
        srt_close(socket);
        return WEIR_NOMEM;
    }
    if (!start_publication(c, request)) {
        finish(c, "out of memory");
        return WEIR_NOMEM;
    }
    c->owner = *owner;
    return WEIR_OK;
}

static void tick_publishing(struct srt_connection *c, int64_t now_us)
{
    const struct srt_server_config *config = &c->home->shared->config;
    const uint64_t frames = ts_intake_frames(c->intake);
    if (frames != c->frames_seen) c->frame_us = now_us;
    c->frames_seen = frames;
    /* libsrt tells nobody of a socket that was broken before it was watched */
    if (now_us - c->data_us > QUIET_US && srt_getsockstate(c->watch.socket) >= SRTS_BROKEN) {
        finish(c, broken_reason(c));
        return;
    }
    if (now_us - c->data_us > config->idle_us) {
        count(c, COUNTER_SRT_IDLE_TIMEOUT);
        finish(c, "no data");
        return;
    }
    if (!frames && now_us - c->accepted_us > config->publish_us) {
        count(c, COUNTER_SRT_PUBLISH_TIMEOUT);
        finish(c, "nothing that can be carried came in time: send MPEG-TS with H.264, HEVC or AV1 video, or AAC audio");
        return;
    }
    if (now_us - c->figures_us >= FIGURES_US) {
        c->figures_us = now_us;
        srt_figures_read(&c->figures, c->watch.socket, srt_library_member(c->watch.socket));
        srt_figures_publish(&c->figures, live_edge_figures(stream_edge(c->stream)));
    }
    stream_tick(c->stream, now_us);
}

void srt_connections_tick(struct srt_home *home, int64_t now_us)
{
    for (struct srt_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        if (c->stream) {
            tick_publishing(c, now_us);
        } else if (now_us - c->started_us > home->shared->config.publish_us) {
            count(c, COUNTER_SRT_PUBLISH_TIMEOUT);
            finish(c, "the gate did not answer in time");
        }
    }
}

void srt_connections_close_all(struct srt_home *home)
{
    for (struct srt_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        c->owner = (struct srt_connection_owner){ .context = NULL };
        finish(c, "the server is stopping");
    }
}
