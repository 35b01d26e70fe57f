/* The viewer as a whole: its multivariant playlist, its playhead, its switches. */
#include <weir/loadgen/viewer.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "viewer_internal.h"

#define MASTER_TIMEOUT_US 10000000
#define MASTER_RETRY_US 250000
#define LATENCY_US_MAX 86400000000 /* beyond, the dates are not of now */
#define WAKE_US_MAX 500000
#define START_LEVEL_US 250000 /* this much in front of the playhead is enough to begin with: a part */
/* Behind a stall, so much more than a piece: else each next one would come a moment too late again. */
#define RESUME_LEVEL_US 500000

#define VIEWER_FAULT_TEXT(identifier, name, says) { name, says },
static const struct {
    const char *name, *says;
} faults[] = { VIEWER_FAULTS(VIEWER_FAULT_TEXT) };
#undef VIEWER_FAULT_TEXT

const char *viewer_fault_name(enum viewer_fault fault)
{
    return faults[fault].name;
}

const char *viewer_fault_says(enum viewer_fault fault)
{
    return faults[fault].says;
}

/* -- what its parts share -- */

void wish_clear(struct wish *w)
{
    free(w->url);
    *w = (struct wish){ .id = 0 };
}

/* What comes of a server that is not there, or cannot keep up. */
static bool is_outage(enum viewer_fault fault)
{
    return fault == VIEWER_FAULT_STATUS || fault == VIEWER_FAULT_TRANSPORT || fault == VIEWER_FAULT_HOLE ||
           fault == VIEWER_FAULT_FELL_OUT;
}

void viewer_blame(struct viewer *v, enum viewer_fault fault, const char *format, ...)
{
    struct viewer_figures *f = &v->figures;
    f->faults[fault]++;
    if (f->first_fault[0] && (is_outage(fault) || !is_outage(f->first_kind))) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->first_fault, sizeof f->first_fault, format, arguments);
    va_end(arguments);
    f->first_kind = fault;
}

static char *write_key(const char *url, const struct hls_range *range)
{
    char *key = NULL;
    if (!range || !range->is_set) return strdup(url);
    const int bytes = asprintf(&key, "%s#bytes=%llu+%llu", url, (unsigned long long)range->first,
                               (unsigned long long)range->bytes);
    return bytes < 0 ? NULL : key;
}

bool viewer_send(struct viewer *v, struct wish *wish, const char *url, const struct hls_range *range,
                 int64_t timeout_us, size_t bytes_max, struct check_request *out)
{
    wish->url = write_key(url, range);
    if (!wish->url) return false;
    wish->id = ++v->next_id ? v->next_id : ++v->next_id;
    *out = (struct check_request){
        .id = wish->id, .url = wish->url, .accepts_gzip = true, .timeout_us = timeout_us, .bytes_max = bytes_max
    };
    if (range && range->is_set && range->bytes) {
        out->has_range = true;
        out->range_first = range->first;
        out->range_last = range->first + range->bytes - 1;
    }
    v->figures.requests++;
    return true;
}

int64_t viewer_real_us(const struct viewer *v, int64_t media_us)
{
    return (int64_t)((double)media_us / v->config.speed);
}

bool viewer_is_good(struct viewer *v, const struct wish *w, const struct check_answer *a)
{
    if (a->status && v->config.wants_http2 && !a->is_http2)
        viewer_blame(v, VIEWER_FAULT_PROTOCOL, "%s: came over HTTP/1.1", w->url);
    if (a->status == 200 || a->status == 206) return true;
    if (a->status)
        viewer_blame(v, VIEWER_FAULT_STATUS, "%s: status %d", w->url, a->status);
    else
        viewer_blame(v, VIEWER_FAULT_TRANSPORT, "%s: %s", w->url, a->error);
    return false;
}

struct object *viewer_take(struct viewer *v, enum object_kind kind, const struct wish *w, const struct check_answer *a,
                           const struct mp4_init *init)
{
    const uint64_t conflicts = object_cache_figures(v->config.cache).conflicts;
    const struct object_body body = {
        .url = w->url, .etag = a->etag, .body = a->body, .bytes = a->bytes, .digest = a->digest
    };
    struct object *o = object_cache_take(v->config.cache, kind, &body, init);
    if (object_cache_figures(v->config.cache).conflicts != conflicts)
        viewer_blame(v, VIEWER_FAULT_REPEATED, "%s: other bytes behind the entity tag %.40s", w->url, a->etag);
    return o;
}

