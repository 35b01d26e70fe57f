/* What the files of soak share. */
#ifndef WEIR_LOADGEN_SOAK_INTERNAL_H
#define WEIR_LOADGEN_SOAK_INTERNAL_H

#include <jansson.h>
#include <weir/loadgen/http_client.h>
#include <weir/loadgen/process_watch.h>

#include "child.h"
#include "relay_thread.h"
#include "soak_leg.h"

#define SOAK_VARIABLES_MAX 32
#define SOAK_PROBE_BYTES_MAX (8 * 1024 * 1024)

enum server_state { SERVER_DOWN = 1, SERVER_STARTING, SERVER_UP };

/* What the newest line of a watching child said. */
struct watch_load {
    struct child child;
    const struct scenario_viewers *plan;
    bool has_begun, has_ended;
    json_t *newest; /* "sample" or "end"; NULL: none yet */
};

struct publish_load {
    struct child child;
    const struct scenario_publishers *plan;
    double live, losses, dropped, packets;
    double live_at_s; /* when one went live last */
};

/* From a restart until all is as it was. */
struct recovery {
    bool is_running;
    double wanted_live, wanted_playing;
    double publishers_at_s; /* when the last of them was back; NAN: not yet */
    double bad_at_s;        /* when a viewer stood last since then */
};

struct leg {
    const struct soak_options *options;
    const struct scenario *scenario;
    const struct scenario_server *server;
    struct run_record *record;
    struct scenario_variable variables[SOAK_VARIABLES_MAX];
    size_t variable_count;
    char dir[64], log_path[512];
    /* the server */
    struct child process;
    pid_t pid;
    enum server_state state;
    char *command, *ready_url, *metrics_url;
    int64_t state_since_us;
    /* looking */
    struct http_loop *http_loop;
    struct http_client *http;
    bool is_probing, is_ready, has_metrics;
    double objects, streams, window_mb; /* of the metrics; NAN: not known */
    bool wants_counters;                /* of the next answer */
    struct process_figures figures;
    int64_t cpu_before_us, load_cpu_before_us, looked_us;
    bool has_figures;
    /* the load */
    struct watch_load watch[SCENARIO_LOADS_MAX];
    struct publish_load publish[SCENARIO_LOADS_MAX];
    struct child runs[SCENARIO_EVENTS_MAX];  /* of "do: run" */
    double event_due_s[SCENARIO_EVENTS_MAX]; /* NAN: over */
    struct recovery recovery;
    struct relay_thread *relays;
    struct relay *relay[SCENARIO_RELAYS_MAX]; /* under its lock */
    int64_t begin_us;                         /* of the load; 0: not begun */
    double load_s;                            /* how long it is to be */
    bool is_rehearsal;
    bool is_drawn;
    int64_t line_us;
};

/* Seconds since the load began; below 0 before it. */
double leg_at_s(const struct leg *l);
void leg_break(struct leg *l, const char *what, const char *value);
/* free(). NULL: broken. */
char *leg_expand(struct leg *l, const char *text);
/* Turns the HTTP loop and looks at all children, for at most wait_us. */
void leg_turn(struct leg *l, int64_t wait_us);

/* -- soak_server.c -- */
bool soak_server_prepare(struct leg *l);
bool soak_server_start(struct leg *l);
/* Starts it again where it is down, sees whether it is ready; a server that ended by itself breaks the leg. */
void soak_server_look(struct leg *l);
void soak_server_end(struct leg *l, int signal_number);
void soak_server_deinit(struct leg *l);
/* Asks for metrics, or whether it is ready; the answer comes with a turn. */
void soak_server_probe(struct leg *l);
/* {name}; one that is there stays as it is. name is lent. */
void soak_set_variable(struct leg *l, const char *name, const char *value);

/* -- soak_loads.c -- */
bool soak_publishers_start(struct leg *l);
bool soak_viewers_start(struct leg *l, struct watch_load *w);
void soak_loads_look(struct leg *l);
void soak_viewers_stop(struct leg *l);
void soak_publishers_stop(struct leg *l);
void soak_loads_deinit(struct leg *l);
double soak_live(const struct leg *l);
double soak_watch_sum(const struct leg *l, const char *key);                      /* over the newest lines */
double soak_watch_most(const struct leg *l, const char *object, const char *key); /* NAN: not known */
void soak_tell_faults(struct leg *l);          /* which, and how many of each; allowed ones, too */
double soak_watch_faults(const struct leg *l); /* that are not allowed */

/* -- soak_relays.c -- */
bool soak_relays_open(struct leg *l); /* and their ports become variables */
void soak_relays_act(struct leg *l, const struct scenario_event *e);
void soak_relays_close(struct leg *l);

/* -- soak_events.c -- */
void soak_events_begin(struct leg *l);
void soak_events_look(struct leg *l);
void soak_events_end(struct leg *l); /* the load ends */

/* -- soak_output.c -- */
void soak_tell(struct leg *l);
void soak_tell_event(struct leg *l, const char *kind, const char *text); /* and records it */
void soak_write_record_json(const struct run_record *r, FILE *out);
void soak_write_record_text(const struct run_record *r, FILE *out);

#endif
