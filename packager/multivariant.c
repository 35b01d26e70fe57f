#include "multivariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

/* Apple asks that peaks stay within 10 % of BANDWIDTH; encoders drift by more over time, so some air is announced at once. */
#define AIR_PERCENT 120
/* Averages move all the time: told anew when they are off by more. */
#define AVERAGE_OFF_PERCENT 10
/* Many players begin with the variant that is listed first: the best one that most lines carry. */
#define START_BPS 3500000

/* What the playlist was made from; compared to know whether to make it again. */
struct shown_video {
    const struct rendition *rendition; /* compared, not owned */
    struct track *track;
    uint32_t nominal_90k; /* not compared */
    uint64_t bandwidth_bps, average_bps;
};
struct shown_audio {
    const struct rendition *rendition;
    struct track *track;
    struct track_label label;
};
struct shown {
    struct shown_video video[MULTIVARIANT_VIDEOS_MAX];
    struct shown_audio audio[MULTIVARIANT_AUDIOS_MAX];
    size_t video_count, audio_count;
    uint64_t audio_bandwidth_bps, audio_average_bps; /* where there is no video */
    uint64_t iframes_bps;                            /* 0: there is no such playlist */
    bool has_captions;
};

struct multivariant {
    struct shown shown; /* holds references on its tracks: another one must not come to stand where one was */
};

struct multivariant *multivariant_create(void)
{
    return calloc(1, sizeof(struct multivariant));
}

static void ref_tracks(const struct shown *shown)
{
    for (size_t i = 0; i < shown->video_count; i++) track_ref(shown->video[i].track);
    for (size_t i = 0; i < shown->audio_count; i++) track_ref(shown->audio[i].track);
}

static void unref_tracks(const struct shown *shown)
{
    for (size_t i = 0; i < shown->video_count; i++) track_unref(shown->video[i].track);
    for (size_t i = 0; i < shown->audio_count; i++) track_unref(shown->audio[i].track);
}

void multivariant_destroy(struct multivariant *m)
{
    if (!m) return;
    unref_tracks(&m->shown);
    free(m);
}

static uint64_t average(const struct rendition *r)
{
    return rendition_average_bps(r);
}

static uint64_t peak(const struct rendition *r)
{
    const uint64_t average_bps = rendition_average_bps(r);
    return r->peak_bps > average_bps ? r->peak_bps : average_bps;
}

/* The largest of the audio renditions: a player takes one. */
static uint64_t largest_audio(const struct multivariant_sources *s, uint64_t (*read)(const struct rendition *r))
{
    uint64_t largest = 0;
    for (size_t i = 0; i < s->audio_count; i++) {
        const uint64_t bps = read(s->audio[i].rendition);
        if (bps > largest) largest = bps;
    }
    return largest;
}

static uint64_t in_milli(uint64_t num, uint64_t den)
{
    return (num * 1000 + den / 2) / den;
}

/* A clock of 90 kHz rounds 59.94 to 59.96, and so do encoders that were told so, also of a rung that takes one picture in so many. */
static void find_rate(uint32_t nominal_90k, const struct codec_facts *facts, struct multivariant_variant *c)
{
    static const uint32_t known[][3] = { { 3003, 30000, 1001 },
                                         { 1501, 60000, 1001 },
                                         { 1502, 60000, 1001 },
                                         { 3753, 24000, 1001 },
                                         { 3754, 24000, 1001 } };
    c->fps_num = facts->fps_num;
    c->fps_den = facts->fps_den;
    if (!c->fps_num && nominal_90k) c->fps_num = 90000, c->fps_den = nominal_90k;
    if (!c->fps_num) return;
    const uint64_t milli = in_milli(c->fps_num, c->fps_den);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        for (uint32_t picked = 1; picked <= 4; picked++) {
            if (milli != in_milli(90000, (uint64_t)known[i][0] * picked)) continue;
            c->fps_num = known[i][1];
            c->fps_den = known[i][2] * picked;
            return;
        }
    }
}

