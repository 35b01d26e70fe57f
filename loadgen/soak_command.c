#include "soak_command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/bytes.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/run_report.h>

#include "check_command.h"
#include "options.h"
#include "soak_internal.h"

#define SOURCE_SCENARIO_DIR "dist/scenarios" /* where somebody stands in weir's sources */
#define SCENARIO_BYTES_MAX (256 * 1024)
#define REPORT_BYTES_MAX (64 * MIB)
#define SETTINGS_MAX 16

static const char usage[] =
    "usage: weir-loadgen soak -s SCENARIO [options] [NAME=VALUE...]\n"
    "\n"
    "Publishers, viewers and events for a given time, and a look at the server from outside: memory, CPU, descriptors, "
    "threads, /metrics. Starts\n"
    "the server as the scenario says, or looks at one that runs. Fits the slope of its memory with a confidence "
    "interval, waits until all is at\n"
    "rest again, holds what was seen against the scenario's thresholds, and writes a report. docs/testing.md tells "
    "what a scenario may say.\n"
    "\n"
    "  -s SCENARIO        a YAML file, or the name of one that is installed (smoke, flap, loss, viewers, ladder, "
    "soak-8h, peer-compare)\n"
    "  --report FILE      an HTML page with plots (soak-NAME.html)\n"
    "  --log-dir DIR      what the server and the load say (a folder in /tmp)\n"
    "  --seconds N        instead of the scenario's\n"
    "  --warm-up N        instead of the scenario's\n"
    "  --pid PID          look at a server that runs already, and start none\n"
    "  --skip NAME,...    thresholds that are not judged: memory under a sanitizer, say\n"
    "  --json             JSON lines: samples, events, the end of each server\n"
    "  --check            read the scenario and say what is wrong with it\n"
    "  NAME=VALUE         {NAME} in the scenario; ports (rtmp, http, srt, ...) are chosen where none is given;\n"
    "                     weir: the server's program (weir), loadgen: the publishers' and viewers' (this one)\n"
    "\n"
    "exit status: 0 all thresholds hold, 1 not, or the run was broken, 2 usage\n";

struct soak_settings {
    const char *scenario, *report, *log_dir, *skip;
    double seconds, warm_up, pid;
    bool is_json, is_check;
    const char *words[SETTINGS_MAX];
    size_t word_count;
    char program[512], made_log_dir[64];
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    is_interrupted = 1;
}

/* -- the scenario -- */

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(SCENARIO_BYTES_MAX + 1) : NULL;
    if (!file) return NULL;
    *bytes = text ? fread(text, 1, SCENARIO_BYTES_MAX + 1, file) : 0;
    fclose(file);
    if (*bytes > SCENARIO_BYTES_MAX) { /* half of one would be another one */
        free(text);
        errno = EFBIG;
        return NULL;
    }
    return text;
}

/* A path, or a name. */
static char *find_scenario(const char *name, char *path, size_t path_bytes, size_t *bytes)
{
    char *text = NULL;
    snprintf(path, path_bytes, "%s", name);
    if (strchr(name, '/') || strchr(name, '.')) return read_file(path, bytes);
    const char *folders[] = { getenv("WEIR_SCENARIO_DIR"), SOURCE_SCENARIO_DIR, WEIR_SCENARIO_DIR };
    for (size_t i = 0; !text && i < ARRAY_LEN(folders); i++) {
        if (!folders[i]) continue;
        snprintf(path, path_bytes, "%s/%s.yaml", folders[i], name);
        text = read_file(path, bytes);
    }
    return text;
}

