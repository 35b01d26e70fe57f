#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/bytes.h>
#include <weir/base/clock.h>

#include "metrics_internal.h"
#include "pages.h"

#define METRICS_BYTES_MAX (16 * MIB)

static void write_counters(struct byte_writer *w, struct house *h)
{
    const struct counters *counters[HOUSE_COUNTERS_MAX];
    const size_t count = house_counters(h, counters);
    for (int id = 0; id < COUNTER_COUNT; id++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) sum += counter_read(counters[i], (enum counter)id);
        const char *name = counter_name((enum counter)id);
        write_format(w, "# HELP weir_%s_total %s\n# TYPE weir_%s_total counter\nweir_%s_total %llu\n", name,
                     counter_help((enum counter)id), name, name, (unsigned long long)sum);
    }
}

/* Resident bytes, from the kernel; 0 where it does not say. */
static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long total = 0, resident = 0;
    const int got = f ? fscanf(f, "%lu %lu", &total, &resident) : 0;
    if (f) fclose(f);
    return got == 2 ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void gauge(struct byte_writer *w, const char *name, const char *help, uint64_t value)
{
    write_format(w, "# HELP weir_%s %s\n# TYPE weir_%s gauge\nweir_%s %llu\n", name, help, name, name,
                 (unsigned long long)value);
}

/* Backslash and quote are escaped; a name holds no newline. */
void metrics_write_label(struct byte_writer *w, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"') write_u8(w, '\\');
        write_u8(w, (uint8_t)*text);
    }
}

struct stream_metric {
    const char *name, *help, *type;
    uint64_t (*read)(struct live_edge *edge, int64_t now_us);
};

#define FIGURE_READER(field)                                                                                           \
    static uint64_t read_##field(struct live_edge *e, int64_t now_us)                                                  \
    {                                                                                                                  \
        return figure_read(&live_edge_figures(e)->field);                                                              \
    }
FIGURE_READER(bytes_in)
FIGURE_READER(bitrate_bps)
FIGURE_READER(video_frames)
FIGURE_READER(audio_frames)
FIGURE_READER(segments)
FIGURE_READER(eras)
FIGURE_READER(frames_dropped)
FIGURE_READER(segments_forced)
FIGURE_READER(times_refused)
FIGURE_READER(parts)
FIGURE_READER(frames_damaged)
FIGURE_READER(frames_damage_dropped)
FIGURE_READER(window_bytes)
FIGURE_READER(dvr_gaps)
FIGURE_READER(keyframe_interval_ms)
FIGURE_READER(input_age_ms)
FIGURE_READER(input_age_peak_ms)

static uint64_t read_viewers(struct live_edge *e, int64_t now_us)
{
    return live_edge_viewers(e, now_us);
}

static uint64_t read_is_live(struct live_edge *e, int64_t now_us)
{
    return live_edge_state(e) == STREAM_LIVE;
}

static uint64_t read_repairs(struct live_edge *e, int64_t now_us)
{
    uint64_t sum = 0;
    for (int kind = 1; kind < TIMELINE_REPAIR_COUNT; kind++) sum += figure_read(&live_edge_figures(e)->repairs[kind]);
    return sum;
}

static const struct stream_metric stream_metrics[] = {
    { "stream_live", "1 while a publisher sends", "gauge", read_is_live },
    { "stream_viewers", "distinct players that asked for a playlist lately", "gauge", read_viewers },
    { "stream_received_bytes_total", "media bytes received", "counter", read_bytes_in },
    { "stream_bitrate_bps", "bit rate over the last seconds", "gauge", read_bitrate_bps },
    { "stream_video_frames_total", "video frames received", "counter", read_video_frames },
    { "stream_audio_frames_total", "audio frames received", "counter", read_audio_frames },
    { "stream_segments_total", "segments published", "counter", read_segments },
    { "stream_parts_total", "parts published, of all renditions", "counter", read_parts },
    { "stream_segments_forced_total", "segments cut inside a GOP because it was too long", "counter",
      read_segments_forced },
    { "stream_times_refused_total", "encoder's times that were not believed (hls.numbering: epoch)", "counter",
      read_times_refused },
    { "stream_frames_dropped_total", "frames the packager could not place", "counter", read_frames_dropped },
    { "stream_frames_damaged_total", "frames that arrived damaged", "counter", read_frames_damaged },
    { "stream_frames_dropped_damaged_total", "frames dropped: damaged, or in need of one that was", "counter",
      read_frames_damage_dropped },
    { "stream_eras_total", "eras begun", "counter", read_eras },
    { "stream_repairs_total", "timestamps repaired", "counter", read_repairs },
    { "stream_dvr_gaps_total", "segments listed as gaps because they could not be kept on disk", "counter",
      read_dvr_gaps },
    { "stream_window_bytes", "media bytes kept for players", "gauge", read_window_bytes },
    { "stream_keyframe_interval_ms", "last distance between keyframes", "gauge", read_keyframe_interval_ms },
    { "stream_input_age_ms", "how much later the last frame came than the most punctual one of late", "gauge",
      read_input_age_ms },
    { "stream_input_age_peak_ms", "the most of that in the last one to two minutes", "gauge", read_input_age_peak_ms },
};

