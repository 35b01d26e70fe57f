#include "chaos_command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos_internal.h"
#include "check_command.h"
#include "options.h"

#define PLAN_BYTES_MAX (1 * MIB)

static const char usage[] =
    "usage: weir-loadgen chaos --url RTMP-URL --http HTTP-URL [--streams N] [--seconds N] [options]\n"
    "       weir-loadgen chaos --plan [--seed N] [--seconds N] [options]\n"
    "\n"
    "Publishes some streams, does harm to some of them, one thing at a time, and looks at all playlists meanwhile: "
    "those it was not aimed at\n"
    "must go on without a break, and the one it was must come back as promised. What happens is drawn from a seed and "
    "the same each time.\n"
    "\n"
    "  --url URL             rtmp://127.0.0.1:1935/live\n"
    "  --srt URL             srt://127.0.0.1:8890: every second victim publishes there\n"
    "  --http URL            http://127.0.0.1:8080\n"
    "  --play PATH           of a playlist (/%s/index.m3u8): %s is app/name\n"
    "  --streams N           in all (8)\n"
    "  --victims N           of them that harm is done to, at most 16 (4)\n"
    "  --name NAME           of the streams (chaos%d)\n"
    "  --key KEY             the stream key\n"
    "  --source TEXT         as of publish (test:360p30:600k)\n"
    "  --seed N              of all that is drawn (1)\n"
    "  --seconds N           events begin until then (120)\n"
    "  --events A,B          only these; --events list lists them (all but those of the server and the disk)\n"
    "  --flaps N             cycles of a flap event (100)\n"
    "  --warm-up S           before the first event (10)\n"
    "  --settle S            behind each, before it is judged (8)\n"
    "  --tolerance MS        added to what a stream may pause (2000)\n"
    "  --plan                print the schedule and end\n"
    "  --schedule FILE       a schedule as --plan prints it, instead of drawing one\n"
    "  --server-command CMD  starts the server; server-term and server-kill need it\n"
    "  --server-pid PID      of a running one: its descriptors, threads and memory are compared over flaps\n"
    "  --memory-slack KB     that the server may have more of afterwards; or 1 %, if that is more (2048)\n"
    "  --disk DIR            a folder of the small file system that the server writes to: disk-full fills it, and "
    "needs "
    "it\n"
    "  --json FILE           what happens, as JSON lines; -: standard output\n"
    "  --i-own-this-host     publish to a host that is not this one\n"
    "\n"
    "exit status: 0 all promises were kept, 1 one was broken, 2 usage, 3 no stream could be seen\n";

struct chaos_options {
    struct chaos_config chaos;
    const char *source, *events, *schedule, *json, *server_command;
    double streams, victims, seed, seconds, flaps, warm_up, settle, tolerance, server_pid, memory_slack;
    bool is_plan_only;
    struct chaos_plan_config plan;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    is_interrupted = 1;
}

static int list_events(void)
{
    for (enum chaos_kind k = CHAOS_NONE + 1; k < CHAOS_KIND_COUNT; k++)
        printf("%-16s %s\n", chaos_kind_name(k), chaos_kind_says(k));
    return LOADGEN_GOOD;
}

static bool choose_events(struct chaos_options *o)
{
    for (enum chaos_kind k = CHAOS_NONE + 1; k < CHAOS_KIND_COUNT && !o->events; k++)
        o->plan.has_kind[k] = (o->server_command || !chaos_kind_needs_server(k)) && (o->chaos.disk || k != CHAOS_DISK);
    for (const char *at = o->events; at && *at;) {
        const size_t bytes = strcspn(at, ",");
        const enum chaos_kind kind = chaos_kind_find(at, bytes);
        if (kind == CHAOS_NONE) return false;
        o->plan.has_kind[kind] = true;
        at += bytes + (at[bytes] == ',');
    }
    return true;
}

static int settle_options(struct chaos_options *o, const struct option_set *set)
{
    if (o->events && !strcmp(o->events, "list")) return list_events();
    if (!choose_events(o)) return options_complain(set, "--events wants names of --events list, not", o->events);
    if (o->victims >= o->streams)
        return options_complain(set,
                                "--victims: at least one stream more is needed, that nothing is done to:", "--streams");
    o->plan.seed = (uint64_t)o->seed;
    o->plan.seconds_us = (int64_t)(o->seconds * 1e6);
    o->plan.warm_up_us = o->chaos.warm_up_us = (int64_t)(o->warm_up * 1e6);
    o->plan.settle_us = o->chaos.settle_us = (int64_t)(o->settle * 1e6);
    o->plan.victims = o->chaos.victims = (uint32_t)o->victims;
    o->plan.flaps = (uint32_t)o->flaps;
    o->chaos.steady = (uint32_t)(o->streams - o->victims);
    o->chaos.pss_slack_kib = (int64_t)o->memory_slack;
    o->chaos.tolerance_us = (int64_t)(o->tolerance * 1e3);
    if (o->is_plan_only) return -1;
    if (!o->chaos.url || !o->chaos.http) {
        fputs(usage, stderr);
        return LOADGEN_USAGE;
    }
    if (!strstr(o->chaos.play, "%s"))
        return options_complain(set, "--play needs a %s for the stream's name:", o->chaos.play);
    if (!strstr(o->chaos.name, "%d"))
        return options_complain(set, "--name needs a %d for the stream's number:", o->chaos.name);
    if (o->plan.has_kind[CHAOS_TERM] + o->plan.has_kind[CHAOS_KILL] && !o->server_command)
        return options_complain(set, "--server-command is needed by events of the server:", o->events);
    if (o->plan.has_kind[CHAOS_DISK] && !o->chaos.disk)
        return options_complain(set, "--disk is needed by", chaos_kind_name(CHAOS_DISK));
    return -1;
}

