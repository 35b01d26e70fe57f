#include "multivariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

/* Apple asks that peaks stay within 10 % of BANDWIDTH; encoders drift by more over time, so some air is announced at once. */
#define AIR_PERCENT 120

/* What the playlist was made from; compared to know whether to make it again. */
struct shown_video {
    const struct rendition *rendition; /* compared, not owned */
    struct track *track;               /* the same */
    uint64_t bandwidth_bps;
};
struct shown {
    struct shown_video video[MULTIVARIANT_VIDEOS_MAX];
    size_t video_count;
    bool has_audio[AUDIO_TRACKS_MAX];
    uint64_t audio_bandwidth_bps; /* where there is no video */
    uint64_t iframes_bps;         /* 0: there is no such playlist */
};

struct multivariant {
    struct shown shown;
    struct track_set tracks; /* as announced */
};

struct multivariant *multivariant_create(void)
{
    return calloc(1, sizeof(struct multivariant));
}

void multivariant_destroy(struct multivariant *m)
{
    if (!m) return;
    track_set_deinit(&m->tracks);
    free(m);
}

static uint64_t average(const struct rendition *r)
{
    return r ? rendition_average_bps(r) : 0;
}

static uint64_t peak(const struct rendition *r)
{
    if (!r) return 0;
    const uint64_t average_bps = rendition_average_bps(r);
    return r->peak_bps > average_bps ? r->peak_bps : average_bps;
}

/* The largest of the audio renditions: a player takes one. */
static uint64_t largest_audio(const struct multivariant_sources *s, uint64_t (*read)(const struct rendition *r))
{
    uint64_t largest = 0;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        const uint64_t bps = read(s->audio[i]);
        if (bps > largest) largest = bps;
    }
    return largest;
}

static void find_rate(uint32_t nominal_90k, const struct codec_facts *facts, struct multivariant_variant *c)
{
    /* 90000 / 3003 is 30000/1001 */
    static const uint32_t known[][3] = { { 3003, 30000, 1001 },
                                         { 1501, 60000, 1001 },
                                         { 1502, 60000, 1001 },
                                         { 3753, 24000, 1001 },
                                         { 3754, 24000, 1001 } };
    c->fps_num = facts->fps_num;
    c->fps_den = facts->fps_den;
    if (c->fps_num || !nominal_90k) return;
    c->fps_num = 90000;
    c->fps_den = nominal_90k;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i][0] == nominal_90k) c->fps_num = known[i][1], c->fps_den = known[i][2];
    }
}

/* Leaves only what can be played. */
static struct multivariant_sources playable(const struct multivariant_sources *s)
{
    struct multivariant_sources out = *s;
    out.video_count = 0;
    for (size_t i = 0; i < s->video_count; i++) {
        if (s->video[i].rendition->has_published) out.video[out.video_count++] = s->video[i];
    }
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (out.audio[i] && (!out.audio[i]->has_published || !s->tracks->audio[i])) out.audio[i] = NULL;
    }
    return out;
}

/* What was announced is only ever raised, by more than is needed now. */
static uint64_t announce(uint64_t announced_bps, uint64_t needed_bps)
{
    return needed_bps > announced_bps ? needed_bps * AIR_PERCENT / 100 : announced_bps;
}

static uint64_t announced_before(const struct multivariant *m, const struct rendition *r)
{
    for (size_t i = 0; i < m->shown.video_count; i++) {
        if (m->shown.video[i].rendition == r) return m->shown.video[i].bandwidth_bps;
    }
    return 0;
}

/* A ceiling that an encoder keeps is said from the start, with the air that containers take. */
static uint64_t needed(const struct multivariant_video *v, uint64_t audio_bps)
{
    const uint64_t peak_bps = peak(v->rendition);
    return (peak_bps > v->ceiling_bps ? peak_bps : v->ceiling_bps) + audio_bps;
}

static const struct iframes *shown_iframes(const struct multivariant_sources *s)
{
    const struct iframes *iframes = s->video_count ? s->video[0].rendition->iframes : NULL;
    return iframes && iframes->has_published ? iframes : NULL;
}

