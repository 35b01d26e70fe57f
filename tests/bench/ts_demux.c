/* How fast the demux is on one core: ts_demux FILE [SECONDS]. The file is fed again and again in pieces of 1316 bytes, as SRT does, its continuity
 * counters made to go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/ingest/ts_demux.h>

#define MESSAGE_BYTES 1316

struct sum {
    uint64_t frames, bytes;
};

static void on_track(void *context, const struct ts_track *track) {}
static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
}
static void on_codec(void *context, unsigned index, enum media_codec codec) {}
static void on_frame(void *context, const struct ts_frame *f)
{
    struct sum *sum = context;
    sum->frames++;
    sum->bytes += f->bytes;
    blob_unref(f->message);
}
static void on_metadata(void *context, const struct ts_metadata *m)
{
    blob_unref(m->message);
}
static void on_clock_break(void *context) {}
static void on_problem(void *context, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint8_t *load(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) return NULL;
    *bytes = (size_t)ftell(f) / 188 * 188;
    rewind(f);
    uint8_t *data = malloc(*bytes + 1);
    if (data && fread(data, 1, *bytes, f) != *bytes) *bytes = 0;
    fclose(f);
    return data;
}

/* Each PID's counters go on from round to round. */
static void turn_counters(uint8_t *data, size_t bytes)
{
    static uint8_t next[8192];
    for (size_t at = 0; at < bytes; at += 188) {
        uint8_t *p = data + at;
        uint8_t *counter = &next[(p[1] & 0x1F) << 8 | p[2]];
        if (!(p[3] & 0x10)) continue;
        p[3] = (uint8_t)((p[3] & 0xF0) | *counter);
        *counter = (*counter + 1) & 15;
    }
}

int main(int argc, char **argv)
{
    size_t bytes = 0;
    uint8_t *data = argc > 1 ? load(argv[1], &bytes) : NULL;
    if (!data || !bytes) {
        fprintf(stderr, "usage: %s FILE.ts [SECONDS]\n", argv[0]);
        return 2;
    }
    static struct counters counters;
    struct sum sum = { 0 };
    const struct ts_demux_config config = { .may_end_early = true };
    const struct ts_demux_events events = { &sum,     on_track,    on_track,       on_config, on_codec,
                                            on_frame, on_metadata, on_clock_break, on_problem };
    struct ts_demux *d = ts_demux_create(&config, &events, &counters);
    const double seconds = argc > 2 ? atof(argv[2]) : 3;
    double used = 0;
    uint64_t fed = 0;
    while (d && used < seconds) {
        turn_counters(data, bytes);
        const double before = cpu_seconds();
        for (size_t at = 0; at < bytes; at += MESSAGE_BYTES)
            if (ts_demux_feed(d, data + at, bytes - at < MESSAGE_BYTES ? bytes - at : MESSAGE_BYTES)) return 1;
        used += cpu_seconds() - before;
        fed += bytes;
    }
    printf("%.2f GB/s, %.1f ns per packet; %llu frames, %.1f %% of the bytes in them, %llu continuity errors\n",
           (double)fed / used / 1e9, used / ((double)fed / 188) * 1e9, (unsigned long long)sum.frames,
           100.0 * (double)sum.bytes / (double)fed,
           (unsigned long long)counter_read(&counters, COUNTER_TS_CONTINUITY_ERRORS));
    ts_demux_destroy(d);
    free(data);
    return 0;
}
