#include "rendition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

enum weir_err rendition_create(struct rendition **out, const struct rendition_config *config)
{
    struct rendition *r = calloc(1, sizeof *r);
    if (!r) return WEIR_NOMEM;
    r->config = *config;
    queue_init(&r->segments, sizeof(struct rendition_segment), 2 * WINDOW_SEGMENTS_MAX);
    past_init(&r->past);
    if (config->has_iframes) r->iframes = iframes_create(config->name);
    if (config->has_iframes && !r->iframes) {
        rendition_destroy(r);
        return WEIR_NOMEM;
    }
    *out = r;
    return WEIR_OK;
}

static void init_unref(struct rendition_init *init)
{
    if (!init || --init->refs) return;
    frozen_unref(init->body);
    free(init);
}

void rendition_segment_deinit(struct rendition_segment *s)
{
    for (uint32_t i = 0; s->parts && i < s->part_count; i++) frozen_unref(s->parts[i].body);
    free(s->parts);
    frozen_unref(s->whole.body);
    init_unref(s->init);
    byte_writer_deinit(&s->text.w);
}

void rendition_destroy(struct rendition *r)
{
    if (!r) return;
    struct rendition_segment s;
    while (queue_take(&r->segments, &s)) rendition_segment_deinit(&s);
    queue_deinit(&r->segments);
    past_deinit(&r->past);
    iframes_destroy(r->iframes);
    edge_bundle_unref(r->kept);
    /* the open segment's parts are the chunker's still */
    free(r->open.parts);
    r->open.parts = NULL;
    rendition_segment_deinit(&r->open);
    chunker_deinit(&r->chunker);
    init_unref(r->init);
    track_unref(r->track);
    free(r);
}

/* -- inits -- */

static bool is_equal(const struct frozen *a, const struct frozen *b)
{
    /* both are one piece: the init writer makes them so */
    const struct piece *x = frozen_pieces(a), *y = frozen_pieces(b);
    return frozen_bytes(a) == frozen_bytes(b) && !memcmp(x->data, y->data, x->bytes);
}

/* What an open segment may reach before its EXTINF rounds to more than TARGETDURATION. */
static int64_t longest_us(const struct rendition *r)
{
    return (int64_t)r->config.terms.target_duration_s * 1000000 + 490000;
}

static void configure_chunker(struct rendition *r)
{
    const struct codec_facts *facts = track_facts(r->track);
    const struct chunker_config config = {
        .timescale = fmp4_timescale(facts),
        .part_us = r->config.terms.part_us,
        .longest_us = longest_us(r),
        .is_video = facts->kind == MEDIA_VIDEO,
    };
    chunker_configure(&r->chunker, &config);
}

enum weir_err rendition_set_track(struct rendition *r, struct track *track)
{
    assert(!rendition_is_open(r));
    struct frozen *body = fmp4_init_write(track);
    if (!body) return WEIR_NOMEM;
    struct rendition_init *init = r->init && is_equal(r->init->body, body) ? r->init : calloc(1, sizeof *init);
    if (!init) {
        frozen_unref(body);
        return WEIR_NOMEM;
    }
    track_ref(track);
    track_unref(r->track);
    r->track = track;
    configure_chunker(r);
    if (init == r->init) {
        frozen_unref(body);
        return WEIR_OK;
    }
    init->refs = 1;
    init->body = body;
    object_name_init(r->config.run_id, ++r->inits_made, init->name);
    init_unref(r->init);
    r->init = init;
    /* players that are there already can fetch it before the first part that needs it */
    r->is_changed |= r->has_published && r->config.terms.part_us;
    return WEIR_OK;
}

/* -- the open segment -- */

static int64_t to_us(const struct rendition *r, int64_t ticks)
{
    return ticks * 1000000 / fmp4_timescale(track_facts(r->track));
}

void rendition_begin_era(struct rendition *r, uint64_t discontinuity)
{
    r->starts_era = true;
    rendition_withdraw_hint(r);
    r->discontinuity = discontinuity;
}

