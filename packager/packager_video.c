/* The stream's video: where it begins, where its segments and parts are cut. */
#include "packager_internal.h"

#define UNKNOWN_FRAME_90K 3000 /* until the next one tells */
#define ROUNDING_90K 180

int64_t packager_cut_90k(const struct packet_sink *sink)
{
    return ((const struct packager *)sink)->cut_90k;
}

/* The era's first keyframe, or the first after video was missing. */
static void begin_video(struct packager *p, const struct media_packet *packet)
{
    const bool was_led = p->leader != NULL;
    if (was_led) packager_close_leader(p, packet->pts_90k, -1);
    /* audio from before the first picture has nobody to go with */
    for (size_t i = 0; !was_led && i < p->lane_count; i++) {
        const struct media_packet *head;
        while ((head = queue_peek(&p->lanes[i].pending)) && head->pts_90k < packet->pts_90k)
            packager_take_pending(p, &p->lanes[i], false);
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
        if (p->segmenter.epoch || packager_numbers_left(p) < MSN_AHEAD_MAX / 2) break;
        segmenter_cut_early(&p->segmenter, packet->dts_90k, packet->pts_90k, packet->payload.bytes);
        return CUT_KEY;
    }
    return CUT_NONE;
}

/* start_90k: when its segment begins to be shown, where it is the first. */
static bool push_video(struct packager *p, const struct media_packet *packet, int64_t start_90k)
{
    struct rendition *r = p->is_muted ? NULL : packager_ready_video(p);
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

void packager_take_video(struct packager *p, const struct media_packet *packet)
{
    int64_t start_90k = packet->pts_90k;
    p->cut_90k = PACKAGER_NO_CUT;
    packager_hear_time(p, packet);
    if (!p->has_video) {
        if (packet->access == FRAME_INTER || !packager_may_begin(p, packet->pts_90k)) {
            packager_note_drop(p, 1);
            return;
        }
        begin_video(p, packet);
        packager_name_run(p, packet);
        p->cut_90k = packet->pts_90k;
    }
    if (packet->pts_90k < p->begin_90k) {
        packager_note_drop(p, 1);
        return;
    }
    enum cut cut = segmenter_decide(&p->segmenter, packet->dts_90k, packet->pts_90k, packet->nominal_90k,
                                    packet->access, packet->payload.bytes);
    if (cut == CUT_NONE) cut = meet_key(p, packet);
    if (cut != CUT_NONE) {
        start_90k = start_of(p, packet);
        const int64_t at_90k = cut_of(start_90k, packet), end_90k = packager_end_90k(p, at_90k);
        p->cut_90k = pictures_from(p, packet);
        packager_close_video(p, end_90k, packet->dts_90k - (at_90k - end_90k), cut == CUT_FORCED);
    }
    rungs_note_picture(p->rungs, packet->pts_90k);
    packager_reach_number(p, start_90k);
    packager_open_segment(p);
    if (!push_video(p, packet, start_90k)) packager_note_drop(p, 1);
    /* the next frame is not expected before this one ends, and no cut is earlier */
    p->lead_90k = packet->dts_90k + (packet->nominal_90k ? packet->nominal_90k - 1 : 0);
    p->nominal_90k = packet->nominal_90k;
    p->has_captions |= packet->has_captions;
    p->last_dts_90k = packet->dts_90k;
    if (packet->pts_90k > p->shown_90k) p->shown_90k = packet->pts_90k;
    if (packet->pts_90k > p->reached_90k) p->reached_90k = packet->pts_90k;
    if (p->lead_90k > p->reached_90k) p->reached_90k = p->lead_90k;
    packager_advance_followers(p, false);
}
