/* Media playlists. One handler per tag; the parser walks lines and asks a table. */
#include <weir/loadgen/hls_playlist.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "hls_internal.h"
#include "hls_text.h"

struct parser {
    struct hls_playlist *p;
    unsigned line;
    /* what stands in front of the next URI */
    struct hls_segment next;
    bool has_extinf, has_range;
    unsigned extinf_line;
    uint64_t dsn;
    bool is_encrypted;
    const struct hls_map *map;
    /* a BYTERANGE without an offset goes on where the one before it, of the same resource, ended (4.4.4.2) */
    struct hls_range pending_range;
    const char *segment_uri_before, *part_uri_before;
    uint64_t segment_range_end, part_range_end;
    bool needs_offset;
};

static void fault(struct parser *s, enum hls_fault_kind kind, const char *tag, const char *text)
{
    hls_fault_add(&s->p->faults, kind, s->line, tag, text);
}

static void need_version(struct parser *s, uint32_t version, const char *reason)
{
    if (version <= s->p->version_needed) return;
    s->p->version_needed = version;
    s->p->version_reason = reason;
}

static bool has_begun(const struct parser *s)
{
    return s->p->segment_count > 0 || s->p->skip_count > 0 || s->p->part_count > 0 || s->has_extinf;
}

/* Says where a tag stands that may stand once. */
static bool note_once(struct parser *s, unsigned *line, const char *tag)
{
    if (*line) {
        fault(s, HLS_FAULT_DUPLICATE, tag, "stands twice");
        return false;
    }
    *line = s->line;
    return true;
}

/* "n[@o]" */
static bool read_range(char *value, uint64_t *bytes, uint64_t *first, bool *has_first)
{
    char *at = strchr(value, '@');
    if (at) *at = 0;
    *has_first = at != NULL;
    return hls_read_integer(value, bytes) && (!at || hls_read_integer(at + 1, first));
}

static bool read_seconds(struct parser *s, const char *value, int64_t *out_us, const char *tag)
{
    if (hls_read_seconds(value, out_us)) return true;
    fault(s, HLS_FAULT_VALUE, tag, value);
    return false;
}

/* -- tags of the whole list -- */

static void on_version(struct parser *s, char *value)
{
    uint64_t v;
    if (!note_once(s, &s->p->version_line, "EXT-X-VERSION")) return;
    if (hls_read_integer(value, &v) && v >= 1 && v < 1000)
        s->p->version = (uint32_t)v;
    else
        fault(s, HLS_FAULT_VALUE, "EXT-X-VERSION", value);
}

static void on_target(struct parser *s, char *value)
{
    uint64_t v;
    if (!note_once(s, &s->p->target_line, "EXT-X-TARGETDURATION")) return;
    if (hls_read_integer(value, &v) && v >= 1 && v < 1000000)
        s->p->target_us = (int64_t)v * 1000000;
    else
        fault(s, HLS_FAULT_VALUE, "EXT-X-TARGETDURATION", value);
}

static void on_sequence(struct parser *s, char *value)
{
    if (!note_once(s, &s->p->sequence_line, "EXT-X-MEDIA-SEQUENCE")) return;
    if (has_begun(s)) { /* what was numbered keeps its number */
        fault(s, HLS_FAULT_ORDER, "EXT-X-MEDIA-SEQUENCE", "behind the first segment");
        return;
    }
    if (!hls_read_integer(value, &s->p->media_sequence)) fault(s, HLS_FAULT_VALUE, "EXT-X-MEDIA-SEQUENCE", value);
}

static void on_discontinuity_sequence(struct parser *s, char *value)
{
    if (!note_once(s, &s->p->discontinuity_line, "EXT-X-DISCONTINUITY-SEQUENCE")) return;
    if (has_begun(s) || s->next.has_discontinuity) {
        fault(s, HLS_FAULT_ORDER, "EXT-X-DISCONTINUITY-SEQUENCE", "behind the first segment or discontinuity");
        return;
    }
    if (!hls_read_integer(value, &s->p->discontinuity_sequence))
        fault(s, HLS_FAULT_VALUE, "EXT-X-DISCONTINUITY-SEQUENCE", value);
    s->dsn = s->p->discontinuity_sequence;
}

