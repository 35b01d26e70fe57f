/* One cut plan per stream. Video leads: where it is cut, at stream time T, the audio segment of the same number ends at its first
 * frame at or after T. Without video, audio leads. Whoever leads, all renditions keep counting together. */
#include <weir/packager/packager.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/queue.h>

#include "multivariant.h"
#include "rendition.h"
#include "segmenter.h"

#define EPOCH_WALL_US 1767225600000000LL /* 2026-01-01T00:00:00Z */
#define MSN_US 125000                    /* numbers per time: no stream makes segments faster for long */
#define MSN_AHEAD_MAX 24                 /* a burst may run ahead of the clock by this: three seconds' worth */
#define DISCONTINUITY_US 1000000
#define CUTS_WAITING_MAX 64
#define AUDIO_PATIENCE_90K 90000 /* how far video may be past a cut before audio is closed without having reached it */
#define VIDEO_PATIENCE_90K (2 * 90000) /* how far audio may be ahead of missing video before it leads */

/* A cut that video made and audio has yet to reach. */
struct waiting_cut {
    int64_t at_90k; /* INT64_MAX: everything before a break */
    uint64_t msn;
    int64_t duration_us, wall_us;
    bool is_discarded;
};

struct packager {
    struct packet_sink sink; /* first: the sink is the packager */
    struct live_edge *edge;
    struct stream_policy policy;
    struct packager_config config;
    struct track *tracks[MEDIA_AUDIO + 1];
    struct rendition *video, *audio;
    struct multivariant multivariant;
    struct segmenter segmenter;
    bool has_era, has_video, audio_leads; /* has_video: the era's first keyframe came, and it goes on */
    uint32_t era;
    int64_t era_start_90k, era_wall_us;
    int64_t first_audio_90k; /* of the era; -1: none yet */
    int64_t video_last_90k;  /* dts of the last video frame */
    uint64_t msn, discontinuity;
    uint64_t era_msn;     /* the era's first number */
    struct queue pending; /* audio packets that wait for video: struct media_packet, payload referenced */
    struct queue cuts;    /* struct waiting_cut */
};

uint64_t packager_first_msn(int64_t wall_us)
{
    return wall_us > EPOCH_WALL_US ? (uint64_t)(wall_us - EPOCH_WALL_US) / MSN_US : 0;
}

static int64_t wall_at(const struct packager *p, int64_t at_90k)
{
    return p->era_wall_us + (at_90k - p->era_start_90k) * 100 / 9;
}

static void note_drop(struct packager *p, uint64_t frames)
{
    figure_add(&live_edge_figures(p->edge)->frames_dropped, frames);
}

/* -- renditions -- */

static struct rendition *make_rendition(struct packager *p, const char *name, enum edge_media media)
{
    struct rendition_config config = {
        .media = media,
        .edge = p->edge,
        .window_us = p->policy.window_us,
        .run_id = p->config.run_id,
        .target_duration_s = (uint32_t)((p->policy.segment_max_us + 999999) / 1000000),
    };
    struct rendition *r = NULL;
    memcpy(config.name, name, strlen(name) + 1);
    if (rendition_create(&r, &config)) return NULL;
    r->discontinuity = p->discontinuity;
    return r;
}

/* The rendition for a kind, made with its first frame, on the track that is valid now. NULL: no memory or no track. */
static struct rendition *ready_rendition(struct packager *p, enum media_kind kind)
{
    struct rendition **r = kind == MEDIA_VIDEO ? &p->video : &p->audio;
    struct track *track = p->tracks[kind];
    if (!track) return NULL;
    if (!*r) {
        *r = kind == MEDIA_VIDEO ? make_rendition(p, "video", EDGE_VIDEO_MP4)
                                 : make_rendition(p, "audio", EDGE_AUDIO_MP4);
        /* the first rendition of a run carries the era's tag; one that joins later shares the era without it */
        if (*r && !(kind == MEDIA_VIDEO ? p->audio : p->video)) rendition_begin_era(*r, p->discontinuity);
        if (*r && kind == MEDIA_AUDIO && p->video && !p->video->has_published)
            rendition_begin_era(*r, p->discontinuity);
    }
    if (!*r) return NULL;
    if ((*r)->track == track) return *r;
    if (rendition_is_open(*r)) return NULL; /* a new track comes with an era, which has closed what was open */
    return rendition_set_track(*r, track) ? NULL : *r;
}