/* What was announced is only ever raised, by more than is needed now. */
static uint64_t announce(uint64_t announced_bps, uint64_t needed_bps)
{
    return needed_bps > announced_bps ? needed_bps * AIR_PERCENT / 100 : announced_bps;
}

static uint64_t announce_average(uint64_t announced_bps, uint64_t now_bps)
{
    const uint64_t off_bps = announced_bps > now_bps ? announced_bps - now_bps : now_bps - announced_bps;
    return off_bps * 100 > announced_bps * AVERAGE_OFF_PERCENT ? now_bps : announced_bps;
}

static const struct shown_video *shown_before(const struct multivariant *m, const struct rendition *r)
{
    static const struct shown_video never;
    for (size_t i = 0; i < m->shown.video_count; i++) {
        if (m->shown.video[i].rendition == r) return &m->shown.video[i];
    }
    return &never;
}

/* A ceiling that an encoder keeps is said from the start, with the air that containers take. */
static uint64_t needed(const struct multivariant_video *v, uint64_t audio_bps)
{
    const uint64_t peak_bps = peak(v->rendition);
    return (peak_bps > v->ceiling_bps ? peak_bps : v->ceiling_bps) + audio_bps;
}

static const struct iframes *shown_iframes(const struct multivariant_sources *s)
{
    const struct iframes *iframes = s->iframes ? s->iframes->iframes : NULL;
    return iframes && iframes->has_published ? iframes : NULL;
}

static bool is_same_video(const struct shown_video *a, const struct shown_video *b)
{
    return a->rendition == b->rendition && a->track == b->track && a->bandwidth_bps == b->bandwidth_bps &&
           a->average_bps == b->average_bps;
}

static bool is_same_audio(const struct shown_audio *a, const struct shown_audio *b)
{
    return a->rendition == b->rendition && a->track == b->track && !strcmp(a->label.name, b->label.name) &&
           !strcmp(a->label.language, b->label.language);
}

static bool is_same(const struct shown *a, const struct shown *b)
{
    bool is_same = a->video_count == b->video_count && a->audio_count == b->audio_count &&
                   a->audio_bandwidth_bps == b->audio_bandwidth_bps && a->audio_average_bps == b->audio_average_bps &&
                   a->iframes_bps == b->iframes_bps && a->has_captions == b->has_captions;
    for (size_t i = 0; i < a->video_count && is_same; i++) is_same = is_same_video(&a->video[i], &b->video[i]);
    for (size_t i = 0; i < a->audio_count && is_same; i++) is_same = is_same_audio(&a->audio[i], &b->audio[i]);
    return is_same;
}

/* The best that most lines carry, where there is one; then the others, the best first. */
static int compare_videos(const void *left, const void *right)
{
    const struct shown_video *a = left, *b = right;
    return a->bandwidth_bps < b->bandwidth_bps ? 1 : a->bandwidth_bps > b->bandwidth_bps ? -1 : 0;
}

static void order(struct shown *shown)
{
    size_t first = 0;
    qsort(shown->video, shown->video_count, sizeof shown->video[0], compare_videos);
    while (first + 1 < shown->video_count && shown->video[first].bandwidth_bps > START_BPS) first++;
    const struct shown_video start = shown->video[first];
    memmove(shown->video + 1, shown->video, first * sizeof start);
    shown->video[0] = start;
}

