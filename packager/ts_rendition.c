#include "ts_rendition.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/stream/edge_lazy.h>

#include "fmp4_read.h"
#include "multivariant_text.h"
#include "object_name.h"
#include "playlist.h"
#include "ts_mux.h"

#define AIR_PERCENT 120 /* see multivariant.c */
#define TAG_AHEAD_90K_MAX (60 * 90000)

struct ts_segment {
    uint64_t msn, discontinuity;
    uint32_t run_id;        /* in its name, as in its CMAF segments' */
    struct edge_lazy *lazy; /* NULL: a gap */
    int64_t duration_us, wall_us;
    bool is_independent, starts_era;
};

struct ts_rendition {
    struct ts_rendition_config config;
    struct ts_mux_state state; /* what the next segment begins with */
    uint64_t next_msn;         /* 0: none yet */
    struct queue segments;     /* struct ts_segment, oldest first: as long as their CMAF segments are kept */
    size_t listed;
    bool is_changed, is_ended;
    bool opens_dependent;                 /* the CMAF segment that is being filled needs another one */
    bool is_independent, was_independent; /* see rendition_publish.c */
    struct queue tags; /* struct ts_mux_tag, payload referenced: of segments that are not there yet */
    /* for the multivariant playlist */
    struct track *video, *audio; /* of the last segment */
    uint64_t discontinuity;      /* of the last one with media */
    uint64_t bandwidth_bps, sum_bytes;
    int64_t sum_us;
    struct frozen *multivariant;
    bool is_multivariant_old, has_captions;
};

/* -- a segment, from its two CMAF segments -- */

/* What muxing needs, whenever it comes; immutable. */
struct recipe {
    struct frozen *video_body, *audio_body; /* NULL: nothing of it */
    struct track *video, *audio;            /* NULL: none. What the PMT names, also where nothing of it is in here */
    struct ts_mux_state state;
    struct ts_mux_tag *tags; /* payloads referenced */
    size_t tag_count;
};

static void recipe_destroy(void *context)
{
    struct recipe *r = context;
    for (size_t i = 0; i < r->tag_count; i++) blob_unref(r->tags[i].payload.blob);
    free(r->tags);
    frozen_unref(r->video_body);
    frozen_unref(r->audio_body);
    track_unref(r->video);
    track_unref(r->audio);
    free(r);
}

/* The samples of a recipe; deinit frees the arrays. */
static enum weir_err contents_init(struct ts_mux_segment *out, const struct recipe *r)
{
    struct fmp4_sample *video = NULL, *audio = NULL;
    *out = (struct ts_mux_segment){ .video = r->video, .audio = r->audio, .tags = r->tags, .tag_count = r->tag_count };
    enum weir_err err = r->video_body ? fmp4_samples_read(r->video_body, &video, &out->video_count) : WEIR_OK;
    if (!err && r->audio_body) err = fmp4_samples_read(r->audio_body, &audio, &out->audio_count);
    out->video_samples = video;
    out->audio_samples = audio;
    return err;
}

static void contents_deinit(struct ts_mux_segment *s)
{
    free((void *)s->video_samples);
    free((void *)s->audio_samples);
}

static struct frozen *recipe_make(const void *context)
{
    const struct recipe *r = context;
    struct ts_mux_segment segment;
    struct frozen *body = contents_init(&segment, r) ? NULL : ts_mux_write(&segment, &r->state);
    contents_deinit(&segment);
    return body;
}

/* -- what is there -- */

static const struct rendition_segment *find_segment(const struct rendition *r, uint64_t msn)
{
    if (!r) return NULL;
    for (size_t i = queue_count(&r->segments); i-- > 0;) {
        const struct rendition_segment *s = queue_at(&r->segments, i);
        if (s->msn == msn) return s;
        if (s->msn < msn) return NULL;
    }
    return NULL;
}

static bool can_carry(const struct rendition *r, const struct rendition_segment *s)
{
    return s && s->whole.body && r->track && ts_mux_can_carry(r->track, NULL);
}

static void set_track(struct ts_rendition *t, struct track **at, struct track *track)
{
    if (*at == track) return;
    if (track) track_ref(track);
    track_unref(*at);
    *at = track;
    t->is_multivariant_old = true;
}

static void note_rate(struct ts_rendition *t, size_t bytes, int64_t duration_us)
{
    t->sum_bytes += bytes;
    t->sum_us += duration_us;
    if (duration_us < 500000) return; /* as in rendition.c: very short ones say nothing about the rate */
    const uint64_t bps = bytes * 8000000 / (uint64_t)duration_us;
    if (bps <= t->bandwidth_bps) return;
    t->bandwidth_bps = bps * AIR_PERCENT / 100;
    t->is_multivariant_old = true;
}

