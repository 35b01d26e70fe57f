#include "stream_sound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/transcode/audio_coder.h>

#define USUAL_BPS 128000 /* of two channels; where nothing is said */

struct output {
    struct stream_sound *sound;
    size_t index;
    uint8_t track; /* of the stream */
    struct audio_rung_config rung;
    struct track_label label;
    struct audio_coder *coder; /* NULL: it could not be made */
};

struct stream_sound {
    char name[STREAM_NAME_BYTES_MAX + 1];
    struct config_audio config;
    struct transcoder *transcoder;
    struct ladder_card *card;
    struct ladder_mail *mail;
    size_t first_rung;
    struct output outputs[AUDIO_TRACKS_MAX];
    size_t count;
    uint32_t hidden;
};

/* -- from the coders' threads -- */

static void on_track(void *context, struct track *track)
{
    const struct output *o = context;
    const struct mail_item item = { .kind = MAIL_TRACK,
                                    .rung = o->sound->first_rung + o->index,
                                    .track = track_ref(track) };
    ladder_mail_give(o->sound->mail, &item);
}

static void on_packet(void *context, const struct media_packet *packet)
{
    const struct output *o = context;
    const struct mail_item item = { .kind = MAIL_PACKET, .rung = o->sound->first_rung + o->index, .packet = *packet };
    blob_ref(packet->payload.blob);
    ladder_mail_give(o->sound->mail, &item);
}

static void give_mark(const struct output *o, enum mail_kind kind)
{
    const struct mail_item item = { .kind = kind, .rung = o->sound->first_rung + o->index };
    ladder_mail_give(o->sound->mail, &item);
}

static void on_absent(void *context)
{
    give_mark(context, MAIL_ABSENT);
}

static void on_drained(void *context)
{
    give_mark(context, MAIL_DRAINED);
}

/* -- which -- */

/* Whether the track is played as it is. */
static bool passes(const struct config_audio *c, enum media_codec codec)
{
    if (!codec_is_carried(codec)) return false;
    switch ((enum audio_mode)c->mode) {
    case AUDIO_AAC: return codec == CODEC_AAC;
    case AUDIO_OPUS: return codec == CODEC_OPUS;
    case AUDIO_UNSAID:
    case AUDIO_PASS: return true;
    case AUDIO_AUTO:
    case AUDIO_RUNGS: break;
    }
    return codec != CODEC_MP3; /* CMAF players know it in transport streams alone */
}

static void add(struct output *wanted, size_t *count, const struct track_set *tracks, uint8_t track,
                const struct audio_rung_config *rung)
{
    if (*count == AUDIO_TRACKS_MAX) return;
    wanted[(*count)++] = (struct output){ .track = track, .rung = *rung, .label = tracks->labels[track] };
}

/* The first track has the operator's rungs; the others are passed, or stand in another codec in their own place. */
static size_t choose(const struct stream_sound *s, const struct track_set *tracks, struct output *wanted,
                     uint32_t *hidden)
{
    const struct config_audio *c = &s->config;
    size_t count = 0;
    bool is_first = c->mode == AUDIO_RUNGS;
    *hidden = 0;
    for (uint8_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (!tracks->audio[i]) continue;
        const enum media_codec codec = track_facts(tracks->audio[i])->codec;
        const bool has_rungs = is_first;
        is_first = false;
        for (size_t k = 0; has_rungs && k < c->rung_count; k++) add(wanted, &count, tracks, i, &c->rungs[k]);
        if (has_rungs ? c->has_source && codec_is_carried(codec) : passes(c, codec)) continue;
        *hidden |= 1u << i;
        if (has_rungs) continue;
        struct audio_rung_config rung = { .codec = c->mode == AUDIO_OPUS ? CODEC_OPUS : CODEC_AAC };
        snprintf(rung.name, sizeof rung.name, "sound-%u", i);
        add(wanted, &count, tracks, i, &rung);
    }
    return count;
}

