#include "past.h"

#include <assert.h>
#include <string.h>
#include <weir/base/limits.h>

#define PAGE_ENTRIES 64
#define PAGE_BYTES_MAX (64 * KIB)

struct past_page {
    struct blob *blob; /* a reference */
    size_t skipped;    /* bytes of entries that were dropped */
    size_t count;      /* entries left */
};

void past_init(struct past *p)
{
    *p = (struct past){ .open_count = 0 };
    queue_init(&p->entries, sizeof(struct past_entry), DVR_SEGMENTS_MAX);
    queue_init(&p->pages, sizeof(struct past_page), DVR_SEGMENTS_MAX);
    byte_writer_init(&p->open, PAGE_BYTES_MAX);
}

void past_deinit(struct past *p)
{
    struct past_page page;
    while (queue_take(&p->pages, &page)) blob_unref(page.blob);
    queue_deinit(&p->pages);
    queue_deinit(&p->entries);
    byte_writer_deinit(&p->open);
}

size_t past_count(const struct past *p)
{
    return queue_count(&p->entries);
}

const struct past_entry *past_at(const struct past *p, size_t index)
{
    return queue_at(&p->entries, index);
}

/* The open lines become a page. */
static enum weir_err close_page(struct past *p)
{
    const struct past_page page = { .blob = blob_copy(p->open.data + p->open_skipped, p->open.bytes - p->open_skipped),
                                    .count = p->open_count };
    const enum weir_err err = page.blob ? queue_give(&p->pages, &page) : WEIR_NOMEM;
    if (err) {
        blob_unref(page.blob);
        return err;
    }
    byte_writer_clear(&p->open);
    p->open_count = p->open_skipped = 0;
    return WEIR_OK;
}

enum weir_err past_add(struct past *p, const struct past_entry *entry, struct byte_span lines)
{
    assert(!past_count(p) || past_at(p, past_count(p) - 1)->msn + 1 == entry->msn);
    if (p->open_count == PAGE_ENTRIES || p->open.bytes + lines.bytes > PAGE_BYTES_MAX) {
        const enum weir_err err = close_page(p);
        if (err) return err;
    }
    struct past_entry added = *entry;
    added.text_bytes = (uint32_t)lines.bytes;
    const size_t before = p->open.bytes;
    write_bytes(&p->open, lines.data, lines.bytes);
    const enum weir_err err = p->open.failed ? WEIR_NOMEM : queue_give(&p->entries, &added);
    if (err) {
        p->open.bytes = before;
        p->open.failed = false;
        return err;
    }
    p->open_count++;
    p->duration_us += added.duration_us;
    p->dependent += !added.is_independent;
    return WEIR_OK;
}

void past_drop_oldest(struct past *p)
{
    struct past_entry gone;
    if (!queue_take(&p->entries, &gone)) return;
    p->duration_us -= gone.duration_us;
    p->dependent -= !gone.is_independent;
    struct past_page *page = queue_peek(&p->pages), done;
    if (!page) {
        p->open_skipped += gone.text_bytes;
        p->open_count--;
        return;
    }
    page->skipped += gone.text_bytes;
    if (--page->count) return;
    queue_take(&p->pages, &done);
    blob_unref(done.blob);
}

size_t past_pieces_max(const struct past *p)
{
    return queue_count(&p->pages);
}

/* How many bytes the lines of entries [first, first + count) take. */
static size_t lines_bytes(const struct past *p, size_t first, size_t count)
{
    size_t sum = 0;
    for (size_t i = first; i < first + count; i++) sum += past_at(p, i)->text_bytes;
    return sum;
}

size_t past_pieces(const struct past *p, size_t skipped, struct piece *pieces, struct byte_span *tail)
{
    size_t used = 0, before = 0; /* before: entries in front of the page at hand */
    assert(skipped <= past_count(p));
    for (size_t i = 0; i < queue_count(&p->pages); i++) {
        const struct past_page *page = queue_at(&p->pages, i);
        const size_t left_out = skipped <= before ? 0 : skipped - before > page->count ? page->count : skipped - before;
        if (left_out < page->count) {
            const size_t start = page->skipped + lines_bytes(p, before, left_out);
            pieces[used++] = (struct piece){ page->blob, blob_data(page->blob) + start,
                                             blob_bytes(page->blob) - start };
        }
        before += page->count;
    }
    const size_t start = p->open_skipped + (skipped > before ? lines_bytes(p, before, skipped - before) : 0);
    *tail = (struct byte_span){ p->open.data ? p->open.data + start : NULL, p->open.bytes - start };
    return used;
}
