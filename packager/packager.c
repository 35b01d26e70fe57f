/* One cut plan per stream. Video leads: where it is cut, at stream time T, the segment of the same number of each audio track ends at
 * its first frame at or after T. Without video, one audio track leads the others. Whoever leads, all renditions keep counting
 * together. */
#include "packager_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSN_US 125000    /* numbers per time: no stream makes segments faster for long */
#define MSN_AHEAD_MAX 24 /* a burst may run ahead of the clock by this: three seconds' worth */
#define CUTS_WAITING_MAX 64
#define FOLLOWER_PATIENCE_90K                                                                                          \
    90000 /* how far the leader may be past a cut before audio is closed without having reached it */
#define UNKNOWN_FRAME_90K 3000 /* until the next one tells */
#define ROUNDING_90K 180
#define VIDEO_RENDITION "video"
#define VIDEO_PATIENCE_90K (2 * 90000) /* how far audio may be ahead of missing video before it leads */

uint64_t packager_first_msn(int64_t wall_us)
{
    return wall_us > EPOCH_WALL_US ? (uint64_t)(wall_us - EPOCH_WALL_US) / MSN_US : 0;
}

int64_t packager_wall_at(const struct packager *p, int64_t at_90k)
{
    return p->era_wall_us + (at_90k - p->era_start_90k) * 100 / 9;
}

static void note_drop(struct packager *p, uint64_t frames)
{
    figure_add(&live_edge_figures(p->edge)->frames_dropped, frames);
}

/* -- renditions -- */

static uint32_t target_duration_s(const struct packager *p)
{
    return (uint32_t)((p->policy.segment_max_us + 999999) / 1000000);
}

/* What it lists from before the kill, and the numbers that the others have used since. */
static void fill_past(struct packager *p, struct rendition *r, uint64_t msn)
{
    if (!p->resume) return;
    rendition_resume(r, p->resume);
    for (size_t i = 0; i < packager_rendition_count(p) && msn > p->resume->next_msn; i++) {
        const struct rendition *other = packager_rendition_at(p, i);
        if (!other || other == r || !other->listed) continue;
        rendition_follow(r, other, msn);
        return;
    }
}

/* msn: of its first segment. */
static struct rendition *make_rendition(struct packager *p, const char *name, enum edge_media media, uint64_t msn)
{
    struct rendition_config config = {
        .media = media,
        .edge = p->edge,
        .window_us = p->policy.window_us,
        .has_iframes = !strcmp(name, VIDEO_RENDITION),
        .run_id = p->config.run_id,
        .shelf = p->config.shelf,
        .dvr_us = p->policy.dvr_us,
        .is_event = p->policy.is_event,
        .terms = { .target_duration_s = target_duration_s(p),
                   .part_us = p->policy.part_us,
                   .part_hold_back_us = p->policy.part_hold_back_us,
                   .can_skip = p->policy.can_skip },
    };
    struct rendition *r = NULL;
    memcpy(config.name, name, strlen(name) + 1);
    if (rendition_create(&r, &config)) return NULL;
    r->discontinuity = p->discontinuity;
    /* what is there from the era's first segment on carries the era's tag; one that joins later shares the era without it */
    if (msn == p->era_msn) rendition_begin_era(r, p->discontinuity);
    fill_past(p, r, msn);
    return r;
}

/* Sets the track that is valid now. NULL: no memory, no track. */
static struct rendition *with_track(struct rendition *r, struct track *track)
{
    if (!r || !track) return NULL;
    if (r->track && (r->track == track || track_equal(r->track, track))) return r;
    if (rendition_is_open(r)) return NULL; /* a new track comes with an era, which has closed what was open */
    return rendition_set_track(r, track) ? NULL : r;
}

static struct rendition *ready_video(struct packager *p)
{
    if (!p->video && p->tracks.video) p->video = make_rendition(p, VIDEO_RENDITION, EDGE_VIDEO_MP4, p->msn);
    return with_track(p->video, p->tracks.video);
}

