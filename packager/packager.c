/* The packager as a sink: what the stream says goes to whom it concerns. Eras, beginnings, ends. */
#include "packager_internal.h"

#include <stdlib.h>
#include <string.h>

#define MSN_US 125000 /* numbers per time: no stream makes segments faster for long */

uint64_t packager_first_msn(int64_t wall_us)
{
    return wall_us > EPOCH_WALL_US ? (uint64_t)(wall_us - EPOCH_WALL_US) / MSN_US : 0;
}

int64_t packager_wall_at(const struct packager *p, int64_t at_90k)
{
    return p->era_wall_us + (at_90k - p->era_start_90k) * 100 / 9;
}

static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct packager *p = (struct packager *)sink;
    if (!p->has_era || packet->era != p->era) {
        packager_note_drop(p, 1);
        return;
    }
    if (packet->kind == MEDIA_VIDEO)
        packager_take_video(p, packet);
    else
        packager_take_audio(p, packet);
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
        packager_lead(p);
        packager_close_leader(p, INT64_MAX, -1);
    } else {
        packager_close_video(p, INT64_MAX, -1, false);
    }
    packager_advance_followers(p, true);
    packager_resolve_all_cuts(p);
    /* audio that nobody's cut has closed: the leader had nothing yet, or there was none */
    struct lane *left = first_waiting(p);
    if (left) {
        p->leader = left;
        p->is_open = true;
        p->is_muted = false;
        packager_close_leader(p, INT64_MAX, -1);
        packager_resolve_all_cuts(p);
    }
    for (size_t i = 0; i < p->lane_count; i++) {
        while (queue_count(&p->lanes[i].pending)) packager_take_pending(p, &p->lanes[i], false);
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
    packager_with_track(r, track); /* a new init is there before what needs it */
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
    if (p->has_era && !ts_rendition_add_tag(p->ts, metadata)) packager_note_drop(p, 1);
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

static void on_destroy(struct packet_sink *sink)
{
    struct packager *p = (struct packager *)sink;
    note_era(p);
    for (size_t i = 0; i < p->lane_count; i++) packager_lane_deinit(&p->lanes[i]);
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
                                        .target_duration_s = packager_target_duration_s(p) };
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
    return packager_make_rendition(context, name, media, msn);
}

static void note_rung_drop(void *context, uint64_t frames)
{
    packager_note_drop(context, frames);
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
