/* What was seen of each media playlist: segments and parts by number, and when. */
#include <stdlib.h>
#include <string.h>

#include "check_internal.h"

#define FIRST_LOOK_SEGMENTS 32 /* of what is listed when the check begins, so many are read: a list may hold hours */
#define REMOVED_KEPT_US (600 * 1000000LL) /* nobody promises longer than this in a run */

/* -- hashes -- */

uint64_t list_text_hash(const struct check_answer *a)
{
    static const char report[] = "#EXT-X-RENDITION-REPORT:";
    uint64_t hash = 0xCBF29CE484222325ull; /* FNV-1a: compares versions, withstands no attacker */
    for (size_t i = 0; i < a->bytes;) {
        const uint8_t *line = a->body + i, *newline = memchr(line, '\n', a->bytes - i);
        const size_t bytes = newline ? (size_t)(newline - line) + 1 : a->bytes - i;
        const bool is_report = bytes >= sizeof report && !memcmp(line, report, sizeof report - 1);
        for (size_t k = 0; k < bytes && !is_report; k++) hash = (hash ^ line[k]) * 0x100000001B3ull;
        i += bytes;
    }
    return hash;
}

#define HASH_BASE 0x9E3779B97F4A7C15ull

uint64_t byte_hash(const uint8_t *data, size_t bytes)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < bytes; i++) hash = hash * HASH_BASE + data[i] + 1;
    return hash;
}

uint64_t byte_hash_join(uint64_t a, uint64_t b, size_t b_bytes)
{
    uint64_t power = 1, base = HASH_BASE;
    for (size_t n = b_bytes; n; n >>= 1, base *= base) {
        if (n & 1) power *= base;
    }
    return a * power + b;
}

/* -- lists -- */

struct seen_list *list_create(struct check *c, const char *url)
{
    struct seen_list *list = calloc(1, sizeof *list);
    if (!list) return NULL;
    list->url = strdup(url);
    if (!list->url) {
        free(list);
        return NULL;
    }
    list->index = c->list_count;
    list->target_us = list->part_target_us = list->part_hold_back_us = HLS_ABSENT;
    list->segment_us = list->part_us = list->answered_us = list->sent_us = UNKNOWN_US;
    list->media_edge_us = list->media_edge_at_us = UNKNOWN_US;
    list->fresh_segment_us = UNKNOWN_US;
    queue_init(&list->fetches, sizeof(struct fetch_item), LOADGEN_QUEUE_MAX);
    return list;
}

void media_facts_clear(struct media_facts *m)
{
    free(m->sample_digests);
    m->sample_digests = NULL;
    m->sample_count = 0;
}

static void segment_destroy(struct seen_segment *s)
{
    if (!s) return;
    for (uint32_t i = 0; i < s->part_count; i++) {
        free(s->parts[i].uri);
        media_facts_clear(&s->parts[i].media);
    }
    media_facts_clear(&s->media);
    free(s->parts);
    free(s->uri);
    free(s->map_uri);
    free(s);
}

static void forget_segments(struct seen_list *list, size_t count)
{
    for (size_t i = 0; i < count; i++) segment_destroy(list->segments[i]);
    memmove(list->segments, list->segments + count, (list->segment_count - count) * sizeof *list->segments);
    list->segment_count -= count;
    list->first_msn += count;
}

void list_destroy(struct seen_list *list)
{
    if (!list) return;
    forget_segments(list, list->segment_count);
    free(list->segments);
    queue_deinit(&list->fetches);
    hls_playlist_destroy(list->last);
    free(list->url);
    free(list->hint_uri);
    free(list);
}

struct seen_segment *list_segment(const struct seen_list *list, uint64_t msn)
{
    if (msn < list->first_msn || msn - list->first_msn >= list->segment_count) return NULL;
    return list->segments[msn - list->first_msn];
}

/* What has left the list and was looked at again, or has left it long ago. */
static bool is_forgettable(const struct seen_segment *s, int64_t now_us)
{
    if (!s->removed_us) return false;
    if (now_us - s->removed_us > REMOVED_KEPT_US) return true;
    return s->is_removal_checked && s->fetch != FETCH_ASKED && s->fetch != FETCH_WAITING;
}

static void make_room(struct check *c, struct seen_list *list, int64_t now_us)
{
    size_t old = 0;
    while (old + 1 < list->segment_count && is_forgettable(list->segments[old], now_us)) old++;
    if (old) forget_segments(list, old);
    if (list->segment_count < LOADGEN_HISTORY_SEGMENTS_MAX) return;
    forget_segments(list, 1);
    check_report_note(&c->report, "more than %d segments of a playlist: the oldest were forgotten",
                      LOADGEN_HISTORY_SEGMENTS_MAX);
}

static struct seen_segment *segment_add(struct check *c, struct seen_list *list, uint64_t msn, int64_t now_us)
{
    make_room(c, list, now_us);
    if (list->segment_count == list->segment_capacity) {
        const size_t capacity = list->segment_capacity ? 2 * list->segment_capacity : 16;
        struct seen_segment **grown = realloc(list->segments, capacity * sizeof(struct seen_segment *));
        if (!grown) return NULL;
        list->segments = grown;
        list->segment_capacity = capacity;
    }
    struct seen_segment *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->msn = msn;
    s->duration_us = HLS_ABSENT;
    if (!list->segment_count) list->first_msn = msn;
    list->segments[list->segment_count++] = s;
    return s;
}

