/* One server under load: start, rest, load, rest, end. */
#include "soak_leg.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>

#include "soak_internal.h"

#define TURN_US 50000
#define PUBLISH_US_MAX 60000000
#define COUNTERS_US_MAX 10000000
#define REST_US 2000000 /* nothing to do for so long, before the load */

double leg_at_s(const struct leg *l)
{
    return l->begin_us ? (double)(clock_now_us() - l->begin_us) / 1e6 : -1;
}

void leg_break(struct leg *l, const char *what, const char *value)
{
    char *broken = l->record->broken;
    if (!broken[0]) snprintf(broken, sizeof l->record->broken, "%s %s", what, value);
}

char *leg_expand(struct leg *l, const char *text)
{
    const char *unknown;
    char name[64];
    char *expanded = scenario_expand(text, l->variables, l->variable_count, &unknown);
    if (!expanded) leg_break(l, "out of memory", "");
    if (!unknown) return expanded;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(unknown, "}"), unknown);
    leg_break(l, "no value for {name}; --set name=VALUE gives one:", name);
    free(expanded);
    return NULL;
}

void leg_turn(struct leg *l, int64_t wait_us)
{
    const struct timespec pause = { .tv_nsec = wait_us * 1000 };
    if (!l->http_loop)
        nanosleep(&pause, NULL);
    else if (http_loop_turn(l->http_loop, wait_us))
        leg_break(l, "the HTTP client is broken", "");
    soak_server_look(l);
    soak_loads_look(l);
}

static bool goes_on(const struct leg *l)
{
    return !l->record->broken[0] && !*l->options->is_interrupted;
}

/* -- samples -- */

static int64_t children_cpu_us(const struct leg *l)
{
    struct process_figures f;
    int64_t sum_us = 0;
    for (size_t i = 0; i < l->scenario->viewer_count; i++) {
        if (l->watch[i].child.pid && process_look(l->watch[i].child.pid, &f)) sum_us += f.cpu_us;
    }
    for (size_t i = 0; i < l->scenario->publisher_count; i++) {
        if (l->publish[i].child.pid && process_look(l->publish[i].child.pid, &f)) sum_us += f.cpu_us;
    }
    return sum_us;
}

static void sample_server(struct leg *l, double at_s, int64_t passed_us)
{
    struct run_record *r = l->record;
    struct process_figures f;
    if (l->state != SERVER_UP) return;
    if (!process_look(l->pid, &f)) {
        /* how our own ended is told where it is waited for */
        if (l->options->attach_pid) leg_break(l, "the server that --pid gave has gone", "");
        return;
    }
    run_record_add(r, RUN_PSS, at_s, (double)f.pss_bytes / 1e6);
    run_record_add(r, RUN_HEAP, at_s, (double)f.private_bytes / 1e6);
    run_record_add(r, RUN_DESCRIPTORS, at_s, f.descriptors);
    run_record_add(r, RUN_THREADS, at_s, f.threads);
    if (l->has_figures && f.cpu_us >= l->cpu_before_us)
        run_record_add(r, RUN_CPU, at_s, (double)(f.cpu_us - l->cpu_before_us) / (double)passed_us);
    l->cpu_before_us = f.cpu_us;
    l->figures = f;
    l->has_figures = true;
    if (!l->has_metrics) return;
    run_record_add(r, RUN_OBJECTS, at_s, l->objects);
    run_record_add(r, RUN_STREAMS, at_s, l->streams);
    run_record_add(r, RUN_WINDOW, at_s, l->window_mb);
}

static void sample_load(struct leg *l, double at_s, int64_t passed_us)
{
    struct run_record *r = l->record;
    const int64_t cpu_us = children_cpu_us(l);
    if (cpu_us >= l->load_cpu_before_us)
        run_record_add(r, RUN_LOADGEN_CPU, at_s, (double)(cpu_us - l->load_cpu_before_us) / (double)passed_us);
    l->load_cpu_before_us = cpu_us;
    run_record_add(r, RUN_PUBLISHERS, at_s, soak_live(l));
    if (!l->scenario->viewer_count) return;
    run_record_add(r, RUN_PLAYING, at_s, soak_watch_sum(l, "playing"));
    run_record_add(r, RUN_STALLED, at_s, soak_watch_sum(l, "stalled"));
    run_record_add(r, RUN_STALLS, at_s, soak_watch_sum(l, "stalls"));
    run_record_add(r, RUN_FAULTS, at_s, soak_watch_faults(l));
    run_record_add(r, RUN_RATE, at_s, soak_watch_sum(l, "mbit_s"));
    run_record_add(r, RUN_LATENCY_50, at_s, soak_watch_most(l, "latency_ms", "p50") / 1e3);
    run_record_add(r, RUN_LATENCY_95, at_s, soak_watch_most(l, "latency_ms", "p95") / 1e3);
    run_record_add(r, RUN_LATENCY_MAX, at_s, soak_watch_most(l, "latency_ms", "max") / 1e3);
    run_record_add(r, RUN_ARRIVAL_50, at_s, soak_watch_most(l, "arrival_ms", "p50"));
    run_record_add(r, RUN_ARRIVAL_99, at_s, soak_watch_most(l, "arrival_ms", "p99"));
}