static void publish(struct packager *p, struct rendition *r)
{
    if (rendition_publish(r)) return; /* no memory: the next one tries again */
    const bool audio_is_awaited = p->audio && !p->audio->has_published && queue_count(&p->cuts) > 0;
    if (!audio_is_awaited) multivariant_update(&p->multivariant, p->edge, p->video, p->audio);
}

/* Whether a segment numbered p->msn may go out: a restart begins with the clock's number, which must be higher by then. */
static bool may_publish(const struct packager *p)
{
    return p->msn <= packager_first_msn(p->config.wall_now_us(p->config.context)) + MSN_AHEAD_MAX;
}

/* Closes what a rendition has open as number msn, or puts a gap there. */
static void close_segment(struct packager *p, struct rendition *r, const struct waiting_cut *cut, int64_t next_dts)
{
    if (!r) return;
    if (cut->is_discarded) {
        note_drop(p, rendition_discard(r));
        return;
    }
    const enum weir_err err = rendition_is_open(r) ? rendition_cut(r, cut->msn, next_dts)
                                                   : rendition_gap(r, cut->msn, cut->duration_us, cut->wall_us);
    if (!err) publish(p, r);
}

/* -- audio behind video's cuts -- */

static bool push_audio(struct packager *p, const struct media_packet *packet)
{
    struct rendition *r = ready_rendition(p, MEDIA_AUDIO);
    const struct fmp4_sample sample = {
        .payload = packet->payload, .dts = packet->pts_samples, .duration = packet->samples, .is_sync = true
    };
    return r && rendition_push(r, &sample, wall_at(p, packet->pts_90k), true);
}

static void take_pending(struct packager *p, bool is_used)
{
    struct media_packet packet;
    if (!queue_take(&p->pending, &packet)) return;
    if (!is_used || !push_audio(p, &packet)) note_drop(p, 1);
    blob_unref(packet.payload.blob);
}

static void resolve_cut(struct packager *p)
{
    struct waiting_cut cut;
    if (!queue_take(&p->cuts, &cut)) return;
    const struct media_packet *next = queue_peek(&p->pending);
    close_segment(p, p->audio, &cut, next && next->pts_90k >= cut.at_90k ? next->pts_samples : -1);
}

/* Moves audio as far as video's decisions allow. */
static void advance_audio(struct packager *p, bool is_flush)
{
    for (;;) {
        const struct media_packet *head = queue_peek(&p->pending);
        const struct waiting_cut *cut = queue_peek(&p->cuts);
        if (cut && head && head->pts_90k < cut->at_90k)
            take_pending(p, true);
        else if (cut && (head || is_flush || p->video_last_90k - cut->at_90k > AUDIO_PATIENCE_90K))
            resolve_cut(p);
        else if (!cut && head && (is_flush || head->pts_90k <= p->video_last_90k))
            take_pending(p, true);
        else
            return;
    }
}

static void close_video(struct packager *p, int64_t at_90k, int64_t next_dts, bool is_forced)
{
    if (!p->video || !rendition_is_open(p->video)) return;
    struct edge_figures *f = live_edge_figures(p->edge);
    const bool is_discarded = !may_publish(p);
    const struct waiting_cut cut = {
        .at_90k = at_90k,
        .msn = p->msn,
        .is_discarded = is_discarded,
        .duration_us = rendition_open_us(p->video),
        .wall_us = p->video->wall_us,
    };
    const bool audio_follows = p->audio || queue_count(&p->pending) > 0;
    if (audio_follows && queue_give(&p->cuts, &cut)) resolve_cut(p);
    close_segment(p, p->video, &cut, next_dts);
    if (is_discarded) return;
    p->msn++;
    figure_add(&f->segments, 1);
    if (is_forced) figure_add(&f->segments_forced, 1);
}

/* -- audio that leads -- */

