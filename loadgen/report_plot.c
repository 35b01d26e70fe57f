#include "report_plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Units of the drawing; the page scales it to the column. */
#define WIDTH 480.0
#define HEIGHT 190.0
#define LEFT 50.0
#define RIGHT 18.0
#define TOP 8.0
#define BOTTOM 24.0
#define COLUMNS 320 /* at most two points are drawn in each: the least and the most */

void html_escape(const char *text, struct byte_writer *out)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': write_text(out, "&amp;"); break;
        case '<': write_text(out, "&lt;"); break;
        case '>': write_text(out, "&gt;"); break;
        case '"': write_text(out, "&quot;"); break;
        default: write_bytes(out, text, 1);
        }
    }
}

/* 1, 2 or 5 times a power of ten: about `wanted` steps in `range`. */
static double nice_step(double range, int wanted)
{
    const double raw = range / wanted, power = pow(10, floor(log10(raw))), left = raw / power;
    return power * (left < 1.5 ? 1 : left < 3.5 ? 2 : left < 7.5 ? 5 : 10);
}

static double time_step(double range_s)
{
    static const double steps[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400 };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (range_s / steps[i] <= 7) return steps[i];
    }
    return nice_step(range_s, 6);
}

static double x_of(const struct plot *p, double at_s)
{
    return LEFT + (at_s - p->from_s) / (p->to_s - p->from_s) * (WIDTH - LEFT - RIGHT);
}

static double y_of(double value, double most)
{
    return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
}

static double most_of(const struct plot *p)
{
    double most = 0;
    for (size_t i = 0; i < p->line_count; i++) {
        for (size_t k = 0; k < p->lines[i].series->count; k++) most = fmax(most, p->lines[i].series->points[k].value);
    }
    return most > 0 ? most : 1;
}

static void write_value_axis(double most, double step, struct byte_writer *out)
{
    for (int i = 0; i * step <= most * 1.0001; i++) {
        const double v = i * step, y = y_of(v, most);
        write_format(out, "<line class=grid x1=%.1f x2=%.1f y1=%.1f y2=%.1f />", LEFT, WIDTH - RIGHT, y, y);
        write_format(out, "<text x=%.1f y=%.1f text-anchor=end>%g</text>", LEFT - 5, y + 4, round(v * 1e6) / 1e6);
    }
}

static void write_time_axis(const struct plot *p, struct byte_writer *out)
{
    const double step = time_step(p->to_s - p->from_s);
    for (long i = lround(ceil(p->from_s / step)); (double)i * step <= p->to_s; i++) {
        const double t = (double)i * step;
        write_format(out, "<text x=%.1f y=%.1f text-anchor=middle>", x_of(p, t), HEIGHT - 7);
        if (step >= 3600)
            write_format(out, "%.0f h", t / 3600);
        else if (step >= 60)
            write_format(out, "%.0f min", t / 60);
        else
            write_format(out, "%.0f s", t);
        write_text(out, "</text>");
    }
}

static void write_events(const struct plot *p, struct byte_writer *out)
{
    for (size_t i = 0; p->events && i < p->events->event_count; i++) {
        const struct run_event *e = &p->events->events[i];
        const double x = x_of(p, e->at_s);
        if (x < LEFT || x > WIDTH - RIGHT) continue;
        write_format(out, "<line class=\"%s\" x1=%.1f x2=%.1f y1=%.1f y2=%.1f><title>",
                     strcmp(e->kind, "fault") ? "event" : "event fault", x, x, TOP, HEIGHT - BOTTOM);
        write_format(out, "%.1f s %s: ", e->at_s, e->kind);
        html_escape(e->text, out);
        write_text(out, "</title></line>");
    }
}

/* The least and the most of each column, in their order: spikes stay, and a day is no larger than a minute. */
static void write_line(const struct plot *p, const struct plot_line *line, double most, struct byte_writer *out)
{
    const struct run_series *s = line->series;
    write_format(out, "<polyline class=c%u points=\"", line->colour);
    for (size_t i = 0; i < s->count;) {
        const int column = (int)((s->points[i].at_s - p->from_s) / (p->to_s - p->from_s) * COLUMNS);
        size_t least = i, largest = i;
        for (; i < s->count && (int)((s->points[i].at_s - p->from_s) / (p->to_s - p->from_s) * COLUMNS) == column;
             i++) {
            if (s->points[i].value < s->points[least].value) least = i;
            if (s->points[i].value > s->points[largest].value) largest = i;
        }
        const size_t first = least < largest ? least : largest, second = least < largest ? largest : least;
        write_format(out, "%.1f,%.1f ", x_of(p, s->points[first].at_s), y_of(s->points[first].value, most));
        if (second != first)
            write_format(out, "%.1f,%.1f ", x_of(p, s->points[second].at_s), y_of(s->points[second].value, most));
    }
    write_text(out, "\"/>");
}

void plot_write(const struct plot *p, struct byte_writer *out)
{
    const double highest = most_of(p), step = nice_step(highest, 4), most = ceil(highest / step) * step;
    write_text(out, "<figure><figcaption><b>");
    html_escape(p->title, out);
    write_text(out, "</b>");
    if (p->unit[0]) write_format(out, " <span>%s</span>", p->unit);
    for (size_t i = 0; i < p->line_count; i++) {
        write_format(out, " <i class=c%u></i>", p->lines[i].colour);
        html_escape(p->lines[i].label, out);
    }
    write_format(out, "</figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=img aria-label=\"", WIDTH, HEIGHT);
    html_escape(p->title, out);
    write_text(out, "\">");
    write_value_axis(most, step, out);
    write_time_axis(p, out);
    write_events(p, out);
    for (size_t i = 0; i < p->line_count; i++) write_line(p, &p->lines[i], most, out);
    write_text(out, "</svg></figure>\n");
}
