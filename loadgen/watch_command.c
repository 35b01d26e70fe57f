#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/crowd.h>

#include "check_command.h"
#include "options.h"
#include "watch_command.h"
#include "watch_output.h"

#define FAULTS_TOLD_MAX 100
#define LINE_US 5000000 /* between lines where there is no terminal */
#define WORDS_MAX 256

static const char usage[] =
    "usage: weir-loadgen watch URL... [--viewers M] [--seconds N] [options]\n"
    "\n"
    "Watches live HLS or low-latency HLS streams as players do: a buffer, a playhead, stalls, switches; and holds "
    "numbers, times,\n"
    "renditions and answers against what they must be. Viewers are light: they share what they read, and keep no "
    "media.\n"
    "URL: of a multivariant or media playlist. With %d in it: of as many streams as --streams says.\n"
    "\n"
    "  --viewers M        how many in all; they are spread over the URLs (1 for each URL)\n"
    "  --seconds N        how long (30)\n"
    "  --streams N        %d in URLs stands for 0 to N-1 (1)\n"
    "  --ll               low latency where it is offered (default)\n"
    "  --plain            whole segments alone, as players without low latency do\n"
    "  --http2            an answer over HTTP/1.1 is a fault\n"
    "  --http1            do not offer HTTP/2\n"
    "  --ramp R           so many viewers begin each second (all at once)\n"
    "  --switch-every S   another rendition every S seconds (never)\n"
    "  --speed X          publishers send X times as fast as real time (1)\n"
    "  --wait N           seconds that a stream may take to appear (10)\n"
    "  --stall-ms MS      stalls no longer than this are good (0)\n"
    "  --allow F,F        faults that do not count; --allow list lists all\n"
    "  --json             JSON lines: a sample each second, faults, the end\n"
    "  --interval S       seconds between samples (1)\n"
    "  --insecure         take any certificate\n"
    "  --i-own-this-host  watch a host that is not this one\n"
    "\n"
    "exit status: 0 all was good, 1 faults, stalls, or a viewer without a picture, 2 usage, 3 no stream was found\n";

struct settings {
    struct crowd_config crowd;
    double viewers, seconds, streams, ramp, switch_s, wait_s, stall_ms, interval_s, speed;
    const char *allow;
    bool is_json, wants_low_latency;
    bool is_allowed[VIEWER_FAULT_COUNT];
    char **urls;
    uint32_t url_count;
};

struct run {
    const struct settings *settings;
    struct crowd *crowd;
    struct watch_sample sample;
    struct histogram latency, arrival;
    int64_t start_us, line_us;
    bool is_terminal, is_drawn;
    unsigned told;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    is_interrupted = 1;
}

/* -- settings -- */

static int list_faults(void)
{
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) printf("%-14s %s\n", viewer_fault_name(i), viewer_fault_says(i));
    return LOADGEN_GOOD;
}

static bool allow_fault(struct settings *s, const char *name, size_t bytes)
{
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) {
        if (strlen(viewer_fault_name(i)) == bytes && !strncmp(viewer_fault_name(i), name, bytes))
            return s->is_allowed[i] = true;
    }
    return false;
}

static bool read_allowed(struct settings *s)
{
    for (const char *at = s->allow; at && *at;) {
        const size_t bytes = strcspn(at, ",");
        if (!allow_fault(s, at, bytes)) return false;
        at += bytes + (at[bytes] == ',');
    }
    return true;
}

static bool add_url(struct settings *s, const char *pattern, uint32_t number)
{
    char *url = NULL;
    const char *mark = strstr(pattern, "%d");
    const int bytes = mark ? asprintf(&url, "%.*s%u%s", (int)(mark - pattern), pattern, number, mark + 2)
                           : asprintf(&url, "%s", pattern);
    if (bytes < 0) return false;
    s->urls[s->url_count++] = url;
    return true;
}

static bool expand_urls(struct settings *s, const char *const *words, size_t count)
{
    s->urls = calloc(count * (size_t)s->streams, sizeof *s->urls);
    for (size_t i = 0; s->urls && i < count; i++) {
        const uint32_t streams = strstr(words[i], "%d") ? (uint32_t)s->streams : 1;
        for (uint32_t k = 0; k < streams; k++) {
            if (!add_url(s, words[i], k)) return false;
        }
    }
    return s->urls != NULL;
}

