#include <weir/stream/stream.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage_filter.h"
#include "stream_meter.h"

struct stream {
    struct live_edge *edge;
    struct stream_policy policy;
    struct counters *counters;
    struct timeline *timeline;
    struct track_set tracks;
    struct track_set former;                      /* of tracks that were dropped: the same again is no break */
    enum media_codec announced[AUDIO_TRACKS_MAX]; /* a codec whose facts come with its first frame */
    struct edge_unsupported unsupported[UNSUPPORTED_TRACKS_MAX];
    size_t unsupported_count;
    struct damage_filter damage;
    struct packet_sink *sinks[SINKS_PER_STREAM_MAX];
    size_t sink_count;
    double hint_fps;
    bool is_tracks_changed; /* sinks have not been told yet */
    bool is_ended;
    bool is_era_owed; /* the frame that began the era was dropped: sinks have not been told */
    enum stream_state state;
    int64_t era_start_90k, era_wall_us;
    int64_t last_end_90k; /* where the stream clock stood before the frame at hand */
    struct stream_meter meter;
};

struct stream *stream_create(struct live_edge *edge, const struct stream_policy *policy)
{
    struct stream *s = calloc(1, sizeof *s);
    struct timeline *timeline = timeline_create();
    if (!s || !timeline) {
        free(s);
        timeline_destroy(timeline);
        return NULL;
    }
    s->edge = live_edge_ref(edge);
    s->policy = *policy;
    s->timeline = timeline;
    s->damage.policy = policy->on_damage;
    s->state = STREAM_WAITING;
    return s;
}

void stream_destroy(struct stream *s)
{
    if (!s) return;
    if (!s->is_ended) stream_end(s);
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->destroy(s->sinks[i]);
    track_set_deinit(&s->tracks);
    track_set_deinit(&s->former);
    timeline_destroy(s->timeline);
    live_edge_unref(s->edge);
    free(s);
}

const char *stream_name(const struct stream *s)
{
    return live_edge_name(s->edge);
}

struct live_edge *stream_edge(struct stream *s)
{
    return s->edge;
}

const struct stream_policy *stream_policy(const struct stream *s)
{
    return &s->policy;
}

enum weir_err stream_add_sink(struct stream *s, struct packet_sink *sink)
{
    if (s->sink_count == SINKS_PER_STREAM_MAX) {
        sink->destroy(sink);
        return WEIR_LIMIT;
    }
    s->sinks[s->sink_count++] = sink;
    return WEIR_OK;
}

void stream_set_counters(struct stream *s, struct counters *counters)
{
    s->counters = counters;
}

void stream_set_loop(struct stream *s, struct loop *loop)
{
    for (size_t i = 0; i < s->sink_count; i++) {
        if (s->sinks[i]->moved) s->sinks[i]->moved(s->sinks[i], loop);
    }
}

static struct track **track_in(struct track_set *set, enum media_kind kind, uint8_t track)
{
    assert(kind == MEDIA_VIDEO ? track == 0 : track < AUDIO_TRACKS_MAX);
    return kind == MEDIA_VIDEO ? &set->video : &set->audio[track];
}

bool stream_has_track(const struct stream *s, enum media_kind kind, uint8_t track)
{
    return (kind == MEDIA_VIDEO ? s->tracks.video : s->tracks.audio[track]) != NULL;
}

static void count(struct stream *s, enum counter id)
{
    if (s->counters) counter_add(s->counters, id, 1);
}

static void set_state(struct stream *s, enum stream_state state)
{
    if (s->state == state) return;
    s->state = state;
    live_edge_set_state(s->edge, state);
}

/* -- tracks -- */

static void apply_rates(struct stream *s, uint8_t track, const struct codec_facts *facts)
{
    if (facts->kind == MEDIA_AUDIO) {
        timeline_set_audio_rate(s->timeline, track, facts->sample_rate);
    } else if (facts->fps_num) {
        timeline_set_video_rate(s->timeline, facts->fps_num, facts->fps_den);
    } else if (s->hint_fps > 0) {
        timeline_set_video_rate(s->timeline, (uint32_t)(s->hint_fps * 1000 + 0.5), 1000);
    }
}

static void tracks_changed(struct stream *s)
{
    s->is_tracks_changed = true;
    live_edge_set_tracks(s->edge, &s->tracks);
}

