#include "stream_ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/packager/packager.h>

#include "ladder_board.h"
#include "ladder_mail.h"

_Static_assert(RUNG_NAME_BYTES == EDGE_RENDITION_NAME_BYTES, "a rung's name is its rendition's");

struct stream_ladder {
    struct packet_sink sink; /* first */
    struct packet_sink *packager;
    struct transcoder *transcoder;
    struct ladder_board *board;
    struct ladder_options options; /* name and backend point below */
    char name[STREAM_NAME_BYTES_MAX + 1], backend[RUNG_WORD_BYTES];
    struct ladder *ladder; /* NULL: no video yet, or it could not be made */
    struct ladder_card *card;
    struct ladder_mail *mail;
    bool has_failed;
    uint32_t era;
    /* the plan as the packager knows it */
    struct packager_rung rungs[LADDER_RUNGS_MAX];
    size_t at[LADDER_RUNGS_MAX]; /* by the plan's index: the packager's, or RUNG_HIDDEN */
    bool is_absent[LADDER_RUNGS_MAX];
    size_t rung_count;
    bool has_passthrough, is_video_hidden;
    /* of the ladder's events, which come one at a time */
    bool was_absent[LADDER_RUNGS_MAX];
};
#define RUNG_HIDDEN SIZE_MAX

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

static bool is_any_encoded(const struct stream_ladder *s)
{
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        if (s->at[i] != RUNG_HIDDEN && !s->is_absent[i]) return true;
    }
    return false;
}

/* Where no rung is the source, players are not shown it, unless there is nothing else. */
static void tell_rungs(struct stream_ladder *s, bool is_new)
{
    const bool hides = !s->has_passthrough && is_any_encoded(s);
    if (!is_new && hides == s->is_video_hidden) return;
    s->is_video_hidden = hides;
    packager_set_rungs(s->packager, s->rungs, s->rung_count, hides);
    if (is_new) return;
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) {
        if (s->at[i] != RUNG_HIDDEN && s->is_absent[i]) packager_set_rung_absent(s->packager, s->at[i]);
    }
}

static void forget_plan(struct stream_ladder *s)
{
    s->rung_count = 0;
    s->has_passthrough = true;
    for (size_t i = 0; i < LADDER_RUNGS_MAX; i++) s->at[i] = RUNG_HIDDEN;
    memset(s->is_absent, 0, sizeof s->is_absent);
}

static void use_plan(struct stream_ladder *s, const struct ladder_plan *plan)
{
    forget_plan(s);
    s->has_passthrough = plan->has_passthrough;
    for (size_t i = 0; i < plan->rung_count; i++) {
        const struct rung_plan *r = &plan->rungs[i];
        if (r->kind != RUNG_ENCODED) continue;
        struct packager_rung *to = &s->rungs[s->rung_count];
        *to = (struct packager_rung){ .ceiling_bps = r->max_rate_bps };
        memcpy(to->name, r->name, sizeof to->name);
        s->at[i] = s->rung_count++;
    }
    tell_rungs(s, true);
}

static void open_mail(struct stream_ladder *s, const struct mail_item *item)
{
    const size_t at = item->kind == MAIL_PLAN ? 0 : s->at[item->rung];
    if (at == RUNG_HIDDEN) return;
    switch (item->kind) {
    case MAIL_PLAN: use_plan(s, item->plan); break;
    case MAIL_TRACK: packager_set_rung_track(s->packager, at, item->track); break;
    case MAIL_PACKET:
        if (s->is_absent[item->rung]) {
            s->is_absent[item->rung] = false;
            tell_rungs(s, false);
        }
        packager_push_rung(s->packager, at, &item->packet);
        break;
    case MAIL_ABSENT:
        s->is_absent[item->rung] = true;
        packager_set_rung_absent(s->packager, at);
        tell_rungs(s, false);
        break;
    case MAIL_DRAINED: packager_drain_rung(s->packager, at); break;
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
    s->has_failed = true;
    log_event(LOG_SERVER, LOG_ERROR, s->name, "ladder_failed",
              "reason=\"no memory, or no thread\" action=\"passed through\"");
    packager_set_rungs(s->packager, NULL, 0, false);
}

static void make_ladder(struct stream_ladder *s)
{
    if (s->ladder || s->has_failed) return;
    if (ladder_create(&s->ladder, s->transcoder, &s->options)) {
        fail(s);
        return;
    }
    s->card = ladder_board_put(s->board, s->name, ladder_figures(s->ladder));
    if (s->card) return;
    ladder_destroy(s->ladder);
    s->ladder = NULL;
    fail(s);
}

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    s->packager->tracks(s->packager, tracks);
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
    s->packager->push(s->packager, packet);
    if (packet->kind != MEDIA_VIDEO || !s->ladder || packet->era != s->era) return;
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
    if (s->ladder) ladder_drain(s->ladder);
}

static void end_ladder(struct stream_ladder *s)
{
    if (s->card) ladder_board_take_off(s->card);
    ladder_destroy(s->ladder);
    ladder_card_destroy(s->card);
    s->ladder = NULL;
    s->card = NULL;
    s->has_failed = true; /* it is over: no other one is made */
}

static void on_end(struct packet_sink *sink)
{
    struct stream_ladder *s = (struct stream_ladder *)sink;
    end_ladder(s);
    deliver(s);
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

struct packet_sink *stream_ladder_create(const char *name, struct packet_sink *packager,
                                         const struct config_ladder *config, struct transcoder *transcoder,
                                         struct ladder_board *board)
{
    struct stream_ladder *s = calloc(1, sizeof *s);
    if (s) s->mail = ladder_mail_create(deliver, s);
    if (!s || !s->mail) {
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
    s->transcoder = transcoder;
    s->board = board;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->backend, sizeof s->backend, "%s", config->backend);
    s->options = (struct ladder_options){ .name = s->name,
                                          .config = config->wish,
                                          .backend = s->backend,
                                          .requires_gpu = config->requires_gpu,
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
