#include <weir/ingest/rtmp_session.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/ingest/flv.h>
#include <weir/ingest/rtmp_chunk.h>
#include <weir/ingest/rtmp_handshake.h>

#include "rtmp_command.h"
#include "rtmp_reply.h"
#include "rtmp_session_internal.h"

struct rtmp_session *rtmp_session_create(const struct rtmp_session_events *events, struct counters *counters)
{
    struct rtmp_session *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->events = *events;
    s->counters = counters;
    s->phase = RTMP_HANDSHAKE;
    s->peer_window_bytes = RTMP_WINDOW_BYTES;
    byte_writer_init(&s->out, RTMP_OUTPUT_BYTES_MAX);
    return s;
}

void rtmp_session_destroy(struct rtmp_session *s)
{
    if (!s) return;
    rtmp_chunk_reader_destroy(s->chunks);
    byte_writer_deinit(&s->out);
    free(s->hello);
    free(s->app);
    free(s);
}

enum rtmp_phase rtmp_session_phase(const struct rtmp_session *s)
{
    return s->phase;
}

const char *rtmp_session_client(const struct rtmp_session *s)
{
    return s->client;
}

struct byte_span rtmp_session_output(const struct rtmp_session *s)
{
    if (s->sent_bytes == s->out.bytes) return (struct byte_span){ NULL, 0 };
    return (struct byte_span){ s->out.data + s->sent_bytes, s->out.bytes - s->sent_bytes };
}

void rtmp_session_output_sent(struct rtmp_session *s, size_t sent_bytes)
{
    s->sent_bytes += sent_bytes;
    assert(s->sent_bytes <= s->out.bytes);
    if (s->sent_bytes < s->out.bytes) return;
    s->sent_bytes = 0;
    byte_writer_clear(&s->out);
    /* the handshake's answer is large and comes once; what follows is small */
    if (s->out.capacity > 2048) byte_writer_deinit(&s->out);
}

void rtmp_session_accept(struct rtmp_session *s)
{
    if (s->phase != RTMP_DECIDING) return;
    s->phase = RTMP_PUBLISHING;
    rtmp_reply_stream_begin(&s->out, s->stream_id);
    rtmp_reply_status(&s->out, s->stream_id, false, "NetStream.Publish.Start", "Publishing.");
}

void rtmp_session_refuse(struct rtmp_session *s, const char *code, const char *text)
{
    if (s->phase == RTMP_CLOSING) return;
    s->phase = RTMP_CLOSING;
    rtmp_reply_status(&s->out, s->stream_id ? s->stream_id : 1, true, code, text);
}

/* -- handshake -- */

static enum weir_err answer_hello(struct rtmp_session *s, const char **why)
{
    uint8_t random[2 * RTMP_HANDSHAKE_BYTES], reply[RTMP_S0_S1_S2_BYTES];
    bool used_digest;
    s->events.random(s->events.context, random, sizeof random);
    if (rtmp_handshake_answer(s->hello, random, 0, reply, &used_digest)) {
        *why = "the first byte is not RTMP version 3: this port speaks plain RTMP";
        return WEIR_MALFORMED;
    }
    free(s->hello);
    s->hello = NULL;
    write_bytes(&s->out, reply, sizeof reply);
    s->chunks = rtmp_chunk_reader_create(s->counters);
    return s->chunks && !s->out.failed ? WEIR_OK : WEIR_NOMEM;
}

/* C0 and C1 are collected, C2 is only counted. */
static enum weir_err take_handshake(struct rtmp_session *s, const uint8_t *in, size_t bytes, size_t *used,
                                    const char **why)
{
    if (s->handshake_bytes < RTMP_C0_C1_BYTES) {
        if (!s->handshake_bytes && in[0] != RTMP_VERSION) {
            *why = "the first byte is not RTMP version 3: this port speaks plain RTMP";
            return WEIR_MALFORMED;
        }
        if (!s->hello && !(s->hello = malloc(RTMP_C0_C1_BYTES))) return WEIR_NOMEM;
        size_t run = RTMP_C0_C1_BYTES - s->handshake_bytes;
        if (run > bytes) run = bytes;
        memcpy(s->hello + s->handshake_bytes, in, run);
        s->handshake_bytes += (uint32_t)run;
        *used = run;
        return s->handshake_bytes == RTMP_C0_C1_BYTES ? answer_hello(s, why) : WEIR_OK;
    }
    size_t run = RTMP_C0_C1_BYTES + RTMP_HANDSHAKE_BYTES - s->handshake_bytes;
    if (run > bytes) run = bytes;
    s->handshake_bytes += (uint32_t)run;
    *used = run;
    if (s->handshake_bytes == RTMP_C0_C1_BYTES + RTMP_HANDSHAKE_BYTES) s->phase = RTMP_COMMANDS;
    return WEIR_OK;
}

