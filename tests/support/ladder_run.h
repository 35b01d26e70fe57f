/* ladder_run: a ladder under test: films go in at the pace that it takes, what comes out is kept per rung. */
#ifndef WEIR_TESTS_LADDER_RUN_H
#define WEIR_TESTS_LADDER_RUN_H

#include "film.h"

#include <pthread.h>
#include <weir/transcode/ladder.h>

#define RUN_PATIENCE_US (40 * 1000000LL)

struct run_rung {
    struct track *track; /* the last one */
    struct media_packet *packets;
    size_t count, room;
    unsigned tracks, absents, drains;
};

struct ladder_run {
    struct ladder *ladder;
    struct transcoder *transcoder;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ladder_plan plan;
    unsigned plans;
    struct run_rung rungs[LADDER_RUNGS_MAX];
    unsigned long outputs;
    /* for pacing */
    int64_t era_shift_90k;
    uint32_t era;
};

/* events and name are filled in. */
void ladder_run_start(struct ladder_run *run, struct transcoder *transcoder, const struct ladder_options *options);
/* Packets [from, to) of the film, a second of media ahead of the decoder at most; is_lost (may be NULL) says which are lost. */
void ladder_run_push(struct ladder_run *run, const struct film *film, size_t from, size_t to,
                     bool (*is_lost)(size_t index));
/* At the film's own pace, times speed_percent. */
void ladder_run_push_live(struct ladder_run *run, const struct film *film, size_t from, size_t to,
                          unsigned speed_percent);
/* Waits until every encoded rung is drained. */
void ladder_run_drain(struct ladder_run *run);
/* Waits for a condition on what came out. */
void ladder_run_wait(struct ladder_run *run, bool (*is_so)(const struct ladder_run *run), const char *what);
void ladder_run_end(struct ladder_run *run); /* asserts that nothing of it is alive afterwards */
const struct run_rung *ladder_run_rung(const struct ladder_run *run, const char *name);
size_t ladder_run_index(const struct ladder_run *run, const char *name);

/* Decodes what a rung put out; numbers[i] belongs to the i-th picture in presentation order. Returns how many. */
size_t run_rung_decode(const struct run_rung *rung, int *numbers, int64_t *pts_90k, size_t room);
struct AVFrame;
/* The same, with each picture given to look(). */
size_t run_rung_look(const struct run_rung *rung, void (*look)(void *context, const struct AVFrame *picture),
                     void *context);

#endif
