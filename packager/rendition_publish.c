/* rendition, the other half: which segments and parts are listed, which are only kept (RFC 8216, 6.2.2; RFC 8216bis, 6.2.2), and how
 * all that is published. */
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "object_name.h"
#include "rendition.h"

#define LISTED_MIN 6
#define WINDOW_TARGETS_MIN 3
#define PART_TARGETS_LISTED 3 /* parts older than so many target durations leave the playlist */
/* and may be fetched for so many more: three (6.2.2), and one for lists that move on by whole segments */
#define PART_TARGETS_KEPT 4

void rendition_name_part(const struct rendition *r, int64_t start, char out[EDGE_OBJECT_NAME_BYTES])
{
    object_name_part(r->config.run_id, start, out);
}

struct rendition_segment *rendition_segment_at(const struct rendition *r, size_t index)
{
    return queue_at(&r->segments, index);
}

static struct rendition_segment *last_segment(const struct rendition *r)
{
    return rendition_segment_at(r, queue_count(&r->segments) - 1);
}

/* What may be fetched of finished segments has changed. */
static void forget_bundle(struct rendition *r)
{
    edge_bundle_unref(r->kept);
    r->kept = NULL;
}

void rendition_keep(struct rendition *r, struct rendition_segment *s)
{
    forget_bundle(r);
    r->is_changed = true;
    r->is_hint_void = false;
    r->published_us += s->duration_us;
    s->end_us = r->published_us;
    if (s->text.w.failed || queue_give(&r->segments, s)) {
        rendition_segment_deinit(s);
        return;
    }
    r->listed++;
    if (r->config.shelf) rendition_shelve(r, s);
    if (r->iframes) {
        const struct past_entry entry = rendition_entry_of(r, s, !s->whole.body);
        iframes_add(r->iframes, &entry, s->picture_bytes);
    }
    if (s->parts) r->parts_kept += s->part_count;
    if (s->whole.body) r->kept_bytes += frozen_bytes(s->whole.body);
}

/* -- what is listed, what is only kept -- */

static int64_t target_us(const struct rendition *r)
{
    return (int64_t)r->config.terms.target_duration_s * 1000000;
}

static size_t first_listed(const struct rendition *r)
{
    return queue_count(&r->segments) - r->listed;
}

uint64_t rendition_first_msn(const struct rendition *r)
{
    const struct past_entry *past = past_at(&r->past, 0);
    return past ? past->msn : rendition_segment_at(r, first_listed(r))->msn;
}

int64_t rendition_listed_us(const struct rendition *r)
{
    return r->published_us - rendition_segment_at(r, first_listed(r))->end_us +
           rendition_segment_at(r, first_listed(r))->duration_us;
}

void rendition_drop_oldest(struct rendition *r)
{
    struct rendition_segment gone;
    if (!queue_take(&r->segments, &gone)) return;
    forget_bundle(r);
    if (gone.whole.body) r->kept_bytes -= frozen_bytes(gone.whole.body);
    if (gone.parts) r->parts_kept -= gone.part_count;
    rendition_segment_deinit(&gone);
}

static void slide(struct rendition *r)
{
    if (r->config.shelf) {
        const int64_t least_us = target_us(r) * WINDOW_TARGETS_MIN;
        rendition_slide_into_past(r, r->config.window_us > least_us ? r->config.window_us : least_us);
        return;
    }
    int64_t sum = rendition_listed_us(r);
    while (r->listed > LISTED_MIN) {
        struct rendition_segment *oldest = rendition_segment_at(r, first_listed(r));
        const int64_t rest = sum - oldest->duration_us;
        if (r->listed < WINDOW_SEGMENTS_MAX && (rest < r->config.window_us || rest < target_us(r) * WINDOW_TARGETS_MIN))
            break;
        /* still to be had for its own duration and that of the longest playlist it stood in */
        oldest->expires_us = r->published_us + oldest->duration_us + sum;
        sum = rest;
        r->listed--;
    }
    while (queue_count(&r->segments) > r->listed && rendition_segment_at(r, 0)->expires_us <= r->published_us)
        rendition_drop_oldest(r);
}

/* How far the end of the playlist is: the open segment's parts count. */
static int64_t edge_us(const struct rendition *r)
{
    if (!r->open.part_count) return r->published_us;
    return r->published_us + chunker_finished_ticks(&r->chunker) * 1000000 / fmp4_timescale(track_facts(r->track));
}

/* All of a segment's parts are listed, or none: players count them from the segment's beginning. */
static bool lists_parts_of(const struct rendition *r, const struct rendition_segment *s)
{
    return s->part_count && edge_us(r) - (s->end_us - s->duration_us) <= target_us(r) * PART_TARGETS_LISTED;
}

