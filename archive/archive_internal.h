/* What the archive's three files share: the table and its lock (archive.c), the writer's thread (archive_writer.c) and the reader's
 * (archive_reader.c). */
#ifndef WEIR_ARCHIVE_INTERNAL_H
#define WEIR_ARCHIVE_INTERNAL_H

#include <pthread.h>
#include <weir/archive/archive.h>
#include <weir/base/queue.h>

#include "catalogue.h"
#include "files.h"
#include "folder_name.h"
#include "marks.h"

#define ARCHIVE_FOLDER_BYTES 512
#define ARCHIVE_PATH_BYTES (ARCHIVE_FOLDER_BYTES + FOLDER_NAME_BYTES + 32)
#define SHELF_BUCKETS 4096
#define ARCHIVE_JOB_BYTES 512 /* what a job weighs in the queue besides its body */

enum shelf_state {
    SHELF_UNREAD = 1, /* its journals are on disk alone */
    SHELF_READING,
    SHELF_READY
};

struct shelf {
    struct segment_shelf face; /* first: the shelf is what others see */
    struct archive *archive;
    struct shelf *next; /* in its bucket */
    uint32_t refs;
    enum shelf_state state;
    char folder[FOLDER_NAME_BYTES];
    char stream[STREAM_NAME_BYTES_MAX + 1]; /* "": found on disk, and not known yet */
    struct archive_policy policy;
    struct catalogue catalogue;
    struct shelf_past *past;
    bool past_taken;   /* and may not be changed any more */
    struct mark *mark; /* NULL: none can be kept */
    /* the writer's alone: the chunk that it adds to */
    struct archive_policy writing; /* a copy of the policy */
    struct catalogue_chunk *open;
    uint64_t open_data_bytes, open_journal_bytes;
    int64_t opened_us;
};

enum write_kind { WRITE_OBJECT = 1, WRITE_END };

struct write_job {
    enum write_kind kind;
    struct shelf *shelf;             /* a reference */
    struct catalogue_object *object; /* object: in no chunk yet */
    struct frozen *body, *init;      /* references; NULL: none */
    char init_name[EDGE_OBJECT_NAME_BYTES];
    int64_t given_us;
    int64_t wall_us, keep_us; /* end */
};

enum load_fate {
    LOAD_WANTED, /* zero: as it is made */
    LOAD_CANCELLED,
    LOAD_LOST, /* its answer could not be posted: it is freed when it is cancelled */
};

struct segment_load {
    struct segment_load *next;
    struct archive *archive;
    struct shelf *shelf; /* a reference while it waits */
    char rendition[EDGE_RENDITION_NAME_BYTES],
        name[EDGE_OBJECT_NAME_BYTES]; /* name "": waits for the shelf to be read */
    struct loop *loop;
    void (*fn)(void *context, const struct segment_loaded *loaded);
    void *context;
    _Atomic int fate;             /* enum load_fate: whoever sees the other's mark frees it */
    struct segment_loaded result; /* holds a reference on the body */
};

struct load_list {
    struct segment_load *first, *last;
    size_t count;
};

struct archive_loader {
    struct segment_loader face; /* first */
    struct archive *archive;
};

struct archive {
    struct archive_config config;
    struct archive_files files;
    struct archive_loader loader;
    char folder[ARCHIVE_FOLDER_BYTES];
    int lock_fd; /* the folder, locked against other processes; -1: it was not there */
    struct marks *marks;
    uint64_t chunk_bytes_max; /* the writer's */

    pthread_mutex_t lock; /* guards all that follows, and shelves and their catalogues */
    pthread_cond_t writer_wakes, reader_wakes;
    struct shelf *shelves[SHELF_BUCKETS];
    size_t shelf_count, object_count;
    uint64_t bytes; /* on disk */
    struct queue jobs;
    uint64_t queued_bytes;
    int64_t writing_since_us; /* when the job in hand was given; 0: none is */
    struct load_list opens, loads;
    size_t scan_bucket;                       /* shelves before it have been read */
    struct catalogue_object *newest, *oldest; /* bodies in memory that are on disk, too */
    uint64_t cached_bytes;
    bool is_leaving, is_loading_over, is_over;
    bool is_failing, is_behind;
    char reason[96];
    uint64_t lost_in_a_row;
    struct counters counters; /* written under the lock */

    pthread_t writer, reader;
    bool has_writer, has_reader;
};

/* -- archive.c; all under the lock -- */
struct shelf *archive_find_shelf(struct archive *a, const char *folder);
struct shelf *archive_add_shelf(struct archive *a, const char *folder);
struct shelf *shelf_ref(struct shelf *s);
/* The shelf goes when nobody holds it and nothing is on it. */
void shelf_unref(struct shelf *s);
/* Tells the past what the mark says. */
void shelf_note_mark(struct shelf *s);
/* Deletes a chunk from the catalogue; its files are the caller's. */
void shelf_forget_chunk(struct shelf *s, struct catalogue_chunk *chunk);
/* Takes over the reference on the body. */
void archive_cache(struct archive *a, struct catalogue_object *object, struct frozen *body);

struct segment_load *load_list_take(struct load_list *list); /* NULL: empty */

/* -- paths -- */
void shelf_path(const struct shelf *s, char out[ARCHIVE_PATH_BYTES]);
void chunk_path(const struct shelf *s, uint64_t number, const char *ending, char out[ARCHIVE_PATH_BYTES]);
#define DATA_ENDING ".data"
#define JOURNAL_ENDING ".journal"
bool chunk_number_parse(const char *file, const char *ending, uint64_t *number);

/* Fills in the load's result; without a body where that is on disk alone. */
void segment_load_describe(struct segment_load *load, const struct catalogue_object *object);

/* -- the threads -- */
void *archive_write(void *archive);
void *archive_read(void *archive);
/* Gives a load its answer; not under the lock. */
void segment_load_answer(struct segment_load *load);

#endif
