#include "rtmp_connection.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>
#include <weir/base/wire.h>
#include <weir/ingest/rtmp_session.h>

#include "refusal.h"

#define LINGER_US (2 * 1000000LL) /* for a client to read why it was refused before the socket goes */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES 3
#define USER_TIMEOUT_MS 15000
#define ERRORS_LOGGED_MAX 3 /* per connection; all are counted. The same for metadata */

struct rtmp_connection {
    struct gather_watch watch; /* first: the watch is the connection */
    struct rtmp_home *home;
    struct wire wire;
    struct rtmp_connection *next, *previous;
    struct rtmp_session *session;
    struct publication *publication;
    struct stream *stream; /* while accepted */
    char *name;            /* of the stream, for the log; NULL before publish */
    uint8_t *leftover;     /* read behind a publish that is being decided */
    size_t leftover_bytes;
    uint8_t address[16];
    char peer[NET_PEER_BYTES];
    int64_t started_us, phase_us;
    int64_t data_us, media_us; /* when anything came, and when a whole audio or video message did */
    uint64_t bytes_in;
    const char *end_reason; /* set: close as soon as nobody is inside */
    uint8_t errors_logged, metadata_logged;
    bool is_counted_active, is_lingering, is_inside;
};

static const char *log_name(const struct rtmp_connection *c)
{
    return c->name ? c->name : "-";
}

static void count(struct rtmp_connection *c, enum counter id)
{
    counter_add(c->home->counters, id, 1);
}

static void set_active(struct rtmp_connection *c, bool is_active)
{
    if (c->is_counted_active == is_active) return;
    c->is_counted_active = is_active;
    gather_count_active(c->home->gather, is_active ? 1 : -1);
}

static void end_publication(struct rtmp_connection *c)
{
    set_active(c, false);
    const bool was_publishing = c->stream != NULL;
    c->stream = NULL;
    struct publication *p = c->publication;
    c->publication = NULL;
    publication_end(p, false);
    if (was_publishing)
        log_event(LOG_INGEST, LOG_INFO, log_name(c), "publish_ended", "peer=%s reason=\"%s\" seconds=%lld bytes=%llu",
                  c->peer, c->end_reason ? c->end_reason : "stopped",
                  (long long)(clock_now_us() - c->phase_us) / 1000000, (unsigned long long)c->bytes_in);
}

static void destroy(struct rtmp_connection *c)
{
    struct rtmp_home *home = c->home;
    end_publication(c);
    gather_unwatch(home->gather, &c->watch);
    wire_deinit(&c->wire);
    close(c->wire.fd);
    if (c->previous)
        c->previous->next = c->next;
    else
        home->first = c->next;
    if (c->next) c->next->previous = c->previous;
    log_event(LOG_INGEST, LOG_DEBUG, log_name(c), "rtmp_closed", "peer=%s reason=\"%s\"", c->peer,
              c->end_reason ? c->end_reason : "");
    count(c, COUNTER_RTMP_CLOSED);
    home->closed(home->context, c->address);
    rtmp_session_destroy(c->session);
    free(c->leftover);
    free(c->name);
    free(c);
}

/* Ends the connection now, or when the call that is inside it returns. */
static void finish(struct rtmp_connection *c, const char *reason)
{
    if (!c->end_reason) c->end_reason = reason;
    if (!c->is_inside) destroy(c);
}

/* -- sending -- */

static unsigned to_gather(unsigned watch)
{
    return (watch & WIRE_READABLE ? (unsigned)GATHER_READ : 0u) | (watch & WIRE_WRITABLE ? (unsigned)GATHER_WRITE : 0u);
}

/* false: the socket is broken. */
static bool flush(struct rtmp_connection *c)
{
    struct byte_span out;
    enum wire_result result = WIRE_OK;
    while (out = rtmp_session_output(c->session), out.bytes && result == WIRE_OK) {
        const struct iovec piece = { (void *)out.data, out.bytes };
        size_t sent = 0;
        result = wire_write(&c->wire, &piece, 1, false, &sent);
        rtmp_session_output_sent(c->session, sent);
    }
    if (result != WIRE_OK && result != WIRE_AGAIN) return false;
    const bool is_reading = rtmp_session_phase(c->session) != RTMP_DECIDING;
    const unsigned wanted = (is_reading ? WIRE_READABLE : 0u) | (out.bytes ? WIRE_WRITABLE : 0u);
    gather_rewatch(c->home->gather, &c->watch, to_gather(wire_watch(&c->wire, wanted)));
    if (is_reading && wire_has_buffered(&c->wire)) gather_again(c->home->gather, &c->watch);
    return true;
}

