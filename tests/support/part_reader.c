#include "part_reader.h"

#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void part_reader_init(struct part_reader *r, const char *label)
{
    memset(r, 0, sizeof *r);
    snprintf(r->label, sizeof r->label, "%s", label);
}

const struct part_seen *part_reader_find(const struct part_reader *r, uint64_t msn, uint32_t index)
{
    for (size_t i = r->count; i-- > 0;) {
        if (r->seen[i].msn == msn && r->seen[i].index == index) return &r->seen[i];
        if (r->seen[i].msn < msn) return NULL;
    }
    return NULL;
}

static const char *value_of(const char *line, const char *tag)
{
    const size_t bytes = strlen(tag);
    return strncmp(line, tag, bytes) ? NULL : line + bytes;
}

static int64_t us_of(const char *text)
{
    return (int64_t)(strtod(text, NULL) * 1e6 + 0.5);
}

/* An attribute of a tag's list; false: not there. Quotes are taken off. */
static bool attribute(const char *list, const char *name, char *out, size_t room)
{
    const size_t bytes = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += bytes) {
        if ((at != list && at[-1] != ',') || at[bytes] != '=') continue;
        const char *value = at + bytes + 1;
        const bool is_quoted = *value == '"';
        value += is_quoted;
        const size_t length = strcspn(value, is_quoted ? "\"" : ",");
        assert_true(length < room);
        memcpy(out, value, length);
        out[length] = 0;
        return true;
    }
    return false;
}

static int64_t seconds_attribute(const struct part_reader *r, const char *list, const char *name)
{
    char text[64];
    if (!attribute(list, name, text, sizeof text)) fail_msg("%s: %s is missing in %s", r->label, name, list);
    return us_of(text);
}

/* -- what must stay as it is (4.4.3.7, 4.4.3.8, 6.2.1) -- */

static void keep(const struct part_reader *r, char *first, size_t room, const char *now)
{
    if (!*first) snprintf(first, room, "%s", now);
    if (strcmp(first, now)) fail_msg("%s: \"%s\" became \"%s\"", r->label, first, now);
}

static void read_control(struct part_reader *r, const char *list)
{
    const char *rest = value_of(list, "CAN-BLOCK-RELOAD=YES,");
    const bool can_block = rest != NULL;
    if (!rest) rest = list;
    keep(r, r->control, sizeof r->control, rest);
    char text[64];
    r->skip_us = attribute(list, "CAN-SKIP-UNTIL", text, sizeof text) ? us_of(text) : 0;
    r->has_ended = !can_block;
}

static void check_terms(const struct part_reader *r, unsigned version, bool has_endlist)
{
    const int64_t hold_back_us = seconds_attribute(r, r->control, "HOLD-BACK"),
                  part_hold_back_us = seconds_attribute(r, r->control, "PART-HOLD-BACK");
    if (hold_back_us < 3 * r->target_us) fail_msg("%s: HOLD-BACK is short", r->label);
    if (part_hold_back_us < 2 * r->part_us) fail_msg("%s: PART-HOLD-BACK is short", r->label);
    if (r->skip_us && r->skip_us < 6 * r->target_us) fail_msg("%s: CAN-SKIP-UNTIL is short", r->label);
    if (version != (r->skip_us ? 9u : 7u)) fail_msg("%s: version %u", r->label, version);
    if (has_endlist != r->has_ended) fail_msg("%s: CAN-BLOCK-RELOAD and ENDLIST", r->label);
}

/* -- one version -- */

struct version {
    unsigned number;
    uint64_t msn;
    bool has_map, has_wall, has_endlist, has_uri;
    int64_t wall_us, sum_us; /* of the segment at hand: its time, and the parts so far */
    int64_t extinf_us;
    int64_t listed_us; /* all before the segment at hand, from the list's beginning */
    size_t part_hints, map_hints;
    /* parts of the segment at hand */
    struct part_seen parts[512];
    uint32_t part_count;
    /* where parts begin on the list's clock, to see how old they are */
    int64_t oldest_part_us;
    bool has_any_part;
};