static int read_scenario(const struct soak_settings *s, struct scenario *out)
{
    char path[512], error[640];
    size_t bytes = 0;
    char *text = find_scenario(s->scenario, path, sizeof path, &bytes);
    if (!text) {
        fprintf(stderr, "weir-loadgen soak: the scenario %s cannot be read: %s\n", s->scenario, strerror(errno));
        return LOADGEN_USAGE;
    }
    const enum weir_err err = scenario_read(path, text, bytes, out, error, sizeof error);
    free(text);
    if (err) {
        fprintf(stderr, "weir-loadgen soak: %s\n", error);
        return LOADGEN_USAGE;
    }
    if (s->seconds > 0) out->seconds = s->seconds;
    if (s->warm_up >= 0) out->warm_up = s->warm_up;
    if (out->warm_up >= out->seconds) out->warm_up = out->seconds / 4;
    return -1;
}

/* "stalls,memory_left_mb" */
static int skip_thresholds(const struct soak_settings *s, const struct option_set *set, struct scenario *scenario)
{
    for (const char *at = s->skip ? s->skip : ""; *at;) {
        const size_t bytes = strcspn(at, ", ");
        if (!scenario_skip_threshold(scenario, at, bytes))
            return options_complain(set, "--skip wants names of thresholds, not", at);
        at += bytes;
        at += strspn(at, ", ");
    }
    return -1;
}

static int take_words(const struct soak_settings *s, const struct option_set *set, struct soak_options *o)
{
    static char names[SETTINGS_MAX][64];
    for (size_t i = 0; i < s->word_count; i++) {
        const char *equals = strchr(s->words[i], '=');
        if (!equals || equals == s->words[i] || equals - s->words[i] >= 64)
            return options_complain(set, "NAME=VALUE is wanted, not", s->words[i]);
        snprintf(names[i], sizeof names[i], "%.*s", (int)(equals - s->words[i]), s->words[i]);
        struct scenario_variable *v = &o->variables[o->variable_count++];
        v->name = names[i];
        snprintf(v->value, sizeof v->value, "%s", equals + 1);
    }
    return -1;
}

/* -- the report -- */

static void describe_machine(char *out, size_t bytes)
{
    struct utsname u;
    if (uname(&u)) u = (struct utsname){ .release = "?" };
    snprintf(out, bytes, "%ld cores, Linux %.60s", sysconf(_SC_NPROCESSORS_ONLN), u.release);
}

static bool write_report(const struct soak_settings *s, const struct scenario *scenario,
                         const struct run_record *records, size_t count, const char *command)
{
    char path[256], machine[128], when[CLOCK_TEXT_BYTES];
    struct byte_writer w;
    if (s->report)
        snprintf(path, sizeof path, "%s", s->report);
    else
        snprintf(path, sizeof path, "soak-%s.html", scenario->name);
    describe_machine(machine, sizeof machine);
    clock_format(clock_wall_us(), when);
    const struct run_report report = { scenario, records, count, when, machine, command };
    byte_writer_init(&w, REPORT_BYTES_MAX);
    run_report_write_html(&report, &w);
    FILE *file = w.failed ? NULL : fopen(path, "we");
    bool is_written = file && fwrite(w.data, 1, w.bytes, file) == w.bytes;
    if (file && fclose(file)) is_written = false;
    byte_writer_deinit(&w);
    if (!is_written)
        fprintf(stderr, "weir-loadgen soak: %s cannot be written: %s\n", path, strerror(errno));
    else if (!s->is_json)
        printf("report: %s\n", path);
    return is_written;
}

/* -- the run -- */

static bool run_servers(const struct soak_settings *s, const struct soak_options *o, const char *command)
{
    const struct scenario *scenario = o->scenario;
    struct run_record *records = calloc(scenario->server_count, sizeof *records);
    bool is_good = records != NULL;
    size_t count = 0;
    for (; records && count < scenario->server_count && !is_interrupted; count++) {
        struct run_record *r = &records[count];
        run_record_init(r, scenario->servers[count].name);
        soak_leg_run(o, &scenario->servers[count], r);
        is_good &= r->is_good;
        if (s->is_json)
            soak_write_record_json(r, stdout);
        else
            soak_write_record_text(r, stdout);
    }
    if (records) is_good &= write_report(s, scenario, records, count, command);
    for (size_t i = 0; i < count; i++) run_record_deinit(&records[i]);
    free(records);
    return is_good;
}

