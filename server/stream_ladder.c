#include "stream_ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/packager/packager.h>

#include "ladder_board.h"
#include "ladder_mail.h"
#include "stream_sound.h"

_Static_assert(RUNG_NAME_BYTES == EDGE_RENDITION_NAME_BYTES, "a rung's name is its rendition's");

struct stream_ladder {
    struct packet_sink sink; /* first */
    struct packet_sink *packager;
    struct transcoder *transcoder;
    struct ladder_options options; /* name and backend point below */
    char name[STREAM_NAME_BYTES_MAX + 1], backend[RUNG_WORD_BYTES];
    struct ladder *ladder; /* NULL: no video yet, or it could not be made */
    struct stream_sound *sound;
    struct ladder_card *card;
    struct ladder_mail *mail;
    bool makes_pictures; /* false: sound alone is made, or the ladder is over */
    bool has_video;      /* the stream carries some now */
    uint32_t uncarried;  /* bit n: audio track n is nothing that the packager could show */
    uint32_t era;
    /* the plan as the packager knows it: pictures, and behind them sound */
    struct packager_rung rungs[PACKAGER_RUNGS_MAX];
    size_t at[LADDER_RUNGS_MAX];        /* by the plan's index: the packager's, or RUNG_HIDDEN */
    bool is_absent[PACKAGER_RUNGS_MAX]; /* by the index of mail */
    size_t picture_count, sound_count;
    bool has_plan, has_passthrough, is_video_hidden;
    /* of the ladder's events, which come one at a time */
    bool was_absent[LADDER_RUNGS_MAX];
};
#define RUNG_HIDDEN SIZE_MAX
#define SOUND_RUNGS LADDER_RUNGS_MAX /* mail of sound has its indices from here on */

_Static_assert(LADDER_NO_CUT == PACKAGER_NO_CUT, "what one says the other hears");

/* -- events, from the ladder's threads -- */

static void give(struct stream_ladder *s, const struct mail_item *item)
{
    if (!ladder_mail_give(s->mail, item) && item->kind == MAIL_PACKET)
        transcode_count(ladder_figures(s->ladder), FIGURE_OUTPUT_DROPPED, 1);
}

static void on_planned(void *context, const struct ladder_plan *plan)
{
    struct stream_ladder *s = context;
    struct ladder_plan *copy = malloc(sizeof *copy);
    memset(s->was_absent, 0, sizeof s->was_absent);
    ladder_card_set_plan(s->card, plan);
    if (!copy) return; /* no memory: what comes of it is dropped by the packager, and counted */
    *copy = *plan;
    const struct mail_item item = { .kind = MAIL_PLAN, .plan = copy };
    give(s, &item);
}

static void on_encoder(void *context, size_t rung, const char *backend, enum preset_speed speed)
{
    struct stream_ladder *s = context;
    ladder_card_set_encoder(s->card, rung, backend, preset_speed_name(speed));
}

static void on_track(void *context, size_t rung, struct track *track)
{
    const struct mail_item item = { .kind = MAIL_TRACK, .rung = rung, .track = track_ref(track) };
    give(context, &item);
}

static void set_absent(struct stream_ladder *s, size_t rung, bool is_absent)
{
    if (s->was_absent[rung] == is_absent) return;
    s->was_absent[rung] = is_absent;
    ladder_card_set_absent(s->card, rung, is_absent);
}

static void on_packet(void *context, size_t rung, const struct media_packet *packet)
{
    struct stream_ladder *s = context;
    const struct mail_item item = { .kind = MAIL_PACKET, .rung = rung, .packet = *packet };
    set_absent(s, rung, false);
    blob_ref(packet->payload.blob);
    give(s, &item);
}

static void on_absent(void *context, size_t rung)
{
    const struct mail_item item = { .kind = MAIL_ABSENT, .rung = rung };
    set_absent(context, rung, true);
    give(context, &item);
}

static void on_drained(void *context, size_t rung)
{
    const struct mail_item item = { .kind = MAIL_DRAINED, .rung = rung };
    give(context, &item);
}

/* -- mail, on the stream's thread -- */

static void deliver(void *context);

static bool is_any_encoded(const struct stream_ladder *s)
{
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        if (s->at[i] != RUNG_HIDDEN && !s->is_absent[i]) return true;
    }
    return false;
}

/* The packager's index for one of mail's. */
static size_t place_of(const struct stream_ladder *s, size_t rung)
{
    if (rung < SOUND_RUNGS) return s->at[rung];
    return rung - SOUND_RUNGS < s->sound_count ? s->picture_count + rung - SOUND_RUNGS : RUNG_HIDDEN;
}

