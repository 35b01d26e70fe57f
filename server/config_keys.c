#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000LL
#define AT(field) offsetof(struct config, field)
#define PATH_AT(field) offsetof(struct config_path, field)
#define ADDRESSES "a list of address:port, for example [\"0.0.0.0:1935\"]"
#define ACCESS "one of local (loopback is open, others need the key), open, key, deny"
#define DAMAGE "drop (up to the next frame where decoding may begin) or pass"

static const struct config_key keys[] = {
    { "listen.rtmp", KEY_ADDRESSES, AT(rtmp), 0, 0, ADDRESSES },
    { "listen.http", KEY_ADDRESSES, AT(http), 0, 0, ADDRESSES },
    { "listen.rtmps", KEY_ADDRESSES, AT(rtmps), 0, 0, ADDRESSES },
    { "listen.srt", KEY_LATER, 0, 0, 0, "" },
    { "listen.https", KEY_ADDRESSES, AT(https), 0, 0, ADDRESSES },
    { "hls.segment", KEY_DURATION, AT(defaults.hls.segment_us), SECOND / 2, 20 * SECOND,
      "a duration from 500ms to 20s" },
    { "hls.segment_max", KEY_DURATION, AT(defaults.hls.segment_max_us), SECOND, 30 * SECOND,
      "a duration from 1s to 30s" },
    { "hls.window", KEY_DURATION, AT(defaults.hls.window_us), 3 * SECOND, 3600 * SECOND, "a duration from 3s to 1h" },
    { "hls.hold", KEY_DURATION, AT(defaults.hls.hold_us), 0, 3600 * SECOND, "a duration from 0s to 1h" },
    { "hls.part", KEY_LATER, 0, 0, 0, "" },
    { "hls.container", KEY_LATER, 0, 0, 0, "" },
    { "hls.dvr", KEY_LATER, 0, 0, 0, "" },
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
    { "delivery.connections", KEY_COUNT, AT(http_connections), 1, 1000000, "a number from 1 to 1000000" },
    { "server.loops", KEY_COUNT, AT(loops), 0, LOOPS_MAX, "a number from 0 (one per core) to 64" },
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
    { "ladder", KEY_LATER, 0, 0, 0, "" },
    { "srt", KEY_LATER, 0, 0, 0, "" },
    { "pull", KEY_LATER, 0, 0, 0, "" },
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
    if (key->kind == KEY_SECRET)
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

enum weir_err config_key_apply(const struct config_key *key, void *base, const char *const *values, size_t count,
                               struct config_error *error)
{
    if (key->kind == KEY_LATER) {
        snprintf(error->text, sizeof error->text, "%s: not in this version of weir yet; take the line out", key->name);
        return WEIR_CONFIG;
    }
    void *field = (char *)base + key->offset;
    if (key->kind == KEY_ADDRESSES)
        return parse_addresses(values, count, field) ? WEIR_OK : wrong(error, key, count ? values[0] : "");
    if (count != 1) return wrong(error, key, count ? "a list" : "");
    const char *value = values[0];
    bool is_right = false;
    int64_t us;
    switch (key->kind) {
    case KEY_DURATION:
        is_right = duration_parse(value, &us) && us >= key->min && us <= key->max;
        if (is_right) memcpy(field, &us, sizeof us);
        break;
    case KEY_COUNT: is_right = parse_count(value, key, field); break;
    case KEY_TEXT:
    case KEY_SECRET: is_right = parse_text(value, key, field); break;
    case KEY_ACCESS: is_right = parse_access(value, field); break;
    case KEY_DAMAGE: is_right = parse_damage(value, field); break;
    case KEY_BOOL: is_right = parse_bool(value, field); break;
    case KEY_ADDRESSES:
    case KEY_LATER: break;
    }
    return is_right ? WEIR_OK : wrong(error, key, value);
}