static struct rendition *ready_audio(struct packager *p, struct lane *lane)
{
    struct track *track = p->tracks.audio[lane->track];
    if (!lane->rendition && track) {
        char name[EDGE_RENDITION_NAME_BYTES] = "audio";
        if (lane->track) snprintf(name, sizeof name, "audio-%u", lane->track);
        lane->rendition = make_rendition(p, name, EDGE_AUDIO_MP4, p->msn);
    }
    return with_track(lane->rendition, track);
}

/* How many more numbers may be used now: a restart begins with the clock's, which must be higher by then. */
static int64_t numbers_left(const struct packager *p)
{
    return (int64_t)(packager_first_msn(p->config.wall_now_us(p->config.context)) + p->ahead + MSN_AHEAD_MAX - p->msn);
}

/* The leader's next segment. Decided here, since with parts its beginning is out long before its end. */
static void open_segment(struct packager *p)
{
    if (p->is_open) return;
    p->is_open = true;
    p->is_muted = numbers_left(p) < 0;
}

/* Closes what a rendition has open as number msn, or puts a gap there. */
static void close_segment(struct rendition *r, const struct waiting_cut *cut, int64_t next_dts)
{
    if (!r || cut->is_muted) return;
    if (rendition_is_open(r)) {
        assert(r->open.msn == cut->msn);
        rendition_cut(r, next_dts);
    } else {
        rendition_gap(r, cut->msn, cut->duration_us, cut->wall_us);
    }
}

/* -- audio that follows -- */

static bool push_audio(struct packager *p, struct lane *lane, const struct media_packet *packet)
{
    const struct waiting_cut *cut = queue_peek(&lane->cuts);
    if (!cut) open_segment(p);
    if (cut ? cut->is_muted : p->is_muted) return false;
    struct rendition *r = ready_audio(p, lane);
    const struct chunker_input input = {
        .sample = { .payload = packet->payload,
                    .dts = packet->pts_samples,
                    .duration = packet->samples,
                    .is_sync = true,
                    .is_independent = true },
        .is_duration_known = true,
    };
    return r && rendition_push(r, cut ? cut->msn : p->msn, &input, packager_wall_at(p, packet->pts_90k));
}

static void take_pending(struct packager *p, struct lane *lane, bool is_used)
{
    struct media_packet packet;
    if (!queue_take(&lane->pending, &packet)) return;
    if (!is_used || !push_audio(p, lane, &packet)) note_drop(p, 1);
    blob_unref(packet.payload.blob);
}

static void resolve_cut(struct packager *p, struct lane *lane)
{
    struct waiting_cut cut;
    if (!queue_take(&lane->cuts, &cut)) return;
    const struct media_packet *next = queue_peek(&lane->pending);
    close_segment(lane->rendition, &cut, next && next->pts_90k >= cut.at_90k ? next->pts_samples : -1);
}

/* Moves an audio track as far as the leader's decisions allow. */
static void advance(struct packager *p, struct lane *lane, bool is_flush)
{
    /* nobody waits for a track that is gone */
    const bool is_hopeless = is_flush || !p->tracks.audio[lane->track];
    for (;;) {
        const struct media_packet *head = queue_peek(&lane->pending);
        const struct waiting_cut *cut = queue_peek(&lane->cuts);
        if (cut && head && head->pts_90k < cut->at_90k)
            take_pending(p, lane, true);
        else if (cut && (head || is_hopeless || p->lead_90k - cut->at_90k > FOLLOWER_PATIENCE_90K))
            resolve_cut(p, lane);
        else if (!cut && head && (is_flush || head->pts_90k <= p->lead_90k))
            take_pending(p, lane, true);
        else
            return;
    }
}

static void advance_followers(struct packager *p, bool is_flush)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        if (&p->lanes[i] != p->leader) advance(p, &p->lanes[i], is_flush);
    }
}

