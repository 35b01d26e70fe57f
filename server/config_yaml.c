/* YAML to configuration. libyaml's document tree keeps the line of every node, so each error can name its line. */
#include <weir/server/config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include <weir/stream/publish_gate.h>

#include "config_internal.h"
#include "config_keys.h"
#include "config_rung.h"

#define DEPTH_MAX 8

struct reader {
    struct config *config;
    yaml_document_t document;
    const char *file_name;
    struct config_error *error;
    bool is_paths_seen;
};

static enum weir_err fail_at(struct reader *r, const yaml_node_t *node, const char *text)
{
    snprintf(r->error->text, sizeof r->error->text, "%.100s:%zu: %.380s", r->file_name,
             node ? node->start_mark.line + 1 : 1, text);
    return WEIR_CONFIG;
}

static const char *scalar(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static enum weir_err apply(struct reader *r, const struct config_key *key, void *base, const yaml_node_t *node)
{
    const char *values[CONFIG_LIST_MAX + 1];
    size_t count = 0;
    if (node->type == YAML_SCALAR_NODE) {
        values[count++] = scalar(node);
    } else if (node->type == YAML_SEQUENCE_NODE && config_key_is_list(key)) {
        for (yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top && count <= CONFIG_LIST_MAX; i++) {
            const char *text = scalar(yaml_document_get_node(&r->document, *i));
            if (!text) return fail_at(r, node, "expected a list of texts");
            values[count++] = text;
        }
    } else {
        char text[256];
        snprintf(text, sizeof text, "%s: expected %s", key->name, key->expected);
        return fail_at(r, node, text);
    }
    struct config_error inner;
    const enum weir_err err = config_key_apply(key, base, values, count, &inner);
    return err ? fail_at(r, node, inner.text) : WEIR_OK;
}

typedef const struct config_key *key_finder(const char *name);

static enum weir_err read_paths(struct reader *r, const yaml_node_t *node);
static enum weir_err read_srt_ports(struct reader *r, const yaml_node_t *node);
static enum weir_err read_rungs(struct reader *r, const yaml_node_t *node, struct config_ladder *ladder);
static enum weir_err read_sounds(struct reader *r, const yaml_node_t *node, struct config_audio *audio);

static enum weir_err unknown_key(struct reader *r, const yaml_node_t *node, const char *name, key_finder *finder)
{
    char text[256];
    if (finder == config_rung_key_find || finder == config_audio_key_find) {
        snprintf(text, sizeof text, "%.80s: no such key; a rung %s", name,
                 finder == config_audio_key_find
                     ? "of sound has name, codec, bitrate, channels, sample_rate"
                     : "has name, height or scale, fps, bitrate, maxrate, codec, profile, preset");
        return fail_at(r, node, text);
    }
    const char *near = config_key_near(name);
    snprintf(text, sizeof text, "%.80s: no such key%s%s%s", name, near ? "; did you mean " : "", near ? near : "",
             near ? "?" : "");
    return fail_at(r, node, text);
}

/* A mapping, with the dotted name so far in front of its keys. */
static enum weir_err read_mapping(struct reader *r, const yaml_node_t *node, const char *prefix, key_finder *finder,
                                  void *base, unsigned depth)
{
    if (depth > DEPTH_MAX) return fail_at(r, node, "nested too deep");
    if (node->type != YAML_MAPPING_NODE) return fail_at(r, node, "expected `key: value` lines here");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key_node = yaml_document_get_node(&r->document, p->key);
        const yaml_node_t *value = yaml_document_get_node(&r->document, p->value);
        const char *word = scalar(key_node);
        char name[96];
        if (!word || !value) return fail_at(r, key_node, "not a usable key");
        const int used = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", word);
        if (used < 0 || (size_t)used >= sizeof name) return fail_at(r, key_node, "too long for a key");
        enum weir_err err;
        const struct config_key *key = finder(name);
        if (!*prefix && base == r->config && !strcmp(word, "paths"))
            err = read_paths(r, value);
        else if (base == r->config && !strcmp(name, "srt.ports"))
            err = read_srt_ports(r, value);
        else if (key && key->kind == KEY_LADDER && value->type == YAML_SEQUENCE_NODE)
            err = read_rungs(r, value, (struct config_ladder *)((char *)base + key->offset));
        else if (key && key->kind == KEY_AUDIO && value->type == YAML_SEQUENCE_NODE)
            err = read_sounds(r, value, (struct config_audio *)((char *)base + key->offset));
        else if (key)
            err = apply(r, key, base, value);
        else if (value->type == YAML_MAPPING_NODE)
            err = read_mapping(r, value, name, finder, base, depth + 1);
        else
            err = unknown_key(r, key_node, name, finder);
        if (err) return err;
    }
    return WEIR_OK;
}