static void on_type(struct parser *s, char *value)
{
    if (!note_once(s, &s->p->type_line, "EXT-X-PLAYLIST-TYPE")) return;
    s->p->type = !strcmp(value, "EVENT") ? HLS_TYPE_EVENT : !strcmp(value, "VOD") ? HLS_TYPE_VOD : HLS_TYPE_NONE;
    if (s->p->type == HLS_TYPE_NONE) fault(s, HLS_FAULT_ENUM, "EXT-X-PLAYLIST-TYPE", value);
}

static void on_independent(struct parser *s, char *value)
{
    if (s->p->is_independent) fault(s, HLS_FAULT_DUPLICATE, "EXT-X-INDEPENDENT-SEGMENTS", "stands twice");
    s->p->is_independent = true;
}

static void on_iframes_only(struct parser *s, char *value)
{
    s->p->is_iframes_only = true;
    need_version(s, 4, "EXT-X-I-FRAMES-ONLY");
}

static void on_endlist(struct parser *s, char *value)
{
    if (s->p->is_ended) fault(s, HLS_FAULT_DUPLICATE, "EXT-X-ENDLIST", "stands twice");
    s->p->is_ended = true;
}

static void on_part_inf(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-PART-INF";
    struct hls_attribute a;
    enum hls_attributes more;
    if (!note_once(s, &s->p->part_inf_line, tag)) return;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "PART-TARGET")) read_seconds(s, a.value, &s->p->part_target_us, tag);
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (s->p->part_target_us == HLS_ABSENT) fault(s, HLS_FAULT_MISSING, tag, "no PART-TARGET");
}

static void on_server_control(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-SERVER-CONTROL";
    struct hls_server_control *c = &s->p->control;
    struct hls_attribute a;
    enum hls_attributes more;
    if (!note_once(s, &c->line, tag)) return;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "CAN-BLOCK-RELOAD"))
            c->can_block_reload = hls_read_yes(&s->p->faults, a.value, s->line, tag);
        else if (!strcmp(a.name, "CAN-SKIP-DATERANGES"))
            c->can_skip_dateranges = hls_read_yes(&s->p->faults, a.value, s->line, tag);
        else if (!strcmp(a.name, "CAN-SKIP-UNTIL"))
            read_seconds(s, a.value, &c->can_skip_until_us, tag);
        else if (!strcmp(a.name, "HOLD-BACK"))
            read_seconds(s, a.value, &c->hold_back_us, tag);
        else if (!strcmp(a.name, "PART-HOLD-BACK"))
            read_seconds(s, a.value, &c->part_hold_back_us, tag);
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
}

static void on_skip(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-SKIP";
    struct hls_attribute a;
    enum hls_attributes more;
    bool has_count = false;
    need_version(s, 9, tag);
    s->p->skip_count++;
    if (!note_once(s, &s->p->skip_line, tag)) return;
    if (s->p->segment_count || s->p->part_count) {
        fault(s, HLS_FAULT_ORDER, tag, "behind the first segment");
        return;
    }
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "SKIPPED-SEGMENTS")) has_count = hls_read_integer(a.value, &s->p->skipped);
        if (!strcmp(a.name, "RECENTLY-REMOVED-DATERANGES")) need_version(s, 10, "RECENTLY-REMOVED-DATERANGES");
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!has_count) fault(s, HLS_FAULT_MISSING, tag, "no readable SKIPPED-SEGMENTS");
}

static void on_hint(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-PRELOAD-HINT";
    struct hls_hint h = { .line = s->line };
    struct hls_attribute a;
    enum hls_attributes more;
    bool has_type = false;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "TYPE")) {
            has_type = true;
            h.is_map = !strcmp(a.value, "MAP");
            if (!h.is_map && strcmp(a.value, "PART")) fault(s, HLS_FAULT_ENUM, tag, a.value);
        } else if (!strcmp(a.name, "URI")) {
            h.uri = a.value;
        } else if (!strcmp(a.name, "BYTERANGE-START")) {
            if (!hls_read_integer(a.value, &h.first)) fault(s, HLS_FAULT_VALUE, tag, a.value);
        } else if (!strcmp(a.name, "BYTERANGE-LENGTH")) {
            h.has_length = hls_read_integer(a.value, &h.length);
            if (!h.has_length) fault(s, HLS_FAULT_VALUE, tag, a.value);
        }
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!h.uri || !has_type)
        fault(s, HLS_FAULT_MISSING, tag, "no TYPE or no URI");
    else if (s->p->hint_count < ARRAY_LEN(s->p->hints))
        s->p->hints[s->p->hint_count++] = h;
    else
        fault(s, HLS_FAULT_DUPLICATE, tag, "too many hints");
}

