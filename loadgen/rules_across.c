/* Rules that hold several media playlists of a presentation against each other, and the multivariant playlist. */
#include <stdio.h>
#include <string.h>
#include <weir/loadgen/url.h>

#include "check_internal.h"

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* -- at a new version of one list -- */

static bool has_wall(const struct hls_playlist *p)
{
    for (size_t i = 0; i < p->segment_count; i++) {
        if (p->segments[i].has_wall) return true;
    }
    return p->open.has_wall;
}

static bool is_comparable(const struct seen_list *a, const struct seen_list *b)
{
    return a != b && b->last && !b->is_gone && !a->is_subtitles && !b->is_subtitles && a->is_iframes == b->is_iframes;
}

static void r16(struct look *l)
{
    for (unsigned i = 0; i < l->c->list_count; i++) {
        const struct seen_list *other = l->c->lists[i];
        if (other == l->list || !other->last || other->is_gone || other->is_subtitles) continue;
        if (!other->last->segment_count || !l->p->segment_count) continue;
        if (l->p->skip_count) continue;
        expect(l, has_wall(l->p) == has_wall(other->last), 0, "PROGRAM-DATE-TIME in all playlists or none",
               "%s here, %s in %s", has_wall(l->p) ? "some" : "none", has_wall(other->last) ? "some" : "none",
               other->url);
    }
}

static void r29(struct look *l)
{
    const struct hls_server_control *a = &l->p->control;
    if (l->p->is_ended) return;
    for (unsigned i = 0; i < l->c->list_count; i++) {
        const struct seen_list *other = l->c->lists[i];
        if (!is_comparable(l->list, other) || other->is_ended) continue;
        const struct hls_server_control *b = &other->last->control;
        if (!a->line && !b->line) continue;
        const bool is_same = !a->line == !b->line && a->can_block_reload == b->can_block_reload &&
                             a->can_skip_dateranges == b->can_skip_dateranges &&
                             a->can_skip_until_us == b->can_skip_until_us && a->hold_back_us == b->hold_back_us &&
                             a->part_hold_back_us == b->part_hold_back_us;
        expect(l, is_same, a->line, "one EXT-X-SERVER-CONTROL in all playlists", "another one in %s", other->url);
    }
}

static const struct hls_report *report_on(const struct look *l, const struct seen_list *other)
{
    char url[LOADGEN_URL_BYTES_MAX];
    for (size_t i = 0; i < l->p->report_count; i++) {
        if (url_resolve(l->list->url, l->p->reports[i].uri, url, sizeof url) == WEIR_OK && !strcmp(url, other->url))
            return &l->p->reports[i];
    }
    return NULL;
}

/* LAST-PART is there where that segment has parts; a GAP has none. */
static void check_report_part(struct look *l, const struct seen_list *other, const struct hls_report *report)
{
    const struct seen_segment *s = report->has_msn ? list_segment(other, report->last_msn) : NULL;
    if (s && s->part_count && !s->is_gap)
        expect(l, report->has_part, report->line, "LAST-PART where the segment has parts", "none for %llu of %s",
               (unsigned long long)report->last_msn, other->url);
}

static void check_report_age(struct look *l, const struct seen_list *other, const struct hls_report *report)
{
    uint64_t msn;
    uint32_t parts;
    const int64_t part_us = l->p->part_target_us == HLS_ABSENT ? 0 : l->p->part_target_us;
    if (!report->has_msn ||
        !list_edge_at(other, l->a->first_byte_us - part_us - l->c->config.tolerance_us, &msn, &parts))
        return;
    /* as a count that grows: segments, then the parts of the open one */
    const bool is_behind = parts ? report->last_msn < msn + 1 && !(report->last_msn == msn && !report->has_part)
                                 : report->last_msn < msn;
    const bool is_part_behind = parts && report->last_msn == msn + 1 && report->has_part &&
                                report->last_part + 1 < parts;
    expect(l, !is_behind && !is_part_behind, report->line, "a report not older than a part",
           "LAST-MSN %llu LAST-PART %llu; it was at %llu with %u parts a part ago",
           (unsigned long long)report->last_msn, (unsigned long long)report->last_part,
           (unsigned long long)msn + (parts ? 1 : 0), parts);
}