static void sample(struct leg *l, bool has_load)
{
    const int64_t now_us = clock_now_us(), passed_us = now_us - l->looked_us;
    l->looked_us = now_us;
    if (passed_us <= 0) return;
    sample_server(l, leg_at_s(l), passed_us);
    if (has_load) sample_load(l, leg_at_s(l), passed_us);
    soak_server_probe(l);
    soak_tell(l);
}

/* -- rest -- */

static bool look_at_rest(struct leg *l, struct run_rest *rest)
{
    struct process_figures f;
    if (l->state != SERVER_UP || !process_look(l->pid, &f)) return false;
    *rest = (struct run_rest){ .is_known = true,
                               .pss_mb = (double)f.pss_bytes / 1e6,
                               .descriptors = f.descriptors,
                               .threads = f.threads,
                               .objects = l->objects };
    return true;
}

static bool has_returned(const struct leg *l)
{
    const struct run_rest *a = &l->record->before, *b = &l->record->after;
    const double more_mb = b->pss_mb - a->pss_mb;
    return b->is_known && !(b->objects > 0) && b->descriptors <= a->descriptors && b->threads <= a->threads &&
           (more_mb <= 2 || more_mb <= a->pss_mb / 100);
}

static void wait_for_server(struct leg *l)
{
    while (goes_on(l) && l->state != SERVER_UP) leg_turn(l, TURN_US);
    const int64_t until_us = clock_now_us() + REST_US;
    soak_server_probe(l);
    while (goes_on(l) && clock_now_us() < until_us) leg_turn(l, TURN_US);
    if (goes_on(l)) look_at_rest(l, &l->record->before);
}

static void wait_for_rest(struct leg *l)
{
    const int64_t until_us = clock_now_us() + (int64_t)(l->scenario->settle * 1e6),
                  interval_us = (int64_t)(l->scenario->interval * 1e6);
    int64_t sample_us = clock_now_us();
    while (goes_on(l) && clock_now_us() < until_us && !has_returned(l)) {
        leg_turn(l, TURN_US);
        if (clock_now_us() < sample_us) continue;
        sample_us += interval_us;
        sample(l, false);
        look_at_rest(l, &l->record->after);
    }
}

/* -- load -- */

static void prepare_loads(struct leg *l)
{
    for (size_t i = 0; i < SCENARIO_EVENTS_MAX; i++) {
        l->runs[i] = (struct child){ .out = -1 };
        l->event_due_s[i] = NAN;
    }
    for (size_t i = 0; i < SCENARIO_LOADS_MAX; i++) {
        l->watch[i] = (struct watch_load){ .child.out = -1 };
        l->publish[i] = (struct publish_load){ .child.out = -1 };
    }
}

/* Sources are made first, which takes as long as the machine is slow: time begins when all publish, or should. */
static bool wait_for_publishers(struct leg *l)
{
    double streams = 0;
    const int64_t until_us = clock_now_us() + PUBLISH_US_MAX;
    for (size_t i = 0; i < l->scenario->publisher_count; i++) streams += l->scenario->publishers[i].streams;
    while (goes_on(l) && soak_live(l) < streams && clock_now_us() < until_us) leg_turn(l, TURN_US);
    return goes_on(l);
}

static void run_load(struct leg *l, double seconds)
{
    l->load_s = seconds;
    const int64_t interval_us = (int64_t)(l->scenario->interval * 1e6);
    l->begin_us = 0;
    if (!soak_publishers_start(l) || !wait_for_publishers(l)) return;
    l->begin_us = l->looked_us = clock_now_us();
    if (!l->is_rehearsal) soak_events_begin(l);
    for (int64_t sample_us = l->begin_us + interval_us; goes_on(l) && leg_at_s(l) < seconds;) {
        leg_turn(l, TURN_US);
        if (!l->is_rehearsal) soak_events_look(l);
        if (clock_now_us() < sample_us) continue;
        sample_us += interval_us;
        sample(l, true);
    }
    soak_events_end(l);
    l->record->seconds = leg_at_s(l);
}

