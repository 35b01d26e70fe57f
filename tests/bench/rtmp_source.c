/* rtmp_source PORT STREAMS SECONDS CLIP.flv [raw]: publishes the same clip STREAMS times, each frame in a send of its own at its time,
 * as encoders do. raw: no RTMP conversation before the same bytes, for the floor: which is why it is not weir-loadgen publish, that always
 * talks RTMP and marks its frames. Prints "ready" when all publish. Tests only. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rtmp_wire.h"

#define TAGS_MAX 100000

struct tag {
    uint8_t kind;
    uint32_t time_ms;
    const uint8_t *body;
    uint32_t bytes;
    bool is_config;
};

static struct tag tags[TAGS_MAX];
static size_t tag_count;
static uint32_t clip_ms;

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    uint8_t *data = malloc((size_t)size);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) die(path);
    fclose(f);
    for (long at = 13; at + 15 <= size && tag_count < TAGS_MAX;) {
        const uint8_t *p = data + at;
        const uint32_t bytes = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        struct tag t = { .kind = p[0], .bytes = bytes, .body = p + 11 };
        t.time_ms = (uint32_t)p[7] << 24 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 8 | p[6];
        t.is_config = p[0] == 18 || (bytes > 1 && p[12] == 0);
        if (t.time_ms > clip_ms) clip_ms = t.time_ms;
        tags[tag_count++] = t;
        at += 11 + (long)bytes + 4;
    }
    clip_ms += 33;
}

struct stream {
    int fd;
    size_t next;
    uint32_t base_ms, phase_ms;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void send_due(struct stream *s, uint32_t at_ms)
{
    static uint8_t out[8 << 20];
    for (;;) {
        const struct tag *t = &tags[s->next];
        if (s->base_ms + t->time_ms + s->phase_ms > at_ms) return;
        if (!(t->is_config && s->base_ms)) {
            const uint32_t time_ms = t->is_config ? 0 : s->base_ms + t->time_ms;
            rtmp_wire_send(s->fd, out,
                           rtmp_wire_message(out, t->kind == 8 ? 4 : 6, t->kind, time_ms, 1, t->body, t->bytes,
                                             RTMP_WIRE_CHUNK_BYTES));
        }
        if (++s->next < tag_count) continue;
        s->next = 0;
        s->base_ms += clip_ms;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "rtmp_source PORT STREAMS SECONDS CLIP.flv [raw]\n");
        return 2;
    }
    const unsigned count = (unsigned)atoi(argv[2]);
    const int64_t seconds = atoi(argv[3]);
    const bool is_raw = argc > 5 && !strcmp(argv[5], "raw");
    struct stream *streams = calloc(count, sizeof *streams);
    load(argv[4]);
    for (unsigned i = 0; streams && i < count; i++) {
        streams[i] = (struct stream){ .fd = rtmp_wire_connect((uint16_t)atoi(argv[1])), .phase_ms = i * 33 / count };
        if (is_raw) continue;
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        rtmp_wire_publish(streams[i].fd, name);
    }
    puts("ready");
    fflush(stdout);
    const int64_t start = now_ms();
    for (int64_t at; (at = now_ms() - start) < seconds * 1000;) {
        for (unsigned i = 0; i < count; i++) send_due(&streams[i], (uint32_t)at);
        const struct timespec tick = { .tv_nsec = 1000000 };
        clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
    }
    return 0;
}