/* Takes references on all that a recipe holds. A track that the era's segments had is named in all that follow, for a playlist tells of
 * tracks that change by a discontinuity alone (RFC 8216, 4.3.4.3): where a publisher is lost, the last segment often has one of them only. */
static struct recipe *make_recipe(const struct ts_rendition *t, const struct ts_sources *sources,
                                  const struct rendition_segment *video, const struct rendition_segment *audio)
{
    const bool goes_on = (video ? video : audio)->discontinuity == t->discontinuity;
    struct recipe *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->state = t->state;
    if (can_carry(sources->video, video)) {
        r->video_body = frozen_ref(video->whole.body);
        r->video = track_ref(sources->video->track);
    } else if (goes_on && t->video) {
        r->video = track_ref(t->video);
    }
    if (can_carry(sources->audio, audio)) {
        r->audio_body = frozen_ref(audio->whole.body);
        r->audio = track_ref(sources->audio->track);
    } else if (goes_on && t->audio) {
        r->audio = track_ref(t->audio);
    }
    return r;
}

/* Where a segment begins and ends on the stream clock. */
static void find_span(const struct ts_mux_segment *s, int64_t *start_90k, int64_t *end_90k)
{
    const bool has_video = s->video_count > 0;
    const struct fmp4_sample *samples = has_video ? s->video_samples : s->audio_samples;
    const size_t count = has_video ? s->video_count : s->audio_count;
    *start_90k = *end_90k = 0;
    if (!samples || !count) return;
    const int64_t scale = has_video ? 90000 : fmp4_timescale(track_facts(s->audio));
    *start_90k = samples[0].dts * 90000 / scale;
    *end_90k = (samples[count - 1].dts + samples[count - 1].duration) * 90000 / scale;
}

/* Into the recipe, by time. */
static void insert_tag(struct recipe *r, const struct ts_mux_tag *tag)
{
    size_t at = r->tag_count++;
    for (; at > 0 && r->tags[at - 1].pts_90k > tag->pts_90k; at--) r->tags[at] = r->tags[at - 1];
    r->tags[at] = *tag;
}

/* The tags up to the segment's end; one that came late stands at its start. Those of a time that is nowhere near are let go. */
static void take_tags(struct ts_rendition *t, struct recipe *r, struct ts_mux_segment *segment)
{
    int64_t start_90k, end_90k;
    struct ts_mux_tag tag;
    const size_t waiting = queue_count(&t->tags);
    find_span(segment, &start_90k, &end_90k);
    if (!waiting || !(r->tags = calloc(waiting, sizeof *r->tags))) return;
    for (size_t i = 0; i < waiting && queue_take(&t->tags, &tag); i++) {
        if (tag.pts_90k < start_90k) tag.pts_90k = start_90k;
        if (tag.pts_90k < end_90k)
            insert_tag(r, &tag);
        else if (tag.pts_90k > end_90k + TAG_AHEAD_90K_MAX || queue_give(&t->tags, &tag))
            blob_unref(tag.payload.blob);
    }
    for (size_t i = 1; i < r->tag_count; i++) { /* times of a PID rise */
        if (r->tags[i].pts_90k <= r->tags[i - 1].pts_90k) r->tags[i].pts_90k = r->tags[i - 1].pts_90k + 1;
    }
    segment->tags = r->tags;
    segment->tag_count = r->tag_count;
}

/* NULL: nothing that can be carried, or no memory: a gap. */
static struct edge_lazy *make_lazy(struct ts_rendition *t, const struct ts_sources *sources,
                                   const struct rendition_segment *video, const struct rendition_segment *audio,
                                   int64_t duration_us)
{
    struct recipe *r = make_recipe(t, sources, video, audio);
    if (!r) return NULL;
    struct ts_mux_segment segment;
    const bool is_good = (r->video_body || r->audio_body) && !contents_init(&segment, r);
    if (!is_good) {
        recipe_destroy(r);
        return NULL;
    }
    take_tags(t, r, &segment);
    note_rate(t, ts_mux_measure(&segment, &t->state), duration_us);
    contents_deinit(&segment);
    set_track(t, &t->video, r->video);
    set_track(t, &t->audio, r->audio);
    t->discontinuity = (video ? video : audio)->discontinuity;
    return edge_lazy_create(&(struct edge_recipe){ recipe_make, recipe_destroy, r });
}