/* What was said last must reach the client: closing over unread input would reset the connection and lose it. */
static void begin_linger(struct rtmp_connection *c)
{
    if (c->is_lingering) return;
    c->is_lingering = true;
    c->phase_us = clock_now_us();
    wire_end_writing(&c->wire);
}

static void settle(struct rtmp_connection *c)
{
    if (!c->end_reason && !flush(c)) c->end_reason = "connection lost";
    if (c->end_reason) {
        destroy(c);
        return;
    }
    if (rtmp_session_phase(c->session) == RTMP_CLOSING && !rtmp_session_output(c->session).bytes) begin_linger(c);
}

/* -- what the session says -- */

static void log_refusal(struct rtmp_connection *c, const char *reason, const char *text)
{
    log_event(LOG_INGEST, LOG_WARN, log_name(c), "publish_refused", "peer=%s reason=%s text=\"%s\"", c->peer, reason,
              text);
}

/* The codes that encoders know; the text is what they show. */
static const char *refusal_code(enum publish_verdict verdict)
{
    switch (verdict) {
    case PUBLISH_BAD_NAME:
    case PUBLISH_BUSY: return "NetStream.Publish.BadName";
    case PUBLISH_BAD_KEY:
    case PUBLISH_NOT_ALLOWED: return "NetStream.Publish.Denied";
    default: return "NetStream.Publish.Failed";
    }
}

static void take_leftover(struct rtmp_connection *c);

static void on_accepted(void *context, struct stream *stream)
{
    struct rtmp_connection *c = context;
    c->stream = stream;
    c->phase_us = c->data_us = c->media_us = clock_now_us();
    edge_transport_begin(&live_edge_figures(stream_edge(stream))->transport, "rtmp", false);
    set_active(c, true);
    count(c, COUNTER_PUBLISH_ACCEPTED);
    log_event(LOG_INGEST, LOG_INFO, log_name(c), "publish_started", "peer=%s client=%s", c->peer,
              log_quote_text(rtmp_session_client(c->session)).text);
    rtmp_session_accept(c->session);
    take_leftover(c);
}

static void on_refused(void *context, enum publish_verdict verdict)
{
    struct rtmp_connection *c = context;
    const char *text = publish_verdict_text(verdict);
    log_refusal(c, publish_verdict_name(verdict), text);
    count(c, refusal_counter(verdict));
    rtmp_session_refuse(c->session, refusal_code(verdict), text);
    settle(c);
}

static void on_revoked(void *context)
{
    struct rtmp_connection *c = context;
    count(c, COUNTER_PUBLISH_TAKEOVER);
    c->end_reason = "another publisher took over";
    end_publication(c);
    c->end_reason = NULL;
    rtmp_session_refuse(c->session, "NetStream.Publish.BadName", "Another publisher took over this stream name.");
    settle(c);
}

static void on_publish(void *context, const char *app, const char *name)
{
    struct rtmp_connection *c = context;
    struct publish_request request = { .protocol = "rtmp" };
    const char *why = "";
    c->phase_us = clock_now_us();
    if (publish_name_make(&request, app, name, &why) != PUBLISH_ALLOWED) {
        char text[192];
        snprintf(text, sizeof text, "The stream name is not usable: %s.", why);
        log_refusal(c, "bad_name", why);
        count(c, COUNTER_PUBLISH_REFUSED_NAME);
        rtmp_session_refuse(c->session, "NetStream.Publish.BadName", text);
        return;
    }
    memcpy(request.address, c->address, sizeof request.address);
    memcpy(request.peer, c->peer, sizeof request.peer);
    free(c->name);
    c->name = strdup(request.name);
    const struct publication_events events = {
        .context = c, .accepted = on_accepted, .refused = on_refused, .revoked = on_revoked
    };
    c->publication = publication_start(c->home->config->gate, c->home->config->registry, c->home->loop, &request,
                                       &events);
    explicit_bzero(request.key, sizeof request.key);
    if (!c->publication)
        rtmp_session_refuse(c->session, "NetStream.Publish.Failed", publish_verdict_text(PUBLISH_FAILED));
}

static void log_error(struct rtmp_connection *c, const char *event, const char *why)
{
    if (c->errors_logged >= ERRORS_LOGGED_MAX) return;
    c->errors_logged++;
    log_event(LOG_INGEST, LOG_WARN, log_name(c), event, "peer=%s reason=\"%s\"%s", c->peer, why,
              c->errors_logged == ERRORS_LOGGED_MAX ? " more=counted_only" : "");
}

