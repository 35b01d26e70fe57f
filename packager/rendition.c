#include "rendition.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "playlist.h"

#define LISTED_MIN 6
#define WINDOW_TARGETS_MIN 3

enum weir_err rendition_create(struct rendition **out, const struct rendition_config *config)
{
    struct rendition *r = calloc(1, sizeof *r);
    if (!r) return WEIR_NOMEM;
    r->config = *config;
    queue_init(&r->segments, sizeof(struct rendition_segment), 2 * WINDOW_SEGMENTS_MAX);
    *out = r;
    return WEIR_OK;
}

static void init_unref(struct rendition_init *init);

static void segment_deinit(struct rendition_segment *s)
{
    frozen_unref(s->body);
    init_unref(s->init);
}

size_t rendition_discard(struct rendition *r)
{
    const size_t count = r->sample_count;
    for (size_t i = 0; i < count; i++) blob_unref(r->samples[i].payload.blob);
    r->sample_count = r->open_bytes = 0;
    return count;
}

void rendition_destroy(struct rendition *r)
{
    if (!r) return;
    struct rendition_segment s;
    rendition_discard(r);
    while (queue_take(&r->segments, &s)) segment_deinit(&s);
    queue_deinit(&r->segments);
    init_unref(r->init);
    track_unref(r->track);
    free(r->samples);
    free(r);
}

/* -- inits -- */

static void init_unref(struct rendition_init *init)
{
    if (!init || --init->refs) return;
    frozen_unref(init->body);
    free(init);
}

static bool is_equal(const struct frozen *a, const struct frozen *b)
{
    /* both are one piece: the init writer makes them so */
    const struct piece *x = frozen_pieces(a), *y = frozen_pieces(b);
    return frozen_bytes(a) == frozen_bytes(b) && !memcmp(x->data, y->data, x->bytes);
}

enum weir_err rendition_set_track(struct rendition *r, struct track *track)
{
    assert(!r->sample_count);
    struct frozen *body = fmp4_init_write(track);
    if (!body) return WEIR_NOMEM;
    track_ref(track);
    track_unref(r->track);
    r->track = track;
    if (r->init && is_equal(r->init->body, body)) {
        frozen_unref(body);
        return WEIR_OK;
    }
    struct rendition_init *init = calloc(1, sizeof *init);
    if (!init) {
        frozen_unref(body);
        return WEIR_NOMEM;
    }
    init->refs = 1;
    init->body = body;
    snprintf(init->name, sizeof init->name, "init-%08x-%u.mp4", r->config.run_id, ++r->inits_made);
    init_unref(r->init);
    r->init = init;
    return WEIR_OK;
}

/* -- the open segment -- */

static struct rendition_segment *segment_at(const struct rendition *r, size_t index)
{
    return queue_at(&r->segments, index);
}

void rendition_begin_era(struct rendition *r, uint64_t discontinuity)
{
    r->starts_era = true;
    r->discontinuity = discontinuity;
}

bool rendition_is_open(const struct rendition *r)
{
    return r->sample_count > 0;
}

static uint32_t timescale(const struct rendition *r)
{
    return fmp4_timescale(track_facts(r->track));
}

static int64_t to_us(const struct rendition *r, int64_t ticks)
{
    return ticks * 1000000 / timescale(r);
}

/* What an open segment may reach before its EXTINF rounds to more than TARGETDURATION. */
static int64_t longest_ticks(const struct rendition *r)
{
    return ((int64_t)r->config.target_duration_s * 1000 + 490) * timescale(r) / 1000;
}

int64_t rendition_open_us(const struct rendition *r)
{
    if (!r->sample_count) return 0;
    const struct fmp4_sample *last = &r->samples[r->sample_count - 1];
    return to_us(r, last->dts + last->duration - r->samples[0].dts);
}

static bool make_room(struct rendition *r)
{
    if (r->sample_count < r->sample_capacity) return true;
    if (r->sample_count >= SEGMENT_SAMPLES_MAX + 16) return false;
    const size_t capacity = r->sample_capacity ? r->sample_capacity * 2 : 64;
    struct fmp4_sample *samples = realloc(r->samples, capacity * sizeof *samples);
    if (!samples) return false;
    r->samples = samples;
    r->sample_capacity = capacity;
    return true;
}

/* A gap's time was another rendition's, which may have been ahead: behind one, and in the same era, no earlier time is told. */
static int64_t wall_not_back(const struct rendition *r, int64_t wall_us)
{
    const size_t count = queue_count(&r->segments);
    if (!count || r->starts_era) return wall_us;
    const int64_t last_us = segment_at(r, count - 1)->wall_us;
    return wall_us < last_us ? last_us : wall_us;
}

