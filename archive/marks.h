/* Marks: the highest number that each stream has announced, in memory that outlives the process.
 *
 * What is announced to players must not be used again after a kill, and a disk is too slow to be asked first. A small file in a memory file
 * system (/dev/shm) is mapped; marking is a store into it: it cannot fail, block or get lost with the process. It is lost with the machine;
 * then nobody knows (shelf_past.marked_msn), and an estimate takes its place.
 * Thread: create, slot and destroy on any one at a time; the slots themselves from any. */
#ifndef WEIR_ARCHIVE_MARKS_H
#define WEIR_ARCHIVE_MARKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct marks;

/* path: of the file. is_wanted: whether a stream of that hash still matters; others' slots are freed. NULL: it cannot be had, errno says why. */
struct marks *marks_open(const char *path, bool (*is_wanted)(void *context, uint64_t hash), void *context);
void marks_close(struct marks *m); /* NULL is fine; the file stays */
/* The stream's, made at need; 0 in it: nothing is known. NULL: no room. */
_Atomic uint64_t *marks_slot(struct marks *m, uint64_t hash);

static inline void marks_raise(_Atomic uint64_t *slot, uint64_t msn)
{
    if (msn > atomic_load_explicit(slot, memory_order_relaxed)) atomic_store_explicit(slot, msn, memory_order_relaxed);
}

#endif
