#include "check_command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/check.h>
#include <weir/loadgen/http_client.h>

#include "http_bridge.h"

#define REPORT_BYTES_MAX (4 * MIB)

static const char usage[] =
    "usage: weir-loadgen check URL [--seconds N] [--ll] [--json] [options]\n"
    "\n"
    "Reads a live HLS or low-latency HLS stream of any server as players do, asks odd questions in between, and holds "
    "what comes\n"
    "against numbered rules (docs/testing.md lists them). URL: of the multivariant playlist, or of a media playlist.\n"
    "\n"
    "  --seconds N        how long to look (30)\n"
    "  --ll               low latency is a must: what is missing of it is a violation\n"
    "  --json             JSON instead of the table\n"
    "  --quiet            only rules that did not hold\n"
    "  --rule ID          say what a rule is and where it comes from; no URL needed\n"
    "  --allow ID,ID      violations of these rules are told, and do not count\n"
    "  --tolerance MS     added to every limit that is about time (250)\n"
    "  --wait N           seconds that the stream may take to appear (10)\n"
    "  --http1            do not offer HTTP/2\n"
    "  --insecure         take any certificate\n"
    "  --i-own-this-host  look at a host that is not this one\n"
    "\n"
    "exit status: 0 no MUST was broken, 1 one was, 2 usage, 3 the stream was not found\n";

struct options {
    struct check_config check;
    struct http_client_config http;
    bool is_json, is_quiet;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    is_interrupted = 1;
}

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "weir-loadgen check: %s \"%s\"; try weir-loadgen check --help\n", what, value);
    return LOADGEN_USAGE;
}

static bool read_number(const char *text, double least, double most, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    return !errno && end != text && !*end && *out >= least && *out <= most;
}

static bool read_rules(const char *text, bool is_allowed[RULE_COUNT])
{
    while (*text) {
        const size_t bytes = strcspn(text, ",");
        const enum check_rule rule = check_rule_find(text, bytes);
        if (rule == RULE_NONE) return false;
        is_allowed[rule] = true;
        text += bytes + (text[bytes] == ',');
    }
    return true;
}

static int tell_rule(const char *id)
{
    const enum check_rule rule = check_rule_find(id, strlen(id));
    if (rule == RULE_NONE) return complain("no rule has the number", id);
    const struct check_rule_text *t = check_rule_text(rule);
    printf("%s  %s  [%s]\n%s\n", t->id, t->severity == SEVERITY_MUST ? "MUST" : "SHOULD", t->section, t->says);
    return LOADGEN_GOOD;
}

/* Options with a value. -1: go on. */
static int read_valued(const char *name, const char *value, struct options *o)
{
    double number;
    if (!strcmp(name, "--seconds")) {
        if (!read_number(value, 1, LOADGEN_SECONDS_MAX, &number))
            return complain("--seconds wants 1 to 86400, not", value);
        o->check.seconds_us = (int64_t)(number * 1e6);
    } else if (!strcmp(name, "--tolerance")) {
        if (!read_number(value, 0, 60000, &number)) return complain("--tolerance wants 0 to 60000 ms, not", value);
        o->check.tolerance_us = (int64_t)(number * 1e3);
    } else if (!strcmp(name, "--wait")) {
        if (!read_number(value, 0, 3600, &number)) return complain("--wait wants 0 to 3600 s, not", value);
        o->check.wait_us = (int64_t)(number * 1e6);
    } else if (!strcmp(name, "--allow")) {
        if (!read_rules(value, o->check.is_allowed)) return complain("--allow wants rules such as R9,R34, not", value);
    } else if (!strcmp(name, "--rule")) {
        return tell_rule(value);
    } else {
        return complain("not understood:", name);
    }
    return -1;
}