static void on_report(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-RENDITION-REPORT";
    struct hls_report r = { .line = s->line };
    struct hls_attribute a;
    enum hls_attributes more;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        bool is_readable = true;
        if (!strcmp(a.name, "URI"))
            r.uri = a.value;
        else if (!strcmp(a.name, "LAST-MSN"))
            is_readable = r.has_msn = hls_read_integer(a.value, &r.last_msn);
        else if (!strcmp(a.name, "LAST-PART"))
            is_readable = r.has_part = hls_read_integer(a.value, &r.last_part);
        if (!is_readable) fault(s, HLS_FAULT_VALUE, tag, a.value);
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!r.uri)
        fault(s, HLS_FAULT_MISSING, tag, "no URI");
    else
        s->p->reports[s->p->report_count++] = r;
}

/* -- tags of the next segment -- */

static void check_place(struct parser *s, const char *tag)
{
    if (s->next.part_count) fault(s, HLS_FAULT_PLACE, tag, "behind a PART of its segment");
}

static void on_extinf(struct parser *s, char *value)
{
    if (s->has_extinf) fault(s, HLS_FAULT_DUPLICATE, "EXTINF", "twice before one URI");
    s->has_extinf = true;
    s->extinf_line = s->line;
    value[strcspn(value, ",")] = 0;
    if (strchr(value, '.')) need_version(s, 3, "EXTINF with fraction");
    read_seconds(s, value, &s->next.duration_us, "EXTINF");
}

static void on_byterange(struct parser *s, char *value)
{
    bool has_first = false;
    need_version(s, 4, "EXT-X-BYTERANGE");
    s->pending_range = (struct hls_range){ .is_set = true };
    s->has_range = read_range(value, &s->pending_range.bytes, &s->pending_range.first, &has_first);
    s->needs_offset = !has_first;
    if (!s->has_range) fault(s, HLS_FAULT_VALUE, "EXT-X-BYTERANGE", value);
}

static void on_discontinuity(struct parser *s, char *value)
{
    check_place(s, "EXT-X-DISCONTINUITY");
    if (s->next.has_discontinuity) fault(s, HLS_FAULT_DUPLICATE, "EXT-X-DISCONTINUITY", "twice before one URI");
    s->next.has_discontinuity = true;
    s->dsn++;
}

static void on_gap(struct parser *s, char *value)
{
    s->next.is_gap = true;
}

static void on_date(struct parser *s, char *value)
{
    check_place(s, "EXT-X-PROGRAM-DATE-TIME");
    s->next.has_wall = hls_read_date(value, &s->next.wall_us, &s->next.has_zone);
    if (!s->next.has_wall) fault(s, HLS_FAULT_VALUE, "EXT-X-PROGRAM-DATE-TIME", value);
}

static void on_key(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-KEY";
    struct hls_attribute a;
    enum hls_attributes more;
    check_place(s, tag);
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "METHOD")) s->is_encrypted = strcmp(a.value, "NONE") != 0;
        if (!strcmp(a.name, "IV")) need_version(s, 2, "EXT-X-KEY IV");
        if (!strcmp(a.name, "KEYFORMAT") || !strcmp(a.name, "KEYFORMATVERSIONS")) need_version(s, 5, "KEYFORMAT");
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
}

