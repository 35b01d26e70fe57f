/* archive: keeps streams' segments on disk, so that players can go back hours and a killed server goes on where it was.
 *
 * A folder per stream; in it, chunks: a data file of segments one behind the other, and its journal. One thread writes, one reads; nobody else
 * touches a file. What is to be written stands in a queue that is bounded by bytes and by time, and refuses when it is full: a disk that is slow,
 * full, broken or read-only costs segments their place in the archive, and nobody else anything.
 * The lock here guards the catalogue and the two queues; nothing blocks under it, and no file is touched.
 * Thread: create and destroy on the main one; the rest from any. */
#ifndef WEIR_ARCHIVE_ARCHIVE_H
#define WEIR_ARCHIVE_ARCHIVE_H

#include <weir/base/counters.h>
#include <weir/stream/segment_shelf.h>

struct archive;
struct archive_files;

struct archive_config {
    const char *folder;     /* copied; made when it is not there (its parent must be); of one process at a time */
    const char *marks_path; /* copied; a file in memory that outlives the process (archive/marks.h); NULL: none */
    uint64_t bytes_max;     /* of all that is kept */
    uint64_t queue_bytes_max;
    int64_t queue_us_max;
    const struct archive_files *files;     /* NULL: the real ones */
    int64_t (*wall_now_us)(void *context); /* NULL: the clock */
    void *context;
};

/* Also when the folder cannot be made or read: it is tried again with every segment. WEIR_BUSY: another process has it. */
WEIR_MUST_CHECK enum weir_err archive_create(struct archive **out, const struct archive_config *config);
/* From here on streams that end do so because the process does: they go on when it is started again. */
void archive_leave(struct archive *a);
/* Answers the loads that wait; after the loops have stopped, before they are drained. No load is taken afterwards. */
void archive_stop_loading(struct archive *a);
/* Writes what still waits, for ARCHIVE_DRAIN_US_MAX at most. All shelves must be released, all loops be drained. NULL is fine. */
void archive_destroy(struct archive *a);

struct archive_policy {
    int64_t keep_us;    /* how long segments stay */
    uint64_t bytes_max; /* of this stream's; 0: no limit of its own */
};
/* The shelf of a stream; release it through itself. It may be given to at once; what lies on it is known after archive_await.
 * NULL: no memory, or ARCHIVE_SHELVES_MAX. */
struct segment_shelf *archive_open(struct archive *a, const char *stream, const struct archive_policy *policy);
/* On `loop`: like a load, whose answer has no body and comes when shelf->past() can be relied upon. */
WEIR_MUST_CHECK enum weir_err archive_await(struct archive *a, struct segment_shelf *shelf, struct loop *loop,
                                            void (*fn)(void *context, const struct segment_loaded *loaded),
                                            void *context, struct segment_load **out);
struct segment_loader *archive_loader(struct archive *a); /* lent */

struct archive_figures {
    uint64_t bytes, bytes_max; /* on disk */
    uint64_t queued_bytes;
    uint64_t objects, shelves;
    bool is_failing; /* the last segment could not be written */
    char reason[96]; /* why; "" when it could */
};
void archive_read_figures(struct archive *a, struct archive_figures *out);
const struct counters *archive_counters(const struct archive *a); /* lent */

#endif
