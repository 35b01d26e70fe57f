#include "publish_command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/publisher.h>

#include "check_command.h"
#include "event_log.h"
#include "options.h"

#define STOP_WITHIN_US 10000000
#define REPORT_US 5000000
#define TURN_NS 100000000

static const char usage[] =
    "usage: weir-loadgen publish --url URL [--streams N] [--seconds N] [options]\n"
    "\n"
    "Publishes as N encoders do, in one process, and stops by itself. One source is made (or read) first, looped "
    "without end and shared by\n"
    "all; the time by the wall clock is put into an SEI of each picture, so that latency can be read without "
    "decoding.\n"
    "\n"
    "  --url URL          rtmp://127.0.0.1:1935/live, rtmps://..., srt://127.0.0.1:8890\n"
    "  --streams N        how many (1), at most 4096\n"
    "  --name NAME        of the streams (load%d): %d is their number\n"
    "  --first N          the first number (0)\n"
    "  --key KEY          the stream key: NAME?key=KEY; over SRT publish:live/NAME:any:KEY\n"
    "  --source TEXT      test:720p30, test:1080p59.94:hevc:6000k:gop=60, test:audio, test:360p25:silent "
    "(test:720p30)\n"
    "  --file FILE        FLV, MP4 or TS with H.264 or HEVC, and AAC; at most 512 MiB\n"
    "  --seconds N        how long, once the ramp is through (30)\n"
    "  --ramp N/s         so many begin in a second (all at once)\n"
    "  --speed X          so many seconds of media in a second (1)\n"
    "  --start-ms T       the first timestamp (0): just before a cliff, to go over it\n"
    "  --absolute-times   RTMP: full timestamps in each message, no deltas\n"
    "  --chunk-bytes N    of RTMP (4096)\n"
    "  --reconnect MS     a lost or refused one comes back after so long (1000); -1: not\n"
    "  --latency MS       of SRT (120)\n"
    "  --passphrase TEXT  of SRT\n"
    "  --streamid TEXT    of SRT, instead of publish:live/NAME; %d is the number\n"
    "  --threads N        that send (1)\n"
    "  --json FILE        what happens, as JSON lines; -: standard output\n"
    "  --quiet            only the summary\n"
    "  --i-own-this-host  publish to a host that is not this one\n"
    "\n"
    "exit status: 0 all went live and none was lost, 1 some did not or were, 2 usage, 3 not one went live\n";

struct publish_options {
    const char *url, *name, *key, *source, *file, *passphrase, *streamid, *json;
    double streams, first, seconds, ramp, speed, start_ms, reconnect_ms, latency_ms, threads, chunk_bytes;
    bool is_quiet, is_any_host, is_absolute;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    is_interrupted = 1;
}