static void resolve_all_cuts(struct packager *p)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        while (queue_count(&p->lanes[i].cuts)) resolve_cut(p, &p->lanes[i]);
    }
}

/* -- who leads -- */

/* What it lasts in the playlist: over a hole in front of the cut longer than what is in it. */
static int64_t closed_us(const struct rendition *r, const struct waiting_cut *cut)
{
    const size_t count = r ? queue_count(&r->segments) : 0;
    const struct rendition_segment *last = count ? rendition_segment_at(r, count - 1) : NULL;
    return last && last->msn == cut->msn ? last->duration_us : cut->duration_us;
}

void packager_share_cut(struct packager *p, const struct waiting_cut *cut, bool is_break)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        struct lane *lane = &p->lanes[i];
        if (lane == p->leader || (!lane->rendition && !queue_count(&lane->pending))) continue;
        if (queue_count(&lane->cuts) == CUTS_WAITING_MAX) resolve_cut(p, lane); /* the oldest has waited long enough */
        if (queue_give(&lane->cuts, cut)) note_drop(p, 1);
    }
    /* rungs reach a break within an era later: for them it stands behind what there was */
    const int64_t rung_at_90k = is_break ? p->reached_90k + 1 : cut->at_90k;
    const bool is_at_picture = cut->at_90k != INT64_MAX && !p->leader;
    const struct rung_cut rung_cut = { .at_90k = rung_at_90k,
                                       .pictures_90k = is_at_picture ? p->cut_90k : rung_at_90k,
                                       .msn = cut->msn,
                                       .is_muted = cut->is_muted,
                                       .is_dark = is_break || p->leader,
                                       .duration_us = cut->duration_us,
                                       .wall_us = cut->wall_us };
    rungs_note_cut(p->rungs, &rung_cut);
    if (cut->is_muted) return;
    p->dates_end_us = cut->wall_us + cut->duration_us;
    if (p->leader) close_segment(p->video, cut, -1); /* a gap there */
    p->msn++;
    figure_add(&live_edge_figures(p->edge)->segments, 1);
}

/* The leader makes a cut, and the others are told. */
static void make_cut(struct packager *p, struct rendition *r, int64_t at_90k, int64_t next_dts)
{
    struct waiting_cut cut = { .at_90k = at_90k,
                               .msn = p->msn,
                               .is_muted = p->is_muted,
                               .duration_us = r ? rendition_open_us(r) : 0,
                               .wall_us = r ? r->open.wall_us : 0 };
    close_segment(r, &cut, next_dts);
    cut.duration_us = closed_us(r, &cut);
    packager_share_cut(p, &cut, at_90k == INT64_MAX && p->has_era);
}

/* Whether the leader's segment is there to be cut; it is none afterwards. */
static bool end_segment(struct packager *p, const struct rendition *r)
{
    const bool is_there = p->is_open && (p->is_muted || (r && rendition_is_open(r)));
    p->is_open = false;
    return is_there;
}

static void close_video(struct packager *p, int64_t at_90k, int64_t next_dts, bool is_forced)
{
    if (!end_segment(p, p->video)) return;
    make_cut(p, p->video, at_90k, next_dts);
    if (is_forced && !p->is_muted) figure_add(&live_edge_figures(p->edge)->segments_forced, 1);
}

static void close_leader(struct packager *p, int64_t at_90k, int64_t next_samples)
{
    if (end_segment(p, p->leader->rendition)) make_cut(p, p->leader->rendition, at_90k, next_samples);
}

static void lead(struct packager *p)
{
    struct lane *lane = p->leader;
    const struct track *track = p->tracks.audio[lane->track];
    const struct media_packet *head;
    while (track && (head = queue_peek(&lane->pending))) {
        const uint32_t nominal_90k = (uint32_t)((uint64_t)head->samples * 90000 / track_facts(track)->sample_rate);
        if (segmenter_decide(&p->segmenter, head->pts_90k, head->pts_90k, nominal_90k, FRAME_IDR,
                             head->payload.bytes) != CUT_NONE)
            close_leader(p, packager_end_90k(p, head->pts_90k), head->pts_samples);
        packager_reach_number(p, head->pts_90k);
        p->lead_90k = p->reached_90k = head->pts_90k;
        take_pending(p, lane, true);
    }
    advance_followers(p, false);
}

