/* The server of a soak: its files, its start and end, and what it says of itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/metrics_text.h>

#include "soak_internal.h"

#define START_US_MAX 30000000
#define PROBE_TIMEOUT_US 5000000
#define END_US_MAX 20000000

/* -- variables -- */

static bool has_variable(const struct leg *l, const char *name)
{
    for (size_t i = 0; i < l->variable_count; i++) {
        if (!strcmp(l->variables[i].name, name)) return true;
    }
    return false;
}

void soak_set_variable(struct leg *l, const char *name, const char *value)
{
    if (has_variable(l, name) || l->variable_count == SOAK_VARIABLES_MAX) return;
    struct scenario_variable *v = &l->variables[l->variable_count++];
    v->name = name;
    snprintf(v->value, sizeof v->value, "%s", value);
}

/* A port that nobody has now. */
static unsigned free_port(int type)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof a;
    const int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    unsigned port = 0;
    if (s < 0) return 0;
    if (!bind(s, (struct sockaddr *)&a, bytes) && !getsockname(s, (struct sockaddr *)&a, &bytes))
        port = ntohs(a.sin_port);
    close(s);
    return port;
}

static void set_ports(struct leg *l)
{
    static const struct {
        const char *name;
        int type;
    } ports[] = { { "rtmp", SOCK_STREAM },
                  { "rtmps", SOCK_STREAM },
                  { "http", SOCK_STREAM },
                  { "https", SOCK_STREAM },
                  { "srt", SOCK_DGRAM } };
    char text[16];
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        snprintf(text, sizeof text, "%u", free_port(ports[i].type));
        soak_set_variable(l, ports[i].name, text);
    }
}

static bool write_config(struct leg *l)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config", l->dir);
    soak_set_variable(l, "config", path);
    char *text = leg_expand(l, l->server->config);
    if (!text) return false;
    FILE *file = fopen(path, "we");
    const bool is_written = file && fputs(text, file) >= 0;
    if ((file && fclose(file)) || !is_written) leg_break(l, "the configuration cannot be written:", strerror(errno));
    free(text);
    return is_written;
}

/* A server that runs already is not ours to start anew. */
static void check_attached(struct leg *l)
{
    char pid[16];
    struct process_figures figures;
    snprintf(pid, sizeof pid, "%d", l->options->attach_pid);
    if (l->scenario->server_count > 1) leg_break(l, "--pid is for a scenario of one server, and this has more:", pid);
    for (size_t i = 0; i < l->scenario->event_count; i++) {
        const enum scenario_act act = l->scenario->events[i].act;
        if (act == SCENARIO_KILL_SERVER || act == SCENARIO_STOP_SERVER)
            leg_break(
                l, "an event of the scenario ends the server, which is not done to one that was given by --pid:", pid);
    }
    if (!process_look(l->options->attach_pid, &figures))
        leg_break(l, "no such process, or it may not be looked at: --pid", pid);
}

bool soak_server_prepare(struct leg *l)
{
    const struct soak_options *o = l->options;
    for (size_t i = 0; i < o->variable_count; i++) soak_set_variable(l, o->variables[i].name, o->variables[i].value);
    snprintf(l->dir, sizeof l->dir, "/tmp/weir-soak-XXXXXX");
    if (!mkdtemp(l->dir)) {
        leg_break(l, "no folder in /tmp:", strerror(errno));
        return false;
    }
    snprintf(l->log_path, sizeof l->log_path, "%.400s/%.60s.log", o->log_dir, l->server->name);
    soak_set_variable(l, "dir", l->dir);
    soak_set_variable(l, "loadgen", o->program);
    soak_set_variable(l, "weir", "weir");
    soak_set_variable(l, "play", l->server->play);
    set_ports(l);
    if (!soak_relays_open(l)) return false;
    if (l->server->config && !write_config(l)) return false;
    if (l->server->command && !o->attach_pid && !(l->command = leg_expand(l, l->server->command))) return false;
    if (l->server->ready && !(l->ready_url = leg_expand(l, l->server->ready))) return false;
    if (l->server->metrics && !(l->metrics_url = leg_expand(l, l->server->metrics))) return false;
    if (!l->command && !o->attach_pid)
        leg_break(l, "the scenario has no command for the server, and --pid was not given", "");
    if (o->attach_pid) check_attached(l);
    return !l->record->broken[0];
}

