#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/transcode/backend.h>

#include "config_rung.h"

#define SECOND 1000000LL
#define MILLION 1000000LL
#define AT(field) offsetof(struct config, field)
#define DEFAULT_AT(field) offsetof(struct config, defaults.field)
#define PATH_AT(field) offsetof(struct config_path, field)
#define ADDRESSES "a list of address:port, for example [\"0.0.0.0:1935\"]"
#define SRT_AT(field) offsetof(struct config, srt_options.field)
#define SRT_PATH_AT(field) offsetof(struct config_path, srt.field)
#define SRT_PORT_AT(field) offsetof(struct config_srt_port, options.field)
#define STREAM "a stream name, for example live/field"
#define BUFFER "bytes from 64KiB to 1GiB, for example 12MiB"
#define MODE "request or publish"
#define FILTER "a packet filter, for example fec,cols:10,rows:5"
#define DVR_MAX (24 * 3600 * SECOND)
#define VOD_MAX (90 * 24 * 3600 * SECOND)
#define STREAM_BYTES "bytes, for example 10G; 0 for no limit but hls.dvr_bytes"
#define ACCESS "one of local (loopback is open, others need the key), open, key, deny"
#define PART "a duration from 100ms to 2s, or no (no low latency)"
#define HOLD_BACK "a duration from 200ms to 20s"
#define CONTAINER "cmaf or ts"
#define LADDER "auto, no, or a list of rungs, for example [source, {height: 720, bitrate: 2500k}]"
#define AUDIO "auto, pass, aac, opus, or a list of rungs, for example [source, {codec: aac, bitrate: 64k}]"
#define THUMBNAILS "no, or a duration from 2s to 1h: at most one in so much time"
#define BACKEND "auto, nvidia, nvidia-split, vaapi, qsv or cpu"
#define LATENCY "low or normal"
#define GPUS "all, or a list of device numbers from 0 to 63, for example [0, 1]"
#define DAMAGE "drop (up to the next frame where decoding may begin) or pass"

/* The same for all and for a path. */
#define LADDER_KEYS(at)                                                                                                \
    { "ladder", KEY_LADDER, at(ladder), 0, 0, LADDER },                                                                \
        { "thumbnails", KEY_PART, at(thumbnail_us), 2 * SECOND, 3600 * SECOND, THUMBNAILS },                           \
        { "audio", KEY_AUDIO, at(audio), 0, 0, AUDIO },                                                                \
        { "transcode.backend", KEY_BACKEND, at(ladder.backend), 0, 0, BACKEND },                                       \
        { "transcode.require_gpu", KEY_BOOL, at(ladder.requires_gpu), 0, 0, "yes or no" },                             \
    {                                                                                                                  \
        "transcode.latency", KEY_LATENCY, at(ladder.latency), 0, 0, LATENCY                                            \
    }

/* The same for all, for a port and for a path. */
#define SRT_KEYS(prefix, at)                                                                                           \
    { prefix "latency", KEY_DURATION, at(latency_us), 0, 60 * SECOND, "a duration from 0ms to 60s" },                  \
        { prefix "idle", KEY_DURATION, at(idle_us), 5 * SECOND, 600 * SECOND, "a duration from 5s to 10m" },           \
        { prefix "lossmaxttl", KEY_AMOUNT, at(reorder_packets), 0, 1000, "a number of packets from 0 to 1000" },       \
        { prefix "maxbw", KEY_AMOUNT, at(bandwidth_bps), 0, 100000 * MILLION, "bits per second, for example 20M" },    \
        { prefix "rcvbuf", KEY_AMOUNT, at(receive_buffer_bytes), 64 * KIB, 1024LL * MIB, BUFFER },                     \
        { prefix "flight", KEY_AMOUNT, at(flight_packets), 32, MILLION, "a number of packets from 32 to 1000000" },    \
        { prefix "tlpktdrop", KEY_SWITCH, at(drops_late), 0, 0, "yes or no" },                                         \
        { prefix "payload_size", KEY_AMOUNT, at(payload_bytes), 188, 1456, "bytes from 188 to 1456" },                 \
        { prefix "filter", KEY_TEXT, at(filter), 1, SRT_FILTER_BYTES_MAX, FILTER },                                    \
        { prefix "passphrase",      KEY_SECRET,           at(passphrase), SRT_PASSPHRASE_BYTES_MIN,                    \
          SRT_PASSPHRASE_BYTES_MAX, "10 to 79 characters" },                                                           \
    {                                                                                                                  \
        prefix "pbkeylen", KEY_CIPHER, at(key_bytes), 0, 0, "16, 24 or 32; 0: as the caller has it"                    \
    }