/* Video is missing: never came, or stopped. The first of the tracks leads; should it be silent, another one will. */
static void let_audio_lead(struct packager *p)
{
    close_video(p, INT64_MAX, -1, true);
    resolve_all_cuts(p);
    p->has_video = false;
    for (p->leader = p->lanes; !p->tracks.audio[p->leader->track]; p->leader++) continue;
    segmenter_restart(&p->segmenter);
}

/* The leading track has stopped while this one goes on. */
static void change_leader(struct packager *p, struct lane *lane)
{
    close_leader(p, INT64_MAX, -1);
    resolve_all_cuts(p);
    while (queue_count(&p->leader->pending)) take_pending(p, p->leader, false);
    p->leader = lane;
    segmenter_restart(&p->segmenter);
}

static int64_t patience_90k(const struct packager *p)
{
    return p->policy.segment_max_us * 9 / 100;
}

static bool is_video_missing(const struct packager *p, int64_t audio_90k)
{
    if (!p->tracks.video) return true;
    return p->has_video ? audio_90k - p->lead_90k > patience_90k(p)
                        : audio_90k - p->first_audio_90k > VIDEO_PATIENCE_90K;
}

static bool is_leader_missing(const struct packager *p, int64_t audio_90k)
{
    return !p->tracks.audio[p->leader->track] || audio_90k - p->lead_90k > patience_90k(p);
}

int64_t packager_cut_90k(const struct packet_sink *sink)
{
    return ((const struct packager *)sink)->cut_90k;
}

/* -- the sink -- */

/* The era's first keyframe, or the first after video was missing. */
static void begin_video(struct packager *p, const struct media_packet *packet)
{
    const bool was_led = p->leader != NULL;
    if (was_led) close_leader(p, packet->pts_90k, -1);
    /* audio from before the first picture has nobody to go with */
    for (size_t i = 0; !was_led && i < p->lane_count; i++) {
        const struct media_packet *head;
        while ((head = queue_peek(&p->lanes[i].pending)) && head->pts_90k < packet->pts_90k)
            take_pending(p, &p->lanes[i], false);
    }
    p->has_video = true;
    p->leader = NULL;
    p->begin_90k = packet->pts_90k;
    rungs_note_begin(p->rungs, packet->pts_90k);
    segmenter_restart(&p->segmenter);
}

/* An open entry is a sync sample in HEVC and AV1; in H.264 only an IDR picture is one (ISO 14496-15). */
static bool is_open_sync(const struct rendition *r, const struct media_packet *packet)
{
    return packet->access == FRAME_OPEN && r->track && track_facts(r->track)->codec != CODEC_H264;
}

/* A keyframe in the middle of a segment: a part begins with it, or where the part in front would be too short, a segment. Who sends
 * keyframes faster than there are numbers has them inside parts. */
static enum cut meet_key(struct packager *p, const struct media_packet *packet)
{
    if (!p->video || (packet->access != FRAME_IDR && !is_open_sync(p->video, packet))) return CUT_NONE;
    switch (chunker_at_key(&p->video->chunker, packet->dts_90k, p->segmenter.gop_90k)) {
    case CHUNKER_KEY_INSIDE: break;
    case CHUNKER_KEY_PART: rendition_end_part(p->video, packet->dts_90k); break;
    case CHUNKER_KEY_SEGMENT:
        if (p->segmenter.epoch || numbers_left(p) < MSN_AHEAD_MAX / 2) break;
        segmenter_cut_early(&p->segmenter, packet->dts_90k, packet->pts_90k, packet->payload.bytes);
        return CUT_KEY;
    }
    return CUT_NONE;
}

