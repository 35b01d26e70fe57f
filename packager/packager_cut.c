/* One cut plan per stream. Video leads: where it is cut, at stream time T, the segment of the same number of each audio track ends at
 * its first frame at or after T. Without video, one audio track leads the others. Whoever leads, all renditions keep counting
 * together. */
#include "packager_internal.h"

#include <assert.h>

#define VIDEO_PATIENCE_90K (2 * 90000) /* how far audio may be ahead of missing video before it leads */

/* How many more numbers may be used now: a restart begins with the clock's, which must be higher by then. */
int64_t packager_numbers_left(const struct packager *p)
{
    return (int64_t)(packager_first_msn(p->config.wall_now_us(p->config.context)) + p->ahead + MSN_AHEAD_MAX - p->msn);
}

/* The leader's next segment. Decided here, since with parts its beginning is out long before its end. */
void packager_open_segment(struct packager *p)
{
    if (p->is_open) return;
    p->is_open = true;
    p->is_muted = packager_numbers_left(p) < 0;
}

/* Closes what a rendition has open as number msn, or puts a gap there. */
void packager_close_segment(struct rendition *r, const struct waiting_cut *cut, int64_t next_dts)
{
    if (!r || cut->is_muted) return;
    if (rendition_is_open(r)) {
        assert(r->open.msn == cut->msn);
        rendition_cut(r, next_dts);
    } else {
        rendition_gap(r, cut->msn, cut->duration_us, cut->wall_us);
    }
}

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
        if (queue_count(&lane->cuts) == CUTS_WAITING_MAX)
            packager_resolve_cut(p, lane); /* the oldest has waited long enough */
        if (queue_give(&lane->cuts, cut)) packager_note_drop(p, 1);
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
    if (p->leader) packager_close_segment(p->video, cut, -1); /* a gap there */
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
    packager_close_segment(r, &cut, next_dts);
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

void packager_close_video(struct packager *p, int64_t at_90k, int64_t next_dts, bool is_forced)
{
    if (!end_segment(p, p->video)) return;
    make_cut(p, p->video, at_90k, next_dts);
    if (is_forced && !p->is_muted) figure_add(&live_edge_figures(p->edge)->segments_forced, 1);
}

void packager_close_leader(struct packager *p, int64_t at_90k, int64_t next_samples)
{
    if (end_segment(p, p->leader->rendition)) make_cut(p, p->leader->rendition, at_90k, next_samples);
}

void packager_lead(struct packager *p)
{
    struct lane *lane = p->leader;
    const struct track *track = p->tracks.audio[lane->track];
    const struct media_packet *head;
    while (track && (head = queue_peek(&lane->pending))) {
        const uint32_t nominal_90k = (uint32_t)((uint64_t)head->samples * 90000 / track_facts(track)->sample_rate);
        if (segmenter_decide(&p->segmenter, head->pts_90k, head->pts_90k, nominal_90k, FRAME_IDR,
                             head->payload.bytes) != CUT_NONE)
            packager_close_leader(p, packager_end_90k(p, head->pts_90k), head->pts_samples);
        packager_reach_number(p, head->pts_90k);
        p->lead_90k = p->reached_90k = head->pts_90k;
        packager_take_pending(p, lane, true);
    }
    packager_advance_followers(p, false);
}

/* Video is missing: never came, or stopped. The first of the tracks leads; should it be silent, another one will. */
void packager_let_audio_lead(struct packager *p)
{
    packager_close_video(p, INT64_MAX, -1, true);
    packager_resolve_all_cuts(p);
    p->has_video = false;
    for (p->leader = p->lanes; !p->tracks.audio[p->leader->track]; p->leader++) continue;
    segmenter_restart(&p->segmenter);
}

/* The leading track has stopped while this one goes on. */
void packager_change_leader(struct packager *p, struct lane *lane)
{
    packager_close_leader(p, INT64_MAX, -1);
    packager_resolve_all_cuts(p);
    while (queue_count(&p->leader->pending)) packager_take_pending(p, p->leader, false);
    p->leader = lane;
    segmenter_restart(&p->segmenter);
}

static int64_t patience_90k(const struct packager *p)
{
    return p->policy.segment_max_us * 9 / 100;
}

bool packager_is_video_missing(const struct packager *p, int64_t audio_90k)
{
    if (!p->tracks.video) return true;
    return p->has_video ? audio_90k - p->lead_90k > patience_90k(p)
                        : audio_90k - p->first_audio_90k > VIDEO_PATIENCE_90K;
}

bool packager_is_leader_missing(const struct packager *p, int64_t audio_90k)
{
    return !p->tracks.audio[p->leader->track] || audio_90k - p->lead_90k > patience_90k(p);
}