static int read_options(int argc, char **argv, struct publish_options *o)
{
    const struct option_row rows[] = {
        { "--url", OPTION_TEXT, &o->url, 0, 0 },
        { "--name", OPTION_TEXT, &o->name, 0, 0 },
        { "--key", OPTION_TEXT, &o->key, 0, 0 },
        { "--source", OPTION_TEXT, &o->source, 0, 0 },
        { "--file", OPTION_TEXT, &o->file, 0, 0 },
        { "--passphrase", OPTION_TEXT, &o->passphrase, 0, 0 },
        { "--streamid", OPTION_TEXT, &o->streamid, 0, 0 },
        { "--json", OPTION_TEXT, &o->json, 0, 0 },
        { "--streams", OPTION_NUMBER, &o->streams, 1, LOADGEN_PUBLISHERS_MAX },
        { "--first", OPTION_NUMBER, &o->first, 0, 1e6 },
        { "--seconds", OPTION_NUMBER, &o->seconds, 0.1, LOADGEN_SECONDS_MAX },
        { "--ramp", OPTION_NUMBER, &o->ramp, 0.1, 1000 },
        { "--speed", OPTION_NUMBER, &o->speed, 0.1, 1000 },
        { "--start-ms", OPTION_NUMBER, &o->start_ms, 0, 1e13 },
        { "--reconnect", OPTION_NUMBER, &o->reconnect_ms, -1, 3600000 },
        { "--latency", OPTION_NUMBER, &o->latency_ms, 0, 60000 },
        { "--threads", OPTION_NUMBER, &o->threads, 1, LOADGEN_PUBLISHER_THREADS_MAX },
        { "--chunk-bytes", OPTION_NUMBER, &o->chunk_bytes, 128, 0xFFFFFF },
        { "--quiet", OPTION_FLAG, &o->is_quiet, 0, 0 },
        { "--absolute-times", OPTION_FLAG, &o->is_absolute, 0, 0 },
        { "--i-own-this-host", OPTION_FLAG, &o->is_any_host, 0, 0 },
    };
    struct option_set set = { "publish", usage, rows, ARRAY_LEN(rows), NULL, 0, 0 };
    const int result = options_read(&set, argc, argv);
    if (result >= 0) return result;
    if (!o->url) {
        fputs(usage, stderr);
        return LOADGEN_USAGE;
    }
    if (o->source && strncmp(o->source, "test:", 5) != 0)
        return options_complain(&set, "--source begins with test:, and --file names files; not", o->source);
    if (o->source && o->file) return options_complain(&set, "--source and --file are two sources:", o->file);
    return -1;
}

static int make_source(const struct publish_options *o, struct media_source **out)
{
    char why[256] = "";
    struct media_source_config config = { .wants_ts = !strncmp(o->url, "srt://", 6) };
    const char *text = o->source ? o->source : "test:720p30";
    if (o->file)
        config.file = o->file;
    else if (!media_source_parse(text, &config, why, sizeof why)) {
        fprintf(stderr, "weir-loadgen publish: %s\n", why);
        return LOADGEN_USAGE;
    }
    if (media_source_make(&config, out, why, sizeof why)) {
        fprintf(stderr, "weir-loadgen publish: %s\n", why);
        return LOADGEN_USAGE;
    }
    return -1;
}

/* -- while it runs -- */

struct watcher {
    struct event_log *log;
    bool is_quiet;
    int64_t last_told_us;
};

static void on_event(void *owner, const struct publisher_event *e)
{
    struct watcher *w = owner;
    event_log_publisher(w->log, e);
    if (w->is_quiet || (e->kind != PUBLISHER_REFUSED && e->kind != PUBLISHER_LOST && e->kind != PUBLISHER_BEHIND))
        return;
    fprintf(stderr, "%s %s: %s\n", e->name, publisher_event_name(e->kind), e->text);
}

static void report(struct publishers *g, struct watcher *w, int64_t begin_us)
{
    struct publishers_totals t;
    publishers_totals(g, &t);
    event_log_totals(w->log, "progress", &t);
    if (w->is_quiet) return;
    fprintf(stderr, "%7.1f s  %u live, %u waiting  %llu pictures  %.1f MB  queue %.0f ms\n",
            (double)(clock_now_us() - begin_us) / 1e6, t.live, t.waiting, (unsigned long long)t.frames,
            (double)t.bytes / 1e6, (double)t.queue_age_us / 1e3);
}

static void run(struct publishers *g, const struct publish_options *o, struct watcher *w)
{
    const double ramp_s = o->ramp > 0 ? o->streams / o->ramp : 0;
    const int64_t begin_us = clock_now_us(), end_us = begin_us + (int64_t)((ramp_s + o->seconds) * 1e6);
    int64_t report_us = begin_us + REPORT_US;
    for (int64_t now_us = begin_us; now_us < end_us && !is_interrupted; now_us = clock_now_us()) {
        const int64_t left_ns = (end_us - now_us) * 1000;
        const struct timespec pause = { .tv_nsec = left_ns < TURN_NS ? left_ns : TURN_NS };
        nanosleep(&pause, NULL);
        struct publishers_totals t;
        publishers_totals(g, &t);
        if (t.ended == publishers_count(g)) return; /* --reconnect -1, and all are gone */
        if (now_us < report_us) continue;
        report(g, w, begin_us);
        report_us += REPORT_US;
    }
}