static void close_audio(struct packager *p, int64_t next_samples)
{
    if (!p->audio || !rendition_is_open(p->audio)) return;
    const struct waiting_cut cut = { .msn = p->msn,
                                     .is_discarded = !may_publish(p),
                                     .duration_us = rendition_open_us(p->audio),
                                     .wall_us = p->audio->wall_us };
    close_segment(p, p->audio, &cut, next_samples);
    if (cut.is_discarded) return;
    if (p->video) close_segment(p, p->video, &cut, -1); /* a gap there */
    p->msn++;
    figure_add(&live_edge_figures(p->edge)->segments, 1);
}

static void lead_audio(struct packager *p)
{
    const struct media_packet *head;
    while ((head = queue_peek(&p->pending))) {
        const uint32_t nominal_90k = (uint32_t)((uint64_t)head->samples * 90000 /
                                                track_facts(p->tracks[MEDIA_AUDIO])->sample_rate);
        if (segmenter_decide(&p->segmenter, head->pts_90k, head->pts_90k, nominal_90k, FRAME_IDR,
                             head->payload.bytes) != CUT_NONE)
            close_audio(p, head->pts_samples);
        take_pending(p, true);
    }
}

/* Video is missing: never came, or stopped. */
static void let_audio_lead(struct packager *p)
{
    close_video(p, INT64_MAX, -1, true);
    while (queue_count(&p->cuts)) resolve_cut(p);
    p->has_video = false;
    p->audio_leads = true;
    segmenter_restart(&p->segmenter);
}

static bool is_video_missing(const struct packager *p, int64_t audio_90k)
{
    if (!p->tracks[MEDIA_VIDEO]) return true;
    const int64_t since = p->has_video ? p->video_last_90k : p->first_audio_90k;
    const int64_t patience = p->has_video ? p->policy.segment_max_us * 9 / 100 : VIDEO_PATIENCE_90K;
    return audio_90k - since > patience;
}

/* -- the sink -- */

static void take_video(struct packager *p, const struct media_packet *packet)
{
    if (!p->has_video) {
        if (packet->access == FRAME_INTER) {
            note_drop(p, 1);
            return;
        }
        if (p->audio_leads) close_audio(p, -1);
        /* audio from before the first picture has nobody to go with */
        const struct media_packet *head;
        while (!p->audio_leads && (head = queue_peek(&p->pending)) && head->pts_90k < packet->pts_90k)
            take_pending(p, false);
        p->has_video = true;
        p->audio_leads = false;
        segmenter_restart(&p->segmenter);
    }
    const enum cut cut = segmenter_decide(&p->segmenter, packet->dts_90k, packet->pts_90k, packet->nominal_90k,
                                          packet->access, packet->payload.bytes);
    if (cut != CUT_NONE) close_video(p, packet->pts_90k, packet->dts_90k, cut == CUT_FORCED);
    struct rendition *r = ready_rendition(p, MEDIA_VIDEO);
    const bool is_entry = r && !rendition_is_open(r) && p->segmenter.accepts_open && packet->access != FRAME_INTER;
    const struct fmp4_sample sample = {
        .payload = packet->payload,
        .dts = packet->dts_90k,
        .duration = packet->nominal_90k ? packet->nominal_90k : 3000,
        .composition_offset = (int32_t)(packet->pts_90k - packet->dts_90k),
        /* where a stream has no IDR at all, decoders still need a place to begin */
        .is_sync = packet->access == FRAME_IDR || packet->access == FRAME_OPEN || is_entry,
    };
    if (!r || !rendition_push(r, &sample, wall_at(p, packet->pts_90k), packet->access == FRAME_IDR)) note_drop(p, 1);
    p->video_last_90k = packet->dts_90k;
    multivariant_note_rate(&p->multivariant, packet->nominal_90k);
    advance_audio(p, false);
}

static void take_audio(struct packager *p, const struct media_packet *packet)
{
    if (p->first_audio_90k < 0) p->first_audio_90k = packet->pts_90k;
    if (queue_give(&p->pending, packet)) {
        note_drop(p, 1);
        return;
    }
    blob_ref(packet->payload.blob);
    if (!p->audio_leads && is_video_missing(p, packet->pts_90k)) let_audio_lead(p);
    if (p->audio_leads)
        lead_audio(p);
    else if (p->has_video)
        advance_audio(p, false);
}