/* Takes over the caller's reference on `track`. One that changes is a break, also when it was away; one that is new is not. */
static void set_track(struct stream *s, uint8_t index, struct track *track)
{
    const enum media_kind kind = track_facts(track)->kind;
    struct track **now = track_in(&s->tracks, kind, index), **former = track_in(&s->former, kind, index);
    if (*now && track_equal(*now, track)) {
        track_unref(track);
        return;
    }
    const struct track *before = *now ? *now : *former;
    if (before && !track_equal(before, track)) timeline_break(s->timeline, false);
    track_unref(*now);
    track_unref(*former);
    *former = NULL;
    *now = track;
    apply_rates(s, index, track_facts(track));
    stream_note_unsupported(s, kind, index, NULL);
    tracks_changed(s);
}

/* Takes over the caller's reference on `config`. */
static enum weir_err set_config_blob(struct stream *s, uint8_t index, enum media_codec codec, struct blob *config,
                                     const char **why)
{
    const struct byte_span span = { blob_data(config), blob_bytes(config) };
    struct codec_facts facts;
    enum weir_err err = codec_describe(codec, span, &facts, why);
    struct track *track = NULL;
    if (!err) {
        /* a codec whose size stands in its frames keeps the size found there until a keyframe says otherwise */
        const struct track *old = *track_in(&s->tracks, facts.kind, index);
        if (facts.kind == MEDIA_VIDEO && !facts.width && old && track_facts(old)->codec == codec) {
            facts.width = track_facts(old)->width;
            facts.height = track_facts(old)->height;
        }
        track = track_create(&facts, config);
        if (!track) err = WEIR_NOMEM;
    }
    blob_unref(config);
    if (!err) set_track(s, index, track);
    return err;
}

enum weir_err stream_set_config(struct stream *s, uint8_t track, enum media_codec codec, struct byte_span wire_config,
                                const char **why)
{
    assert(codec_kind(codec) == MEDIA_VIDEO ? track == 0 : track < AUDIO_TRACKS_MAX);
    struct blob *config = NULL;
    const enum weir_err err = codec_config_from_wire(codec, wire_config, &config, why);
    return err ? err : set_config_blob(s, track, codec, config, why);
}

bool stream_takes_codec(const struct stream *s, enum media_codec codec)
{
    return s->policy.makes_sound || codec_is_carried(codec);
}

void stream_set_codec(struct stream *s, uint8_t track, enum media_codec codec)
{
    if (codec_kind(codec) != MEDIA_AUDIO) return; /* no video codec does without a configuration */
    assert(track < AUDIO_TRACKS_MAX);
    s->announced[track] = codec;
}

void stream_set_track_label(struct stream *s, uint8_t track, const char *language, const char *name)
{
    assert(track < AUDIO_TRACKS_MAX);
    struct track_label label = { .language = "" };
    language_tag(language ? language : "", label.language);
    snprintf(label.name, sizeof label.name, "%s", name ? name : "");
    if (!memcmp(&s->tracks.labels[track], &label, sizeof label)) return;
    s->tracks.labels[track] = label;
    tracks_changed(s);
}

void stream_drop_track(struct stream *s, enum media_kind kind, uint8_t track)
{
    struct track **now = track_in(&s->tracks, kind, track), **former = track_in(&s->former, kind, track);
    if (kind == MEDIA_AUDIO) s->announced[track] = 0;
    if (!*now) return;
    track_unref(*former);
    *former = *now;
    *now = NULL;
    if (kind == MEDIA_VIDEO) damage_filter_restart(&s->damage);
    timeline_drop_track(s->timeline, kind, track);
    tracks_changed(s);
}

void stream_note_unsupported(struct stream *s, enum media_kind kind, uint8_t track, const char *text)
{
    size_t at = 0;
    while (at < s->unsupported_count && (s->unsupported[at].kind != kind || s->unsupported[at].track != track)) at++;
    if (at == s->unsupported_count && (!text || at == UNSUPPORTED_TRACKS_MAX)) return;
    if (text) {
        s->unsupported[at] = (struct edge_unsupported){ .kind = kind, .track = track };
        snprintf(s->unsupported[at].text, sizeof s->unsupported[at].text, "%s", text);
        if (at == s->unsupported_count) s->unsupported_count++;
    } else {
        s->unsupported[at] = s->unsupported[--s->unsupported_count];
    }
    live_edge_set_unsupported(s->edge, s->unsupported, s->unsupported_count);
}

