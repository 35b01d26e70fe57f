/* YAML to a scenario. libyaml's document keeps the line of every node, so each error names its line. */
#include <weir/loadgen/scenario.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum field_kind { FIELD_TEXT = 1, FIELD_NUMBER, FIELD_BOOL, FIELD_ACT };

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    bool is_required;
    double least, most;
};

#define TEXT(type, name, member, must)                                                                                 \
    {                                                                                                                  \
        name, FIELD_TEXT, offsetof(struct type, member), must, 0, 0                                                    \
    }
#define NUMBER(type, name, member, least, most)                                                                        \
    {                                                                                                                  \
        name, FIELD_NUMBER, offsetof(struct type, member), false, least, most                                          \
    }
#define BOOL(type, name, member)                                                                                       \
    {                                                                                                                  \
        name, FIELD_BOOL, offsetof(struct type, member), false, 0, 0                                                   \
    }

static const struct field server_fields[] = {
    TEXT(scenario_server, "name", name, false),       TEXT(scenario_server, "command", command, false),
    TEXT(scenario_server, "config", config, false),   TEXT(scenario_server, "ready", ready, false),
    TEXT(scenario_server, "metrics", metrics, false), TEXT(scenario_server, "play", play, false),
    TEXT(scenario_server, "live", live, false),
};

static const struct field publisher_fields[] = {
    TEXT(scenario_publishers, "url", url, true),
    TEXT(scenario_publishers, "name", name, false),
    TEXT(scenario_publishers, "source", source, false),
    TEXT(scenario_publishers, "file", file, false),
    TEXT(scenario_publishers, "key", key, false),
    NUMBER(scenario_publishers, "streams", streams, 1, LOADGEN_CLIENTS_MAX),
    NUMBER(scenario_publishers, "first", first, 0, 1000000),
    NUMBER(scenario_publishers, "ramp", ramp, 0.1, 1000),
    NUMBER(scenario_publishers, "speed", speed, 0.1, 100),
    NUMBER(scenario_publishers, "start_ms", start_ms, 0, 1e13),
    NUMBER(scenario_publishers, "threads", threads, 1, 16),
    NUMBER(scenario_publishers, "latency", latency, 20, 30000),
};

static const struct field viewer_fields[] = {
    TEXT(scenario_viewers, "url", url, true),
    TEXT(scenario_viewers, "allow", allow, false),
    NUMBER(scenario_viewers, "viewers", viewers, 1, LOADGEN_CLIENTS_MAX),
    NUMBER(scenario_viewers, "streams", streams, 1, LOADGEN_CLIENTS_MAX),
    NUMBER(scenario_viewers, "ramp", ramp, 0, 100000),
    NUMBER(scenario_viewers, "switch_every", switch_every, 0, 3600),
    NUMBER(scenario_viewers, "speed", speed, 0.1, 100),
    NUMBER(scenario_viewers, "wait", wait, 0, 3600),
    NUMBER(scenario_viewers, "at", at, 0, LOADGEN_SECONDS_MAX),
    BOOL(scenario_viewers, "plain", is_plain),
    BOOL(scenario_viewers, "http2", wants_http2),
    BOOL(scenario_viewers, "insecure", is_insecure),
};

static const struct field event_fields[] = {
    NUMBER(scenario_event, "at", at, 0, LOADGEN_SECONDS_MAX),
    NUMBER(scenario_event, "every", every, 0, LOADGEN_SECONDS_MAX),
    { "do", FIELD_ACT, offsetof(struct scenario_event, act), true, 0, 0 },
    TEXT(scenario_event, "run", run, false),
    TEXT(scenario_event, "relay", relay, false),
    TEXT(scenario_event, "line", line, false),
    NUMBER(scenario_event, "stop", stop, 0, 3600),
};

static const struct field relay_fields[] = {
    TEXT(scenario_relay, "name", name, true),  TEXT(scenario_relay, "to", to, true),
    TEXT(scenario_relay, "line", line, false), NUMBER(scenario_relay, "seed", seed, 0, 1e15),
    BOOL(scenario_relay, "udp", is_udp),
};

static const struct field expectation_fields[] = {
    TEXT(scenario_expectation, "name", name, true),        TEXT(scenario_expectation, "says", says, false),
    TEXT(scenario_expectation, "sum", sum, true),          TEXT(scenario_expectation, "of", of, false),
    NUMBER(scenario_expectation, "least", least, 0, 1e15), NUMBER(scenario_expectation, "most", most, 0, 1e15),
};

