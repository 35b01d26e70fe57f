/* Rules about one version of a media playlist, and what the parsers found in the text of one. */
#include <string.h>

#include "check_internal.h"

#define PART_SHORTEST_PERCENT 85
#define PDT_STEP_US 50000      /* of PROGRAM-DATE-TIME against EXTINF: more is untidy */
#define PDT_OVERLAP_US 1000000 /* and from here on the mapping is ambiguous (6.2.1) */

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* -- as the parser found it -- */

static enum check_rule rule_of_value(const char *tag)
{
    static const struct {
        const char *tag;
        enum check_rule rule;
    } rows[] = {
        { "EXT-X-TARGETDURATION", RULE_R2 },
        { "EXTINF", RULE_R3 },
        { "EXT-X-MEDIA-SEQUENCE", RULE_R5 },
        { "EXT-X-DISCONTINUITY-SEQUENCE", RULE_R11 },
        { "EXT-X-PROGRAM-DATE-TIME", RULE_R15 },
        { "EXT-X-MAP", RULE_R13 },
        { "EXT-X-PART-INF", RULE_R24 },
        { "EXT-X-PART", RULE_R25 },
        { "EXT-X-VERSION", RULE_R14 },
        { "EXT-X-SKIP", RULE_R44 },
        { "EXT-X-PRELOAD-HINT", RULE_R35 },
        { "EXT-X-RENDITION-REPORT", RULE_R45 },
        { "EXT-X-STREAM-INF", RULE_R48 },
        { "EXT-X-MEDIA", RULE_R48 },
        { "EXT-X-I-FRAME-STREAM-INF", RULE_R48 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!strcmp(tag, rows[i].tag)) return rows[i].rule;
    }
    return RULE_R50;
}

static enum check_rule rule_of_fault(const struct hls_fault *f)
{
    switch (f->kind) {
    case HLS_FAULT_HEADER: return RULE_R1;
    case HLS_FAULT_TEXT: return strcmp(f->tag, "EXTM3U") ? RULE_R50 : RULE_R1;
    case HLS_FAULT_DUPLICATE:
        return !strcmp(f->tag, "EXT-X-TARGETDURATION") ? RULE_R2 : !strcmp(f->tag, "EXT-X-SKIP") ? RULE_R53 : RULE_R50;
    case HLS_FAULT_ENUM: return RULE_R50;
    case HLS_FAULT_PLACE: return RULE_R32;
    case HLS_FAULT_ORDER:
    case HLS_FAULT_VALUE:
    case HLS_FAULT_MISSING: return rule_of_value(f->tag);
    }
    return RULE_R50;
}

static const char *expected_of_fault(const struct hls_fault *f)
{
    switch (f->kind) {
    case HLS_FAULT_HEADER: return "#EXTM3U in the first line";
    case HLS_FAULT_TEXT: return "clean UTF-8 and readable attribute lists";
    case HLS_FAULT_DUPLICATE: return "the tag once";
    case HLS_FAULT_ORDER: return "the tag in front of the first segment";
    case HLS_FAULT_VALUE: return "a readable value";
    case HLS_FAULT_ENUM: return "a value of the enumeration";
    case HLS_FAULT_MISSING: return "all that the tag needs";
    case HLS_FAULT_PLACE: return "the tag in front of the segment's first part";
    }
    return "";
}

void rules_of_faults(struct look *l, const struct hls_faults *faults)
{
    static const enum check_rule looked_at[] = { RULE_R1, RULE_R50 };
    for (size_t i = 0; i < ARRAY_LEN(looked_at); i++) expect_of(l, looked_at[i], true, 0, "", "%s", "");
    for (size_t i = 0; i < faults->count; i++) {
        const struct hls_fault *f = &faults->items[i];
        expect_of(l, rule_of_fault(f), false, f->line, expected_of_fault(f), "%s: %s", f->tag, f->text);
    }
}

/* -- the list as a whole -- */

