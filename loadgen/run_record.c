#include <weir/loadgen/run_record.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_TEXT(identifier, name, unit) { name, unit },
static const struct {
    const char *name, *unit;
} texts[] = { RUN_SERIES(SERIES_TEXT) };
#undef SERIES_TEXT

const char *run_series_name(enum run_series_id id)
{
    return texts[id].name;
}

const char *run_series_unit(enum run_series_id id)
{
    return texts[id].unit;
}

void run_record_init(struct run_record *r, const char *server)
{
    *r = (struct run_record){ .seconds = 0 };
    snprintf(r->server, sizeof r->server, "%s", server);
    r->totals.latency_p95_s = r->totals.arrival_p99_ms = r->totals.recovery_s = NAN;
    for (size_t i = 0; i < SCENARIO_EXPECTATIONS_MAX; i++) r->totals.sums[i] = NAN;
}

void run_record_deinit(struct run_record *r)
{
    for (int i = 0; i < RUN_SERIES_COUNT; i++) free(r->series[i].points);
    free(r->events);
    *r = (struct run_record){ .seconds = 0 };
}

void run_record_add(struct run_record *r, enum run_series_id id, double at_s, double value)
{
    struct run_series *s = &r->series[id];
    if (!isfinite(value)) return;
    if (s->count == s->capacity) {
        const size_t capacity = s->capacity ? 2 * s->capacity : 256;
        struct trend_point *grown = realloc(s->points, capacity * sizeof *grown);
        if (!grown) return;
        s->points = grown;
        s->capacity = capacity;
    }
    s->points[s->count++] = (struct trend_point){ at_s, value };
}

void run_record_event(struct run_record *r, double at_s, const char *kind, const char *text)
{
    if (!r->events) r->events = calloc(RUN_EVENTS_MAX, sizeof *r->events);
    if (!r->events || r->event_count == RUN_EVENTS_MAX) {
        r->events_left_out++;
        return;
    }
    struct run_event *e = &r->events[r->event_count++];
    e->at_s = at_s;
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    snprintf(e->text, sizeof e->text, "%s", text);
}

double run_series_last(const struct run_record *r, enum run_series_id id)
{
    const struct run_series *s = &r->series[id];
    return s->count ? s->points[s->count - 1].value : NAN;
}

double run_series_most(const struct run_record *r, enum run_series_id id)
{
    const struct run_series *s = &r->series[id];
    double most = NAN;
    for (size_t i = 0; i < s->count; i++) most = fmax(most, s->points[i].value);
    return most;
}

double run_series_mean(const struct run_record *r, enum run_series_id id, double from_s)
{
    const struct run_series *s = &r->series[id];
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->points[i].at_s < from_s || s->points[i].at_s > r->seconds) continue;
        sum += s->points[i].value;
        count++;
    }
    return count ? sum / (double)count : NAN;
}

/* -- judging -- */

static void fit_memory(struct run_record *r, double from_s)
{
    const struct run_series *s = &r->series[RUN_PSS];
    size_t first = 0, end = s->count;
    while (first < end && s->points[first].at_s < from_s) first++;
    while (end > first && s->points[end - 1].at_s > r->seconds) end--;
    r->memory = trend_of(s->points + first, end - first);
}

static double left(double before, double after, bool is_known)
{
    return is_known ? fmax(0, after - before) : NAN;
}

/* What a threshold is compared with. */
static double measured(const struct run_record *r, const struct scenario *s, const char *name)
{
    const struct run_totals *t = &r->totals;
    const bool has_rest = r->before.is_known && r->after.is_known;
    const double watched_s = t->played_s + t->stalled_s;
    const struct {
        const char *name;
        double value;
    } values[] = {
        { "memory_growth_mb_per_hour", r->memory.is_known ? r->memory.high * 3600 / r->speed : NAN },
        { "memory_growth_mb", r->memory.is_known ? r->memory.low * (r->seconds - s->warm_up) : NAN },
        { "memory_peak_mb", run_series_most(r, RUN_PSS) },
        { "memory_left_mb", left(r->before.pss_mb, r->after.pss_mb, has_rest) },
        { "memory_left_percent", left(r->before.pss_mb, r->after.pss_mb, has_rest) * 100 / r->before.pss_mb },
        { "descriptors_left", left(r->before.descriptors, r->after.descriptors, has_rest) },
        { "threads_left", left(r->before.threads, r->after.threads, has_rest) },
        { "objects_left", has_rest ? r->after.objects : NAN },
        { "cpu_cores", run_series_mean(r, RUN_CPU, s->warm_up) },
        { "stalls", t->stalls },
        { "longest_stall_s", t->longest_stall_s },
        { "stalled_percent", watched_s > 0 ? t->stalled_s * 100 / watched_s : NAN },
        { "start_s", t->viewers_without_picture > 0 ? NAN : t->slowest_start_s },
        { "latency_p95_s", t->latency_p95_s },
        { "arrival_p99_ms", t->arrival_p99_ms },
        { "faults", t->faults },
        { "losses", t->losses },
        { "dropped_frames", t->dropped_frames },
        { "recovery_s", t->recovery_s },
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (!strcmp(values[i].name, name)) return values[i].value;
    }
    return NAN;
}

/* Left in MB or in percent: one of both suffices. */
static void forgive(struct run_record *r)
{
    struct run_verdict *mb = NULL, *percent = NULL;
    for (size_t i = 0; i < r->verdict_count; i++) {
        if (!strcmp(r->verdicts[i].name, "memory_left_mb")) mb = &r->verdicts[i];
        if (!strcmp(r->verdicts[i].name, "memory_left_percent")) percent = &r->verdicts[i];
    }
    if (mb && percent) mb->is_good = percent->is_good = mb->is_good || percent->is_good;
}

static void judge_expectations(struct run_record *r, const struct scenario *s)
{
    for (size_t i = 0; i < s->expectation_count && r->verdict_count < RUN_VERDICTS_MAX; i++) {
        const struct scenario_expectation *e = &s->expectations[i];
        const double got = e->of ? r->totals.sums[i] / r->totals.srt_packets : r->totals.sums[i];
        const bool is_good = !isnan(got) && (isnan(e->least) || got >= e->least) && (isnan(e->most) || got <= e->most);
        r->verdicts[r->verdict_count++] = (struct run_verdict){
            .name = e->name, .says = e->says, .least = e->least, .most = e->most, .got = got, .is_good = is_good
        };
    }
}

void run_record_judge(struct run_record *r, const struct scenario *s)
{
    const char *name;
    fit_memory(r, s->warm_up);
    r->speed = 1;
    for (size_t i = 0; i < s->publisher_count; i++) r->speed = fmax(r->speed, s->publishers[i].speed);
    r->verdict_count = 0;
    for (size_t i = 0; (name = scenario_threshold_name(i)) && r->verdict_count < RUN_VERDICTS_MAX; i++) {
        const double wanted = scenario_threshold(s, i);
        if (isnan(wanted)) continue;
        const double got = measured(r, s, name);
        r->verdicts[r->verdict_count++] = (struct run_verdict){ .name = name,
                                                                .says = scenario_threshold_says(i),
                                                                .least = NAN,
                                                                .most = wanted,
                                                                .got = got,
                                                                .is_good = got <= wanted };
    }
    judge_expectations(r, s);
    forgive(r);
    r->is_good = !r->broken[0];
    for (size_t i = 0; i < r->verdict_count; i++) r->is_good &= r->verdicts[i].is_good;
}