static void refuse_codec(struct rtmp_connection *c, const char *what)
{
    char text[256];
    snprintf(text, sizeof text,
             "%s. weir carries H.264, HEVC, AV1 or VP9 video with AAC, MP3, Opus, FLAC or AC-3 audio.", what);
    count(c, COUNTER_PUBLISH_REFUSED_CODEC);
    log_refusal(c, "unsupported_codec", what);
    rtmp_session_refuse(c->session, "NetStream.Publish.Rejected", text);
    c->end_reason = "unsupported codec";
    end_publication(c);
    c->end_reason = NULL;
}

static void on_config(void *context, enum media_codec codec, struct byte_span wire_config)
{
    struct rtmp_connection *c = context;
    const char *why = "";
    if (!c->stream) return;
    c->media_us = c->data_us;
    const enum weir_err err = stream_set_config(c->stream, 0, codec, wire_config, &why);
    if (err == WEIR_UNSUPPORTED) {
        refuse_codec(c, why);
    } else if (err) {
        count(c, COUNTER_FLV_MALFORMED);
        log_error(c, "bad_configuration", why);
    }
}

static void on_codec(void *context, enum media_codec codec)
{
    struct rtmp_connection *c = context;
    if (!c->stream) return;
    if (stream_takes_codec(c->stream, codec)) {
        stream_set_codec(c->stream, 0, codec);
        return;
    }
    char text[128];
    snprintf(text, sizeof text, "The codec (%s) can only be played as something else, which `audio: auto` makes of it",
             codec_name(codec));
    refuse_codec(c, text);
}

static void on_frame(void *context, const struct rtmp_frame *frame)
{
    struct rtmp_connection *c = context;
    if (!c->stream) {
        blob_unref(frame->message);
        return;
    }
    c->media_us = c->data_us;
    const struct stream_frame in = {
        .kind = codec_kind(frame->codec),
        .message = frame->message,
        .offset = frame->offset,
        .bytes = frame->bytes,
        .is_claimed_key = frame->is_key,
        .wire = { .wire = frame->timestamp_ms,
                  .wire_bits = 32,
                  .wire_hz = 1000,
                  .composition = frame->composition_ms,
                  .offset_ns = frame->offset_ns },
        .now_us = c->data_us,
        .wall_us = clock_wall_us(),
    };
    const char *why = "";
    const enum weir_err err = stream_push(c->stream, &in, &why);
    if (err == WEIR_STATE) {
        count(c, COUNTER_FLV_BEFORE_CONFIG);
    } else if (err) {
        count(c, COUNTER_FLV_MALFORMED);
        log_error(c, "bad_frame", why);
    }
}

static void on_metadata(void *context, double frame_rate, const char *encoder)
{
    struct rtmp_connection *c = context;
    if (!c->stream) return;
    stream_set_frame_rate_hint(c->stream, frame_rate);
    /* some encoders say it again every few seconds */
    const enum log_level level = c->metadata_logged < ERRORS_LOGGED_MAX ? LOG_INFO : LOG_DEBUG;
    if (level == LOG_INFO) c->metadata_logged++;
    log_event(LOG_INGEST, level, log_name(c), "metadata", "peer=%s encoder=%s frame_rate=%.3f", c->peer,
              log_quote_text(encoder).text, frame_rate);
}

static void on_unpublish(void *context)
{
    struct rtmp_connection *c = context;
    end_publication(c);
}

/* At most 510 lines in the life of a connection: one byte numbers the tracks of a kind. */
static void on_extra_track(void *context, enum media_kind kind, uint8_t track)
{
    struct rtmp_connection *c = context;
    log_event(LOG_INGEST, LOG_WARN, log_name(c), "extra_track",
              "peer=%s kind=%s track=%u reason=\"only track 0 is carried; the others are dropped and counted\"",
              c->peer, kind == MEDIA_VIDEO ? "video" : "audio", track);
}

static void on_unsupported(void *context, const char *what)
{
    struct rtmp_connection *c = context;
    char text[64];
    if (!c->stream) return;
    snprintf(text, sizeof text, "The codec (%s) is not supported", what);
    refuse_codec(c, text);
}

static void on_session_refused(void *context, const char *reason, const char *text)
{
    log_refusal(context, reason, text);
}

static void on_dropped(void *context, const char *event, const char *why)
{
    log_error(context, event, why);
}

static void on_random(void *context, uint8_t *out, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        const ssize_t got = getrandom(out + at, bytes - at, 0);
        if (got < 0 && errno != EINTR) {
            memset(out + at, 0x5A, bytes - at); /* filling only: nothing secret hangs on it */
            return;
        }
        if (got > 0) at += (size_t)got;
    }
}

