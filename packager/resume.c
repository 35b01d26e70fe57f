#include "resume.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "playlist.h"

#define GAP_US_MIN 1000
#define ROUNDING_US 490000 /* what an EXTINF may be over TARGETDURATION (RFC 8216, 4.3.3.1) */

/* A number that is on the shelf, in one rendition at least. */
struct known {
    uint64_t msn;
    const struct shelf_past_segment *segment; /* one with media, where there is one */
    bool starts_era;
};

static int64_t end_of(const struct known *k)
{
    return k->segment->wall_us + k->segment->duration_us;
}

static bool is_usable(const struct shelf_past_segment *s)
{
    uint32_t run_id;
    uint64_t msn;
    return object_name_parse_segment(s->name, &run_id, &msn) && msn == s->msn;
}

/* One for each number, oldest first. Returns how many. */
static size_t collect(const struct shelf_past *past, struct known *out)
{
    size_t count = 0;
    for (size_t i = 0; i < past->count; i++) {
        const struct shelf_past_segment *s = &past->segments[i];
        if (!is_usable(s)) continue;
        struct known *last = count ? &out[count - 1] : NULL;
        if (!last || last->msn != s->msn) {
            out[count++] = (struct known){ .msn = s->msn, .segment = s, .starts_era = s->starts_era };
            continue;
        }
        last->starts_era |= s->starts_era;
        if (last->segment->is_gap && !s->is_gap) last->segment = s;
    }
    return count;
}

/* Can both stand in one list? The tags between two numbers need numbers to stand on. */
static bool is_continued(const struct known *older, const struct known *newer)
{
    const uint64_t steps = newer->msn - older->msn;
    const uint64_t before = older->segment->discontinuity, after = newer->segment->discontinuity;
    return steps <= RESUME_HOLE_MAX && after >= before && after - before <= steps;
}

/* From which on they are listed: without too large holes, without what is longer than may be listed today, within the window. */
static size_t find_first(const struct shelf_past *past, const struct known *known, size_t count,
                         const struct resume_terms *terms)
{
    const int64_t longest_us = (int64_t)terms->target_duration_s * 1000000 + ROUNDING_US;
    /* where nobody knows how the last list began: what was lost since was in it, too */
    const int64_t since_us = terms->now_wall_us - end_of(&known[count - 1]);
    int64_t sum_us = past->mark.msn || since_us < 0 ? 0 : since_us;
    uint64_t first_msn = past->mark.first_msn;
    size_t first = count;
    for (size_t i = 0; i < past->count; i++) {
        if (past->segments[i].first_msn > first_msn) first_msn = past->segments[i].first_msn;
    }
    while (first > 0) {
        const struct known *k = &known[first - 1];
        if (k->msn < first_msn || k->segment->duration_us > longest_us || sum_us >= terms->dvr_us) break;
        if (first < count && (!is_continued(k, &known[first]) || known[count - 1].msn - k->msn >= DVR_SEGMENTS_MAX / 2))
            break;
        sum_us += k->segment->duration_us;
        first--;
    }
    return first;
}

/* Up to which number all may have been seen by somebody. */
static uint64_t last_announced(const struct shelf_past *past, const struct known *last,
                               const struct resume_terms *terms)
{
    if (past->mark.msn >= last->msn) return past->mark.msn;
    /* nobody knows: no stream makes segments of less than half the target for long; and one may have been open */
    const int64_t since_us = terms->now_wall_us - end_of(last);
    return last->msn + 1 + (since_us > 0 ? (uint64_t)(since_us / (terms->segment_us / 2)) : 0);
}

static uint32_t run_of(const struct shelf_past_segment *s)
{
    uint32_t run_id = 0;
    uint64_t msn;
    (void)!object_name_parse_segment(s->name, &run_id, &msn);
    return run_id;
}

/* Numbers of which nothing is left: they share the time between their neighbours, and the tags of the eras that are lost with them (more than
 * there are numbers for are an era that was marked ahead of its number). */
static void fill_hole(struct resume *r, uint64_t first, uint64_t last, int64_t from_us, int64_t to_us, uint64_t tags,
                      const struct resume_terms *terms)
{
    const int64_t count = (int64_t)(last - first) + 1, longest_us = (int64_t)terms->target_duration_s * 1000000;
    int64_t each_us = (to_us - from_us) / count;
    if (each_us < GAP_US_MIN) each_us = GAP_US_MIN;
    if (each_us > longest_us) each_us = longest_us;
    const struct resume_number *before = &r->numbers[first - 1 - r->first_msn];
    uint64_t discontinuity = before->discontinuity;
    for (uint64_t msn = first; msn <= last; msn++) {
        const bool has_tag = msn - first < tags;
        discontinuity += has_tag;
        r->numbers[msn - r->first_msn] = (struct resume_number){ .duration_us = each_us,
                                                                 .wall_us = from_us,
                                                                 .discontinuity = discontinuity,
                                                                 .run_id = before->run_id,
                                                                 .has_tag = has_tag };
        from_us += each_us;
    }
}