bool rendition_is_open(const struct rendition *r)
{
    return r->chunker.is_open;
}

int64_t rendition_open_us(const struct rendition *r)
{
    return rendition_is_open(r) ? to_us(r, chunker_open_ticks(&r->chunker)) : 0;
}

/* A gap's time was another rendition's, which may have been ahead: behind one, and in the same era, no earlier time is told. */
static int64_t wall_not_back(const struct rendition *r, int64_t wall_us)
{
    const size_t count = queue_count(&r->segments);
    if (!count) return wall_us;
    const int64_t last_us = ((const struct rendition_segment *)queue_at(&r->segments, count - 1))->wall_us;
    return wall_us < last_us ? last_us : wall_us;
}

/* Begins a segment's record and its lines. */
static struct rendition_segment begin(struct rendition *r, uint64_t msn, int64_t wall_us)
{
    struct rendition_segment s = {
        .msn = msn,
        .discontinuity = r->discontinuity,
        .starts_era = r->starts_era,
        .wall_us = wall_not_back(r, wall_us),
        .init = r->init,
        .whole = { .kind = EDGE_SEGMENT },
    };
    object_name_segment(r->config.run_id, msn, s.whole.name);
    if (s.init) s.init->refs++;
    /* said again behind a discontinuity, although it holds on: some players read only from there */
    s.says_map = s.init && (s.starts_era || s.init != r->announced);
    if (s.init) r->announced = s.init;
    byte_writer_init(&s.text.w, PLAYLIST_BYTES_MAX);
    playlist_write_segment_head(&s.text.w, s.starts_era, s.says_map ? s.init->name : NULL, s.wall_us);
    s.text.head_bytes = s.text.parts_end = s.text.w.bytes;
    r->starts_era = false;
    return s;
}

static bool lists_parts(const struct rendition *r)
{
    return r->config.terms.part_us && !r->chunker.is_whole;
}

/* Adds a part to the open segment and its lines; the body stays the chunker's. false: no memory. */
static bool announce_part(struct rendition *r, const struct chunk *chunk)
{
    struct rendition_segment *s = &r->open;
    if (s->part_count == s->part_capacity) {
        const uint32_t capacity = s->part_capacity ? s->part_capacity * 2 : 4;
        struct edge_object *parts = realloc(s->parts, capacity * sizeof *parts);
        if (!parts) return false;
        s->parts = parts;
        s->part_capacity = capacity;
    }
    struct edge_object *part = &s->parts[s->part_count];
    *part = (struct edge_object){ .kind = EDGE_PART, .body = chunk->body };
    rendition_name_part(r, chunk->start, part->name);
    playlist_write_part(&s->text.w, part->name, to_us(r, chunk->ticks), chunk->is_independent, !chunk->body);
    s->text.parts_end = s->text.w.bytes;
    s->part_count++;
    if (chunk->body) r->open_bytes += frozen_bytes(chunk->body);
    return true;
}

/* What the chunker has finished and the playlist does not say yet. */
static void announce_parts(struct rendition *r)
{
    if (!lists_parts(r)) return;
    while (r->open.part_count < r->chunker.chunk_count) {
        if (!announce_part(r, &r->chunker.chunks[r->open.part_count])) return;
        figure_add(&live_edge_figures(r->config.edge)->parts, 1);
        r->foretells = r->is_changed = true;
        r->is_hint_void = false;
    }
}

bool rendition_push(struct rendition *r, uint64_t msn, const struct chunker_input *input, int64_t wall_us)
{
    assert(r->track);
    const bool was_open = rendition_is_open(r);
    struct chunker_input in = *input;
    in.may_jump = r->starts_era;
    if (!chunker_push(&r->chunker, &in)) return false;
    if (!was_open) {
        r->open = begin(r, msn, wall_us);
        r->open.is_independent = input->sample.is_independent;
        r->open_bytes = 0;
    }
    announce_parts(r);
    return true;
}