/* -- audio and video -- */

static void give_frame(struct rtmp_session *s, struct rtmp_message *m, const struct flv_event *e, bool is_shared)
{
    /* frames are edited in place later: where several share a message each gets bytes of its own */
    struct blob *body = is_shared ? blob_copy(blob_data(m->body) + e->offset, e->bytes) : blob_ref(m->body);
    if (!body) return;
    const struct rtmp_frame frame = {
        .codec = e->codec,
        .message = body,
        .offset = is_shared ? 0 : e->offset,
        .bytes = e->bytes,
        .timestamp_ms = m->timestamp_ms,
        .composition_ms = e->composition_ms,
        .offset_ns = e->offset_ns,
        .is_key = e->is_key,
    };
    /* the sink is given the only reference, so that it may edit */
    if (!is_shared) {
        blob_unref(m->body);
        m->body = NULL;
    }
    s->events.frame(s->events.context, &frame);
}

static void note_extra_track(struct rtmp_session *s, enum media_kind kind, uint8_t track)
{
    uint32_t *told = &s->tracks_told[kind][track / 32];
    const uint32_t bit = 1u << track % 32;
    counter_add(s->counters, COUNTER_FLV_EXTRA_TRACK, 1);
    if (!(*told & bit)) s->events.extra_track(s->events.context, kind, track);
    *told |= bit;
}

static void take_event(struct rtmp_session *s, struct rtmp_message *m, const struct flv_event *e, bool is_shared)
{
    const enum media_kind kind = m->type == RTMP_VIDEO ? MEDIA_VIDEO : MEDIA_AUDIO;
    if (e->track != 0) {
        note_extra_track(s, kind, e->track);
        return;
    }
    switch (e->kind) {
    case FLV_CONFIG:
        s->events.config(s->events.context, e->codec, (struct byte_span){ blob_data(m->body) + e->offset, e->bytes });
        break;
    case FLV_FRAME:
        if (s->codecs[kind] != e->codec && !codec_needs_config(e->codec)) s->events.codec(s->events.context, e->codec);
        s->codecs[kind] = e->codec;
        give_frame(s, m, e, is_shared);
        break;
    case FLV_UNSUPPORTED:
        counter_add(s->counters, COUNTER_FLV_UNSUPPORTED, 1);
        s->events.unsupported(s->events.context, e->what);
        break;
    case FLV_END:
    case FLV_IGNORED: break;
    }
}

static void take_media(struct rtmp_session *s, struct rtmp_message *m)
{
    struct flv_events events;
    const char *why = "";
    const uint8_t *data = blob_data(m->body);
    const size_t bytes = blob_bytes(m->body);
    const enum weir_err err = m->type == RTMP_VIDEO ? flv_video_parse(data, bytes, &events, &why)
                                                    : flv_audio_parse(data, bytes, &events, &why);
    if (err) {
        counter_add(s->counters, COUNTER_FLV_MALFORMED, 1);
        s->events.dropped(s->events.context, "bad_message", why);
        return;
    }
    for (size_t i = 0; i < events.count && m->body; i++) take_event(s, m, &events.items[i], events.count > 1);
}

/* Aggregate: FLV tags one after the other, times relative to the first (RTMP 1.0, 7.1.6). */
static void take_aggregate(struct rtmp_session *s, struct rtmp_message *m)
{
    struct byte_reader r;
    bool has_first = false;
    uint32_t first_ms = 0;
    byte_reader_init(&r, blob_data(m->body), blob_bytes(m->body));
    while (byte_reader_left(&r) >= 11 && s->phase == RTMP_PUBLISHING) {
        const uint8_t type = read_u8(&r);
        const uint32_t size = read_u24(&r);
        uint32_t time_ms = read_u24(&r);
        time_ms |= (uint32_t)read_u8(&r) << 24;
        read_u24(&r);
        const struct byte_span body = read_span(&r, size);
        if (r.failed) {
            counter_add(s->counters, COUNTER_FLV_MALFORMED, 1);
            s->events.dropped(s->events.context, "bad_message", "a tag in an aggregate message is cut off");
            return;
        }
        if (byte_reader_left(&r) >= 4) read_u32(&r); /* the back pointer */
        if (!has_first) first_ms = time_ms;
        has_first = true;
        if (type != RTMP_AUDIO && type != RTMP_VIDEO) continue;
        struct rtmp_message inner = { .type = type,
                                      .timestamp_ms = m->timestamp_ms + (time_ms - first_ms),
                                      .stream_id = m->stream_id };
        inner.body = blob_copy(body.data, body.bytes);
        if (!inner.body) return;
        take_media(s, &inner);
        blob_unref(inner.body);
    }
}