static void add_segment(struct ts_rendition *t, const struct ts_sources *sources, uint64_t msn)
{
    const struct rendition_segment *video = find_segment(sources->video, msn),
                                   *audio = find_segment(sources->audio, msn);
    const struct rendition_segment *main = video && (video->whole.body || !audio) ? video : audio;
    uint32_t run_id = 0;
    uint64_t named;
    if (!main || !object_name_parse_segment(main->whole.name, &run_id, &named)) return;
    struct ts_segment s = {
        .msn = msn,
        .run_id = run_id,
        .discontinuity = main->discontinuity,
        .starts_era = (video && video->starts_era) || (audio && audio->starts_era),
        .is_independent = main->is_independent,
        .duration_us = main->duration_us,
        .wall_us = main->wall_us,
        .lazy = make_lazy(t, sources, video, audio, main->duration_us),
    };
    if (queue_give(&t->segments, &s)) {
        edge_lazy_unref(s.lazy);
        return;
    }
    t->is_changed = true;
}

static size_t segment_count(const struct rendition *r)
{
    return r ? queue_count(&r->segments) : 0;
}

static uint64_t msn_at(const struct rendition *r, size_t index)
{
    return ((const struct rendition_segment *)queue_at(&r->segments, index))->msn;
}

/* The CMAF rendition that goes by: the one that is further, of two the video. NULL: there is none. */
static const struct rendition *leader(const struct ts_sources *sources)
{
    const size_t video = segment_count(sources->video), audio = segment_count(sources->audio);
    if (!video || !audio) return video ? sources->video : audio ? sources->audio : NULL;
    return msn_at(sources->audio, audio - 1) > msn_at(sources->video, video - 1) ? sources->audio : sources->video;
}

/* Listed and kept is what the leader lists and keeps: sound leaves a moment later than the picture, and would hold it for a segment more. */
static void slide(struct ts_rendition *t, const struct ts_sources *sources)
{
    const struct rendition *lead = leader(sources);
    const struct ts_segment *s;
    if (!lead) return;
    while ((s = queue_peek(&t->segments)) && s->msn < msn_at(lead, 0)) {
        struct ts_segment gone;
        if (queue_take(&t->segments, &gone)) edge_lazy_unref(gone.lazy);
    }
    const uint64_t listed = lead->listed ? msn_at(lead, segment_count(lead) - lead->listed) : UINT64_MAX;
    t->listed = 0;
    for (size_t i = queue_count(&t->segments); i-- > 0; t->listed++) {
        s = queue_at(&t->segments, i);
        if (s->msn < listed) break;
    }
}

/* The publisher is gone, and with its last segment another one has left the leader: no later one will push it out here. */
static bool holds_what_left(const struct ts_rendition *t, const struct ts_sources *sources)
{
    const struct rendition *lead = leader(sources);
    const struct ts_segment *oldest = queue_peek(&t->segments);
    return lead && oldest && !rendition_is_open(lead) && oldest->msn < msn_at(lead, 0);
}

/* -- playlists -- */

static void write_segment(struct byte_writer *w, const struct ts_rendition *t, const struct ts_segment *s)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    object_name_ts_segment(s->run_id, s->msn, name);
    playlist_write_segment_head(w, s->starts_era, NULL, s->wall_us);
    playlist_write_segment_end(w, name, s->duration_us, !s->lazy);
}

static struct frozen *render(struct ts_rendition *t)
{
    struct byte_writer w;
    const size_t count = queue_count(&t->segments), first = count - t->listed;
    const struct ts_segment *oldest = queue_at(&t->segments, first);
    bool all = !t->opens_dependent;
    for (size_t i = first; i < count; i++)
        all &= ((const struct ts_segment *)queue_at(&t->segments, i))->is_independent;
    t->was_independent |= t->is_independent && !all;
    t->is_independent = all && !t->was_independent;
    byte_writer_init(&w, PLAYLIST_BYTES_MAX);
    playlist_write_head(&w,
                        &(struct playlist_head){ .terms.target_duration_s = t->config.target_duration_s,
                                                 .type = PLAYLIST_SLIDING,
                                                 .media_sequence = oldest->msn,
                                                 .discontinuity_sequence = oldest->discontinuity - oldest->starts_era,
                                                 .is_independent = t->is_independent,
                                                 .is_ts = true });
    for (size_t i = first; i < count; i++) write_segment(&w, t, queue_at(&t->segments, i));
    if (t->is_ended) write_text(&w, "#EXT-X-ENDLIST\n");
    struct frozen *text = byte_writer_freeze(&w);
    byte_writer_deinit(&w);
    return text;
}