static void check_part(const struct part_reader *r, const struct version *v, uint32_t index, bool is_last_of_segment)
{
    const struct part_seen *p = &v->parts[index];
    if (p->duration_us <= 0 || p->duration_us > r->part_us)
        fail_msg("%s: %s lasts %lld us, the target is %lld", r->label, p->uri, (long long)p->duration_us,
                 (long long)r->part_us);
    const bool precedes_gap = index + 1 < v->part_count && v->parts[index + 1].is_gap;
    if (p->is_independent || p->is_gap || precedes_gap || is_last_of_segment) return;
    if (p->duration_us * 100 < r->part_us * 85)
        fail_msg("%s: %s lasts %lld us, 85 %% of %lld are wanted (part %u of %u)", r->label, p->uri,
                 (long long)p->duration_us, (long long)r->part_us, index, v->part_count);
}

static void remember(struct part_reader *r, const struct part_seen *p)
{
    const struct part_seen *known = part_reader_find(r, p->msn, p->index);
    if (known) {
        if (strcmp(known->uri, p->uri) || known->duration_us != p->duration_us ||
            known->is_independent != p->is_independent || known->is_gap != p->is_gap)
            fail_msg("%s: part %llu.%u was %s (%lld us), is %s (%lld us)", r->label, (unsigned long long)p->msn,
                     p->index, known->uri, (long long)known->duration_us, p->uri, (long long)p->duration_us);
        return;
    }
    assert_true(r->count < PART_SEEN_MAX);
    r->seen[r->count++] = *p;
    r->fresh++;
    r->independent += p->is_independent;
    r->gaps += p->is_gap;
}

static void read_part(struct part_reader *r, struct version *v, const char *list)
{
    char text[64];
    /* what is said of the segment stands in front of its first part (4.4.4.9) */
    if (!v->has_wall || !v->has_map) fail_msg("%s: a part before its segment's time and init", r->label);
    assert_true(v->part_count < 512);
    struct part_seen *p = &v->parts[v->part_count];
    *p = (struct part_seen){ .msn = v->msn, .index = v->part_count };
    p->duration_us = seconds_attribute(r, list, "DURATION");
    assert_true(attribute(list, "URI", p->uri, sizeof p->uri));
    p->is_independent = attribute(list, "INDEPENDENT", text, sizeof text);
    p->is_gap = attribute(list, "GAP", text, sizeof text);
    if (!v->has_any_part) v->oldest_part_us = v->listed_us;
    v->has_any_part = true;
    v->part_count++;
    v->sum_us += p->duration_us;
    p->end_us = v->listed_us + v->sum_us;
}

static void end_segment(struct part_reader *r, struct version *v)
{
    for (uint32_t i = 0; i < v->part_count; i++) {
        check_part(r, v, i, i + 1 == v->part_count);
        remember(r, &v->parts[i]);
    }
    if (v->part_count && llabs(v->sum_us - v->extinf_us) > (int64_t)v->part_count + 1)
        fail_msg("%s: parts of number %llu last %lld us, it lasts %lld", r->label, (unsigned long long)v->msn,
                 (long long)v->sum_us, (long long)v->extinf_us);
    r->last_msn = v->msn;
    r->last_segment_parts = v->part_count;
    r->edge_wall_us = v->wall_us + v->extinf_us;
    v->listed_us += v->extinf_us;
    v->msn++;
    v->part_count = 0;
    v->sum_us = 0;
    v->has_wall = false;
}

static int64_t wall_of(const char *text)
{
    struct tm tm = { .tm_isdst = 0 };
    unsigned ms = 0;
    assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%d.%3u", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                            &tm.tm_min, &tm.tm_sec, &ms),
                     7);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return timegm(&tm) * 1000000LL + ms * 1000LL;
}

static void read_hint(struct part_reader *r, struct version *v, const char *list)
{
    char type[16], uri[64];
    assert_true(attribute(list, "TYPE", type, sizeof type) && attribute(list, "URI", uri, sizeof uri));
    const bool is_part = !strcmp(type, "PART");
    snprintf(is_part ? r->hint : r->init_hint, sizeof r->hint, "%s", uri);
    ++*(is_part ? &v->part_hints : &v->map_hints);
}

