#include "fmp4_read.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>

#define BOX_HEAD_BYTES 8
#define TRUN_ENTRY_BYTES 16
#define TRUN_HEAD_BYTES 12 /* version and flags, count, data offset */
#define FLAGS_NON_SYNC 0x00010000u

/* The box of this name directly inside `in`; data NULL: none. */
static struct byte_span find_box(struct byte_span in, const char type[5])
{
    struct byte_reader r;
    byte_reader_init(&r, in.data, in.bytes);
    while (byte_reader_left(&r) >= BOX_HEAD_BYTES) {
        const uint32_t bytes = read_u32(&r);
        const struct byte_span name = read_span(&r, 4);
        if (bytes < BOX_HEAD_BYTES) break;
        /* mdat's contents stand in the next pieces */
        const struct byte_span body = read_span(&r, bytes - BOX_HEAD_BYTES);
        if (r.failed) break;
        if (!memcmp(name.data, type, 4)) return body;
    }
    return (struct byte_span){ NULL, 0 };
}

struct list {
    struct fmp4_sample *items;
    size_t count, capacity;
};

static bool make_room(struct list *l, size_t more)
{
    if (l->count + more <= l->capacity) return true;
    size_t capacity = l->capacity ? l->capacity * 2 : 128;
    while (capacity < l->count + more) capacity *= 2;
    struct fmp4_sample *items = realloc(l->items, capacity * sizeof *items);
    if (!items) return false;
    l->items = items;
    l->capacity = capacity;
    return true;
}

/* Where reading stands. */
struct cursor {
    const struct piece *pieces;
    size_t count, at, offset; /* offset: in pieces[at] */
};

/* A sample's bytes, which never lie across two pieces. */
static bool take_payload(struct cursor *c, size_t bytes, struct piece *out)
{
    if (c->at < c->count && c->offset == c->pieces[c->at].bytes) c->at++, c->offset = 0;
    if (!bytes) {
        *out = (struct piece){ .bytes = 0 };
        return true;
    }
    if (c->at == c->count || c->pieces[c->at].bytes - c->offset < bytes) return false;
    *out = (struct piece){ c->pieces[c->at].blob, c->pieces[c->at].data + c->offset, bytes };
    c->offset += bytes;
    return true;
}

/* Boxes stand at the start of a chunk's first piece, mdat's head last; its contents follow, there and in the next pieces. */
static bool read_boxes(struct cursor *c, struct byte_span *tfdt, struct byte_span *trun)
{
    const struct byte_span piece = { c->pieces[c->at].data, c->pieces[c->at].bytes };
    const struct byte_span moof = find_box(piece, "moof"), traf = find_box(moof, "traf");
    *tfdt = find_box(traf, "tfdt");
    *trun = find_box(traf, "trun");
    if (tfdt->bytes != 12 || trun->bytes < TRUN_HEAD_BYTES) return false;
    c->offset = (size_t)(moof.data + moof.bytes - piece.data) + BOX_HEAD_BYTES;
    return c->offset <= piece.bytes;
}

static bool read_chunk(struct cursor *c, struct list *out)
{
    struct byte_span tfdt, trun;
    if (!read_boxes(c, &tfdt, &trun)) return false;
    const size_t count = load_u32(trun.data + 4);
    if ((trun.bytes - TRUN_HEAD_BYTES) / TRUN_ENTRY_BYTES != count || !make_room(out, count)) return false;
    int64_t dts = (int64_t)((uint64_t)load_u32(tfdt.data + 4) << 32 | load_u32(tfdt.data + 8));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = trun.data + TRUN_HEAD_BYTES + i * TRUN_ENTRY_BYTES;
        struct fmp4_sample *s = &out->items[out->count];
        *s = (struct fmp4_sample){
            .dts = dts,
            .duration = load_u32(entry),
            .composition_offset = (int32_t)load_u32(entry + 12),
            .is_sync = !(load_u32(entry + 8) & FLAGS_NON_SYNC),
        };
        if (!take_payload(c, load_u32(entry + 4), &s->payload)) return false;
        out->count++;
        dts += s->duration;
    }
    (void)take_payload(c, 0, &(struct piece){ .bytes = 0 }); /* past the end of the last one */
    return c->offset == 0;                                   /* the next chunk begins a piece */
}

enum weir_err fmp4_samples_read(const struct frozen *body, struct fmp4_sample **samples, size_t *count)
{
    struct cursor c = { .pieces = frozen_pieces(body), .count = frozen_piece_count(body) };
    struct list list = { .items = NULL };
    bool is_good = c.count > 0;
    while (is_good && c.at < c.count) is_good = read_chunk(&c, &list);
    if (!is_good || !list.count) {
        free(list.items);
        return WEIR_MALFORMED;
    }
    *samples = list.items;
    *count = list.count;
    return WEIR_OK;
}
