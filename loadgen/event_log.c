#include "event_log.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>

struct event_log {
    FILE *file;
    pthread_mutex_t lock; /* guards the file: a line is whole */
};

struct event_log *event_log_open(const char *path)
{
    struct event_log *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->file = strcmp(path, "-") != 0 ? fopen(path, "we") : stdout;
    pthread_mutex_init(&l->lock, NULL);
    if (l->file) return l;
    free(l);
    return NULL;
}

void event_log_close(struct event_log *l)
{
    if (!l) return;
    if (l->file != stdout) fclose(l->file);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void put(struct event_log *l, json_t *object)
{
    if (!object) return;
    pthread_mutex_lock(&l->lock);
    json_dumpf(object, l->file, JSON_COMPACT);
    fputc('\n', l->file);
    fflush(l->file); /* whoever follows the file is to see it now */
    pthread_mutex_unlock(&l->lock);
    json_decref(object);
}

static double seconds(int64_t wall_us)
{
    return (double)wall_us / 1e6;
}

void event_log_publisher(struct event_log *l, const struct publisher_event *e)
{
    if (!l) return;
    put(l, json_pack("{s:f,s:s,s:s,s:I,s:I,s:f,s:s}", "t", seconds(e->wall_us), "event", publisher_event_name(e->kind),
                     "stream", e->name, "frames", (json_int_t)e->frames, "bytes", (json_int_t)e->bytes, "queue_age_ms",
                     (double)e->queue_age_us / 1e3, "text", e->text));
}

void event_log_totals(struct event_log *l, const char *event, const struct publishers_totals *t)
{
    if (!l) return;
    put(l, json_pack("{s:f,s:s,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "t", seconds(clock_wall_us()),
                     "event", event, "live", (int)t->live, "waiting", (int)t->waiting, "ended", (int)t->ended, "frames",
                     (json_int_t)t->frames, "bytes", (json_int_t)t->bytes, "packets", (json_int_t)t->packets,
                     "dropped_frames", (json_int_t)t->dropped_frames, "lives", (json_int_t)t->lives, "losses",
                     (json_int_t)t->losses, "refusals", (json_int_t)t->refusals, "queue_age_ms",
                     (double)t->queue_age_us / 1e3, "queue_age_max_ms", (double)t->queue_age_max_us / 1e3));
}

void event_log_note(struct event_log *l, const char *event, const char *stream, const char *text)
{
    if (!l) return;
    put(l,
        json_pack("{s:f,s:s,s:s,s:s}", "t", seconds(clock_wall_us()), "event", event, "stream", stream, "text", text));
}
