/* What came of what a viewer asked for of one media playlist, held against what came before. */
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/digest.h>
#include <weir/loadgen/ts_reader.h>

#include "viewer_internal.h"

#define ARRIVAL_US_MAX 86400000000 /* beyond, the dates are not of now */
#define ROUNDING_US 1000
#define ATTEMPTS_MAX 4            /* at a piece of media; then it is a hole */
#define TARGET_ROUNDING_US 499999 /* EXTINF is compared rounded to whole seconds (RFC 8216bis 4.4.3.1) */

/* -- playlists -- */

static uint64_t end_msn(const struct hls_playlist *p)
{
    return p->media_sequence + p->skipped + p->segment_count;
}

static bool has_gone_back(const struct hls_playlist *old, const struct hls_playlist *p)
{
    if (p->media_sequence < old->media_sequence || end_msn(p) < end_msn(old)) return true;
    return end_msn(p) == end_msn(old) && p->open.part_count < old->open.part_count && !p->is_ended;
}

/* A number that is in both lists stands for the same address: else a number was given twice. */
static void check_repeated(struct feed *f, const struct hls_playlist *old, const struct hls_playlist *p)
{
    const uint64_t first = old->media_sequence + old->skipped;
    for (size_t i = 0; i < p->segment_count; i++) {
        const struct hls_segment *s = &p->segments[i];
        if (s->msn < first || s->msn - first >= old->segment_count) continue;
        const struct hls_segment *was = &old->segments[s->msn - first];
        if (!s->uri || !was->uri || !strcmp(s->uri, was->uri)) continue;
        viewer_blame(f->viewer, VIEWER_FAULT_REPEATED, "%s: segment %llu was %.60s and is %.60s", f->url,
                     (unsigned long long)s->msn, was->uri, s->uri);
        return;
    }
}

static void compare_lists(struct feed *f, const struct hls_playlist *p)
{
    const struct hls_playlist *old = f->list;
    f->has_moved = !old || end_msn(p) != end_msn(old) || p->open.part_count != old->open.part_count;
    if (!old) return;
    if (has_gone_back(old, p))
        viewer_blame(f->viewer, VIEWER_FAULT_NUMBERS_BACK,
                     "%s: begins with %llu and ends with %llu behind %llu and %llu", f->list_wish.url,
                     (unsigned long long)p->media_sequence, (unsigned long long)end_msn(p) - 1,
                     (unsigned long long)old->media_sequence, (unsigned long long)end_msn(old) - 1);
    check_repeated(f, old, p);
}

static void on_list(struct feed *f, const struct check_answer *a)
{
    struct viewer *v = f->viewer;
    const int64_t poll_us = feed_target_us(f) / 2;
    f->next_list_us = a->done_us + viewer_real_us(v, poll_us < VIEWER_RETRY_US ? poll_us : VIEWER_RETRY_US);
    f->has_moved = false;
    if (a->status == 503) return; /* nothing new in three target durations: a server should say so (B.1) */
    if (!viewer_is_good(v, &f->list_wish, a)) return;
    struct object *o = viewer_take(v, OBJECT_LIST, &f->list_wish, a, NULL);
    if (!o) return;
    if (!o->is_readable) {
        viewer_blame(v, VIEWER_FAULT_UNREADABLE, "%s: not a media playlist", f->list_wish.url);
        object_unref(o);
        return;
    }
    compare_lists(f, o->list);
    object_unref(f->list_object);
    f->list_object = o;
    f->list = o->list;
    f->is_ended = o->list->is_ended;
    feed_find_place(f, a->done_us);
    if (feed_is_low_latency(f) && f->has_moved) f->next_list_us = a->done_us;
}

static void try_init_again(struct feed *f, const struct check_answer *a)
{
    free(f->init_url);
    f->init_url = NULL;
    f->next_media_us = a->done_us + VIEWER_RETRY_US;
}

static void on_init(struct feed *f, const struct check_answer *a)
{
    struct viewer *v = f->viewer;
    struct object *o = NULL;
    if (viewer_is_good(v, &f->init_wish, a)) o = viewer_take(v, OBJECT_INIT, &f->init_wish, a, NULL);
    if (o && o->is_readable) {
        f->init_object = o;
        return;
    }
    if (o) viewer_blame(v, VIEWER_FAULT_UNREADABLE, "%s: not an init segment", f->init_wish.url);
    object_unref(o);
    try_init_again(f, a);
}

/* -- media -- */