static int summarise(struct publishers *g, struct watcher *w, double media_s)
{
    struct publishers_totals t;
    uint32_t never = 0;
    publishers_totals(g, &t);
    event_log_totals(w->log, "summary", &t);
    for (uint32_t i = 0; i < publishers_count(g); i++) {
        struct publisher_figures f;
        publishers_look(g, i, &f);
        never += !f.lives;
    }
    printf("%u publishers: %u went live, %llu lost, %llu refused; %llu pictures, %.1f MB, %llu left out, oldest in "
           "queue %.0f ms\n",
           publishers_count(g), publishers_count(g) - never, (unsigned long long)t.losses,
           (unsigned long long)t.refusals, (unsigned long long)t.frames, (double)t.bytes / 1e6,
           (unsigned long long)t.dropped_frames, (double)t.queue_age_max_us / 1e3);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    if (media_s > 0)
        printf("cpu %.2f s, %.3f ms for each second of a stream\n", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
               ((double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9) * 1e3 / media_s);
    if (never == publishers_count(g)) return LOADGEN_NOT_FOUND;
    return never || t.losses || t.dropped_frames ? LOADGEN_BROKEN : LOADGEN_GOOD;
}

static int publish(const struct publish_options *o, const struct media_source *source, struct watcher *w)
{
    char why[256] = "";
    const struct publishers_config config = { .url = o->url,
                                              .name = o->name,
                                              .key = o->key,
                                              .source = source,
                                              .count = (uint32_t)o->streams,
                                              .first = (uint32_t)o->first,
                                              .ramp_per_second = o->ramp,
                                              .speed = o->speed,
                                              .start_ms = (int64_t)o->start_ms,
                                              .reconnect_us = o->reconnect_ms < 0 ? -1
                                                                                  : (int64_t)(o->reconnect_ms * 1e3),
                                              .threads = (uint32_t)o->threads,
                                              .chunk_bytes = (uint32_t)o->chunk_bytes,
                                              .is_absolute_times = o->is_absolute,
                                              .is_any_host = o->is_any_host,
                                              .latency_ms = (uint32_t)o->latency_ms,
                                              .passphrase = o->passphrase,
                                              .streamid = o->streamid,
                                              .on_event = on_event,
                                              .owner = w };
    struct publishers *g = NULL;
    if (publishers_create(&config, &g, why, sizeof why)) {
        fprintf(stderr, "weir-loadgen publish: %s\n", why);
        return LOADGEN_USAGE;
    }
    const struct media_source_facts *f = media_source_facts(source);
    run(g, o, w);
    publishers_stop(g, STOP_WITHIN_US);
    struct publishers_totals t;
    publishers_totals(g, &t);
    const double loops = f->video_frames ? (double)t.frames / f->video_frames : 0;
    const int result = summarise(g, w, loops * (double)f->loop_90k / 90000);
    publishers_destroy(g);
    return result;
}

int publish_command(int argc, char **argv)
{
    struct publish_options o = { .name = "load%d",
                                 .streams = 1,
                                 .seconds = 30,
                                 .speed = 1,
                                 .reconnect_ms = 1000,
                                 .latency_ms = 120,
                                 .threads = 1,
                                 .chunk_bytes = 4096 };
    struct media_source *source = NULL;
    struct watcher w = { 0 };
    int result = read_options(argc, argv, &o);
    if (result >= 0) return result;
    w.is_quiet = o.is_quiet;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (o.json && !(w.log = event_log_open(o.json))) {
        fprintf(stderr, "weir-loadgen publish: %s: %s\n", o.json, strerror(errno));
        return LOADGEN_USAGE;
    }
    result = make_source(&o, &source);
    if (result < 0 && is_interrupted) result = LOADGEN_NOT_FOUND;
    if (result < 0) result = publish(&o, source, &w);
    media_source_destroy(source);
    event_log_close(w.log);
    return result;
}