static struct seen_segment *segment_for(struct look *l, uint64_t msn)
{
    struct seen_list *list = l->list;
    struct seen_segment *known = list_segment(list, msn);
    if (known) return known;
    const uint64_t next = list->first_msn + list->segment_count;
    if (list->segment_count && msn < next) return NULL; /* forgotten already */
    if (list->segment_count && msn > next) {
        check_report_note(&l->c->report, "a playlist ran ahead of the checker: what lies between was not seen");
        forget_segments(list, list->segment_count);
        list->has_drift = false;
    }
    return segment_add(l->c, list, msn, l->now_us);
}

static struct seen_part *part_add(struct seen_segment *s, const struct hls_part *part, int64_t now_us)
{
    if (s->part_count == LOADGEN_PARTS_PER_SEGMENT_MAX) return NULL;
    if (s->part_count == s->part_capacity) {
        const uint32_t capacity = s->part_capacity ? 2 * s->part_capacity : 8;
        struct seen_part *grown = realloc(s->parts, capacity * sizeof *grown);
        if (!grown) return NULL;
        s->parts = grown;
        s->part_capacity = capacity;
    }
    struct seen_part *p = &s->parts[s->part_count];
    *p = (struct seen_part){ .uri = strdup(part->uri),
                             .range = part->range,
                             .duration_us = part->duration_us,
                             .is_independent = part->is_independent,
                             .is_gap = part->is_gap,
                             .line = part->line,
                             .first_seen_us = now_us };
    if (!p->uri) return NULL;
    s->part_count++;
    return p;
}

static bool same_range(const struct hls_range *a, const struct hls_range *b)
{
    return a->is_set == b->is_set && (!a->is_set || (a->first == b->first && a->bytes == b->bytes));
}

/* The index that the first listed part has: PART tags may have gone from the front of a segment. */
static uint32_t first_index(const struct seen_segment *s, const struct hls_part *first)
{
    for (uint32_t i = 0; i < s->part_count; i++) {
        if (!strcmp(s->parts[i].uri, first->uri) && same_range(&s->parts[i].range, &first->range)) return i;
    }
    return s->part_count;
}

static void queue_fetch(struct look *l, uint64_t msn, int32_t part)
{
    const struct fetch_item item = { msn, part };
    if (queue_give(&l->list->fetches, &item) != WEIR_OK)
        check_report_note(&l->c->report,
                          "more was listed than could be fetched: some segments and parts were not read");
}

static void take_parts(struct look *l, struct seen_segment *s, const struct hls_segment *listed, bool is_read)
{
    const struct hls_part *parts = l->p->parts + listed->first_part;
    if (!listed->part_count) {
        for (uint32_t i = 0; i < s->part_count && listed->uri; i++) {
            if (!s->parts[i].removed_us) s->parts[i].removed_us = l->now_us;
        }
        return;
    }
    const uint32_t first = first_index(s, &parts[0]);
    for (uint32_t i = 0; i < first && i < s->part_count; i++) {
        if (!s->parts[i].removed_us) s->parts[i].removed_us = l->now_us;
    }
    for (uint32_t i = 0; i < listed->part_count; i++) {
        if (first + i < s->part_count) {
            s->parts[first + i].removed_us = 0;
            continue;
        }
        struct seen_part *added = part_add(s, &parts[i], l->now_us);
        if (!added) break;
        const bool was_hinted = l->list->hint_uri && !strcmp(l->list->hint_uri, added->uri);
        /* a gap is what a hint may come to, and nobody can fetch it */
        if (was_hinted && l->list->was_hint_denied && !added->is_gap)
            expect_of(l, RULE_R36, false, added->line, "the hinted part for who asks for it",
                      "404, and now %s is listed", added->uri);
        if (added->is_gap || !is_read) continue;
        /* the part that a hint named is read by its own request */
        if (l->list->is_hint_out && was_hinted) {
            added->fetch = FETCH_ASKED;
            continue;
        }
        added->fetch = FETCH_WAITING;
        queue_fetch(l, s->msn, (int32_t)(first + i));
    }
}

/* In a delta the MAP in force may stand in the skipped part. */
static void inherit_map(struct look *l, struct seen_segment *s)
{
    const struct seen_segment *before = list_segment(l->list, s->msn - 1);
    if (s->map_uri || !l->p->skip_count || !before || !before->map_uri) return;
    s->map_uri = strdup(before->map_uri);
    s->map_range = before->map_range;
}

/* A delta leaves out the discontinuities of its skipped part: what its numbers lack shows where it meets what is known. */
static uint64_t dsn_shift(const struct look *l)
{
    for (size_t i = 0; i < l->p->segment_count && l->p->skip_count; i++) {
        const struct seen_segment *known = list_segment(l->list, l->p->segments[i].msn);
        if (known && known->uri) return known->dsn - l->p->segments[i].dsn;
    }
    return 0;
}

