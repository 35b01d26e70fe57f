/* What a soak says while it runs, and of each server at the end. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weir/base/clock.h>

#include "soak_internal.h"

#define ROWS 4 /* of the drawing */
#define LINE_US 10000000

static double or_zero(double value)
{
    return isnan(value) ? 0 : value;
}

void soak_tell_event(struct leg *l, const char *kind, const char *text)
{
    run_record_event(l->record, leg_at_s(l), kind, text);
    if (l->options->is_json) {
        json_t *line = json_pack("{s:s,s:s,s:f,s:s,s:s}", "type", "event", "server", l->server->name, "at_s",
                                 leg_at_s(l), "kind", kind, "text", text);
        if (line) json_dumpf(line, stdout, JSON_COMPACT);
        if (line) putchar('\n');
        json_decref(line);
    } else {
        printf("%s%8.1f s  %s: %s\n", l->is_drawn ? "\r\033[J" : "", leg_at_s(l), kind, text);
        l->is_drawn = false;
    }
    fflush(stdout);
}

static void tell_json(const struct leg *l)
{
    printf("{\"type\":\"sample\",\"server\":\"%s\",\"at_s\":%.3f", l->server->name, leg_at_s(l));
    for (int i = 0; i < RUN_SERIES_COUNT; i++) {
        const double value = run_series_last(l->record, (enum run_series_id)i);
        if (!isnan(value)) printf(",\"%s\":%.6g", run_series_name((enum run_series_id)i), value);
    }
    puts("}");
    fflush(stdout);
}

static double last(const struct leg *l, enum run_series_id id)
{
    return or_zero(run_series_last(l->record, id));
}

static void draw(struct leg *l)
{
    if (l->is_drawn) printf("\033[%dA", ROWS);
    printf("\r\033[K%s of %s: %.0f of %.0f s\n", l->server->name, l->scenario->name, leg_at_s(l), l->scenario->seconds);
    printf("\r\033[Kpublishers %.0f   streams %.0f   viewers %.0f playing, %.0f stalled   stalls %.0f   faults %.0f\n",
           last(l, RUN_PUBLISHERS), last(l, RUN_STREAMS), last(l, RUN_PLAYING), last(l, RUN_STALLED),
           last(l, RUN_STALLS), last(l, RUN_FAULTS));
    printf("\r\033[Klatency p50 %.2f s, p95 %.2f s, worst %.2f s   %.0f Mbit/s\n", last(l, RUN_LATENCY_50),
           last(l, RUN_LATENCY_95), last(l, RUN_LATENCY_MAX), last(l, RUN_RATE));
    printf("\r\033[Kserver: memory %.1f MB (private %.1f), CPU %.2f cores, %.0f descriptors, %.0f threads\n",
           last(l, RUN_PSS), last(l, RUN_HEAP), last(l, RUN_CPU), last(l, RUN_DESCRIPTORS), last(l, RUN_THREADS));
    fflush(stdout);
    l->is_drawn = true;
}

static void tell_line(const struct leg *l)
{
    printf("%8.1f s  publishers %.0f  playing %.0f  stalled %.0f  stalls %.0f  faults %.0f  latency p95 %.2f s  memory "
           "%.1f MB  CPU %.2f\n",
           leg_at_s(l), last(l, RUN_PUBLISHERS), last(l, RUN_PLAYING), last(l, RUN_STALLED), last(l, RUN_STALLS),
           last(l, RUN_FAULTS), last(l, RUN_LATENCY_95), last(l, RUN_PSS), last(l, RUN_CPU));
    fflush(stdout);
}

void soak_tell(struct leg *l)
{
    const int64_t now_us = clock_now_us();
    if (l->options->is_json) {
        tell_json(l);
    } else if (l->options->is_terminal) {
        draw(l);
    } else if (now_us >= l->line_us) {
        tell_line(l);
        l->line_us = now_us + LINE_US;
    }
}

/* -- the end of one server -- */

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

void soak_write_record_json(const struct run_record *r, FILE *out)
{
    json_t *verdicts = json_array();
    for (size_t i = 0; i < r->verdict_count; i++) {
        const struct run_verdict *v = &r->verdicts[i];
        json_array_append_new(verdicts, json_pack("{s:s,s:o,s:o,s:o,s:b}", "threshold", v->name, "at_least",
                                                  number_or_null(v->least), "at_most", number_or_null(v->most), "seen",
                                                  number_or_null(v->got), "good", v->is_good));
    }
    json_t *line = json_pack(
        "{s:s,s:s,s:b,s:s,s:f,s:o,s:o,s:o,s:o,s:o,s:o}", "type", "end", "server", r->server, "good", r->is_good,
        "broken", r->broken, "seconds", r->seconds, "memory_slope_mb_per_hour",
        number_or_null(r->memory.is_known ? r->memory.slope * 3600 / r->speed : NAN), "memory_low_mb_per_hour",
        number_or_null(r->memory.is_known ? r->memory.low * 3600 / r->speed : NAN), "memory_high_mb_per_hour",
        number_or_null(r->memory.is_known ? r->memory.high * 3600 / r->speed : NAN), "memory_before_mb",
        number_or_null(r->before.is_known ? r->before.pss_mb : NAN), "memory_after_mb",
        number_or_null(r->after.is_known ? r->after.pss_mb : NAN), "verdicts", verdicts);
    if (line) json_dumpf(line, out, JSON_COMPACT);
    if (line) fputc('\n', out);
    json_decref(line);
    fflush(out);
}

void soak_write_record_text(const struct run_record *r, FILE *out)
{
    fprintf(out, "\n%s: %.0f s\n", r->server, r->seconds);
    if (r->broken[0]) fprintf(out, "  broken: %s\n", r->broken);
    if (r->memory.is_known)
        fprintf(out,
                "  memory: %.2f MB an hour of media (95 %%: %.2f to %.2f), from %.1f to %.1f MB; before %.1f, after "
                "%.1f MB\n",
                r->memory.slope * 3600 / r->speed, r->memory.low * 3600 / r->speed, r->memory.high * 3600 / r->speed,
                r->memory.first, r->memory.last, r->before.pss_mb, r->after.pss_mb);
    for (size_t i = 0; i < r->verdict_count; i++) {
        const struct run_verdict *v = &r->verdicts[i];
        fprintf(out, "  %-5s %-26s ", v->is_good ? "ok" : "NOT", v->name);
        if (!isnan(v->least)) fprintf(out, "at least %-8g ", v->least);
        if (!isnan(v->most)) fprintf(out, "at most %-8g ", v->most);
        fputs("seen ", out);
        if (isnan(v->got))
            fputs("nothing", out);
        else
            fprintf(out, "%.4g", v->got);
        fputc('\n', out);
    }
    fprintf(out, "  %s\n", r->is_good ? "good" : "NOT good");
    fflush(out);
}
