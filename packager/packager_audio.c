/* The audio tracks: each follows the leader's cuts, unless it leads. */
#include "packager_internal.h"

#define FOLLOWER_PATIENCE_90K                                                                                          \
    90000 /* how far the leader may be past a cut before audio is closed without having reached it */

static bool push_audio(struct packager *p, struct lane *lane, const struct media_packet *packet)
{
    const struct waiting_cut *cut = queue_peek(&lane->cuts);
    if (!cut) packager_open_segment(p);
    if (cut ? cut->is_muted : p->is_muted) return false;
    struct rendition *r = packager_ready_audio(p, lane);
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

void packager_take_pending(struct packager *p, struct lane *lane, bool is_used)
{
    struct media_packet packet;
    if (!queue_take(&lane->pending, &packet)) return;
    if (!is_used || !push_audio(p, lane, &packet)) packager_note_drop(p, 1);
    blob_unref(packet.payload.blob);
}

void packager_resolve_cut(struct packager *p, struct lane *lane)
{
    struct waiting_cut cut;
    if (!queue_take(&lane->cuts, &cut)) return;
    const struct media_packet *next = queue_peek(&lane->pending);
    packager_close_segment(lane->rendition, &cut, next && next->pts_90k >= cut.at_90k ? next->pts_samples : -1);
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
            packager_take_pending(p, lane, true);
        else if (cut && (head || is_hopeless || p->lead_90k - cut->at_90k > FOLLOWER_PATIENCE_90K))
            packager_resolve_cut(p, lane);
        else if (!cut && head && (is_flush || head->pts_90k <= p->lead_90k))
            packager_take_pending(p, lane, true);
        else
            return;
    }
}

void packager_advance_followers(struct packager *p, bool is_flush)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        if (&p->lanes[i] != p->leader) advance(p, &p->lanes[i], is_flush);
    }
}

void packager_resolve_all_cuts(struct packager *p)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        while (queue_count(&p->lanes[i].cuts)) packager_resolve_cut(p, &p->lanes[i]);
    }
}

void packager_take_audio(struct packager *p, const struct media_packet *packet)
{
    struct lane *lane = &p->lanes[packet->track];
    if (packet->track >= p->lane_count) p->lane_count = (size_t)packet->track + 1;
    if (!p->tracks.audio[lane->track]) {
        packager_note_drop(p, 1);
        return;
    }
    if (p->first_audio_90k < 0) p->first_audio_90k = packet->pts_90k;
    if (queue_give(&lane->pending, packet)) {
        packager_note_drop(p, 1);
        return;
    }
    blob_ref(packet->payload.blob);
    if (!p->leader && packager_is_video_missing(p, packet->pts_90k))
        packager_let_audio_lead(p);
    else if (p->leader && lane != p->leader && packager_is_leader_missing(p, packet->pts_90k))
        packager_change_leader(p, lane);
    if (lane == p->leader)
        packager_lead(p);
    else if (p->has_video || p->leader)
        advance(p, lane, false);
}

void packager_lane_deinit(struct lane *lane)
{
    struct media_packet packet;
    while (queue_take(&lane->pending, &packet)) blob_unref(packet.payload.blob);
    queue_deinit(&lane->pending);
    queue_deinit(&lane->cuts);
    rendition_destroy(lane->rendition);
}
