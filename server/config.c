#include <weir/server/config.h>

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "config_keys.h"

void config_init(struct config *c)
{
    *c = (struct config){
        .rtmp = { .items = { "[::]:1935" }, .count = 1 },
        .http = { .items = { "[::]:8080" }, .count = 1 },
        .srt = { .items = { "[::]:8890" }, .count = 1 },
        .srt_options = { .latency_us = SRT_LATENCY_US,
                         .idle_us = SRT_IDLE_US_MAX,
                         .receive_buffer_bytes = SRT_RECEIVE_BUFFER_BYTES,
                         .flight_packets = SRT_FLIGHT_PACKETS_MAX,
                         .udp_buffer_bytes = SRT_UDP_BUFFER_BYTES,
                         .payload_bytes = SRT_PAYLOAD_BYTES,
                         .drops_late = 1 },
        .srt_default_mode = SRT_MODE_REQUEST,
        .srt_connections = SRT_CONNECTIONS_MAX,
        .srt_connections_per_address = SRT_CONNECTIONS_PER_ADDRESS_MAX,
        .srt_attempts = SRT_ATTEMPTS_PER_SECOND,
        .srt_attempts_per_address = SRT_ATTEMPTS_PER_ADDRESS_PER_SECOND,
        .defaults = { .pattern = "*",
                      .access = ACCESS_LOCAL_OR_KEY,
                      .on_damage = DAMAGE_DROP,
                      .hls = { .segment_us = 2000000,
                               .window_us = 20000000,
                               .hold_us = 30000000,
                               .part_us = 500000,
                               .can_skip = true,
                               .vod_keep_us = 3600 * 1000000LL,
                               .container = CONTAINER_CMAF,
                               .numbering = NUMBERING_STREAM },
                      .ladder = { .backend = "auto", .latency = LADDER_LATENCY_LOW } },
        .transcode_share = 80,
        .dvr_bytes = 16 * 1000000000LL,
        .gather_us = RTMP_GATHER_US,
        .idle_us = RTMP_IDLE_US_MAX,
        .handshake_us = RTMP_HANDSHAKE_US_MAX,
        .publish_us = RTMP_PUBLISH_US_MAX,
        .silent_us = RTMP_SILENT_US,
        .retain_us = 60 * 1000000LL,
        .rtmp_connections = RTMP_CONNECTIONS_MAX,
        .rtmp_connections_per_address = RTMP_CONNECTIONS_PER_ADDRESS_MAX,
        .origins = { .items = { "*" }, .count = 1 },
        .http_connections = HTTP_CONNECTIONS_MAX,
        .drain_us = 1000000,
        .streams = STREAMS_MAX,
        .log_level = "info",
        .log_format = "text",
    };
    srt_options_init(&c->defaults.srt);
}

void config_free_paths(struct config *c)
{
    for (size_t i = 0; i < c->path_count; i++) explicit_bzero(&c->paths[i], sizeof c->paths[i]);
    free(c->paths);
    c->paths = NULL;
    c->path_count = 0;
}

void config_deinit(struct config *c)
{
    config_free_paths(c);
    for (size_t i = 0; i < c->srt_port_count; i++) explicit_bzero(&c->srt_ports[i], sizeof c->srt_ports[i]);
    free(c->srt_ports);
    c->srt_ports = NULL;
    c->srt_port_count = 0;
    explicit_bzero(c->srt_options.passphrase, sizeof c->srt_options.passphrase);
}

enum weir_err config_set(struct config *c, const char *assignment, struct config_error *error)
{
    const char *equals = strchr(assignment, '=');
    char name[64], text[CONFIG_TEXT_BYTES * 4];
    if (!equals || (size_t)(equals - assignment) >= sizeof name || strlen(equals + 1) >= sizeof text) {
        snprintf(error->text, sizeof error->text, "--set %.60s: expected key=value, for example --set hls.segment=2s",
                 assignment);
        return WEIR_CONFIG;
    }
    memcpy(name, assignment, (size_t)(equals - assignment));
    name[equals - assignment] = 0;
    memcpy(text, equals + 1, strlen(equals + 1) + 1);
    const struct config_key *key = config_key_find(name);
    if (!key) {
        const char *near = config_key_near(name);
        snprintf(error->text, sizeof error->text, "--set %s: no such key%s%s%s", name, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "");
        return WEIR_CONFIG;
    }
    if (key->kind == KEY_SECRET) {
        snprintf(error->text, sizeof error->text,
                 "--set %s: put it into the configuration file: process lists show arguments to everyone", name);
        explicit_bzero(text, sizeof text);
        return WEIR_CONFIG;
    }
    const char *values[CONFIG_LIST_MAX + 1];
    size_t count = 0;
    if (!config_key_is_list(key)) {
        values[count++] = text;
    } else {
        char *rest = text;
        for (char *item; count <= CONFIG_LIST_MAX && (item = strsep(&rest, ","));) {
            if (*item) values[count++] = item;
        }
    }
    struct config_error inner;
    const enum weir_err err = config_key_apply(key, c, values, count, &inner);
    if (err) snprintf(error->text, sizeof error->text, "--set %.400s", inner.text);
    return err;
}

