#include <weir/base/blob.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct blob {
    _Atomic uint32_t refs;
    size_t bytes;
    uint8_t data[];
};

struct frozen {
    _Atomic uint32_t refs;
    size_t bytes, count;
    struct piece pieces[];
};

struct blob *blob_create(size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    struct blob *b = malloc(sizeof *b + bytes);
    if (!b) return NULL;
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    return b;
}

struct blob *blob_copy(const void *data, size_t bytes)
{
    struct blob *b = blob_create(bytes);
    if (b && bytes) memcpy(b->data, data, bytes);
    return b;
}

struct blob *blob_resize(struct blob *b, size_t bytes)
{
    assert(atomic_load_explicit(&b->refs, memory_order_acquire) == 1);
    if (bytes > SIZE_MAX / 2) return NULL;
    struct blob *moved = realloc(b, sizeof *b + bytes);
    if (moved) moved->bytes = bytes;
    return moved;
}

struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) free(b);
}

uint8_t *blob_data(struct blob *b)
{
    return b->data;
}

size_t blob_bytes(const struct blob *b)
{
    return b->bytes;
}

static struct frozen *frozen_allocate(size_t count)
{
    if (count > SIZE_MAX / sizeof(struct piece) / 2) return NULL;
    struct frozen *f = malloc(sizeof *f + count * sizeof f->pieces[0]);
    if (!f) return NULL;
    atomic_init(&f->refs, 1);
    f->bytes = 0;
    f->count = 0;
    return f;
}

static void append(struct frozen *f, const struct piece *piece)
{
    blob_ref(piece->blob);
    f->pieces[f->count++] = *piece;
    f->bytes += piece->bytes;
}

struct frozen *frozen_create(const struct piece *pieces, size_t count)
{
    struct frozen *f = frozen_allocate(count);
    if (!f) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].bytes) append(f, &pieces[i]);
    }
    return f;
}

struct frozen *frozen_join(struct frozen *const *parts, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) pieces += parts[i]->count;
    struct frozen *f = frozen_allocate(pieces);
    if (!f) return NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < parts[i]->count; k++) append(f, &parts[i]->pieces[k]);
    }
    return f;
}

struct frozen *frozen_give(struct blob *b)
{
    const struct piece whole = { .blob = b, .data = b->data, .bytes = b->bytes };
    struct frozen *f = frozen_create(&whole, 1);
    blob_unref(b);
    return f;
}

struct frozen *frozen_copy(const void *data, size_t bytes)
{
    struct blob *b = blob_copy(data, bytes);
    return b ? frozen_give(b) : NULL;
}

struct frozen *frozen_ref(struct frozen *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void frozen_unref(struct frozen *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < f->count; i++) blob_unref(f->pieces[i].blob);
    free(f);
}

size_t frozen_bytes(const struct frozen *f)
{
    return f->bytes;
}

size_t frozen_piece_count(const struct frozen *f)
{
    return f->count;
}

const struct piece *frozen_pieces(const struct frozen *f)
{
    return f->pieces;
}

size_t frozen_read(const struct frozen *f, size_t offset, void *out, size_t bytes)
{
    uint8_t *at = out;
    size_t done = 0;
    for (size_t i = 0; i < f->count && done < bytes; i++) {
        const struct piece *p = &f->pieces[i];
        if (offset >= p->bytes) {
            offset -= p->bytes;
            continue;
        }
        size_t run = p->bytes - offset;
        if (run > bytes - done) run = bytes - done;
        memcpy(at + done, p->data + offset, run);
        done += run;
        offset = 0;
    }
    return done;
}