/* start_90k: when its segment begins to be shown, where it is the first. */
static bool push_video(struct packager *p, const struct media_packet *packet, int64_t start_90k)
{
    struct rendition *r = p->is_muted ? NULL : ready_video(p);
    if (!r) return false;
    /* where a stream has no IDR at all, decoders still need a place to begin */
    const bool is_entry = !rendition_is_open(r) && p->segmenter.accepts_open && packet->access != FRAME_INTER;
    const bool is_idr = packet->access == FRAME_IDR;
    const struct chunker_input input = {
        .sample = { .payload = packet->payload,
                    .dts = packet->dts_90k,
                    .duration = packet->nominal_90k ? packet->nominal_90k : UNKNOWN_FRAME_90K,
                    .composition_offset = (int32_t)(packet->pts_90k - packet->dts_90k),
                    .is_sync = is_idr || is_entry || is_open_sync(r, packet),
                    .is_independent = is_idr },
        .is_duration_known = packet->nominal_90k != 0,
        .plan_ticks = is_idr ? segmenter_first_part_90k(&p->segmenter, packet->nominal_90k) : 0,
    };
    return rendition_push(r, p->msn, &input, packager_wall_at(p, start_90k));
}

/* When the pictures of a segment begin to be shown that this one is the first of to be decoded. Inside a group of pictures those that
 * come behind it may be shown before it: then it follows the last picture so far as
 * this one follows in decoding. */
static int64_t start_of(const struct packager *p, const struct media_packet *packet)
{
    if (packet->access == FRAME_IDR || p->shown_90k == INT64_MIN) return packet->pts_90k;
    const int64_t next_90k = p->shown_90k + (packet->dts_90k - p->last_dts_90k);
    return next_90k < packet->pts_90k ? next_90k : packet->pts_90k;
}

/* For pictures nothing is reckoned: what is shown before it came before it, whatever the distances are. */
static int64_t pictures_from(const struct packager *p, const struct media_packet *packet)
{
    if (packet->access == FRAME_IDR || p->shown_90k == INT64_MIN || packet->pts_90k <= p->shown_90k)
        return packet->pts_90k;
    return p->shown_90k + 1;
}

/* Where that was reckoned, it is off by what clocks of milliseconds are off by: the cut must not be behind the picture. */
static int64_t cut_of(int64_t start_90k, const struct media_packet *packet)
{
    const int64_t half_90k = packet->nominal_90k / 2;
    if (start_90k == packet->pts_90k) return start_90k;
    return start_90k - (half_90k < ROUNDING_90K ? half_90k : ROUNDING_90K);
}

static void take_video(struct packager *p, const struct media_packet *packet)
{
    int64_t start_90k = packet->pts_90k;
    p->cut_90k = PACKAGER_NO_CUT;
    packager_hear_time(p, packet);
    if (!p->has_video) {
        if (packet->access == FRAME_INTER || !packager_may_begin(p, packet->pts_90k)) {
            note_drop(p, 1);
            return;
        }
        begin_video(p, packet);
        packager_name_run(p, packet);
        p->cut_90k = packet->pts_90k;
    }
    if (packet->pts_90k < p->begin_90k) {
        note_drop(p, 1);
        return;
    }
    enum cut cut = segmenter_decide(&p->segmenter, packet->dts_90k, packet->pts_90k, packet->nominal_90k,
                                    packet->access, packet->payload.bytes);
    if (cut == CUT_NONE) cut = meet_key(p, packet);
    if (cut != CUT_NONE) {
        start_90k = start_of(p, packet);
        const int64_t at_90k = cut_of(start_90k, packet), end_90k = packager_end_90k(p, at_90k);
        p->cut_90k = pictures_from(p, packet);
        close_video(p, end_90k, packet->dts_90k - (at_90k - end_90k), cut == CUT_FORCED);
    }
    rungs_note_picture(p->rungs, packet->pts_90k);
    packager_reach_number(p, start_90k);
    open_segment(p);
    if (!push_video(p, packet, start_90k)) note_drop(p, 1);
    /* the next frame is not expected before this one ends, and no cut is earlier */
    p->lead_90k = packet->dts_90k + (packet->nominal_90k ? packet->nominal_90k - 1 : 0);
    p->nominal_90k = packet->nominal_90k;
    p->has_captions |= packet->has_captions;
    p->last_dts_90k = packet->dts_90k;
    if (packet->pts_90k > p->shown_90k) p->shown_90k = packet->pts_90k;
    if (packet->pts_90k > p->reached_90k) p->reached_90k = packet->pts_90k;
    if (p->lead_90k > p->reached_90k) p->reached_90k = p->lead_90k;
    advance_followers(p, false);
}