/* Tracks that rungs stand for are not shown, unless a rung is missing. */
static void tell_hidden_sound(struct stream_ladder *s)
{
    uint32_t hidden = stream_sound_hidden(s->sound);
    for (size_t i = 0; i < s->sound_count; i++) {
        if (s->is_absent[SOUND_RUNGS + i]) hidden = 0;
    }
    packager_hide_audio(s->packager, hidden);
}

/* Where no rung is the source, players are not shown it, unless there is nothing else. Sound may be made before the plan is known: it has its
 * place at once, and the packager is told that pictures follow. */
static void tell_rungs(struct stream_ladder *s, bool is_new)
{
    const bool hides = !s->has_passthrough && is_any_encoded(s);
    const bool awaits_plan = s->makes_pictures && s->has_video && !s->has_plan;
    if (!is_new && hides == s->is_video_hidden) return;
    s->is_video_hidden = hides;
    s->sound_count = stream_sound_rungs(s->sound, s->rungs + s->picture_count);
    packager_set_rungs(s->packager, s->rungs, s->picture_count + s->sound_count,
                       (hides ? PACKAGER_HIDES_VIDEO : 0) | (awaits_plan ? PACKAGER_MORE_RUNGS : 0));
    for (size_t i = 0; i < PACKAGER_RUNGS_MAX; i++) {
        const size_t place = place_of(s, i);
        if (place != RUNG_HIDDEN && s->is_absent[i]) packager_set_rung_absent(s->packager, place);
    }
    tell_hidden_sound(s);
}

static void forget_plan(struct stream_ladder *s)
{
    s->picture_count = 0;
    s->has_passthrough = true;
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        s->at[i] = RUNG_HIDDEN;
        s->is_absent[i] = false;
    }
}

static void use_plan(struct stream_ladder *s, const struct ladder_plan *plan)
{
    forget_plan(s);
    s->has_plan = true;
    s->has_passthrough = plan->has_passthrough;
    for (size_t i = 0; i < plan->rung_count; i++) {
        const struct rung_plan *r = &plan->rungs[i];
        if (r->kind != RUNG_ENCODED) continue;
        struct packager_rung *to = &s->rungs[s->picture_count];
        *to = (struct packager_rung){ .kind = MEDIA_VIDEO, .ceiling_bps = r->max_rate_bps };
        memcpy(to->name, r->name, sizeof to->name);
        s->at[i] = s->picture_count++;
    }
    tell_rungs(s, true);
}

static void note_absent(struct stream_ladder *s, size_t rung, bool is_absent)
{
    if (s->is_absent[rung] == is_absent) return;
    s->is_absent[rung] = is_absent;
    if (rung < SOUND_RUNGS)
        tell_rungs(s, false);
    else
        tell_hidden_sound(s);
}

static void open_mail(struct stream_ladder *s, const struct mail_item *item)
{
    const size_t place = item->kind == MAIL_PLAN ? 0 : place_of(s, item->rung);
    if (place == RUNG_HIDDEN) return;
    switch (item->kind) {
    case MAIL_PLAN: use_plan(s, item->plan); break;
    case MAIL_TRACK: packager_set_rung_track(s->packager, place, item->track); break;
    case MAIL_PACKET:
        note_absent(s, item->rung, false);
        packager_push_rung(s->packager, place, &item->packet);
        break;
    case MAIL_ABSENT:
        packager_set_rung_absent(s->packager, place);
        note_absent(s, item->rung, true);
        break;
    case MAIL_DRAINED: packager_drain_rung(s->packager, place); break;
    }
}

static void deliver(void *context)
{
    struct stream_ladder *s = context;
    struct mail_item item;
    while (ladder_mail_take(s->mail, &item)) {
        open_mail(s, &item);
        mail_item_deinit(&item);
    }
}

/* -- the sink -- */

static void fail(struct stream_ladder *s)
{
    log_event(LOG_SERVER, LOG_ERROR, s->name, "ladder_failed",
              "reason=\"no memory, or no thread\" action=\"passed through\"");
    s->makes_pictures = false;
    forget_plan(s);
    tell_rungs(s, true);
}

static void make_ladder(struct stream_ladder *s)
{
    if (s->ladder || !s->makes_pictures) return;
    if (ladder_create(&s->ladder, s->transcoder, &s->options))
        fail(s);
    else
        ladder_card_add_figures(s->card, ladder_figures(s->ladder));
}

static void take_sound(struct stream_ladder *s, const struct track_set *tracks)
{
    if (!stream_sound_set_tracks(s->sound, tracks)) return;
    deliver(s); /* what is still there of the coders before, to the rungs before */
    for (size_t i = SOUND_RUNGS; i < PACKAGER_RUNGS_MAX; i++) s->is_absent[i] = false;
    tell_rungs(s, true);
}