static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct packager *p = (struct packager *)sink;
    if (!p->has_era || packet->era != p->era) {
        note_drop(p, 1);
        return;
    }
    if (packet->kind == MEDIA_VIDEO)
        take_video(p, packet);
    else
        take_audio(p, packet);
    figure_set(&live_edge_figures(p->edge)->window_bytes,
               rendition_held_bytes(p->video) + rendition_held_bytes(p->audio));
}

/* Closes all that is open, so that nothing waits for frames that will not come. */
static void flush(struct packager *p)
{
    if (p->audio_leads) {
        lead_audio(p);
        close_audio(p, -1);
    } else {
        close_video(p, INT64_MAX, -1, false);
        advance_audio(p, true);
        while (queue_count(&p->cuts)) resolve_cut(p);
        /* audio alone, too short a time to have been given the lead */
        close_audio(p, -1);
    }
    while (queue_count(&p->pending)) take_pending(p, false);
    p->has_era = p->has_video = p->audio_leads = false;
}

static void on_tracks(struct packet_sink *sink, struct track *video, struct track *audio)
{
    struct packager *p = (struct packager *)sink;
    struct track *const given[] = { [MEDIA_VIDEO] = video, [MEDIA_AUDIO] = audio };
    for (int kind = MEDIA_VIDEO; kind <= MEDIA_AUDIO; kind++) {
        if (given[kind]) track_ref(given[kind]);
        track_unref(p->tracks[kind]);
        p->tracks[kind] = given[kind];
    }
}

static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us)
{
    struct packager *p = (struct packager *)sink;
    flush(p);
    p->era = era;
    p->has_era = true;
    p->era_start_90k = start_90k;
    p->era_wall_us = wall_us;
    p->first_audio_90k = -1;
    p->video_last_90k = start_90k;
    /* an era of which nothing was published is none for players: they count tags */
    if (p->msn != p->era_msn) p->discontinuity++;
    p->era_msn = p->msn;
    segmenter_restart(&p->segmenter);
    if (p->video) rendition_begin_era(p->video, p->discontinuity);
    if (p->audio) rendition_begin_era(p->audio, p->discontinuity);
}

static void on_tick(struct packet_sink *sink, int64_t now_us) {}

static void on_lost(struct packet_sink *sink)
{
    flush((struct packager *)sink);
}

static void on_end(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    struct rendition *const all[] = { p->video, p->audio };
    flush(p);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i]) continue;
        rendition_end(all[i]);
        publish(p, all[i]);
    }
}

static void on_destroy(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    while (queue_count(&p->pending)) take_pending(p, false);
    queue_deinit(&p->pending);
    queue_deinit(&p->cuts);
    rendition_destroy(p->video);
    rendition_destroy(p->audio);
    track_unref(p->tracks[MEDIA_VIDEO]);
    track_unref(p->tracks[MEDIA_AUDIO]);
    live_edge_unref(p->edge);
    free(p);
}

struct packet_sink *packager_create(struct live_edge *edge, const struct stream_policy *policy,
                                    const struct packager_config *config)
{
    struct packager *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->sink = (struct packet_sink){ .tracks = on_tracks,
                                    .era = on_era,
                                    .push = on_push,
                                    .tick = on_tick,
                                    .lost = on_lost,
                                    .end = on_end,
                                    .destroy = on_destroy };
    p->edge = live_edge_ref(edge);
    p->policy = *policy;
    p->config = *config;
    p->first_audio_90k = -1;
    const int64_t wall_us = config->wall_now_us(config->context);
    p->msn = packager_first_msn(wall_us);
    p->discontinuity = p->msn * MSN_US / DISCONTINUITY_US;
    segmenter_init(&p->segmenter, policy->segment_us, policy->segment_max_us);
    queue_init(&p->pending, sizeof(struct media_packet), PENDING_AUDIO_PACKETS_MAX);
    queue_init(&p->cuts, sizeof(struct waiting_cut), CUTS_WAITING_MAX);
    return &p->sink;
}