static void on_map(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-MAP";
    struct hls_map m = { .line = s->line };
    struct hls_attribute a;
    enum hls_attributes more;
    bool has_first = false;
    check_place(s, tag);
    need_version(s, s->p->is_iframes_only ? 5 : 6, tag);
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) {
        if (!strcmp(a.name, "URI")) m.uri = a.value;
        if (!strcmp(a.name, "BYTERANGE")) {
            char text[64];
            snprintf(text, sizeof text, "%s", a.value);
            m.range.is_set = read_range(text, &m.range.bytes, &m.range.first, &has_first);
            if (!m.range.is_set) fault(s, HLS_FAULT_VALUE, tag, a.value);
        }
    }
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!m.uri) {
        fault(s, HLS_FAULT_MISSING, tag, "no URI");
        return;
    }
    s->p->maps[s->p->map_count] = m;
    s->map = &s->p->maps[s->p->map_count++];
}

/* 4.4.4.9: without an offset, the range begins where the one before it of the same resource ended. */
static void place_range(struct hls_range *range, bool needs_offset, const char *uri, const char **before, uint64_t *end)
{
    if (range->is_set && needs_offset && *before && !strcmp(*before, uri)) range->first = *end;
    *before = uri;
    *end = range->is_set ? range->first + range->bytes : 0;
}

static void read_part_attribute(struct parser *s, struct hls_part *part, const struct hls_attribute *a, bool *has_first)
{
    static const char tag[] = "EXT-X-PART";
    if (!strcmp(a->name, "URI")) {
        part->uri = a->value;
    } else if (!strcmp(a->name, "DURATION")) {
        read_seconds(s, a->value, &part->duration_us, tag);
    } else if (!strcmp(a->name, "INDEPENDENT")) {
        part->is_independent = hls_read_yes(&s->p->faults, a->value, s->line, tag);
    } else if (!strcmp(a->name, "GAP")) {
        part->is_gap = hls_read_yes(&s->p->faults, a->value, s->line, tag);
    } else if (!strcmp(a->name, "BYTERANGE")) {
        char text[64];
        snprintf(text, sizeof text, "%s", a->value);
        part->range.is_set = read_range(text, &part->range.bytes, &part->range.first, has_first);
        if (!part->range.is_set) fault(s, HLS_FAULT_VALUE, tag, a->value);
    }
}

static void on_part(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-PART";
    struct hls_part part = { .line = s->line, .duration_us = HLS_ABSENT };
    struct hls_attribute a;
    enum hls_attributes more;
    bool has_first = false;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT)
        read_part_attribute(s, &part, &a, &has_first);
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!part.uri || part.duration_us == HLS_ABSENT) {
        fault(s, HLS_FAULT_MISSING, tag, "no URI or no DURATION");
        return;
    }
    place_range(&part.range, !has_first, part.uri, &s->part_uri_before, &s->part_range_end);
    if (!s->next.part_count) s->next.first_part = (uint32_t)s->p->part_count;
    s->next.part_count++;
    s->p->parts[s->p->part_count++] = part;
}

static void on_define(struct parser *s, char *value)
{
    need_version(s, strstr(value, "QUERYPARAM") ? 11 : 8, "EXT-X-DEFINE");
}

static const struct {
    const char *tag;
    void (*read)(struct parser *s, char *value);
} handlers[] = {
    { "#EXTINF", on_extinf },
    { "#EXT-X-PART", on_part },
    { "#EXT-X-PROGRAM-DATE-TIME", on_date },
    { "#EXT-X-DISCONTINUITY", on_discontinuity },
    { "#EXT-X-MAP", on_map },
    { "#EXT-X-GAP", on_gap },
    { "#EXT-X-BYTERANGE", on_byterange },
    { "#EXT-X-KEY", on_key },
    { "#EXT-X-VERSION", on_version },
    { "#EXT-X-TARGETDURATION", on_target },
    { "#EXT-X-MEDIA-SEQUENCE", on_sequence },
    { "#EXT-X-DISCONTINUITY-SEQUENCE", on_discontinuity_sequence },
    { "#EXT-X-PLAYLIST-TYPE", on_type },
    { "#EXT-X-INDEPENDENT-SEGMENTS", on_independent },
    { "#EXT-X-I-FRAMES-ONLY", on_iframes_only },
    { "#EXT-X-ENDLIST", on_endlist },
    { "#EXT-X-PART-INF", on_part_inf },
    { "#EXT-X-SERVER-CONTROL", on_server_control },
    { "#EXT-X-SKIP", on_skip },
    { "#EXT-X-PRELOAD-HINT", on_hint },
    { "#EXT-X-RENDITION-REPORT", on_report },
    { "#EXT-X-DEFINE", on_define },
};