static int read_options(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        { "--ll", &o->check.is_low_latency },
        { "--json", &o->is_json },
        { "--quiet", &o->is_quiet },
        { "--http1", &o->http.is_http1 },
        { "--insecure", &o->http.is_any_certificate },
        { "--i-own-this-host", &o->http.is_any_host },
    };
    for (int i = 1; i < argc; i++) {
        bool is_flag = false;
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            return LOADGEN_GOOD;
        }
        for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
            if (strcmp(argv[i], flags[k].name)) continue;
            *flags[k].flag = is_flag = true;
        }
        if (is_flag) continue;
        if (argv[i][0] != '-') {
            if (o->check.url) return complain("one URL is enough:", argv[i]);
            o->check.url = argv[i];
            continue;
        }
        if (i + 1 == argc) return complain("not understood, or without its value:", argv[i]);
        const int result = read_valued(argv[i], argv[i + 1], o);
        if (result >= 0) return result;
        i++;
    }
    if (!o->check.url) {
        fputs(usage, stderr);
        return LOADGEN_USAGE;
    }
    if (strncmp(o->check.url, "http://", 7) && strncmp(o->check.url, "https://", 8))
        return complain("the URL begins with http:// or https://, not", o->check.url);
    return -1;
}

/* -- between the checker and the HTTP client -- */

static void on_done(void *owner, const struct http_result *r)
{
    const struct check_answer a = bridge_answer(r);
    check_answer(owner, &a);
}

static void send_all(struct check *c, struct http_client *h)
{
    struct check_request q;
    struct http_result unsent;
    while (check_next_request(c, clock_now_us(), &q)) {
        if (!bridge_ask(h, &q, &unsent)) on_done(c, &unsent);
    }
}

static bool look(struct check *c, struct http_loop *l, struct http_client *h)
{
    while (!check_is_done(c, clock_now_us()) && !is_interrupted) {
        send_all(c, h);
        const int64_t now_us = clock_now_us(), wait_us = check_wake_us(c, now_us) - now_us;
        if (http_loop_turn(l, wait_us)) return false;
        if (http_client_saw_stranger(h) && !check_has_stream(c)) return true;
    }
    return true;
}

static int tell(struct check *c, const struct options *o)
{
    struct byte_writer w;
    struct check_summary summary;
    const struct check_report *r = check_report(c);
    enum weir_err err = WEIR_OK;
    byte_writer_init(&w, REPORT_BYTES_MAX);
    check_summary(c, clock_now_us(), &summary);
    if (o->is_json)
        err = check_report_write_json(r, &summary, &w);
    else
        check_report_write_text(r, &summary, !o->is_quiet, &w);
    if (err || w.failed)
        fputs("weir-loadgen check: out of memory for the report\n", stderr);
    else
        fwrite(w.data, 1, w.bytes, stdout);
    byte_writer_deinit(&w);
    return check_report_count(r, VERDICT_VIOLATED) || err ? LOADGEN_BROKEN : LOADGEN_GOOD;
}

static int run(const struct options *o)
{
    struct check *c = check_create(&o->check, clock_now_us());
    struct http_loop *l = http_loop_create();
    struct http_client *h = l ? http_client_create(l, &o->http, on_done, c) : NULL;
    int result = LOADGEN_BROKEN;
    if (!c || !h) {
        fputs("weir-loadgen check: out of memory\n", stderr);
    } else if (!look(c, l, h)) {
        fputs("weir-loadgen check: libcurl failed\n", stderr);
    } else if (!check_has_stream(c)) {
        if (http_client_saw_stranger(h))
            fprintf(stderr,
                    "weir-loadgen check: %s is not on this machine; --i-own-this-host says that you may look at it\n",
                    o->check.url);
        else
            fprintf(stderr, "weir-loadgen check: no playlist came from %s in %.0f s\n", o->check.url,
                    (double)o->check.wait_us / 1e6);
        result = http_client_saw_stranger(h) ? LOADGEN_USAGE : LOADGEN_NOT_FOUND;
    } else {
        check_finish(c, clock_now_us());
        result = tell(c, o);
    }
    http_client_destroy(h);
    http_loop_destroy(l);
    check_destroy(c);
    return result;
}

int check_command(int argc, char **argv)
{
    struct options o = { .check = { .seconds_us = 30000000, .tolerance_us = 250000, .wait_us = 10000000 } };
    const int result = read_options(argc, argv, &o);
    if (result >= 0) return result;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return run(&o);
}