static bool is_same(const struct output *a, const struct output *b)
{
    const struct audio_rung_config *x = &a->rung, *y = &b->rung;
    return a->track == b->track && !strcmp(x->name, y->name) && x->codec == y->codec && x->channels == y->channels &&
           x->bitrate_bps == y->bitrate_bps && x->sample_rate == y->sample_rate &&
           !strcmp(a->label.language, b->label.language) && !strcmp(a->label.name, b->label.name);
}

/* -- life -- */

struct stream_sound *stream_sound_create(const char *name, const struct config_audio *config,
                                         struct transcoder *transcoder, struct ladder_card *card,
                                         struct ladder_mail *mail, size_t first_rung)
{
    struct stream_sound *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    snprintf(s->name, sizeof s->name, "%s", name);
    s->config = *config;
    s->transcoder = transcoder;
    s->card = card;
    s->mail = mail;
    s->first_rung = first_rung;
    return s;
}

static void end_coders(struct stream_sound *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->outputs[i].coder) continue;
        ladder_card_drop_figures(s->card, audio_coder_figures(s->outputs[i].coder));
        audio_coder_destroy(s->outputs[i].coder);
    }
    s->count = 0;
}

void stream_sound_destroy(struct stream_sound *s)
{
    if (!s) return;
    end_coders(s);
    free(s);
}

static void begin_coder(struct stream_sound *s, size_t index, const struct output *wanted)
{
    struct output *o = &s->outputs[index];
    *o = *wanted;
    o->sound = s;
    o->index = index;
    const struct audio_coder_options options = {
        .name = s->name,
        .rung = o->rung,
        .events = { .context = o, .track = on_track, .packet = on_packet, .absent = on_absent, .drained = on_drained }
    };
    if (audio_coder_create(&o->coder, s->transcoder, &options)) {
        o->coder = NULL;
        log_event(LOG_SERVER, LOG_ERROR, s->name, "audio_rung_failed", "rung=%s reason=\"no memory, or no thread\"",
                  o->rung.name);
        give_mark(o, MAIL_ABSENT);
        return;
    }
    ladder_card_add_figures(s->card, audio_coder_figures(o->coder));
}

bool stream_sound_set_tracks(struct stream_sound *s, const struct track_set *tracks)
{
    struct output wanted[AUDIO_TRACKS_MAX];
    uint32_t hidden;
    memset(wanted, 0, sizeof wanted);
    const size_t count = choose(s, tracks, wanted, &hidden);
    bool is_kept = count == s->count && hidden == s->hidden;
    for (size_t i = 0; is_kept && i < count; i++) is_kept = is_same(&wanted[i], &s->outputs[i]);
    if (!is_kept) {
        end_coders(s);
        s->count = count;
        s->hidden = hidden;
        for (size_t i = 0; i < count; i++) begin_coder(s, i, &wanted[i]);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->outputs[i].coder) audio_coder_set_track(s->outputs[i].coder, tracks->audio[s->outputs[i].track]);
    }
    return !is_kept;
}

void stream_sound_push(struct stream_sound *s, const struct media_packet *packet)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct output *o = &s->outputs[i];
        if (o->coder && o->track == packet->track) audio_coder_push(o->coder, packet);
    }
}

void stream_sound_drain(struct stream_sound *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->outputs[i].coder) audio_coder_drain(s->outputs[i].coder);
    }
}

size_t stream_sound_rungs(const struct stream_sound *s, struct packager_rung out[AUDIO_TRACKS_MAX])
{
    for (size_t i = 0; i < s->count; i++) {
        const struct output *o = &s->outputs[i];
        out[i] = (struct packager_rung){ .kind = MEDIA_AUDIO,
                                         .label = o->label,
                                         .track = o->track,
                                         .ceiling_bps = o->rung.bitrate_bps ? o->rung.bitrate_bps : USUAL_BPS };
        memcpy(out[i].name, s->outputs[i].rung.name, sizeof out[i].name);
    }
    return s->count;
}

uint32_t stream_sound_hidden(const struct stream_sound *s)
{
    return s->hidden;
}
