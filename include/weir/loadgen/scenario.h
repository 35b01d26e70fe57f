/* What weir-loadgen soak is to do: a YAML file, each key checked, each error with its line. Docs: docs/testing.md. Pure; thread: the caller's.
 *
 * Texts may hold {name}: {rtmp}, {http}, {https}, {rtmps} and {srt} are ports that the kernel chose, {dir} a folder of the run, {config} the file that
 * `config` was written to, {play} the server's path of a playlist, {loadgen} this program, the name of a relay its port; others come from --set. */
#ifndef WEIR_LOADGEN_SCENARIO_H
#define WEIR_LOADGEN_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/err.h>
#include <weir/base/limits.h>

/* Numbers of thresholds: NAN where the file says nothing, and nothing is judged. */
#define SCENARIO_THRESHOLDS(X)                                                                                         \
    X(memory_growth_mb_per_hour,                                                                                       \
      "upper 95 % bound of the slope of the server's PSS behind the warm-up, MB an hour of media")                     \
    X(memory_growth_mb, "lower 95 % bound of that slope times the time measured, MB: for short runs")                  \
    X(memory_peak_mb, "the server's PSS at its highest, MB")                                                           \
    X(memory_left_mb, "PSS behind the end above that before the beginning, MB")                                        \
    X(memory_left_percent, "the same, in percent; one of both suffices")                                               \
    X(descriptors_left, "descriptors behind the end above those before the beginning")                                 \
    X(threads_left, "threads behind the end above those before the beginning")                                         \
    X(objects_left, "sum of the gauges `live` behind the end")                                                         \
    X(cpu_cores, "the server's CPU behind the warm-up, cores")                                                         \
    X(stalls, "stalls of all viewers")                                                                                 \
    X(longest_stall_s, "the longest stall, seconds")                                                                   \
    X(stalled_percent, "time stalled of the time watched, percent")                                                    \
    X(start_s, "the slowest viewer's first picture, seconds")                                                          \
    X(latency_p95_s, "95 of 100 pictures were not older, seconds")                                                     \
    X(arrival_p99_ms, "99 of 100 pieces came within, milliseconds")                                                    \
    X(faults, "faults of all viewers that `allow` does not name")                                                      \
    X(losses, "connections of publishers that the server ended")                                                       \
    X(dropped_frames, "pictures that publishers left out, for the server did not read")                                \
    X(recovery_s, "from the last publisher's return behind a restart until all viewers play, seconds")

#define SCENARIO_THRESHOLD_MEMBER(name, says) double name;
struct scenario_thresholds {
    SCENARIO_THRESHOLDS(SCENARIO_THRESHOLD_MEMBER)
};
#undef SCENARIO_THRESHOLD_MEMBER

struct scenario_server {
    const char *name, *command;  /* command NULL: attach, by --pid */
    const char *config;          /* NULL: none */
    const char *ready, *metrics; /* URLs; metrics NULL: it has none */
    const char *play;            /* path of a playlist, with %d */
    const char *live;            /* names of gauges that are 0 when nothing lives, with commas between; "" */
};

struct scenario_publishers {
    const char *url, *name, *source, *file, *key;
    double streams, first, ramp, speed, start_ms, threads, latency; /* latency: of SRT, ms */
};

struct scenario_viewers {
    const char *url, *allow;
    double viewers, streams, ramp, switch_every, speed, wait, at;
    bool is_plain, wants_http2, is_insecure;
};

/* A bad network in front of a port: {name} is its own (relay.h). */
struct scenario_relay {
    const char *name, *to; /* to: a port, "{srt}" */
    const char *line;      /* "delay=50 loss=20 burst=8"; "": a perfect one */
    double seed;
    bool is_udp;
};

enum scenario_act {
    SCENARIO_KILL_SERVER = 1,
    SCENARIO_STOP_SERVER,
    SCENARIO_RUN,
    SCENARIO_STOP_PUBLISHERS,
    SCENARIO_NETWORK
};

struct scenario_event {
    double at, every; /* seconds; every 0: once */
    enum scenario_act act;
    const char *run;   /* a command, for SCENARIO_RUN */
    const char *relay; /* for SCENARIO_NETWORK: which; NULL: all */
    const char *line;  /* what it does from now on; NULL: as before */
    double stop;       /* for so many seconds nothing passes */
};

/* What the server's own counters and gauges must have come to when the publishers have ended. */
struct scenario_expectation {
    const char *name, *says;
    const char *sum; /* names in /metrics with commas between, over all labels */
    const char
        *of; /* NULL: the sum itself is judged; "srt_packets": its share of the packets that publishers sent over SRT */
    double least, most; /* NAN: no bound there */
};

#define SCENARIO_SERVERS_MAX 4
#define SCENARIO_LOADS_MAX 8
#define SCENARIO_EVENTS_MAX 32
#define SCENARIO_RELAYS_MAX 4
#define SCENARIO_EXPECTATIONS_MAX 12

struct scenario {
    const char *name, *about;
    double seconds, warm_up, settle, interval;
    double
        rehearse; /* seconds of load before the rest that the end is compared with: what a first load leaves is no leak. 0: none */
    struct scenario_server servers[SCENARIO_SERVERS_MAX]; /* one after another, with the same load */
    size_t server_count;
    struct scenario_publishers publishers[SCENARIO_LOADS_MAX];
    size_t publisher_count;
    struct scenario_viewers viewers[SCENARIO_LOADS_MAX];
    size_t viewer_count;
    struct scenario_event events[SCENARIO_EVENTS_MAX];
    size_t event_count;
    struct scenario_relay relays[SCENARIO_RELAYS_MAX];
    size_t relay_count;
    struct scenario_expectation expectations[SCENARIO_EXPECTATIONS_MAX];
    size_t expectation_count;
    struct scenario_thresholds thresholds;
    void *texts; /* what owns them */
};

/* error: "smoke.yaml:12: ...", what was wrong and what was expected. WEIR_CONFIG, WEIR_NOMEM. End it with scenario_deinit(). */
WEIR_MUST_CHECK enum weir_err scenario_read(const char *file_name, const char *text, size_t bytes, struct scenario *out,
                                            char *error, size_t error_bytes);
void scenario_deinit(struct scenario *s);

const char *scenario_threshold_name(size_t index); /* NULL: there is no more */
const char *scenario_threshold_says(size_t index);
double scenario_threshold(const struct scenario *s, size_t index);
/* It is not judged any more. false: there is none of that name. */
bool scenario_skip_threshold(struct scenario *s, const char *name, size_t bytes);

struct scenario_variable {
    const char *name;
    char value[512];
};
/* text with each {name} replaced; free(). NULL: no memory. A name that is not there stays as it is, and *unknown says it (lent from
 * text; its end is the brace). */
char *scenario_expand(const char *text, const struct scenario_variable *variables, size_t count, const char **unknown);

#endif