/* -- messages -- */

static enum weir_err take_control(struct rtmp_session *s, const struct rtmp_message *m, const char **why)
{
    struct byte_reader r;
    byte_reader_init(&r, blob_data(m->body), blob_bytes(m->body));
    if (m->type == RTMP_USER_CONTROL) {
        const unsigned event = read_u16(&r);
        const uint32_t value = read_u32(&r);
        if (event == 6 && !r.failed) rtmp_reply_pong(&s->out, value);
        return WEIR_OK;
    }
    const uint32_t value = read_u32(&r);
    if (r.failed) {
        *why = "a protocol control message is too short";
        return WEIR_MALFORMED;
    }
    if (m->type == RTMP_ABORT) rtmp_chunk_abort(s->chunks, value);
    /* our windows are counted from what the client asks for, within reason */
    if (m->type == RTMP_WINDOW_ACK_SIZE && value >= 1024) s->peer_window_bytes = value;
    if (m->type != RTMP_SET_CHUNK_SIZE) return WEIR_OK;
    *why = "the chunk size must be from 1 to 0x7FFFFFFF";
    return rtmp_chunk_set_size(s->chunks, value);
}

static enum weir_err take_message(struct rtmp_session *s, struct rtmp_message *m, const char **why)
{
    switch (m->type) {
    case RTMP_SET_CHUNK_SIZE:
    case RTMP_ABORT:
    case RTMP_USER_CONTROL:
    case RTMP_WINDOW_ACK_SIZE: return take_control(s, m, why);
    case RTMP_AUDIO:
    case RTMP_VIDEO:
        if (s->phase == RTMP_PUBLISHING) take_media(s, m);
        return WEIR_OK;
    case RTMP_AGGREGATE:
        if (s->phase == RTMP_PUBLISHING) take_aggregate(s, m);
        return WEIR_OK;
    case RTMP_COMMAND_AMF0:
    case RTMP_COMMAND_AMF3: return rtmp_command_take(s, m, why);
    case RTMP_DATA_AMF0:
    case RTMP_DATA_AMF3: rtmp_data_take(s, m); return WEIR_OK;
    default: return WEIR_OK; /* acknowledgements, shared objects: of no use here */
    }
}

static void acknowledge(struct rtmp_session *s, size_t bytes)
{
    s->received_bytes += bytes;
    if (s->received_bytes - s->acknowledged_bytes < s->peer_window_bytes) return;
    s->acknowledged_bytes = s->received_bytes;
    rtmp_reply_acknowledge(&s->out, (uint32_t)s->received_bytes);
}

static enum weir_err check_output(struct rtmp_session *s, const char **why)
{
    if (!s->out.failed) return WEIR_OK;
    counter_add(s->counters, COUNTER_RTMP_LIMIT_OUTPUT, 1);
    *why = "the client does not read its replies";
    return WEIR_LIMIT;
}

enum weir_err rtmp_session_feed(struct rtmp_session *s, const uint8_t *in, size_t bytes, size_t *consumed,
                                const char **why)
{
    size_t at = 0;
    enum weir_err err = WEIR_OK;
    bool may_hold_more = true; /* the chunk reader may hold bytes that it looked at ahead */
    *why = "out of memory";
    while (!err && (at < bytes || may_hold_more) && s->phase != RTMP_DECIDING && s->phase != RTMP_CLOSING) {
        size_t used = 0;
        may_hold_more = false;
        if (s->phase == RTMP_HANDSHAKE) {
            if (at == bytes) break;
            err = take_handshake(s, in + at, bytes - at, &used, why);
        } else {
            struct rtmp_message message;
            bool has_message;
            err = rtmp_chunk_feed(s->chunks, in + at, bytes - at, &used, &message, &has_message, why);
            if (!err && has_message) {
                err = take_message(s, &message, why);
                blob_unref(message.body);
                may_hold_more = true;
            }
        }
        at += used;
    }
    acknowledge(s, at);
    *consumed = at;
    return err ? err : check_output(s, why);
}
