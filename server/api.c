/* /api/v1: what is live and what this server is, as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>

#include "api_ladder.h"
#include "pages.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

static void set(json_t *object, const char *key, json_t *value)
{
    /* takes over the value, also on failure; a member that does not fit is left out, not lied about */
    if (json_object_set_new(object, key, value)) return;
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    set(object, key, json_integer((json_int_t)value));
}

static const char *state_name(enum stream_state state)
{
    switch (state) {
    case STREAM_WAITING: return "waiting";
    case STREAM_LIVE: return "live";
    case STREAM_HOLDING: return "holding";
    case STREAM_ENDED: return "ended";
    }
    return "unknown";
}

/* label: of an audio track; NULL for video. */
static json_t *track_json(const struct track *track, const struct track_label *label, struct edge_figures *figures)
{
    const struct codec_facts *facts = track_facts(track);
    json_t *o = json_object();
    set(o, "kind", json_string(facts->kind == MEDIA_VIDEO ? "video" : "audio"));
    set(o, "codec", json_string(codec_name(facts->codec)));
    set(o, "codec_string", json_string(facts->codec_string));
    if (facts->kind == MEDIA_VIDEO) {
        set_number(o, "width", facts->width);
        set_number(o, "height", facts->height);
        if (facts->fps_num) set(o, "fps", json_real((double)facts->fps_num / facts->fps_den));
        set_number(o, "bitrate_bps", figure_read(&figures->video_bitrate_bps));
    } else {
        set_number(o, "sample_rate", facts->sample_rate);
        set_number(o, "channels", facts->channels);
        if (label && *label->language) set(o, "language", json_string(label->language));
        if (label && *label->name) set(o, "name", json_string(label->name));
        set_number(o, "bitrate_bps", figure_read(&figures->audio_bitrate_bps));
    }
    return o;
}

static json_t *tracks_json(struct live_edge *edge)
{
    struct track_set tracks;
    struct edge_figures *figures = live_edge_figures(edge);
    json_t *list = json_array();
    live_edge_acquire_tracks(edge, &tracks);
    if (tracks.video) json_array_append_new(list, track_json(tracks.video, NULL, figures));
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (!tracks.audio[i]) continue;
        json_t *o = track_json(tracks.audio[i], &tracks.labels[i], figures);
        set_number(o, "index", i);
        json_array_append_new(list, o);
    }
    track_set_deinit(&tracks);
    return list;
}

/* Tracks that come in and cannot be played. */
static json_t *unsupported_json(struct live_edge *edge)
{
    struct edge_unsupported found[UNSUPPORTED_TRACKS_MAX];
    const size_t count = live_edge_unsupported(edge, found);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        set(o, "kind", json_string(found[i].kind == MEDIA_VIDEO ? "video" : "audio"));
        set(o, "what", json_string(found[i].text));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *repairs_json(struct edge_figures *figures)
{
    json_t *o = json_object();
    for (int kind = 1; kind < TIMELINE_REPAIR_COUNT; kind++)
        set_number(o, timeline_repair_name((enum timeline_repair)kind), figure_read(&figures->repairs[kind]));
    return o;
}

static json_t *renditions_json(struct live_edge *edge)
{
    char names[RENDITIONS_MAX][EDGE_RENDITION_NAME_BYTES];
    const size_t count = live_edge_renditions(edge, names);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        struct edge_snapshot *s = live_edge_acquire(edge, names[i], strlen(names[i]));
        json_t *o = json_object();
        set(o, "name", json_string(names[i]));
        if (s) set_number(o, "last_media_sequence", edge_snapshot_last_msn(s));
        edge_snapshot_unref(s);
        json_array_append_new(list, o);
    }
    return list;
}

/* NULL: nobody published yet. */
static json_t *transport_json(struct edge_transport *t)
{
    const char *protocol = atomic_load_explicit(&t->protocol, memory_order_relaxed);
    if (!protocol) return NULL;
    json_t *o = json_object();
    set(o, "protocol", json_string(protocol));
    if (!atomic_load_explicit(&t->has_figures, memory_order_relaxed)) return o;
#define X(field, type, help) set_number(o, #field, figure_read(&t->field));
    WEIR_TRANSPORT_FIGURES(X)
#undef X
    return o;
}