/* A segment's parts are said again in each playlist for as long as they are listed, and then never. */
static void forget_part_lines(struct rendition *r)
{
    for (size_t i = queue_count(&r->segments); i-- > 0;) {
        struct rendition_segment *s = rendition_segment_at(r, i);
        struct segment_text *t = &s->text;
        if (!s->part_count || lists_parts_of(r, s)) continue;
        if (t->parts_end == t->head_bytes) return; /* those before it were forgotten too */
        memmove(t->w.data + t->head_bytes, t->w.data + t->parts_end, t->w.bytes - t->parts_end);
        t->w.bytes -= t->parts_end - t->head_bytes;
        t->parts_end = t->head_bytes;
        byte_writer_trim(&t->w);
    }
}

static void drop_old_parts(struct rendition *r)
{
    const int64_t oldest_us = edge_us(r) - target_us(r) * (PART_TARGETS_LISTED + PART_TARGETS_KEPT);
    for (size_t i = queue_count(&r->segments); i-- > 0;) {
        struct rendition_segment *s = rendition_segment_at(r, i);
        if (s->end_us >= oldest_us) continue;
        if (!s->parts) {
            if (s->part_count) return; /* those before it were dropped too */
            continue;
        }
        for (uint32_t k = 0; k < s->part_count; k++) frozen_unref(s->parts[k].body);
        free(s->parts);
        s->parts = NULL;
        forget_bundle(r);
        r->parts_kept -= s->part_count;
    }
}

/* -- objects: inits, each once, then segments, then parts: what is asked for most stands last -- */

struct objects {
    struct edge_object *items;
    size_t count;
};

static void add_init(struct objects *o, const struct rendition_init *init)
{
    if (!init || (o->count && o->items[o->count - 1].body == init->body)) return;
    struct edge_object *item = &o->items[o->count++];
    *item = (struct edge_object){ .kind = EDGE_INIT, .body = init->body };
    memcpy(item->name, init->name, EDGE_OBJECT_NAME_BYTES);
}

static void add_parts(struct objects *o, const struct rendition_segment *s)
{
    for (uint32_t k = 0; s->parts && k < s->part_count; k++) {
        if (s->parts[k].body) o->items[o->count++] = s->parts[k];
    }
}

/* What may be fetched of finished segments: it changes with them, not with each part. */
static enum weir_err bundle_kept(struct rendition *r)
{
    if (r->kept) return WEIR_OK;
    const size_t segments = queue_count(&r->segments);
    struct objects o = { .items = malloc((2 * segments + r->parts_kept) * sizeof *o.items) };
    if (!o.items) return WEIR_NOMEM;
    for (size_t i = 0; i < segments; i++) add_init(&o, rendition_segment_at(r, i)->init);
    for (size_t i = 0; i < segments; i++) {
        const struct rendition_segment *s = rendition_segment_at(r, i);
        if (s->whole.body) o.items[o.count++] = s->whole;
    }
    for (size_t i = 0; i < segments && r->parts_kept; i++) add_parts(&o, rendition_segment_at(r, i));
    r->kept = edge_bundle_create(o.items, o.count);
    free(o.items);
    return r->kept ? WEIR_OK : WEIR_NOMEM;
}

/* -- playlists -- */

struct hints {
    char part[EDGE_OBJECT_NAME_BYTES]; /* "": none */
    const char *init;                  /* NULL: none */
};

static void find_hints(const struct rendition *r, struct hints *out)
{
    *out = (struct hints){ .init = NULL };
    if (!r->config.terms.part_us || r->is_ended) return;
    /* an init that nothing listed uses yet */
    if (!r->open.part_count && r->init && r->init != last_segment(r)->init) out->init = r->init->name;
    if ((r->foretells || r->is_hint_void) && !(rendition_is_open(r) && r->chunker.is_whole))
        rendition_name_part(r, r->chunker.end, out->part);
}

static enum playlist_type type_of(const struct rendition *r)
{
    if (!r->config.shelf) return PLAYLIST_SLIDING;
    if (r->is_ended) return PLAYLIST_VOD;
    return r->config.is_event && !r->has_slid ? PLAYLIST_EVENT : PLAYLIST_SLIDING;
}

/* Whether all that is listed, and what is about to be, begins with a keyframe. */
static bool is_all_independent(const struct rendition *r)
{
    bool all = !r->past.dependent && (!rendition_is_open(r) || r->open.is_independent);
    for (size_t i = first_listed(r); i < queue_count(&r->segments); i++)
        all &= rendition_segment_at(r, i)->is_independent;
    return all;
}

/* The tag comes once, when the last of the first segments that need others has left, and goes once, should it become wrong: a list should
 * not change in its head (6.2.1). */