static char *join(int argc, char **argv)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream) return NULL;
    fputs("weir-loadgen", stream);
    for (int i = 0; i < argc; i++) fprintf(stream, " %s", argv[i]);
    if (!fclose(stream)) return text;
    free(text);
    return NULL;
}

static bool make_log_dir(struct soak_settings *s)
{
    if (s->log_dir) {
        if (!mkdir(s->log_dir, 0755) || errno == EEXIST) return true;
    } else {
        snprintf(s->made_log_dir, sizeof s->made_log_dir, "/tmp/weir-soak-log-XXXXXX");
        s->log_dir = mkdtemp(s->made_log_dir);
        if (s->log_dir) return true;
    }
    fprintf(stderr, "weir-loadgen soak: no folder for logs: %s\n", strerror(errno));
    return false;
}

static int soak(struct soak_settings *s, struct soak_options *o, int argc, char **argv)
{
    if (readlink("/proc/self/exe", s->program, sizeof s->program - 1) < 0 || !make_log_dir(s)) return LOADGEN_BROKEN;
    o->program = s->program;
    for (size_t i = 0; i < o->variable_count; i++) {
        if (!strcmp(o->variables[i].name, "loadgen")) o->program = o->variables[i].value;
    }
    o->log_dir = s->log_dir;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (!s->is_json) printf("logs: %s\n", s->log_dir);
    char *command = join(argc, argv);
    const bool is_good = command && run_servers(s, o, command);
    free(command);
    return is_good && !is_interrupted ? LOADGEN_GOOD : LOADGEN_BROKEN;
}

int soak_command(int argc, char **argv)
{
    struct soak_settings s = { .warm_up = -1 };
    const struct option_row rows[] = {
        { "-s", OPTION_TEXT, &s.scenario, 0, 0 },
        { "--report", OPTION_TEXT, &s.report, 0, 0 },
        { "--log-dir", OPTION_TEXT, &s.log_dir, 0, 0 },
        { "--seconds", OPTION_NUMBER, &s.seconds, 5, LOADGEN_SECONDS_MAX },
        { "--warm-up", OPTION_NUMBER, &s.warm_up, 0, LOADGEN_SECONDS_MAX },
        { "--pid", OPTION_NUMBER, &s.pid, 2, 1 << 22 },
        { "--skip", OPTION_TEXT, &s.skip, 0, 0 },
        { "--json", OPTION_FLAG, &s.is_json, 0, 0 },
        { "--check", OPTION_FLAG, &s.is_check, 0, 0 },
    };
    struct option_set set = { "soak", usage, rows, ARRAY_LEN(rows), s.words, 0, SETTINGS_MAX };
    struct scenario scenario;
    int result = options_read(&set, argc, argv);
    if (result >= 0) return result;
    s.word_count = set.word_count;
    if (!s.scenario) {
        fputs(usage, stderr);
        return LOADGEN_USAGE;
    }
    result = read_scenario(&s, &scenario);
    if (result >= 0) return result;
    struct soak_options o = { .scenario = &scenario,
                              .attach_pid = (int)s.pid,
                              .is_json = s.is_json,
                              .is_terminal = isatty(STDOUT_FILENO),
                              .is_interrupted = &is_interrupted };
    result = take_words(&s, &set, &o);
    if (result < 0) result = skip_thresholds(&s, &set, &scenario);
    if (result < 0 && s.is_check) {
        printf("%s: %zu servers, %zu groups of publishers, %zu of viewers, %zu events, %.0f s\n", scenario.name,
               scenario.server_count, scenario.publisher_count, scenario.viewer_count, scenario.event_count,
               scenario.seconds);
        result = LOADGEN_GOOD;
    }
    if (result < 0) result = soak(&s, &o, argc, argv);
    scenario_deinit(&scenario);
    return result;
}
