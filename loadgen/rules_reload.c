/* Rules between two versions of a media playlist, and against all that was seen of it. */
#include <string.h>

#include "check_internal.h"

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static void r4(struct look *l)
{
    if (l->p->target_us == HLS_ABSENT) return;
    if (l->list->target_us != HLS_ABSENT)
        expect(l, l->p->target_us == l->list->target_us, l->p->target_line, "the target duration as it was",
               "%.0f s, before %.0f s", seconds(l->p->target_us), seconds(l->list->target_us));
    for (unsigned i = 0; i < l->c->list_count; i++) {
        const struct seen_list *other = l->c->lists[i];
        if (other == l->list || other->target_us == HLS_ABSENT || other->is_subtitles || l->list->is_subtitles)
            continue;
        expect(l, l->p->target_us == other->target_us, l->p->target_line, "one target duration in all playlists",
               "%.0f s, and %.0f s in %s", seconds(l->p->target_us), seconds(other->target_us), other->url);
    }
}

static uint64_t end_of(const struct hls_playlist *p)
{
    return p->media_sequence + p->skipped + p->segment_count;
}

static void r5(struct look *l)
{
    if (!l->old || l->p->skip_count) return;
    expect(l, l->p->media_sequence >= l->old->media_sequence, l->p->sequence_line, "a number that does not go down",
           "%llu behind %llu", (unsigned long long)l->p->media_sequence, (unsigned long long)l->old->media_sequence);
    if (!l->p->segment_count) return;
    for (size_t i = 0; i < l->old->segment_count; i++) {
        const struct hls_range *was = &l->old->segments[i].range, *is = &l->p->segments[0].range;
        if (strcmp(l->old->segments[i].uri, l->p->segments[0].uri) || was->first != is->first) continue;
        const uint64_t expected = l->old->segments[i].msn;
        expect(l, l->p->media_sequence == expected, l->p->sequence_line, "up by one for each URI that was removed",
               "%llu with %zu removed from %llu", (unsigned long long)l->p->media_sequence, i,
               (unsigned long long)l->old->media_sequence);
        return;
    }
    /* the first URI is a new one: then all old numbers must be over */
    expect(l, l->p->media_sequence >= end_of(l->old), l->p->segments[0].line, "old numbers for old segments alone",
           "a new first URI %s with number %llu, which was taken", l->p->segments[0].uri,
           (unsigned long long)l->p->media_sequence);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static void compare_segment(struct look *l, const struct seen_segment *known, const struct hls_segment *s)
{
    if (known->uri) {
        expect(l, same_text(known->uri, s->uri), s->line, "the URI that the number had", "%s, before %s", s->uri,
               known->uri);
        expect(l, known->duration_us == s->duration_us, s->line, "the EXTINF that the number had", "%.6f, before %.6f",
               seconds(s->duration_us), seconds(known->duration_us));
        expect(l, known->is_gap == s->is_gap, s->line, "EXT-X-GAP as it was", "%d, before %d", s->is_gap,
               known->is_gap);
    }
    if (known->map_uri && s->map)
        expect(l, !strcmp(known->map_uri, s->map->uri), s->map->line, "the EXT-X-MAP that the number had",
               "%s, before %s", s->map->uri, known->map_uri);
    if (known->has_wall && s->has_wall)
        expect(l, known->wall_us == s->wall_us, s->line, "the PROGRAM-DATE-TIME that the number had",
               "%.3f s away from what it was", seconds(s->wall_us - known->wall_us));
}

static void r6(struct look *l)
{
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        const struct seen_segment *known = list_segment(l->list, s->msn);
        if (!known) continue;
        /* a MAP inside the skipped part of a delta is not repeated */
        compare_segment(l, known, s);
        for (uint32_t k = 0; k < s->part_count; k++) {
            const struct hls_part *part = &l->p->parts[s->first_part + k];
            for (uint32_t m = 0; m < known->part_count; m++) {
                const struct seen_part *seen = &known->parts[m];
                if (strcmp(seen->uri, part->uri) || seen->range.first != part->range.first) continue;
                expect(l, seen->duration_us == part->duration_us && seen->is_independent == part->is_independent,
                       part->line, "the part as it was listed", "DURATION %.6f, before %.6f",
                       seconds(part->duration_us), seconds(seen->duration_us));
            }
        }
    }
}