/* -- the buffer -- */

/* Audio that begins elsewhere than the picture reaches elsewhere, too. */
static int64_t buffered_us(const struct viewer *v, const struct feed *f)
{
    const struct feed *lead = &v->feeds[0];
    const bool is_comparable = f != lead && f->has_origin && lead->has_origin;
    return f->appended_us + (is_comparable ? f->origin_us - lead->origin_us : 0);
}

static int64_t level_us(const struct viewer *v)
{
    int64_t least_us = INT64_MAX;
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        const struct feed *f = &v->feeds[i];
        if (!f->url) continue;
        const int64_t level = buffered_us(v, f) - v->position_us;
        if (level < least_us) least_us = level;
    }
    return least_us == INT64_MAX ? 0 : least_us;
}

static bool is_over(const struct viewer *v)
{
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        if (v->feeds[i].url && !feed_is_over(&v->feeds[i])) return false;
    }
    return v->feeds[0].url != NULL;
}

static void begin_stall(struct viewer *v, int64_t at_us)
{
    if (is_over(v)) {
        v->figures.state = VIEWER_ENDED;
        return;
    }
    v->figures.state = VIEWER_STALLED;
    v->figures.stalls++;
    v->stall_began_us = v->looked_us = at_us;
}

static void move_playhead(struct viewer *v, int64_t now_us)
{
    const int64_t passed_us = (int64_t)((double)(now_us - v->looked_us) * v->config.speed), left_us = level_us(v);
    int64_t played_us = passed_us < left_us ? passed_us : left_us;
    if (played_us < 0) played_us = 0;
    v->position_us += played_us;
    v->figures.played_us += played_us;
    v->looked_us = now_us;
    if (passed_us > left_us) begin_stall(v, now_us - viewer_real_us(v, passed_us - played_us));
}

static void note_stalled(struct viewer *v, int64_t now_us)
{
    const int64_t lasted_us = now_us - v->stall_began_us;
    v->figures.stalled_us += now_us - v->looked_us;
    if (lasted_us > v->figures.longest_stall_us) v->figures.longest_stall_us = lasted_us;
    v->looked_us = now_us;
}

static int64_t resume_level_us(const struct viewer *v)
{
    const struct feed *f = &v->feeds[0];
    if (feed_is_low_latency(f)) return RESUME_LEVEL_US + (f->list->part_target_us > 0 ? f->list->part_target_us : 0);
    const size_t count = f->list ? f->list->segment_count : 0;
    return RESUME_LEVEL_US + (count ? f->list->segments[count - 1].duration_us : 0);
}

static void stand(struct viewer *v, int64_t now_us)
{
    note_stalled(v, now_us);
    if (is_over(v) && level_us(v) <= 0) {
        v->figures.state = VIEWER_ENDED;
    } else if (is_over(v) || level_us(v) >= resume_level_us(v)) {
        v->figures.state = VIEWER_PLAYING;
    }
}

static void start(struct viewer *v, int64_t now_us)
{
    const int64_t level = level_us(v);
    if (!v->feeds[0].url || level < (is_over(v) ? 1 : v->skip_us + START_LEVEL_US)) return;
    v->position_us = v->skip_us < level ? v->skip_us : 0;
    v->figures.state = VIEWER_PLAYING;
    v->figures.startup_us = now_us - v->start_us;
    v->looked_us = now_us;
}

static void play(struct viewer *v, int64_t now_us)
{
    switch (v->figures.state) {
    case VIEWER_LOADING: start(v, now_us); break;
    case VIEWER_PLAYING: move_playhead(v, now_us); break;
    case VIEWER_STALLED: stand(v, now_us); break;
    case VIEWER_ENDED:
    case VIEWER_FAILED: break;
    }
}

/* Audio and video of one number start within a frame of each; a server may cut by decode times, which B-frames move away. */
static void compare_feeds(struct viewer *v)
{
    struct feed *a = &v->feeds[0], *b = &v->feeds[1];
    if (!b->url || !a->has_start || !b->has_start || a->start_msn != b->start_msn) return;
    const int64_t apart_us = b->start_us - a->start_us, most_us = a->frame_us + b->frame_us + a->reorder_us + 1000;
    if (llabs(apart_us) > most_us)
        viewer_blame(v, VIEWER_FAULT_AV_APART, "%s: segment %llu: its audio starts %lld us behind the picture", a->url,
                     (unsigned long long)a->start_msn, (long long)apart_us);
    a->has_start = b->has_start = false;
}

