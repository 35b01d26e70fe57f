/* Marks: the highest number that each stream has announced, in memory that outlives the process.
 *
 * What is announced to players must not be used again after a kill, and a disk is too slow to be asked first. A small file in a memory file
 * system (/dev/shm) is mapped; marking is a store into it: it cannot fail, block or get lost with the process. It is lost with the machine;
 * then nobody knows (shelf_past.mark), and an estimate takes its place.
 * Thread: create, slot and destroy on any one at a time; the slots themselves from any. */
#ifndef WEIR_ARCHIVE_MARKS_H
#define WEIR_ARCHIVE_MARKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/stream/segment_shelf.h>

struct marks;

/* path: of the file. is_wanted: whether a stream of that hash still matters; others' slots are freed. NULL: it cannot be had, errno says why. */
struct marks *marks_open(const char *path, bool (*is_wanted)(void *context, uint64_t hash), void *context);
void marks_close(struct marks *m); /* NULL is fine; the file stays */
struct mark {
    _Atomic uint64_t msn, discontinuity, first_msn, run_id; /* msn 0: nothing is known */
};
/* The stream's, made at need. NULL: no room. */
struct mark *marks_find(struct marks *m, uint64_t hash);

/* A kill may come in the middle: an era that is ahead of its number does no harm. */
static inline void mark_raise(struct mark *mark, const struct shelf_mark *to)
{
    if (to->first_msn > atomic_load_explicit(&mark->first_msn, memory_order_relaxed))
        atomic_store_explicit(&mark->first_msn, to->first_msn, memory_order_relaxed);
    if (to->msn <= atomic_load_explicit(&mark->msn, memory_order_relaxed)) return;
    atomic_store_explicit(&mark->run_id, to->run_id, memory_order_relaxed);
    atomic_store_explicit(&mark->discontinuity, to->discontinuity, memory_order_relaxed);
    atomic_store_explicit(&mark->msn, to->msn, memory_order_release);
}
static inline struct shelf_mark mark_read(const struct mark *mark)
{
    const uint64_t msn = atomic_load_explicit(&mark->msn, memory_order_acquire);
    return (struct shelf_mark){ msn, atomic_load_explicit(&mark->discontinuity, memory_order_relaxed),
                                atomic_load_explicit(&mark->first_msn, memory_order_relaxed),
                                (uint32_t)atomic_load_explicit(&mark->run_id, memory_order_relaxed) };
}

#endif