/* The same load for a while, and gone again; of what was seen nothing is kept. */
static void rehearse(struct leg *l)
{
    char name[sizeof l->record->server];
    l->is_rehearsal = true;
    soak_tell_event(l, "rehearsal", "begins");
    run_load(l, l->scenario->rehearse);
    soak_viewers_stop(l);
    soak_publishers_stop(l);
    wait_for_rest(l);
    soak_loads_deinit(l);
    if (!goes_on(l)) return;
    snprintf(name, sizeof name, "%s", l->record->server);
    run_record_deinit(l->record);
    run_record_init(l->record, name);
    prepare_loads(l);
    l->is_rehearsal = false;
    l->begin_us = 0;
    look_at_rest(l, &l->record->before);
    soak_tell_event(l, "rehearsal", "is over");
}

static void sum_up(struct leg *l)
{
    struct run_totals *t = &l->record->totals;
    t->stalls = soak_watch_sum(l, "stalls");
    t->longest_stall_s = l->scenario->viewer_count ? soak_watch_most(l, NULL, "longest_stall_s") : 0;
    t->stalled_s = soak_watch_sum(l, "stalled_s");
    t->played_s = soak_watch_sum(l, "played_s");
    t->slowest_start_s = soak_watch_most(l, NULL, "slowest_start_s");
    t->viewers_without_picture = soak_watch_sum(l, "loading") + soak_watch_sum(l, "failed");
    t->latency_p95_s = soak_watch_most(l, "latency_ms", "p95") / 1e3;
    t->arrival_p99_ms = soak_watch_most(l, "arrival_ms", "p99");
    t->faults = soak_watch_faults(l);
    for (size_t i = 0; i < l->scenario->publisher_count; i++) {
        t->losses += l->publish[i].losses;
        t->dropped_frames += l->publish[i].dropped;
    }
    soak_tell_faults(l);
}

static void remove_dir(const struct leg *l)
{
    const char *argv[] = { "/bin/rm", "-rf", "--", l->dir, NULL };
    struct child c;
    if (!l->dir[0] || !child_start(&c, argv, false, "/dev/null")) return;
    child_wait(&c, 10000000);
    child_deinit(&c);
}

/* What the server has counted of publishers that have just ended: before it forgets their streams. */
static void look_at_counters(struct leg *l)
{
    const int64_t until_us = clock_now_us() + COUNTERS_US_MAX;
    for (size_t i = 0; i < l->scenario->publisher_count; i++) l->record->totals.srt_packets += l->publish[i].packets;
    /* an answer that is under way is older than their end */
    while (goes_on(l) && l->is_probing && clock_now_us() < until_us) leg_turn(l, TURN_US);
    l->wants_counters = true;
    soak_server_probe(l);
    while (goes_on(l) && l->wants_counters && clock_now_us() < until_us) leg_turn(l, TURN_US);
}

static void run_loads(struct leg *l)
{
    wait_for_server(l);
    if (goes_on(l) && l->scenario->rehearse > 0) rehearse(l);
    if (goes_on(l)) run_load(l, l->scenario->seconds);
    soak_viewers_stop(l);
    sum_up(l);
    soak_publishers_stop(l);
    if (l->scenario->expectation_count && goes_on(l)) look_at_counters(l);
    wait_for_rest(l);
}

void soak_leg_run(const struct soak_options *o, const struct scenario_server *server, struct run_record *record)
{
    struct leg *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(record->broken, sizeof record->broken, "out of memory");
        return;
    }
    *l = (struct leg){ .options = o,
                       .scenario = o->scenario,
                       .server = server,
                       .record = record,
                       .state = SERVER_DOWN,
                       .process.out = -1 };
    l->objects = l->streams = l->window_mb = NAN;
    prepare_loads(l);
    if (soak_server_prepare(l) && soak_server_start(l)) {
        run_loads(l);
        if (l->state != SERVER_DOWN) soak_server_end(l, SIGTERM);
    }
    soak_loads_deinit(l);
    soak_relays_close(l);
    soak_server_deinit(l);
    remove_dir(l);
    run_record_judge(record, o->scenario);
    free(l);
}
