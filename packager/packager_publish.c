/* What players are told: playlists, the multivariant playlist, the transport stream beside them. */
#include "packager_internal.h"

#define RUNGS_PATIENCE_90K (4 * 90000) /* until the multivariant playlist stands without them */

size_t packager_rendition_count(const struct packager *p)
{
    return 1 + p->lane_count + rungs_count(p->rungs);
}

struct rendition *packager_rendition_at(const struct packager *p, size_t index)
{
    if (!index) return p->video;
    if (index <= p->lane_count) return p->lanes[index - 1].rendition;
    return rungs_rendition(p->rungs, index - 1 - p->lane_count);
}

/* Audio that has begun and whose first segment is still to be published is waited for before players are told what there is. */
static bool is_audio_awaited(const struct packager *p)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        const struct lane *lane = &p->lanes[i];
        if (lane->rendition && !lane->rendition->has_published && queue_count(&lane->cuts) > 0) return true;
    }
    return false;
}

/* Rungs as well: a player that has read the playlist does not read it again. */
static bool are_rungs_awaited(const struct packager *p)
{
    if (!p->awaits_rungs || p->lead_90k - p->era_start_90k > RUNGS_PATIENCE_90K) return false;
    bool is_any = false;
    for (size_t i = 0; i < rungs_count(p->rungs); i++) is_any |= rungs_is_awaited(p->rungs, i);
    return is_any || !p->knows_rungs;
}

void packager_update_multivariant(struct packager *p)
{
    struct multivariant_sources sources = { .tracks = &p->tracks };
    if (p->policy.container == CONTAINER_TS || is_audio_awaited(p) || are_rungs_awaited(p)) return;
    if (p->video && !p->hides_video)
        sources.video[sources.video_count++] = (struct multivariant_video){ .rendition = p->video,
                                                                            .nominal_90k = p->nominal_90k };
    for (size_t i = 0; i < rungs_count(p->rungs); i++) {
        if (!rungs_is_shown(p->rungs, i)) continue;
        sources.video[sources.video_count++] = (struct multivariant_video){
            .rendition = rungs_rendition(p->rungs, i),
            .nominal_90k = rungs_nominal_90k(p->rungs, i),
            .ceiling_bps = rungs_ceiling_bps(p->rungs, i),
        };
    }
    for (size_t i = 0; i < p->lane_count; i++) sources.audio[i] = p->lanes[i].rendition;
    multivariant_update(p->multivariant, p->edge, &sources);
}

static size_t collect_reports(const struct packager *p, const struct rendition *self, struct playlist_report *out)
{
    size_t count = 0;
    for (size_t i = 0; i < packager_rendition_count(p); i++) {
        const struct rendition *r = packager_rendition_at(p, i);
        if (r && r != self && r->has_published) out[count++] = rendition_report(r);
    }
    return count;
}

/* Each rendition that has changed, once. Returns how many; *is_new: one of them for the first time. */
static size_t publish_once(struct packager *p, bool *is_new)
{
    size_t published = 0;
    for (size_t i = 0; i < packager_rendition_count(p); i++) {
        struct rendition *r = packager_rendition_at(p, i);
        if (!r || !r->is_changed) continue;
        struct playlist_report reports[RENDITIONS_MAX];
        const size_t count = collect_reports(p, r, reports);
        const bool was_published = r->has_published;
        if (rendition_publish(r, reports, count)) continue; /* no memory: the next one tries again */
        published++;
        *is_new |= r->has_published && !was_published;
    }
    return published;
}

/* A rendition that players are now told of is reported on by all others from the same moment on (RFC 8216bis, B.1): they are
 * published again. */
void packager_publish_changes(struct packager *p)
{
    bool is_new = false;
    if (!publish_once(p, &is_new)) return;
    for (size_t i = 0; is_new && i < packager_rendition_count(p); i++) {
        struct rendition *r = packager_rendition_at(p, i);
        if (r && r->has_published && r->config.terms.part_us) r->is_changed = true;
    }
    if (is_new) publish_once(p, &(bool){ false });
    packager_update_multivariant(p);
    uint64_t held_bytes = 0;
    for (size_t i = 0; i < packager_rendition_count(p); i++)
        held_bytes += rendition_held_bytes(packager_rendition_at(p, i));
    figure_set(&live_edge_figures(p->edge)->window_bytes, held_bytes);
}

/* -- the same as a transport stream -- */

/* Video goes with the first audio track that there is. */
void packager_update_ts(struct packager *p)
{
    const struct lane *lane = NULL;
    uint64_t decided_msn = p->msn - 1;
    for (size_t i = 0; i < p->lane_count && !lane; i++) {
        if (p->lanes[i].rendition || queue_count(&p->lanes[i].cuts)) lane = &p->lanes[i];
    }
    const struct waiting_cut *cut = lane ? queue_peek(&lane->cuts) : NULL;
    if (cut && cut->msn <= decided_msn) decided_msn = cut->msn - 1;
    const struct ts_sources sources = { .video = p->video,
                                        .audio = lane ? lane->rendition : NULL,
                                        .decided_msn = decided_msn };
    ts_rendition_update(p->ts, &sources);
}

/* -- rungs -- */

void packager_set_rungs(struct packet_sink *sink, const struct packager_rung *rungs, size_t count, bool hides_video)
{
    struct packager *p = (struct packager *)sink;
    rungs_set(p->rungs, rungs, count);
    p->hides_video = hides_video;
    p->knows_rungs = true;
    packager_publish_changes(p);
    packager_update_multivariant(p);
}

void packager_set_rung_track(struct packet_sink *sink, size_t rung, struct track *track)
{
    rungs_set_track(((struct packager *)sink)->rungs, rung, track);
}

void packager_push_rung(struct packet_sink *sink, size_t rung, const struct media_packet *packet)
{
    struct packager *p = (struct packager *)sink;
    const struct rungs_stream stream = { .open_msn = p->msn,
                                         .nominal_90k = p->nominal_90k,
                                         .segmenter = &p->segmenter };
    rungs_push(p->rungs, rung, packet, &stream);
    figure_add(&live_edge_figures(p->edge)->window_bytes, packet->payload.bytes);
    packager_publish_changes(p);
}

void packager_set_rung_absent(struct packet_sink *sink, size_t rung)
{
    struct packager *p = (struct packager *)sink;
    rungs_set_absent(p->rungs, rung);
    packager_publish_changes(p);
    packager_update_multivariant(p);
}

void packager_drain_rung(struct packet_sink *sink, size_t rung)
{
    struct packager *p = (struct packager *)sink;
    rungs_drained(p->rungs, rung);
    packager_publish_changes(p);
}
