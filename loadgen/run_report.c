#include <weir/loadgen/run_report.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report_plot.h"

#define EVENTS_SHOWN_MAX 200

static const char style[] = ":root{--bg:#fff;--fg:#1a1d21;--soft:#667;--line:#dde1e6;--c0:#2563eb;--c1:#d97706;--c2:#"
                            "dc2626;--c3:#0d9488;--c4:#7c3aed;--c5:#64748b;"
                            "--good:#15803d;--bad:#b91c1c;--event:#9333ea}"
                            "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e8eb;--soft:#99a2ad;--line:#"
                            "2b3138;--c0:#6ea8fe;--c1:#f5b14c;--c2:#f87171;"
                            "--c3:#4fd1c5;--c4:#b794f6;--c5:#94a3b8;--good:#4ade80;--bad:#f87171;--event:#c084fc}}"
                            "*{box-sizing:border-box}body{background:var(--bg);color:var(--fg);font:16px/1.45 "
                            "system-ui,sans-serif;margin:0 auto;max-width:1100px;"
                            "padding:16px}h1{font-size:1.5em;margin:.2em 0}h2{font-size:1.15em;margin:1.4em 0 "
                            ".4em}p{margin:.3em 0}.soft,figcaption span{color:var(--soft)}"
                            ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));"
                            "gap:18px 24px}figure{margin:0;min-width:0}"
                            "svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font:12px "
                            "system-ui,sans-serif}figcaption{font-size:.9em}"
                            "polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}.grid{stroke:var(--line)}.event{"
                            "stroke:var(--event);stroke-dasharray:3 3}"
                            ".event.fault{stroke:var(--bad)}i[class]{display:inline-block;width:.8em;height:.8em;"
                            "border-radius:2px;margin:0 .3em 0 .7em}"
                            "polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1)}polyline.c2{stroke:var(--c2)}"
                            "polyline.c3{stroke:var(--c3)}polyline.c4{stroke:var(--c4)}"
                            "polyline.c5{stroke:var(--c5)}i.c0{background:var(--c0)}i.c1{background:var(--c1)}i.c2{"
                            "background:var(--c2)}i.c3{background:var(--c3)}"
                            "i.c4{background:var(--c4)}i.c5{background:var(--c5)}.scroll{overflow-x:auto}table{border-"
                            "collapse:collapse;font-size:.92em}"
                            "th,td{text-align:left;padding:.25em .8em .25em 0;border-bottom:1px solid "
                            "var(--line);vertical-align:top}td.n{text-align:right;"
                            "font-variant-numeric:tabular-nums;white-space:nowrap}.good{color:var(--good);font-weight:"
                            "600}.bad{color:var(--bad);font-weight:600}"
                            "code{font-size:.9em;overflow-wrap:anywhere}.head{font-size:1.25em}";

static void write_number(double value, struct byte_writer *out)
{
    if (isnan(value))
        write_text(out, "–");
    else
        write_format(out, "%.*f", fabs(value) >= 100 || value == floor(value) ? 0 : fabs(value) >= 1 ? 2 : 3, value);
}

static void write_head(const struct run_report *r, struct byte_writer *out)
{
    bool is_good = true;
    for (size_t i = 0; i < r->record_count; i++) is_good &= r->records[i].is_good;
    write_text(out, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
                    "content=\"width=device-width,initial-scale=1\">"
                    "<meta name=color-scheme content=\"light dark\"><title>");
    html_escape(r->scenario->name, out);
    write_format(out, "</title><style>%s</style><h1>", style);
    html_escape(r->scenario->name, out);
    write_format(out, "</h1><p class=\"head %s\">%s</p><p>", is_good ? "good" : "bad",
                 is_good ? "All thresholds hold" : "NOT good");
    html_escape(r->scenario->about, out);
    write_text(out, "</p><p class=soft>");
    html_escape(r->when, out);
    write_text(out, " · ");
    html_escape(r->machine, out);
    write_text(out, "<br><code>");
    html_escape(r->command, out);
    write_text(out, "</code></p>\n");
}

