/* engine: the thread that decodes. Packets come out of its queue; pictures go, scaled, to the lanes. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/transcode/keyframe_plan.h>
#include <weir/transcode/watchdog.h>

#include "decode_step.h"
#include "ladder_internal.h"
#include "picture_path.h"

#define LOOK_US 250000        /* between two looks at how it goes */
#define LANE_WAIT_US 100000   /* for a place in front of an encoder, until the watchdog is asked */
#define DRAIN_WAIT_US 2000000 /* for the lanes of an old plan */
#define SETTLED_FRAMES 90     /* the longest lookahead is full, and the pools are */

struct engine {
    _Atomic uint32_t refs;
    struct ladder_shared *shared;
    pthread_mutex_t lock; /* the queue, is_over */
    pthread_cond_t has_items;
    struct ladder_queue queue;
    bool is_over;
    _Atomic size_t decoder_rank;
    _Atomic bool is_over_hint; /* is_over, without the lock */
    /* the thread's */
    struct track *track;
    struct decode_step decode;
    struct picture_path path;
    bool has_plan;
    struct admission_ticket ticket;
    int64_t asked_us;   /* for the ticket, last */
    uint32_t unsettled; /* pictures until its memory is taken; 0: it is */
    struct keyframe_plan keys;
    struct shed shed;
    struct lane *lanes[LADDER_RUNGS_MAX];
    struct watchdog dogs[LADDER_RUNGS_MAX];
    struct captions captions[LADDER_RUNGS_MAX];
    uint64_t dropped_seen;
    int64_t looked_us, busy_us, cost_ns; /* busy: without waiting for lanes */
    uint64_t lane_busy_us[LADDER_RUNGS_MAX];
    uint64_t cost_pixels;
    bool wants_key; /* a rung needs one before the plan has one */
};

static void count(struct engine *e, enum transcode_figure id, int64_t n)
{
    transcode_count(&e->shared->figures, id, n);
}

/* -- the plan -- */

static void learn_source(const struct engine *e, const struct media_packet *first, struct ladder_source *source)
{
    const struct codec_facts *f = track_facts(e->track);
    *source = (struct ladder_source){ .codec = f->codec,
                                      .width = f->width,
                                      .height = f->height,
                                      .sar_num = f->sar_num,
                                      .sar_den = f->sar_den,
                                      .fps_num = f->fps_num,
                                      .fps_den = f->fps_den,
                                      .bit_depth = f->bit_depth };
    if (source->fps_num || !first->nominal_90k) return;
    source->fps_num = 90000;
    source->fps_den = first->nominal_90k;
}

static bool is_same_plan(const struct ladder_plan *a, const struct ladder_plan *b)
{
    if (a->rung_count != b->rung_count) return false;
    for (size_t i = 0; i < a->rung_count; i++) {
        const bool is_passed = a->rungs[i].kind == RUNG_PASSTHROUGH && b->rungs[i].kind == RUNG_PASSTHROUGH;
        if (!is_passed && !rung_plan_equal(&a->rungs[i], &b->rungs[i])) return false;
    }
    return true;
}

/* Old lanes give out what they have; their packets must be out before a new plan is told. */
static void end_lanes(struct engine *e, bool is_drained)
{
    const int64_t until_us = clock_now_us() + DRAIN_WAIT_US;
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        struct lane *l = e->lanes[i];
        if (!l) continue;
        const struct lane_item drain = { .kind = LANE_DRAIN };
        if (is_drained && lane_give(l, &drain, 0) == LANE_TAKEN) lane_wait_idle(l, until_us - clock_now_us());
        lane_end(l, false);
        e->lanes[i] = NULL;
        /* what it still has in hand must not come under a new plan's name */
        pthread_mutex_lock(&e->shared->out_lock);
        if (e->shared->outputs[i].writer == l) e->shared->outputs[i].writer = NULL;
        pthread_mutex_unlock(&e->shared->out_lock);
    }
}

/* An encoder's threads: one keeps it cheap; more where one core could not follow. */
static uint32_t encoder_threads(const struct rung_plan *r, uint32_t cores)
{
    static const uint64_t pixels_per_core[PRESET_COUNT] = { 0,        150000000, 100000000, 60000000,
                                                            35000000, 28000000,  23000000,  15000000 };
    unsigned speed = preset_speed_from(r->preset);
    if (!speed) speed = PRESET_VERYFAST;
    const uint64_t factor = r->codec == CODEC_H264 ? 1 : 4;
    const uint64_t wanted = 1 + rung_pixel_rate(r) * factor / pixels_per_core[speed];
    return wanted < cores ? (uint32_t)wanted : cores;
}