bool rendition_push(struct rendition *r, const struct fmp4_sample *sample, int64_t wall_us, bool is_independent)
{
    assert(r->track);
    if (sample->dts < 0 || (!r->starts_era && sample->dts < r->next_dts)) return false;
    if (r->sample_count) {
        struct fmp4_sample *last = &r->samples[r->sample_count - 1];
        const int64_t step = sample->dts - last->dts;
        if (step <= 0 || step > INT32_MAX) return false;
        /* the rounded EXTINF must stay within TARGETDURATION (RFC 8216, 4.3.3.1) */
        if (sample->dts + sample->duration - r->samples[0].dts > longest_ticks(r)) return false;
        last->duration = (uint32_t)step;
    }
    if (!make_room(r)) return false;
    if (!r->sample_count) {
        r->wall_us = wall_not_back(r, wall_us);
        r->is_open_independent = is_independent;
    }
    r->samples[r->sample_count] = *sample;
    blob_ref(sample->payload.blob);
    r->sample_count++;
    r->open_bytes += sample->payload.bytes;
    return true;
}

/* -- finished segments -- */

static enum weir_err append(struct rendition *r, struct rendition_segment *s)
{
    s->discontinuity = r->discontinuity;
    s->starts_era = r->starts_era;
    r->published_us += s->duration_us;
    s->end_us = r->published_us;
    const enum weir_err err = queue_give(&r->segments, s);
    if (err) {
        segment_deinit(s);
        return err;
    }
    r->starts_era = false;
    r->listed++;
    if (s->body) r->kept_bytes += frozen_bytes(s->body);
    return WEIR_OK;
}

static void measure(struct rendition *r, const struct rendition_segment *s)
{
    const uint64_t bytes = frozen_bytes(s->body);
    r->sum_bytes += bytes;
    r->sum_us += s->duration_us;
    /* very short segments say nothing about the rate (RFC 8216, 4.3.4.2 counts those of half a target and more) */
    if (s->duration_us < 500000) return;
    const uint64_t bps = bytes * 8000000 / (uint64_t)s->duration_us;
    if (bps > r->peak_bps) r->peak_bps = bps;
}

enum weir_err rendition_cut(struct rendition *r, uint64_t msn, int64_t next_dts)
{
    assert(r->sample_count);
    struct fmp4_sample *last = &r->samples[r->sample_count - 1];
    const int64_t step = next_dts - last->dts;
    if (next_dts >= 0 && step > 0) {
        /* over a hole the last sample stands longer, as far as the segment may reach (RFC 8216, 4.3.3.1) */
        const int64_t most = longest_ticks(r) - (last->dts - r->samples[0].dts);
        const int64_t duration = step < most ? step : most;
        if (duration > last->duration || step <= most) last->duration = (uint32_t)duration;
    }
    r->next_dts = last->dts + last->duration;
    struct rendition_segment s = {
        .msn = msn,
        .duration_us = to_us(r, r->next_dts - r->samples[0].dts),
        .wall_us = r->wall_us,
        .is_independent = r->is_open_independent,
    };
    s.body = fmp4_segment_write(++r->sequence, r->samples, r->sample_count);
    rendition_discard(r);
    if (!s.body) return WEIR_NOMEM;
    s.init = r->init;
    r->init->refs++;
    measure(r, &s);
    return append(r, &s);
}

enum weir_err rendition_gap(struct rendition *r, uint64_t msn, int64_t duration_us, int64_t wall_us)
{
    struct rendition_segment s = { .msn = msn,
                                   .duration_us = duration_us,
                                   .wall_us = wall_not_back(r, wall_us),
                                   .is_independent = true,
                                   .init = r->init };
    if (r->init) r->init->refs++;
    return append(r, &s);
}

void rendition_end(struct rendition *r)
{
    r->is_ended = true;
}

uint64_t rendition_average_bps(const struct rendition *r)
{
    return r->sum_us ? r->sum_bytes * 8000000 / (uint64_t)r->sum_us : 0;
}

/* -- what is listed, what is only kept (RFC 8216, 6.2.2) -- */

static int64_t listed_us(const struct rendition *r)
{
    int64_t sum = 0;
    for (size_t i = queue_count(&r->segments) - r->listed; i < queue_count(&r->segments); i++)
        sum += segment_at(r, i)->duration_us;
    return sum;
}