static void read_report(struct part_reader *r, const char *list)
{
    char text[64];
    assert_true(r->report_count < PART_REPORTS_MAX);
    struct part_report *p = &r->reports[r->report_count++];
    assert_true(attribute(list, "URI", p->uri, sizeof p->uri) && attribute(list, "LAST-MSN", text, sizeof text));
    if (*p->uri == '/' || strstr(p->uri, "://") || strchr(p->uri, '?'))
        fail_msg("%s: report of %s: not relative, or with a query", r->label, p->uri);
    p->last_msn = strtoull(text, NULL, 10);
    p->last_part = attribute(list, "LAST-PART", text, sizeof text) ? strtoll(text, NULL, 10) : -1;
    for (size_t i = 0; i + 1 < r->report_count; i++) {
        if (!strcmp(r->reports[i].uri, p->uri)) fail_msg("%s: %s is reported twice", r->label, p->uri);
    }
}

static void read_line(struct part_reader *r, struct version *v, const char *line)
{
    const char *value;
    if (*line && *line != '#') {
        end_segment(r, v);
    } else if ((value = value_of(line, "#EXT-X-VERSION:"))) {
        v->number = (unsigned)strtoul(value, NULL, 10);
    } else if ((value = value_of(line, "#EXT-X-TARGETDURATION:"))) {
        r->target_us = strtoll(value, NULL, 10) * 1000000;
    } else if ((value = value_of(line, "#EXT-X-SERVER-CONTROL:"))) {
        read_control(r, value);
    } else if ((value = value_of(line, "#EXT-X-PART-INF:PART-TARGET="))) {
        keep(r, r->part_inf, sizeof r->part_inf, value);
        r->part_us = us_of(value);
    } else if ((value = value_of(line, "#EXT-X-MEDIA-SEQUENCE:"))) {
        v->msn = r->first_msn = strtoull(value, NULL, 10);
    } else if (value_of(line, "#EXT-X-MAP:")) {
        v->has_map = true;
        if (v->part_count) fail_msg("%s: an init behind parts", r->label);
    } else if (!strcmp(line, "#EXT-X-DISCONTINUITY")) {
        if (v->part_count) fail_msg("%s: a discontinuity behind parts", r->label);
    } else if ((value = value_of(line, "#EXT-X-PROGRAM-DATE-TIME:"))) {
        if (v->part_count) fail_msg("%s: a time behind parts", r->label);
        v->wall_us = wall_of(value);
        v->has_wall = true;
    } else if ((value = value_of(line, "#EXT-X-PART:"))) {
        read_part(r, v, value);
    } else if ((value = value_of(line, "#EXTINF:"))) {
        v->extinf_us = us_of(value);
    } else if ((value = value_of(line, "#EXT-X-PRELOAD-HINT:"))) {
        read_hint(r, v, value);
    } else if ((value = value_of(line, "#EXT-X-RENDITION-REPORT:"))) {
        read_report(r, value);
    } else if (!strcmp(line, "#EXT-X-ENDLIST")) {
        v->has_endlist = true;
    }
}

static void each_line(struct part_reader *r, struct version *v, const char *text)
{
    char line[512];
    while (*text) {
        const size_t bytes = strcspn(text, "\n");
        assert_true(bytes < sizeof line);
        memcpy(line, text, bytes);
        line[bytes] = 0;
        read_line(r, v, line);
        text += bytes + (text[bytes] == '\n');
    }
}

/* -- delta updates (4.4.5.2, 6.2.5.1) -- */

static size_t count_of(const char *text, const char *end, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) && at < end; at += strlen(word)) n++;
    return n;
}