static void take_audio(struct packager *p, const struct media_packet *packet)
{
    struct lane *lane = &p->lanes[packet->track];
    if (packet->track >= p->lane_count) p->lane_count = (size_t)packet->track + 1;
    if (!p->tracks.audio[lane->track]) {
        note_drop(p, 1);
        return;
    }
    if (p->first_audio_90k < 0) p->first_audio_90k = packet->pts_90k;
    if (queue_give(&lane->pending, packet)) {
        note_drop(p, 1);
        return;
    }
    blob_ref(packet->payload.blob);
    if (!p->leader && is_video_missing(p, packet->pts_90k))
        let_audio_lead(p);
    else if (p->leader && lane != p->leader && is_leader_missing(p, packet->pts_90k))
        change_leader(p, lane);
    if (lane == p->leader)
        lead(p);
    else if (p->has_video || p->leader)
        advance(p, lane, false);
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
    const struct rungs_stream stream = packager_rungs_stream(p);
    rungs_advance(p->rungs, &stream);
    figure_add(&live_edge_figures(p->edge)->window_bytes, packet->payload.bytes);
    packager_publish_changes(p);
    packager_update_ts(p);
}

/* The first audio track that has something, where nobody was given the lead yet. */
static struct lane *first_waiting(struct packager *p)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        const struct lane *lane = &p->lanes[i];
        if (lane->rendition && rendition_is_open(lane->rendition)) return &p->lanes[i];
    }
    return NULL;
}

/* Closes all that is open, so that nothing waits for frames that will not come. */
static void close_all(struct packager *p)
{
    p->has_era = false;
    if (p->leader) {
        lead(p);
        close_leader(p, INT64_MAX, -1);
    } else {
        close_video(p, INT64_MAX, -1, false);
    }
    advance_followers(p, true);
    resolve_all_cuts(p);
    /* audio that nobody's cut has closed: the leader had nothing yet, or there was none */
    struct lane *left = first_waiting(p);
    if (left) {
        p->leader = left;
        p->is_open = true;
        p->is_muted = false;
        close_leader(p, INT64_MAX, -1);
        resolve_all_cuts(p);
    }
    for (size_t i = 0; i < p->lane_count; i++) {
        while (queue_count(&p->lanes[i].pending)) take_pending(p, &p->lanes[i], false);
    }
    p->has_video = p->is_open = false;
    p->leader = NULL;
    /* an era's first part has another name: no hint reaches over a discontinuity */
    for (size_t i = 0; i <= p->lane_count; i++) {
        if (packager_rendition_at(p, i)) rendition_withdraw_hint(packager_rendition_at(p, i));
    }
    packager_update_ts(p);
}

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    struct packager *p = (struct packager *)sink;
    track_set_assign(&p->tracks, tracks);
    packager_update_multivariant(p);
}

static void begin_era_in(struct packager *p, struct rendition *r, struct track *track)
{
    if (!r) return;
    rendition_begin_era(r, p->discontinuity);
    with_track(r, track); /* a new init is there before what needs it */
}

/* The first era of a stream is one that others may have the number of: its name did not live before. */
static void note_era(struct packager *p)
{
    if (p->config.eras_used) p->config.eras_used(p->config.context, p->discontinuity);
}