/* -- reading -- */

/* Keeps what stands behind a publish that is being decided. false: no memory. */
static bool keep_leftover(struct rtmp_connection *c, const uint8_t *in, size_t bytes)
{
    if (!bytes) return true;
    c->leftover = malloc(bytes);
    if (!c->leftover) return false;
    memcpy(c->leftover, in, bytes);
    c->leftover_bytes = bytes;
    return true;
}

static void feed(struct rtmp_connection *c, const uint8_t *in, size_t bytes)
{
    const char *why = "";
    size_t consumed = 0;
    const enum weir_err err = rtmp_session_feed(c->session, in, bytes, &consumed, &why);
    if (err) {
        count(c, COUNTER_RTMP_MALFORMED);
        log_event(LOG_INGEST, LOG_WARN, log_name(c), "rtmp_broken", "peer=%s error=\"%s\" reason=\"%s\"", c->peer,
                  err_name(err), why);
        if (!c->end_reason) c->end_reason = why;
        return;
    }
    if (rtmp_session_phase(c->session) == RTMP_DECIDING && !keep_leftover(c, in + consumed, bytes - consumed))
        c->end_reason = "out of memory";
}

static void take_leftover(struct rtmp_connection *c)
{
    uint8_t *bytes = c->leftover;
    const size_t count_bytes = c->leftover_bytes;
    c->leftover = NULL;
    c->leftover_bytes = 0;
    c->is_inside = true;
    feed(c, bytes ? bytes : c->home->buffer, count_bytes); /* with none, too: the session may hold some */
    c->is_inside = false;
    free(bytes);
    settle(c);
}

static void note_phase(struct rtmp_connection *c, enum rtmp_phase before)
{
    if (before == RTMP_HANDSHAKE && rtmp_session_phase(c->session) == RTMP_COMMANDS) c->phase_us = c->data_us;
}

static void note_end(struct rtmp_connection *c, enum wire_result result)
{
    c->end_reason = result == WIRE_CLOSED ? "closed by the publisher" : wire_error(&c->wire);
    if (result == WIRE_BROKEN && !wire_is_open(&c->wire))
        log_event(
            LOG_INGEST, LOG_WARN, "-", "tls_failed", "peer=%s reason=%s%s", c->peer, log_quote_text(c->end_reason).text,
            wire_is_plain_talk(&c->wire) ? " help=\"use rtmps:// for this port, or the port for plain RTMP\"" : "");
}

static void read_socket(struct rtmp_connection *c)
{
    size_t budget = RTMP_READ_BYTES_PER_TURN;
    while (budget && !c->end_reason && rtmp_session_phase(c->session) != RTMP_DECIDING) {
        size_t got = 0;
        const enum wire_result result = wire_read(&c->wire, c->home->buffer, budget, &got);
        if (result == WIRE_AGAIN) return;
        if (result != WIRE_OK) {
            note_end(c, result);
            return;
        }
        counter_add(c->home->counters, COUNTER_RTMP_READS, 1);
        counter_add(c->home->counters, COUNTER_RTMP_BYTES_IN, got);
        c->data_us = clock_now_us();
        c->bytes_in += got;
        if (!c->is_lingering) {
            const enum rtmp_phase before = rtmp_session_phase(c->session);
            feed(c, c->home->buffer, got);
            note_phase(c, before);
        }
        /* the socket is empty: no second call to hear it; TLS gives one record at a time and says when there is none */
        if (got < budget && !c->wire.tls) return;
        budget -= got;
    }
}

static void on_ready(struct gather_watch *w, unsigned events)
{
    struct rtmp_connection *c = (struct rtmp_connection *)w;
    c->is_inside = true;
    /* TLS may have to write before it can read */
    if (events & (GATHER_READ | GATHER_BROKEN) || !(wire_watch(&c->wire, WIRE_READABLE) & WIRE_READABLE))
        read_socket(c);
    /* while nobody reads, nobody else would notice */
    const bool is_unread = rtmp_session_phase(c->session) == RTMP_DECIDING || !wire_is_open(&c->wire);
    if (events & GATHER_BROKEN && !c->end_reason && is_unread) c->end_reason = "connection lost";
    c->is_inside = false;
    settle(c);
}

/* TLS can go on although nothing came. */
static void on_wire_ready(void *context)
{
    struct rtmp_connection *c = context;
    on_ready(&c->watch, GATHER_READ);
}

/* -- life -- */