static void settings_free(struct settings *s)
{
    for (uint32_t i = 0; i < s->url_count; i++) free(s->urls[i]);
    free(s->urls);
}

static int settings_check(struct settings *s, const struct option_set *set)
{
    if (s->allow && !strcmp(s->allow, "list")) return list_faults();
    if (!set->word_count) {
        fputs(usage, stderr);
        return LOADGEN_USAGE;
    }
    for (size_t i = 0; i < set->word_count; i++) {
        if (strncmp(set->words[i], "http://", 7) && strncmp(set->words[i], "https://", 8))
            return options_complain(set, "the URL begins with http:// or https://, not", set->words[i]);
    }
    if (s->crowd.is_plain && s->wants_low_latency) return options_complain(set, "--ll is the contrary of", "--plain");
    if (!read_allowed(s)) return options_complain(set, "--allow wants names of faults (--allow list), not", s->allow);
    if (!expand_urls(s, set->words, set->word_count)) {
        fputs("weir-loadgen watch: out of memory\n", stderr);
        return LOADGEN_BROKEN;
    }
    struct crowd_config *c = &s->crowd;
    c->urls = (const char *const *)s->urls;
    c->url_count = s->url_count;
    c->viewers = s->viewers > 0 ? (uint32_t)s->viewers : s->url_count;
    c->ramp_per_second = s->ramp;
    c->switch_us = (int64_t)(s->switch_s * 1e6);
    c->wait_us = (int64_t)(s->wait_s * 1e6);
    c->speed = s->speed;
    return -1;
}

static int settings_read(struct settings *s, int argc, char **argv)
{
    const char *words[WORDS_MAX];
    const struct option_row rows[] = {
        { "--viewers", OPTION_NUMBER, &s->viewers, 1, LOADGEN_CLIENTS_MAX },
        { "--seconds", OPTION_NUMBER, &s->seconds, 1, LOADGEN_SECONDS_MAX },
        { "--streams", OPTION_NUMBER, &s->streams, 1, LOADGEN_CLIENTS_MAX },
        { "--ll", OPTION_FLAG, &s->wants_low_latency, 0, 0 },
        { "--plain", OPTION_FLAG, &s->crowd.is_plain, 0, 0 },
        { "--http2", OPTION_FLAG, &s->crowd.wants_http2, 0, 0 },
        { "--http1", OPTION_FLAG, &s->crowd.http.is_http1, 0, 0 },
        { "--ramp", OPTION_NUMBER, &s->ramp, 0, 100000 },
        { "--switch-every", OPTION_NUMBER, &s->switch_s, 0, 3600 },
        { "--speed", OPTION_NUMBER, &s->speed, 0.1, 100 },
        { "--wait", OPTION_NUMBER, &s->wait_s, 0, 3600 },
        { "--stall-ms", OPTION_NUMBER, &s->stall_ms, 0, 3600000 },
        { "--allow", OPTION_TEXT, &s->allow, 0, 0 },
        { "--json", OPTION_FLAG, &s->is_json, 0, 0 },
        { "--interval", OPTION_NUMBER, &s->interval_s, 0.1, 60 },
        { "--insecure", OPTION_FLAG, &s->crowd.http.is_any_certificate, 0, 0 },
        { "--i-own-this-host", OPTION_FLAG, &s->crowd.http.is_any_host, 0, 0 },
    };
    struct option_set set = { "watch", usage, rows, ARRAY_LEN(rows), words, 0, WORDS_MAX };
    const int result = options_read(&set, argc, argv);
    return result >= 0 ? result : settings_check(s, &set);
}

/* -- the run -- */