static int64_t longest_segment_us(const struct config_hls *hls)
{
    if (hls->segment_max_us) return hls->segment_max_us;
    return hls->numbering == NUMBERING_EPOCH ? 2 * hls->segment_us : hls->segment_us + hls->segment_us / 2;
}

static enum weir_err check_numbering(const struct config_path *path, struct config_error *error)
{
    const struct config_hls *hls = &path->hls;
    const char *what = NULL;
    if (hls->numbering != NUMBERING_EPOCH) return WEIR_OK;
    if (longest_segment_us(hls) < 2 * hls->segment_us)
        what = "a keyframe may be anywhere in its cell, so hls.segment_max must be twice hls.segment or more";
    else if (hls->dvr_us)
        what = "numbers behind a past on disk go on from there; take hls.dvr out";
    else if (config_path_transcodes(path))
        what = "what is encoded here is not the same on two servers; take ladder and audio out";
    if (!what) return WEIR_OK;
    snprintf(error->text, sizeof error->text, "paths \"%.80s\": hls.numbering epoch: %s", path->pattern, what);
    return WEIR_CONFIG;
}

static enum weir_err check_dvr(const struct config_path *path, struct config_error *error)
{
    const struct config_hls *hls = &path->hls;
    const char *what = NULL;
    if (!hls->dvr_us && hls->is_event)
        what = "hls.type event needs hls.dvr, which says how long the event may be";
    else if (hls->dvr_us && hls->container == CONTAINER_TS)
        what = "hls.dvr keeps CMAF segments, and with hls.container ts nobody is told of them; take one of the two out";
    else if (hls->dvr_us && hls->dvr_us < hls->window_us)
        what = "hls.dvr is shorter than hls.window; make it longer, or 0s for none";
    else if (hls->dvr_us / hls->segment_us > DVR_SEGMENTS_MAX / 2)
        what = "hls.dvr would be a list of more than 16384 segments; make it shorter, or hls.segment longer";
    if (!what) return WEIR_OK;
    snprintf(error->text, sizeof error->text, "paths \"%.80s\": %s", path->pattern, what);
    return WEIR_CONFIG;
}

static enum weir_err check_ladder(const struct config_path *path, struct config_error *error)
{
    const struct config_ladder *l = &path->ladder;
    const char *what = NULL;
    if (l->requires_gpu && !strcmp(l->backend, "cpu"))
        what = "transcode.require_gpu is set and transcode.backend is cpu; take one of the two out";
    else if (l->is_on && path->hls.container == CONTAINER_TS)
        what =
            "ladder makes CMAF renditions, and with hls.container ts nobody is told of them; take one of the two out";
    for (size_t i = 0; i < path->audio.rung_count && !what; i++) {
        for (size_t k = 0; k < l->wish.rung_count && !what; k++) {
            if (!strcmp(path->audio.rungs[i].name, l->wish.rungs[k].name))
                what = "a rung of ladder and one of audio have the same name";
        }
    }
    if (!what) return WEIR_OK;
    snprintf(error->text, sizeof error->text, "paths \"%.80s\": %s", path->pattern, what);
    return WEIR_CONFIG;
}

static enum weir_err check_path(const struct config_path *path, struct config_error *error)
{
    const struct config_hls *hls = &path->hls;
    if (hls->segment_max_us && hls->segment_max_us < hls->segment_us) {
        snprintf(error->text, sizeof error->text, "paths \"%.80s\": hls.segment_max is shorter than hls.segment",
                 path->pattern);
        return WEIR_CONFIG;
    }
    if (hls->window_us < 3 * hls->segment_us) {
        snprintf(error->text, sizeof error->text,
                 "paths \"%.80s\": hls.window must hold at least three segments (RFC 8216, 6.2.2); make it longer or "
                 "hls.segment shorter",
                 path->pattern);
        return WEIR_CONFIG;
    }
    if (hls->part_us > hls->segment_us) {
        snprintf(error->text, sizeof error->text,
                 "paths \"%.80s\": hls.part is longer than hls.segment; make it shorter, or `no` for no low latency",
                 path->pattern);
        return WEIR_CONFIG;
    }
    if (hls->part_us && hls->part_hold_back_us && hls->part_hold_back_us < 2 * hls->part_us) {
        snprintf(
            error->text, sizeof error->text,
            "paths \"%.80s\": hls.part_hold_back must be at least twice hls.part (RFC 8216bis, 4.4.3.8), and better "
            "three times",
            path->pattern);
        return WEIR_CONFIG;
    }
    enum weir_err err = check_dvr(path, error);
    if (!err) err = check_numbering(path, error);
    return err ? err : check_ladder(path, error);
}