static void r45(struct look *l)
{
    if (!l->p->part_inf_line || l->p->is_ended) return;
    for (size_t i = 0; i < l->p->report_count; i++) {
        const struct hls_report *r = &l->p->reports[i];
        advise(l, !url_is_absolute(r->uri), r->line, "a relative URI", "%s", r->uri);
        expect(l, !strstr(r->uri, "_HLS_"), r->line, "a URI without directives", "%s", r->uri);
        expect(l, r->has_msn, r->line, "LAST-MSN", "none");
    }
    for (unsigned i = 0; i < l->c->list_count; i++) {
        const struct seen_list *other = l->c->lists[i];
        if (!is_comparable(l->list, other) || other->is_ended) continue;
        const struct hls_report *report = report_on(l, other);
        expect(l, report != NULL, 0, "EXT-X-RENDITION-REPORT for each other playlist", "none for %s", other->url);
        if (!report) continue;
        check_report_part(l, other, report);
        check_report_age(l, other, report);
    }
}

static void r52(struct look *l)
{
    for (unsigned i = 0; i < l->c->list_count; i++) {
        const struct seen_list *other = l->c->lists[i];
        if (!is_comparable(l->list, other) || l->p->is_ended || other->is_ended) continue;
        if (!l->p->part_inf_line && !other->last->part_inf_line) continue;
        expect(l, !l->p->part_inf_line == !other->last->part_inf_line, 0, "parts in all renditions or none",
               "%s here, %s in %s", l->p->part_inf_line ? "some" : "none", other->last->part_inf_line ? "some" : "none",
               other->url);
        const int64_t edge_us = playlist_edge_wall_us(l->p), part_us = l->p->part_target_us;
        if (edge_us == UNKNOWN_US || other->media_edge_us == UNKNOWN_US || part_us == HLS_ABSENT) continue;
        /* just before its next part a rendition is a part behind, and the other may just have had its own */
        const int64_t behind_us = other->media_edge_us - edge_us;
        expect(l, behind_us <= 2 * part_us + l->c->config.tolerance_us, 0, "renditions within a part of each other",
               "%.3f s behind %s", seconds(behind_us), other->url);
    }
}

const struct rule_row across_rules[] = {
    { RULE_R16, r16, true },
    { RULE_R29, r29, false },
    { RULE_R45, r45, false },
    { RULE_R52, r52, false },
};
const size_t across_rule_count = ARRAY_LEN(across_rules);

/* -- the multivariant playlist -- */

static void check_default(struct look *l, const struct hls_multivariant *m, size_t index)
{
    const struct hls_media *a = &m->media[index];
    unsigned defaults = 0;
    for (size_t i = 0; i < m->media_count; i++) {
        const struct hls_media *b = &m->media[i];
        if (a->type != b->type || strcmp(a->group, b->group)) continue;
        defaults += b->is_default;
        expect(l, i == index || strcmp(a->name, b->name), b->line, "a NAME of its own in the group", "%s twice",
               b->name);
    }
    expect(l, defaults <= 1, a->line, "at most one DEFAULT=YES in a group", "%u in %s", defaults, a->group);
    expect(l, !a->is_default || a->is_autoselect, a->line, "AUTOSELECT=YES with DEFAULT=YES", "%s without", a->name);
}

static bool has_group(const struct hls_multivariant *m, enum hls_media_type type, const char *group)
{
    for (size_t i = 0; i < m->media_count; i++) {
        if (m->media[i].type == type && !strcmp(m->media[i].group, group)) return true;
    }
    return false;
}

static void r48(struct look *l, const struct hls_multivariant *m)
{
    for (size_t i = 0; i < m->media_count; i++) check_default(l, m, i);
    expect(l, m->variant_count > 0, 0, "at least one variant", "%s", "none");
    for (size_t i = 0; i < m->variant_count; i++) {
        const struct hls_variant *v = &m->variants[i];
        advise(l, v->codecs != NULL, v->line, "CODECS", "%s", "none");
        if (v->audio)
            expect(l, has_group(m, HLS_MEDIA_AUDIO, v->audio), v->line, "the AUDIO group that is named", "no %s",
                   v->audio);
        if (v->video)
            expect(l, has_group(m, HLS_MEDIA_VIDEO, v->video), v->line, "the VIDEO group that is named", "no %s",
                   v->video);
        if (v->subtitles)
            expect(l, has_group(m, HLS_MEDIA_SUBTITLES, v->subtitles), v->line, "the SUBTITLES group that is named",
                   "no %s", v->subtitles);
    }
}