static void r7(struct look *l)
{
    uint64_t msn;
    uint32_t parts;
    if (!l->list->has_edge || !hls_playlist_edge(l->p, &msn, &parts)) return;
    const bool goes_on = msn + 1 > l->list->last_msn + 1 || (msn == l->list->last_msn && parts >= l->list->open_parts);
    expect(l, goes_on || l->p->is_ended, 0, "a list that ends where it did, or later",
           "the last is %llu and %u parts, before %llu and %u", (unsigned long long)msn, parts,
           (unsigned long long)l->list->last_msn, l->list->open_parts);
    /* parts of a segment that was open: those that were listed come first in it, in the same order */
    const struct seen_segment *open = list_segment(l->list, l->list->last_msn + 1);
    if (!open || !open->part_count || l->p->skip_count) return;
    const struct hls_segment *listed = l->p->open.msn == open->msn ? &l->p->open : NULL;
    for (size_t i = 0; i < l->p->segment_count && !listed; i++) {
        if (l->p->segments[i].msn == open->msn) listed = &l->p->segments[i];
    }
    for (uint32_t i = 0; listed && listed->part_count >= open->part_count && i < open->part_count; i++) {
        const struct hls_part *part = &l->p->parts[listed->first_part + i];
        expect(l, !strcmp(part->uri, open->parts[i].uri), part->line, "the parts in their order", "%s, before %s",
               part->uri, open->parts[i].uri);
    }
}

static void r8(struct look *l)
{
    if (!l->old || l->p->skip_count || l->p->target_us == HLS_ABSENT || l->p->is_ended) return;
    const bool has_removed = l->p->media_sequence > l->old->media_sequence;
    const int64_t duration_us = hls_playlist_duration_us(l->p);
    if (!has_removed) return;
    expect(l, duration_us >= 3 * l->p->target_us, l->p->sequence_line, "three target durations left after removing",
           "%.3f s, target %.0f s", seconds(duration_us), seconds(l->p->target_us));
}

/* The earliest time at which the new things of this answer can have appeared. */
static int64_t appeared_us(const struct look *l)
{
    if (l->asked->has_msn) return l->a->first_byte_us;
    return l->list->sent_us == UNKNOWN_US ? l->a->first_byte_us : l->list->sent_us;
}

static void r9(struct look *l)
{
    uint64_t msn;
    uint32_t parts;
    if (!l->list->has_edge || l->list->segment_us == UNKNOWN_US || l->list->target_us == HLS_ABSENT) return;
    if (!hls_playlist_edge(l->p, &msn, &parts) || msn == l->list->last_msn) return;
    if (l->list->edge_count < 2 && !l->asked->has_msn) return; /* when the first segment came is not known */
    const int64_t waited_us = appeared_us(l) - l->list->segment_us;
    const int64_t most_us = l->list->target_us * 3 / 2 + l->c->config.tolerance_us;
    expect(l, waited_us <= most_us || l->p->is_ended, 0, "a new segment within 1.5 target durations",
           "%.3f s, target %.0f s", seconds(waited_us), seconds(l->list->target_us));
}

static void r11(struct look *l)
{
    if (l->old && !l->p->skip_count) {
        expect(l, l->p->discontinuity_sequence >= l->old->discontinuity_sequence, l->p->discontinuity_line,
               "a number that does not go down", "%llu behind %llu", (unsigned long long)l->p->discontinuity_sequence,
               (unsigned long long)l->old->discontinuity_sequence);
        bool is_tag_gone = false;
        for (size_t i = 0; i < l->old->segment_count; i++) {
            const struct hls_segment *s = &l->old->segments[i];
            is_tag_gone |= s->has_discontinuity && s->msn < l->p->media_sequence;
        }
        if (is_tag_gone)
            expect(l, l->p->discontinuity_line > 0, 0, "EXT-X-DISCONTINUITY-SEQUENCE where discontinuities are removed",
                   "%s", "none");
    }
    if (l->p->skip_count) return; /* a tag inside the skipped part is not counted by who reads the delta alone */
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        const struct seen_segment *known = list_segment(l->list, s->msn);
        if (!known || !known->uri) continue;
        expect(l, known->dsn == s->dsn, s->line, "the discontinuity sequence number that the segment had",
               "%llu, before %llu", (unsigned long long)s->dsn, (unsigned long long)known->dsn);
    }
}

/* 6.2.1: what may change in a list is listed there, and this tag is not. */
static void r20(struct look *l)
{
    if (!l->old || l->p->skip_count) return;
    advise(l, l->p->is_independent == l->old->is_independent, 0, "EXT-X-INDEPENDENT-SEGMENTS as it was", "%s",
           l->p->is_independent ? "added" : "taken back");
}

static void r21(struct look *l)
{
    if (!l->list->is_ended) return;
    expect(l, l->p->is_ended, 0, "EXT-X-ENDLIST for good", "%s", "it is gone again");
    expect(l, list_text_hash(l->a) == l->list->text_hash, 0, "an ended list that stays as it is", "%s", "other bytes");
}

static void r24(struct look *l)
{
    if (l->list->part_target_us == HLS_ABSENT || l->p->part_target_us == HLS_ABSENT) return;
    expect(l, l->p->part_target_us == l->list->part_target_us, l->p->part_inf_line, "PART-TARGET as it was",
           "%.6f s, before %.6f s", seconds(l->p->part_target_us), seconds(l->list->part_target_us));
}