static const struct config_key keys[] = {
    { "listen.rtmp", KEY_ADDRESSES, AT(rtmp), 0, 0, ADDRESSES },
    { "listen.http", KEY_ADDRESSES, AT(http), 0, 0, ADDRESSES },
    { "listen.rtmps", KEY_ADDRESSES, AT(rtmps), 0, 0, ADDRESSES },
    { "listen.srt", KEY_ADDRESSES, AT(srt), 0, 0, ADDRESSES },
    { "listen.https", KEY_ADDRESSES, AT(https), 0, 0, ADDRESSES },
    { "hls.segment", KEY_DURATION, AT(defaults.hls.segment_us), SECOND / 2, 20 * SECOND,
      "a duration from 500ms to 20s" },
    { "hls.segment_max", KEY_DURATION, AT(defaults.hls.segment_max_us), SECOND, 30 * SECOND,
      "a duration from 1s to 30s" },
    { "hls.window", KEY_DURATION, AT(defaults.hls.window_us), 3 * SECOND, 3600 * SECOND, "a duration from 3s to 1h" },
    { "hls.hold", KEY_DURATION, AT(defaults.hls.hold_us), 0, 3600 * SECOND, "a duration from 0s to 1h" },
    { "hls.retain", KEY_DURATION, AT(retain_us), 0, 3600 * SECOND, "a duration from 0s to 1h" },
    { "hls.part", KEY_PART, AT(defaults.hls.part_us), SECOND / 10, 2 * SECOND, PART },
    { "hls.part_hold_back", KEY_DURATION, AT(defaults.hls.part_hold_back_us), SECOND / 5, 20 * SECOND, HOLD_BACK },
    { "hls.skip", KEY_BOOL, AT(defaults.hls.can_skip), 0, 0, "yes or no" },
    { "hls.container", KEY_CONTAINER, AT(defaults.hls.container), 0, 0, CONTAINER },
    { "hls.numbering", KEY_NUMBERING, AT(defaults.hls.numbering), 0, 0, "stream or epoch" },
    { "hls.dvr", KEY_DURATION, AT(defaults.hls.dvr_us), 0, DVR_MAX, "a duration from 0s (none) to 24h" },
    { "hls.dvr_bytes", KEY_AMOUNT, AT(dvr_bytes), 1 * MIB, INT64_MAX, "bytes from 1MiB, for example 100G" },
    { "hls.dvr_stream_bytes", KEY_AMOUNT, AT(defaults.hls.dvr_stream_bytes), 0, INT64_MAX, STREAM_BYTES },
    { "hls.type", KEY_HLS_TYPE, AT(defaults.hls.is_event), 0, 0, "sliding or event" },
    { "hls.vod_keep", KEY_DURATION, AT(defaults.hls.vod_keep_us), 0, VOD_MAX, "a duration from 0s to 2160h" },
    { "publish.access", KEY_ACCESS, AT(defaults.access), 0, 0, ACCESS },
    { "publish.takeover", KEY_BOOL, AT(defaults.may_take_over), 0, 0, "yes or no" },
    { "publish.on_damage", KEY_DAMAGE, AT(defaults.on_damage), 0, 0, DAMAGE },
    { "ingest.gather", KEY_DURATION, AT(gather_us), 0, 10000, "a duration from 0ms to 10ms" },
    { "ingest.idle", KEY_DURATION, AT(idle_us), SECOND, 600 * SECOND, "a duration from 1s to 10m" },
    { "ingest.handshake", KEY_DURATION, AT(handshake_us), SECOND / 10, 60 * SECOND, "a duration from 100ms to 1m" },
    { "ingest.publish", KEY_DURATION, AT(publish_us), SECOND / 10, 60 * SECOND, "a duration from 100ms to 1m" },
    { "ingest.silent", KEY_DURATION, AT(silent_us), SECOND / 10, 600 * SECOND, "a duration from 100ms to 10m" },
    { "ingest.connections", KEY_COUNT, AT(rtmp_connections), 1, 1000000, "a number from 1 to 1000000" },
    { "ingest.connections_per_address", KEY_COUNT, AT(rtmp_connections_per_address), 1, 1000000,
      "a number from 1 to 1000000" },
    { "ingest.streams", KEY_COUNT, AT(streams), 1, STREAMS_MAX, "a number from 1 to 4096" },
    SRT_KEYS("srt.", SRT_AT),
    { "srt.udp_rcvbuf", KEY_AMOUNT, SRT_AT(udp_buffer_bytes), 64 * KIB, 1024LL * MIB, BUFFER },
    { "srt.stream", KEY_STREAM, AT(srt_stream), 1, STREAM_NAME_BYTES_MAX, STREAM },
    { "srt.default_mode", KEY_SRT_MODE, AT(srt_default_mode), 0, 0, MODE },
    { "srt.connections", KEY_COUNT, AT(srt_connections), 1, 100000, "a number from 1 to 100000" },
    { "srt.connections_per_address", KEY_COUNT, AT(srt_connections_per_address), 1, 100000,
      "a number from 1 to 100000" },
    { "srt.attempts", KEY_COUNT, AT(srt_attempts), 1, 10000, "a number per second from 1 to 10000" },
    { "srt.attempts_per_address", KEY_COUNT, AT(srt_attempts_per_address), 1, 10000,
      "a number per second from 1 to 10000" },
    LADDER_KEYS(DEFAULT_AT),
    { "transcode.share", KEY_COUNT, AT(transcode_share), 1, 100, "percent of the cores, from 1 to 100" },
    { "transcode.gpus", KEY_GPUS, AT(gpus), 0, 63, GPUS },
    { "delivery.origins", KEY_ORIGINS, AT(origins), 0, 0,
      "\"*\", or a list of origins, for example [\"https://example.com\"]" },
    { "delivery.connections", KEY_COUNT, AT(http_connections), 1, 1000000, "a number from 1 to 1000000" },
    { "server.loops", KEY_COUNT, AT(loops), 0, LOOPS_MAX, "a number from 0 (one per core) to 64" },
    { "server.drain", KEY_DURATION, AT(drain_us), 0, 60 * SECOND, "a duration from 0s to 1m" },
    { "server.core_dumps", KEY_BOOL, AT(may_dump_core), 0, 0, "yes or no" },
    { "state.dir", KEY_TEXT, AT(state_dir), 1, CONFIG_TEXT_BYTES - 1, "a folder" },
    { "log.level", KEY_TEXT, AT(log_level), 1, CONFIG_TEXT_BYTES - 1,
      "error, warn, info or debug, also per room: info,ingest=debug" },
    { "log.format", KEY_TEXT, AT(log_format), 1, 15, "text or json" },
    { "tls.cert", KEY_TEXT, AT(tls_cert), 1, CONFIG_TEXT_BYTES - 1, "a file: the certificate and its chain in PEM" },
    { "tls.key", KEY_TEXT, AT(tls_key), 1, CONFIG_TEXT_BYTES - 1, "a file: the certificate's private key in PEM" },
};