static void check_continuity(struct feed *f, const struct media_facts *m, const struct track_facts *t)
{
    const char *url = f->media_wish.url;
    if (!f->has_end || f->is_after_break || f->timescale != t->timescale || f->is_ts != m->is_ts) return;
    const int64_t step = m->is_ts ? ts_time_difference(t->start_dts, f->end_dts) : t->start_dts - f->end_dts;
    const int64_t off_us = llabs(track_ticks_us(t, step)), frame_us = track_ticks_us(t, t->frame);
    if (f->is_after_switch && off_us > frame_us / 2 + ROUNDING_US)
        viewer_blame(f->viewer, VIEWER_FAULT_MISALIGNED, "%s: begins %lld us from where the rendition before ended",
                     url, (long long)off_us);
    else if (!f->is_after_switch && off_us > (m->is_ts ? frame_us : 0) + ROUNDING_US)
        viewer_blame(f->viewer, VIEWER_FAULT_TIME_GAP, "%s: begins %lld us from where the media before ended", url,
                     (long long)off_us);
}

static void check_length(struct feed *f, int64_t lasts_us)
{
    const struct wish *w = &f->media_wish;
    const int64_t most_us = w->most_us + (w->is_part ? 0 : TARGET_ROUNDING_US);
    if (w->most_us == HLS_ABSENT || (lasts_us <= most_us + ROUNDING_US && w->duration_us <= most_us)) return;
    viewer_blame(
        f->viewer, VIEWER_FAULT_TOO_LONG, "%s: a %s of %lld us, listed with %lld us, where at most %lld us are said",
        w->url, w->is_part ? "part" : "segment", (long long)lasts_us, (long long)w->duration_us, (long long)w->most_us);
}

static void check_begin(struct feed *f, const struct media_facts *m, const struct track_facts *t)
{
    struct viewer *v = f->viewer;
    const struct wish *w = &f->media_wish;
    int64_t off_us = 0;
    f->start_msn = w->msn;
    f->start_us = track_ticks_us(t, t->start_pts);
    f->frame_us = track_ticks_us(t, t->frame);
    f->reorder_us = track_ticks_us(t, t->start_pts - t->start_dts);
    f->has_start = !m->is_ts;
    if (!m->video.is_there) return;
    if (w->is_independent && !m->video.starts_with_keyframe)
        viewer_blame(v, VIEWER_FAULT_NO_KEYFRAME, "%s: does not begin with a keyframe", w->url);
    const struct alignment_start start = {
        .rendition = digest_of(f->url, strlen(f->url)), .dsn = w->dsn, .msn = w->msn, .start_us = f->start_us
    };
    if (v->config.alignment && alignment_note(v->config.alignment, &start, &off_us))
        viewer_blame(v, VIEWER_FAULT_MISALIGNED, "%s: begins %lld us from where another rendition has a boundary",
                     w->url, (long long)off_us);
}

/* How old the newest picture was when it came; by PROGRAM-DATE-TIME where it carries no time of its own. */
static void note_arrival(struct feed *f, const struct check_answer *a, int64_t newest_us)
{
    struct viewer *v = f->viewer;
    if (newest_us == WALL_UNKNOWN) newest_us = f->wall_end_us;
    if (f != &v->feeds[0] || newest_us == WALL_UNKNOWN) return;
    const int64_t arrival_us = a->done_us + v->config.wall_less_us - newest_us;
    v->arrival_us = arrival_us > ARRIVAL_US_MAX ? -1 : arrival_us > 0 ? arrival_us : 0;
}

static void check_frames(struct feed *f, const struct media_facts *m)
{
    const bool is_broken = f->is_after_break || f->is_after_switch;
    const bool is_gap = f->has_frame && !is_broken && m->stamp_count && m->first_stamp.frame != f->next_frame;
    if (m->unsound_gaps || (is_gap && !m->is_ts && !m->video.starts_with_keyframe))
        viewer_blame(f->viewer, VIEWER_FAULT_UNSOUND,
                     "%s: behind missing pictures goes on with one that is no keyframe", f->media_wish.url);
    if (m->stamp_gaps || is_gap)
        viewer_blame(f->viewer, VIEWER_FAULT_FRAME_GAP,
                     "%s: pictures %llu to %llu of the publisher, with %u gaps, behind %llu", f->media_wish.url,
                     (unsigned long long)m->first_stamp.frame, (unsigned long long)m->last_stamp.frame, m->stamp_gaps,
                     (unsigned long long)f->next_frame - 1);
    f->has_frame = m->stamp_count != 0;
    f->next_frame = m->last_stamp.frame + 1;
}

static void note_clock(struct shown_clock *shown, const struct track_clock *clock, uint64_t dsn)
{
    if (clock->is_known) *shown = (struct shown_clock){ *clock, dsn };
}