static void decide_independence(struct rendition *r)
{
    const bool all = is_all_independent(r);
    r->was_independent |= r->is_independent && !all;
    r->is_independent = all && !r->was_independent;
}

static void write_list_head(struct byte_writer *w, const struct rendition *r)
{
    const struct rendition_segment *oldest = rendition_segment_at(r, first_listed(r));
    const struct past_entry *past = past_at(&r->past, 0);
    const struct playlist_head head = {
        .terms = r->config.terms,
        .type = type_of(r),
        .media_sequence = rendition_first_msn(r),
        .discontinuity_sequence = past ? past->discontinuity - past->starts_era
                                       : oldest->discontinuity - oldest->starts_era,
        .is_independent = r->is_independent,
        .is_ended = r->is_ended,
    };
    playlist_write_head(w, &head);
}

/* The init of the first segment listed, where its own lines do not say it. */
static void write_first_map(struct byte_writer *w, const struct rendition *r)
{
    const struct past_entry *past = past_at(&r->past, 0);
    const struct rendition_segment *oldest = rendition_segment_at(r, first_listed(r));
    char name[EDGE_OBJECT_NAME_BYTES];
    if (past && !past->says_map && past->init_number) {
        object_name_init(past->init_run, past->init_number, name);
        playlist_write_map(w, name);
    } else if (!past && !oldest->says_map && oldest->init) {
        playlist_write_map(w, oldest->init->name);
    }
}

static void write_segments(struct byte_writer *w, const struct rendition *r, size_t from)
{
    for (size_t i = from; i < queue_count(&r->segments); i++) {
        const struct rendition_segment *s = rendition_segment_at(r, i);
        const struct segment_text *t = &s->text;
        if (lists_parts_of(r, s)) {
            write_bytes(w, t->w.data, t->w.bytes);
        } else {
            write_bytes(w, t->w.data, t->head_bytes);
            write_bytes(w, t->w.data + t->parts_end, t->w.bytes - t->parts_end);
        }
    }
}

static void write_list_end(struct byte_writer *w, const struct rendition *r, const struct hints *hints,
                           const struct playlist_report *reports, size_t report_count)
{
    if (r->open.part_count) write_bytes(w, r->open.text.w.data, r->open.text.w.bytes);
    if (r->is_ended) write_text(w, "#EXT-X-ENDLIST\n");
    if (*hints->part) playlist_write_hint(w, "PART", hints->part);
    if (hints->init) playlist_write_hint(w, "MAP", hints->init);
    for (size_t i = 0; i < report_count && r->config.terms.part_us && !r->is_ended; i++)
        playlist_write_report(w, &reports[i]);
}

/* How many of the listed segments a delta update leaves out: those that begin before the skip boundary (4.4.5.2). */
static size_t skippable(const struct rendition *r)
{
    const struct playlist_terms *terms = &r->config.terms;
    if (!terms->part_us || !terms->can_skip || r->is_ended) return 0;
    const int64_t until_us = playlist_skip_until_us(terms);
    size_t count = past_count(&r->past), in_memory = 0;
    /* from the end of the past on, which is seldom within reach */
    for (int64_t age_us = rendition_listed_us(r); count > 0; count--) {
        age_us += past_at(&r->past, count - 1)->duration_us;
        if (age_us > until_us) break;
    }
    if (count < past_count(&r->past)) return count;
    while (in_memory < r->listed) {
        const struct rendition_segment *s = rendition_segment_at(r, first_listed(r) + in_memory);
        if (r->published_us - (s->end_us - s->duration_us) <= until_us) break;
        in_memory++;
    }
    return count + in_memory;
}

/* [front] [pages of the past] [back]: hours are listed by reference. */
static struct frozen *join_list(const struct byte_writer *front, const struct piece *pages, size_t page_count,
                                const struct byte_writer *back)
{
    struct blob *front_bytes = front->failed ? NULL : blob_copy(front->data, front->bytes),
                *back_bytes = back->failed ? NULL : blob_copy(back->data, back->bytes);
    struct piece *pieces = malloc((page_count + 2) * sizeof *pieces);
    struct frozen *text = NULL;
    if (front_bytes && back_bytes && pieces) {
        pieces[0] = (struct piece){ front_bytes, blob_data(front_bytes), blob_bytes(front_bytes) };
        if (page_count) memcpy(pieces + 1, pages, page_count * sizeof *pieces);
        pieces[page_count + 1] = (struct piece){ back_bytes, blob_data(back_bytes), blob_bytes(back_bytes) };
        text = frozen_create(pieces, page_count + 2);
    }
    free(pieces);
    blob_unref(front_bytes);
    blob_unref(back_bytes);
    return text;
}