/* A certificate alone is enough to have both: on their usual ports, unless said otherwise. */
static enum weir_err check_tls(struct config *c, struct config_error *error)
{
    static const struct config_addresses https = { .items = { "[::]:8443" }, .count = 1 },
                                         rtmps = { .items = { "[::]:1936" }, .count = 1 };
    const bool has_cert = c->tls_cert[0], has_key = c->tls_key[0];
    if (has_cert != has_key) {
        snprintf(error->text, sizeof error->text, "tls.%s is set and tls.%s is not; expected both",
                 has_cert ? "cert" : "key", has_cert ? "key" : "cert");
        return WEIR_CONFIG;
    }
    if (!has_cert && (c->https.count || c->rtmps.count)) {
        snprintf(error->text, sizeof error->text,
                 "listen.%s needs tls.cert and tls.key; `weir cert dev` makes a pair for trying out",
                 c->https.count ? "https" : "rtmps");
        return WEIR_CONFIG;
    }
    if (has_cert && !c->https.is_given) c->https = https;
    if (has_cert && !c->rtmps.is_given) c->rtmps = rtmps;
    return WEIR_OK;
}

enum weir_err config_check(struct config *c, struct config_error *error)
{
    enum weir_err err = check_path(&c->defaults, error);
    if (!err) err = check_tls(c, error);
    for (size_t i = 0; !err && i < c->path_count; i++) err = check_path(&c->paths[i], error);
    for (size_t i = 0; !err && i < c->path_count; i++) {
        if (!c->paths[i].pull[0] || config_path_for(c, c->paths[i].pattern) == &c->paths[i]) continue;
        snprintf(
            error->text, sizeof error->text,
            "paths \"%.80s\": pull: an earlier entry fits the same name and would hold for it; move this one above it",
            c->paths[i].pattern);
        err = WEIR_CONFIG;
    }
    if (!err && strcmp(c->log_format, "text") && strcmp(c->log_format, "json")) {
        snprintf(error->text, sizeof error->text, "log.format: expected text or json");
        err = WEIR_CONFIG;
    }
    return err;
}

const struct config_path *config_path_for(const struct config *c, const char *stream_name)
{
    for (size_t i = 0; i < c->path_count; i++) {
        if (!fnmatch(c->paths[i].pattern, stream_name, 0)) return &c->paths[i];
    }
    return &c->defaults;
}

void config_srt_options(const struct config *c, const struct config_srt_port *port, const struct config_path *path,
                        struct srt_options *options)
{
    *options = c->srt_options;
    if (port) srt_options_overlay(options, &port->options);
    srt_options_overlay(options, &path->srt);
}

enum audio_mode config_audio_mode(const struct config_path *path)
{
    if (path->audio.mode != AUDIO_UNSAID) return (enum audio_mode)path->audio.mode;
    return path->ladder.is_on ? AUDIO_AUTO : AUDIO_PASS;
}

bool config_path_transcodes(const struct config_path *path)
{
    return path->ladder.is_on || config_audio_mode(path) != AUDIO_PASS;
}

bool config_transcodes(const struct config *c)
{
    bool is_any = config_path_transcodes(&c->defaults) || c->defaults.thumbnail_us;
    for (size_t i = 0; i < c->path_count; i++)
        is_any |= config_path_transcodes(&c->paths[i]) || c->paths[i].thumbnail_us;
    return is_any;
}

/* A player can enter another rendition only at an independent part, and those stand a segment apart: who is to change renditions without
 * standing still has that much buffered. */
static int64_t part_hold_back_us(const struct config_path *path)
{
    const struct config_hls *hls = &path->hls;
    const int64_t usual_us = 3 * hls->part_us, switching_us = hls->segment_us + hls->part_us;
    if (hls->part_hold_back_us || !hls->part_us) return hls->part_hold_back_us;
    return path->ladder.is_on && switching_us > usual_us ? switching_us : usual_us;
}

void config_policy(const struct config_path *path, struct stream_policy *policy)
{
    *policy = (struct stream_policy){
        .may_take_over = path->may_take_over,
        .hold_us = config_path_transcodes(path) && path->hls.hold_us < LADDER_DRAIN_US ? LADDER_DRAIN_US
                                                                                       : path->hls.hold_us,
        .segment_us = path->hls.segment_us,
        .segment_max_us = longest_segment_us(&path->hls),
        .window_us = path->hls.window_us,
        .part_us = path->hls.part_us,
        .part_hold_back_us = part_hold_back_us(path),
        .can_skip = path->hls.part_us && path->hls.can_skip,
        .dvr_us = path->hls.dvr_us,
        .dvr_bytes = (uint64_t)path->hls.dvr_stream_bytes,
        .vod_keep_us = path->hls.vod_keep_us,
        .is_event = path->hls.is_event != 0,
        .on_damage = path->on_damage,
        .container = (enum stream_container)path->hls.container,
        .numbering = (enum stream_numbering)path->hls.numbering,
        .makes_sound = config_audio_mode(path) != AUDIO_PASS && path->hls.container != CONTAINER_TS,
    };
}
