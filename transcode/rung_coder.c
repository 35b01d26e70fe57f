#include "rung_coder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#define RETRY_US 5000000 /* when no backend could carry the rung */
#define MISSES_MAX 3     /* keyframes in a row that an encoder may fail to make */
#define COST_FRAMES 60

enum weir_err rung_coder_init(struct rung_coder *c, struct ladder_shared *shared, const void *writer, size_t rung,
                              const struct rung_plan *plan, enum ladder_latency latency, uint32_t threads, size_t rank)
{
    memset(c, 0, sizeof *c);
    c->shared = shared;
    c->writer = writer;
    c->rung = rung;
    c->plan = *plan;
    c->latency = latency;
    c->threads = threads;
    c->next_rank = rank;
    c->is_moving = rank > 0;
    c->packet = packet_hold(&shared->figures);
    return c->packet ? WEIR_OK : WEIR_NOMEM;
}

static void count(struct rung_coder *c, enum transcode_figure id, int64_t n)
{
    transcode_count(&c->shared->figures, id, n);
}

static void close_encoder(struct rung_coder *c)
{
    if (c->encoder) {
        c->choice.backend->encoder_close(c->encoder);
        transcoder_release(c->shared->transcoder, DUTY_ENCODE, &c->choice);
    }
    c->encoder = NULL;
    count(c, FIGURE_FRAMES_LOST, (int64_t)c->inside_count);
    c->inside_count = 0;
    if (c->has_encoded) encoded_deinit(&c->encoded);
    c->has_encoded = false;
}

void rung_coder_deinit(struct rung_coder *c)
{
    close_encoder(c);
    packet_release(&c->shared->figures, c->packet);
}

/* -- events -- */

/* Whether this coder may still speak for its rung; the lock is held between begin and end. */
static bool event_begin(struct rung_coder *c)
{
    pthread_mutex_lock(&c->shared->out_lock);
    return !c->shared->is_closed && c->shared->outputs[c->rung].writer == c->writer;
}

static void event_end(struct rung_coder *c)
{
    pthread_mutex_unlock(&c->shared->out_lock);
}

void rung_coder_absent(struct rung_coder *c)
{
    const struct ladder_events *events = &c->shared->options.events;
    if (c->is_absent) return;
    c->is_absent = true;
    if (event_begin(c)) events->absent(events->context, c->rung);
    event_end(c);
}

void rung_coder_drained(struct rung_coder *c)
{
    const struct ladder_events *events = &c->shared->options.events;
    if (event_begin(c)) events->drained(events->context, c->rung);
    event_end(c);
}

/* Strictly rising and never after the presentation, also where one encoder went on from another. false: there is no such time. */
static bool fix_dts(struct rung_coder *c, struct rung_output *o, int64_t pts_90k, int64_t *dts_90k)
{
    int64_t dts = *dts_90k;
    if (dts == AV_NOPTS_VALUE || dts > pts_90k) dts = pts_90k;
    if (o->has_last && dts <= o->last_dts_90k) dts = o->last_dts_90k + 1;
    if (dts != *dts_90k) count(c, FIGURE_DTS_REPAIRED, 1);
    *dts_90k = dts;
    return dts <= pts_90k;
}

static void give_out(struct rung_coder *c, const struct in_flight *f, const struct encoded_sample *sample,
                     int64_t dts_90k)
{
    const struct ladder_events *events = &c->shared->options.events;
    struct rung_output *o = &c->shared->outputs[c->rung];
    if (!event_begin(c) || !fix_dts(c, o, f->pts_90k, &dts_90k)) {
        event_end(c);
        count(c, FIGURE_FRAMES_LOST, 1);
        return;
    }
    const struct media_packet packet = {
        .kind = MEDIA_VIDEO,
        .access = sample->access,
        .payload = sample->payload,
        .era = f->era,
        .dts_90k = dts_90k,
        .pts_90k = f->pts_90k,
        .nominal_90k = f->nominal_90k,
        .arrival_us = f->arrival_us,
    };
    o->last_dts_90k = dts_90k;
    o->has_last = true;
    c->is_absent = false;
    if (sample->is_new_track) events->track(events->context, c->rung, c->encoded.track);
    events->packet(events->context, c->rung, &packet);
    event_end(c);
    count(c, FIGURE_FRAMES_ENCODED, 1);
    /* of the slowest rung, as a rough running mean */
    const int64_t took_us = clock_now_us() - f->arrival_us,
                  known_us = transcode_read(&c->shared->figures, FIGURE_LATENCY_US);
    transcode_set(&c->shared->figures, FIGURE_LATENCY_US,
                  known_us + (took_us - known_us) / (took_us > known_us ? 4 : 32));
}

