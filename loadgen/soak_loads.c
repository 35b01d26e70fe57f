/* The publishers and viewers of a soak: children of this program, whose JSON lines are read. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "soak_internal.h"

#define ARGUMENTS_MAX 40
#define STOP_US_MAX 20000000

/* -- command lines -- */

struct arguments {
    struct leg *leg;
    char *items[ARGUMENTS_MAX + 1];
    size_t count;
    bool is_broken;
};

static void add(struct arguments *a, const char *text)
{
    char *copy = a->count < ARGUMENTS_MAX ? strdup(text) : NULL;
    if (!copy)
        a->is_broken = true;
    else
        a->items[a->count++] = copy;
}

static void add_number(struct arguments *a, const char *option, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    add(a, option);
    add(a, text);
}

/* Nothing where the scenario says nothing. */
static void add_text(struct arguments *a, const char *option, const char *text)
{
    if (!text || !text[0]) return;
    char *expanded = leg_expand(a->leg, text);
    if (option) add(a, option);
    if (expanded)
        add(a, expanded);
    else
        a->is_broken = true;
    free(expanded);
}

static bool start(struct arguments *a, struct child *c, const char *what)
{
    char log[512];
    snprintf(log, sizeof log, "%.400s/%.60s-%s.log", a->leg->options->log_dir, a->leg->server->name, what);
    const bool is_started = !a->is_broken && child_start(c, (const char *const *)a->items, true, log);
    for (size_t i = 0; i < a->count; i++) free(a->items[i]);
    if (!is_started) leg_break(a->leg, "cannot be started:", what);
    return is_started;
}

/* Longer than needed: they are told to stop. */
static double long_enough(const struct leg *l)
{
    const double seconds = l->scenario->seconds * 1.2 + l->scenario->settle + 120;
    return seconds < LOADGEN_SECONDS_MAX ? seconds : LOADGEN_SECONDS_MAX;
}

static bool start_publishers(struct leg *l, struct publish_load *p)
{
    const struct scenario_publishers *k = p->plan;
    struct arguments a = { .leg = l };
    add(&a, l->options->program);
    add(&a, "publish");
    add_text(&a, "--url", k->url);
    add_text(&a, "--name", k->name);
    add_text(&a, "--source", k->source);
    add_text(&a, "--file", k->file);
    add_text(&a, "--key", k->key);
    add_number(&a, "--streams", k->streams);
    if (k->first > 0) add_number(&a, "--first", k->first);
    if (k->ramp > 0) add_number(&a, "--ramp", k->ramp);
    if (k->start_ms > 0) add_number(&a, "--start-ms", k->start_ms);
    if (k->threads > 0) add_number(&a, "--threads", k->threads);
    if (k->latency > 0) add_number(&a, "--latency", k->latency);
    add_number(&a, "--speed", k->speed);
    add_number(&a, "--seconds", long_enough(l));
    add(&a, "--json");
    add(&a, "-");
    add(&a, "--quiet");
    return start(&a, &p->child, "publish");
}

bool soak_publishers_start(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->publisher_count; i++) {
        l->publish[i].plan = &l->scenario->publishers[i];
        if (!start_publishers(l, &l->publish[i])) return false;
    }
    for (size_t i = 0; i < l->scenario->viewer_count; i++) l->watch[i].plan = &l->scenario->viewers[i];
    return true;
}

bool soak_viewers_start(struct leg *l, struct watch_load *w)
{
    const struct scenario_viewers *k = w->plan;
    struct arguments a = { .leg = l };
    add(&a, l->options->program);
    add(&a, "watch");
    add_text(&a, NULL, k->url);
    add_number(&a, "--streams", k->streams);
    add_number(&a, "--viewers", k->viewers > 0 ? k->viewers : k->streams);
    if (k->ramp > 0) add_number(&a, "--ramp", k->ramp);
    if (k->switch_every > 0) add_number(&a, "--switch-every", k->switch_every);
    if (k->is_plain) add(&a, "--plain");
    if (k->wants_http2) add(&a, "--http2");
    if (k->is_insecure) add(&a, "--insecure");
    add_number(&a, "--speed", k->speed);
    add_number(&a, "--wait", k->wait);
    add_number(&a, "--interval", l->scenario->interval < 1 ? l->scenario->interval : 1);
    add_number(&a, "--seconds", long_enough(l));
    add(&a, "--json");
    w->has_begun = start(&a, &w->child, "watch");
    return w->has_begun;
}

/* -- what they say -- */

