#include "multivariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "multivariant_text.h"

/* Apple asks that peaks stay within 10 % of BANDWIDTH; encoders drift by more over time, so some air is announced at once. */
#define AIR_PERCENT 120

/* What the playlist was made from; compared to know whether to make it again. */
struct shown {
    bool has_video, has_audio[AUDIO_TRACKS_MAX];
    uint64_t bandwidth_bps, iframes_bps; /* iframes_bps 0: there is no such playlist */
};

struct multivariant {
    struct shown shown;
    struct track_set tracks; /* as announced */
    uint32_t nominal_90k;    /* of the last frame */
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

void multivariant_note_rate(struct multivariant *m, uint32_t nominal_90k)
{
    m->nominal_90k = nominal_90k;
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

/* Video, and the largest of the audio renditions: a player takes one. */
static uint64_t sum(const struct multivariant_sources *s, uint64_t (*read)(const struct rendition *r))
{
    uint64_t largest = 0;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        const uint64_t bps = read(s->audio[i]);
        if (bps > largest) largest = bps;
    }
    return read(s->video) + largest;
}

static void find_rate(const struct multivariant *m, const struct codec_facts *facts, struct multivariant_config *c)
{
    /* 90000 / 3003 is 30000/1001 */
    static const uint32_t known[][3] = { { 3003, 30000, 1001 },
                                         { 1501, 60000, 1001 },
                                         { 1502, 60000, 1001 },
                                         { 3753, 24000, 1001 },
                                         { 3754, 24000, 1001 } };
    c->fps_num = facts->fps_num;
    c->fps_den = facts->fps_den;
    if (c->fps_num || !m->nominal_90k) return;
    c->fps_num = 90000;
    c->fps_den = m->nominal_90k;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i][0] == m->nominal_90k) c->fps_num = known[i][1], c->fps_den = known[i][2];
    }
}

/* Leaves only what can be played. */
static struct multivariant_sources playable(const struct multivariant_sources *s)
{
    struct multivariant_sources out = *s;
    if (out.video && !out.video->has_published) out.video = NULL;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (out.audio[i] && (!out.audio[i]->has_published || !s->tracks->audio[i])) out.audio[i] = NULL;
    }
    return out;
}

static bool is_same(const struct multivariant *m, const struct shown *shown, const struct track_set *tracks)
{
    return !memcmp(m->shown.has_audio, shown->has_audio, sizeof shown->has_audio) &&
           m->shown.has_video == shown->has_video && shown->bandwidth_bps == m->shown.bandwidth_bps &&
           shown->iframes_bps == m->shown.iframes_bps && m->tracks.video == tracks->video &&
           !memcmp(m->tracks.audio, tracks->audio, sizeof tracks->audio) &&
           !memcmp(m->tracks.labels, tracks->labels, sizeof tracks->labels);
}

void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct multivariant_sources *sources)
{
    const struct multivariant_sources s = playable(sources);
    struct shown shown = { .has_video = s.video != NULL,
                           .bandwidth_bps = m->shown.bandwidth_bps,
                           .iframes_bps = m->shown.iframes_bps };
    const struct iframes *iframes = s.video && s.video->iframes && s.video->iframes->has_published ? s.video->iframes
                                                                                                   : NULL;
    bool has_any = shown.has_video;
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        shown.has_audio[i] = s.audio[i] != NULL;
        has_any |= shown.has_audio[i];
    }
    const uint64_t peak_bps = sum(&s, peak);
    if (peak_bps > shown.bandwidth_bps) shown.bandwidth_bps = peak_bps * AIR_PERCENT / 100;
    if (iframes && iframes->peak_bps > shown.iframes_bps) shown.iframes_bps = iframes->peak_bps * AIR_PERCENT / 100;
    if (!has_any || is_same(m, &shown, s.tracks)) return;
    struct multivariant_config c = {
        .video = s.video ? track_facts(s.video->track) : NULL,
        .video_uri = "video/index.m3u8",
        .bandwidth_bps = shown.bandwidth_bps,
        .average_bandwidth_bps = sum(&s, average),
    };
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (!s.audio[i]) continue;
        struct multivariant_audio *a = &c.audio[c.audio_count++];
        *a = (struct multivariant_audio){ .facts = track_facts(s.audio[i]->track), .label = &s.tracks->labels[i] };
        snprintf(a->uri, sizeof a->uri, "%s/index.m3u8", s.audio[i]->config.name);
    }
    if (iframes && shown.iframes_bps) {
        c.iframes_uri = IFRAMES_RENDITION "/index.m3u8";
        c.iframes_bps = shown.iframes_bps;
        c.iframes_average_bps = iframes_average_bps(iframes);
    }
    if (c.video) find_rate(m, c.video, &c);
    struct frozen *text = multivariant_render(&c);
    if (!text) return;
    m->shown = shown;
    track_set_assign(&m->tracks, s.tracks);
    live_edge_publish_multivariant(edge, text);
}
