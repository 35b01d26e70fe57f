#include "ts_intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/net.h>
#include <weir/ingest/ts_demux.h>

#define LOGGED_MAX 5 /* lines of one kind for a connection; all are counted */
#define WIRE_BITS 33

struct ts_intake {
    struct stream *stream;
    struct counters *counters;
    struct ts_demux *demux;
    char peer[NET_PEER_BYTES];
    int64_t now_us;
    uint64_t frames;
    unsigned problems_logged, errors_logged, tracks_logged;
};

static const char *name_of(const struct ts_intake *i)
{
    return stream_name(i->stream);
}

static void log_limited(struct ts_intake *i, unsigned *logged, const char *event, const char *why)
{
    if (*logged >= LOGGED_MAX) return;
    ++*logged;
    log_event(LOG_INGEST, LOG_WARN, name_of(i), event, "peer=%s reason=\"%s\"%s", i->peer, why,
              *logged == LOGGED_MAX ? " more=counted_only" : "");
}

static const char *kind_name(enum media_kind kind)
{
    return kind == MEDIA_VIDEO ? "video" : kind == MEDIA_AUDIO ? "audio" : "data";
}

/* Of each kind so many are carried. */
static bool is_carried(enum media_kind kind, unsigned index)
{
    return index < (kind == MEDIA_VIDEO ? 1u : AUDIO_TRACKS_MAX);
}

/* ISO 639 audio types that a listener wants to know of. */
static const char *audio_type_name(uint8_t type)
{
    static const char *const names[] = { NULL, "clean effects", "hearing impaired", "commentary" };
    return type < ARRAY_LEN(names) ? names[type] : NULL;
}

/* What cannot be played has no index: numbers that no track has. */
static uint8_t unsupported_number(const struct ts_track *track)
{
    return (uint8_t)(0x80 | (track->pid & 0x7F));
}

static void note_unsupported(struct ts_intake *i, const struct ts_track *track)
{
    char text[TRACK_NAME_BYTES];
    snprintf(text, sizeof text, "%s %s (PID %u)", track->what, kind_name(track->kind), track->pid);
    stream_note_unsupported(i->stream, track->kind, unsupported_number(track), text);
}

static void on_track(void *context, const struct ts_track *track)
{
    struct ts_intake *i = context;
    const bool has_place = track->codec && is_carried(track->kind, track->index);
    if (track->kind == MEDIA_AUDIO && has_place)
        stream_set_track_label(i->stream, (uint8_t)track->index, track->language, audio_type_name(track->audio_type));
    if (track->kind && !has_place) note_unsupported(i, track);
    if (i->tracks_logged++ >= LOGGED_MAX * 4) return;
    log_event(LOG_INGEST, has_place || !track->kind ? LOG_INFO : LOG_WARN, name_of(i), "ts_track",
              "peer=%s pid=%u kind=%s codec=\"%s\" language=%s carried=%s", i->peer, track->pid, kind_name(track->kind),
              track->what, track->language[0] ? track->language : "-", has_place ? "yes" : "no");
}

static void on_track_gone(void *context, const struct ts_track *track)
{
    struct ts_intake *i = context;
    if (track->codec && is_carried(track->kind, track->index))
        stream_drop_track(i->stream, track->kind, (uint8_t)track->index);
    else if (track->kind)
        stream_note_unsupported(i->stream, track->kind, unsupported_number(track), NULL);
    if (i->tracks_logged++ >= LOGGED_MAX * 4) return;
    log_event(LOG_INGEST, LOG_INFO, name_of(i), "ts_track_gone", "peer=%s pid=%u codec=\"%s\"", i->peer, track->pid,
              track->what);
}

static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
    struct ts_intake *i = context;
    const char *why = "";
    if (!is_carried(kind, index)) return;
    if (!stream_set_config(i->stream, (uint8_t)index, codec, config, &why)) return;
    counter_add(i->counters, COUNTER_TS_BAD_FRAME, 1);
    log_limited(i, &i->errors_logged, "bad_configuration", why);
}

static void on_codec(void *context, unsigned index, enum media_codec codec)
{
    struct ts_intake *i = context;
    if (is_carried(MEDIA_AUDIO, index)) stream_set_codec(i->stream, (uint8_t)index, codec);
}