/* -- start and end -- */

static void become(struct leg *l, enum server_state state)
{
    l->state = state;
    l->state_since_us = clock_now_us();
}

bool soak_server_start(struct leg *l)
{
    char *line = NULL;
    become(l, SERVER_STARTING);
    l->is_ready = false;
    if (l->options->attach_pid) {
        l->pid = l->options->attach_pid;
        return true;
    }
    if (asprintf(&line, "exec %s", l->command) < 0) return false;
    const char *argv[] = { "/bin/sh", "-c", line, NULL };
    const bool is_started = child_start(&l->process, argv, false, l->log_path);
    free(line);
    if (!is_started) leg_break(l, "the server cannot be started:", strerror(errno));
    l->pid = l->process.pid;
    return is_started;
}

static void say_how_it_ended(struct leg *l)
{
    char text[160];
    const int status = l->process.status;
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "by signal %d; its log is %.100s", WTERMSIG(status), l->log_path);
    else
        snprintf(text, sizeof text, "with status %d; its log is %.100s", WEXITSTATUS(status), l->log_path);
    leg_break(l, "the server ended by itself,", text);
}

void soak_server_look(struct leg *l)
{
    if (!l->options->attach_pid && l->state != SERVER_DOWN && child_is_over(&l->process)) {
        say_how_it_ended(l);
        return;
    }
    if (l->state != SERVER_STARTING) return;
    if (l->is_ready || !l->ready_url) {
        become(l, SERVER_UP);
        soak_tell_event(l, "server", "ready");
        return;
    }
    if (clock_now_us() - l->state_since_us > START_US_MAX)
        leg_break(l, "the server was not ready in 30 s; its log is", l->log_path);
    soak_server_probe(l);
}

void soak_server_end(struct leg *l, int signal_number)
{
    if (l->options->attach_pid) return;
    child_signal(&l->process, signal_number);
    child_wait(&l->process, END_US_MAX);
    const int status = l->process.status;
    const bool is_clean = WIFSIGNALED(status) ? WTERMSIG(status) == signal_number : !WEXITSTATUS(status);
    if (!is_clean) {
        char text[64];
        snprintf(text, sizeof text, "%s %d", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        leg_break(l, "the server did not end cleanly when told to:", text);
    }
    child_deinit(&l->process);
    become(l, SERVER_DOWN);
    l->has_figures = false;
}

void soak_server_deinit(struct leg *l)
{
    child_deinit(&l->process);
    http_client_destroy(l->http);
    http_loop_destroy(l->http_loop);
    free(l->command);
    free(l->ready_url);
    free(l->metrics_url);
}

/* -- what it says -- */

static void on_metrics(struct leg *l, const char *text, size_t bytes)
{
    l->has_metrics = true;
    l->objects = metrics_sum_of_all(text, bytes, l->server->live);
    l->streams = metrics_sum_of_all(text, bytes, "weir_streams");
    l->window_mb = metrics_sum_of_all(text, bytes, "weir_stream_window_bytes") / 1e6;
    for (size_t i = 0; l->wants_counters && i < l->scenario->expectation_count; i++)
        l->record->totals.sums[i] = metrics_sum_of_all(text, bytes, l->scenario->expectations[i].sum);
    l->wants_counters = false;
}

static void on_probe(void *owner, const struct http_result *r)
{
    struct leg *l = owner;
    l->is_probing = false;
    if (r->status != 200) return;
    if (l->state == SERVER_STARTING)
        l->is_ready = true;
    else if (r->body)
        on_metrics(l, (const char *)r->body, r->bytes);
}

void soak_server_probe(struct leg *l)
{
    const char *url = l->state == SERVER_STARTING ? l->ready_url : l->metrics_url;
    if (l->is_probing || l->state == SERVER_DOWN || !url) return;
    if (!l->http) {
        const struct http_client_config config = { .is_any_certificate = true };
        l->http_loop = http_loop_create();
        l->http = l->http_loop ? http_client_create(l->http_loop, &config, on_probe, l) : NULL;
    }
    const struct http_ask ask = { .url = url, .timeout_us = PROBE_TIMEOUT_US, .bytes_max = SOAK_PROBE_BYTES_MAX };
    l->is_probing = l->http && http_client_ask(l->http, &ask) == WEIR_OK;
}