static uint32_t core_count(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static bool make_lane(struct engine *e, size_t rung, size_t rank)
{
    const struct rung_plan *r = &e->path.plan.rungs[rung];
    e->lanes[rung] = lane_create(e->shared, rung, r, e->path.plan.latency, encoder_threads(r, core_count()), rank);
    watchdog_init(&e->dogs[rung], e->shared->options.stall_us);
    return e->lanes[rung] != NULL;
}

static void make_lanes(struct engine *e)
{
    const struct ladder_plan *plan = &e->path.plan;
    const struct lane_item leave = { .kind = LANE_LEAVE_OUT };
    for (size_t i = 0; i < plan->rung_count; i++) {
        if (plan->rungs[i].kind != RUNG_ENCODED) continue;
        if (!make_lane(e, i, 0)) return;
        if (shed_rung_at(plan, i, e->path.level).is_left_out) lane_give(e->lanes[i], &leave, 0);
    }
}

static void tell_plan(struct engine *e, const struct ladder_plan *plan)
{
    struct ladder_shared *s = e->shared;
    pthread_mutex_lock(&s->out_lock);
    if (!s->is_closed) s->options.events.planned(s->options.events.context, plan);
    pthread_mutex_unlock(&s->out_lock);
}

static void drop_plan(struct engine *e, bool is_drained)
{
    end_lanes(e, is_drained);
    if (!e->has_plan) return;
    picture_path_deinit(&e->path);
    transcoder_leave(e->shared->transcoder, &e->ticket);
    e->has_plan = false;
}

static void log_plan(struct engine *e)
{
    char text[256];
    size_t used = 0;
    for (size_t i = 0; i < e->path.plan.rung_count && used < sizeof text; i++) {
        const struct rung_plan *r = &e->path.plan.rungs[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s:%ux%u", i ? "," : "", r->name, r->width,
                                 r->height);
    }
    log_event(LOG_TRANSCODE, LOG_INFO, e->shared->name, "ladder", "rungs=%s level=%u", text, e->path.level);
}

static void look_at_ticket(struct engine *e, const struct ladder_plan *plan)
{
    const struct admission_ticket *t = &e->ticket;
    const bool is_refused = t->level && t->level >= shed_level_last(plan);
    const char *name = is_refused ? "ladder_refused" : "ladder_reduced";
    if (is_refused) count(e, FIGURE_LADDERS_REFUSED, 1);
    if (t->is_for_memory)
        log_event(
            LOG_TRANSCODE, LOG_WARN, e->shared->name, name,
            "level=%u reason=memory wanted_mb=%llu left_mb=%llu action=\"more memory, fewer rungs, latency: low, a "
            "shorter hls.window; see docs/transcoding.md\"",
            t->level, (unsigned long long)(t->memory_wanted >> 20), (unsigned long long)(t->memory_left >> 20));
    else if (is_refused)
        log_event(LOG_TRANSCODE, LOG_WARN, e->shared->name, name,
                  "level=%u reason=\"the budget of this machine is taken\" action=\"passed through; see "
                  "docs/transcoding.md\"",
                  t->level);
}

static struct admission_wish wish_of(const struct engine *e)
{
    const struct ladder_shared *s = e->shared;
    return (struct admission_wish){ .plan = &e->path.plan,
                                    .source = &e->path.source,
                                    .backend = s->backend,
                                    .must_be_gpu = s->options.requires_gpu,
                                    .kept_us = s->options.kept_us };
}

/* A ladder that did not fit asks again from time to time, unless it is short of breath as it is; longer apart where climbing did not last. */
static void ask_again(struct engine *e, int64_t now_us)
{
    struct transcoder *t = e->shared->transcoder;
    const int64_t wait_us = transcoder_ask_again_us(t) * e->shed.patience_us / SHED_PATIENCE_US;
    if (!e->ticket.level || e->shed.level != e->shed.level_min || now_us - e->asked_us < wait_us) return;
    const struct admission_wish wish = wish_of(e);
    e->asked_us = now_us;
    if (!transcoder_readmit(t, &wish, &e->ticket)) return;
    e->unsettled = SETTLED_FRAMES;
    shed_admit(&e->shed, e->ticket.level, now_us);
    log_event(LOG_TRANSCODE, LOG_INFO, e->shared->name, "ladder_admitted", "level=%u", e->ticket.level);
}

static void use_plan(struct engine *e, const struct ladder_plan *plan, const struct ladder_source *source)
{
    struct ladder_shared *s = e->shared;
    const bool is_kept = e->has_plan && is_same_plan(plan, &e->path.plan);
    if (is_kept) {
        /* the same encoders go on; what is in front of them begins anew */
        const uint32_t level = e->path.level;
        picture_path_deinit(&e->path);
        picture_path_init(&e->path, s, plan, source);
        picture_path_set_level(&e->path, level);
    } else {
        drop_plan(e, true);
        picture_path_init(&e->path, s, plan, source);
        e->has_plan = true;
        const struct admission_wish wish = wish_of(e);
        e->ticket = s->options.is_unbounded ? (struct admission_ticket){ .level = 0 }
                                            : transcoder_admit(s->transcoder, &wish);
        e->asked_us = clock_now_us();
        e->unsettled = SETTLED_FRAMES;
        look_at_ticket(e, plan);
        shed_init(&e->shed, plan, e->ticket.level, clock_now_us());
        picture_path_set_level(&e->path, e->shed.level);
        tell_plan(e, plan);
        make_lanes(e);
        log_plan(e);
    }
    transcode_set(&s->figures, FIGURE_SHED_LEVEL, e->path.level);
    keyframe_plan_init(&e->keys, plan->has_passthrough ? 0 : s->options.cadence_90k);
}

/* The first packet behind a track says what the track does not. */
static bool make_plan(struct engine *e, const struct media_packet *first)
{
    struct ladder_source source;
    struct ladder_plan plan;
    const char *why = "";
    learn_source(e, first, &source);
    if (ladder_plan_make(&e->shared->options.config, &source, &plan, &why)) {
        log_event(LOG_TRANSCODE, LOG_WARN, e->shared->name, "ladder_not_planned", "reason=\"%s\"", why);
        drop_plan(e, true);
        const struct ladder_plan none = { .rung_count = 0 };
        tell_plan(e, &none);
        return false;
    }
    use_plan(e, &plan, &source);
    return true;
}

/* -- lanes -- */

static void replace_lane(struct engine *e, size_t rung, size_t rank)
{
    count(e, FIGURE_STALLS, 1);
    log_event(LOG_TRANSCODE, LOG_WARN, e->shared->name, "encoder_hangs",
              "rung=%s action=\"replaced by the next backend\"", e->path.plan.rungs[rung].name);
    lane_end(e->lanes[rung], false);
    make_lane(e, rung, rank + 1);
    e->wants_key = true;               /* not of the plan; it begins the new encoder's stream */
    e->shed.moved_us = clock_now_us(); /* the backlog that this made is no load */
}

static void look_at_lanes(struct engine *e)
{
    for (size_t i = 0; i < e->path.plan.rung_count; i++) {
        if (!e->lanes[i]) continue;
        const struct lane_look look = lane_look(e->lanes[i]);
        e->lane_busy_us[i] += look.busy_us;
        if (watchdog_look(&e->dogs[i], clock_now_us(), look.has_work, look.has_answered) == WATCHDOG_REPLACE)
            replace_lane(e, i, look.rank);
    }
}

/* Of the busiest thread since the last time. */
static uint64_t take_busy_us(struct engine *e)
{
    uint64_t busiest_us = e->busy_us > 0 ? (uint64_t)e->busy_us : 0;
    for (size_t i = 0; i < e->path.plan.rung_count; i++) {
        if (e->lane_busy_us[i] > busiest_us) busiest_us = e->lane_busy_us[i];
        e->lane_busy_us[i] = 0;
    }
    e->busy_us = 0;
    return busiest_us;
}

static void look_around(struct engine *e)
{
    const int64_t now_us = clock_now_us(), wall_us = now_us - e->looked_us;
    if (wall_us < LOOK_US || !e->has_plan) return;
    look_at_lanes(e);
    const uint64_t busiest_us = take_busy_us(e);
    e->looked_us = now_us;
    pthread_mutex_lock(&e->lock);
    const uint64_t dropped = e->queue.dropped;
    const int64_t backlog_90k = ladder_queue_span_90k(&e->queue);
    pthread_mutex_unlock(&e->lock);
    const struct shed_reading reading = { .now_us = now_us,
                                          .backlog_us = backlog_90k * 100 / 9,
                                          .has_overflowed = dropped != e->dropped_seen,
                                          .busy_percent = (uint32_t)(busiest_us * 100 / (uint64_t)wall_us) };
    e->dropped_seen = dropped;
    if (e->shared->options.is_unbounded) return;
    const enum shed_step step = shed_read(&e->shed, &reading);
    if (step == SHED_STAY) {
        if (!reading.has_overflowed) ask_again(e, now_us);
        return;
    }
    count(e, step == SHED_DOWN ? FIGURE_SHED_DOWN : FIGURE_SHED_UP, 1);
    log_event(LOG_TRANSCODE, step == SHED_DOWN ? LOG_WARN : LOG_INFO, e->shared->name,
              step == SHED_DOWN ? "shed" : "recovered", "level=%u backlog_ms=%lld busy_percent=%u", e->shed.level,
              (long long)reading.backlog_us / 1000, reading.busy_percent);
}

/* At a keyframe: what was decided since the last one comes into force. */
static void apply_level(struct engine *e)
{
    if (e->path.level == e->shed.level) return;
    for (size_t i = 0; i < e->path.plan.rung_count; i++) {
        const bool was_out = shed_rung_at(&e->path.plan, i, e->path.level).is_left_out;
        const bool is_out = shed_rung_at(&e->path.plan, i, e->shed.level).is_left_out;
        const struct lane_item leave = { .kind = LANE_LEAVE_OUT };
        if (is_out && !was_out && e->lanes[i]) lane_give(e->lanes[i], &leave, 0);
    }
    picture_path_set_level(&e->path, e->shed.level);
    transcode_set(&e->shared->figures, FIGURE_SHED_LEVEL, e->path.level);
}

/* The lane takes its time, as long as it does something; one that does nothing is replaced, and only its own frames are lost. */
static void give_to_lane(struct engine *e, size_t rung, struct lane_item *item)
{
    while (e->lanes[rung]) {
        const int64_t began_us = clock_now_us();
        const enum lane_give given = lane_give(e->lanes[rung], item, LANE_WAIT_US);
        e->busy_us -= clock_now_us() - began_us;
        if (given == LANE_TAKEN) return;
        if (atomic_load(&e->is_over_hint)) break;
        const struct lane *before = e->lanes[rung];
        look_at_lanes(e);
        if (e->lanes[rung] != before) item->is_key = true;
    }
    count(e, FIGURE_FRAMES_DROPPED, 1);
    frame_release(&e->shared->figures, item->frame);
}

static void give_picture(struct engine *e, const struct decoded *d, bool is_key)
{
    for (size_t i = 0; i < e->path.plan.rung_count; i++) {
        struct rung_path *r = &e->path.rungs[i];
        if (!r->is_active) continue;
        if (d->caption_bytes) {
            const size_t lost = captions_add(&e->captions[i], d->captions, d->caption_bytes);
            count(e, FIGURE_CAPTION_BYTES_LOST, (int64_t)lost);
        }
        if (!r->scaled) continue;
        struct lane_item item = { .kind = LANE_FRAME,
                                  .frame = r->scaled,
                                  .pts_90k = d->frame->pts,
                                  .arrival_us = d->arrival_us,
                                  .era = d->era,
                                  .nominal_90k = d->nominal_90k * picture_path_keep_one_in(&e->path, i),
                                  .is_key = is_key,
                                  .presets_faster = shed_rung_at(&e->path.plan, i, e->path.level).presets_faster,
                                  .captions = e->captions[i],
                                  .has_hdr = d->has_hdr,
                                  .hdr = d->hdr };
        r->scaled = NULL;
        e->captions[i].bytes = 0;
        give_to_lane(e, i, &item);
    }
}

/* -- decoding -- */

static void on_picture(void *context, const struct decoded *d)
{
    struct engine *e = context;
    struct backend_error error;
    const bool is_planned = keyframe_plan_take(&e->keys, d->frame->pts);
    const bool is_key = is_planned || e->wants_key;
    count(e, FIGURE_FRAMES_DECODED, 1);
    if (e->unsettled && !--e->unsettled) transcoder_settle(e->shared->transcoder, &e->ticket);
    if (is_key) apply_level(e);
    e->wants_key = false;
    atomic_store(&e->decode.calling_since_us, clock_now_us());
    const enum weir_err err = picture_path_run(&e->path, d->frame, is_key, &error);
    atomic_store(&e->decode.calling_since_us, 0);
    if (err) {
        log_event(LOG_TRANSCODE, LOG_WARN, e->shared->name, "scaler_failed", "reason=%s",
                  log_quote_text(error.text).text);
        decode_step_fail(&e->decode);
        return;
    }
    give_picture(e, d, is_key);
}

static void on_backend(void *context, const struct backend_choice *choice)
{
    struct engine *e = context;
    picture_path_set_backend(&e->path, choice);
    keyframe_plan_restart(&e->keys);
    atomic_store(&e->decoder_rank, choice->rank);
}

static bool is_any_active(const struct engine *e)
{
    for (size_t i = 0; i < e->path.plan.rung_count; i++) {
        if (e->path.rungs[i].is_active) return true;
    }
    return false;
}

static void serve_packet(struct engine *e, const struct ladder_item *item)
{
    if (!e->track) return;
    if (!decode_step_has_track(&e->decode)) {
        if (!make_plan(e, &item->packet)) {
            track_unref(e->track); /* until another one comes, there is nothing to do */
            e->track = NULL;
            return;
        }
        decode_step_set_track(&e->decode, e->track);
    }
    /* nothing is encoded: nothing is decoded. A keyframe is where that may change. */
    const bool is_entry = item->packet.access != FRAME_INTER;
    if (is_entry && !is_any_active(e)) apply_level(e);
    if (!is_any_active(e)) {
        decode_step_rest(&e->decode);
        return;
    }
    /* an open entry is none of a rung's: where one cuts, the pictures that are shown before it begin the segment */
    if (item->cut_90k != LADDER_NO_CUT)
        keyframe_plan_note(&e->keys, item->cut_90k);
    else if (item->packet.access == FRAME_IDR)
        keyframe_plan_note(&e->keys, item->packet.pts_90k);
    decode_step_feed(&e->decode, &item->packet);
}

static void serve_drain(struct engine *e)
{
    const struct lane_item drain = { .kind = LANE_DRAIN };
    decode_step_drain(&e->decode);
    keyframe_plan_restart(&e->keys);
    if (e->has_plan && e->ticket.level) {
        /* the machine was too full for all of it: it is asked again when the publisher is back */
        drop_plan(e, true);
        decode_step_set_track(&e->decode, NULL);
        return;
    }
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        if (e->lanes[i] && lane_give(e->lanes[i], &drain, 0) != LANE_TAKEN)
            log_event(LOG_TRANSCODE, LOG_WARN, e->shared->name, "drain_skipped", "rung=%s", e->path.plan.rungs[i].name);
    }
}