static const struct config_key path_keys[] = {
    { "match", KEY_TEXT, PATH_AT(pattern), 1, CONFIG_TEXT_BYTES - 1, "a pattern of stream names, for example live/*" },
    { "publish.access", KEY_ACCESS, PATH_AT(access), 0, 0, ACCESS },
    { "publish.key", KEY_SECRET, PATH_AT(key), 8, RTMP_NAME_BYTES_MAX, "8 to 256 characters" },
    { "publish.takeover", KEY_BOOL, PATH_AT(may_take_over), 0, 0, "yes or no" },
    { "publish.on_damage", KEY_DAMAGE, PATH_AT(on_damage), 0, 0, DAMAGE },
    { "hls.segment", KEY_DURATION, PATH_AT(hls.segment_us), SECOND / 2, 20 * SECOND, "a duration from 500ms to 20s" },
    { "hls.segment_max", KEY_DURATION, PATH_AT(hls.segment_max_us), SECOND, 30 * SECOND, "a duration from 1s to 30s" },
    { "hls.window", KEY_DURATION, PATH_AT(hls.window_us), 3 * SECOND, 3600 * SECOND, "a duration from 3s to 1h" },
    { "hls.hold", KEY_DURATION, PATH_AT(hls.hold_us), 0, 3600 * SECOND, "a duration from 0s to 1h" },
    { "hls.part", KEY_PART, PATH_AT(hls.part_us), SECOND / 10, 2 * SECOND, PART },
    { "hls.part_hold_back", KEY_DURATION, PATH_AT(hls.part_hold_back_us), SECOND / 5, 20 * SECOND, HOLD_BACK },
    { "hls.skip", KEY_BOOL, PATH_AT(hls.can_skip), 0, 0, "yes or no" },
    { "hls.container", KEY_CONTAINER, PATH_AT(hls.container), 0, 0, CONTAINER },
    { "hls.numbering", KEY_NUMBERING, PATH_AT(hls.numbering), 0, 0, "stream or epoch" },
    { "hls.dvr", KEY_DURATION, PATH_AT(hls.dvr_us), 0, DVR_MAX, "a duration from 0s (none) to 24h" },
    { "hls.dvr_stream_bytes", KEY_AMOUNT, PATH_AT(hls.dvr_stream_bytes), 0, INT64_MAX, STREAM_BYTES },
    { "hls.type", KEY_HLS_TYPE, PATH_AT(hls.is_event), 0, 0, "sliding or event" },
    { "hls.vod_keep", KEY_DURATION, PATH_AT(hls.vod_keep_us), 0, VOD_MAX, "a duration from 0s to 2160h" },
    LADDER_KEYS(PATH_AT),
    SRT_KEYS("srt.", SRT_PATH_AT),
    { "pull", KEY_SRT_URL, PATH_AT(pull), 0, 0, "srt://HOST:PORT?streamid=..." },
};