void stream_set_frame_rate_hint(struct stream *s, double fps)
{
    if (!(fps >= 1 && fps <= 300)) return;
    s->hint_fps = fps;
    if (s->tracks.video) apply_rates(s, 0, track_facts(s->tracks.video));
}

/* For codecs that carry everything in each frame: the facts may change with any of them. */
static enum weir_err learn_from_frame(struct stream *s, uint8_t index, struct byte_span frame, const char **why)
{
    struct blob *config = NULL;
    struct codec_facts facts;
    const enum media_codec codec = s->announced[index];
    const enum weir_err err = codec_config_from_frame(codec, frame, &config, &facts, why);
    if (err) return err;
    /* a bit rate that moves from frame to frame is no new configuration */
    const struct codec_facts *known = s->tracks.audio[index] ? track_facts(s->tracks.audio[index]) : NULL;
    const bool is_same = known && known->codec == codec && known->sample_rate == facts.sample_rate &&
                         known->channels == facts.channels && known->frame_samples == facts.frame_samples;
    struct track *track = is_same ? NULL : track_create(&facts, config);
    blob_unref(config);
    if (is_same) return WEIR_OK;
    if (!track) return WEIR_NOMEM;
    set_track(s, index, track);
    return WEIR_OK;
}

/* VP9 says its size only in keyframes. */
static enum weir_err learn_size(struct stream *s, struct byte_span frame)
{
    struct track *old = s->tracks.video;
    struct codec_facts facts = *track_facts(old);
    uint32_t width, height;
    if (!codec_frame_size(facts.codec, frame, &width, &height)) return WEIR_OK;
    if (facts.width == width && facts.height == height) return WEIR_OK;
    const bool was_unknown = !facts.width;
    facts.width = width;
    facts.height = height;
    const struct byte_span config = track_config(old);
    struct blob *copy = blob_copy(config.data, config.bytes);
    struct track *track = copy ? track_create(&facts, copy) : NULL;
    blob_unref(copy);
    if (!track) return WEIR_NOMEM;
    if (was_unknown) {
        /* nothing was published of it yet: no break */
        s->tracks.video = NULL;
        track_unref(old);
    }
    set_track(s, 0, track);
    return WEIR_OK;
}

/* -- frames -- */

/* Where the sample is inside the message, and what it is. */
struct prepared {
    size_t offset, bytes;
    enum frame_access access;
    bool has_captions;
    int64_t taken_us;
    uint32_t samples;
};

static enum weir_err prepare_video(struct stream *s, const struct stream_frame *frame, struct prepared *out,
                                   const char **why)
{
    if (!s->tracks.video) return WEIR_STATE;
    uint8_t *data = blob_data(frame->message) + frame->offset;
    struct codec_frame found;
    const struct track *track = s->tracks.video;
    enum weir_err err = codec_frame_prepare(track_facts(track), track_config(track), data, frame->bytes,
                                            frame->is_claimed_key, &found, why);
    if (err) return err;
    if (found.new_config) err = set_config_blob(s, 0, track_facts(track)->codec, found.new_config, why);
    if (err) return err;
    if (found.is_empty) return WEIR_STATE;
    if (found.access == FRAME_IDR) {
        err = learn_size(s, (struct byte_span){ data + found.offset, found.bytes });
        if (err) return err;
    }
    *out = (struct prepared){ .offset = frame->offset + found.offset,
                              .bytes = found.bytes,
                              .access = found.access,
                              .has_captions = found.has_captions,
                              .taken_us = found.taken_us };
    return WEIR_OK;
}

static enum weir_err prepare_audio(struct stream *s, const struct stream_frame *frame, struct prepared *out,
                                   const char **why)
{
    const struct byte_span span = { blob_data(frame->message) + frame->offset, frame->bytes };
    const enum media_codec announced = s->announced[frame->track];
    if (announced && !codec_needs_config(announced)) {
        const enum weir_err err = learn_from_frame(s, frame->track, span, why);
        if (err) return err;
    }
    const struct track *track = s->tracks.audio[frame->track];
    if (!track) return WEIR_STATE;
    const struct codec_facts *facts = track_facts(track);
    const uint32_t samples = facts->frame_samples ? facts->frame_samples : codec_frame_samples(facts, span);
    if (!samples) {
        if (why) *why = "the audio frame's duration cannot be read";
        return WEIR_MALFORMED;
    }
    *out = (struct prepared){ .offset = frame->offset, .bytes = frame->bytes, .access = FRAME_IDR, .samples = samples };
    return WEIR_OK;
}

