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

static void add_rung(const struct packager *p, size_t index, struct multivariant_sources *to)
{
    const struct packager_rung *plan = rungs_plan(p->rungs, index);
    const struct rendition *r = rungs_rendition(p->rungs, index);
    if (plan->kind == MEDIA_AUDIO)
        to->audio[to->audio_count++] = (struct multivariant_sound){
            .rendition = r, .label = &plan->label, .track = plan->track, .rate_bps = plan->ceiling_bps
        };
    else
        to->video[to->video_count++] = (struct multivariant_video){ .rendition = r,
                                                                    .nominal_90k = rungs_nominal_90k(p->rungs, index),
                                                                    .ceiling_bps = plan->ceiling_bps };
}

/* What is there to be played, without what is hidden or was never published. */
static void collect_sources(const struct packager *p, struct multivariant_sources *out)
{
    *out = (struct multivariant_sources){ .has_captions = p->has_captions,
                                          .iframes = p->video && !p->hides_video ? p->video : NULL };
    if (p->video && p->video->has_published && !p->hides_video)
        out->video[out->video_count++] = (struct multivariant_video){ .rendition = p->video,
                                                                      .nominal_90k = p->nominal_90k };
    for (size_t i = 0; i < p->lane_count; i++) {
        const struct rendition *r = p->lanes[i].rendition;
        const bool is_there = r && r->has_published && p->tracks.audio[i];
        if (is_there && !(p->hidden_audio & 1u << i))
            out->audio[out->audio_count++] = (struct multivariant_sound){
                .rendition = r, .label = &p->tracks.labels[i], .track = (uint8_t)i, .rate_bps = UINT64_MAX
            };
    }
    for (size_t i = 0; i < rungs_count(p->rungs); i++) {
        if (rungs_is_shown(p->rungs, i)) add_rung(p, i, out);
    }
}

void packager_update_multivariant(struct packager *p)
{
    struct multivariant_sources sources;
    if (p->policy.container == CONTAINER_TS || is_audio_awaited(p) || are_rungs_awaited(p)) return;
    collect_sources(p, &sources);
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
                                        .has_captions = p->has_captions,
                                        .decided_msn = decided_msn };
    ts_rendition_update(p->ts, &sources);
}

/* -- rungs -- */

struct rungs_stream packager_rungs_stream(const struct packager *p)
{
    const bool is_led = p->has_era && (p->has_video || p->leader);
    return (struct rungs_stream){ .has_era = p->has_era,
                                  .era = p->era,
                                  .open_msn = p->msn,
                                  .is_muted = p->is_open && p->is_muted,
                                  .lead_90k = is_led ? p->lead_90k : INT64_MIN,
                                  .nominal_90k = p->nominal_90k,
                                  .segmenter = &p->segmenter };
}

void packager_set_rungs(struct packet_sink *sink, const struct packager_rung *rungs, size_t count, unsigned flags)
{
    struct packager *p = (struct packager *)sink;
    rungs_set(p->rungs, rungs, count);
    p->hides_video = flags & PACKAGER_HIDES_VIDEO;
    p->knows_rungs = !(flags & PACKAGER_MORE_RUNGS);
    packager_publish_changes(p);
    packager_update_multivariant(p);
}

void packager_hide_audio(struct packet_sink *sink, uint32_t tracks)
{
    struct packager *p = (struct packager *)sink;
    p->hidden_audio = tracks;
    packager_update_multivariant(p);
}

void packager_set_rung_track(struct packet_sink *sink, size_t rung, struct track *track)
{
    rungs_set_track(((struct packager *)sink)->rungs, rung, track);
}

void packager_push_rung(struct packet_sink *sink, size_t rung, const struct media_packet *packet)
{
    struct packager *p = (struct packager *)sink;
    const struct rungs_stream stream = packager_rungs_stream(p);
    rungs_push(p->rungs, rung, packet, &stream);
    figure_add(&live_edge_figures(p->edge)->window_bytes, packet->payload.bytes);
    packager_publish_changes(p);
}

void packager_set_rung_absent(struct packet_sink *sink, size_t rung)
{
    struct packager *p = (struct packager *)sink;
    const struct rungs_stream stream = packager_rungs_stream(p);
    rungs_set_absent(p->rungs, rung, &stream);
    packager_publish_changes(p);
    packager_update_multivariant(p);
}

void packager_drain_rung(struct packet_sink *sink, size_t rung)
{
    struct packager *p = (struct packager *)sink;
    const struct rungs_stream stream = packager_rungs_stream(p);
    rungs_drained(p->rungs, rung, &stream);
    packager_publish_changes(p);
}
