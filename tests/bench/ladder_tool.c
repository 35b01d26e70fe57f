/* ladder_tool: an FLV file of H.264 at 30 frames a second through a ladder, as fast as it goes or at its own pace, and what that took.
 *   ladder_tool FILE RUNGS PRESET low|normal [live] [folder for the rungs' H.264]
 * RUNGS: 720:2500,480:1200 (height:kbit/s). Prints one line of key=value. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/transcode/ladder.h>

#define LATENCIES_MAX 100000
#define AHEAD_90K 45000

struct tool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ladder_plan plan;
    size_t drained, encoded, packets;
    FILE *files[LADDER_RUNGS_MAX];
    struct track *tracks[LADDER_RUNGS_MAX];
    uint64_t bytes[LADDER_RUNGS_MAX];
    int64_t latencies_us[LATENCIES_MAX];
    size_t latency_count;
    const char *folder;
};

static void die(const char *text)
{
    fprintf(stderr, "ladder_tool: %s\n", text);
    exit(1);
}

static void on_planned(void *context, const struct ladder_plan *plan)
{
    struct tool *t = context;
    t->plan = *plan;
    t->encoded = plan->encoded_count;
    if (!t->encoded) die("no rung is smaller than the file's picture: nothing would be encoded");
    for (size_t i = 0; t->folder && i < plan->rung_count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.h264", t->folder, plan->rungs[i].name);
        if (plan->rungs[i].kind == RUNG_ENCODED) t->files[i] = fopen(path, "wb");
    }
}

static void write_nal(FILE *f, const uint8_t *data, size_t bytes)
{
    static const uint8_t code[4] = { 0, 0, 0, 1 };
    fwrite(code, 1, sizeof code, f);
    fwrite(data, 1, bytes, f);
}

/* Parameter sets of an avcC, in front. */
static void on_track(void *context, size_t rung, struct track *track)
{
    struct tool *t = context;
    struct byte_reader r;
    const struct byte_span config = track_config(track);
    if (!t->files[rung]) return;
    byte_reader_init(&r, config.data, config.bytes);
    read_span(&r, 5);
    for (int list = 0; list < 2; list++) {
        for (unsigned left = read_u8(&r) & 0x1F; left; left--) {
            const struct byte_span nal = read_span(&r, read_u16(&r));
            write_nal(t->files[rung], nal.data, nal.bytes);
        }
    }
}