static const struct config_key srt_port_keys[] = {
    { "listen", KEY_ADDRESS, offsetof(struct config_srt_port, address), 0, 0,
      "an address:port, for example 0.0.0.0:8891" },
    { "stream", KEY_STREAM, offsetof(struct config_srt_port, stream), 1, STREAM_NAME_BYTES_MAX, STREAM },
    { "default_mode", KEY_SRT_MODE, offsetof(struct config_srt_port, default_mode), 0, 0, MODE },
    SRT_KEYS("", SRT_PORT_AT),
    { "udp_rcvbuf", KEY_AMOUNT, SRT_PORT_AT(udp_buffer_bytes), 64 * KIB, 1024LL * MIB, BUFFER },
};

static const struct config_key *find(const struct config_key *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(table[i].name, name)) return &table[i];
    }
    return NULL;
}

const struct config_key *config_key_find(const char *name)
{
    return find(keys, ARRAY_LEN(keys), name);
}

const struct config_key *config_path_key_find(const char *name)
{
    return find(path_keys, ARRAY_LEN(path_keys), name);
}

const struct config_key *config_srt_port_key_find(const char *name)
{
    return find(srt_port_keys, ARRAY_LEN(srt_port_keys), name);
}

/* Edits between two short words (Levenshtein), capped. */
static unsigned edits(const char *a, const char *b)
{
    unsigned row[64];
    const size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > 60 || b_bytes > 60) return 99;
    for (unsigned k = 0; k <= b_bytes; k++) row[k] = k;
    for (size_t i = 1; i <= a_bytes; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= b_bytes; k++) {
            const unsigned above = row[k];
            unsigned best = diagonal + (a[i - 1] != b[k - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[k - 1] + 1 < best) best = row[k - 1] + 1;
            row[k] = best;
            diagonal = above;
        }
    }
    return row[b_bytes];
}

const char *config_key_near(const char *name)
{
    const char *best = NULL;
    unsigned best_edits = 4;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const unsigned distance = edits(name, keys[i].name);
        if (distance < best_edits) {
            best_edits = distance;
            best = keys[i].name;
        }
    }
    return best;
}

static enum weir_err wrong(struct config_error *error, const struct config_key *key, const char *value)
{
    if (key->kind == KEY_SECRET || key->kind == KEY_SRT_URL)
        snprintf(error->text, sizeof error->text, "%s: expected %s", key->name, key->expected);
    else
        snprintf(error->text, sizeof error->text, "%s: \"%.80s\" is not right; expected %s", key->name, value,
                 key->expected);
    return WEIR_CONFIG;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = { "yes", "true", "on" }, *const no[] = { "no", "false", "off" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* "no" and "0" switch it off; otherwise a duration. */
static bool parse_part(const char *text, const struct config_key *key, void *field)
{
    int64_t us = 0;
    bool is_on = true;
    if (!strcmp(text, "0") || (parse_bool(text, &is_on) && !is_on)) {
        memcpy(field, &us, sizeof us);
        return true;
    }
    if (!duration_parse(text, &us) || (us && (us < key->min || us > key->max))) return false;
    memcpy(field, &us, sizeof us);
    return true;
}

static bool parse_access(const char *text, enum config_access *out)
{
    static const struct {
        const char *name;
        enum config_access access;
    } words[] = {
        { "local", ACCESS_LOCAL_OR_KEY }, { "open", ACCESS_OPEN }, { "key", ACCESS_KEY }, { "deny", ACCESS_DENY }
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i].name)) continue;
        *out = words[i].access;
        return true;
    }
    return false;
}