static void fill_numbers(struct resume *r, const struct known *known, size_t count, const struct resume_terms *terms)
{
    for (size_t i = 0; i < count; i++) {
        const struct known *k = &known[i], *older = i ? k - 1 : NULL;
        const uint64_t tags = older ? k->segment->discontinuity - older->segment->discontinuity : k->starts_era;
        if (older && k->msn > older->msn + 1)
            fill_hole(r, older->msn + 1, k->msn - 1, end_of(older), k->segment->wall_us, tags ? tags - 1 : 0, terms);
        r->numbers[k->msn - r->first_msn] = (struct resume_number){ .duration_us = k->segment->duration_us,
                                                                    .wall_us = k->segment->wall_us,
                                                                    .discontinuity = k->segment->discontinuity,
                                                                    .run_id = run_of(k->segment),
                                                                    .has_tag = tags > 0 };
    }
    const struct known *last = &known[count - 1];
    const struct shelf_mark *mark = &r->past->mark;
    if (r->next_msn > last->msn + 1) {
        const bool is_known = mark->msn > last->msn && mark->discontinuity >= last->segment->discontinuity;
        fill_hole(r, last->msn + 1, r->next_msn - 1, end_of(last), terms->now_wall_us,
                  is_known ? mark->discontinuity - last->segment->discontinuity : 0, terms);
        for (uint64_t msn = r->lost_msn; is_known && msn < r->next_msn; msn++)
            r->numbers[msn - r->first_msn].run_id = mark->run_id;
    }
    const struct resume_number *end = &r->numbers[r->count - 1];
    r->end_wall_us = end->wall_us + end->duration_us;
    r->next_discontinuity = end->discontinuity + 1;
}

struct resume *resume_create(struct shelf_past *past, const struct resume_terms *terms)
{
    struct known *known = malloc((past->count + 1) * sizeof *known);
    struct resume *r = NULL;
    const size_t count = known ? collect(past, known) : 0, first = count ? find_first(past, known, count, terms) : 0;
    if (first < count) {
        const uint64_t last_msn = known[count - 1].msn, announced = last_announced(past, &known[count - 1], terms);
        const uint64_t numbers = announced + 1 - known[first].msn;
        if (announced - last_msn <= RESUME_HOLE_MAX) r = calloc(1, sizeof *r + numbers * sizeof r->numbers[0]);
        if (r) {
            r->past = shelf_past_ref(past);
            r->first_msn = known[first].msn;
            r->next_msn = announced + 1;
            r->lost_msn = last_msn + 1;
            r->count = numbers;
            fill_numbers(r, known + first, count - first, terms);
        }
    }
    free(known);
    return r;
}

void resume_destroy(struct resume *r)
{
    if (!r) return;
    shelf_past_unref(r->past);
    free(r);
}

/* -- a rendition's share -- */

/* The first at or after `at` that is the rendition's, has media and tells its init; past->count: none. */
static size_t next_media(const struct shelf_past *past, size_t at, const char *rendition, uint32_t *init_run,
                         uint32_t *init_number)
{
    for (; at < past->count; at++) {
        const struct shelf_past_segment *s = &past->segments[at];
        if (!s->is_gap && !strcmp(s->rendition, rendition) && is_usable(s) &&
            object_name_parse_init(s->init_name, init_run, init_number))
            break;
    }
    return at;
}

static enum weir_err add_number(struct past *out, const struct past_entry *entry)
{
    char name[EDGE_OBJECT_NAME_BYTES], init_name[EDGE_OBJECT_NAME_BYTES];
    struct byte_writer lines;
    object_name_segment(entry->run_id, entry->msn, name);
    object_name_init(entry->init_run, entry->init_number, init_name);
    byte_writer_init(&lines, 4 * KIB);
    playlist_write_segment_head(&lines, entry->starts_era, entry->says_map ? init_name : NULL, entry->wall_us);
    playlist_write_segment_end(&lines, name, entry->duration_us, entry->is_gap);
    const enum weir_err err = lines.failed ? WEIR_NOMEM
                                           : past_add(out, entry, (struct byte_span){ lines.data, lines.bytes });
    byte_writer_deinit(&lines);
    return err;
}

enum weir_err resume_fill(const struct resume *r, const char *rendition, struct past *out)
{
    const struct shelf_past *past = r->past;
    uint32_t next_run, next_number, init_run, init_number, said_run = 0, said_number = 0;
    size_t at = 0;
    while (at < past->count && past->segments[at].msn < r->first_msn) at++;
    at = next_media(past, at, rendition, &next_run, &next_number);
    if (at == past->count) return WEIR_OK;
    init_run = next_run; /* a gap is under the init in front of it, or where there is none, under the next */
    init_number = next_number;
    enum weir_err err = WEIR_OK;
    for (size_t i = 0; i < r->count && !err; i++) {
        const struct resume_number *n = &r->numbers[i];
        const struct shelf_past_segment *s = at < past->count ? &past->segments[at] : NULL;
        const bool is_there = s && s->msn == r->first_msn + i;
        if (is_there) init_run = next_run, init_number = next_number;
        const struct past_entry entry = {
            .msn = r->first_msn + i,
            .discontinuity = n->discontinuity,
            .duration_us = is_there ? s->duration_us : n->duration_us,
            .wall_us = is_there ? s->wall_us : n->wall_us,
            .run_id = is_there ? run_of(s) : n->run_id,
            .init_run = init_run,
            .init_number = init_number,
            .starts_era = n->has_tag,
            /* said again behind a discontinuity, although it holds on */
            .says_map = n->has_tag || init_run != said_run || init_number != said_number,
            .is_independent = !is_there || s->is_independent,
            .is_gap = !is_there,
        };
        err = add_number(out, &entry);
        said_run = init_run;
        said_number = init_number;
        /* two of the same number cannot be; were it so, the first would hold */
        while (is_there && at < past->count && past->segments[at].msn <= entry.msn) at++;
        if (is_there) at = next_media(past, at, rendition, &next_run, &next_number);
    }
    return err;
}