/* -- the multivariant playlist -- */

static const struct hls_variant *variant_at(const struct hls_multivariant *m, unsigned index)
{
    unsigned count = 0;
    for (size_t i = 0; i < m->variant_count; i++) count += !m->variants[i].is_iframes_only;
    if (!count) return NULL;
    unsigned left = index % count;
    for (size_t i = 0; i < m->variant_count; i++) {
        if (m->variants[i].is_iframes_only) continue;
        if (!left--) return &m->variants[i];
    }
    return NULL;
}

static const char *audio_uri(const struct hls_multivariant *m, const struct hls_variant *variant)
{
    const char *uri = NULL;
    for (size_t i = 0; i < m->media_count && variant->audio; i++) {
        const struct hls_media *media = &m->media[i];
        if (media->type != HLS_MEDIA_AUDIO || strcmp(media->group, variant->audio) || !media->uri) continue;
        if (!uri || media->is_default) uri = media->uri;
    }
    return uri;
}

static void open_feeds(struct viewer *v)
{
    char url[LOADGEN_URL_BYTES_MAX];
    const struct hls_multivariant *m = v->master_object->multivariant;
    const struct hls_variant *variant = variant_at(m, v->variant);
    if (!variant || url_resolve(v->url, variant->uri, url, sizeof url)) {
        viewer_blame(v, VIEWER_FAULT_UNREADABLE, "%s: no variant", v->url);
        v->figures.state = VIEWER_FAILED;
        return;
    }
    feed_open(&v->feeds[0], v, url);
    const char *audio = audio_uri(m, variant);
    if (audio && url_resolve(v->url, audio, url, sizeof url) == WEIR_OK && v->feeds[0].url &&
        strcmp(url, v->feeds[0].url))
        feed_open(&v->feeds[1], v, url);
}

static void open_list(struct viewer *v)
{
    object_unref(v->master_object);
    v->master_object = NULL;
    feed_open(&v->feeds[0], v, v->url);
}

/* A stream that is about to begin answers 404 for a while. */
static void on_no_master(struct viewer *v, const struct check_answer *a)
{
    v->next_master_us = a->done_us + MASTER_RETRY_US;
    if (a->done_us < v->start_us + v->config.wait_us) return;
    viewer_is_good(v, &v->master_wish, a);
    v->figures.state = VIEWER_FAILED;
}

static void on_master(struct viewer *v, const struct check_answer *a)
{
    if (a->status != 200) {
        on_no_master(v, a);
        return;
    }
    viewer_is_good(v, &v->master_wish, a);
    const bool is_list = a->body && !hls_is_multivariant((const char *)a->body, a->bytes);
    struct object *o = viewer_take(v, is_list ? OBJECT_LIST : OBJECT_MULTIVARIANT, &v->master_wish, a, NULL);
    v->next_master_us = a->done_us + MASTER_RETRY_US;
    if (!o) return;
    v->master_object = o;
    v->next_switch_us = a->done_us + v->config.switch_us;
    if (o->kind == OBJECT_LIST) {
        open_list(v);
    } else if (o->is_readable) {
        open_feeds(v);
    } else {
        viewer_blame(v, VIEWER_FAULT_UNREADABLE, "%s: not a playlist", v->url);
        v->figures.state = VIEWER_FAILED;
    }
}

/* At a segment's begin only. */
static void switch_variant(struct viewer *v, int64_t now_us)
{
    char url[LOADGEN_URL_BYTES_MAX];
    struct feed *f = &v->feeds[0];
    if (!v->config.switch_us || !v->master_object || now_us < v->next_switch_us) return;
    if (f->media_wish.id || f->list_wish.id || f->init_wish.id || f->next_part || !f->list) return;
    v->next_switch_us = now_us + v->config.switch_us;
    const struct hls_variant *next = variant_at(v->master_object->multivariant, v->variant + 1);
    if (!next || url_resolve(v->url, next->uri, url, sizeof url) || !strcmp(url, f->url)) return;
    v->variant++;
    v->figures.switches++;
    feed_switch(f, url, now_us);
}

/* -- the whole -- */