static bool parse_damage(const char *text, enum damage_policy *out)
{
    if (strcmp(text, "drop") && strcmp(text, "pass")) return false;
    *out = strcmp(text, "pass") ? DAMAGE_DROP : DAMAGE_PASS;
    return true;
}

static bool parse_addresses(const char *const *values, size_t count, struct config_addresses *out)
{
    struct config_addresses parsed = { .is_given = true };
    if (count > CONFIG_ADDRESSES_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (strlen(values[i]) >= CONFIG_ADDRESS_BYTES || !strrchr(values[i], ':')) return false;
        memcpy(parsed.items[parsed.count++], values[i], strlen(values[i]) + 1);
    }
    *out = parsed;
    return true;
}

static bool parse_address(const char *text, char *out)
{
    const bool is_right = strlen(text) < CONFIG_ADDRESS_BYTES && strrchr(text, ':');
    if (is_right) memcpy(out, text, strlen(text) + 1);
    return is_right;
}

/* Words that stand for numbers. */
static bool parse_choice(const char *text, enum key_kind kind, int64_t *out)
{
    static const struct {
        enum key_kind kind;
        const char *word;
        int64_t value;
    } words[] = {
        { KEY_SRT_MODE, "request", SRT_MODE_REQUEST },
        { KEY_SRT_MODE, "publish", SRT_MODE_PUBLISH },
        { KEY_HLS_TYPE, "sliding", 0 },
        { KEY_HLS_TYPE, "event", 1 },
        { KEY_CIPHER, "0", 0 },
        { KEY_CIPHER, "16", 16 },
        { KEY_CIPHER, "24", 24 },
        { KEY_CIPHER, "32", 32 },
        { KEY_LATENCY, "low", LADDER_LATENCY_LOW },
        { KEY_LATENCY, "normal", LADDER_LATENCY_NORMAL },
        { KEY_CONTAINER, "cmaf", CONTAINER_CMAF },
        { KEY_CONTAINER, "ts", CONTAINER_TS },
        { KEY_NUMBERING, "stream", NUMBERING_STREAM },
        { KEY_NUMBERING, "epoch", NUMBERING_EPOCH },
    };
    bool is_yes;
    if (kind == KEY_SWITCH) {
        if (!parse_bool(text, &is_yes)) return false;
        *out = is_yes;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].kind != kind || strcmp(text, words[i].word) != 0) continue;
        *out = words[i].value;
        return true;
    }
    return false;
}

static bool parse_amount(const char *text, const struct config_key *key, int64_t *out)
{
    int64_t amount;
    if (!amount_parse(text, &amount) || amount < key->min || amount > key->max) return false;
    *out = amount;
    return true;
}

/* A name as it is, not a part of a URL: no escapes, no query. */
static bool parse_stream(const char *text, char *out)
{
    struct publish_request request;
    const char *why;
    if (strpbrk(text, "%?") || publish_name_make(&request, "", text, &why) != PUBLISH_ALLOWED) return false;
    memcpy(out, request.name, strlen(request.name) + 1);
    return true;
}

static enum weir_err parse_srt_url(const char *text, const struct config_key *key, char *out,
                                   struct config_error *error)
{
    struct srt_url url;
    const char *why;
    const enum weir_err err = srt_url_parse(text, &url, &why);
    if (err)
        snprintf(error->text, sizeof error->text, "%s: %s", key->name, why);
    else
        memcpy(out, text, strlen(text) + 1);
    explicit_bzero(&url, sizeof url);
    return err;
}

/* "https://example.com:8443": what a browser writes into Origin (RFC 6454, 7), or "*". */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    if (!strcmp(text, "*")) return true;
    return host && host > text && host[3] && strlen(text) < CONFIG_ORIGIN_BYTES && !strpbrk(text, " \t,\"'\r\n") &&
           !strpbrk(host + 3, "/?#@*");
}

