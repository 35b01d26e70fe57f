/* audio_coder: a thread around a sound_path. */
#include <weir/transcode/audio_coder.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/queue.h>

#include "sound_path.h"

#define RETRY_US 5000000 /* after a track that could not be decoded or encoded */
#define MARKS_MAX 16

enum item_kind { ITEM_PACKET = 1, ITEM_TRACK, ITEM_DRAIN };
struct item {
    enum item_kind kind;
    struct media_packet packet; /* holds a reference on the payload's blob */
    struct track *track;        /* a reference */
};

struct audio_coder {
    _Atomic uint32_t refs; /* its owner's and its thread's */
    struct transcoder *transcoder;
    char name[STREAM_NAME_BYTES_MAX + 1];
    struct audio_coder_events events;
    struct transcode_figures figures;
    pthread_mutex_t lock; /* the queue, is_over */
    pthread_cond_t has_items;
    struct queue items;
    size_t packets;
    bool is_over;
    pthread_mutex_t out_lock; /* events; held for a callback */
    bool is_closed;
    struct track *track; /* the owner's */
    /* the thread's */
    struct sound_path path;
    uint32_t era;
    bool has_era, is_absent;
    int64_t arrival_us, retry_us;
};

static void item_deinit(struct item *item)
{
    if (item->kind == ITEM_PACKET) blob_unref(item->packet.payload.blob);
    track_unref(item->track);
}

static void unref(struct audio_coder *c)
{
    struct item item;
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    while (queue_take(&c->items, &item)) item_deinit(&item);
    queue_deinit(&c->items);
    pthread_cond_destroy(&c->has_items);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->out_lock);
    track_unref(c->track);
    free(c);
}

/* -- events; whether it may still speak -- */

static bool event_begin(struct audio_coder *c)
{
    pthread_mutex_lock(&c->out_lock);
    return !c->is_closed;
}

static void event_end(struct audio_coder *c)
{
    pthread_mutex_unlock(&c->out_lock);
}

static void on_track(void *context, struct track *track)
{
    struct audio_coder *c = context;
    if (event_begin(c)) c->events.track(c->events.context, track);
    event_end(c);
}

static void on_packet(void *context, const AVPacket *out, uint32_t samples, uint32_t sample_rate)
{
    struct audio_coder *c = context;
    struct blob *payload = blob_copy(out->data, (size_t)out->size);
    if (!payload) {
        transcode_count(&c->figures, FIGURE_AUDIO_DROPPED, 1);
        return;
    }
    const int64_t pts_90k = av_rescale_rnd(out->pts, 90000, sample_rate, AV_ROUND_DOWN);
    const struct media_packet packet = { .kind = MEDIA_AUDIO,
                                         .access = FRAME_IDR,
                                         .payload = { payload, blob_data(payload), blob_bytes(payload) },
                                         .era = c->era,
                                         .dts_90k = pts_90k,
                                         .pts_90k = pts_90k,
                                         .pts_samples = out->pts,
                                         .samples = samples,
                                         .arrival_us = c->arrival_us };
    c->is_absent = false;
    if (event_begin(c)) c->events.packet(c->events.context, &packet);
    event_end(c);
    blob_unref(payload);
}

static void say_absent(struct audio_coder *c)
{
    if (c->is_absent) return;
    c->is_absent = true;
    if (event_begin(c)) c->events.absent(c->events.context);
    event_end(c);
}

/* -- the thread -- */

static void serve_packet(struct audio_coder *c, const struct media_packet *packet)
{
    struct backend_error error = { "" };
    if (!c->path.source || clock_now_us() < c->retry_us) return;
    if (c->has_era && packet->era != c->era) sound_path_finish(&c->path);
    c->era = packet->era;
    c->has_era = true;
    c->arrival_us = packet->arrival_us;
    const enum weir_err err = sound_path_feed(&c->path, packet, &error);
    if (!err) return;
    transcode_count(&c->figures, FIGURE_ENCODER_FAILURES, 1);
    log_event(LOG_TRANSCODE, LOG_ERROR, c->name, "audio_rung_lost", "rung=%s reason=%s action=\"tried again in 5 s\"",
              c->path.rung.name, log_quote_text(error.text[0] ? error.text : err_name(err)).text);
    c->retry_us = clock_now_us() + RETRY_US;
    say_absent(c);
}

static void serve(struct audio_coder *c, struct item *item)
{
    switch (item->kind) {
    case ITEM_PACKET: serve_packet(c, &item->packet); break;
    case ITEM_TRACK:
        c->retry_us = 0;
        sound_path_set_track(&c->path, item->track);
        break;
    case ITEM_DRAIN:
        sound_path_finish(&c->path);
        if (event_begin(c)) c->events.drained(c->events.context);
        event_end(c);
        break;
    }
}

