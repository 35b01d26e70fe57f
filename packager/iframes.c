#include "iframes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

struct iframes *iframes_create(const char *rendition)
{
    struct iframes *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    snprintf(f->folder, sizeof f->folder, "../%s/", rendition);
    past_init(&f->entries);
    return f;
}

void iframes_destroy(struct iframes *f)
{
    if (!f) return;
    past_deinit(&f->entries);
    free(f);
}

/* A name in the rendition's folder. */
struct path {
    char text[EDGE_RENDITION_NAME_BYTES + 4 + EDGE_OBJECT_NAME_BYTES];
};

static struct path path_of(const struct iframes *f, const char *name)
{
    struct path p;
    snprintf(p.text, sizeof p.text, "%s%s", f->folder, name);
    return p;
}

static void write_map(struct byte_writer *w, const struct iframes *f, const struct past_entry *e)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    if (!e->init_number) return;
    object_name_init(e->init_run, e->init_number, name);
    playlist_write_map(w, path_of(f, name).text);
}

static void write_entry(struct byte_writer *w, const struct iframes *f, const struct past_entry *e,
                        size_t picture_bytes)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    object_name_segment(e->run_id, e->msn, name);
    if (e->starts_era) write_text(w, "#EXT-X-DISCONTINUITY\n");
    if (e->says_map) write_map(w, f, e);
    playlist_write_segment_head(w, false, NULL, e->wall_us);
    if (picture_bytes) write_format(w, "#EXT-X-BYTERANGE:%zu@0\n", picture_bytes);
    playlist_write_segment_end(w, path_of(f, name).text, e->duration_us, !picture_bytes);
}

static void measure(struct iframes *f, const struct past_entry *e, size_t picture_bytes)
{
    if (!picture_bytes || e->duration_us < 500000) return;
    const uint64_t bps = picture_bytes * 8000000 / (uint64_t)e->duration_us;
    if (bps > f->peak_bps) f->peak_bps = bps;
    f->sum_bytes += picture_bytes;
    f->sum_us += e->duration_us;
}

static void drop_oldest(struct iframes *f)
{
    f->pictures -= !past_at(&f->entries, 0)->is_gap;
    past_drop_oldest(&f->entries);
    f->is_changed = true;
}

void iframes_add(struct iframes *f, const struct past_entry *segment, size_t picture_bytes)
{
    struct past_entry entry = *segment;
    entry.is_gap = !picture_bytes;
    entry.is_independent = true;
    /* numbers have no hole: behind one that memory was wanting for, the list begins anew */
    const struct past_entry *last = past_at(&f->entries, past_count(&f->entries) - 1);
    while (last && past_count(&f->entries) && last->msn + 1 != entry.msn) drop_oldest(f);
    struct byte_writer w;
    byte_writer_init(&w, PLAYLIST_BYTES_MAX);
    write_entry(&w, f, &entry, picture_bytes);
    if (!w.failed && !past_add(&f->entries, &entry, (struct byte_span){ w.data, w.bytes })) {
        f->pictures += picture_bytes != 0;
        f->is_changed = true;
        measure(f, &entry, picture_bytes);
    }
    byte_writer_deinit(&w);
}

void iframes_drop_before(struct iframes *f, uint64_t first_msn)
{
    while (past_count(&f->entries) && past_at(&f->entries, 0)->msn < first_msn) drop_oldest(f);
}

uint64_t iframes_average_bps(const struct iframes *f)
{
    return f->sum_us ? f->sum_bytes * 8000000 / (uint64_t)f->sum_us : 0;
}

/* -- publishing -- */

static struct blob *blob_of(const struct byte_writer *w)
{
    return w->failed ? NULL : blob_copy(w->data, w->bytes);
}

/* [front] [pages] [back], as the rendition's own list. */
static struct frozen *join(struct blob *front, struct blob *back, struct piece *pieces, size_t page_count)
{
    pieces[0] = (struct piece){ front, blob_data(front), blob_bytes(front) };
    pieces[page_count + 1] = (struct piece){ back, blob_data(back), blob_bytes(back) };
    return frozen_create(pieces, page_count + 2);
}

static struct frozen *render(const struct iframes *f, const struct playlist_head *head)
{
    struct byte_writer front, back;
    byte_writer_init(&front, PLAYLIST_BYTES_MAX);
    byte_writer_init(&back, PLAYLIST_BYTES_MAX);
    playlist_write_head(&front, head);
    const struct past_entry *first = past_at(&f->entries, 0);
    if (!first->says_map) write_map(&front, f, first);
    struct piece *pieces = malloc((past_pieces_max(&f->entries) + 2) * sizeof *pieces);
    struct byte_span tail = { NULL, 0 };
    const size_t pages = pieces ? past_pieces(&f->entries, 0, pieces + 1, &tail) : 0;
    write_bytes(&back, tail.data, tail.bytes);
    if (head->is_ended) write_text(&back, "#EXT-X-ENDLIST\n");
    struct blob *front_blob = blob_of(&front), *back_blob = blob_of(&back);
    struct frozen *text = front_blob && back_blob && pieces ? join(front_blob, back_blob, pieces, pages) : NULL;
    blob_unref(front_blob);
    blob_unref(back_blob);
    free(pieces);
    byte_writer_deinit(&front);
    byte_writer_deinit(&back);
    return text;
}

enum weir_err iframes_publish(struct iframes *f, struct live_edge *edge, uint32_t target_duration_s,
                              enum playlist_type type, bool is_ended)
{
    if (!f->is_changed || !f->pictures) return WEIR_OK;
    const struct past_entry *first = past_at(&f->entries, 0), *last = past_at(&f->entries, past_count(&f->entries) - 1);
    const struct playlist_head head = {
        .terms = { .target_duration_s = target_duration_s },
        .type = type,
        .media_sequence = first->msn,
        .discontinuity_sequence = first->discontinuity - first->starts_era,
        .is_iframes_only = true,
        .is_ended = is_ended,
    };
    struct frozen *text = render(f, &head);
    struct edge_snapshot *snapshot = NULL;
    if (text)
        snapshot = edge_snapshot_create(&(struct edge_snapshot_config){ .media = EDGE_VIDEO_MP4,
                                                                        .playlist = text,
                                                                        .last_msn = last->msn,
                                                                        .target_duration_s = target_duration_s,
                                                                        .is_ended = is_ended });
    frozen_unref(text);
    if (!snapshot) return WEIR_NOMEM;
    f->is_changed = false;
    f->has_published = true;
    return live_edge_publish(edge, IFRAMES_RENDITION, snapshot);
}