static uint64_t next_msn(const struct hls_playlist *p)
{
    return p->media_sequence + p->skipped + p->segment_count;
}

/* What is known when the segment's tags are all read. */
static void fill(struct parser *s)
{
    s->next.msn = next_msn(s->p);
    s->next.dsn = s->dsn;
    s->next.map = s->map;
    s->next.is_encrypted = s->is_encrypted;
    s->next.line = s->line;
}

static void on_uri(struct parser *s, const char *uri)
{
    if (!s->has_extinf) fault(s, HLS_FAULT_MISSING, "EXTINF", "a URI without EXTINF");
    fill(s);
    s->next.uri = uri;
    s->next.range = s->has_range ? s->pending_range : (struct hls_range){ .is_set = false };
    place_range(&s->next.range, s->needs_offset, uri, &s->segment_uri_before, &s->segment_range_end);
    s->p->segments[s->p->segment_count++] = s->next;
    s->next = (struct hls_segment){ .msn = 0 };
    s->has_extinf = s->has_range = false;
}

static void read_line(struct parser *s, char *line)
{
    if (!*line) return;
    if (line[0] != '#') {
        on_uri(s, line);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        char *value = hls_tag_value(line, handlers[i].tag);
        if (!value) continue;
        handlers[i].read(s, value);
        return;
    }
}

/* One array entry per line is enough for each of them, and the lines are counted. */
static bool make_room(struct hls_playlist *p, size_t lines)
{
    p->segments = calloc(lines, sizeof *p->segments);
    p->parts = calloc(lines, sizeof *p->parts);
    p->maps = calloc(lines, sizeof *p->maps);
    p->reports = calloc(lines, sizeof *p->reports);
    return p->segments && p->parts && p->maps && p->reports;
}

enum weir_err hls_playlist_parse(const char *text, size_t bytes, struct hls_playlist **out)
{
    size_t lines;
    struct hls_playlist *p = calloc(1, sizeof *p);
    if (!p) return WEIR_NOMEM;
    p->text = hls_text_copy(text, bytes, &lines);
    if (!p->text || lines > LOADGEN_LINES_MAX || !make_room(p, lines)) {
        const enum weir_err err = p->text && lines > LOADGEN_LINES_MAX ? WEIR_LIMIT : WEIR_NOMEM;
        hls_playlist_destroy(p);
        return err;
    }
    p->version_needed = 1;
    p->version_reason = "nothing";
    p->target_us = p->part_target_us = HLS_ABSENT;
    p->control = (struct hls_server_control){ .can_skip_until_us = HLS_ABSENT,
                                              .hold_back_us = HLS_ABSENT,
                                              .part_hold_back_us = HLS_ABSENT };
    hls_check_text(&p->faults, text, bytes);
    struct parser s = { .p = p };
    char *at = hls_text_start(p->text), *end = p->text + bytes, *line;
    while ((line = hls_line_next(&at, end))) {
        s.line++;
        read_line(&s, line);
    }
    if (s.has_extinf) hls_fault_add(&p->faults, HLS_FAULT_MISSING, s.extinf_line, "EXTINF", "no URI behind it");
    fill(&s);
    p->open = s.next;
    *out = p;
    return WEIR_OK;
}

void hls_playlist_destroy(struct hls_playlist *p)
{
    if (!p) return;
    free(p->text);
    free(p->segments);
    free(p->parts);
    free(p->maps);
    free(p->reports);
    free(p->faults.items);
    free(p);
}

int64_t hls_playlist_duration_us(const struct hls_playlist *p)
{
    int64_t sum_us = 0;
    for (size_t i = 0; i < p->segment_count; i++) sum_us += p->segments[i].duration_us;
    return sum_us;
}

bool hls_playlist_edge(const struct hls_playlist *p, uint64_t *last_msn, uint32_t *open_parts)
{
    if (!p->segment_count && !p->skipped && !p->open.part_count) return false;
    *last_msn = next_msn(p) - 1; /* -1 wraps for a first segment that is still open, and + 1 brings it back */
    *open_parts = p->open.part_count;
    return true;
}
