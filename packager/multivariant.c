#include "multivariant.h"

/* Apple asks that peaks stay within 10 % of BANDWIDTH; encoders drift by more over time, so some air is announced at once. */
#define AIR_PERCENT 120

void multivariant_note_rate(struct multivariant *m, uint32_t nominal_90k)
{
    m->nominal_90k = nominal_90k;
}

static uint64_t sum(const struct rendition *video, const struct rendition *audio,
                    uint64_t (*read)(const struct rendition *r))
{
    return (video ? read(video) : 0) + (audio ? read(audio) : 0);
}

static uint64_t peak(const struct rendition *r)
{
    const uint64_t average = rendition_average_bps(r);
    return r->peak_bps > average ? r->peak_bps : average;
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

void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct rendition *video,
                         const struct rendition *audio)
{
    if (video && !video->has_published) video = NULL;
    if (audio && !audio->has_published) audio = NULL;
    const uint64_t peak_bps = sum(video, audio, peak);
    struct track *video_track = video ? video->track : NULL, *audio_track = audio ? audio->track : NULL;
    const bool is_same = m->has_video == (video != NULL) && m->has_audio == (audio != NULL) &&
                         m->video == video_track && m->audio == audio_track && peak_bps <= m->bandwidth_bps;
    if (is_same || (!video && !audio)) return;
    if (peak_bps > m->bandwidth_bps) m->bandwidth_bps = peak_bps * AIR_PERCENT / 100;
    struct multivariant_config c = {
        .video_uri = "video/index.m3u8",
        .audio_uri = "audio/index.m3u8",
        .video = video_track ? track_facts(video_track) : NULL,
        .audio = audio_track ? track_facts(audio_track) : NULL,
        .bandwidth_bps = m->bandwidth_bps,
        .average_bandwidth_bps = sum(video, audio, rendition_average_bps),
    };
    if (c.video) find_rate(m, c.video, &c);
    struct frozen *text = multivariant_render(&c);
    if (!text) return;
    m->has_video = video != NULL;
    m->has_audio = audio != NULL;
    m->video = video_track;
    m->audio = audio_track;
    live_edge_publish_multivariant(edge, text);
}