static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us)
{
    struct packager *p = (struct packager *)sink;
    close_all(p);
    p->era = era;
    p->has_era = true;
    p->era_start_90k = start_90k;
    p->era_wall_us = wall_us + p->wall_shift_us;
    p->first_audio_90k = -1;
    packager_begin_epoch_era(p);
    p->lead_90k = p->reached_90k = start_90k;
    p->shown_90k = INT64_MIN;
    /* an era of which nothing was published is none for players: they count tags */
    if (p->msn != p->era_msn) {
        p->discontinuity++;
        if (p->era_msn) note_era(p);
    }
    p->era_msn = p->msn;
    segmenter_restart(&p->segmenter);
    const struct rung_era rung_era = { .era = era,
                                       .start_90k = start_90k,
                                       .wall_us = p->era_wall_us,
                                       .discontinuity = p->discontinuity,
                                       .first_msn = p->msn };
    rungs_note_era(p->rungs, &rung_era);
    begin_era_in(p, p->video, p->tracks.video);
    for (size_t i = 0; i < p->lane_count; i++) begin_era_in(p, p->lanes[i].rendition, p->tracks.audio[i]);
    packager_publish_changes(p);
}

static void on_metadata(struct packet_sink *sink, const struct media_metadata *metadata)
{
    struct packager *p = (struct packager *)sink;
    if (p->has_era && !ts_rendition_add_tag(p->ts, metadata)) note_drop(p, 1);
}

static void on_tick(struct packet_sink *sink, int64_t now_us)
{
    struct packager *p = (struct packager *)sink;
    rungs_tick(p->rungs, now_us);
    packager_publish_changes(p);
}

static void on_lost(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    close_all(p);
    epoch_clock_lose(&p->epoch);
    packager_publish_changes(p);
    packager_update_ts(p); /* what has left the playlists is not held by this one, while nothing comes */
}

static enum weir_err shelve_list(struct packager *p, const char *rendition)
{
    struct edge_snapshot *s = live_edge_acquire(p->edge, rendition, strlen(rendition));
    if (!s) return WEIR_OK;
    struct frozen *text = edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL);
    const enum weir_err err = p->config.shelf->give_playlist(p->config.shelf, rendition, text);
    edge_snapshot_unref(s);
    return err;
}

/* All that was shown stays for a while, as the list that it was. */
static void shelve_lists(struct packager *p)
{
    struct segment_shelf *shelf = p->config.shelf;
    struct frozen *text = live_edge_acquire_multivariant(p->edge, NULL);
    enum weir_err err = text ? shelf->give_playlist(shelf, "", text) : WEIR_OK;
    frozen_unref(text);
    for (size_t i = 0; i < packager_rendition_count(p) && !err; i++) {
        const struct rendition *r = packager_rendition_at(p, i);
        if (r) err = shelve_list(p, r->config.name);
    }
    if (!err) (void)!shelve_list(p, IFRAMES_RENDITION);
    shelf->end(shelf, p->policy.vod_keep_us);
}

static void on_end(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    close_all(p);
    rungs_end(p->rungs);
    for (size_t i = 0; i <= p->lane_count; i++) {
        if (packager_rendition_at(p, i)) rendition_end(packager_rendition_at(p, i));
    }
    packager_publish_changes(p);
    if (p->config.shelf) shelve_lists(p);
    ts_rendition_end(p->ts);
}

static void lane_deinit(struct lane *lane)
{
    struct media_packet packet;
    while (queue_take(&lane->pending, &packet)) blob_unref(packet.payload.blob);
    queue_deinit(&lane->pending);
    queue_deinit(&lane->cuts);
    rendition_destroy(lane->rendition);
}

