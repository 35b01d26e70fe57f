#include "watch_output.h"

#include <weir/base/clock.h>

#define ROWS 3 /* of the drawing */

static double seconds(int64_t us)
{
    return us < 0 ? 0 : (double)us / 1e6;
}

static double per_second(uint64_t now, uint64_t before, const struct watch_sample *s)
{
    const int64_t passed_us = s->at_us - s->before_us;
    return passed_us > 0 ? (double)(now - before) * 1e6 / (double)passed_us : 0;
}

static double megabits(const struct watch_sample *s)
{
    return per_second(s->now.all.bytes, s->bytes_before, s) * 8 / 1e6;
}

static uint64_t fault_sum(const struct crowd_figures *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) sum += f->faults[i];
    return sum;
}

/* -- JSON; URLs have no character that would need an escape but quotes and backslashes -- */

static void write_string(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void write_histogram(const char *name, const struct histogram *h, FILE *out)
{
    if (!h->count) return;
    fprintf(out, ",\"%s_ms\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"count\":%llu}", name,
            (double)histogram_percentile_us(h, 50) / 1e3, (double)histogram_percentile_us(h, 95) / 1e3,
            (double)histogram_percentile_us(h, 99) / 1e3, (double)h->max_us / 1e3, (unsigned long long)h->count);
}

static void write_figures(const struct crowd_figures *f, FILE *out)
{
    bool is_first = true;
    fprintf(
        out,
        "\"begun\":%u,\"loading\":%u,\"playing\":%u,\"stalled\":%u,\"ended\":%u,\"failed\":%u,\"requests\":%llu,"
        "\"bytes\":%llu,"
        "\"segments\":%llu,\"parts\":%llu,\"switches\":%llu,\"discontinuities\":%llu,\"stalls\":%llu,\"played_s\":%.3f,"
        "\"stalled_s\":%.3f,\"longest_stall_s\":%.3f,\"slowest_start_s\":%.3f,\"av_compared\":%llu,\"av_offset_ms\":%."
        "1f,"
        "\"faults\":{",
        f->viewers, f->states[VIEWER_LOADING], f->states[VIEWER_PLAYING], f->states[VIEWER_STALLED],
        f->states[VIEWER_ENDED], f->states[VIEWER_FAILED], (unsigned long long)f->requests,
        (unsigned long long)f->bytes, (unsigned long long)f->segments, (unsigned long long)f->parts,
        (unsigned long long)f->switches, (unsigned long long)f->discontinuities, (unsigned long long)f->stalls,
        (double)f->played_us / 1e6, (double)f->stalled_us / 1e6, (double)f->longest_stall_us / 1e6,
        (double)f->slowest_startup_us / 1e6, (unsigned long long)f->av_compared, (double)f->av_offset_us / 1e3);
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) {
        if (!f->faults[i]) continue;
        fprintf(out, "%s\"%s\":%llu", is_first ? "" : ",", viewer_fault_name(i), (unsigned long long)f->faults[i]);
        is_first = false;
    }
    fputc('}', out);
}

void watch_write_sample_json(const struct watch_sample *s, const char *const *urls, FILE *out)
{
    fprintf(out, "{\"type\":\"sample\",\"at_s\":%.3f,\"wall_s\":%.3f,\"viewers\":%u,", (double)s->at_us / 1e6,
            (double)clock_wall_us() / 1e6, s->viewers);
    write_figures(&s->now.all, out);
    fprintf(out, ",\"mbit_s\":%.2f,\"requests_s\":%.1f,\"least_buffer_ms\":%.0f,\"memory_bytes\":%llu,\"cpu_s\":%.3f",
            megabits(s), per_second(s->now.all.requests, s->requests_before, s), (double)s->now.least_buffer_us / 1e3,
            (unsigned long long)s->memory_bytes, (double)s->cpu_us / 1e6);
    write_histogram("startup", &s->now.startup, out);
    write_histogram("latency", &s->now.latency, out);
    write_histogram("arrival", &s->now.arrival, out);
    if (s->now.worst_latency_us >= 0) {
        fputs(",\"worst_stream\":", out);
        write_string(urls[s->now.worst_stream], out);
    }
    fputs("}\n", out);
    fflush(out);
}

void watch_write_fault(const char *url, const char *text, bool is_json, FILE *out)
{
    if (!is_json) {
        fprintf(out, "fault: %s\n", text);
        return;
    }
    fprintf(out, "{\"type\":\"fault\",\"wall_s\":%.3f,\"url\":", (double)clock_wall_us() / 1e6);
    write_string(url, out);
    fputs(",\"text\":", out);
    write_string(text, out);
    fputs("}\n", out);
    fflush(out);
}

void watch_write_end_json(const struct watch_end *e, FILE *out)
{
    const struct watch_sample *s = e->last;
    fprintf(out, "{\"type\":\"end\",\"at_s\":%.3f,\"viewers\":%u,\"good\":%s,", (double)s->at_us / 1e6, s->viewers,
            e->is_good ? "true" : "false");
    write_figures(&s->now.all, out);
    fprintf(out, ",\"memory_bytes\":%llu,\"cpu_s\":%.3f", (unsigned long long)s->memory_bytes, (double)s->cpu_us / 1e6);
    write_histogram("startup", &s->now.startup, out);
    write_histogram("latency", e->latency, out);
    write_histogram("arrival", e->arrival, out);
    fputs(",\"streams\":[", out);
    for (uint32_t i = 0; i < e->url_count; i++) {
        struct crowd_figures f;
        crowd_look_at_stream(e->crowd, i, &f);
        fprintf(out, "%s{\"url\":", i ? "," : "");
        write_string(e->urls[i], out);
        fputc(',', out);
        write_figures(&f, out);
        fputc('}', out);
    }
    fputs("]}\n", out);
    fflush(out);
}