static const struct field top_fields[] = {
    TEXT(scenario, "name", name, true),
    TEXT(scenario, "about", about, false),
    NUMBER(scenario, "seconds", seconds, 5, LOADGEN_SECONDS_MAX),
    NUMBER(scenario, "warm_up", warm_up, 0, LOADGEN_SECONDS_MAX),
    NUMBER(scenario, "settle", settle, 0, 3600),
    NUMBER(scenario, "rehearse", rehearse, 0, 3600),
    NUMBER(scenario, "interval", interval, 0.2, 60),
};

#define THRESHOLD_FIELD(name, says) NUMBER(scenario_thresholds, #name, name, 0, 1e9),
static const struct field threshold_fields[] = { SCENARIO_THRESHOLDS(THRESHOLD_FIELD) };

struct reader {
    yaml_document_t document;
    const char *file_name;
    char *error;
    size_t error_bytes;
};

static bool fail(struct reader *r, const yaml_node_t *node, const char *what, const char *value)
{
    snprintf(r->error, r->error_bytes, "%.100s:%zu: %s%s%s%s", r->file_name, node ? node->start_mark.line + 1 : 1, what,
             value ? " \"" : "", value ? value : "", value ? "\"" : "");
    return false;
}

static const char *scalar(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* -- values -- */

static bool read_number(struct reader *r, const yaml_node_t *node, const struct field *f, const char *text, double *out)
{
    char what[160], *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    if (!errno && end != text && !*end && *out >= f->least && *out <= f->most) return true;
    snprintf(what, sizeof what, "%s wants a number from %g to %g, not", f->name, f->least, f->most);
    return fail(r, node, what, text);
}

static bool read_bool(struct reader *r, const yaml_node_t *node, const struct field *f, const char *text, bool *out)
{
    *out = !strcmp(text, "yes") || !strcmp(text, "true");
    if (*out || !strcmp(text, "no") || !strcmp(text, "false")) return true;
    char what[96];
    snprintf(what, sizeof what, "%s wants yes or no, not", f->name);
    return fail(r, node, what, text);
}

static bool read_act(struct reader *r, const yaml_node_t *node, const char *text, enum scenario_act *out)
{
    static const struct {
        const char *name;
        enum scenario_act act;
    } acts[] = { { "kill-server", SCENARIO_KILL_SERVER },
                 { "stop-server", SCENARIO_STOP_SERVER },
                 { "stop-publishers", SCENARIO_STOP_PUBLISHERS },
                 { "network", SCENARIO_NETWORK },
                 { "run", SCENARIO_RUN } };
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(acts[i].name, text) != 0) continue;
        *out = acts[i].act;
        return true;
    }
    return fail(r, node, "do wants kill-server, stop-server, stop-publishers, network or run, not", text);
}

static bool read_value(struct reader *r, const yaml_node_t *node, const struct field *f, void *base)
{
    void *out = (char *)base + f->offset;
    const char *text = scalar(node);
    if (!text) return fail(r, node, "one value is wanted, not a list or a mapping, for", f->name);
    switch (f->kind) {
    case FIELD_TEXT: *(const char **)out = text; return true;
    case FIELD_NUMBER: return read_number(r, node, f, text, out);
    case FIELD_BOOL: return read_bool(r, node, f, text, out);
    case FIELD_ACT: return read_act(r, node, text, out);
    }
    return false;
}

/* -- mappings -- */

static const struct field *find(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(fields[i].name, name)) return &fields[i];
    }
    return NULL;
}

static bool fail_unknown(struct reader *r, const yaml_node_t *node, const char *name, const struct field *fields,
                         size_t count)
{
    char what[512];
    size_t at = (size_t)snprintf(what, sizeof what, "no key here (keys:");
    for (size_t i = 0; i < count && at < sizeof what - 64; i++)
        at += (size_t)snprintf(what + at, sizeof what - at, " %s", fields[i].name);
    snprintf(what + at, sizeof what - at, "):");
    return fail(r, node, what, name);
}