void rules_of_multivariant(struct look *l, const struct hls_multivariant *m)
{
    rules_of_faults(l, &m->faults);
    const uint32_t version = m->version ? m->version : 1, most = m->version_needed > 7 ? m->version_needed : 9;
    l->rule = RULE_R14;
    expect(l, version >= m->version_needed, m->version_line, "an EXT-X-VERSION that knows all tags",
           "%u, but %s needs %u", version, m->version_reason, m->version_needed);
    advise(l, version <= most, m->version_line, "no higher EXT-X-VERSION than is needed", "%u", version);
    l->rule = RULE_R48;
    r48(l, m);
}

/* -- media of equal numbers -- */

/* Where a segment's media begins, and how long a frame of it is. */
static int64_t start_us(const struct seen_segment *s, int64_t *frame_us)
{
    const struct track_facts *t = media_main_track(&s->media);
    *frame_us = ticks_to_us(t->longest, t->timescale);
    return ticks_to_us(t->least_pts, t->timescale);
}

#define NUMBERS_APART 8 /* lists that are further from each other than this number their segments each for itself */

/* The same number; where a server numbers its renditions apart, the nearest in wall time. */
static struct seen_segment *counterpart(const struct seen_list *list, const struct seen_list *other,
                                        const struct seen_segment *s)
{
    struct seen_segment *same = list_segment(other, s->msn), *nearest = NULL;
    const int64_t apart = (int64_t)(other->last_msn - list->last_msn);
    if (apart <= NUMBERS_APART && apart >= -NUMBERS_APART) return same;
    int64_t least_us = s->duration_us / 4;
    for (size_t i = other->segment_count; i-- > 0 && s->has_wall;) {
        struct seen_segment *t = other->segments[i];
        const int64_t step_us = t->wall_us - s->wall_us, distance_us = step_us < 0 ? -step_us : step_us;
        if (!t->has_wall || !t->uri || distance_us >= least_us) continue;
        least_us = distance_us;
        nearest = t;
    }
    return nearest;
}

static void compare_media(struct look *l, const struct seen_segment *a, const struct seen_segment *b,
                          const struct seen_list *other)
{
    int64_t a_frame_us, b_frame_us;
    const int64_t apart_us = start_us(a, &a_frame_us) - start_us(b, &b_frame_us);
    const int64_t distance_us = apart_us < 0 ? -apart_us : apart_us;
    const bool are_pictures = a->media.video.is_set && b->media.video.is_set;
    if (a->media.is_ts || b->media.is_ts) return; /* 33 bits, and a zero of their own per PID: C9 looks at them */
    if (are_pictures)
        expect_of(l, RULE_R49, distance_us <= a_frame_us + 1000, a->line, "equal starts of equal segments",
                  "%.3f s from %s", seconds(apart_us), other->url);
    else
        expect_of(l, RULE_V16, distance_us <= a_frame_us + b_frame_us + 1000, a->line,
                  "audio and video that start within a frame of each", "%.3f s from %s", seconds(apart_us), other->url);
    expect_of(l, RULE_T1, distance_us <= 2 * a->duration_us + 1000000, a->line, "one zero for all renditions",
              "%.3f s from %s", seconds(apart_us), other->url);
    expect_of(l, RULE_R11, a->dsn == b->dsn, a->line, "equal discontinuity sequence numbers for equal content",
              "%llu, and %llu in %s", (unsigned long long)a->dsn, (unsigned long long)b->dsn, other->url);
    if (!a->has_wall || !b->has_wall) return;
    const int64_t mapping_us = (a->wall_us - b->wall_us) - apart_us;
    const int64_t frame_us = a_frame_us > b_frame_us ? a_frame_us : b_frame_us;
    expect_of(l, RULE_R16, mapping_us <= frame_us + 1000 && -mapping_us <= frame_us + 1000, a->line,
              "the same wall time for the same media time", "%.3f s apart from %s", seconds(mapping_us), other->url);
}

/* Called when a segment was read: by then some of its counterparts were, too. */
static void across_media(struct look *l)
{
    if (!media_main_track(&l->segment->media)) return;
    for (unsigned i = 0; i < l->c->list_count; i++) {
        struct seen_list *other = l->c->lists[i];
        if (!is_comparable(l->list, other)) continue;
        struct seen_segment *b = counterpart(l->list, other, l->segment);
        if (b && b->media.is_read && media_main_track(&b->media)) compare_media(l, l->segment, b, other);
    }
}

const struct rule_row joint_rules[] = { { RULE_R49, across_media, false } };
const size_t joint_rule_count = ARRAY_LEN(joint_rules);