static double number_of(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void on_watch_line(struct leg *l, struct watch_load *w, json_t *line)
{
    const char *type = text_of(line, "type");
    if (!strcmp(type, "fault")) {
        soak_tell_event(l, "fault", text_of(line, "text"));
    } else if (!strcmp(type, "sample") || !strcmp(type, "end")) {
        json_decref(w->newest);
        w->newest = json_incref(line);
        w->has_ended = !strcmp(type, "end");
    }
}

static void on_publish_line(struct leg *l, struct publish_load *p, const json_t *line)
{
    char text[200];
    const char *event = text_of(line, "event");
    const bool is_sum = !strcmp(event, "progress") || !strcmp(event, "summary");
    if (is_sum) {
        p->dropped = number_of(line, "dropped_frames", p->dropped);
        p->losses = number_of(line, "losses", p->losses);
        p->packets = number_of(line, "packets", p->packets);
    } else if (!strcmp(event, "live")) {
        p->live++;
        p->live_at_s = leg_at_s(l);
    } else if (!strcmp(event, "lost") || !strcmp(event, "ended")) {
        if (p->live > 0) p->live--;
        if (!strcmp(event, "lost")) p->losses++;
    }
    if (strcmp(event, "lost") != 0 && strcmp(event, "refused") != 0 && strcmp(event, "behind") != 0) return;
    snprintf(text, sizeof text, "%.60s: %.120s", text_of(line, "stream"), text_of(line, "text"));
    soak_tell_event(l, event, text);
}

static void read_watch(struct leg *l, struct watch_load *w)
{
    for (const char *text; (text = child_line(&w->child));) {
        json_t *line = json_loads(text, 0, NULL);
        if (line) on_watch_line(l, w, line);
        json_decref(line);
    }
}

static void read_publish(struct leg *l, struct publish_load *p)
{
    for (const char *text; (text = child_line(&p->child));) {
        json_t *line = text[0] == '{' ? json_loads(text, 0, NULL) : NULL; /* its last words are for people */
        if (line) on_publish_line(l, p, line);
        json_decref(line);
    }
}

static void begin_viewers(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        struct watch_load *w = &l->watch[i];
        if (!w->has_begun && leg_at_s(l) >= w->plan->at) soak_viewers_start(l, w);
    }
}

void soak_loads_look(struct leg *l)
{
    if (l->begin_us && leg_at_s(l) < l->load_s) begin_viewers(l);
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        struct watch_load *w = &l->watch[i];
        if (!w->has_begun) continue;
        read_watch(l, w);
        if (child_is_over(&w->child) && !w->has_ended)
            leg_break(l, "viewers ended by themselves; their log is in", l->options->log_dir);
    }
    for (size_t i = 0; i < l->scenario->publisher_count; i++) {
        struct publish_load *p = &l->publish[i];
        read_publish(l, p);
        if (p->child.is_over && p->live > 0)
            leg_break(l, "publishers ended by themselves; their log is in", l->options->log_dir);
        if (child_is_over(&p->child) && leg_at_s(l) < l->load_s && p->child.status)
            leg_break(l, "publishers could not go on; their log is in", l->options->log_dir);
    }
}

/* -- sums -- */

double soak_live(const struct leg *l)
{
    double live = 0;
    for (size_t i = 0; i < l->scenario->publisher_count; i++) live += l->publish[i].live;
    return live;
}

double soak_watch_sum(const struct leg *l, const char *key)
{
    double sum = 0;
    for (size_t i = 0; i < l->scenario->viewer_count; i++) sum += number_of(l->watch[i].newest, key, 0);
    return sum;
}

double soak_watch_most(const struct leg *l, const char *object, const char *key)
{
    double most = NAN;
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        const json_t *line = l->watch[i].newest;
        most = fmax(most, number_of(object ? json_object_get(line, object) : line, key, NAN));
    }
    return most;
}

static bool is_allowed(const char *allow, const char *name)
{
    const size_t bytes = strlen(name);
    for (const char *at = allow; *at;) {
        const size_t item = strcspn(at, ", ");
        if (item == bytes && !strncmp(at, name, bytes)) return true;
        at += item;
        at += strspn(at, ", ");
    }
    return false;
}

double soak_watch_faults(const struct leg *l)
{
    double sum = 0;
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        const char *name;
        json_t *count, *faults = json_object_get(l->watch[i].newest, "faults");
        json_object_foreach(faults, name, count)
        {
            if (!is_allowed(l->watch[i].plan->allow, name)) sum += json_number_value(count);
        }
    }
    return sum;
}

void soak_tell_faults(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        char text[200];
        size_t at = 0;
        const char *name;
        json_t *count, *faults = json_object_get(l->watch[i].newest, "faults");
        json_object_foreach(faults, name, count)
        {
            if (at < sizeof text - 48)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %.0f%s", at ? ", " : "", name,
                                       json_number_value(count),
                                       is_allowed(l->watch[i].plan->allow, name) ? " (allowed)" : "");
        }
        if (at) soak_tell_event(l, "faults", text);
    }
}

/* -- the end -- */

void soak_viewers_stop(struct leg *l)
{
    const int64_t until_us = clock_now_us() + STOP_US_MAX;
    bool are_over = false;
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        if (l->watch[i].has_begun) child_signal(&l->watch[i].child, SIGTERM);
    }
    while (!are_over && clock_now_us() < until_us && !l->record->broken[0]) {
        leg_turn(l, 50000);
        are_over = true;
        for (size_t i = 0; i < l->scenario->viewer_count; i++)
            are_over &= !l->watch[i].has_begun || child_is_over(&l->watch[i].child);
    }
    for (size_t i = 0; i < l->scenario->viewer_count; i++) read_watch(l, &l->watch[i]);
}

void soak_publishers_stop(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->publisher_count; i++) child_signal(&l->publish[i].child, SIGTERM);
    for (size_t i = 0; i < l->scenario->publisher_count; i++) {
        child_wait(&l->publish[i].child, STOP_US_MAX);
        read_publish(l, &l->publish[i]);
        l->publish[i].live = 0;
    }
}

void soak_loads_deinit(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        child_deinit(&l->watch[i].child);
        json_decref(l->watch[i].newest);
    }
    for (size_t i = 0; i < l->scenario->publisher_count; i++) child_deinit(&l->publish[i].child);
    for (size_t i = 0; i < SCENARIO_EVENTS_MAX; i++) child_deinit(&l->runs[i]);
}