static void r27(struct look *l)
{
    if (l->list->part_hold_back_us == HLS_ABSENT || l->p->is_ended) return;
    expect(l, l->p->control.part_hold_back_us == l->list->part_hold_back_us, l->p->control.line,
           "PART-HOLD-BACK as it was", "%.6f s, before %.6f s", seconds(l->p->control.part_hold_back_us),
           seconds(l->list->part_hold_back_us));
}

static void r34(struct look *l)
{
    uint64_t msn;
    uint32_t parts;
    if (!l->list->has_edge || l->list->part_us == UNKNOWN_US || l->list->part_target_us == HLS_ABSENT) return;
    if (l->p->is_ended || !l->p->part_count || !hls_playlist_edge(l->p, &msn, &parts)) return;
    if (msn == l->list->last_msn && parts == l->list->open_parts) return;
    if (l->list->edge_count < 2) return; /* when the first one came is not known */
    const int64_t waited_us = appeared_us(l) - l->list->part_us;
    expect(l, waited_us <= l->list->part_target_us + l->c->config.tolerance_us, 0, "a new part within PART-TARGET",
           "%.3f s, PART-TARGET %.3f s", seconds(waited_us), seconds(l->list->part_target_us));
}

/* What comes next need not be foretold where the stream broke off. */
static void expect_hinted(struct look *l, const struct hls_segment *listed, const struct hls_part *part,
                          bool was_closed)
{
    const struct hls_segment *before = l->old->segment_count ? &l->old->segments[l->old->segment_count - 1] : NULL;
    if (!l->old->part_inf_line || part->is_gap || (before && before->is_gap)) return;
    if (was_closed || listed->first_part == (uint32_t)(part - l->p->parts))
        advise(l, false, part->line, "a hint in front of each part", "%s was not hinted", part->uri);
    else
        expect(l, false, part->line, "EXT-X-PRELOAD-HINT:TYPE=PART in front of each part", "%s was not hinted",
               part->uri);
}

/* The part that was hinted is the next one listed, unless the plan changed: a discontinuity, or an end. */
static void r35(struct look *l)
{
    const struct hls_playlist *old = l->old;
    const char *hinted = NULL;
    if (!old || l->p->is_ended || l->p->skip_count) return;
    for (size_t i = 0; i < old->hint_count; i++) {
        if (!old->hints[i].is_map) hinted = old->hints[i].uri;
    }
    if (!hinted && !old->part_count) return;
    const uint64_t msn = old->open.msn; /* the segment that was open, or would be */
    const struct hls_segment *listed = l->p->open.msn == msn ? &l->p->open : NULL;
    uint32_t index = old->open.part_count;
    bool was_closed = false;
    for (size_t i = 0; i < l->p->segment_count; i++) {
        const struct hls_segment *s = &l->p->segments[i];
        if (s->msn == msn) listed = s;
        /* the open segment was closed without another part: the hint meant the first of the next */
        if (listed && s->msn == msn && s->part_count == index) {
            listed = i + 1 < l->p->segment_count ? &l->p->segments[i + 1] : &l->p->open;
            index = 0;
            was_closed = true;
            break;
        }
    }
    if (!listed || listed->part_count <= index || listed->has_discontinuity) return;
    const struct hls_part *part = &l->p->parts[listed->first_part + index];
    if (!hinted) {
        expect_hinted(l, listed, part, was_closed);
        return;
    }
    const bool is_true = !strcmp(part->uri, hinted);
    if (was_closed) /* a segment may end where the server did not foresee it (6.2.6) */
        advise(l, is_true, part->line, "the part that was hinted", "%s, hinted was %s", part->uri, hinted);
    else
        expect(l, is_true, part->line, "the part that was hinted", "%s, hinted was %s", part->uri, hinted);
}

/* The same version twice: the same bytes. */
static void r46(struct look *l)
{
    uint64_t msn;
    uint32_t parts;
    if (!l->old || l->p->skip_count || !hls_playlist_edge(l->p, &msn, &parts)) return;
    uint64_t old_msn;
    uint32_t old_parts;
    if (!hls_playlist_edge(l->old, &old_msn, &old_parts)) return;
    const bool is_same = msn == old_msn && parts == old_parts && l->p->is_ended == l->old->is_ended &&
                         l->p->media_sequence == l->old->media_sequence;
    if (!is_same) return;
    /* what other renditions have reached may be said anew; all else makes two versions of one */
    expect(l, list_text_hash(l->a) == l->list->text_hash, 0, "equal bytes for an equal version, reports aside", "%s",
           "other bytes");
}

const struct rule_row reload_rules[] = {
    { RULE_R4, r4, true },    { RULE_R5, r5, true },    { RULE_R6, r6, true },    { RULE_R7, r7, true },
    { RULE_R8, r8, true },    { RULE_R9, r9, true },    { RULE_R11, r11, true },  { RULE_R20, r20, true },
    { RULE_R21, r21, true },  { RULE_R24, r24, false }, { RULE_R27, r27, false }, { RULE_R34, r34, false },
    { RULE_R35, r35, false }, { RULE_R46, r46, true },
};
const size_t reload_rule_count = ARRAY_LEN(reload_rules);