static bool read_mapping(struct reader *r, const yaml_node_t *node, const struct field *fields, size_t count,
                         void *base)
{
    bool is_seen[64] = { false };
    if (node->type != YAML_MAPPING_NODE) return fail(r, node, "keys and values are wanted", NULL);
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
        const char *name = scalar(key);
        const struct field *f = name ? find(fields, count, name) : NULL;
        if (!f) return fail_unknown(r, key, name ? name : "?", fields, count);
        if (is_seen[f - fields]) return fail(r, key, "there twice:", name);
        is_seen[f - fields] = true;
        if (!read_value(r, yaml_document_get_node(&r->document, p->value), f, base)) return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_required && !is_seen[i]) return fail(r, node, "missing:", fields[i].name);
    }
    return true;
}

/* A list of mappings, or one alone. */
struct list {
    const char *name;
    const struct field *fields;
    size_t field_count, size, most;
    void *items;
    size_t *count;
    const void *defaults;
};

static bool read_item(struct reader *r, const yaml_node_t *node, const struct list *l)
{
    if (*l->count == l->most) return fail(r, node, "too many of", l->name);
    void *item = (char *)l->items + *l->count * l->size;
    memcpy(item, l->defaults, l->size);
    if (!read_mapping(r, node, l->fields, l->field_count, item)) return false;
    ++*l->count;
    return true;
}

static bool read_list(struct reader *r, const yaml_node_t *node, const struct list *l)
{
    if (node->type == YAML_MAPPING_NODE) return read_item(r, node, l);
    if (node->type != YAML_SEQUENCE_NODE) return fail(r, node, "a list is wanted for", l->name);
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        if (!read_item(r, yaml_document_get_node(&r->document, *i), l)) return false;
    }
    return true;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool read_named(struct reader *r, const char *name, const yaml_node_t *key, const yaml_node_t *value,
                       struct scenario *s, bool *is_seen)
{
    static const struct scenario_server server = { .name = "server", .live = "", .play = "" };
    static const struct scenario_publishers publishers = { .name = "load%d", .streams = 1, .speed = 1 };
    static const struct scenario_viewers viewers = { .streams = 1, .speed = 1, .wait = 20, .allow = "" };
    static const struct scenario_event event = { .act = 0 };
    static const struct scenario_relay relay = { .line = "", .seed = 1 };
    static const struct scenario_expectation expectation = { .says = "", .least = NAN, .most = NAN };
    const struct list lists[] = {
        { "servers", server_fields, COUNT(server_fields), sizeof server, SCENARIO_SERVERS_MAX, s->servers,
          &s->server_count, &server },
        { "server", server_fields, COUNT(server_fields), sizeof server, SCENARIO_SERVERS_MAX, s->servers,
          &s->server_count, &server },
        { "publishers", publisher_fields, COUNT(publisher_fields), sizeof publishers, SCENARIO_LOADS_MAX, s->publishers,
          &s->publisher_count, &publishers },
        { "viewers", viewer_fields, COUNT(viewer_fields), sizeof viewers, SCENARIO_LOADS_MAX, s->viewers,
          &s->viewer_count, &viewers },
        { "events", event_fields, COUNT(event_fields), sizeof event, SCENARIO_EVENTS_MAX, s->events, &s->event_count,
          &event },
        { "relays", relay_fields, COUNT(relay_fields), sizeof relay, SCENARIO_RELAYS_MAX, s->relays, &s->relay_count,
          &relay },
        { "expect", expectation_fields, COUNT(expectation_fields), sizeof expectation, SCENARIO_EXPECTATIONS_MAX,
          s->expectations, &s->expectation_count, &expectation },
    };
    if (!strcmp(name, "thresholds"))
        return read_mapping(r, value, threshold_fields, COUNT(threshold_fields), &s->thresholds);
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (!strcmp(name, lists[i].name)) return read_list(r, value, &lists[i]);
    }
    const struct field *f = find(top_fields, COUNT(top_fields), name);
    if (!f)
        return fail(
            r, key,
            "no key here (keys: name about seconds warm_up settle rehearse interval server servers relays publishers "
            "viewers events thresholds expect):",
            name);
    is_seen[f - top_fields] = true;
    return read_value(r, value, f, s);
}

static bool has_relay(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->relay_count; i++) {
        if (!name || !strcmp(s->relays[i].name, name)) return true;
    }
    return false;
}

static bool check_events(struct reader *r, const yaml_node_t *root, const struct scenario *s)
{
    for (size_t i = 0; i < s->event_count; i++) {
        const struct scenario_event *e = &s->events[i];
        if (e->act == SCENARIO_RUN && !e->run)
            return fail(r, root, "an event with \"do: run\" misses its \"run\"", NULL);
        if (e->act == SCENARIO_NETWORK && !has_relay(s, e->relay))
            return fail(r, root, "an event with \"do: network\" names no relay that is there:", e->relay);
        if (e->act == SCENARIO_NETWORK && !e->line && !(e->stop > 0))
            return fail(r, root, "an event with \"do: network\" misses its \"line\" or \"stop\"", NULL);
    }
    return true;
}