static void note_tags(struct look *l, struct seen_segment *s, const struct hls_segment *listed)
{
    s->dsn = listed->dsn + dsn_shift(l);
    s->has_discontinuity = listed->has_discontinuity;
    s->has_wall = listed->has_wall;
    s->wall_us = listed->wall_us;
    s->is_encrypted = listed->is_encrypted;
    s->line = listed->line;
    if (listed->map && !s->map_uri) {
        s->map_uri = strdup(listed->map->uri);
        s->map_range = listed->map->range;
    }
    inherit_map(l, s);
}

static void take_whole(struct look *l, struct seen_segment *s, const struct hls_segment *listed, int64_t age_us,
                       bool is_first, bool is_read)
{
    if (s->uri) return;
    s->uri = strdup(listed->uri);
    s->range = listed->range;
    s->duration_us = listed->duration_us;
    s->is_gap = listed->is_gap;
    s->first_seen_us = l->now_us;
    s->has_all_parts = !is_first && listed->part_count && listed->part_count == s->part_count;
    s->appeared_us = l->now_us - age_us;
    if (!s->uri || s->is_gap || !is_read) return;
    s->fetch = FETCH_WAITING;
    queue_fetch(l, s->msn, -1);
}

static void note_removed(struct look *l)
{
    for (size_t i = 0; i < l->list->segment_count; i++) {
        struct seen_segment *s = l->list->segments[i];
        if (s->msn >= l->p->media_sequence) return;
        if (s->removed_us) continue;
        s->removed_us = l->now_us;
        for (uint32_t k = 0; k < s->part_count; k++) {
            if (!s->parts[k].removed_us) s->parts[k].removed_us = l->now_us;
        }
    }
}

static void note_edge(struct look *l)
{
    struct seen_list *list = l->list;
    uint64_t msn;
    uint32_t parts;
    if (!hls_playlist_edge(l->p, &msn, &parts)) return;
    const bool is_new_segment = !list->has_edge || msn != list->last_msn;
    if (list->has_edge && !is_new_segment && parts == list->open_parts) return;
    if (list->has_edge && is_new_segment) list->fresh_segment_us = l->now_us;
    if (is_new_segment) list->segment_us = l->now_us;
    if (l->p->part_count) list->part_us = l->now_us;
    list->has_edge = true;
    list->last_msn = msn;
    list->open_parts = parts;
    list->edges[list->edge_count++ % EDGE_NOTES] = (struct edge_note){ l->now_us, msn, parts };
    list->media_edge_us = playlist_edge_wall_us(l->p);
    list->media_edge_at_us = l->now_us;
}

void history_take(struct look *l)
{
    const struct hls_playlist *p = l->p;
    const bool is_first = l->list->answered_us == UNKNOWN_US;
    int64_t left_us = hls_playlist_duration_us(p);
    const int64_t whole_us = left_us;
    for (size_t i = 0; i < p->segment_count; i++) {
        const struct hls_segment *listed = &p->segments[i];
        struct seen_segment *s = segment_for(l, listed->msn);
        left_us -= listed->duration_us;
        if (!s) continue;
        if (!s->uri) note_tags(l, s, listed);
        const bool is_read = !is_first || i + FIRST_LOOK_SEGMENTS >= p->segment_count;
        take_parts(l, s, listed, is_read);
        take_whole(l, s, listed, is_first ? left_us : 0, is_first, is_read);
        if (whole_us > s->longest_list_us) s->longest_list_us = whole_us;
    }
    if (p->open.part_count) {
        struct seen_segment *s = segment_for(l, p->open.msn);
        if (s && !s->uri) {
            note_tags(l, s, &p->open);
            take_parts(l, s, &p->open, true);
        }
    }
    note_removed(l);
    note_edge(l);
}

bool list_edge_at(const struct seen_list *list, int64_t at_us, uint64_t *msn, uint32_t *parts)
{
    const unsigned kept = list->edge_count < EDGE_NOTES ? list->edge_count : EDGE_NOTES;
    for (unsigned i = 1; i <= kept; i++) {
        const struct edge_note *e = &list->edges[(list->edge_count - i) % EDGE_NOTES];
        if (e->at_us > at_us) continue;
        *msn = e->msn;
        *parts = e->parts;
        return true;
    }
    return false;
}

int64_t playlist_edge_wall_us(const struct hls_playlist *p)
{
    int64_t behind_us = 0;
    for (uint32_t i = 0; i < p->open.part_count; i++) behind_us += p->parts[p->open.first_part + i].duration_us;
    if (p->open.part_count && p->open.has_wall) return p->open.wall_us + behind_us;
    for (size_t i = p->segment_count; i-- > 0;) {
        behind_us += p->segments[i].duration_us;
        if (p->segments[i].has_wall) return p->segments[i].wall_us + behind_us;
    }
    return UNKNOWN_US;
}

bool list_is_low_latency(const struct seen_list *list)
{
    return list->last && list->last->part_inf_line > 0;
}