static void serve(struct engine *e, struct ladder_item *item)
{
    switch (item->kind) {
    case ITEM_PACKET: serve_packet(e, item); break;
    case ITEM_TRACK:
        decode_step_drain(&e->decode);
        decode_step_set_track(&e->decode, NULL);
        track_unref(e->track);
        e->track = track_ref(item->track);
        break;
    case ITEM_DRAIN: serve_drain(e); break;
    }
}

/* -- the thread -- */

static int64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void learn(struct engine *e, int64_t ns)
{
    const struct ladder_source *s = &e->path.source;
    if (!e->has_plan || !decode_step_is_on_cpu(&e->decode)) return;
    e->cost_ns += ns;
    e->cost_pixels += (uint64_t)s->width * s->height;
    if (e->cost_pixels < 60ull * s->width * s->height) return;
    transcoder_learn_decode(e->shared->transcoder, e->cost_pixels, (uint64_t)e->cost_ns);
    e->cost_ns = 0;
    e->cost_pixels = 0;
}

enum taken { TAKEN_ITEM = 1, TAKEN_NOTHING, TAKEN_END };
static enum taken take(struct engine *e, struct ladder_item *item)
{
    const struct timespec until = time_after(LOOK_US);
    pthread_mutex_lock(&e->lock);
    bool has_item = false;
    while (!e->is_over && !(has_item = ladder_queue_take(&e->queue, item)) &&
           pthread_cond_timedwait(&e->has_items, &e->lock, &until) != ETIMEDOUT)
        continue;
    const bool is_over = e->is_over;
    pthread_mutex_unlock(&e->lock);
    if (is_over && has_item) ladder_item_deinit(item);
    if (is_over) return TAKEN_END;
    return has_item ? TAKEN_ITEM : TAKEN_NOTHING;
}