/* "source" is the stream as it came; anything else is encoded. */
static enum weir_err read_rung(struct reader *r, const yaml_node_t *node, struct config_ladder *ladder)
{
    struct rung_config *rung = &ladder->wish.rungs[ladder->wish.rung_count];
    *rung = (struct rung_config){ .kind = RUNG_ENCODED };
    const char *word = scalar(node);
    enum weir_err err = WEIR_OK;
    if (!word)
        err = read_mapping(r, node, "", config_rung_key_find, rung, 1);
    else if (!strcmp(word, "source"))
        rung->kind = RUNG_PASSTHROUGH;
    else
        err = fail_at(r, node, "ladder: expected source, or what a rung is, for example {height: 720, bitrate: 2500k}");
    if (err) return err;
    const char *wrong = config_ladder_rung_done(ladder);
    return wrong ? fail_at(r, node, wrong) : WEIR_OK;
}

static enum weir_err read_rungs(struct reader *r, const yaml_node_t *node, struct config_ladder *ladder)
{
    ladder->is_on = true;
    ladder->wish = (struct ladder_config){ .rung_count = 0 };
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->document, *i);
        if (ladder->wish.rung_count == LADDER_RUNGS_MAX) return fail_at(r, item, "ladder: more than 8 rungs");
        const enum weir_err err = read_rung(r, item, ladder);
        if (err) return err;
    }
    return ladder->wish.rung_count ? WEIR_OK : fail_at(r, node, "ladder: expected at least one rung, auto, or no");
}

static enum weir_err read_sounds(struct reader *r, const yaml_node_t *node, struct config_audio *audio)
{
    *audio = (struct config_audio){ .mode = AUDIO_RUNGS };
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->document, *i);
        const char *word = scalar(item);
        if (word && !strcmp(word, "source")) {
            audio->has_source = true;
            continue;
        }
        if (word)
            return fail_at(r, item,
                           "audio: expected source, or what a rung is, for example {codec: aac, bitrate: 64k}");
        if (audio->rung_count == CONFIG_AUDIO_RUNGS_MAX) return fail_at(r, item, "audio: more than 4 rungs");
        const enum weir_err err = read_mapping(r, item, "", config_audio_key_find, &audio->rungs[audio->rung_count], 1);
        if (err) return err;
        const char *wrong = config_audio_rung_done(audio);
        if (wrong) return fail_at(r, item, wrong);
    }
    return audio->rung_count ? WEIR_OK : fail_at(r, node, "audio: expected at least one rung besides source, or pass");
}

/* One canonical name and no pattern. */
static bool is_stream_name(const char *text)
{
    struct publish_request request;
    const char *why;
    return !strpbrk(text, "*?[%") && publish_name_make(&request, "", text, &why) == PUBLISH_ALLOWED &&
           !strcmp(request.name, text);
}