static void look(const struct multivariant *m, const struct multivariant_sources *s, struct shown *out)
{
    *out = (struct shown){ .video_count = s->video_count,
                           .audio_count = s->audio_count,
                           .has_captions = s->has_captions,
                           .audio_bandwidth_bps = m->shown.audio_bandwidth_bps,
                           .audio_average_bps = m->shown.audio_average_bps };
    const uint64_t audio_bps = largest_audio(s, peak), audio_average_bps = largest_audio(s, average);
    for (size_t i = 0; i < s->video_count; i++) {
        const struct rendition *r = s->video[i].rendition;
        const struct shown_video *before = shown_before(m, r);
        out->video[i] = (struct shown_video){
            .rendition = r,
            .track = r->track,
            .nominal_90k = s->video[i].nominal_90k,
            .bandwidth_bps = announce(before->bandwidth_bps, needed(&s->video[i], audio_bps)),
            .average_bps = announce_average(before->average_bps, average(r) + audio_average_bps),
        };
    }
    for (size_t i = 0; i < s->audio_count; i++) {
        const struct rendition *r = s->audio[i].rendition;
        out->audio[i] = (struct shown_audio){ .rendition = r, .track = r->track, .label = *s->audio[i].label };
    }
    if (s->video_count > 1) order(out);
    if (!s->video_count) {
        out->audio_bandwidth_bps = announce(out->audio_bandwidth_bps, audio_bps);
        out->audio_average_bps = announce_average(out->audio_average_bps, audio_average_bps);
    }
    const struct iframes *iframes = shown_iframes(s);
    out->iframes_bps = announce(m->shown.iframes_bps, iframes ? iframes->peak_bps : 0);
}

struct uris {
    char text[MULTIVARIANT_VIDEOS_MAX][EDGE_RENDITION_NAME_BYTES + 16];
};

/* Captions are kept by what is passed through, and written by encoders of these codecs. */
static bool can_carry_captions(const struct track *track)
{
    const enum media_codec codec = track_facts(track)->codec;
    return codec == CODEC_H264 || codec == CODEC_HEVC;
}

static void fill_videos(struct multivariant_config *c, const struct shown *shown, struct uris *uris)
{
    c->variant_count = shown->video_count ? shown->video_count : 1;
    c->variants[0] = (struct multivariant_variant){ .bandwidth_bps = shown->audio_bandwidth_bps,
                                                    .average_bandwidth_bps = shown->audio_average_bps };
    for (size_t i = 0; i < shown->video_count; i++) {
        const struct shown_video *v = &shown->video[i];
        snprintf(uris->text[i], sizeof uris->text[i], "%s/index.m3u8", v->rendition->config.name);
        c->variants[i] = (struct multivariant_variant){ .uri = uris->text[i],
                                                        .video = track_facts(v->track),
                                                        .has_captions = shown->has_captions &&
                                                                        can_carry_captions(v->track),
                                                        .bandwidth_bps = v->bandwidth_bps,
                                                        .average_bandwidth_bps = v->average_bps };
        find_rate(v->nominal_90k, c->variants[i].video, &c->variants[i]);
    }
}

void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct multivariant_sources *s)
{
    struct shown shown;
    look(m, s, &shown);
    if ((!shown.video_count && !shown.audio_count) || is_same(&m->shown, &shown)) return;
    struct multivariant_config c = { .variant_count = 0 };
    struct uris uris;
    fill_videos(&c, &shown, &uris);
    for (size_t i = 0; i < s->audio_count; i++) {
        struct multivariant_audio *a = &c.audio[c.audio_count++];
        *a = (struct multivariant_audio){ .facts = track_facts(s->audio[i].rendition->track),
                                          .label = s->audio[i].label,
                                          .track = s->audio[i].track,
                                          .rate_bps = s->audio[i].rate_bps,
                                          .measured = { peak(s->audio[i].rendition), average(s->audio[i].rendition) } };
        snprintf(a->uri, sizeof a->uri, "%s/index.m3u8", s->audio[i].rendition->config.name);
    }
    const struct iframes *iframes = shown_iframes(s);
    if (iframes && shown.iframes_bps) {
        c.iframes_uri = IFRAMES_RENDITION "/index.m3u8";
        c.iframes = track_facts(s->iframes->track);
        c.iframes_bps = shown.iframes_bps;
        c.iframes_average_bps = iframes_average_bps(iframes);
    }
    struct frozen *text = multivariant_render(&c);
    if (!text) return;
    ref_tracks(&shown);
    unref_tracks(&m->shown);
    m->shown = shown;
    live_edge_publish_multivariant(edge, text);
}