/* false: it is over. */
static bool take(struct audio_coder *c, struct item *item)
{
    pthread_mutex_lock(&c->lock);
    while (!c->is_over && !queue_count(&c->items)) pthread_cond_wait(&c->has_items, &c->lock);
    const bool has_one = !c->is_over && queue_take(&c->items, item);
    if (has_one && item->kind == ITEM_PACKET) c->packets--;
    pthread_mutex_unlock(&c->lock);
    return has_one;
}

static void *run(void *context)
{
    struct audio_coder *c = context;
    struct transcoder *transcoder = c->transcoder;
    struct item item;
    libav_log_stream(c->name);
    while (take(c, &item)) {
        serve(c, &item);
        item_deinit(&item);
    }
    sound_path_deinit(&c->path);
    transcode_count(&c->figures, FIGURE_THREADS_ALIVE, -1);
    libav_log_stream(NULL);
    unref(c);
    transcoder_leave_thread(transcoder);
    return NULL;
}

static bool start(struct audio_coder *c)
{
    pthread_t thread;
    transcoder_enter_thread(c->transcoder);
    transcode_count(&c->figures, FIGURE_THREADS_ALIVE, 1);
    atomic_store(&c->refs, 2);
    if (pthread_create(&thread, NULL, run, c)) {
        transcode_count(&c->figures, FIGURE_THREADS_ALIVE, -1);
        transcoder_leave_thread(c->transcoder);
        atomic_store(&c->refs, 1);
        return false;
    }
    pthread_setname_np(thread, "audio");
    pthread_detach(thread);
    return true;
}

enum weir_err audio_coder_create(struct audio_coder **out, struct transcoder *transcoder,
                                 const struct audio_coder_options *options)
{
    struct audio_coder *c = calloc(1, sizeof *c);
    if (!c) return WEIR_NOMEM;
    atomic_init(&c->refs, 1);
    c->transcoder = transcoder;
    c->events = options->events;
    c->figures.total = transcoder_figures(transcoder);
    snprintf(c->name, sizeof c->name, "%s", options->name);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->out_lock, NULL);
    pthread_cond_init(&c->has_items, NULL);
    queue_init(&c->items, sizeof(struct item), LADDER_AUDIO_PACKETS_MAX + MARKS_MAX);
    const struct sound_events events = { .context = c, .track = on_track, .packet = on_packet };
    const enum weir_err err = sound_path_init(&c->path, c->name, &options->rung, &events, &c->figures);
    if (err || !start(c)) {
        sound_path_deinit(&c->path);
        unref(c);
        return WEIR_NOMEM;
    }
    *out = c;
    return WEIR_OK;
}

void audio_coder_destroy(struct audio_coder *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->out_lock);
    c->is_closed = true;
    pthread_mutex_unlock(&c->out_lock);
    pthread_mutex_lock(&c->lock);
    c->is_over = true;
    pthread_cond_signal(&c->has_items);
    pthread_mutex_unlock(&c->lock);
    unref(c);
}

static bool give(struct audio_coder *c, const struct item *item)
{
    pthread_mutex_lock(&c->lock);
    const bool is_packet = item->kind == ITEM_PACKET;
    const bool is_taken = (!is_packet || c->packets < LADDER_AUDIO_PACKETS_MAX) && !queue_give(&c->items, item);
    c->packets += is_taken && is_packet;
    pthread_cond_signal(&c->has_items);
    pthread_mutex_unlock(&c->lock);
    struct item lost = *item;
    if (!is_taken) item_deinit(&lost);
    return is_taken;
}

void audio_coder_set_track(struct audio_coder *c, struct track *audio)
{
    if (c->track && track_equal(c->track, audio)) return;
    const struct item item = { .kind = ITEM_TRACK, .track = track_ref(audio) };
    track_unref(c->track);
    c->track = track_ref(audio);
    give(c, &item);
}

bool audio_coder_push(struct audio_coder *c, const struct media_packet *packet)
{
    const struct item item = { .kind = ITEM_PACKET, .packet = *packet };
    blob_ref(packet->payload.blob);
    const bool is_taken = give(c, &item);
    if (!is_taken) transcode_count(&c->figures, FIGURE_AUDIO_DROPPED, 1);
    return is_taken;
}

void audio_coder_drain(struct audio_coder *c)
{
    const struct item item = { .kind = ITEM_DRAIN };
    give(c, &item);
}

const struct transcode_figures *audio_coder_figures(const struct audio_coder *c)
{
    return &c->figures;
}
