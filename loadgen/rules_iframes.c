/* Rules about what an I-frame playlist lists: pictures for scrubbing, as byte ranges of the segments of another list (RFC 8216bis
 * 4.4.3.6). */
#include <weir/loadgen/ts_reader.h>

#include "check_internal.h"

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static int64_t step_us(const struct media_facts *from, const struct media_facts *to)
{
    const int64_t a = from->video.least_pts, b = to->video.least_pts;
    if (from->is_ts) return ticks_to_us(ts_time_difference(b, a), 90000);
    return ticks_to_us(b, to->video.timescale) - ticks_to_us(a, from->video.timescale);
}

static int64_t frame_us(const struct seen_segment *s)
{
    return ticks_to_us(s->media.video.longest, s->media.video.timescale);
}

/* -- one picture -- */

static void check_picture(struct look *l, size_t excess_bytes)
{
    const struct track_facts *video = &l->segment->media.video;
    struct look at = *l;
    at.rule = RULE_R56;
    expect(&at, video->starts_with_sync, l->segment->line, "an I-frame", "%s", "a picture that needs others");
    advise(&at, video->sample_count == 1 && !excess_bytes, l->segment->line, "a range that ends with its I-frame",
           "%zu pictures, %zu bytes behind the first", video->sample_count, excess_bytes);
}

/* -- against the next one -- */

static void check_step(struct look *l, const struct seen_segment *s, const struct seen_segment *next)
{
    if (!s || !next || !s->media.video.is_set || !next->media.video.is_set || next->has_discontinuity) return;
    if (s->media.is_ts != next->media.is_ts) return;
    const int64_t lasts_us = step_us(&s->media, &next->media), off_us = s->duration_us - lasts_us;
    expect_of(l, RULE_R57, off_us <= frame_us(s) && -off_us <= frame_us(s), s->line,
              "EXTINF up to the next I-frame, within a frame", "EXTINF %.6f s, the next I-frame is %.6f s later",
              seconds(s->duration_us), seconds(lasts_us));
}

/* -- against the video itself -- */

/* A segment of the other list in the same stretch of media time. */
static const struct seen_segment *neighbour(const struct seen_list *other, const struct seen_segment *s)
{
    for (size_t i = other->segment_count; i-- > 0;) {
        const struct seen_segment *t = other->segments[i];
        if (t->uri && t->has_wall && t->media.video.is_set && t->dsn == s->dsn) return t;
    }
    return NULL;
}

static void check_mapping(struct look *l)
{
    const struct seen_segment *s = l->segment;
    for (unsigned i = 0; i < l->c->list_count && s->has_wall && !s->media.is_ts; i++) {
        const struct seen_list *other = l->c->lists[i];
        const struct seen_segment *t = other->is_iframes || other->is_gone ? NULL : neighbour(other, s);
        if (!t || t->media.is_ts) continue;
        const int64_t off_us = (t->wall_us - s->wall_us) - step_us(&s->media, &t->media);
        const int64_t allowed_us = frame_us(t) + 1000;
        expect_of(l, RULE_R16, off_us <= allowed_us && -off_us <= allowed_us, s->line,
                  "the same wall time for the same media time", "%.3f s apart from %s", seconds(off_us), other->url);
    }
}

void rules_of_iframe(struct look *l, struct seen_init *init)
{
    struct seen_segment *s = l->segment;
    size_t excess_bytes = 0;
    if (s->is_encrypted) {
        check_report_note(&l->c->report, "encrypted segments were not read");
        return;
    }
    const bool is_read = media_read_picture(l, init, &s->media, &excess_bytes);
    if (!is_read && init && !init->init) return;
    if (!expect_of(l, RULE_R56, is_read && s->media.video.is_set, s->line, "a whole picture",
                   "none in the %zu bytes of %s", l->a->bytes, s->uri))
        return;
    l->c->segments_read++;
    check_picture(l, excess_bytes);
    list_note_peak(l);
    check_step(l, list_segment(l->list, s->msn - 1), s);
    check_step(l, s, list_segment(l->list, s->msn + 1));
    check_mapping(l);
}
