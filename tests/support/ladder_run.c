#include "ladder_run.h"

#include "hex.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>

static void on_planned(void *context, const struct ladder_plan *plan)
{
    struct ladder_run *r = context;
    pthread_mutex_lock(&r->lock);
    r->plan = *plan;
    r->plans++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void on_track(void *context, size_t rung, struct track *track)
{
    struct ladder_run *r = context;
    pthread_mutex_lock(&r->lock);
    track_unref(r->rungs[rung].track);
    r->rungs[rung].track = track_ref(track);
    r->rungs[rung].tracks++;
    pthread_mutex_unlock(&r->lock);
}

static void on_packet(void *context, size_t rung, const struct media_packet *packet)
{
    struct ladder_run *r = context;
    struct run_rung *o = &r->rungs[rung];
    pthread_mutex_lock(&r->lock);
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 64;
        o->packets = realloc(o->packets, o->room * sizeof *o->packets);
    }
    o->packets[o->count++] = *packet;
    blob_ref(packet->payload.blob);
    r->outputs++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void on_absent(void *context, size_t rung)
{
    struct ladder_run *r = context;
    pthread_mutex_lock(&r->lock);
    r->rungs[rung].absents++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void on_drained(void *context, size_t rung)
{
    struct ladder_run *r = context;
    pthread_mutex_lock(&r->lock);
    r->rungs[rung].drains++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void ladder_run_start(struct ladder_run *r, struct transcoder *transcoder, const struct ladder_options *options)
{
    struct ladder_options o = *options;
    pthread_condattr_t attributes;
    *r = (struct ladder_run){ .transcoder = transcoder, .era = 1 };
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    o.name = "live/film";
    o.events = (struct ladder_events){ .context = r,
                                       .planned = on_planned,
                                       .track = on_track,
                                       .packet = on_packet,
                                       .absent = on_absent,
                                       .drained = on_drained };
    assert_int_equal(ladder_create(&r->ladder, transcoder, &o), WEIR_OK);
}

static struct timespec in_us(int64_t us)
{
    const int64_t at = clock_now_us() + us;
    return (struct timespec){ .tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000 };
}

void ladder_run_push(struct ladder_run *r, const struct film *film, size_t from, size_t to,
                     bool (*is_lost)(size_t index))
{
    const int64_t deadline_us = clock_now_us() + RUN_PATIENCE_US;
    assert_int_equal(ladder_set_track(r->ladder, film->track), WEIR_OK);
    for (size_t i = from; i < to && i < film->count; i++) {
        struct media_packet p = film->packets[i];
        p.era = r->era;
        p.pts_90k += r->era_shift_90k;
        p.dts_90k += r->era_shift_90k;
        p.arrival_us = clock_now_us();
        if (is_lost && is_lost(i)) continue;
        while (ladder_backlog_90k(r->ladder) > 90000 && clock_now_us() < deadline_us) {
            /* whatever comes out, there may be room */
            const struct timespec soon = in_us(20000);
            pthread_mutex_lock(&r->lock);
            pthread_cond_timedwait(&r->changed, &r->lock, &soon);
            pthread_mutex_unlock(&r->lock);
            ladder_tick(r->ladder, clock_now_us());
        }
        ladder_push(r->ladder, &p, p.access == FRAME_OPEN ? p.pts_90k : LADDER_NO_CUT);
    }
    assert_true(clock_now_us() < deadline_us);
}

void ladder_run_push_live(struct ladder_run *r, const struct film *film, size_t from, size_t to, unsigned speed_percent)
{
    const int64_t began_us = clock_now_us();
    assert_int_equal(ladder_set_track(r->ladder, film->track), WEIR_OK);
    for (size_t i = from; i < to && i < film->count; i++) {
        struct media_packet p = film->packets[i];
        const int64_t media_us = (p.dts_90k - film->packets[from].dts_90k) * 100 / 9;
        const int64_t due_us = began_us + media_us * 100 / speed_percent;
        while (clock_now_us() < due_us) {
            const int64_t left_us = due_us - clock_now_us();
            const struct timespec pause = { .tv_nsec = (left_us < 1000    ? 1000
                                                        : left_us > 50000 ? 50000
                                                                          : left_us) *
                                                       1000 };
            nanosleep(&pause, NULL);
            ladder_tick(r->ladder, clock_now_us());
        }
        p.era = r->era;
        p.pts_90k += r->era_shift_90k;
        p.dts_90k += r->era_shift_90k;
        p.arrival_us = clock_now_us();
        ladder_push(r->ladder, &p, p.access == FRAME_OPEN ? p.pts_90k : LADDER_NO_CUT);
    }
}

void ladder_run_wait(struct ladder_run *r, bool (*is_so)(const struct ladder_run *run), const char *what)
{
    const int64_t deadline_us = clock_now_us() + RUN_PATIENCE_US;
    bool is_met = false;
    while (!is_met && clock_now_us() < deadline_us) {
        const struct timespec soon = in_us(100000);
        pthread_mutex_lock(&r->lock);
        is_met = is_so(r);
        if (!is_met) pthread_cond_timedwait(&r->changed, &r->lock, &soon);
        pthread_mutex_unlock(&r->lock);
        ladder_tick(r->ladder, clock_now_us());
    }
    if (!is_met) fail_msg("waited in vain: %s", what);
}

static unsigned drains_wanted;
static bool are_drained(const struct ladder_run *r)
{
    if (!r->plans) return false;
    for (size_t i = 0; i < r->plan.rung_count; i++) {
        if (r->plan.rungs[i].kind == RUNG_ENCODED && r->rungs[i].drains < drains_wanted) return false;
    }
    return true;
}

void ladder_run_drain(struct ladder_run *r)
{
    pthread_mutex_lock(&r->lock);
    drains_wanted = 0;
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        if (r->rungs[i].drains > drains_wanted) drains_wanted = r->rungs[i].drains;
    }
    drains_wanted++;
    pthread_mutex_unlock(&r->lock);
    ladder_drain(r->ladder);
    ladder_run_wait(r, are_drained, "every rung drained");
}

void ladder_run_end(struct ladder_run *r)
{
    ladder_destroy(r->ladder);
    /* its threads let go one after the other */
    struct transcode_figures *all = transcoder_figures(r->transcoder);
    const int64_t deadline_us = clock_now_us() + RUN_PATIENCE_US;
    while (transcode_read(all, FIGURE_THREADS_ALIVE) && clock_now_us() < deadline_us) {
        const struct timespec soon = { .tv_nsec = 1000000 };
        nanosleep(&soon, NULL);
    }
    for (int id = FIGURE_FRAMES_ALIVE; id <= FIGURE_THREADS_ALIVE; id++) {
        const int64_t alive = transcode_read(all, (enum transcode_figure)id);
        if (alive)
            fail_msg("%s: %lld are left", transcode_figure_facts((enum transcode_figure)id).name, (long long)alive);
    }
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        struct run_rung *o = &r->rungs[i];
        for (size_t k = 0; k < o->count; k++) blob_unref(o->packets[k].payload.blob);
        free(o->packets);
        track_unref(o->track);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

size_t ladder_run_index(const struct ladder_run *r, const char *name)
{
    for (size_t i = 0; i < r->plan.rung_count; i++) {
        if (!strcmp(r->plan.rungs[i].name, name)) return i;
    }
    fail_msg("no rung %s", name);
    return 0;
}

const struct run_rung *ladder_run_rung(const struct ladder_run *r, const char *name)
{
    return &r->rungs[ladder_run_index(r, name)];
}

size_t run_rung_look(const struct run_rung *o, void (*look)(void *context, const AVFrame *picture), void *context)
{
    static const enum AVCodecID ids[] = {
        [CODEC_H264] = AV_CODEC_ID_H264, [CODEC_HEVC] = AV_CODEC_ID_HEVC, [CODEC_AV1] = AV_CODEC_ID_AV1
    };
    const enum media_codec codec = track_facts(o->track)->codec;
    const AVCodec *decoder = codec == CODEC_AV1 ? avcodec_find_decoder_by_name("libdav1d")
                                                : avcodec_find_decoder(ids[codec]);
    AVCodecContext *d = avcodec_alloc_context3(decoder);
    const struct byte_span config = track_config(o->track);
    d->extradata = av_mallocz(config.bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(d->extradata, config.data, config.bytes);
    d->extradata_size = (int)config.bytes;
    d->thread_count = 1;
    assert_int_equal(avcodec_open2(d, NULL, NULL), 0);
    AVFrame *f = av_frame_alloc();
    size_t count = 0;
    for (size_t i = 0; i <= o->count; i++) {
        AVPacket *p = NULL;
        if (i < o->count) {
            p = av_packet_alloc();
            assert_int_equal(av_new_packet(p, (int)o->packets[i].payload.bytes), 0);
            memcpy(p->data, o->packets[i].payload.data, o->packets[i].payload.bytes);
            p->pts = o->packets[i].pts_90k;
            p->dts = o->packets[i].dts_90k;
        }
        assert_int_equal(avcodec_send_packet(d, p), 0);
        av_packet_free(&p);
        while (!avcodec_receive_frame(d, f)) {
            assert_int_equal(f->decode_error_flags, 0);
            look(context, f);
            count++;
            av_frame_unref(f);
        }
    }
    av_frame_free(&f);
    avcodec_free_context(&d);
    return count;
}

struct numbers {
    int *numbers;
    int64_t *pts_90k;
    size_t count, room;
};

static void note_number(void *context, const AVFrame *picture)
{
    struct numbers *n = context;
    assert_true(n->count < n->room);
    n->numbers[n->count] = film_number(picture);
    n->pts_90k[n->count++] = picture->pts;
}

size_t run_rung_decode(const struct run_rung *o, int *numbers, int64_t *pts_90k, size_t room)
{
    struct numbers n = { .numbers = numbers, .pts_90k = pts_90k, .room = room };
    run_rung_look(o, note_number, &n);
    return n.count;
}