static void set_socket_options(int fd)
{
    const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES,
              timeout = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

static bool open_wire(struct rtmp_connection *c, int fd, bool is_tls)
{
    wire_init_plain(&c->wire, fd);
    return !is_tls || wire_init_tls(&c->wire, fd, c->home->config->tls, c->home->loop_index, WIRE_NO_ALPN,
                                    on_wire_ready, c) == WEIR_OK;
}

void rtmp_connection_start(struct rtmp_home *home, int fd, const struct sockaddr_storage *peer, bool is_tls)
{
    loop_assert_current(home->loop);
    struct rtmp_connection *c = calloc(1, sizeof *c);
    const struct rtmp_session_events events = {
        .context = c,
        .publish = on_publish,
        .config = on_config,
        .codec = on_codec,
        .frame = on_frame,
        .metadata = on_metadata,
        .unpublish = on_unpublish,
        .extra_track = on_extra_track,
        .unsupported = on_unsupported,
        .refused = on_session_refused,
        .dropped = on_dropped,
        .random = on_random,
    };
    uint8_t address[16];
    net_address_bytes(peer, address);
    if (c) c->session = rtmp_session_create(&events, home->counters);
    if (c) c->watch.ready = on_ready;
    if (c) c->home = home;
    if (!c || !c->session || !open_wire(c, fd, is_tls) || gather_watch(home->gather, &c->watch, fd, GATHER_READ)) {
        if (c) rtmp_session_destroy(c->session);
        if (c) wire_deinit(&c->wire);
        free(c);
        close(fd);
        home->closed(home->context, address);
        return;
    }
    set_socket_options(fd);
    memcpy(c->address, address, sizeof address);
    net_format_peer(peer, c->peer);
    c->started_us = c->phase_us = c->data_us = clock_now_us();
    c->next = home->first;
    if (c->next) c->next->previous = c;
    home->first = c;
    count(c, COUNTER_RTMP_ACCEPTED);
    log_event(LOG_INGEST, LOG_DEBUG, "-", "rtmp_accepted", "peer=%s tls=%s", c->peer, is_tls ? "yes" : "no");
}

/* Closes who has stood there for too long. Thousands may: the first of a burst is logged, all are counted. */
static void time_out(struct rtmp_connection *c, struct log_burst *burst, int64_t now_us, enum counter id,
                     const char *event, const char *reason)
{
    uint64_t left_out;
    count(c, id);
    if (log_burst_take(burst, now_us, &left_out))
        log_event(LOG_INGEST, LOG_WARN, "-", event, "peer=%s seconds=%lld reason=\"%s\" not_logged=%llu", c->peer,
                  (long long)(now_us - c->started_us) / 1000000, reason, (unsigned long long)left_out);
    finish(c, reason);
}

static void check_deadline(struct rtmp_connection *c, int64_t now_us)
{
    const struct rtmp_server_config *config = c->home->config;
    const enum rtmp_phase phase = rtmp_session_phase(c->session);
    if (c->is_lingering || phase == RTMP_CLOSING) {
        if (now_us - c->phase_us > LINGER_US) finish(c, "refused");
    } else if (phase == RTMP_HANDSHAKE) {
        if (now_us - c->started_us <= config->handshake_us) return;
        time_out(c, &c->home->late_handshakes, now_us,
                 wire_is_open(&c->wire) ? COUNTER_RTMP_HANDSHAKE_TIMEOUT : COUNTER_TLS_TIMEOUT, "handshake_timeout",
                 "the handshake took too long (ingest.handshake)");
    } else if (phase != RTMP_PUBLISHING) {
        if (now_us - c->phase_us <= config->publish_us) return;
        time_out(c, &c->home->late_publishes, now_us, COUNTER_RTMP_PUBLISH_TIMEOUT, "publish_timeout",
                 "nothing was published in time (ingest.publish)");
    } else if (now_us - c->media_us > config->idle_us) {
        count(c, COUNTER_RTMP_IDLE_TIMEOUT);
        log_event(LOG_INGEST, LOG_WARN, log_name(c), "publisher_idle",
                  "peer=%s seconds=%lld reason=\"no audio or video came (ingest.idle)\"", c->peer,
                  (long long)(now_us - c->media_us) / 1000000);
        finish(c, "no audio or video");
    } else if (c->stream) {
        stream_tick(c->stream, now_us);
    }
}

void rtmp_connections_tick(struct rtmp_home *home, int64_t now_us)
{
    for (struct rtmp_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        check_deadline(c, now_us);
    }
}

void rtmp_connections_close_all(struct rtmp_home *home)
{
    for (struct rtmp_connection *c = home->first, *next; c; c = next) {
        next = c->next;
        finish(c, "the server is stopping");
    }
}