static int read_options(int argc, char **argv, struct chaos_options *o)
{
    const struct option_row rows[] = {
        { "--url", OPTION_TEXT, &o->chaos.url, 0, 0 },
        { "--srt", OPTION_TEXT, &o->chaos.srt_url, 0, 0 },
        { "--http", OPTION_TEXT, &o->chaos.http, 0, 0 },
        { "--play", OPTION_TEXT, &o->chaos.play, 0, 0 },
        { "--name", OPTION_TEXT, &o->chaos.name, 0, 0 },
        { "--key", OPTION_TEXT, &o->chaos.key, 0, 0 },
        { "--source", OPTION_TEXT, &o->source, 0, 0 },
        { "--events", OPTION_TEXT, &o->events, 0, 0 },
        { "--schedule", OPTION_TEXT, &o->schedule, 0, 0 },
        { "--json", OPTION_TEXT, &o->json, 0, 0 },
        { "--disk", OPTION_TEXT, &o->chaos.disk, 0, 0 },
        { "--server-command", OPTION_TEXT, &o->server_command, 0, 0 },
        { "--server-pid", OPTION_NUMBER, &o->server_pid, 1, 4194304 },
        { "--streams", OPTION_NUMBER, &o->streams, 2, LOADGEN_PUBLISHERS_MAX },
        { "--victims", OPTION_NUMBER, &o->victims, 1, LOADGEN_CHAOS_VICTIMS_MAX },
        { "--seed", OPTION_NUMBER, &o->seed, 0, 9007199254740992.0 },
        { "--seconds", OPTION_NUMBER, &o->seconds, 1, LOADGEN_SECONDS_MAX },
        { "--flaps", OPTION_NUMBER, &o->flaps, 1, 100000 },
        { "--warm-up", OPTION_NUMBER, &o->warm_up, 1, 3600 },
        { "--memory-slack", OPTION_NUMBER, &o->memory_slack, 0, 1e9 },
        { "--settle", OPTION_NUMBER, &o->settle, 1, 600 },
        { "--tolerance", OPTION_NUMBER, &o->tolerance, 0, 60000 },
        { "--plan", OPTION_FLAG, &o->is_plan_only, 0, 0 },
        { "--i-own-this-host", OPTION_FLAG, &o->chaos.is_any_host, 0, 0 },
    };
    struct option_set set = { "chaos", usage, rows, ARRAY_LEN(rows), NULL, 0, 0 };
    const int result = options_read(&set, argc, argv);
    return result >= 0 ? result : settle_options(o, &set);
}

/* -- the schedule -- */

static int read_schedule(const char *path, struct chaos_plan *out)
{
    static char text[PLAN_BYTES_MAX];
    unsigned line = 0;
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "weir-loadgen chaos: %s: %s\n", path, strerror(errno));
        return LOADGEN_USAGE;
    }
    const size_t bytes = fread(text, 1, sizeof text, f);
    fclose(f);
    const enum weir_err err = bytes < sizeof text ? chaos_plan_read(text, bytes, out, &line) : WEIR_LIMIT;
    if (!err) return -1;
    fprintf(stderr, "weir-loadgen chaos: %s:%u: %s; expected \"SECONDS EVENT victim=N for=SECONDS count=N seed=N\"\n",
            path, line, err_name(err));
    return LOADGEN_USAGE;
}

static int make_plan(const struct chaos_options *o, struct chaos_plan *out)
{
    if (o->schedule) return read_schedule(o->schedule, out);
    if (!chaos_plan_make(&o->plan, out)) return -1;
    fputs("weir-loadgen chaos: the schedule has more than 4096 events\n", stderr);
    return LOADGEN_USAGE;
}

static int print_plan(const struct chaos_plan *plan)
{
    struct byte_writer w;
    byte_writer_init(&w, PLAN_BYTES_MAX);
    chaos_plan_write(plan, &w);
    if (w.bytes) fwrite(w.data, 1, w.bytes, stdout);
    byte_writer_deinit(&w);
    return LOADGEN_GOOD;
}