/* -- what comes out -- */

static bool take_inside(struct rung_coder *c, int64_t pts_90k, struct in_flight *out)
{
    for (size_t i = 0; i < c->inside_count; i++) {
        if (c->inside[i].pts_90k != pts_90k) continue;
        *out = c->inside[i];
        memmove(&c->inside[i], &c->inside[i + 1], (--c->inside_count - i) * sizeof c->inside[0]);
        return true;
    }
    return false;
}

/* A keyframe that the encoder did not make is made of the next frame; it is never called one. */
static void check_key(struct rung_coder *c, const struct in_flight *f, enum frame_access access)
{
    if (!f->is_key) return;
    if (access == FRAME_IDR) {
        c->misses = 0;
        return;
    }
    c->misses++;
    c->wants_key = true;
    count(c, FIGURE_KEYFRAME_MISSES, 1);
    log_event(LOG_TRANSCODE, LOG_WARN, c->shared->name, "keyframe_missed", "rung=%s backend=%s pts_90k=%lld",
              c->plan.name, c->choice.backend->name, (long long)f->pts_90k);
}

static bool take_packet(struct rung_coder *c)
{
    struct in_flight f;
    struct encoded_sample sample;
    const char *why = "";
    const struct byte_span bits = { c->packet->data, (size_t)c->packet->size };
    const int64_t pts_90k = c->packet->pts, dts_90k = c->packet->dts;
    if (!take_inside(c, pts_90k, &f)) {
        log_event(LOG_TRANSCODE, LOG_WARN, c->shared->name, "unknown_time", "rung=%s pts_90k=%lld", c->plan.name,
                  (long long)pts_90k);
        return false;
    }
    const enum weir_err err = encoded_take(&c->encoded, bits, &f.captions, f.has_hdr && f.is_key ? &f.hdr : NULL,
                                           &sample, &why);
    if (err) {
        count(c, FIGURE_FRAMES_LOST, 1);
        if (f.is_key) c->wants_key = true;
        log_event(LOG_TRANSCODE, LOG_WARN, c->shared->name, "frame_unusable", "rung=%s reason=%s why=\"%s\"",
                  c->plan.name, err_name(err), why);
        return err == WEIR_NOMEM;
    }
    check_key(c, &f, sample.access);
    give_out(c, &f, &sample, dts_90k);
    blob_unref(sample.blob);
    return true;
}

enum taken { TAKEN_NOTHING = 1, TAKEN_SOME, TAKEN_ALL, TAKEN_FAILED };

static enum taken take_packets(struct rung_coder *c)
{
    enum taken taken = TAKEN_NOTHING;
    for (;;) {
        const enum backend_step step = c->choice.backend->encoder_receive(c->encoder, c->packet);
        if (step == STEP_AGAIN) return taken;
        if (step == STEP_END) return TAKEN_ALL;
        if (step != STEP_DONE) return TAKEN_FAILED;
        const bool is_right = take_packet(c);
        atomic_fetch_add(&c->answers, 1);
        av_packet_unref(c->packet);
        if (!is_right || c->misses >= MISSES_MAX) return TAKEN_FAILED;
        taken = TAKEN_SOME;
    }
}

/* -- opening and moving on -- */