/* The packager is told of what HLS carries; of the rest only the coders are. */
static void tell_tracks(struct stream_ladder *s, const struct track_set *tracks)
{
    struct track_set carried = *tracks; /* lent as they are */
    s->uncarried = 0;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (!carried.audio[i] || codec_is_carried(track_facts(carried.audio[i])->codec)) continue;
        carried.audio[i] = NULL;
        s->uncarried |= 1u << i;
    }
    s->packager->tracks(s->packager, &carried);
}

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    tell_tracks(s, tracks);
    s->has_video = tracks->video != NULL;
    take_sound(s, tracks);
    if (!tracks->video) return;
    make_ladder(s);
    if (s->ladder && ladder_set_track(s->ladder, tracks->video)) fail(s);
}

static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    s->era = era;
    s->packager->era(s->packager, era, start_90k, wall_us);
}

static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    const bool is_carried = packet->kind == MEDIA_VIDEO || !(s->uncarried >> packet->track & 1);
    if (is_carried) s->packager->push(s->packager, packet);
    if (packet->era != s->era) return;
    if (packet->kind == MEDIA_AUDIO)
        stream_sound_push(s->sound, packet);
    else if (s->ladder)
        ladder_push(s->ladder, packet, packager_cut_90k(s->packager));
}

static void on_metadata(struct packet_sink *sink, const struct media_metadata *metadata)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    if (s->packager->metadata) s->packager->metadata(s->packager, metadata);
}

static void on_moved(struct packet_sink *sink, struct loop *loop)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    ladder_mail_set_loop(s->mail, loop);
}

static void on_tick(struct packet_sink *sink, int64_t now_us)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    if (s->ladder) ladder_tick(s->ladder, now_us);
    deliver(s); /* also what no message could be posted for */
    s->packager->tick(s->packager, now_us);
}

static void on_lost(struct packet_sink *sink)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    deliver(s);
    s->packager->lost(s->packager);
    stream_sound_drain(s->sound);
    if (s->ladder) ladder_drain(s->ladder);
}

static void end_ladder(struct stream_ladder *s)
{
    if (s->card) ladder_board_take_off(s->card);
    stream_sound_destroy(s->sound);
    ladder_destroy(s->ladder);
    ladder_card_destroy(s->card);
    s->ladder = NULL;
    s->sound = NULL;
    s->card = NULL;
    s->makes_pictures = false;
}

static void on_end(struct packet_sink *sink)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    deliver(s);
    end_ladder(s);
    s->packager->end(s->packager);
}

static void on_destroy(struct packet_sink *sink)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    end_ladder(s);
    ladder_mail_close(s->mail);
    s->packager->destroy(s->packager);
    free(s);
}

static bool make_parts(struct stream_ladder *s, const char *name, const struct config_path *path,
                       struct ladder_board *board)
{
    struct config_audio audio = path->audio;
    audio.mode = (int64_t)config_audio_mode(path);
    s->mail = ladder_mail_create(deliver, s);
    s->card = ladder_board_put(board, name);
    if (!s->mail || !s->card) return false;
    s->sound = stream_sound_create(name, &audio, s->transcoder, s->card, s->mail, SOUND_RUNGS);
    return s->sound != NULL;
}

struct packet_sink *stream_ladder_create(const char *name, struct packet_sink *packager, const struct config_path *path,
                                         struct transcoder *transcoder, struct ladder_board *board)
{
    const struct config_ladder *config = &path->ladder;
    struct stream_ladder *s = calloc(1, sizeof *s);
    if (s) s->transcoder = transcoder;
    if (!s || !make_parts(s, name, path, board)) {
        if (s) end_ladder(s);
        if (s) ladder_mail_close(s->mail);
        free(s);
        packager->destroy(packager);
        return NULL;
    }
    s->sink = (struct packet_sink){ .tracks = on_tracks,
                                    .era = on_era,
                                    .push = on_push,
                                    .metadata = on_metadata,
                                    .moved = on_moved,
                                    .tick = on_tick,
                                    .lost = on_lost,
                                    .end = on_end,
                                    .destroy = on_destroy };
    s->packager = packager;
    s->makes_pictures = config->is_on;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->backend, sizeof s->backend, "%s", config->backend);
    s->options = (struct ladder_options){ .name = s->name,
                                          .config = config->wish,
                                          .backend = s->backend,
                                          .requires_gpu = config->requires_gpu,
                                          .kept_us = path->hls.window_us,
                                          .events = { .context = s,
                                                      .planned = on_planned,
                                                      .encoder = on_encoder,
                                                      .track = on_track,
                                                      .packet = on_packet,
                                                      .absent = on_absent,
                                                      .drained = on_drained } };
    s->options.config.latency = (enum ladder_latency)config->latency;
    forget_plan(s);
    return &s->sink;
}