static bool parse_origins(const char *const *values, size_t count, struct config_origins *out)
{
    struct config_origins parsed = { .count = 0 };
    if (count > CONFIG_ORIGINS_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_origin(values[i])) return false;
        memcpy(parsed.items[parsed.count++], values[i], strlen(values[i]) + 1);
    }
    *out = parsed;
    return true;
}

static bool parse_count(const char *text, const struct config_key *key, uint32_t *out)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || !*text || *end || value < key->min || value > key->max) return false;
    *out = (uint32_t)value;
    return true;
}

static bool parse_text(const char *text, const struct config_key *key, char *out)
{
    const size_t bytes = strlen(text);
    if ((int64_t)bytes < key->min || (int64_t)bytes > key->max) return false;
    memcpy(out, text, bytes + 1);
    return true;
}

static bool parse_backend(const char *text, char *out)
{
    if (!backend_name_is_known(text)) return false;
    snprintf(out, RUNG_WORD_BYTES, "%s", text);
    return true;
}

static bool parse_gpus(const char *const *values, size_t count, uint64_t *out)
{
    static const struct config_key number = { .min = 0, .max = 63 };
    uint64_t bits = 0;
    uint32_t index;
    const bool is_all = count == 1 && !strcmp(values[0], "all");
    if (!count) return false;
    for (size_t i = 0; i < count && !is_all; i++) {
        if (!parse_count(values[i], &number, &index)) return false;
        bits |= 1ull << index;
    }
    memcpy(out, &bits, sizeof bits);
    return true;
}

enum weir_err config_key_apply(const struct config_key *key, void *base, const char *const *values, size_t count,
                               struct config_error *error)
{
    void *field = (char *)base + key->offset;
    if (key->kind == KEY_ADDRESSES)
        return parse_addresses(values, count, field) ? WEIR_OK : wrong(error, key, count ? values[0] : "");
    if (key->kind == KEY_ORIGINS)
        return parse_origins(values, count, field) ? WEIR_OK : wrong(error, key, count ? values[0] : "");
    if (key->kind == KEY_GPUS)
        return parse_gpus(values, count, field) ? WEIR_OK : wrong(error, key, count ? values[0] : "");
    if (count != 1) return wrong(error, key, count ? "a list" : "");
    const char *value = values[0];
    if (key->kind == KEY_SRT_URL) return parse_srt_url(value, key, field, error);
    bool is_right = false;
    int64_t us;
    switch (key->kind) {
    case KEY_DURATION:
        is_right = duration_parse(value, &us) && us >= key->min && us <= key->max;
        if (is_right) memcpy(field, &us, sizeof us);
        break;
    case KEY_COUNT: is_right = parse_count(value, key, field); break;
    case KEY_AMOUNT: is_right = parse_amount(value, key, field); break;
    case KEY_SWITCH:
    case KEY_SRT_MODE:
    case KEY_LATENCY:
    case KEY_CONTAINER:
    case KEY_NUMBERING:
    case KEY_HLS_TYPE:
    case KEY_CIPHER: is_right = parse_choice(value, key->kind, field); break;
    case KEY_ADDRESS: is_right = parse_address(value, field); break;
    case KEY_STREAM: is_right = parse_stream(value, field); break;
    case KEY_TEXT:
    case KEY_SECRET: is_right = parse_text(value, key, field); break;
    case KEY_ACCESS: is_right = parse_access(value, field); break;
    case KEY_PART: is_right = parse_part(value, key, field); break;
    case KEY_DAMAGE: is_right = parse_damage(value, field); break;
    case KEY_BOOL: is_right = parse_bool(value, field); break;
    case KEY_LADDER: is_right = config_ladder_parse_word(value, field); break;
    case KEY_AUDIO: is_right = config_audio_parse_word(value, field); break;
    case KEY_BACKEND: is_right = parse_backend(value, field); break;
    case KEY_SCALE:
    case KEY_FRAME_RATE:
    case KEY_VIDEO_CODEC:
    case KEY_PROFILE:
    case KEY_AUDIO_CODEC:
    case KEY_PRESET: is_right = config_rung_parse(key, value, field); break;
    case KEY_ADDRESSES:
    case KEY_ORIGINS:
    case KEY_GPUS:
    case KEY_SRT_URL: break;
    }
    return is_right ? WEIR_OK : wrong(error, key, value);
}