/* -- for people -- */

static void write_latency(const struct histogram *h, FILE *out)
{
    if (!h->count)
        fputs("latency not known", out);
    else
        fprintf(out, "latency p50 %.2f s, p95 %.2f s, worst %.2f s", seconds(histogram_percentile_us(h, 50)),
                seconds(histogram_percentile_us(h, 95)), seconds(h->max_us));
}

void watch_write_sample_line(const struct watch_sample *s, FILE *out)
{
    const struct crowd_figures *f = &s->now.all;
    fprintf(out, "%6.1f s  playing %u of %u  stalled %u  stalls %llu  faults %llu  ", seconds(s->at_us),
            f->states[VIEWER_PLAYING], s->viewers, f->states[VIEWER_STALLED], (unsigned long long)f->stalls,
            (unsigned long long)fault_sum(f));
    write_latency(&s->now.latency, out);
    fprintf(out, "  %.0f Mbit/s\n", megabits(s));
    fflush(out);
}

void watch_draw(const struct watch_sample *s, const char *const *urls, bool is_first, FILE *out)
{
    const struct crowd_figures *f = &s->now.all;
    if (!is_first) fprintf(out, "\033[%dA", ROWS);
    fprintf(out, "\r\033[K%.0f of %.0f s   viewers %u: %u playing, %u loading, %u stalled, %u ended, %u failed\n",
            seconds(s->at_us), seconds(s->seconds_us), s->viewers, f->states[VIEWER_PLAYING], f->states[VIEWER_LOADING],
            f->states[VIEWER_STALLED], f->states[VIEWER_ENDED], f->states[VIEWER_FAILED]);
    fputs("\r\033[K", out);
    write_latency(&s->now.latency, out);
    if (s->now.worst_latency_us >= 0) fprintf(out, " (%s)", urls[s->now.worst_stream]);
    fprintf(out, "   least buffer %.2f s   slowest start %.2f s\n", seconds(s->now.least_buffer_us),
            seconds(f->slowest_startup_us));
    fprintf(out, "\r\033[Kstalls %llu (%.1f s)   faults %llu   %.0f Mbit/s   %.0f requests/s   memory %.0f MB\n",
            (unsigned long long)f->stalls, seconds(f->stalled_us), (unsigned long long)fault_sum(f), megabits(s),
            per_second(f->requests, s->requests_before, s), (double)s->memory_bytes / 1e6);
    fflush(out);
}

static void write_percentiles(const char *name, const struct histogram *h, FILE *out)
{
    if (!h->count) return;
    fprintf(out, "%-10s p50 %.3f s  p95 %.3f s  p99 %.3f s  worst %.3f s\n", name,
            seconds(histogram_percentile_us(h, 50)), seconds(histogram_percentile_us(h, 95)),
            seconds(histogram_percentile_us(h, 99)), seconds(h->max_us));
}

void watch_write_end_text(const struct watch_end *e, FILE *out)
{
    const struct watch_sample *s = e->last;
    const struct crowd_figures *f = &s->now.all;
    const struct object_cache_figures c = crowd_cache_figures(e->crowd);
    fprintf(out, "\n%u viewers of %u streams for %.1f s: %llu segments, %llu parts, %.1f MB in %llu requests\n",
            f->viewers, e->url_count, seconds(s->at_us), (unsigned long long)f->segments, (unsigned long long)f->parts,
            (double)f->bytes / 1e6, (unsigned long long)f->requests);
    write_percentiles("start", &s->now.startup, out);
    write_percentiles("latency", e->latency, out);
    write_percentiles("arrival", e->arrival, out);
    fprintf(out, "%-10s %llu, %.3f s of %.1f s played, longest %.3f s\n", "stalls", (unsigned long long)f->stalls,
            seconds(f->stalled_us), seconds(f->played_us), seconds(f->longest_stall_us));
    if (f->av_compared)
        fprintf(out, "%-10s at most %.1f ms from the picture, of %llu comparisons\n", "sound",
                (double)f->av_offset_us / 1e3, (unsigned long long)f->av_compared);
    fprintf(out, "%-10s %u loading, %u playing, %u stalled, %u ended, %u failed; %llu switches, %llu discontinuities\n",
            "viewers", f->states[VIEWER_LOADING], f->states[VIEWER_PLAYING], f->states[VIEWER_STALLED],
            f->states[VIEWER_ENDED], f->states[VIEWER_FAILED], (unsigned long long)f->switches,
            (unsigned long long)f->discontinuities);
    fprintf(out, "%-10s %.1f MB resident (%.0f kB a viewer), %.2f s CPU; %llu bodies read, %llu known already\n",
            "itself", (double)s->memory_bytes / 1e6, (double)s->memory_bytes / 1e3 / (f->viewers ? f->viewers : 1),
            seconds(s->cpu_us), (unsigned long long)c.reads, (unsigned long long)c.shared);
    for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) {
        if (f->faults[i])
            fprintf(out, "%-14s %8llu  %s\n", viewer_fault_name(i), (unsigned long long)f->faults[i],
                    viewer_fault_says(i));
    }
    fputs(e->is_good ? "good\n" : "NOT good\n", out);
}