static void engine_unref(struct engine *e)
{
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1) return;
    ladder_queue_deinit(&e->queue);
    pthread_cond_destroy(&e->has_items);
    pthread_mutex_destroy(&e->lock);
    track_unref(e->track);
    shared_unref(e->shared);
    free(e);
}

static void *run(void *context)
{
    struct engine *e = context;
    struct ladder_shared *shared = shared_ref(e->shared);
    struct transcoder *transcoder = shared->transcoder;
    struct ladder_item item;
    libav_log_stream(e->shared->name);
    e->looked_us = clock_now_us();
    for (enum taken taken; (taken = take(e, &item)) != TAKEN_END;) {
        if (taken == TAKEN_ITEM) {
            const int64_t began_us = clock_now_us(), began_ns = thread_ns();
            serve(e, &item);
            if (item.kind == ITEM_PACKET) learn(e, thread_ns() - began_ns);
            ladder_item_deinit(&item);
            e->busy_us += clock_now_us() - began_us;
        }
        look_around(e);
    }
    decode_step_deinit(&e->decode);
    drop_plan(e, false);
    engine_unref(e); /* what waited goes with it: only then is nothing of this thread left */
    transcode_count(&shared->figures, FIGURE_THREADS_ALIVE, -1);
    shared_unref(shared);
    transcoder_leave_thread(transcoder);
    return NULL;
}