static enum weir_err read_paths(struct reader *r, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_at(r, node, "paths: expected a list of `- match: pattern` entries");
    const size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (r->is_paths_seen) return fail_at(r, node, "paths: given twice");
    if (count > CONFIG_PATHS_MAX) return fail_at(r, node, "paths: more than 128 entries");
    r->is_paths_seen = true;
    struct config_path *paths = calloc(count ? count : 1, sizeof *paths);
    if (!paths) return WEIR_NOMEM;
    config_free_paths(r->config);
    r->config->paths = paths;
    r->config->path_count = count;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->document, node->data.sequence.items.start[i]);
        paths[i] = r->config->defaults;
        paths[i].pattern[0] = 0;
        srt_options_init(&paths[i].srt);
        const enum weir_err err = read_mapping(r, item, "", config_path_key_find, &paths[i], 1);
        if (err) return err;
        if (!paths[i].pattern[0]) return fail_at(r, item, "match is missing: which stream names is this entry for?");
        if (paths[i].key[0] && paths[i].access == ACCESS_OPEN)
            return fail_at(r, item, "publish.key is given, but publish.access is open");
        if (paths[i].pull[0] && !is_stream_name(paths[i].pattern))
            return fail_at(r, item, "pull: expected one stream's whole name in match, such as live/cam, without * ? [");
    }
    return WEIR_OK;
}

static enum weir_err read_srt_ports(struct reader *r, const yaml_node_t *node)
{
    struct config *c = r->config;
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_at(r, node, "srt.ports: expected a list of `- listen: address:port` entries");
    const size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (c->srt_ports) return fail_at(r, node, "srt.ports: given twice");
    if (count > CONFIG_SRT_PORTS_MAX) return fail_at(r, node, "srt.ports: more than 32 entries");
    struct config_srt_port *ports = calloc(count ? count : 1, sizeof *ports);
    if (!ports) return WEIR_NOMEM;
    c->srt_ports = ports;
    c->srt_port_count = count;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->document, node->data.sequence.items.start[i]);
        srt_options_init(&ports[i].options);
        ports[i].default_mode = SRT_UNSAID;
        const enum weir_err err = read_mapping(r, item, "", config_srt_port_key_find, &ports[i], 1);
        if (err) return err;
        if (!ports[i].address[0]) return fail_at(r, item, "listen is missing: which address:port is this entry for?");
    }
    return WEIR_OK;
}

/* `paths` entries start from the defaults, so those must be complete first: read everything else before them. */
static enum weir_err read_root(struct reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root || (root->type == YAML_SCALAR_NODE && !*scalar(root))) return WEIR_OK; /* an empty file */
    if (root->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
            const char *word = scalar(yaml_document_get_node(&r->document, p->key));
            yaml_node_pair_t *last = root->data.mapping.pairs.top - 1;
            if (word && !strcmp(word, "paths") && p < last) {
                const yaml_node_pair_t paths = *p;
                memmove(p, p + 1, (size_t)((char *)last - (char *)p));
                *last = paths;
                break;
            }
        }
    }
    return read_mapping(r, root, "", config_key_find, r->config, 0);
}

static enum weir_err read_root_paths(struct reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root || root->type != YAML_MAPPING_NODE) return WEIR_OK;
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const char *word = scalar(yaml_document_get_node(&r->document, p->key));
        if (word && !strcmp(word, "paths")) return read_paths(r, yaml_document_get_node(&r->document, p->value));
    }
    return WEIR_OK;
}

static enum weir_err load(struct config *c, const char *text, size_t bytes, const char *file_name,
                          enum weir_err (*read)(struct reader *r), struct config_error *error)
{
    struct reader r = { .config = c, .file_name = file_name, .error = error };
    yaml_parser_t parser;
    if (bytes > CONFIG_FILE_BYTES_MAX) {
        snprintf(error->text, sizeof error->text, "%.100s: larger than 1 MiB", file_name);
        return WEIR_CONFIG;
    }
    if (!yaml_parser_initialize(&parser)) return WEIR_NOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    enum weir_err err;
    if (!yaml_parser_load(&parser, &r.document)) {
        snprintf(error->text, sizeof error->text, "%.100s:%zu:%zu: %.200s", file_name, parser.problem_mark.line + 1,
                 parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
        err = WEIR_CONFIG;
    } else {
        err = read(&r);
        yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    return err;
}

enum weir_err config_load_yaml(struct config *c, const char *text, size_t bytes, const char *file_name,
                               struct config_error *error)
{
    return load(c, text, bytes, file_name, read_root, error);
}

enum weir_err config_load_yaml_paths(struct config *c, const char *text, size_t bytes, const char *file_name,
                                     struct config_error *error)
{
    return load(c, text, bytes, file_name, read_root_paths, error);
}