static struct frozen *render(struct rendition *r, size_t skipped, const struct hints *hints,
                             const struct playlist_report *reports, size_t report_count)
{
    const size_t past_skipped = skipped < past_count(&r->past) ? skipped : past_count(&r->past);
    struct byte_writer front, back;
    byte_writer_init(&front, PLAYLIST_BYTES_MAX);
    byte_writer_init(&back, PLAYLIST_BYTES_MAX);
    byte_writer_reserve(&back, r->list_bytes + 512); /* as long as the last one, and a little */
    write_list_head(&front, r);
    if (skipped)
        playlist_write_skip(&front, skipped);
    else
        write_first_map(&front, r);
    struct piece *pages = malloc((past_pieces_max(&r->past) + 1) * sizeof *pages);
    struct byte_span past_tail = { NULL, 0 };
    const size_t page_count = pages ? past_pieces(&r->past, past_skipped, pages, &past_tail) : 0;
    write_bytes(&back, past_tail.data, past_tail.bytes);
    write_segments(&back, r, first_listed(r) + skipped - past_skipped);
    write_list_end(&back, r, hints, reports, report_count);
    struct frozen *text = pages ? join_list(&front, pages, page_count, &back) : NULL;
    free(pages);
    if (!skipped) r->list_bytes = back.bytes;
    byte_writer_deinit(&front);
    byte_writer_deinit(&back);
    return text;
}

/* -- publishing -- */

struct playlist_report rendition_report(const struct rendition *r)
{
    const struct rendition_segment *last = last_segment(r);
    if (r->open.part_count) return (struct playlist_report){ r->config.name, r->open.msn, r->open.part_count };
    return (struct playlist_report){ r->config.name, last->msn, lists_parts_of(r, last) ? last->part_count : 0 };
}

static struct edge_snapshot *take_snapshot(struct rendition *r, const struct playlist_report *reports,
                                           size_t report_count)
{
    const struct rendition_segment *last = last_segment(r);
    const size_t skipped = skippable(r);
    struct hints hints;
    find_hints(r, &hints);
    struct objects own = { .items = malloc((r->open.part_count + 1) * sizeof *own.items) };
    if (!own.items) return NULL;
    if (r->init != last->init) add_init(&own, r->init);
    add_parts(&own, &r->open);
    struct frozen *full = render(r, 0, &hints, reports, report_count);
    struct frozen *delta = full && skipped ? render(r, skipped, &hints, reports, report_count) : NULL;
    struct edge_snapshot *snapshot = NULL;
    if (full)
        snapshot = edge_snapshot_create(&(struct edge_snapshot_config){
            .media = r->config.media,
            .playlist = full,
            .delta = delta,
            .last_msn = last->msn,
            .part_count = r->open.part_count,
            .last_segment_parts = lists_parts_of(r, last) ? last->part_count : 0,
            .part_target_us = (uint32_t)r->config.terms.part_us,
            .target_duration_s = r->config.terms.target_duration_s,
            .part_hint = r->is_hint_void ? "" : hints.part,
            .init_hint = hints.init,
            .is_ended = r->is_ended,
            .objects = own.items,
            .object_count = own.count,
            .bundle = r->kept,
        });
    frozen_unref(full);
    frozen_unref(delta);
    free(own.items);
    return snapshot;
}

enum weir_err rendition_publish(struct rendition *r, const struct playlist_report *reports, size_t report_count)
{
    /* nothing is told before a whole segment is there */
    if (!r->is_changed || !r->listed) return WEIR_OK;
    slide(r);
    forget_part_lines(r);
    drop_old_parts(r);
    decide_independence(r);
    const enum weir_err err = bundle_kept(r);
    if (err) return err;
    struct edge_snapshot *snapshot = take_snapshot(r, reports, report_count);
    if (!snapshot) return WEIR_NOMEM;
    r->is_changed = false;
    r->has_published = true;
    if (r->config.shelf) {
        const struct rendition_segment *newest = r->open.part_count ? &r->open : last_segment(r);
        const struct shelf_mark mark = { newest->msn, newest->discontinuity, rendition_first_msn(r), r->config.run_id };
        r->config.shelf->mark(r->config.shelf, &mark);
    }
    const enum weir_err published = live_edge_publish(r->config.edge, r->config.name, snapshot);
    if (published || !r->iframes) return published;
    iframes_drop_before(r->iframes, rendition_first_msn(r));
    return iframes_publish(r->iframes, r->config.edge, r->config.terms.target_duration_s, type_of(r), r->is_ended);
}

uint64_t rendition_held_bytes(const struct rendition *r)
{
    return r ? r->kept_bytes + r->open_bytes + r->chunker.open_bytes : 0;
}