static void note_repairs(struct stream *s, uint32_t repairs)
{
    static const enum counter counters[TIMELINE_REPAIR_COUNT] = {
        [TIMELINE_WRAP] = COUNTER_REPAIR_WRAP,
        [TIMELINE_JUMP] = COUNTER_REPAIR_JUMP,
        [TIMELINE_BACKWARD] = COUNTER_REPAIR_BACKWARD,
        [TIMELINE_JITTER] = COUNTER_REPAIR_JITTER,
        [TIMELINE_COMPOSITION] = COUNTER_REPAIR_COMPOSITION,
        [TIMELINE_DRIFT] = COUNTER_REPAIR_DRIFT,
        [TIMELINE_OVERLAP] = COUNTER_REPAIR_OVERLAP,
        [TIMELINE_GAP] = COUNTER_REPAIR_GAP,
    };
    struct edge_figures *figures = live_edge_figures(s->edge);
    for (int kind = 1; repairs >> kind; kind++) {
        if (!(repairs >> kind & 1)) continue;
        count(s, counters[kind]);
        figure_add(&figures->repairs[kind], 1);
    }
}

static void begin_era(struct stream *s, const struct timeline_time *time, int64_t wall_us)
{
    const int64_t start_90k = time->dts_90k;
    if (s->era_wall_us) {
        /* PROGRAM-DATE-TIME never goes back, although a burst may have run ahead of the wall clock */
        const int64_t played_90k = s->last_end_90k - s->era_start_90k;
        const int64_t earliest_us = s->era_wall_us + played_90k * 100 / 9;
        if (wall_us < earliest_us) wall_us = earliest_us;
        count(s, COUNTER_ERAS);
    }
    s->era_start_90k = start_90k;
    s->era_wall_us = wall_us;
    figure_add(&live_edge_figures(s->edge)->eras, 1);
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->era(s->sinks[i], time->era, start_90k, wall_us);
}

static void tell_tracks(struct stream *s)
{
    if (!s->is_tracks_changed) return;
    s->is_tracks_changed = false;
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->tracks(s->sinks[i], &s->tracks);
}

static void push_packet(struct stream *s, const struct stream_frame *frame, const struct prepared *sample,
                        const struct timeline_time *time)
{
    const struct media_packet packet = {
        .kind = frame->kind,
        .track = frame->track,
        .is_damaged = frame->is_damaged,
        .access = sample->access,
        .has_captions = sample->has_captions,
        .taken_us = sample->taken_us,
        .payload = { frame->message, blob_data(frame->message) + sample->offset, sample->bytes },
        .era = time->era,
        .dts_90k = time->dts_90k,
        .pts_90k = time->pts_90k,
        .pts_samples = time->pts_samples,
        .samples = sample->samples,
        .nominal_90k = time->nominal_90k,
        .arrival_us = frame->now_us,
    };
    tell_tracks(s);
    if (time->is_new_era) begin_era(s, time, frame->wall_us);
    set_state(s, STREAM_LIVE);
    stream_meter_note(&s->meter, live_edge_figures(s->edge), &packet);
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->push(s->sinks[i], &packet);
}

static void note_damage(struct stream *s, enum counter counter, _Atomic uint64_t *figure)
{
    count(s, counter);
    figure_add(figure, 1);
}