/* A viewer takes up to four connections over HTTP/1.1. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) perror("weir-loadgen watch: setrlimit");
}

static uint64_t own_memory_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t own_cpu_us(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u)) return 0;
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void take_sample(struct run *r)
{
    struct watch_sample *s = &r->sample;
    s->requests_before = s->now.all.requests;
    s->bytes_before = s->now.all.bytes;
    s->before_us = s->at_us;
    s->at_us = clock_now_us() - r->start_us;
    s->memory_bytes = own_memory_bytes();
    s->cpu_us = own_cpu_us();
    crowd_look(r->crowd, &s->now);
    histogram_merge(&r->latency, &s->now.latency);
    histogram_merge(&r->arrival, &s->now.arrival);
}

static void tell_faults(struct run *r)
{
    const char *text;
    uint32_t url;
    while (r->told < FAULTS_TOLD_MAX && (text = crowd_next_fault(r->crowd, &url))) {
        watch_write_fault(r->settings->urls[url], text, r->settings->is_json, stdout);
        r->told++;
        r->is_drawn = false;
    }
}

static void tell_sample(struct run *r)
{
    const char *const *urls = r->settings->crowd.urls;
    tell_faults(r);
    if (r->settings->is_json) {
        watch_write_sample_json(&r->sample, urls, stdout);
    } else if (r->is_terminal) {
        watch_draw(&r->sample, urls, !r->is_drawn, stdout);
        r->is_drawn = true;
    } else if (r->sample.at_us >= r->line_us) {
        watch_write_sample_line(&r->sample, stdout);
        r->line_us = r->sample.at_us + LINE_US;
    }
}

/* false: the loop is broken. */
static bool watch(struct run *r)
{
    const int64_t interval_us = (int64_t)(r->settings->interval_s * 1e6), end_us = r->start_us + r->sample.seconds_us;
    int64_t sample_us = r->start_us + interval_us;
    for (int64_t now_us = r->start_us; now_us < end_us && !is_interrupted; now_us = clock_now_us()) {
        const enum weir_err err = crowd_turn(r->crowd, (sample_us < end_us ? sample_us : end_us) - now_us);
        if (err) {
            fprintf(stderr, "weir-loadgen watch: %s\n",
                    err == WEIR_NOMEM ? "out of memory or descriptors" : "the loop is broken");
            return false;
        }
        if (clock_now_us() < sample_us) continue;
        sample_us += interval_us;
        take_sample(r);
        tell_sample(r);
        if (crowd_is_over(r->crowd)) break;
    }
    take_sample(r);
    tell_faults(r);
    return true;
}

static bool is_good(const struct run *r)
{
    const struct crowd_figures *f = &r->sample.now.all;
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) {
        if (f->faults[i] && !r->settings->is_allowed[i]) return false;
    }
    return !f->states[VIEWER_FAILED] && !f->states[VIEWER_LOADING] &&
           (double)f->longest_stall_us <= r->settings->stall_ms * 1e3;
}

static int tell_end(struct run *r)
{
    const struct crowd_figures *f = &r->sample.now.all;
    const struct watch_end end = { .last = &r->sample,
                                   .latency = &r->latency,
                                   .arrival = &r->arrival,
                                   .crowd = r->crowd,
                                   .urls = r->settings->crowd.urls,
                                   .url_count = r->settings->url_count,
                                   .is_good = is_good(r) };
    if (crowd_saw_stranger(r->crowd)) {
        fputs("weir-loadgen watch: an address is not on this machine; --i-own-this-host says that you may watch it\n",
              stderr);
        return LOADGEN_USAGE;
    }
    if (r->settings->is_json)
        watch_write_end_json(&end, stdout);
    else
        watch_write_end_text(&end, stdout);
    if (!f->segments && !f->parts) {
        fputs("weir-loadgen watch: no stream was found\n", stderr);
        return LOADGEN_NOT_FOUND;
    }
    return end.is_good ? LOADGEN_GOOD : LOADGEN_BROKEN;
}

static int run(const struct settings *s)
{
    struct run *r = calloc(1, sizeof *r);
    int result = LOADGEN_BROKEN;
    if (r) {
        r->settings = s;
        r->is_terminal = isatty(STDOUT_FILENO);
        r->start_us = clock_now_us();
        r->sample.seconds_us = (int64_t)(s->seconds * 1e6);
        r->sample.viewers = s->crowd.viewers;
        r->crowd = crowd_create(&s->crowd);
    }
    if (!r || !r->crowd)
        fputs("weir-loadgen watch: out of memory or descriptors\n", stderr);
    else if (watch(r))
        result = tell_end(r);
    if (r) crowd_destroy(r->crowd);
    free(r);
    return result;
}

int watch_command(int argc, char **argv)
{
    struct settings s = { .seconds = 30, .streams = 1, .wait_s = 10, .interval_s = 1, .speed = 1 };
    int result = settings_read(&s, argc, argv);
    if (result < 0) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        signal(SIGPIPE, SIG_IGN);
        raise_descriptor_limit();
        result = run(&s);
    }
    settings_free(&s);
    return result;
}