void rendition_end_part(struct rendition *r, int64_t next_dts)
{
    if (!rendition_is_open(r)) return;
    chunker_end_part(&r->chunker, next_dts);
    announce_parts(r);
}

/* -- finished segments -- */

/* It stays as it is from here on, for half a minute and more. */
static void trim(struct rendition_segment *s)
{
    byte_writer_trim(&s->text.w);
    if (!s->part_count || s->part_count == s->part_capacity) return;
    struct edge_object *parts = realloc(s->parts, s->part_count * sizeof *parts);
    if (!parts) return;
    s->parts = parts;
    s->part_capacity = s->part_count;
}

static void measure(struct rendition *r, const struct rendition_segment *s)
{
    const uint64_t bytes = frozen_bytes(s->whole.body);
    r->sum_bytes += bytes;
    r->sum_us += s->duration_us;
    /* very short segments say nothing about the rate (RFC 8216, 4.3.4.2 counts those of half a target and more) */
    if (s->duration_us < 500000) return;
    const uint64_t bps = bytes * 8000000 / (uint64_t)s->duration_us;
    if (bps > r->peak_bps) r->peak_bps = bps;
}

/* The chunks become the segment's body and, where they were announced, its parts. NULL: no memory, or nothing but gaps. */
static struct frozen *join_chunks(const struct chunker *c)
{
    struct frozen **bodies = malloc((c->chunk_count + 1) * sizeof(struct frozen *));
    size_t count = 0;
    for (size_t i = 0; bodies && i < c->chunk_count; i++) {
        if (c->chunks[i].body) bodies[count++] = c->chunks[i].body;
    }
    struct frozen *whole = count == 1 ? frozen_ref(bodies[0]) : count ? frozen_join(bodies, count) : NULL;
    free(bodies);
    return whole;
}

void rendition_cut(struct rendition *r, int64_t next_dts)
{
    assert(rendition_is_open(r));
    struct chunker *c = &r->chunker;
    chunker_end_segment(c, next_dts);
    announce_parts(r);
    struct rendition_segment s = r->open;
    r->open = (struct rendition_segment){ .msn = 0 };
    r->open_bytes = 0;
    s.duration_us = to_us(r, chunker_open_ticks(c));
    s.whole.body = join_chunks(c);
    if (s.whole.body && c->chunks[0].is_independent) s.picture_bytes = c->chunks[0].first_bytes;
    /* announced chunks are the segment's parts from here on */
    for (size_t i = s.part_count; i < c->chunk_count; i++) frozen_unref(c->chunks[i].body);
    r->foretells &= chunker_is_next(c, next_dts);
    chunker_begin_segment(c);
    playlist_write_segment_end(&s.text.w, s.whole.name, s.duration_us, !s.whole.body);
    if (s.whole.body) measure(r, &s);
    trim(&s);
    rendition_keep(r, &s);
}

void rendition_gap(struct rendition *r, uint64_t msn, int64_t duration_us, int64_t wall_us)
{
    struct rendition_segment s = begin(r, msn, wall_us);
    s.duration_us = duration_us;
    s.is_independent = true;
    r->foretells = false;
    playlist_write_segment_end(&s.text.w, s.whole.name, duration_us, true);
    trim(&s);
    rendition_keep(r, &s);
}

void rendition_withdraw_hint(struct rendition *r)
{
    if (!r->foretells) return;
    r->foretells = false;
    if (r->is_changed || !r->has_published) return;
    r->is_hint_void = r->is_changed = true;
}

void rendition_end(struct rendition *r)
{
    r->is_ended = r->is_changed = true;
    if (r->iframes) r->iframes->is_changed = true;
}

uint64_t rendition_average_bps(const struct rendition *r)
{
    return r->sum_us ? r->sum_bytes * 8000000 / (uint64_t)r->sum_us : 0;
}