/* Sound and picture come in pieces of their own; within an era each track's clock stands still, so which of them are compared does not matter. */
static void compare_clocks(struct feed *f, const struct media_facts *m)
{
    struct viewer *v = f->viewer;
    const struct wish *w = &f->media_wish;
    note_clock(&v->picture, &m->video_clock, w->dsn);
    note_clock(&v->sound, &m->audio_clock, w->dsn);
    if (!m->audio_clock.is_known || !v->picture.clock.is_known || v->picture.dsn != v->sound.dsn) return;
    const int64_t offset_us = v->sound.clock.shift_us - v->picture.clock.shift_us;
    v->figures.av_compared++;
    if (llabs(offset_us) > llabs(v->figures.av_offset_us)) v->figures.av_offset_us = offset_us;
    if (llabs(offset_us) > AV_OFFSET_US_MAX)
        viewer_blame(v, VIEWER_FAULT_AV_OFFSET,
                     "%s: its sound is %.1f ms %s than its publisher meant it to the picture", w->url,
                     (double)llabs(offset_us) / 1e3, offset_us > 0 ? "later" : "earlier");
}

static void lengthen(struct feed *f, int64_t lasts_us)
{
    f->appended_us += lasts_us;
    if (f->wall_end_us != WALL_UNKNOWN) f->wall_end_us += lasts_us;
    if (f->stamp_end_us != WALL_UNKNOWN) f->stamp_end_us += viewer_real_us(f->viewer, lasts_us);
}

static void append(struct feed *f, const struct media_facts *m)
{
    const struct wish *w = &f->media_wish;
    const struct track_facts *t = media_facts_lead(m);
    const int64_t lasts_us = track_ticks_us(t, t->end_dts - t->start_dts);
    if (w->is_discontinuity) {
        f->viewer->figures.discontinuities++;
        f->is_after_break = true;
    }
    check_continuity(f, m, t);
    check_length(f, lasts_us);
    if (w->is_begin) check_begin(f, m, t);
    if (!f->has_origin) {
        f->origin_us = track_ticks_us(t, t->start_pts);
        f->has_origin = !m->is_ts;
    }
    check_frames(f, m);
    compare_clocks(f, m);
    lengthen(f, lasts_us > 0 ? lasts_us : w->duration_us);
    if (m->stamp_count)
        f->stamp_end_us = m->last_stamp.wall_us + viewer_real_us(f->viewer, track_ticks_us(t, t->frame));
    f->has_end = true;
    f->is_after_break = f->is_after_switch = false;
    f->end_dts = t->end_dts;
    f->timescale = t->timescale;
    f->is_ts = m->is_ts;
}

static void go_on(struct feed *f)
{
    f->attempts = 0;
    if (f->media_wish.is_part)
        f->next_part++;
    else
        feed_go_to_next_segment(f);
}

/* A player tries again, and leaves it out at last. */
static void on_missing(struct feed *f, const struct check_answer *a)
{
    const struct wish *w = &f->media_wish;
    f->next_media_us = a->done_us + VIEWER_RETRY_US;
    if (++f->attempts < ATTEMPTS_MAX) return;
    viewer_blame(f->viewer, VIEWER_FAULT_HOLE, "%s: left out", w->url);
    f->is_after_break = true;
    lengthen(f, w->duration_us);
    go_on(f);
}

static void on_media(struct feed *f, const struct check_answer *a)
{
    struct viewer *v = f->viewer;
    const struct wish *w = &f->media_wish;
    if (!viewer_is_good(v, w, a)) {
        on_missing(f, a);
        return;
    }
    if (!f->has_place || w->msn != f->next_msn) return; /* meanwhile it seeks elsewhere */
    struct object *o = viewer_take(v, OBJECT_MEDIA, w, a, f->init_object ? f->init_object->init : NULL);
    if (o && o->is_readable) {
        append(f, &o->media);
    } else {
        if (o) viewer_blame(v, VIEWER_FAULT_UNREADABLE, "%s: media that cannot be read", w->url);
        f->is_after_break = true;
        lengthen(f, w->duration_us);
    }
    note_arrival(f, a, o && o->media.stamp_count ? o->media.last_stamp.wall_us : WALL_UNKNOWN);
    object_unref(o);
    if (w->is_part)
        v->figures.parts++;
    else
        v->figures.segments++;
    go_on(f);
}

bool feed_answer(struct feed *f, const struct check_answer *a)
{
    struct wish *w = f->list_wish.id == a->id    ? &f->list_wish
                     : f->init_wish.id == a->id  ? &f->init_wish
                     : f->media_wish.id == a->id ? &f->media_wish
                                                 : NULL;
    if (!w || !f->url) return false;
    if (w == &f->list_wish)
        on_list(f, a);
    else if (w == &f->init_wish)
        on_init(f, a);
    else
        on_media(f, a);
    wish_clear(w);
    return true;
}