static bool needs_disk(const struct chaos_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->events[i].kind == CHAOS_DISK) return true;
    return false;
}

/* A server that is not there to be restarted cannot be killed, whatever a schedule says. */
static bool needs_server(const struct chaos_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        if (chaos_kind_needs_server(plan->events[i].kind)) return true;
    return false;
}

/* -- running -- */

static int make_sources(struct chaos_options *o, struct media_source **one, struct media_source **other)
{
    char why[256] = "";
    struct media_source_config config = { .wants_ts = o->chaos.srt_url != NULL };
    enum weir_err err = media_source_parse(o->source, &config, why, sizeof why) ? WEIR_OK : WEIR_CONFIG;
    if (!err) err = media_source_make(&config, one, why, sizeof why);
    if (!err && !media_source_parse("test:240p25:300k", &config, why, sizeof why)) err = WEIR_CONFIG;
    if (!err) err = media_source_make(&config, other, why, sizeof why);
    if (!err) return -1;
    fprintf(stderr, "weir-loadgen chaos: %s\n", why);
    return LOADGEN_USAGE;
}

static bool sees_any(const struct chaos *c)
{
    for (uint32_t i = 0; i < c->stream_count; i++)
        if (c->streams[i].follower.has_begun) return true;
    return false;
}

static int run(struct chaos *c)
{
    char why[256] = "";
    int result = LOADGEN_GOOD;
    if (chaos_open(c, why, sizeof why)) {
        fprintf(stderr, "weir-loadgen chaos: %s\n", why);
        chaos_close(c);
        return LOADGEN_USAGE;
    }
    bool is_seen = false;
    while (!chaos_is_over(c) && !is_interrupted) {
        chaos_turn(c);
        if (is_seen || c->now_us - c->begin_us < c->config.warm_up_us) continue;
        is_seen = sees_any(c);
        if (is_seen) continue;
        fprintf(stderr, "weir-loadgen chaos: no playlist came from %s in %.0f s\n", c->streams[0].list,
                (double)c->config.warm_up_us / 1e6);
        result = LOADGEN_NOT_FOUND;
        break;
    }
    printf("%u events kept their promises, %u did not; %u faults", c->events_good, c->events_bad, c->faults);
    if (c->slowest_resume_us) printf("; slowest return %.1f s", (double)c->slowest_resume_us / 1e6);
    printf("\n");
    chaos_close(c);
    return result ? result : c->faults ? LOADGEN_BROKEN : LOADGEN_GOOD;
}

static int harm(struct chaos_options *o, const struct chaos_plan *plan)
{
    struct media_source *one = NULL, *other = NULL;
    struct server_process server = { .command = o->server_command, .pid = (pid_t)o->server_pid };
    struct event_log *log = NULL;
    if (needs_server(plan) && !o->server_command) {
        fputs("weir-loadgen chaos: the schedule ends the server: --server-command is needed\n", stderr);
        return LOADGEN_USAGE;
    }
    char why[256] = "--disk is needed: the schedule fills one";
    if (needs_disk(plan) && (!o->chaos.disk || !chaos_disk_check(o->chaos.disk, why, sizeof why))) {
        fprintf(stderr, "weir-loadgen chaos: %s\n", why);
        return LOADGEN_USAGE;
    }
    if (o->json && !(log = event_log_open(o->json))) {
        fprintf(stderr, "weir-loadgen chaos: %s: %s\n", o->json, strerror(errno));
        return LOADGEN_USAGE;
    }
    int result = make_sources(o, &one, &other);
    if (result < 0 && server.command && server_process_start(&server)) {
        fprintf(stderr, "weir-loadgen chaos: the server does not start: %s\n", strerror(errno));
        result = LOADGEN_USAGE;
    }
    if (result < 0) {
        o->chaos.source = one;
        o->chaos.other = other;
        struct chaos c = { .config = o->chaos, .plan = plan, .log = log, .server = &server, .disk.file = -1 };
        result = run(&c);
    }
    if (server.command) server_process_end(&server, SIGTERM, 15000000);
    media_source_destroy(one);
    media_source_destroy(other);
    event_log_close(log);
    return result;
}

int chaos_command(int argc, char **argv)
{
    struct chaos_options o = { .chaos = { .play = "/%s/index.m3u8", .name = "chaos%d" },
                               .source = "test:360p30:600k",
                               .streams = 8,
                               .victims = 4,
                               .seed = 1,
                               .seconds = 120,
                               .flaps = 100,
                               .warm_up = 10,
                               .settle = 8,
                               .tolerance = 2000,
                               .memory_slack = 2048 };
    struct chaos_plan plan = { 0 };
    int result = read_options(argc, argv, &o);
    if (result >= 0) return result;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    result = make_plan(&o, &plan);
    if (result < 0) result = o.is_plan_only ? print_plan(&plan) : harm(&o, &plan);
    chaos_plan_deinit(&plan);
    return result;
}
