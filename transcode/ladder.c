#include <weir/transcode/ladder.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#include "ladder_internal.h"

struct ladder {
    struct ladder_shared *shared;
    struct engine *engine;
    struct track *track;
};

/* -- shared -- */

struct timespec time_after(int64_t us)
{
    const int64_t until_us = clock_now_us() + us;
    return (struct timespec){ .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
}

void monotonic_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct ladder_shared *shared_create(struct transcoder *transcoder, const struct ladder_options *options)
{
    struct ladder_shared *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->transcoder = transcoder;
    s->options = *options;
    strncpy(s->name, options->name, sizeof s->name - 1);
    strncpy(s->backend, options->backend ? options->backend : "auto", sizeof s->backend - 1);
    if (!s->options.stall_us) s->options.stall_us = LADDER_STALL_US;
    s->options.name = s->name;
    s->options.backend = s->backend;
    s->figures.total = transcoder_figures(transcoder);
    pthread_mutex_init(&s->out_lock, NULL);
    return s;
}

struct ladder_shared *shared_ref(struct ladder_shared *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void shared_unref(struct ladder_shared *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_destroy(&s->out_lock);
    free(s);
}

/* -- the ladder -- */

enum weir_err ladder_create(struct ladder **out, struct transcoder *transcoder, const struct ladder_options *options)
{
    struct ladder *l = calloc(1, sizeof *l);
    if (!l) return WEIR_NOMEM;
    l->shared = shared_create(transcoder, options);
    if (l->shared) l->engine = engine_create(l->shared, NULL, 0);
    if (!l->engine) {
        ladder_destroy(l);
        return WEIR_NOMEM;
    }
    *out = l;
    return WEIR_OK;
}

void ladder_destroy(struct ladder *l)
{
    if (!l) return;
    if (l->shared) {
        pthread_mutex_lock(&l->shared->out_lock);
        l->shared->is_closed = true;
        pthread_mutex_unlock(&l->shared->out_lock);
    }
    engine_end(l->engine);
    track_unref(l->track);
    shared_unref(l->shared);
    free(l);
}

enum weir_err ladder_set_track(struct ladder *l, struct track *video)
{
    assert(track_facts(video)->kind == MEDIA_VIDEO);
    if (l->track && track_equal(l->track, video)) return WEIR_OK;
    const struct ladder_item item = { .kind = ITEM_TRACK, .track = track_ref(video) };
    track_unref(l->track);
    l->track = track_ref(video);
    engine_give(l->engine, &item);
    return WEIR_OK;
}

size_t ladder_push(struct ladder *l, const struct media_packet *packet, int64_t cut_90k)
{
    assert(packet->kind == MEDIA_VIDEO);
    const struct ladder_item item = { .kind = ITEM_PACKET, .packet = *packet, .cut_90k = cut_90k };
    blob_ref(packet->payload.blob);
    const size_t dropped = engine_give(l->engine, &item);
    transcode_count(&l->shared->figures, FIGURE_PACKETS_DROPPED, (int64_t)dropped);
    return dropped;
}

void ladder_drain(struct ladder *l)
{
    const struct ladder_item item = { .kind = ITEM_DRAIN };
    engine_give(l->engine, &item);
}

void ladder_tick(struct ladder *l, int64_t now_us)
{
    if (!engine_is_hung(l->engine, now_us)) return;
    struct ladder_shared *s = l->shared;
    transcode_count(&s->figures, FIGURE_STALLS, 1);
    const size_t rank = engine_decoder_rank(l->engine);
    log_event(LOG_TRANSCODE, LOG_WARN, s->name, "decoder_hangs",
              "action=\"replaced by the next backend; goes on at the next keyframe\"");
    struct engine *fresh = engine_create(s, l->track, rank + 1);
    if (!fresh) return; /* no memory: tried again at the next tick */
    engine_pass_on(l->engine, fresh);
    engine_end(l->engine);
    l->engine = fresh;
}

int64_t ladder_backlog_90k(struct ladder *l)
{
    return engine_backlog_90k(l->engine);
}

struct transcode_figures *ladder_figures(struct ladder *l)
{
    return &l->shared->figures;
}