struct engine *engine_create(struct ladder_shared *shared, struct track *track, size_t decoder_rank)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->shared = shared_ref(shared);
    e->track = track ? track_ref(track) : NULL;
    pthread_mutex_init(&e->lock, NULL);
    monotonic_cond_init(&e->has_items);
    ladder_queue_init(&e->queue, LADDER_QUEUE_BYTES_MAX, LADDER_QUEUE_90K_MAX, LADDER_QUEUE_ITEMS_MAX);
    const struct decode_events events = { .context = e, .picture = on_picture, .backend = on_backend };
    decode_step_init(&e->decode, shared, &events, decoder_rank);
    keyframe_plan_init(&e->keys, shared->options.cadence_90k);
    atomic_init(&e->refs, 2);
    transcoder_enter_thread(shared->transcoder);
    transcode_count(&shared->figures, FIGURE_THREADS_ALIVE, 1);
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, e)) {
        transcode_count(&shared->figures, FIGURE_THREADS_ALIVE, -1);
        transcoder_leave_thread(shared->transcoder);
        decode_step_deinit(&e->decode);
        atomic_store(&e->refs, 1);
        engine_unref(e);
        return NULL;
    }
    pthread_setname_np(thread, "decode");
    pthread_detach(thread);
    return e;
}

void engine_end(struct engine *e)
{
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->is_over = true;
    atomic_store(&e->is_over_hint, true);
    pthread_cond_signal(&e->has_items);
    pthread_mutex_unlock(&e->lock);
    engine_unref(e);
}

size_t engine_give(struct engine *e, const struct ladder_item *item)
{
    pthread_mutex_lock(&e->lock);
    const size_t dropped = ladder_queue_give(&e->queue, item);
    pthread_cond_signal(&e->has_items);
    pthread_mutex_unlock(&e->lock);
    return dropped;
}

void engine_pass_on(struct engine *from, struct engine *to)
{
    struct ladder_item item;
    for (bool has_item = true; has_item;) {
        pthread_mutex_lock(&from->lock);
        has_item = ladder_queue_take(&from->queue, &item);
        pthread_mutex_unlock(&from->lock);
        if (has_item) engine_give(to, &item);
    }
}

int64_t engine_backlog_90k(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    const int64_t span_90k = ladder_queue_span_90k(&e->queue);
    pthread_mutex_unlock(&e->lock);
    return span_90k;
}

bool engine_is_hung(struct engine *e, int64_t now_us)
{
    const int64_t since_us = atomic_load(&e->decode.calling_since_us);
    return since_us && now_us - since_us > e->shared->options.stall_us;
}

size_t engine_decoder_rank(struct engine *e)
{
    return atomic_load(&e->decoder_rank);
}
