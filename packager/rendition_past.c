/* rendition, with a shelf: finished segments are given to it, listed from it when they leave memory, and taken from the list when they leave it, too. */
#include <weir/base/limits.h>

#include "rendition.h"
#include "resume.h"

#define MEMORY_SEGMENTS_MIN 6

void rendition_shelve(struct rendition *r, const struct rendition_segment *s)
{
    const struct shelf_segment segment = { .rendition = r->config.name,
                                           .name = s->whole.name,
                                           .init_name = s->init ? s->init->name : NULL,
                                           .media = r->config.media,
                                           .msn = s->msn,
                                           .first_msn = rendition_first_msn(r),
                                           .discontinuity = s->discontinuity,
                                           .duration_us = s->duration_us,
                                           .wall_us = s->wall_us,
                                           .is_independent = s->is_independent,
                                           .starts_era = s->starts_era,
                                           .is_gap = !s->whole.body };
    r->is_past_to_be_checked = true;
    /* refused: the shelf counts it, and will not know it when it is asked */
    (void)!r->config.shelf->give(r->config.shelf, &segment, s->whole.body,
                                 s->init && s->whole.body ? s->init->body : NULL);
}

static enum shelf_fate fate_of(const struct rendition *r, uint32_t run_id, uint64_t msn)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    object_name_segment(run_id, msn, name);
    return r->config.shelf->fate(r->config.shelf, r->config.name, name);
}

struct past_entry rendition_entry_of(const struct rendition *r, const struct rendition_segment *s, bool is_gap)
{
    struct past_entry entry = { .msn = s->msn,
                                .discontinuity = s->discontinuity,
                                .duration_us = s->duration_us,
                                .wall_us = s->wall_us,
                                .run_id = r->config.run_id,
                                .starts_era = s->starts_era,
                                .says_map = s->says_map,
                                .is_independent = s->is_independent || is_gap,
                                .is_gap = is_gap };
    if (s->init) (void)!object_name_parse_init(s->init->name, &entry.init_run, &entry.init_number);
    return entry;
}

/* The oldest in memory becomes the newest of the past: with its lines as they were, or as a gap. */
static enum weir_err move_oldest(struct rendition *r, const struct rendition_segment *s, bool is_lost)
{
    const struct past_entry entry = rendition_entry_of(r, s, is_lost || !s->whole.body);
    const struct segment_text *t = &s->text;
    struct byte_writer lines;
    byte_writer_init(&lines, PLAYLIST_BYTES_MAX);
    write_bytes(&lines, t->w.data, t->head_bytes);
    if (is_lost) {
        playlist_write_segment_end(&lines, s->whole.name, s->duration_us, true);
    } else {
        write_bytes(&lines, t->w.data + t->parts_end, t->w.bytes - t->parts_end);
    }
    enum weir_err err = lines.failed ? WEIR_NOMEM : WEIR_OK;
    if (!err) err = past_add(&r->past, &entry, (struct byte_span){ lines.data, lines.bytes });
    byte_writer_deinit(&lines);
    return err;
}

static void drop_from_front(struct rendition *r)
{
    past_drop_oldest(&r->past);
    r->has_slid = true;
}

/* Numbers must not have a hole: where the past cannot go on, it ends, and the list begins with what is in memory. */
static void forget_past(struct rendition *r)
{
    while (past_count(&r->past)) drop_from_front(r);
}

/* false: it is to stay in memory. is_overdue: it has waited for the disk for as long as anything may; one that stands still must not keep
 * more and more in memory. */
static bool hand_over_oldest(struct rendition *r, bool is_overdue)
{
    const struct rendition_segment *s = rendition_segment_at(r, 0);
    const enum shelf_fate fate = s->whole.body ? fate_of(r, r->config.run_id, s->msn) : SHELF_KEPT;
    const bool is_crowded = r->listed >= WINDOW_SEGMENTS_MAX;
    if (((fate == SHELF_WAITING && !is_overdue) || s->parts) && !is_crowded) return false;
    if (past_count(&r->past) == DVR_SEGMENTS_MAX) drop_from_front(r);
    if (move_oldest(r, s, fate != SHELF_KEPT)) {
        forget_past(r);
        r->has_slid = true;
    } else if (fate != SHELF_KEPT) {
        figure_add(&live_edge_figures(r->config.edge)->dvr_gaps, 1);
    }
    r->listed--;
    rendition_drop_oldest(r);
    return true;
}

