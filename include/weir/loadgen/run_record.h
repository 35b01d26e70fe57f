/* What was seen of one server under one load: series over time, what happened when, and what the scenario's thresholds say to it. Pure; owner
 * and thread: the caller's. */
#ifndef WEIR_LOADGEN_RUN_RECORD_H
#define WEIR_LOADGEN_RUN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/loadgen/scenario.h>
#include <weir/loadgen/trend.h>

/* X(identifier, name in JSON, unit) */
#define RUN_SERIES(X)                                                                                                  \
    X(PSS, "pss", "MB")                                                                                                \
    X(HEAP, "heap", "MB")                                                                                              \
    X(CPU, "cpu", "cores")                                                                                             \
    X(DESCRIPTORS, "descriptors", "")                                                                                  \
    X(THREADS, "threads", "")                                                                                          \
    X(STREAMS, "streams", "")                                                                                          \
    X(WINDOW, "window", "MB")                                                                                          \
    X(OBJECTS, "objects", "")                                                                                          \
    X(PUBLISHERS, "publishers", "")                                                                                    \
    X(PLAYING, "playing", "")                                                                                          \
    X(STALLED, "stalled", "")                                                                                          \
    X(STALLS, "stalls", "")                                                                                            \
    X(FAULTS, "faults", "")                                                                                            \
    X(LATENCY_50, "latency_p50", "s")                                                                                  \
    X(LATENCY_95, "latency_p95", "s")                                                                                  \
    X(LATENCY_MAX, "latency_max", "s")                                                                                 \
    X(ARRIVAL_50, "arrival_p50", "ms")                                                                                 \
    X(ARRIVAL_99, "arrival_p99", "ms")                                                                                 \
    X(RATE, "rate", "Mbit/s")                                                                                          \
    X(LOADGEN_CPU, "loadgen_cpu", "cores")

#define RUN_SERIES_MEMBER(identifier, name, unit) RUN_##identifier,
enum run_series_id { RUN_SERIES(RUN_SERIES_MEMBER) RUN_SERIES_COUNT };
#undef RUN_SERIES_MEMBER

struct run_series {
    struct trend_point *points; /* at_s: since the load began; before it: below 0 */
    size_t count, capacity;
};

struct run_event {
    double at_s;
    char kind[24], text[200]; /* kind: "kill-server", "fault", ... */
};

/* As it was with nothing to do, before the load and behind it. */
struct run_rest {
    bool is_known;
    double pss_mb, descriptors, threads, objects;
};

/* Sums and worst of all viewers and publishers, as they said at their end. */
struct run_totals {
    double stalls, longest_stall_s, stalled_s, played_s, slowest_start_s, faults, losses, dropped_frames;
    double latency_p95_s, arrival_p99_ms; /* NAN: not known */
    double recovery_s;                    /* NAN: nothing was restarted */
    double viewers_without_picture;
    double srt_packets;                     /* that publishers sent */
    double sums[SCENARIO_EXPECTATIONS_MAX]; /* of the metrics that the scenario expects something of; NAN: not known */
};

struct run_verdict {
    const char *name, *says;
    double least, most; /* NAN: no bound there */
    double got;         /* NAN: not known, which is not good */
    bool is_good;
};

#define RUN_EVENTS_MAX 1000 /* the rest is counted */
#define RUN_VERDICTS_MAX 32

struct run_record {
    char server[64];
    char broken[256]; /* why the run itself failed; "" */
    double seconds;   /* of the load */
    struct run_series series[RUN_SERIES_COUNT];
    struct run_event *events;
    size_t event_count, events_left_out;
    struct run_rest before, after;
    struct run_totals totals;
    struct trend memory; /* MB a second of the clock, behind the warm-up */
    double speed;        /* of the publishers: seconds of media in one of the clock */
    struct run_verdict verdicts[RUN_VERDICTS_MAX];
    size_t verdict_count;
    bool is_good;
};

const char *run_series_name(enum run_series_id id);
const char *run_series_unit(enum run_series_id id);

void run_record_init(struct run_record *r, const char *server);
void run_record_deinit(struct run_record *r);
void run_record_add(struct run_record *r, enum run_series_id id, double at_s,
                    double value); /* without memory: left out */
void run_record_event(struct run_record *r, double at_s, const char *kind, const char *text);
/* Fills memory, verdicts and is_good. */
void run_record_judge(struct run_record *r, const struct scenario *s);
double run_series_last(const struct run_record *r, enum run_series_id id); /* NAN: none */
double run_series_most(const struct run_record *r, enum run_series_id id);
double run_series_mean(const struct run_record *r, enum run_series_id id, double from_s);

#endif
