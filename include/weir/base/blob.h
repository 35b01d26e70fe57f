/* Bytes that are shared instead of copied.
 *
 * A blob is one refcounted allocation. Its single owner may write to it until the first time it is shared; from then on
 * it is immutable. A frozen is an immutable, refcounted list of pieces, each of them a slice of some blob: a CMAF part
 * is its moof plus references to the payloads that came from the wire.
 * Thread: ref and unref from any; they touch memory only, so any thread may drop the last reference. */
#ifndef WEIR_BASE_BLOB_H
#define WEIR_BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

struct blob;

/* Uninitialised bytes, one reference, owned by the caller. NULL: out of memory. */
struct blob *blob_create(size_t bytes);
struct blob *blob_copy(const void *data, size_t bytes);
/* Grows or shrinks a blob that nobody shares (asserted). NULL: out of memory, and `b` is as it was. */
struct blob *blob_resize(struct blob *b, size_t bytes);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine */
/* Writable only while there is one reference. */
uint8_t *blob_data(struct blob *b);
size_t blob_bytes(const struct blob *b);

/* A slice of a blob. Holding one is holding a reference only where the owner says so. */
struct piece {
    struct blob *blob;
    const uint8_t *data;
    size_t bytes;
};

struct frozen;

/* Takes one reference on every piece's blob; the caller keeps his own. One reference on the result. NULL: no memory. */
struct frozen *frozen_create(const struct piece *pieces, size_t count);
/* A list of the pieces of all `parts` in order, no byte copied. */
struct frozen *frozen_join(struct frozen *const *parts, size_t count);
/* Copies `data` once and freezes it. */
struct frozen *frozen_copy(const void *data, size_t bytes);
/* Freezes a whole blob and takes the caller's reference, also on failure. */
struct frozen *frozen_give(struct blob *b);
struct frozen *frozen_ref(struct frozen *f);
void frozen_unref(struct frozen *f); /* NULL is fine */
size_t frozen_bytes(const struct frozen *f);
size_t frozen_piece_count(const struct frozen *f);
/* Lent for as long as the caller holds `f`. */
const struct piece *frozen_pieces(const struct frozen *f);
/* Copies bytes [offset, offset+bytes) out; for tests and small things. Returns how many were there. */
size_t frozen_read(const struct frozen *f, size_t offset, void *out, size_t bytes);

#endif