static void write_verdicts(const struct run_record *r, struct byte_writer *out)
{
    write_text(out, "<h2>");
    html_escape(r->server, out);
    write_text(out, "</h2>");
    if (r->broken[0]) {
        write_text(out, "<p class=bad>");
        html_escape(r->broken, out);
        write_text(out, "</p>");
    }
    write_text(out, "<div class=scroll><table><tr><th><th>threshold<th>at least<th>at most<th>seen<th>what it is");
    for (size_t i = 0; i < r->verdict_count; i++) {
        const struct run_verdict *v = &r->verdicts[i];
        write_format(out, "<tr><td class=%s>%s<td>", v->is_good ? "good" : "bad", v->is_good ? "✓" : "✗");
        html_escape(v->name, out); /* what the scenario expects has a name and words of its own */
        write_text(out, "<td class=n>");
        write_number(v->least, out);
        write_text(out, "<td class=n>");
        write_number(v->most, out);
        write_text(out, "<td class=n>");
        write_number(v->got, out);
        write_text(out, "<td class=soft>");
        html_escape(v->says, out);
    }
    write_text(out, "</table></div>");
    if (r->memory.is_known) {
        write_text(out, "<p>Memory behind the warm-up: slope ");
        write_number(r->memory.slope * 3600 / r->speed, out);
        write_text(out, " MB an hour of media, 95 % between ");
        write_number(r->memory.low * 3600 / r->speed, out);
        write_text(out, " and ");
        write_number(r->memory.high * 3600 / r->speed, out);
        write_text(out, "; from ");
        write_number(r->memory.first, out);
        write_text(out, " to ");
        write_number(r->memory.last, out);
        write_text(out, " MB.</p>\n");
    }
}

/* -- figures side by side -- */

struct figure {
    const char *says;
    double (*value)(const struct run_record *r);
};

static double peak_memory(const struct run_record *r)
{
    return run_series_most(r, RUN_PSS);
}
static double mean_cpu(const struct run_record *r)
{
    return run_series_mean(r, RUN_CPU, r->seconds / 4);
}
static double stalls(const struct run_record *r)
{
    return r->totals.stalls;
}
static double longest_stall(const struct run_record *r)
{
    return r->totals.longest_stall_s;
}
static double slowest_start(const struct run_record *r)
{
    return r->totals.slowest_start_s;
}
static double latency(const struct run_record *r)
{
    return r->totals.latency_p95_s;
}
static double arrival(const struct run_record *r)
{
    return r->totals.arrival_p99_ms;
}
static double faults(const struct run_record *r)
{
    return r->totals.faults;
}
static double losses(const struct run_record *r)
{
    return r->totals.losses;
}
static double memory_before(const struct run_record *r)
{
    return r->before.is_known ? r->before.pss_mb : NAN;
}
static double memory_after(const struct run_record *r)
{
    return r->after.is_known ? r->after.pss_mb : NAN;
}
static double descriptors_most(const struct run_record *r)
{
    return run_series_most(r, RUN_DESCRIPTORS);
}

static void write_figures(const struct run_report *r, struct byte_writer *out)
{
    static const struct figure rows[] = {
        { "server memory, highest (PSS, MB)", peak_memory },
        { "server memory before the load (MB)", memory_before },
        { "server memory behind the load (MB)", memory_after },
        { "server CPU, mean of the last three quarters (cores)", mean_cpu },
        { "descriptors, most", descriptors_most },
        { "stalls", stalls },
        { "longest stall (s)", longest_stall },
        { "slowest first picture (s)", slowest_start },
        { "latency p95 (s)", latency },
        { "arrival p99 (ms)", arrival },
        { "faults", faults },
        { "publishers lost", losses },
    };
    write_text(out, "<h2>Figures</h2><div class=scroll><table><tr><th>");
    for (size_t k = 0; k < r->record_count; k++) {
        write_text(out, "<th>");
        html_escape(r->records[k].server, out);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_format(out, "<tr><td>%s", rows[i].says);
        for (size_t k = 0; k < r->record_count; k++) {
            write_text(out, "<td class=n>");
            write_number(rows[i].value(&r->records[k]), out);
        }
    }
    write_text(out, "</table></div>\n");
}

/* -- plots -- */

struct plot_plan {
    const char *title, *unit;
    enum run_series_id series[3];
    const char *labels[3]; /* NULL: no more */
};