static void update_multivariant(struct ts_rendition *t)
{
    if (!t->is_multivariant_old || (!t->video && !t->audio)) return;
    const struct multivariant_config c = {
        .variants = { { .uri = TS_RENDITION_NAME "/index.m3u8",
                        .video = t->video ? track_facts(t->video) : NULL,
                        .has_captions = t->has_captions,
                        .fps_num = t->video ? track_facts(t->video)->fps_num : 0,
                        .fps_den = t->video ? track_facts(t->video)->fps_den : 0,
                        .bandwidth_bps = t->bandwidth_bps,
                        .average_bandwidth_bps = t->sum_us ? t->sum_bytes * 8000000 / (uint64_t)t->sum_us
                                                           : t->bandwidth_bps } },
        .variant_count = 1,
        .muxed_audio = t->audio ? track_facts(t->audio) : NULL,
    };
    struct frozen *text = multivariant_render(&c);
    if (!text) return;
    frozen_unref(t->multivariant);
    t->multivariant = text;
    t->is_multivariant_old = false;
    if (t->config.is_main) live_edge_publish_multivariant(t->config.edge, frozen_ref(text));
}

static void publish(struct ts_rendition *t)
{
    const size_t count = queue_count(&t->segments);
    if (!t->is_changed || !t->listed) return;
    update_multivariant(t);
    struct edge_object *objects = calloc(count + 1, sizeof *objects);
    struct frozen *playlist = objects ? render(t) : NULL;
    size_t used = 0;
    if (!playlist) {
        free(objects);
        return;
    }
    if (t->multivariant) {
        memcpy(objects[used].name, EDGE_OWN_MULTIVARIANT, sizeof EDGE_OWN_MULTIVARIANT);
        objects[used].kind = EDGE_MULTIVARIANT;
        objects[used++].body = t->multivariant;
    }
    for (size_t i = 0; i < count; i++) {
        const struct ts_segment *s = queue_at(&t->segments, i);
        if (!s->lazy) continue;
        object_name_ts_segment(s->run_id, s->msn, objects[used].name);
        objects[used].kind = EDGE_SEGMENT;
        objects[used++].lazy = s->lazy;
    }
    const struct ts_segment *last = queue_at(&t->segments, count - 1);
    struct edge_snapshot *snapshot = edge_snapshot_create(&(struct edge_snapshot_config){
        .media = EDGE_MUXED_TS,
        .playlist = playlist,
        .last_msn = last->msn,
        .target_duration_s = t->config.target_duration_s,
        .is_ended = t->is_ended,
        .objects = objects,
        .object_count = used,
    });
    frozen_unref(playlist);
    free(objects);
    if (snapshot && !live_edge_publish(t->config.edge, TS_RENDITION_NAME, snapshot)) t->is_changed = false;
}

/* -- doors -- */

struct ts_rendition *ts_rendition_create(const struct ts_rendition_config *config)
{
    struct ts_rendition *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->config = *config;
    queue_init(&t->segments, sizeof(struct ts_segment), 2 * WINDOW_SEGMENTS_MAX);
    queue_init(&t->tags, sizeof(struct ts_mux_tag), PENDING_TAGS_MAX);
    return t;
}

void ts_rendition_destroy(struct ts_rendition *t)
{
    struct ts_segment s;
    struct ts_mux_tag tag;
    if (!t) return;
    while (queue_take(&t->segments, &s)) edge_lazy_unref(s.lazy);
    while (queue_take(&t->tags, &tag)) blob_unref(tag.payload.blob);
    queue_deinit(&t->segments);
    queue_deinit(&t->tags);
    track_unref(t->video);
    track_unref(t->audio);
    frozen_unref(t->multivariant);
    free(t);
}

/* The first number that is there at all; 0: none. */
static uint64_t first_msn(const struct ts_sources *sources)
{
    const uint64_t video = segment_count(sources->video) ? msn_at(sources->video, 0) : 0,
                   audio = segment_count(sources->audio) ? msn_at(sources->audio, 0) : 0;
    if (!video || !audio) return video + audio;
    return video < audio ? video : audio;
}

void ts_rendition_update(struct ts_rendition *t, const struct ts_sources *sources)
{
    if (sources->has_captions && !t->has_captions) t->has_captions = t->is_multivariant_old = true;
    if (!t->next_msn) t->next_msn = first_msn(sources);
    if (!t->next_msn) return;
    for (; t->next_msn <= sources->decided_msn; t->next_msn++) add_segment(t, sources, t->next_msn);
    t->is_changed |= holds_what_left(t, sources);
    if (!t->is_changed) return;
    const struct rendition *video = sources->video;
    t->opens_dependent = video && rendition_is_open(video) && !video->open.is_independent;
    slide(t, sources);
    publish(t);
}

bool ts_rendition_add_tag(struct ts_rendition *t, const struct media_metadata *metadata)
{
    if (metadata->kind != METADATA_ID3) return true;
    const struct ts_mux_tag tag = { metadata->payload, metadata->pts_90k };
    if (queue_give(&t->tags, &tag)) return false;
    blob_ref(tag.payload.blob);
    return true;
}

void ts_rendition_end(struct ts_rendition *t)
{
    t->is_ended = t->is_changed = true;
    publish(t);
}