/* "/live/a%20b/": as a browser wants it in an address. */
static void write_play_url(struct byte_writer *w, const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    write_u8(w, '/');
    for (; *name; name++) {
        if (strchr(plain, *name))
            write_u8(w, (uint8_t)*name);
        else
            write_format(w, "%%%02X", (unsigned char)*name);
    }
    write_u8(w, '/');
    write_u8(w, 0);
}

static json_t *stream_json(struct house *h, struct live_edge *edge)
{
    struct edge_figures *f = live_edge_figures(edge);
    const uint64_t started_us = figure_read(&f->started_wall_us), last_us = figure_read(&f->last_frame_us),
                   key_us = figure_read(&f->last_keyframe_us);
    const int64_t now_us = clock_now_us(), wall_us = clock_wall_us();
    json_t *o = json_object();
    struct byte_writer url;
    byte_writer_init(&url, STREAM_NAME_BYTES_MAX * 3 + 8);
    write_play_url(&url, live_edge_name(edge));
    set(o, "name", json_string(live_edge_name(edge)));
    set(o, "state", json_string(state_name(live_edge_state(edge))));
    if (!url.failed) set(o, "play", json_string((const char *)url.data));
    byte_writer_deinit(&url);
    json_t *transport = transport_json(&f->transport);
    if (transport) set(o, "transport", transport);
    set(o, "tracks", tracks_json(edge));
    set(o, "unsupported_tracks", unsupported_json(edge));
    set(o, "renditions", renditions_json(edge));
    json_t *ladder = ladder_json(house_ladders(h), live_edge_name(edge));
    if (ladder) set(o, "ladder", ladder);
    set_number(o, "bitrate_bps", figure_read(&f->bitrate_bps));
    set(o, "fps", json_real((double)figure_read(&f->fps_milli) / 1000));
    set_number(o, "keyframe_interval_ms", figure_read(&f->keyframe_interval_ms));
    set_number(o, "viewers", live_edge_viewers(edge, now_us));
    set_number(o, "uptime_s", started_us ? (uint64_t)(wall_us - (int64_t)started_us) / 1000000 : 0);
    if (last_us) set_number(o, "last_frame_ms_ago", (uint64_t)(now_us - (int64_t)last_us) / 1000);
    if (key_us) set_number(o, "last_keyframe_ms_ago", (uint64_t)(now_us - (int64_t)key_us) / 1000);
    set_number(o, "input_age_ms", figure_read(&f->input_age_ms));
    set_number(o, "input_age_peak_ms", figure_read(&f->input_age_peak_ms));
    set_number(o, "bytes_in", figure_read(&f->bytes_in));
    set_number(o, "video_frames", figure_read(&f->video_frames));
    set_number(o, "audio_frames", figure_read(&f->audio_frames));
    set_number(o, "keyframes", figure_read(&f->keyframes));
    set_number(o, "segments", figure_read(&f->segments));
    set_number(o, "parts", figure_read(&f->parts));
    set_number(o, "segments_forced", figure_read(&f->segments_forced));
    set_number(o, "times_refused", figure_read(&f->times_refused));
    set_number(o, "frames_dropped", figure_read(&f->frames_dropped));
    set_number(o, "frames_damaged", figure_read(&f->frames_damaged));
    set_number(o, "frames_dropped_damaged", figure_read(&f->frames_damage_dropped));
    set_number(o, "metadata_packets", figure_read(&f->metadata_packets));
    set_number(o, "eras", figure_read(&f->eras));
    set_number(o, "publishes", figure_read(&f->publishes));
    set_number(o, "dvr_gaps", figure_read(&f->dvr_gaps));
    set_number(o, "window_bytes", figure_read(&f->window_bytes));
    set(o, "repairs", repairs_json(f));
    return o;
}

static bool reply_json(struct http_reply *reply, json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(root);
    reply->status = text ? 200 : 500;
    reply->content_type = JSON_TYPE;
    reply->body = text ? frozen_copy(text, strlen(text)) : NULL;
    free(text);
    return true;
}