static void r2(struct look *l)
{
    expect(l, l->p->target_us != HLS_ABSENT, 0, "EXT-X-TARGETDURATION", "%s", "none that can be read");
}

static void r3(struct look *l)
{
    for (size_t i = 0; i < l->p->segment_count && l->p->target_us != HLS_ABSENT; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        const int64_t rounded_us = (s->duration_us + 500000) / 1000000 * 1000000;
        expect(l, rounded_us <= l->p->target_us, s->line, "EXTINF that rounds to the target duration at most",
               "%.6f s, target %.0f s", seconds(s->duration_us), seconds(l->p->target_us));
    }
}

static void r5(struct look *l)
{
    if (!l->p->segment_count || l->p->is_ended) return;
    advise(l, l->p->sequence_line > 0, 0, "EXT-X-MEDIA-SEQUENCE in a live list", "%s", "none");
}

static void r10(struct look *l)
{
    if (l->p->is_ended) {
        expect(l, true, 0, "", "%s", "");
        return;
    }
    const bool is_sliding = l->list->was_sliding;
    expect(l, l->p->type != HLS_TYPE_VOD && (l->p->type == HLS_TYPE_NONE || !is_sliding), l->p->type_line,
           "no EXT-X-PLAYLIST-TYPE in a live list that slides", "%s", l->p->type == HLS_TYPE_VOD ? "VOD" : "EVENT");
}

static void r13(struct look *l)
{
    if (l->p->skip_count) return; /* it may stand in the skipped part */
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        const char *name = strrchr(s->uri, '.');
        const bool is_fmp4 = name &&
                             (!strncmp(name, ".m4s", 4) || !strncmp(name, ".mp4", 4) || !strncmp(name, ".cmf", 4));
        if (is_fmp4) expect(l, s->map != NULL, s->line, "EXT-X-MAP in front of an fMP4 segment", "none for %s", s->uri);
    }
}

/* What a version may be without being more than is needed: fMP4 is written with 7 by habit, and a list that can be skipped in says
 * 9 also where nothing is skipped, so that full and delta lists agree. */
static uint32_t version_habit(const struct hls_playlist *p)
{
    if (p->control.can_skip_until_us != HLS_ABSENT) return 9;
    return p->map_count ? 7 : 3;
}

static void r14(struct look *l)
{
    const struct hls_playlist *p = l->p;
    const uint32_t version = p->version ? p->version : 1;
    const uint32_t most = p->version_needed > version_habit(p) ? p->version_needed : version_habit(p);
    expect(l, version >= p->version_needed, p->version_line, "an EXT-X-VERSION that knows all tags",
           "%u, but %s needs %u", version, p->version_reason, p->version_needed);
    advise(l, version <= most, p->version_line, "no higher EXT-X-VERSION than is needed", "%u, needed %u", version,
           p->version_needed);
}

static void r15(struct look *l)
{
    bool has_some = false;
    for (size_t i = 0; i < l->p->segment_count; i++) has_some |= l->p->segments[i].has_wall;
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i], *next = i + 1 < l->p->segment_count ? s + 1 : NULL;
        if (has_some && s->has_discontinuity)
            advise(l, s->has_wall, s->line, "PROGRAM-DATE-TIME at each discontinuity", "none for %s", s->uri);
        if (s->has_wall) advise(l, s->has_zone, s->line, "a time zone", "none");
        if (!s->has_wall || !next || !next->has_wall) continue;
        const int64_t step_us = next->wall_us - s->wall_us, off_us = step_us - s->duration_us;
        expect(l, step_us > 0, next->line, "PROGRAM-DATE-TIME that rises", "%.3f s", seconds(step_us));
        if (next->has_discontinuity) continue;
        const int64_t distance_us = off_us < 0 ? -off_us : off_us;
        expect(l, distance_us < PDT_OVERLAP_US, next->line, "a step as long as EXTINF, within a second",
               "%.3f s after an EXTINF of %.6f s", seconds(step_us), seconds(s->duration_us));
        advise(l, distance_us <= PDT_STEP_US, next->line, "a step as long as EXTINF, within 50 ms",
               "%.3f s after an EXTINF of %.6f s", seconds(step_us), seconds(s->duration_us));
    }
}