static bool check_expectations(struct reader *r, const yaml_node_t *root, const struct scenario *s)
{
    for (size_t i = 0; i < s->expectation_count; i++) {
        const struct scenario_expectation *e = &s->expectations[i];
        if (isnan(e->least) && isnan(e->most))
            return fail(r, root, "what is expected misses its \"least\" or \"most\":", e->name);
        if (e->of && strcmp(e->of, "srt_packets") != 0) return fail(r, root, "\"of\" wants srt_packets, not", e->of);
    }
    return true;
}

static bool read_document(struct reader *r, struct scenario *s)
{
    bool is_seen[COUNT(top_fields)] = { false };
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return fail(r, root, "a scenario is keys and values; it has at least a name, a server and publishers", NULL);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, p->key),
                          *value = yaml_document_get_node(&r->document, p->value);
        const char *name = scalar(key);
        if (!name) return fail(r, key, "a key is wanted", NULL);
        if (!read_named(r, name, key, value, s, is_seen)) return false;
    }
    if (!s->name) return fail(r, root, "missing:", "name");
    if (!s->server_count) return fail(r, root, "missing:", "server");
    if (s->warm_up >= s->seconds) return fail(r, root, "warm_up must be less than seconds", NULL);
    return check_events(r, root, s) && check_expectations(r, root, s);
}

/* -- the whole -- */

static void clear_thresholds(struct scenario *s)
{
    for (size_t i = 0; i < COUNT(threshold_fields); i++)
        *(double *)((char *)&s->thresholds + threshold_fields[i].offset) = NAN;
}

/* The texts lie in the document, so it lives as long as the scenario. */
enum weir_err scenario_read(const char *file_name, const char *text, size_t bytes, struct scenario *out, char *error,
                            size_t error_bytes)
{
    struct reader *r = calloc(1, sizeof *r);
    yaml_parser_t parser;
    *out = (struct scenario){ .seconds = 60, .warm_up = 10, .settle = 30, .interval = 1, .about = "" };
    clear_thresholds(out);
    if (!r || !yaml_parser_initialize(&parser)) {
        free(r);
        snprintf(error, error_bytes, "%.100s: out of memory", file_name);
        return WEIR_NOMEM;
    }
    *r = (struct reader){ .file_name = file_name, .error = error, .error_bytes = error_bytes };
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    const bool is_loaded = yaml_parser_load(&parser, &r->document);
    if (!is_loaded)
        snprintf(error, error_bytes, "%.100s:%zu: %s", file_name, parser.problem_mark.line + 1,
                 parser.problem ? parser.problem : "not YAML");
    yaml_parser_delete(&parser);
    if (!is_loaded) {
        free(r);
        return WEIR_CONFIG;
    }
    out->texts = r;
    if (read_document(r, out)) return WEIR_OK;
    scenario_deinit(out);
    return WEIR_CONFIG;
}

void scenario_deinit(struct scenario *s)
{
    struct reader *r = s->texts;
    if (!r) return;
    yaml_document_delete(&r->document);
    free(r);
    s->texts = NULL;
}

const char *scenario_threshold_name(size_t index)
{
    return index < COUNT(threshold_fields) ? threshold_fields[index].name : NULL;
}

#define THRESHOLD_SAYS(name, says) says,
const char *scenario_threshold_says(size_t index)
{
    static const char *const texts[] = { SCENARIO_THRESHOLDS(THRESHOLD_SAYS) };
    return index < COUNT(texts) ? texts[index] : NULL;
}

double scenario_threshold(const struct scenario *s, size_t index)
{
    return *(const double *)((const char *)&s->thresholds + threshold_fields[index].offset);
}

bool scenario_skip_threshold(struct scenario *s, const char *name, size_t bytes)
{
    for (size_t i = 0; i < COUNT(threshold_fields); i++) {
        if (strlen(threshold_fields[i].name) != bytes || strncmp(threshold_fields[i].name, name, bytes) != 0) continue;
        *(double *)((char *)&s->thresholds + threshold_fields[i].offset) = NAN;
        return true;
    }
    return false;
}