static struct shown look(const struct multivariant *m, const struct multivariant_sources *s)
{
    struct shown shown;
    memset(&shown, 0, sizeof shown); /* it is compared as bytes */
    const uint64_t audio_bps = largest_audio(s, peak);
    shown.audio_bandwidth_bps = m->shown.audio_bandwidth_bps;
    shown.video_count = s->video_count;
    for (size_t i = 0; i < s->video_count; i++) {
        const struct rendition *r = s->video[i].rendition;
        shown.video[i] = (struct shown_video){ .rendition = r,
                                               .track = r->track,
                                               .bandwidth_bps = announce(announced_before(m, r),
                                                                         needed(&s->video[i], audio_bps)) };
    }
    if (!s->video_count) shown.audio_bandwidth_bps = announce(shown.audio_bandwidth_bps, audio_bps);
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) shown.has_audio[i] = s->audio[i] != NULL;
    const struct iframes *iframes = shown_iframes(s);
    shown.iframes_bps = announce(m->shown.iframes_bps, iframes ? iframes->peak_bps : 0);
    return shown;
}

static bool has_any(const struct shown *shown)
{
    bool is_any = shown->video_count > 0;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) is_any |= shown->has_audio[i];
    return is_any;
}

static bool is_same(const struct multivariant *m, const struct shown *shown, const struct track_set *tracks)
{
    return !memcmp(&m->shown, shown, sizeof *shown) && m->tracks.video == tracks->video &&
           !memcmp(m->tracks.audio, tracks->audio, sizeof tracks->audio) &&
           !memcmp(m->tracks.labels, tracks->labels, sizeof tracks->labels);
}

struct uris {
    char text[MULTIVARIANT_VIDEOS_MAX][EDGE_RENDITION_NAME_BYTES + 16];
};

static void fill_videos(struct multivariant_config *c, const struct multivariant_sources *s, const struct shown *shown,
                        struct uris *uris)
{
    const uint64_t audio_bps = largest_audio(s, average);
    c->variant_count = s->video_count ? s->video_count : 1;
    c->variants[0] = (struct multivariant_variant){ .bandwidth_bps = shown->audio_bandwidth_bps,
                                                    .average_bandwidth_bps = audio_bps };
    for (size_t i = 0; i < s->video_count; i++) {
        const struct rendition *r = s->video[i].rendition;
        snprintf(uris->text[i], sizeof uris->text[i], "%s/index.m3u8", r->config.name);
        c->variants[i] = (struct multivariant_variant){ .uri = uris->text[i],
                                                        .video = track_facts(r->track),
                                                        .bandwidth_bps = shown->video[i].bandwidth_bps,
                                                        .average_bandwidth_bps = average(r) + audio_bps };
        find_rate(s->video[i].nominal_90k, c->variants[i].video, &c->variants[i]);
    }
}

void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct multivariant_sources *sources)
{
    const struct multivariant_sources s = playable(sources);
    const struct shown shown = look(m, &s);
    if (!has_any(&shown) || is_same(m, &shown, s.tracks)) return;
    struct multivariant_config c = { .variant_count = 0 };
    struct uris uris;
    fill_videos(&c, &s, &shown, &uris);
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (!s.audio[i]) continue;
        struct multivariant_audio *a = &c.audio[c.audio_count++];
        *a = (struct multivariant_audio){ .facts = track_facts(s.audio[i]->track), .label = &s.tracks->labels[i] };
        snprintf(a->uri, sizeof a->uri, "%s/index.m3u8", s.audio[i]->config.name);
    }
    const struct iframes *iframes = shown_iframes(&s);
    if (iframes && shown.iframes_bps) {
        c.iframes_uri = IFRAMES_RENDITION "/index.m3u8";
        c.iframes_bps = shown.iframes_bps;
        c.iframes_average_bps = iframes_average_bps(iframes);
    }
    struct frozen *text = multivariant_render(&c);
    if (!text) return;
    m->shown = shown;
    track_set_assign(&m->tracks, s.tracks);
    live_edge_publish_multivariant(edge, text);
}