#define X(field, type, help)                                                                                           \
    static uint64_t read_transport_##field(struct live_edge *e, int64_t now_us)                                        \
    {                                                                                                                  \
        return figure_read(&live_edge_figures(e)->transport.field);                                                    \
    }
WEIR_TRANSPORT_FIGURES(X)
#undef X

static const char counter_type[] = "counter";

/* Only of streams whose transport has such figures. */
static const struct stream_metric transport_metrics[] = {
#define X(field, type, help) { "stream_transport_" #field, help, type, read_transport_##field },
    WEIR_TRANSPORT_FIGURES(X)
#undef X
};

static void write_metric(struct byte_writer *w, const struct stream_metric *metric, struct live_edge *const *edges,
                         size_t count, bool is_transport)
{
    const int64_t now_us = clock_now_us();
    /* the table of transports has plain names: counters get their ending here */
    const char *ending = is_transport && !strcmp(metric->type, counter_type) ? "_total" : "";
    write_format(w, "# HELP weir_%s%s %s\n# TYPE weir_%s%s %s\n", metric->name, ending, metric->help, metric->name,
                 ending, metric->type);
    for (size_t i = 0; i < count; i++) {
        if (is_transport &&
            !atomic_load_explicit(&live_edge_figures(edges[i])->transport.has_figures, memory_order_relaxed))
            continue;
        write_format(w, "weir_%s%s{stream=\"", metric->name, ending);
        metrics_write_label(w, live_edge_name(edges[i]));
        write_format(w, "\"} %llu\n", (unsigned long long)metric->read(edges[i], now_us));
    }
}

static void write_streams(struct byte_writer *w, struct house *h)
{
    struct live_edge **edges = malloc(STREAMS_MAX * sizeof(struct live_edge *));
    if (!edges) {
        w->failed = true;
        return;
    }
    const size_t count = registry_list(house_registry(h), edges, STREAMS_MAX);
    gauge(w, "streams", "names that are live, holding or ended lately", count);
    for (size_t m = 0; m < ARRAY_LEN(stream_metrics); m++) write_metric(w, &stream_metrics[m], edges, count, false);
    for (size_t m = 0; m < ARRAY_LEN(transport_metrics); m++)
        write_metric(w, &transport_metrics[m], edges, count, true);
    for (size_t i = 0; i < count; i++) live_edge_unref(edges[i]);
    free(edges);
}

static void write_dvr(struct byte_writer *w, struct archive *archive)
{
    struct archive_figures f;
    archive_read_figures(archive, &f);
    gauge(w, "dvr_bytes", "bytes on disk", f.bytes);
    gauge(w, "dvr_queued_bytes", "bytes that wait to be written to disk", f.queued_bytes);
    gauge(w, "dvr_failing", "1 while segments cannot be written to disk, or not fast enough", f.is_failing);
}

struct frozen *metrics_render(struct house *h)
{
    struct byte_writer w;
    byte_writer_init(&w, METRICS_BYTES_MAX);
    write_text(&w, "# HELP weir_build_info version of the running binary\n# TYPE weir_build_info gauge\n");
    write_text(&w, "weir_build_info{version=\"" WEIR_VERSION "\"} 1\n");
    gauge(&w, "uptime_seconds", "seconds since the start", (uint64_t)(clock_now_us() - house_started_us(h)) / 1000000);
    gauge(&w, "resident_bytes", "memory in use, as the kernel counts it", resident_bytes());
    const struct mallinfo2 heap = mallinfo2(); /* walks what is free: some ten microseconds per stream */
    gauge(&w, "heap_used_bytes", "memory that something in weir holds", heap.uordblks + heap.hblkhd);
    gauge(&w, "heap_free_bytes", "memory that weir has from the kernel and that nothing in it holds at the moment",
          heap.fordblks);
    gauge(&w, "rtmp_connections", "open RTMP connections", house_rtmp_connections(h));
    gauge(&w, "srt_loops_stuck", "SRT loops that hang in libsrt", house_srt_loops_stuck(h));
    gauge(&w, "srt_connections", "open SRT connections", house_srt_connections(h));
    write_format(&w,
                 "# HELP weir_srt_datagrams_dropped_total packets that the kernel dropped before libsrt: buffer full, "
                 "or unsound\n"
                 "# TYPE weir_srt_datagrams_dropped_total counter\nweir_srt_datagrams_dropped_total %llu\n",
                 (unsigned long long)house_srt_datagrams_dropped(h));
    gauge(&w, "http_connections", "open HTTP connections", house_http_connections(h));
    if (house_archive(h)) write_dvr(&w, house_archive(h));
    write_counters(&w, h);
    write_streams(&w, h);
    metrics_write_ladders(&w, h);
    struct frozen *text = byte_writer_freeze(&w);
    byte_writer_deinit(&w);
    return text;
}