static bool reply_streams(struct house *h, struct http_reply *reply)
{
    struct live_edge **edges = malloc(STREAMS_MAX * sizeof(struct live_edge *));
    json_t *root = json_object(), *list = json_array();
    const size_t count = edges ? registry_list(house_registry(h), edges, STREAMS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, stream_json(h, edges[i]));
        live_edge_unref(edges[i]);
    }
    free(edges);
    set(root, "streams", list);
    return reply_json(reply, root);
}

static bool reply_text(struct http_reply *reply, int status, const char *text)
{
    *reply =
        (struct http_reply){ .status = status, .content_type = TEXT_TYPE, .body = frozen_copy(text, strlen(text)) };
    return true;
}

static bool reply_stream(struct house *h, const char *name, struct http_reply *reply)
{
    struct live_edge *edge = registry_find(house_registry(h), name, strlen(name));
    if (!edge) return reply_text(reply, 404, "404 No stream of this name is live. Those that are: /api/v1/streams\n");
    json_t *o = stream_json(h, edge);
    live_edge_unref(edge);
    return reply_json(reply, o);
}

static json_t *dvr_json(struct archive *archive)
{
    struct archive_figures f;
    json_t *o = json_object();
    archive_read_figures(archive, &f);
    set(o, "state", json_string(f.is_failing ? "failing" : "ok"));
    if (f.is_failing) set(o, "reason", json_string(f.reason));
    set_number(o, "bytes", f.bytes);
    set_number(o, "bytes_max", f.bytes_max);
    set_number(o, "queued_bytes", f.queued_bytes);
    set_number(o, "objects", f.objects);
    set_number(o, "streams", f.shelves);
    return o;
}

/* What is known so far: asking does not probe. */
static json_t *transcode_json(struct transcoder *transcoder)
{
    struct backend_report *reports = calloc(BACKENDS_MAX, sizeof *reports);
    const size_t count = reports ? transcoder_known(transcoder, reports) : 0;
    json_t *o = json_object();
    set(o, "backends", backends_json(reports, count));
    free(reports);
    return o;
}

static bool reply_server(struct house *h, struct http_reply *reply)
{
    const struct house_listener *listeners;
    const size_t count = house_listeners(h, &listeners);
    json_t *root = json_object(), *listen = json_object();
    for (size_t i = 0; i < count; i++) {
        json_t *list = json_object_get(listen, listeners[i].protocol);
        if (!list) {
            list = json_array();
            set(listen, listeners[i].protocol, list);
        }
        json_t *o = json_object();
        set(o, "address", json_string(listeners[i].address));
        set_number(o, "port", listeners[i].port);
        json_array_append_new(list, o);
    }
    set(root, "version", json_string(WEIR_VERSION));
    set_number(root, "uptime_s", (uint64_t)(clock_now_us() - house_started_us(h)) / 1000000);
    set(root, "listen", listen);
    struct loop *const *loops;
    set_number(root, "loops", house_loops(h, &loops));
    set_number(root, "streams", registry_count(house_registry(h)));
    set_number(root, "rtmp_connections", house_rtmp_connections(h));
    set_number(root, "srt_connections", house_srt_connections(h));
    set_number(root, "http_connections", house_http_connections(h));
    if (house_archive(h)) set(root, "dvr", dvr_json(house_archive(h)));
    if (house_transcoder(h)) set(root, "transcode", transcode_json(house_transcoder(h)));
    return reply_json(reply, root);
}

bool pages_handle(void *context, struct loop *loop, const char *path, struct http_reply *reply)
{
    static const char one_stream[] = "/api/v1/streams/";
    struct house *h = context;
    if (!strcmp(path, "/healthz")) return reply_text(reply, 200, "ok\n");
    if (!strcmp(path, "/readyz"))
        return house_is_ready(h) ? reply_text(reply, 200, "ready\n") : reply_text(reply, 503, "not ready\n");
    if (!strcmp(path, "/metrics")) {
        *reply = (struct http_reply){ .status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8" };
        reply->body = metrics_render(h);
        if (!reply->body) reply->status = 500;
        return true;
    }
    if (!strcmp(path, "/api/v1/streams")) return reply_streams(h, reply);
    if (!strncmp(path, one_stream, sizeof one_stream - 1)) return reply_stream(h, path + sizeof one_stream - 1, reply);
    if (!strcmp(path, "/api/v1/server")) return reply_server(h, reply);
    return false;
}