static void on_packet(void *context, size_t rung, const struct media_packet *p)
{
    struct tool *t = context;
    struct byte_reader r;
    byte_reader_init(&r, p->payload.data, p->payload.bytes);
    while (t->files[rung] && byte_reader_left(&r)) {
        const struct byte_span nal = read_span(&r, read_u32(&r));
        write_nal(t->files[rung], nal.data, nal.bytes);
    }
    t->bytes[rung] += p->payload.bytes;
    pthread_mutex_lock(&t->lock);
    if (t->latency_count < LATENCIES_MAX) t->latencies_us[t->latency_count++] = clock_now_us() - p->arrival_us;
    t->packets++;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void on_absent(void *context, size_t rung)
{
    die("a rung was given up");
}

static void on_drained(void *context, size_t rung)
{
    struct tool *t = context;
    pthread_mutex_lock(&t->lock);
    t->drained++;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void parse_rungs(struct ladder_config *c, char *text, const char *preset)
{
    c->rungs[c->rung_count++] = (struct rung_config){ .name = "source", .kind = RUNG_PASSTHROUGH };
    for (char *word; (word = strsep(&text, ","));) {
        struct rung_config *r = &c->rungs[c->rung_count++];
        unsigned height = 0, kbit = 0;
        if (c->rung_count > LADDER_RUNGS_MAX || sscanf(word, "%u:%u", &height, &kbit) != 2)
            die("rungs are height:kbit,...");
        *r = (struct rung_config){ .kind = RUNG_ENCODED,
                                   .height = height,
                                   .bitrate_bps = kbit * 1000ull,
                                   .max_rate_bps = kbit * 1100ull,
                                   .codec = CODEC_H264 };
        snprintf(r->preset, sizeof r->preset, "%s", preset);
    }
}

static struct track *open_track(struct byte_span wire)
{
    struct blob *config = NULL;
    struct codec_facts facts;
    const char *why = "";
    if (codec_config_from_wire(CODEC_H264, wire, &config, &why) ||
        codec_describe(CODEC_H264, (struct byte_span){ blob_data(config), blob_bytes(config) }, &facts, &why))
        die(why);
    struct track *track = track_create(&facts, config);
    blob_unref(config);
    return track;
}

static void wait_for_room(struct tool *t, struct ladder *ladder)
{
    while (ladder_backlog_90k(ladder) > AHEAD_90K) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 20000000;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        pthread_mutex_lock(&t->lock);
        pthread_cond_timedwait(&t->changed, &t->lock, &until);
        pthread_mutex_unlock(&t->lock);
    }
}

static void wait_until(int64_t due_us)
{
    for (int64_t left; (left = due_us - clock_now_us()) > 0;) {
        const struct timespec pause = { .tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000 };
        nanosleep(&pause, NULL);
    }
}

/* The times of 30 frames a second, from FLV's milliseconds. */
static int64_t snap(int64_t ms)
{
    return 900000 + (ms * 30 + 500) / 1000 * 3000;
}

struct feeder {
    struct tool *tool;
    struct ladder *ladder;
    struct track *track;
    size_t frames;
    bool is_live;
    int64_t began_us;
};

static void feed_tag(struct feeder *f, struct byte_span body, uint32_t ms)
{
    struct byte_reader r;
    const char *why = "";
    byte_reader_init(&r, body.data, body.bytes);
    const unsigned first = read_u8(&r), kind = read_u8(&r);
    const int32_t composition = (int32_t)(read_u24(&r) << 8) >> 8;
    const struct byte_span rest = read_span(&r, byte_reader_left(&r));
    if ((first & 0x0F) != 7) die("the file's video is not H.264");
    if (kind == 0) {
        track_unref(f->track);
        f->track = open_track(rest);
        if (ladder_set_track(f->ladder, f->track)) die("no memory");
    }
    if (kind != 1 || !f->track) return;
    struct codec_frame found;
    struct blob *b = blob_copy(rest.data, rest.bytes);
    if (!b || codec_frame_prepare(track_facts(f->track), track_config(f->track), blob_data(b), rest.bytes,
                                  first >> 4 == 1, &found, &why))
        die(why);
    const struct media_packet packet = { .kind = MEDIA_VIDEO,
                                         .access = found.access,
                                         .payload = { b, blob_data(b) + found.offset, found.bytes },
                                         .era = 1,
                                         .dts_90k = snap(ms),
                                         .pts_90k = snap((int64_t)ms + composition),
                                         .nominal_90k = 3000 };
    if (!f->frames) f->began_us = clock_now_us();
    if (f->is_live)
        wait_until(f->began_us + (packet.dts_90k - 900000) * 100 / 9);
    else
        wait_for_room(f->tool, f->ladder);
    struct media_packet now = packet;
    now.arrival_us = clock_now_us();
    if (ladder_push(f->ladder, &now, LADDER_NO_CUT)) die("packets were dropped");
    blob_unref(b);
    f->frames++;
}

static void feed(struct feeder *f, const char *path)
{
    uint8_t head[11], size[4];
    FILE *in = fopen(path, "rb");
    if (!in || fread(head, 1, 9, in) != 9 || memcmp(head, "FLV", 3)) die("the file is no FLV");
    while (fread(size, 1, 4, in) == 4 && fread(head, 1, sizeof head, in) == sizeof head) {
        const size_t bytes = load_u24(head + 1);
        uint8_t *body = malloc(bytes + 1);
        if (!body || fread(body, 1, bytes, in) != bytes) die("the file is cut short");
        if (head[0] == 9 && bytes > 5)
            feed_tag(f, (struct byte_span){ body, bytes }, load_u24(head + 4) | (uint32_t)head[7] << 24);
        free(body);
    }
    fclose(in);
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static struct tool tool;
    /* a machine that is busy with something else holds an encoder up for seconds */
    struct ladder_options options = { .name = "bench", .is_unbounded = true, .stall_us = 60 * 1000000LL };
    const struct transcoder_config config = { .backends = NULL };
    if (argc < 5) die("usage: FILE RUNGS PRESET low|normal [live] [folder]");
    const bool is_live = argc > 5 && !strcmp(argv[5], "live");
    tool.folder = argc > 5 + is_live ? argv[5 + is_live] : NULL;
    options.config.latency = !strcmp(argv[4], "low") ? LADDER_LATENCY_LOW : LADDER_LATENCY_NORMAL;
    parse_rungs(&options.config, argv[2], argv[3]);
    mallopt(M_ARENA_MAX, 4); /* as weir itself does */
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024);
    pthread_mutex_init(&tool.lock, NULL);
    pthread_cond_init(&tool.changed, NULL);
    log_set_level(LOG_WARN);
    options.events = (struct ladder_events){ .context = &tool,
                                             .planned = on_planned,
                                             .track = on_track,
                                             .packet = on_packet,
                                             .absent = on_absent,
                                             .drained = on_drained };
    struct transcoder *transcoder;
    struct ladder *ladder;
    if (transcoder_create(&transcoder, &config)) die("no memory");
    struct backend_choice choice;
    struct backend_error error;
    if (transcoder_choose(transcoder, DUTY_ENCODE, CODEC_H264, "cpu", false, 0, NULL, &choice, &error))
        die(error.text); /* the probe is not part of it */
    transcoder_release(transcoder, DUTY_ENCODE, &choice);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    const int64_t began_us = clock_now_us();
    if (ladder_create(&ladder, transcoder, &options)) die("no memory");
    struct feeder feeder = { .tool = &tool, .ladder = ladder, .is_live = is_live };
    feed(&feeder, argv[1]);
    ladder_drain(ladder);
    pthread_mutex_lock(&tool.lock);
    while (!tool.encoded || tool.drained < tool.encoded) pthread_cond_wait(&tool.changed, &tool.lock);
    pthread_mutex_unlock(&tool.lock);
    const double wall_s = (double)(clock_now_us() - began_us) / 1e6;
    getrusage(RUSAGE_SELF, &after);
    const double cpu_s =
        (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
        (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) /
            1e6;
    qsort(tool.latencies_us, tool.latency_count, sizeof tool.latencies_us[0], compare);
    printf("frames=%zu packets=%zu wall_s=%.3f cpu_s=%.3f rss_kib=%ld latency_p50_ms=%.1f latency_p99_ms=%.1f "
           "latency_max_ms=%.1f",
           feeder.frames, tool.packets, wall_s, cpu_s, after.ru_maxrss,
           (double)tool.latencies_us[tool.latency_count / 2] / 1e3,
           (double)tool.latencies_us[tool.latency_count * 99 / 100] / 1e3,
           (double)tool.latencies_us[tool.latency_count - 1] / 1e3);
    for (size_t i = 0; i < tool.plan.rung_count; i++) {
        if (tool.plan.rungs[i].kind == RUNG_ENCODED)
            printf(" %s_bytes=%llu", tool.plan.rungs[i].name, (unsigned long long)tool.bytes[i]);
        if (tool.files[i]) fclose(tool.files[i]);
    }
    printf("\n");
    ladder_destroy(ladder);
    track_unref(feeder.track);
    return transcoder_destroy(transcoder, 10000000) ? 0 : 1;
}