struct viewer *viewer_create(const struct viewer_config *config, int64_t now_us)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->config = *config;
    v->url = strdup(config->url);
    if (!v->url) {
        free(v);
        return NULL;
    }
    v->config.url = v->url;
    if (v->config.speed <= 0) v->config.speed = 1;
    v->variant = config->choice;
    v->start_us = v->next_master_us = v->looked_us = now_us;
    v->arrival_us = -1;
    v->figures = (struct viewer_figures){ .state = VIEWER_LOADING, .startup_us = -1 };
    return v;
}

void viewer_destroy(struct viewer *v)
{
    if (!v) return;
    for (int i = 0; i < VIEWER_FEEDS; i++) feed_close(&v->feeds[i]);
    wish_clear(&v->master_wish);
    object_unref(v->master_object);
    free(v->url);
    free(v);
}

static bool is_finished(const struct viewer *v)
{
    return v->figures.state == VIEWER_ENDED || v->figures.state == VIEWER_FAILED;
}

bool viewer_next_request(struct viewer *v, int64_t now_us, struct check_request *out)
{
    play(v, now_us);
    if (is_finished(v)) return false;
    if (!v->feeds[0].url)
        return !v->master_wish.id && now_us >= v->next_master_us &&
               viewer_send(v, &v->master_wish, v->url, NULL, MASTER_TIMEOUT_US, LOADGEN_PLAYLIST_BYTES_MAX, out);
    switch_variant(v, now_us);
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        if (feed_next_request(&v->feeds[i], now_us, out)) return true;
    }
    return false;
}

void viewer_answer(struct viewer *v, const struct check_answer *a)
{
    v->figures.bytes += a->bytes;
    play(v, a->done_us);
    if (v->master_wish.id == a->id) {
        on_master(v, a);
        wish_clear(&v->master_wish);
    } else {
        for (int i = 0; i < VIEWER_FEEDS; i++) {
            if (feed_answer(&v->feeds[i], a)) break;
        }
        compare_feeds(v);
    }
    play(v, a->done_us);
}

int64_t viewer_wake_us(const struct viewer *v, int64_t now_us)
{
    int64_t wake_us = now_us + WAKE_US_MAX;
    if (is_finished(v)) return INT64_MAX;
    if (!v->feeds[0].url && !v->master_wish.id && v->next_master_us < wake_us) wake_us = v->next_master_us;
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        const struct feed *f = &v->feeds[i];
        if (!f->url) continue;
        if (!f->list_wish.id && !f->is_ended && f->next_list_us < wake_us) wake_us = f->next_list_us;
        if (!f->media_wish.id && f->next_media_us > now_us && f->next_media_us < wake_us) wake_us = f->next_media_us;
    }
    return wake_us > now_us ? wake_us : now_us + 1000;
}

bool viewer_wants_body(const struct viewer *v, uint32_t id, const char *etag)
{
    for (int i = 0; i < VIEWER_FEEDS; i++) {
        const struct feed *f = &v->feeds[i];
        const struct wish *w = f->list_wish.id == id    ? &f->list_wish
                               : f->init_wish.id == id  ? &f->init_wish
                               : f->media_wish.id == id ? &f->media_wish
                                                        : NULL;
        if (w) return !object_cache_knows(v->config.cache, w->url, etag);
    }
    return true; /* a multivariant playlist may turn out to be none */
}

int64_t viewer_buffer_us(const struct viewer *v, int64_t now_us)
{
    const int64_t passed_us = v->figures.state == VIEWER_PLAYING ? now_us - v->looked_us : 0;
    const int64_t left_us = level_us(v) - (int64_t)((double)passed_us * v->config.speed);
    return left_us > 0 ? left_us : 0;
}

int64_t viewer_latency_us(const struct viewer *v, int64_t now_us)
{
    const struct feed *f = &v->feeds[0];
    const int64_t end_us = f->stamp_end_us != WALL_UNKNOWN ? f->stamp_end_us : f->wall_end_us;
    if (v->figures.state != VIEWER_PLAYING || end_us == WALL_UNKNOWN) return -1;
    const int64_t ahead_us = viewer_real_us(v, f->appended_us - v->position_us) - (now_us - v->looked_us);
    const int64_t latency_us = now_us + v->config.wall_less_us - (end_us - ahead_us);
    if (latency_us > LATENCY_US_MAX) return -1;
    return latency_us > 0 ? latency_us : 0;
}

int64_t viewer_arrival_us(const struct viewer *v)
{
    return v->arrival_us;
}

const struct viewer_figures *viewer_figures(struct viewer *v, int64_t now_us)
{
    play(v, now_us);
    return &v->figures;
}
