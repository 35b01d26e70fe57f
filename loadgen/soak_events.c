/* What a scenario breaks on purpose, and how long it takes until all is as it was. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak_internal.h"

#define CHAOS_TEXT_BYTES 200
#define RECOVERY_WATCH_S 15 /* longer than viewers' buffers are */

void soak_events_begin(struct leg *l)
{
    for (size_t i = 0; i < l->scenario->event_count; i++) l->event_due_s[i] = l->scenario->events[i].at;
}

static void restart_server(struct leg *l, int signal_number)
{
    l->recovery = (struct recovery){ .is_running = true,
                                     .wanted_live = soak_live(l),
                                     .wanted_playing = soak_watch_sum(l, "playing"),
                                     .publishers_at_s = NAN };
    soak_server_end(l, signal_number);
    soak_server_start(l);
}

static void run_command(struct leg *l, size_t index)
{
    char log[512], *line = NULL;
    struct child *c = &l->runs[index];
    char *command = leg_expand(l, l->scenario->events[index].run);
    snprintf(log, sizeof log, "%.400s/%.60s-run%zu.log", l->options->log_dir, l->server->name, index);
    if (command && asprintf(&line, "exec %s", command) > 0) {
        const char *argv[] = { "/bin/sh", "-c", line, NULL };
        child_deinit(c);
        if (!child_start(c, argv, true, log)) leg_break(l, "cannot be run:", command);
        free(line);
    }
    free(command);
}

static void act(struct leg *l, size_t index)
{
    const struct scenario_event *e = &l->scenario->events[index];
    switch (e->act) {
    case SCENARIO_KILL_SERVER:
        soak_tell_event(l, "kill-server", "kill -9, and started again");
        restart_server(l, SIGKILL);
        break;
    case SCENARIO_STOP_SERVER:
        soak_tell_event(l, "stop-server", "SIGTERM, and started again");
        restart_server(l, SIGTERM);
        break;
    case SCENARIO_STOP_PUBLISHERS:
        soak_tell_event(l, "stop-publishers", "all end");
        soak_publishers_stop(l);
        break;
    case SCENARIO_NETWORK: soak_relays_act(l, e); break;
    case SCENARIO_RUN:
        soak_tell_event(l, "run", e->run);
        run_command(l, index);
        break;
    }
}

/* What a command says in JSON lines with "event" and "text" goes onto the time axis. */
static void read_run(struct leg *l, size_t index)
{
    char text[CHAOS_TEXT_BYTES];
    struct child *c = &l->runs[index];
    for (const char *line; c->buffer || c->out > 0 ? (line = child_line(c)) != NULL : false;) {
        json_t *object = line[0] == '{' ? json_loads(line, 0, NULL) : NULL;
        const char *event = json_string_value(json_object_get(object, "event"));
        const char *stream = json_string_value(json_object_get(object, "stream"));
        const char *says = json_string_value(json_object_get(object, "text"));
        snprintf(text, sizeof text, "%.60s %.120s", stream ? stream : "", says ? says : "");
        if (event && strcmp(event, "progress") != 0) soak_tell_event(l, event, text);
        json_decref(object);
    }
    if (!c->pid || !child_is_over(c)) return;
    if (c->status) leg_break(l, "a command of the scenario failed:", l->scenario->events[index].run);
}

/* Viewers play from their buffers for a while: that they play when the publishers are back says nothing yet. */
static void tell_recovery(struct leg *l)
{
    struct recovery *r = &l->recovery;
    char text[96];
    /* nobody who played before: nothing is known */
    const double took_s = r->wanted_playing > 0 ? fmax(0, r->bad_at_s - r->publishers_at_s) : INFINITY;
    r->is_running = false;
    l->record->totals.recovery_s = fmax(l->record->totals.recovery_s, took_s);
    snprintf(text, sizeof text, "all viewers play since %.2f s behind the publishers' return", took_s);
    soak_tell_event(l, "recovered", text);
}

static void follow_recovery(struct leg *l)
{
    struct recovery *r = &l->recovery;
    if (!r->is_running || l->state != SERVER_UP) return;
    if (isnan(r->publishers_at_s)) {
        if (soak_live(l) < r->wanted_live) return;
        r->publishers_at_s = 0;
        for (size_t i = 0; i < l->scenario->publisher_count; i++)
            r->publishers_at_s = fmax(r->publishers_at_s, l->publish[i].live_at_s);
        r->bad_at_s = r->publishers_at_s;
        soak_tell_event(l, "publishers", "all are back");
    }
    if (soak_watch_sum(l, "playing") < r->wanted_playing) r->bad_at_s = leg_at_s(l);
    if (leg_at_s(l) > r->publishers_at_s + RECOVERY_WATCH_S) tell_recovery(l);
}

void soak_events_end(struct leg *l)
{
    struct recovery *r = &l->recovery;
    if (r->is_running && !isnan(r->publishers_at_s)) tell_recovery(l);
    if (!r->is_running) return;
    soak_tell_event(l, "not-recovered", "the run ended before all publishers were back");
    l->record->totals.recovery_s = INFINITY;
}

void soak_events_look(struct leg *l)
{
    const double at_s = leg_at_s(l);
    for (size_t i = 0; i < l->scenario->event_count; i++) {
        read_run(l, i);
        if (!(at_s >= l->event_due_s[i]) || (l->recovery.is_running && l->scenario->events[i].act != SCENARIO_RUN))
            continue;
        const double every = l->scenario->events[i].every;
        l->event_due_s[i] = every > 0 ? l->event_due_s[i] + every : NAN;
        act(l, i);
    }
    follow_recovery(l);
}
