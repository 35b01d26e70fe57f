#include <weir/loadgen/media_facts.h>

#include <weir/loadgen/ts_reader.h>

#define STAMP_AT_MOST 4096 /* a stamp stands in front of the picture's slices */

static void note_stamp(struct media_facts *out, const uint8_t *at, bool can_be_entered)
{
    const struct stamp s = stamp_read(at);
    if (!out->stamp_count++) out->first_stamp = s;
    if (out->stamp_count > 1 && s.frame != out->last_stamp.frame + 1) {
        out->stamp_gaps++;
        out->unsound_gaps += !can_be_entered;
    }
    out->last_stamp = s;
}

static void note_clock(struct track_clock *c, const struct mp4_track *track, const struct mp4_sample *sample,
                       const uint8_t *at)
{
    const struct stamp s = stamp_read(at);
    if (c->is_known || !s.wall_us || !track->timescale) return;
    c->is_known = true;
    c->shift_us = (int64_t)((__int128)sample->pts * 1000000 / track->timescale) - s.pts_us;
}

static void read_ts_stamps(const uint8_t *data, size_t bytes, struct media_facts *out)
{
    const uint8_t *end = data + bytes, *at = data;
    while ((at = stamp_find(at, (size_t)(end - at)))) {
        note_stamp(out, at, true);
        at += STAMP_BYTES;
    }
}

static void read_mp4_stamps(const struct mp4_media *m, const uint8_t *data, size_t bytes, struct media_facts *out)
{
    for (size_t i = 0; i < m->fragment_count; i++) {
        const struct mp4_fragment *f = &m->fragments[i];
        const bool is_video = f->track->kind == MEDIA_VIDEO;
        for (size_t k = 0; k < f->sample_count && (is_video || !out->audio_clock.is_known); k++) {
            const struct mp4_sample *s = &m->samples[f->first_sample + k];
            if (s->offset > bytes || s->bytes > bytes - s->offset) continue;
            const size_t looked_at = s->bytes < STAMP_AT_MOST ? s->bytes : STAMP_AT_MOST;
            const uint8_t *at = is_video ? stamp_find(data + s->offset, looked_at)
                                         : stamp_find_sound(data + s->offset, looked_at);
            if (at && is_video) note_stamp(out, at, s->is_sync);
            if (at) note_clock(is_video ? &out->video_clock : &out->audio_clock, f->track, s, at);
        }
    }
}

static void read_ts_track(const struct ts_media *m, enum media_kind kind, struct track_facts *out)
{
    const struct ts_stream *s = ts_media_stream(m, kind);
    if (!s || !s->has_times) return;
    *out = (struct track_facts){ .is_there = true,
                                 .starts_with_keyframe = s->starts_with_access,
                                 .timescale = 90000,
                                 .start_dts = s->first_dts,
                                 .end_dts = s->end_dts,
                                 .start_pts = s->least_pts,
                                 .frame = s->frame_90k };
}

static void read_mp4_track(const struct mp4_media *m, enum media_kind kind, struct track_facts *out)
{
    struct mp4_span span;
    if (!mp4_media_span(m, kind, &span) || !span.track->timescale) return;
    *out = (struct track_facts){ .is_there = true,
                                 .starts_with_keyframe = span.starts_with_sync,
                                 .timescale = span.track->timescale,
                                 .start_dts = span.start_dts,
                                 .end_dts = span.end_dts,
                                 .start_pts = span.least_pts,
                                 .frame = span.longest_sample };
}

bool media_facts_read(const struct mp4_init *init, const uint8_t *data, size_t bytes, struct media_facts *out)
{
    *out = (struct media_facts){ .is_ts = ts_is_media(data, bytes) };
    if (out->is_ts) {
        struct ts_media *m;
        if (ts_media_read(data, bytes, &m) == WEIR_NOMEM) return false;
        read_ts_track(m, MEDIA_VIDEO, &out->video);
        read_ts_track(m, MEDIA_AUDIO, &out->audio);
        read_ts_stamps(data, bytes, out);
        ts_media_destroy(m);
    } else {
        struct mp4_media *m;
        if (!init || mp4_media_read(init, data, bytes, MP4_TIMES, &m) == WEIR_NOMEM) return false;
        read_mp4_track(m, MEDIA_VIDEO, &out->video);
        read_mp4_track(m, MEDIA_AUDIO, &out->audio);
        read_mp4_stamps(m, data, bytes, out);
        mp4_media_destroy(m);
    }
    return out->video.is_there || out->audio.is_there;
}

const struct track_facts *media_facts_lead(const struct media_facts *m)
{
    return m->video.is_there ? &m->video : &m->audio;
}

int64_t track_ticks_us(const struct track_facts *t, int64_t ticks)
{
    return (int64_t)((__int128)ticks * 1000000 / t->timescale);
}