static enum preset_speed wanted_speed(const struct rung_coder *c, uint32_t presets_faster)
{
    unsigned speed = preset_speed_from(c->plan.preset);
    if (!speed) speed = PRESET_VERYFAST;
    return (enum preset_speed)(speed > presets_faster + PRESET_ULTRAFAST ? speed - presets_faster : PRESET_ULTRAFAST);
}

static unsigned bit_depth(const AVFrame *f, enum media_codec codec)
{
    if (codec == CODEC_H264) return 8;
    const AVHWFramesContext *pool = f->hw_frames_ctx ? (const AVHWFramesContext *)f->hw_frames_ctx->data : NULL;
    const int format = pool ? (int)pool->sw_format : f->format;
    return format == AV_PIX_FMT_YUV420P10 || format == AV_PIX_FMT_P010 ? 10 : 8;
}

static void tell_encoder(struct rung_coder *c)
{
    const struct ladder_events *events = &c->shared->options.events;
    if (event_begin(c) && events->encoder) events->encoder(events->context, c->rung, c->choice.backend->name, c->speed);
    event_end(c);
}

/* With the backend that is next in the order; false: with none. */
static bool open_next(struct rung_coder *c, const struct lane_item *item)
{
    struct ladder_shared *s = c->shared;
    struct backend_error error, refused = { "" };
    while (!transcoder_choose(s->transcoder, DUTY_ENCODE, c->plan.codec, s->backend, s->options.requires_gpu,
                              c->next_rank, item->frame, &c->choice, &error)) {
        const struct encoder_config config = { .device = c->choice.device,
                                               .like = item->frame,
                                               .rung = &c->plan,
                                               .speed = wanted_speed(c, item->presets_faster),
                                               .latency = c->latency,
                                               .threads = c->threads,
                                               .variant = c->choice.variant,
                                               .name = s->name,
                                               .figures = &s->figures };
        c->speed = config.speed;
        c->wants_key = true;
        c->misses = 0;
        if (!encoded_init(&c->encoded, c->plan.codec, bit_depth(item->frame, c->plan.codec)) &&
            !c->choice.backend->encoder_open(c->choice.backend, &config, &c->encoder, &error)) {
            c->has_encoded = true;
            c->next_rank = c->choice.rank; /* reopened with the same one, as long as it works */
            atomic_store(&c->rank, c->choice.rank);
            atomic_fetch_add(&c->answers, 1);
            if (c->is_moving) count(c, FIGURE_BACKEND_MOVES, 1);
            c->is_moving = false;
            log_event(LOG_TRANSCODE, LOG_INFO, s->name, "encoder", "rung=%s size=%ux%u codec=%s backend=%s preset=%s",
                      c->plan.name, c->plan.width, c->plan.height, codec_name(c->plan.codec), c->choice.backend->name,
                      preset_speed_name(c->speed));
            tell_encoder(c);
            return true;
        }
        encoded_deinit(&c->encoded);
        transcoder_release(s->transcoder, DUTY_ENCODE, &c->choice);
        count(c, FIGURE_ENCODER_FAILURES, 1);
        log_event(LOG_TRANSCODE, LOG_WARN, s->name, "encoder_refused", "rung=%s reason=%s", c->plan.name,
                  log_quote_text(error.text).text);
        c->next_rank = c->choice.rank + 1;
        c->is_moving = true;
        refused = error;
    }
    log_event(LOG_TRANSCODE, LOG_ERROR, s->name, "rung_lost", "rung=%s tried=%s action=\"tried again in 5 s\"",
              c->plan.name, log_quote_text(error.text[0] ? error.text : refused.text).text);
    c->next_rank = 0;
    c->retry_us = clock_now_us() + RETRY_US;
    rung_coder_absent(c);
    return false;
}