/* The difference of two times of 33 bits, also over a wrap. */
static int32_t composition_of(const struct ts_frame *frame)
{
    const int64_t difference = (int64_t)((frame->pts_90k - frame->dts_90k) << (64 - WIRE_BITS)) >> (64 - WIRE_BITS);
    return difference > INT32_MAX || difference < INT32_MIN ? 0 : (int32_t)difference;
}

/* A whole picture that needs one which never came is no better than a cut one; where decoding may begin, nothing is needed. */
static bool is_damaged(const struct ts_frame *frame)
{
    return frame->is_damaged || (frame->kind == MEDIA_VIDEO && frame->is_after_loss && !frame->is_key);
}

static void on_frame(void *context, const struct ts_frame *frame)
{
    struct ts_intake *i = context;
    if (!is_carried(frame->kind, frame->index)) {
        blob_unref(frame->message);
        return;
    }
    const struct stream_frame in = {
        .kind = frame->kind,
        .track = (uint8_t)frame->index,
        .is_damaged = is_damaged(frame),
        .message = frame->message,
        .offset = frame->offset,
        .bytes = frame->bytes,
        .is_claimed_key = frame->is_key,
        .wire = { .wire = frame->dts_90k,
                  .wire_bits = WIRE_BITS,
                  .wire_hz = 90000,
                  .composition = composition_of(frame) },
        .now_us = i->now_us,
        .wall_us = clock_wall_us(),
    };
    const char *why = "";
    const enum weir_err err = stream_push(i->stream, &in, &why);
    if (!err) {
        i->frames++;
    } else if (err == WEIR_STATE) {
        counter_add(i->counters, COUNTER_TS_BEFORE_CONFIG, 1);
    } else {
        counter_add(i->counters, COUNTER_TS_BAD_FRAME, 1);
        log_limited(i, &i->errors_logged, "bad_frame", why);
    }
}

static void on_metadata(void *context, const struct ts_metadata *metadata)
{
    static const enum metadata_kind kinds[] = {
        [TS_METADATA_ID3] = METADATA_ID3, [TS_METADATA_SCTE35] = METADATA_SCTE35, [TS_METADATA_KLV] = METADATA_KLV
    };
    struct ts_intake *i = context;
    const struct stream_metadata in = {
        .kind = kinds[metadata->kind],
        .payload = metadata->message,
        .has_time = metadata->has_time,
        .wire = { .wire = metadata->pts_90k, .wire_bits = WIRE_BITS, .wire_hz = 90000 },
        .now_us = i->now_us,
    };
    stream_push_metadata(i->stream, &in);
}

static void on_clock_break(void *context) {}

static void on_problem(void *context, const char *text)
{
    struct ts_intake *i = context;
    log_limited(i, &i->problems_logged, "ts_problem", text);
}

struct ts_intake *ts_intake_create(struct stream *stream, struct counters *counters, const char *peer)
{
    struct ts_intake *i = calloc(1, sizeof *i);
    if (!i) return NULL;
    const struct ts_demux_config config = { .may_end_early = true,
                                            .takes_layer2 = stream_takes_codec(stream, CODEC_MP2) };
    const struct ts_demux_events events = {
        .context = i,
        .track = on_track,
        .track_gone = on_track_gone,
        .config = on_config,
        .codec = on_codec,
        .frame = on_frame,
        .metadata = on_metadata,
        .clock_break = on_clock_break,
        .problem = on_problem,
    };
    i->stream = stream;
    i->counters = counters;
    snprintf(i->peer, sizeof i->peer, "%s", peer);
    i->demux = ts_demux_create(&config, &events, counters);
    if (i->demux) return i;
    free(i);
    return NULL;
}

void ts_intake_destroy(struct ts_intake *i)
{
    if (!i) return;
    ts_demux_destroy(i->demux);
    free(i);
}

static void note_memory(struct ts_intake *i, enum weir_err err)
{
    if (err) log_limited(i, &i->errors_logged, "frames_dropped", err_name(err));
}

void ts_intake_feed(struct ts_intake *i, const uint8_t *data, size_t bytes, int64_t now_us)
{
    i->now_us = now_us;
    note_memory(i, ts_demux_feed(i->demux, data, bytes));
}

void ts_intake_note_loss(struct ts_intake *i, size_t packets_max)
{
    ts_demux_note_loss(i->demux, packets_max);
}

void ts_intake_flush(struct ts_intake *i, int64_t now_us)
{
    i->now_us = now_us;
    note_memory(i, ts_demux_flush(i->demux));
}

uint64_t ts_intake_frames(const struct ts_intake *i)
{
    return i->frames;
}