static void r21(struct look *l)
{
    if (l->p->is_ended)
        expect(l, l->p->hint_count == 0, l->p->hint_count ? l->p->hints[0].line : 0, "no hint with EXT-X-ENDLIST", "%s",
               "EXT-X-PRELOAD-HINT");
}

/* -- low latency -- */

static void r24(struct look *l)
{
    const struct hls_playlist *p = l->p;
    if (p->part_count)
        expect(l, p->part_inf_line > 0, p->parts[0].line, "EXT-X-PART-INF where there are parts", "%s", "none");
    else if (p->part_inf_line && !p->is_ended && !p->skip_count && p->segment_count)
        advise(l, false, p->part_inf_line, "parts where EXT-X-PART-INF says so", "%s", "none");
    else if (l->c->config.is_low_latency && !p->is_ended)
        expect(l, p->part_inf_line > 0, 0, "EXT-X-PART-INF, since --ll was asked for", "%s", "none");
}

static void r25(struct look *l)
{
    const struct hls_playlist *p = l->p;
    for (size_t i = 0; i < p->part_count && p->part_target_us != HLS_ABSENT; i++) {
        const struct hls_part *part = &p->parts[i];
        expect(l, part->duration_us <= p->part_target_us && (part->duration_us > 0 || part->is_gap), part->line,
               "0 < DURATION <= PART-TARGET", "%.6f s, PART-TARGET %.6f s", seconds(part->duration_us),
               seconds(p->part_target_us));
    }
}

static void check_parts_length(struct look *l, const struct hls_segment *s)
{
    const int64_t least_us = l->p->part_target_us * PART_SHORTEST_PERCENT / 100;
    for (uint32_t i = 0; i + 1 < s->part_count;
         i++) { /* the last one may be short; of an open segment it may be the last */
        const struct hls_part *part = &l->p->parts[s->first_part + i], *next = part + 1;
        if (part->is_independent || part->is_gap || next->is_gap) continue;
        expect(l, part->duration_us >= least_us, part->line, "at least 85 % of PART-TARGET", "%.6f s of %.6f s",
               seconds(part->duration_us), seconds(l->p->part_target_us));
    }
}

static void r26(struct look *l)
{
    if (l->p->part_target_us == HLS_ABSENT) return;
    for (size_t i = 0; i < l->p->segment_count; i++) check_parts_length(l, &l->p->segments[i]);
    check_parts_length(l, &l->p->open);
}

static void r27(struct look *l)
{
    const struct hls_playlist *p = l->p;
    const int64_t hold_us = p->control.part_hold_back_us;
    if (!p->part_inf_line || p->part_target_us == HLS_ABSENT) return;
    if (!expect(l, hold_us != HLS_ABSENT, p->control.line, "PART-HOLD-BACK where there is PART-INF", "%s", "none"))
        return;
    expect(l, hold_us >= 2 * p->part_target_us, p->control.line, "PART-HOLD-BACK from 2 PART-TARGETs on",
           "%.3f s, PART-TARGET %.3f s", seconds(hold_us), seconds(p->part_target_us));
    advise(l, hold_us >= 3 * p->part_target_us, p->control.line, "PART-HOLD-BACK from 3 PART-TARGETs on",
           "%.3f s, PART-TARGET %.3f s", seconds(hold_us), seconds(p->part_target_us));
}

static void r28(struct look *l)
{
    const struct hls_playlist *p = l->p;
    const struct hls_server_control *control = &p->control;
    if (!control->line || p->target_us == HLS_ABSENT) return;
    if (control->hold_back_us != HLS_ABSENT)
        expect(l, control->hold_back_us >= 3 * p->target_us, control->line, "HOLD-BACK from 3 target durations on",
               "%.3f s, target %.0f s", seconds(control->hold_back_us), seconds(p->target_us));
    if (control->can_skip_until_us != HLS_ABSENT)
        expect(l, control->can_skip_until_us >= 6 * p->target_us, control->line,
               "CAN-SKIP-UNTIL from 6 target durations on", "%.3f s, target %.0f s",
               seconds(control->can_skip_until_us), seconds(p->target_us));
    expect(l, !control->can_skip_dateranges || control->can_skip_until_us != HLS_ABSENT, control->line,
           "CAN-SKIP-UNTIL with CAN-SKIP-DATERANGES", "%s", "none");
}

