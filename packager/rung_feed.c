/* rungs, the other half: packets into the segments whose numbers the stream's cuts give them. */
#include "rungs_internal.h"

#define UNKNOWN_FRAME_90K 3000

static void make_rendition(struct rungs *r, struct rung *g, uint64_t msn)
{
    const enum edge_media media = rung_is_audio(g) ? EDGE_AUDIO_MP4 : EDGE_VIDEO_MP4;
    g->rendition = r->owner.make_rendition(r->owner.context, g->plan.name, media, msn);
    if (!g->rendition) return;
    g->rendition->discontinuity = g->era.discontinuity;
    /* what is there from the era's first segment on carries the era's tag; one that joins later shares the era without it */
    g->rendition->starts_era = msn == g->era.first_msn;
}

static struct rendition *ready_rendition(struct rungs *r, struct rung *g, uint64_t msn)
{
    if (!g->track) return NULL;
    if (!g->rendition) make_rendition(r, g, msn);
    struct rendition *out = g->rendition;
    if (!out || out->track == g->track) return out;
    if (out->track && track_equal(out->track, g->track)) return out;
    /* an encoder that was replaced says its configuration anew: it holds from the next segment on */
    if (rendition_is_open(out)) return NULL;
    return rendition_set_track(out, g->track) ? NULL : out;
}

/* Which segment a packet belongs to. false: none. */
static bool find_segment(const struct rungs *r, const struct rung *g, const struct media_packet *packet,
                         const struct rungs_stream *stream, uint64_t *msn)
{
    const struct event *ahead = rung_next_event(r, g);
    if (!g->has_era || g->era.era != packet->era) return false;
    if (!ahead) {
        *msn = stream->open_msn;
        return stream->has_era && stream->era == packet->era && !stream->is_muted;
    }
    /* in front of the first picture there is nobody to go with */
    if (ahead->kind != EVENT_CUT || ahead->era != packet->era) return false;
    *msn = ahead->cut.msn;
    return !ahead->cut.is_muted;
}

static int64_t wall_at(const struct rung *g, int64_t at_90k)
{
    return g->era.wall_us + (at_90k - g->era.start_90k) * 100 / 9;
}

/* A segment that begins anywhere else than the stream's own is none: to players that switch they are the same. */
static bool begins_segment(const struct rungs *r, const struct rung *g, const struct media_packet *packet)
{
    if (g->segment_90k == INT64_MAX) return false;
    /* a rung that reads ahead of its packets did so before the stream's first picture was known */
    const struct event *e = rung_last_event(r, g);
    return packet->pts_90k == (e && e->kind != EVENT_ERA ? rung_time_of(g, e) : g->segment_90k);
}

static bool feed_video(struct rungs *r, struct rung *g, const struct media_packet *packet,
                       const struct rungs_stream *stream, uint64_t msn)
{
    struct rendition *out = ready_rendition(r, g, msn);
    if (!out || (!rendition_is_open(out) && !begins_segment(r, g, packet))) return false;
    const bool is_idr = packet->access == FRAME_IDR;
    if (is_idr) g->delay_90k = packet->pts_90k - packet->dts_90k;
    const int64_t nominal_90k = packet->nominal_90k ? packet->nominal_90k : UNKNOWN_FRAME_90K;
    /* where pictures are left out, a keyframe may stand nearer than the next one was expected */
    const bool is_picked = packet->nominal_90k > stream->nominal_90k;
    const enum chunker_key key = is_idr && rendition_is_open(out)
                                     ? chunker_at_key(&out->chunker, packet->dts_90k, stream->segmenter->gop_90k)
                                     : CHUNKER_KEY_INSIDE;
    if (key == CHUNKER_KEY_PART) rendition_end_part(out, packet->dts_90k);
    const struct chunker_input input = {
        .sample = { .payload = packet->payload,
                    .dts = packet->dts_90k,
                    .duration = (uint32_t)nominal_90k,
                    .composition_offset = (int32_t)(packet->pts_90k - packet->dts_90k),
                    /* segments are the stream's: where it cuts none, a part that has begun without one has none to be entered at */
                    .is_sync = is_idr && key != CHUNKER_KEY_SEGMENT,
                    .is_independent = is_idr && key != CHUNKER_KEY_SEGMENT },
        .is_duration_known = packet->nominal_90k && !is_picked,
        .plan_ticks = is_idr ? segmenter_first_part_90k(stream->segmenter, packet->nominal_90k) : 0,
    };
    return rendition_push(out, msn, &input, wall_at(g, packet->pts_90k));
}

static bool feed_audio(struct rungs *r, struct rung *g, const struct media_packet *packet, uint64_t msn)
{
    struct rendition *out = ready_rendition(r, g, msn);
    if (!out) return false;
    /* one that comes when its segment was given up */
    if (!rendition_is_open(out) && g->segment_90k != INT64_MAX && packet->pts_90k < g->segment_90k) return false;
    const struct chunker_input input = {
        .sample = { .payload = packet->payload,
                    .dts = packet->pts_samples,
                    .duration = packet->samples,
                    .is_sync = true,
                    .is_independent = true },
        .is_duration_known = true,
    };
    return rendition_push(out, msn, &input, wall_at(g, packet->pts_90k));
}

bool rung_feed(struct rungs *r, struct rung *g, const struct media_packet *packet, const struct rungs_stream *stream)
{
    uint64_t msn;
    if (!find_segment(r, g, packet, stream, &msn)) return false;
    return rung_is_audio(g) ? feed_audio(r, g, packet, msn) : feed_video(r, g, packet, stream, msn);
}

/* -- audio waits for the stream's cuts: it may be in front of them -- */

static void take_pending(struct rungs *r, struct rung *g, const struct rungs_stream *stream)
{
    struct media_packet packet;
    if (!queue_take(&g->pending, &packet)) return;
    if (!stream || !rung_feed(r, g, &packet, stream)) r->owner.note_drop(r->owner.context, 1);
    blob_unref(packet.payload.blob);
}

void rung_drop_pending(struct rungs *r, struct rung *g)
{
    while (queue_count(&g->pending)) take_pending(r, g, NULL);
}

void rung_advance(struct rungs *r, struct rung *g, const struct rungs_stream *stream)
{
    const struct media_packet *head;
    while ((head = queue_peek(&g->pending))) {
        rung_read_up_to(r, g, head);
        const bool is_of_now = g->has_era && stream->has_era && head->era == stream->era;
        if (!rung_next_event(r, g) && is_of_now && head->pts_90k > stream->lead_90k) return;
        take_pending(r, g, stream);
    }
}