static void fail(struct rung_coder *c, const char *what)
{
    count(c, FIGURE_ENCODER_FAILURES, 1);
    log_event(LOG_TRANSCODE, LOG_WARN, c->shared->name, "encoder_failed",
              "rung=%s backend=%s what=\"%s\" frames_lost=%zu action=\"next backend, from the next frame\"",
              c->plan.name, c->choice.backend->name, what, c->inside_count);
    c->next_rank = c->choice.rank + 1;
    c->is_moving = true;
    close_encoder(c);
}

/* -- what goes in -- */

static void note_inside(struct rung_coder *c, const struct lane_item *item, bool is_key)
{
    c->inside[c->inside_count++] = (struct in_flight){ .pts_90k = item->pts_90k,
                                                       .arrival_us = item->arrival_us,
                                                       .sent_us = clock_now_us(),
                                                       .era = item->era,
                                                       .nominal_90k = item->nominal_90k,
                                                       .is_key = is_key,
                                                       .has_hdr = item->has_hdr,
                                                       .captions = item->captions,
                                                       .hdr = item->hdr };
}

/* NULL: it went in and what was ready came out. Otherwise what went wrong. */
static const char *feed(struct rung_coder *c, const struct lane_item *item)
{
    const bool is_key = item->is_key || c->wants_key;
    if (c->inside_count == LADDER_IN_FLIGHT_MAX) return "it takes pictures and gives none";
    /* a stall that an encoder hides by taking everything */
    if (c->latency == LADDER_LATENCY_LOW && c->inside_count &&
        clock_now_us() - c->inside[0].sent_us > c->shared->options.stall_us && c->inside_count > 2 + c->threads)
        return "it takes pictures and gives none";
    note_inside(c, item, is_key);
    enum backend_step step = c->choice.backend->encoder_send(c->encoder, item->frame, is_key);
    while (step == STEP_AGAIN) {
        const enum taken taken = take_packets(c);
        if (taken == TAKEN_NOTHING) return "it neither takes nor gives";
        if (taken != TAKEN_SOME) return "it failed";
        step = c->choice.backend->encoder_send(c->encoder, item->frame, is_key);
    }
    if (step != STEP_DONE) return "it refused a picture";
    if (is_key) c->wants_key = false;
    return take_packets(c) == TAKEN_FAILED ? "it failed" : NULL;
}

static int64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What a pixel costs is only known where the work is done on this thread. */
static void learn(struct rung_coder *c, int64_t began_ns)
{
    const struct backend *b = c->choice.backend;
    if ((b->is_gpu && !b->encodes_on_cpu) || c->threads != 1) return;
    const uint64_t pixels = (uint64_t)c->plan.width * c->plan.height;
    c->cost_ns += thread_ns() - began_ns;
    c->cost_pixels += pixels;
    if (c->cost_pixels < pixels * COST_FRAMES) return;
    transcoder_learn_encode(c->shared->transcoder, c->plan.codec, c->speed, c->cost_pixels, (uint64_t)c->cost_ns);
    c->cost_pixels = 0;
    c->cost_ns = 0;
}

void rung_coder_frame(struct rung_coder *c, const struct lane_item *item)
{
    /* another preset: at a keyframe the old encoder gives out what it has and a new one begins */
    if (c->encoder && item->is_key && wanted_speed(c, item->presets_faster) != c->speed) rung_coder_drain(c);
    for (size_t i = 0; i <= BACKENDS_MAX; i++) {
        if (!c->encoder && clock_now_us() < c->retry_us) break;
        if (!c->encoder && !open_next(c, item)) break;
        const int64_t began_ns = thread_ns();
        const char *wrong = feed(c, item);
        if (!wrong) {
            learn(c, began_ns);
            return;
        }
        fail(c, wrong);
    }
    count(c, FIGURE_FRAMES_DROPPED, 1);
}

void rung_coder_drain(struct rung_coder *c)
{
    if (!c->encoder) return;
    if (c->choice.backend->encoder_send(c->encoder, NULL, false) == STEP_FAILED || take_packets(c) == TAKEN_FAILED)
        fail(c, "it failed at its end");
    else
        close_encoder(c);
}