static void check_delta(struct part_reader *r, const char *full, const char *delta)
{
    const char *skip = strstr(delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=");
    r->skipped = 0;
    if (!skip) {
        if (strcmp(full, delta)) fail_msg("%s: a delta without SKIP is not the full list", r->label);
        return;
    }
    r->deltas++;
    r->skipped = strtoul(strchr(skip, '=') + 1, NULL, 10);
    const char *rest = strchr(skip, '\n') + 1;
    const size_t rest_bytes = strlen(rest), full_bytes = strlen(full);
    assert_true(r->skipped > 0 && rest_bytes < full_bytes);
    const char *tail = full + full_bytes - rest_bytes;
    if (strcmp(tail, rest)) fail_msg("%s: the delta does not end as the full list does", r->label);
    if (strncmp(full, delta, (size_t)(skip - delta))) fail_msg("%s: the delta's head differs", r->label);
    if (count_of(full, tail, "#EXTINF:") != r->skipped) fail_msg("%s: %zu segments skipped", r->label, r->skipped);
    /* the boundary: each that begins earlier than that before the end of the last whole segment, and no other */
    int64_t from_end_us = 0, last_skipped_us = 0, first_kept_us = 0;
    for (const char *at = full; (at = strstr(at, "#EXTINF:")); at++) from_end_us += us_of(at + 8);
    for (const char *at = full; (at = strstr(at, "#EXTINF:")); at++) {
        if (at < tail) last_skipped_us = from_end_us;
        if (at >= tail && !first_kept_us) first_kept_us = from_end_us;
        from_end_us -= us_of(at + 8);
    }
    if (last_skipped_us <= r->skip_us - 1000 || first_kept_us > r->skip_us + 1000)
        fail_msg("%s: skipped up to %lld us from the end, kept from %lld, boundary %lld", r->label,
                 (long long)last_skipped_us, (long long)first_kept_us, (long long)r->skip_us);
}

/* -- a version -- */

static void check_hint(struct part_reader *r, const char *hint_before, const struct version *v)
{
    if (r->has_ended ? v->part_hints + v->map_hints : v->part_hints > 1 || v->map_hints > 1)
        fail_msg("%s: %zu part and %zu init hints", r->label, v->part_hints, v->map_hints);
    for (size_t i = r->count > 256 ? r->count - 256 : 0; i < r->count; i++) {
        if (*r->hint && !strcmp(r->seen[i].uri, r->hint)) fail_msg("%s: %s is hinted and listed", r->label, r->hint);
    }
    if (!*hint_before || !strcmp(hint_before, r->hint)) return;
    /* gone: it came, and was the next one; or it was withdrawn */
    for (size_t i = r->count - r->fresh; i < r->count; i++) {
        if (strcmp(r->seen[i].uri, hint_before)) continue;
        r->hints_kept++;
        return;
    }
    r->hints_withdrawn++;
}

static int by_uri(const void *a, const void *b)
{
    return strcmp(((const struct part_seen *)a)->uri, ((const struct part_seen *)b)->uri);
}

void part_reader_finish(struct part_reader *r)
{
    qsort(r->seen, r->count, sizeof *r->seen, by_uri);
    for (size_t i = 1; i < r->count; i++) {
        if (!strcmp(r->seen[i - 1].uri, r->seen[i].uri)) fail_msg("%s: %s names two parts", r->label, r->seen[i].uri);
    }
}

void part_reader_read(struct part_reader *r, const char *full, const char *delta)
{
    static struct version v;
    char hint_before[64];
    memset(&v, 0, sizeof v);
    memcpy(hint_before, r->hint, sizeof hint_before);
    r->hint[0] = r->init_hint[0] = 0;
    r->report_count = 0;
    r->fresh = 0;
    each_line(r, &v, full);
    if (!*r->control || !*r->part_inf) fail_msg("%s: no SERVER-CONTROL or PART-INF", r->label);
    /* what is left is the open segment */
    for (uint32_t i = 0; i < v.part_count; i++) {
        check_part(r, &v, i, false);
        remember(r, &v.parts[i]);
    }
    r->open_parts = v.part_count;
    if (v.part_count) r->edge_wall_us = v.wall_us + v.sum_us;
    if (v.has_endlist && v.part_count) fail_msg("%s: ended in the middle of a segment", r->label);
    if (v.has_any_part && v.listed_us + v.sum_us - v.oldest_part_us > 3 * r->target_us + 1000)
        fail_msg("%s: parts older than three target durations", r->label);
    check_terms(r, v.number, v.has_endlist);
    check_hint(r, hint_before, &v);
    check_delta(r, full, delta);
}
