#include <weir/transcode/thumbnailer.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#include "libav.h"
#include "thumbnail_picture.h"

#define RETRY_US 30000000 /* after a keyframe that could not be made one: this codec may not be decodable here at all */

struct thumbnailer {
    _Atomic uint32_t refs; /* its owner's and its thread's */
    struct transcoder *transcoder;
    struct live_edge *edge;
    struct transcode_figures figures;
    struct track *track; /* the owner's */
    _Atomic int64_t retry_us;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t has_key;
    bool is_over, is_busy;
    struct track *key_track; /* NULL: none waits */
    struct media_packet key;
};

static void unref(struct thumbnailer *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    if (t->key_track) blob_unref(t->key.payload.blob);
    track_unref(t->key_track);
    track_unref(t->track);
    pthread_cond_destroy(&t->has_key);
    pthread_mutex_destroy(&t->lock);
    live_edge_unref(t->edge);
    free(t);
}

static void make(struct thumbnailer *t, struct track *track, const struct media_packet *key)
{
    struct backend_error error = { "" };
    const char *name = live_edge_name(t->edge);
    struct frozen *jpeg = thumbnail_picture_make(name, track, key, THUMBNAIL_SIDE, &t->figures, &error);
    if (jpeg) {
        transcode_count(&t->figures, FIGURE_THUMBNAILS, 1);
        live_edge_publish_thumbnail(t->edge, jpeg);
        return;
    }
    atomic_store(&t->retry_us, clock_now_us() + RETRY_US);
    log_event(LOG_TRANSCODE, LOG_WARN, name, "thumbnail_failed", "reason=%s action=\"tried again in 30 s\"",
              log_quote_text(error.text).text);
}

static void *run(void *context)
{
    struct thumbnailer *t = context;
    struct transcoder *transcoder = t->transcoder;
    libav_log_stream(live_edge_name(t->edge));
    for (;;) {
        pthread_mutex_lock(&t->lock);
        t->is_busy = false;
        while (!t->is_over && !t->key_track) pthread_cond_wait(&t->has_key, &t->lock);
        struct track *track = t->key_track;
        const struct media_packet key = t->key;
        t->key_track = NULL;
        t->is_busy = true;
        const bool is_over = t->is_over;
        pthread_mutex_unlock(&t->lock);
        if (track && !is_over) make(t, track, &key);
        if (track) blob_unref(key.payload.blob);
        track_unref(track);
        if (is_over) break;
    }
    transcode_count(&t->figures, FIGURE_THREADS_ALIVE, -1);
    libav_log_stream(NULL);
    unref(t);
    transcoder_leave_thread(transcoder);
    return NULL;
}

enum weir_err thumbnailer_create(struct thumbnailer **out, struct transcoder *transcoder, struct live_edge *edge)
{
    pthread_t thread;
    struct thumbnailer *t = calloc(1, sizeof *t);
    if (!t) return WEIR_NOMEM;
    atomic_init(&t->refs, 2);
    t->transcoder = transcoder;
    t->edge = live_edge_ref(edge);
    t->figures.total = transcoder_figures(transcoder);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->has_key, NULL);
    transcoder_enter_thread(transcoder);
    transcode_count(&t->figures, FIGURE_THREADS_ALIVE, 1);
    if (pthread_create(&thread, NULL, run, t)) {
        transcode_count(&t->figures, FIGURE_THREADS_ALIVE, -1);
        transcoder_leave_thread(transcoder);
        atomic_store(&t->refs, 1);
        unref(t);
        return WEIR_NOMEM;
    }
    pthread_setname_np(thread, "thumbnail");
    pthread_detach(thread);
    live_edge_offer_thumbnails(edge, true);
    *out = t;
    return WEIR_OK;
}

void thumbnailer_destroy(struct thumbnailer *t)
{
    if (!t) return;
    live_edge_offer_thumbnails(t->edge, false);
    pthread_mutex_lock(&t->lock);
    t->is_over = true;
    pthread_cond_signal(&t->has_key);
    pthread_mutex_unlock(&t->lock);
    unref(t);
}

void thumbnailer_set_track(struct thumbnailer *t, struct track *video)
{
    if (t->track == video) return;
    track_unref(t->track);
    t->track = track_ref(video);
    atomic_store(&t->retry_us, 0);
}

bool thumbnailer_push(struct thumbnailer *t, const struct media_packet *key)
{
    if (!t->track || clock_now_us() < atomic_load(&t->retry_us)) return false;
    pthread_mutex_lock(&t->lock);
    const bool is_taken = !t->is_busy && !t->key_track;
    if (is_taken) {
        blob_ref(key->payload.blob);
        t->key = *key;
        t->key_track = track_ref(t->track);
        pthread_cond_signal(&t->has_key);
    }
    pthread_mutex_unlock(&t->lock);
    return is_taken;
}