/* How many at the front stand for nothing any more: gaps that are followed by one that the shelf has lost, and that one. */
static size_t lost_at_front(const struct rendition *r)
{
    for (size_t i = 0; i < past_count(&r->past); i++) {
        const struct past_entry *e = past_at(&r->past, i);
        if (!e->is_gap) return fate_of(r, e->run_id, e->msn) == SHELF_LOST ? i + 1 : 0;
    }
    return 0;
}

void rendition_slide_into_past(struct rendition *r, int64_t memory_us)
{
    while (r->listed > MEMORY_SEGMENTS_MIN) {
        const int64_t rest_us = rendition_listed_us(r) - rendition_segment_at(r, 0)->duration_us;
        if (r->listed < WINDOW_SEGMENTS_MAX && rest_us < memory_us) break;
        if (!hand_over_oldest(r, rest_us >= memory_us + ARCHIVE_QUEUE_US_MAX)) break;
    }
    const int64_t listed_us = rendition_listed_us(r);
    for (const struct past_entry *oldest; (oldest = past_at(&r->past, 0));) {
        if (listed_us + r->past.duration_us - oldest->duration_us < r->config.dvr_us) break;
        drop_from_front(r);
    }
    if (!r->is_past_to_be_checked) return;
    r->is_past_to_be_checked = false;
    for (size_t lost; (lost = lost_at_front(r)) > 0;) {
        while (lost-- > 0) drop_from_front(r);
    }
}

/* -- after a kill -- */

/* Where nothing is left the times are a guess, made once: so that the list says the same after another kill. */
static void shelve_gap(struct rendition *r, const struct past_entry *e)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    object_name_segment(e->run_id, e->msn, name);
    const struct shelf_segment gap = { .rendition = r->config.name,
                                       .name = name,
                                       .media = r->config.media,
                                       .msn = e->msn,
                                       .first_msn = past_at(&r->past, 0)->msn,
                                       .discontinuity = e->discontinuity,
                                       .duration_us = e->duration_us,
                                       .wall_us = e->wall_us,
                                       .is_independent = true,
                                       .starts_era = e->starts_era,
                                       .is_gap = true };
    (void)!r->config.shelf->give(r->config.shelf, &gap, NULL, NULL);
}

void rendition_resume(struct rendition *r, const struct resume *resume)
{
    if (resume_fill(resume, r->config.name, &r->past)) forget_past(r);
    for (size_t i = 0; i < past_count(&r->past); i++) {
        const struct past_entry *e = past_at(&r->past, i);
        if (e->msn >= resume->lost_msn) shelve_gap(r, e);
    }
}

/* -- a rendition that comes late -- */

static bool add_gap(struct rendition *r, const struct past_entry *of)
{
    const struct past_entry *last = past_at(&r->past, past_count(&r->past) - 1);
    struct past_entry gap = *of;
    char name[EDGE_OBJECT_NAME_BYTES], init_name[EDGE_OBJECT_NAME_BYTES];
    struct byte_writer lines;
    gap.run_id = r->config.run_id;
    gap.init_run = last->init_run;
    gap.init_number = last->init_number;
    gap.is_gap = gap.is_independent = true;
    gap.says_map = gap.starts_era;
    object_name_segment(gap.run_id, gap.msn, name);
    object_name_init(gap.init_run, gap.init_number, init_name);
    byte_writer_init(&lines, 4 * KIB);
    playlist_write_segment_head(&lines, gap.starts_era, gap.says_map ? init_name : NULL, gap.wall_us);
    playlist_write_segment_end(&lines, name, gap.duration_us, true);
    const bool is_added = !lines.failed && !past_add(&r->past, &gap, (struct byte_span){ lines.data, lines.bytes });
    byte_writer_deinit(&lines);
    return is_added;
}

void rendition_follow(struct rendition *r, const struct rendition *other, uint64_t msn)
{
    if (!past_count(&r->past)) return; /* it has no past, so its list may begin with any number */
    uint64_t next = past_at(&r->past, past_count(&r->past) - 1)->msn + 1;
    bool is_whole = true;
    for (size_t i = 0; i < past_count(&other->past) && next < msn && is_whole; i++) {
        const struct past_entry *e = past_at(&other->past, i);
        if (e->msn == next) is_whole = add_gap(r, e), next++;
    }
    for (size_t i = queue_count(&other->segments) - other->listed;
         i < queue_count(&other->segments) && next < msn && is_whole; i++) {
        const struct rendition_segment *s = rendition_segment_at(other, i);
        const struct past_entry e = rendition_entry_of(other, s, true);
        if (s->msn == next) is_whole = add_gap(r, &e), next++;
    }
    if (!is_whole || next != msn) forget_past(r);
}