static const struct plot_plan plans[] = {
    { "Server memory", "MB", { RUN_PSS, RUN_HEAP, RUN_WINDOW }, { "PSS", "private", "windows" } },
    { "CPU", "cores", { RUN_CPU, RUN_LOADGEN_CPU }, { "server", "load generator", NULL } },
    { "Latency of the picture", "s", { RUN_LATENCY_50, RUN_LATENCY_95, RUN_LATENCY_MAX }, { "p50", "p95", "worst" } },
    { "Arrival of the newest picture", "ms", { RUN_ARRIVAL_50, RUN_ARRIVAL_99 }, { "p50", "p99", NULL } },
    { "Viewers", "", { RUN_PLAYING, RUN_STALLED }, { "playing", "stalled", NULL } },
    { "Stalls and faults so far", "", { RUN_STALLS, RUN_FAULTS }, { "stalls", "faults", NULL } },
    { "Streams", "", { RUN_PUBLISHERS, RUN_STREAMS, RUN_OBJECTS }, { "publishers", "streams", "live objects" } },
    { "Descriptors and threads", "", { RUN_DESCRIPTORS, RUN_THREADS }, { "descriptors", "threads", NULL } },
    { "To viewers", "Mbit/s", { RUN_RATE }, { "received", NULL, NULL } },
};

static void find_times(const struct run_report *r, struct plot *p)
{
    p->from_s = 0;
    p->to_s = 1;
    for (size_t k = 0; k < r->record_count; k++) {
        for (int i = 0; i < RUN_SERIES_COUNT; i++) {
            const struct run_series *s = &r->records[k].series[i];
            if (!s->count) continue;
            p->from_s = fmin(p->from_s, s->points[0].at_s);
            p->to_s = fmax(p->to_s, s->points[s->count - 1].at_s);
        }
    }
}

static void write_plot(const struct run_report *r, const struct plot_plan *plan, struct byte_writer *out)
{
    char labels[PLOT_LINES_MAX][96];
    struct plot p = { .title = plan->title,
                      .unit = plan->unit,
                      .events = r->record_count == 1 ? &r->records[0] : NULL };
    find_times(r, &p);
    for (size_t k = 0; k < r->record_count; k++) {
        for (unsigned i = 0; i < 3 && plan->labels[i] && p.line_count < PLOT_LINES_MAX; i++) {
            const struct run_series *s = &r->records[k].series[plan->series[i]];
            if (!s->count) continue;
            char *label = labels[p.line_count];
            snprintf(label, sizeof labels[0], "%s%s%s", r->record_count > 1 ? r->records[k].server : "",
                     r->record_count > 1 ? ": " : "", plan->labels[i]);
            p.lines[p.line_count++] = (struct plot_line){ s, label, (unsigned)(k * 3 + i) % 6 };
        }
    }
    if (p.line_count) plot_write(&p, out);
}

static void write_events(const struct run_record *r, struct byte_writer *out)
{
    if (!r->event_count) return;
    write_text(out, "<h2>What happened");
    write_text(out, "</h2><div class=scroll><table>");
    for (size_t i = 0; i < r->event_count && i < EVENTS_SHOWN_MAX; i++) {
        const struct run_event *e = &r->events[i];
        write_format(out, "<tr><td class=n>%.1f s<td>", e->at_s);
        html_escape(e->kind, out);
        write_text(out, "<td class=soft>");
        html_escape(e->text, out);
    }
    write_text(out, "</table></div>");
    const size_t more = (r->event_count > EVENTS_SHOWN_MAX ? r->event_count - EVENTS_SHOWN_MAX : 0) +
                        r->events_left_out;
    if (more) write_format(out, "<p class=soft>and %zu more</p>", more);
}

void run_report_write_html(const struct run_report *r, struct byte_writer *out)
{
    write_head(r, out);
    for (size_t k = 0; k < r->record_count; k++) write_verdicts(&r->records[k], out);
    write_text(
        out,
        "<h2>Over time</h2><p class=soft>0 is where the load begins; dashed lines are events.</p><div class=plots>\n");
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) write_plot(r, &plans[i], out);
    write_text(out, "</div>\n");
    write_figures(r, out);
    for (size_t k = 0; k < r->record_count; k++) write_events(&r->records[k], out);
    write_text(out, "</html>\n");
}