static void slide(struct rendition *r)
{
    const int64_t least_us = (int64_t)r->config.target_duration_s * 1000000 * WINDOW_TARGETS_MIN;
    int64_t sum = listed_us(r);
    while (r->listed > LISTED_MIN) {
        struct rendition_segment *oldest = segment_at(r, queue_count(&r->segments) - r->listed);
        const int64_t rest = sum - oldest->duration_us;
        if (r->listed < WINDOW_SEGMENTS_MAX && (rest < r->config.window_us || rest < least_us)) break;
        /* still to be had for its own duration and that of the longest playlist it stood in */
        oldest->expires_us = r->published_us + oldest->duration_us + sum;
        sum = rest;
        r->listed--;
    }
    while (queue_count(&r->segments) > r->listed) {
        struct rendition_segment gone;
        if (segment_at(r, 0)->expires_us > r->published_us) break;
        queue_take(&r->segments, &gone);
        if (gone.body) r->kept_bytes -= frozen_bytes(gone.body);
        segment_deinit(&gone);
    }
}

static void name_segment(const struct rendition *r, const struct rendition_segment *s, char out[EDGE_OBJECT_NAME_BYTES])
{
    snprintf(out, EDGE_OBJECT_NAME_BYTES, "seg-%08x-%llu.m4s", r->config.run_id, (unsigned long long)s->msn);
}

/* All that may be fetched: each init once, then the segments. */
static size_t collect_objects(const struct rendition *r, struct edge_object *objects)
{
    const struct rendition_init *last = NULL;
    size_t count = 0;
    for (size_t i = 0; i < queue_count(&r->segments); i++) {
        const struct rendition_init *init = segment_at(r, i)->init;
        if (!init || init == last) continue;
        objects[count].kind = EDGE_INIT;
        objects[count].body = init->body;
        memcpy(objects[count++].name, init->name, EDGE_OBJECT_NAME_BYTES);
        last = init;
    }
    for (size_t i = 0; i < queue_count(&r->segments); i++) {
        const struct rendition_segment *s = segment_at(r, i);
        if (!s->body) continue;
        objects[count].kind = EDGE_SEGMENT;
        objects[count].body = s->body;
        name_segment(r, s, objects[count++].name);
    }
    return count;
}

static struct frozen *render(const struct rendition *r)
{
    struct playlist p;
    const size_t first = queue_count(&r->segments) - r->listed;
    bool is_independent = true;
    for (size_t i = first; i < queue_count(&r->segments); i++) is_independent &= segment_at(r, i)->is_independent;
    const struct rendition_segment *oldest = segment_at(r, first);
    playlist_begin(&p, r->config.target_duration_s, oldest->msn, oldest->discontinuity - oldest->starts_era,
                   is_independent);
    for (size_t i = first; i < queue_count(&r->segments); i++) {
        const struct rendition_segment *s = segment_at(r, i);
        char name[EDGE_OBJECT_NAME_BYTES];
        name_segment(r, s, name);
        playlist_add(&p, &(struct playlist_segment){ .name = name,
                                                     .init_name = s->init ? s->init->name : NULL,
                                                     .duration_us = s->duration_us,
                                                     .wall_us = s->wall_us,
                                                     .has_discontinuity = s->starts_era,
                                                     .is_gap = !s->body });
    }
    return playlist_finish(&p, r->is_ended);
}

enum weir_err rendition_publish(struct rendition *r)
{
    if (!r->listed) return WEIR_OK;
    slide(r);
    struct edge_object *objects = malloc(2 * queue_count(&r->segments) * sizeof *objects);
    struct frozen *playlist = objects ? render(r) : NULL;
    struct edge_snapshot *snapshot = NULL;
    if (playlist)
        snapshot = edge_snapshot_create(&(struct edge_snapshot_config){
            .media = r->config.media,
            .playlist = playlist,
            .last_msn = segment_at(r, queue_count(&r->segments) - 1)->msn,
            .target_duration_s = r->config.target_duration_s,
            .is_ended = r->is_ended,
            .objects = objects,
            .object_count = collect_objects(r, objects),
        });
    frozen_unref(playlist);
    free(objects);
    if (!snapshot) return WEIR_NOMEM;
    r->has_published = true;
    return live_edge_publish(r->config.edge, r->config.name, snapshot);
}

uint64_t rendition_held_bytes(const struct rendition *r)
{
    return r ? r->kept_bytes + r->open_bytes : 0;
}