static enum weir_err push(struct stream *s, const struct stream_frame *frame, const char **why)
{
    assert(frame->kind == MEDIA_VIDEO ? frame->track == 0 : frame->track < AUDIO_TRACKS_MAX);
    assert(frame->offset + frame->bytes <= blob_bytes(frame->message));
    struct edge_figures *figures = live_edge_figures(s->edge);
    if (frame->is_damaged) note_damage(s, COUNTER_FRAMES_DAMAGED, &figures->frames_damaged);
    /* not even looked at: neither its bytes nor its time can be trusted */
    if (frame->is_damaged && damage_filter_damaged(&s->damage, frame->kind)) {
        note_damage(s, COUNTER_FRAMES_DAMAGE_DROPPED, &figures->frames_damage_dropped);
        return WEIR_OK;
    }
    struct prepared sample;
    const enum weir_err err = frame->kind == MEDIA_VIDEO ? prepare_video(s, frame, &sample, why)
                                                         : prepare_audio(s, frame, &sample, why);
    if (err) return err;
    struct timeline_wire wire = frame->wire;
    struct timeline_time time;
    wire.kind = frame->kind;
    wire.track = frame->track;
    wire.samples = sample.samples;
    s->last_end_90k = timeline_end_90k(s->timeline);
    timeline_map(s->timeline, &wire, &time);
    note_repairs(s, time.repairs);
    if (time.is_drop) return WEIR_OK;
    if (frame->kind == MEDIA_VIDEO && damage_filter_whole(&s->damage, sample.access, time.pts_90k)) {
        /* the timeline has seen it: time goes on, however long the wait is. An era that it began, the next frame begins */
        note_damage(s, COUNTER_FRAMES_DAMAGE_DROPPED, &figures->frames_damage_dropped);
        s->is_era_owed |= time.is_new_era;
        return WEIR_OK;
    }
    time.is_new_era |= s->is_era_owed;
    s->is_era_owed = false;
    push_packet(s, frame, &sample, &time);
    return WEIR_OK;
}

enum weir_err stream_push(struct stream *s, const struct stream_frame *frame, const char **why)
{
    const enum weir_err err = push(s, frame, why);
    blob_unref(frame->message);
    return err;
}

static bool place_metadata(struct stream *s, const struct stream_metadata *metadata, struct media_metadata *out)
{
    if (blob_bytes(metadata->payload) > METADATA_BYTES_MAX || s->state != STREAM_LIVE || s->is_era_owed) return false;
    *out = (struct media_metadata){
        .kind = metadata->kind,
        .payload = { metadata->payload, blob_data(metadata->payload), blob_bytes(metadata->payload) },
        .era = timeline_era(s->timeline),
        .pts_90k = timeline_end_90k(s->timeline),
        .arrival_us = metadata->now_us,
    };
    return !metadata->has_time || timeline_peek(s->timeline, &metadata->wire, &out->pts_90k);
}

void stream_push_metadata(struct stream *s, const struct stream_metadata *metadata)
{
    struct media_metadata out;
    count(s, COUNTER_METADATA);
    figure_add(&live_edge_figures(s->edge)->metadata_packets, 1);
    if (place_metadata(s, metadata, &out)) {
        for (size_t i = 0; i < s->sink_count; i++) {
            if (s->sinks[i]->metadata) s->sinks[i]->metadata(s->sinks[i], &out);
        }
    } else {
        count(s, COUNTER_METADATA_DROPPED);
    }
    blob_unref(metadata->payload);
}

/* -- life -- */

void stream_tick(struct stream *s, int64_t now_us)
{
    stream_meter_tick(&s->meter, live_edge_figures(s->edge), now_us);
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->tick(s->sinks[i], now_us);
}

void stream_lost(struct stream *s)
{
    if (s->state == STREAM_LIVE) set_state(s, STREAM_HOLDING);
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->lost(s->sinks[i]);
}

void stream_resume(struct stream *s, int64_t wall_us)
{
    struct edge_figures *figures = live_edge_figures(s->edge);
    if (!figure_read(&figures->publishes)) figure_set(&figures->started_wall_us, (uint64_t)wall_us);
    figure_add(&figures->publishes, 1);
    memset(s->announced, 0, sizeof s->announced);
    s->hint_fps = 0;
    /* what it carries now, it says anew: a track that does not come back must not be waited for */
    track_set_deinit(&s->tracks);
    track_set_deinit(&s->former);
    s->is_tracks_changed = true;
    damage_filter_restart(&s->damage);
    s->is_era_owed = false;
    s->unsupported_count = 0;
    live_edge_set_unsupported(s->edge, s->unsupported, 0);
    timeline_break(s->timeline, true);
}

void stream_end(struct stream *s)
{
    if (s->is_ended) return;
    s->is_ended = true;
    for (size_t i = 0; i < s->sink_count; i++) s->sinks[i]->end(s->sinks[i]);
    set_state(s, STREAM_ENDED);
    count(s, COUNTER_STREAM_ENDED);
}