static void on_destroy(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    note_era(p);
    for (size_t i = 0; i < p->lane_count; i++) lane_deinit(&p->lanes[i]);
    rendition_destroy(p->video);
    rungs_destroy(p->rungs);
    multivariant_destroy(p->multivariant);
    ts_rendition_destroy(p->ts);
    track_set_deinit(&p->tracks);
    live_edge_unref(p->edge);
    resume_destroy(p->resume);
    if (p->config.shelf) p->config.shelf->release(p->config.shelf);
    free(p);
}

/* Goes on behind what is on the shelf, if anything is. */
static void begin_numbers(struct packager *p)
{
    const int64_t now_us = p->config.wall_now_us(p->config.context);
    const uint64_t clock_msn = packager_first_msn(now_us);
    struct shelf_past *past = p->config.shelf ? p->config.shelf->past(p->config.shelf) : NULL;
    const struct resume_terms terms = { .now_wall_us = now_us,
                                        .segment_us = p->policy.segment_us,
                                        .dvr_us = p->policy.dvr_us,
                                        .target_duration_s = target_duration_s(p) };
    p->resume = past ? resume_create(past, &terms) : NULL;
    p->msn = p->resume ? p->resume->next_msn : clock_msn;
    /* the first era counts one up */
    p->discontinuity = p->resume             ? p->resume->next_discontinuity - 1
                       : p->config.eras_used ? p->config.eras_used(p->config.context, 0)
                                             : 0;
    p->ahead = p->msn > clock_msn ? p->msn - clock_msn : 0;
    if (p->resume && p->resume->end_wall_us > now_us) p->wall_shift_us = p->resume->end_wall_us - now_us;
    shelf_past_unref(past);
}

static struct rendition *make_rung_rendition(void *context, const char *name, enum edge_media media, uint64_t msn)
{
    return make_rendition(context, name, media, msn);
}

static void note_rung_drop(void *context, uint64_t frames)
{
    note_drop(context, frames);
}

struct packet_sink *packager_create(struct live_edge *edge, const struct stream_policy *policy,
                                    const struct packager_config *config)
{
    struct packager *p = calloc(1, sizeof *p);
    struct multivariant *multivariant = multivariant_create();
    const struct ts_rendition_config ts_config = {
        .edge = edge,
        .target_duration_s = (uint32_t)((policy->segment_max_us + 999999) / 1000000),
        .is_main = policy->container == CONTAINER_TS,
    };
    struct ts_rendition *ts = ts_rendition_create(&ts_config);
    const struct rungs_owner owner = { .context = p,
                                       .make_rendition = make_rung_rendition,
                                       .note_drop = note_rung_drop,
                                       .awaits_rungs = config->awaits_rungs };
    struct rungs *rungs = rungs_create(&owner);
    if (!p || !multivariant || !ts || !rungs) {
        rungs_destroy(rungs);
        multivariant_destroy(multivariant);
        ts_rendition_destroy(ts);
        free(p);
        if (config->shelf) config->shelf->release(config->shelf);
        return NULL;
    }
    p->sink = (struct packet_sink){ .tracks = on_tracks,
                                    .era = on_era,
                                    .push = on_push,
                                    .metadata = on_metadata,
                                    .tick = on_tick,
                                    .lost = on_lost,
                                    .end = on_end,
                                    .destroy = on_destroy };
    p->edge = live_edge_ref(edge);
    p->policy = *policy;
    p->config = *config;
    p->multivariant = multivariant;
    p->ts = ts;
    p->rungs = rungs;
    p->awaits_rungs = config->awaits_rungs;
    p->first_audio_90k = -1;
    begin_numbers(p);
    segmenter_init(&p->segmenter, policy->segment_us, policy->segment_max_us, policy->part_us);
    packager_init_epoch(p);
    for (uint8_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        p->lanes[i].track = i;
        queue_init(&p->lanes[i].pending, sizeof(struct media_packet), PENDING_AUDIO_PACKETS_MAX);
        queue_init(&p->lanes[i].cuts, sizeof(struct waiting_cut), CUTS_WAITING_MAX);
    }
    return &p->sink;
}