static void r32(struct look *l)
{
    if (l->p->part_count) expect(l, true, 0, "", "%s", ""); /* broken ones are faults of the text */
}

/* PART tags further from the end than three target durations. */
static void r33(struct look *l)
{
    const struct hls_playlist *p = l->p;
    int64_t behind_us = 0;
    if (!p->part_count || p->target_us == HLS_ABSENT || p->is_ended) return;
    for (uint32_t i = 0; i < p->open.part_count; i++) behind_us += p->parts[p->open.first_part + i].duration_us;
    for (size_t i = p->segment_count; i-- > 0;) {
        const struct hls_segment *s = &p->segments[i];
        /* a segment's parts leave together: the whole of it must be further away */
        const bool is_old = behind_us > 3 * p->target_us;
        if (s->part_count)
            advise(l, !is_old, p->parts[s->first_part].line, "no PART tags older than 3 target durations",
                   "parts that end %.3f s before the end of the list", seconds(behind_us));
        behind_us += s->duration_us;
    }
}

static void r35(struct look *l)
{
    const struct hls_playlist *p = l->p;
    unsigned parts = 0, maps = 0;
    if (!p->part_inf_line || p->is_ended) return;
    for (size_t i = 0; i < p->hint_count; i++) {
        parts += !p->hints[i].is_map;
        maps += p->hints[i].is_map;
    }
    advise(l, parts <= 1 && maps <= 1, p->hint_count ? p->hints[0].line : 0, "one hint of a TYPE", "%u parts, %u maps",
           parts, maps);
}

static void r53(struct look *l)
{
    const struct hls_playlist *p = l->p;
    if (!p->skip_count) return;
    expect(l, p->skip_count == 1, p->skip_line, "EXT-X-SKIP once", "%u times", p->skip_count);
    expect(l, p->version >= 9, p->version_line, "EXT-X-VERSION from 9 on with EXT-X-SKIP", "%u", p->version);
}

static void r54(struct look *l)
{
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        if (!s->is_gap) continue;
        expect(l, true, 0, "", "%s", "");
        for (uint32_t k = 0; k < s->part_count; k++) {
            const struct hls_part *part = &l->p->parts[s->first_part + k];
            expect(l, part->is_gap, part->line, "GAP=YES for each part of a GAP segment", "none for %s", part->uri);
        }
    }
}

/* 4.4.3.6, 4.4.6.3 */
static void r55(struct look *l)
{
    const bool says = l->p->is_iframes_only;
    expect(l, says == l->list->is_iframes, 0,
           "EXT-X-I-FRAMES-ONLY where EXT-X-I-FRAME-STREAM-INF points, and only there", "%s",
           says ? "it in the list of a variant" : "none");
}

const struct rule_row list_rules[] = {
    { RULE_R2, r2, true },    { RULE_R3, r3, true },    { RULE_R5, r5, true },    { RULE_R10, r10, true },
    { RULE_R13, r13, true },  { RULE_R14, r14, true },  { RULE_R15, r15, true },  { RULE_R21, r21, true },
    { RULE_R24, r24, false }, { RULE_R25, r25, false }, { RULE_R26, r26, false }, { RULE_R27, r27, false },
    { RULE_R28, r28, false }, { RULE_R32, r32, false }, { RULE_R33, r33, false }, { RULE_R35, r35, false },
    { RULE_R53, r53, false }, { RULE_R54, r54, false }, { RULE_R55, r55, true },
};
const size_t list_rule_count = ARRAY_LEN(list_rules);
