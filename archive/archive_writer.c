/* The writer's thread: takes jobs in order, adds to chunks, and deletes what is too old or too much. */
#include "archive_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#define TIDY_US 1000000LL
#define CHUNKS_PER_BUDGET 64 /* so that what goes at once is a small part of what there is */
#define CHUNKS_PER_WINDOW 16
#define CHUNK_US_MIN (5 * 1000000LL)
#define CHUNK_US_MAX (600 * 1000000LL)
#define NUMBER_TRIES 8
#define DELETIONS_AT_ONCE 16 /* then what waits to be written has its turn */

static int64_t wall(const struct archive *a)
{
    return a->config.wall_now_us(a->config.context);
}

/* -- making room -- */

/* Its entries go first: what nobody can find any more, nobody reads. */
static void delete_chunk(struct archive *a, struct shelf *s, struct catalogue_chunk *chunk, enum counter why)
{
    char journal[ARCHIVE_PATH_BYTES], data[ARCHIVE_PATH_BYTES], folder[ARCHIVE_PATH_BYTES];
    chunk_path(s, chunk->number, JOURNAL_ENDING, journal);
    chunk_path(s, chunk->number, DATA_ENDING, data);
    shelf_path(s, folder);
    pthread_mutex_lock(&a->lock);
    shelf_forget_chunk(s, chunk);
    counter_add(&a->counters, why, 1);
    const bool is_empty = !s->catalogue.chunk_count;
    shelf_ref(s);
    pthread_mutex_unlock(&a->lock);
    a->files.remove(a->files.context, journal);
    a->files.remove(a->files.context, data);
    if (is_empty) a->files.remove_folder(a->files.context, folder);
    pthread_mutex_lock(&a->lock);
    shelf_unref(s);
    pthread_mutex_unlock(&a->lock);
}

/* The chunk whose segments are the oldest of all; under the lock. */
static struct catalogue_chunk *find_oldest(const struct archive *a, const struct catalogue_chunk *spared,
                                           struct shelf **shelf)
{
    struct catalogue_chunk *oldest = NULL;
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (struct shelf *s = a->shelves[i]; s; s = s->next) {
            struct catalogue_chunk *chunk = s->catalogue.first;
            if (!chunk || chunk == spared || (oldest && chunk->last_wall_us >= oldest->last_wall_us)) continue;
            oldest = chunk;
            *shelf = s;
        }
    }
    return oldest;
}

/* Deletes the oldest chunk of all but `spared`; false: there is none. */
static bool evict(struct archive *a, const struct catalogue_chunk *spared)
{
    struct shelf *s = NULL;
    pthread_mutex_lock(&a->lock);
    struct catalogue_chunk *chunk = find_oldest(a, spared, &s);
    if (chunk) shelf_ref(s);
    pthread_mutex_unlock(&a->lock);
    if (!chunk) return false;
    delete_chunk(a, s, chunk, COUNTER_DVR_EVICTED);
    pthread_mutex_lock(&a->lock);
    shelf_unref(s);
    pthread_mutex_unlock(&a->lock);
    return true;
}

/* Room for `bytes` more of the shelf within all budgets. The writer alone adds and deletes, so what it reads here stays true. */
static bool make_room(struct archive *a, struct shelf *s, uint64_t bytes)
{
    const uint64_t own_max = s->writing.bytes_max && s->writing.bytes_max < a->config.bytes_max ? s->writing.bytes_max
                                                                                                : a->config.bytes_max;
    if (bytes > own_max) return false;
    for (;;) {
        pthread_mutex_lock(&a->lock);
        const bool is_own_full = s->catalogue.bytes + bytes > own_max || s->catalogue.chunk_count >= ARCHIVE_CHUNKS_MAX;
        const bool is_full = a->bytes + bytes > a->config.bytes_max || a->object_count > ARCHIVE_OBJECTS_MAX;
        struct catalogue_chunk *own = s->catalogue.first;
        pthread_mutex_unlock(&a->lock);
        if (is_own_full && own)
            delete_chunk(a, s, own, COUNTER_DVR_EVICTED);
        else if (!is_full)
            return true;
        else if (!evict(a, NULL))
            return false;
    }
}

/* -- chunks -- */

/* How large one may become: small beside what there is, so that deleting one leaves most of it. */
static void size_chunks(struct archive *a)
{
    uint64_t bytes = a->config.bytes_max, disk;
    if (!a->files.space(a->files.context, a->folder, &disk) && disk < bytes) bytes = disk;
    bytes /= CHUNKS_PER_BUDGET;
    a->chunk_bytes_max = bytes < ARCHIVE_CHUNK_BYTES_MIN   ? ARCHIVE_CHUNK_BYTES_MIN
                         : bytes > ARCHIVE_CHUNK_BYTES_MAX ? ARCHIVE_CHUNK_BYTES_MAX
                                                           : bytes;
}

static bool is_chunk_full(const struct archive *a, const struct shelf *s, uint64_t more_bytes)
{
    int64_t longest_us = s->writing.keep_us / CHUNKS_PER_WINDOW;
    if (longest_us < CHUNK_US_MIN) longest_us = CHUNK_US_MIN;
    if (longest_us > CHUNK_US_MAX) longest_us = CHUNK_US_MAX;
    uint64_t bytes_max = a->chunk_bytes_max;
    if (s->writing.bytes_max && s->writing.bytes_max / CHUNKS_PER_WINDOW < bytes_max)
        bytes_max = s->writing.bytes_max / CHUNKS_PER_WINDOW;
    return (s->open_data_bytes && s->open_data_bytes + more_bytes > bytes_max) ||
           s->open_journal_bytes + 2 * JOURNAL_RECORD_BYTES_MAX > ARCHIVE_JOURNAL_BYTES_MAX ||
           clock_now_us() - s->opened_us > longest_us;
}

static int create_files(struct archive *a, const struct shelf *s, uint64_t number, const struct byte_writer *head)
{
    char data[ARCHIVE_PATH_BYTES], journal[ARCHIVE_PATH_BYTES];
    const struct iovec piece = { .iov_base = head->data, .iov_len = head->bytes };
    chunk_path(s, number, JOURNAL_ENDING, journal);
    chunk_path(s, number, DATA_ENDING, data);
    int failed = a->files.write(a->files.context, journal, 0, &piece, 1, true);
    if (failed == EEXIST) return failed;
    if (!failed) failed = a->files.write(a->files.context, data, 0, NULL, 0, true);
    if (failed) a->files.remove(a->files.context, journal);
    return failed;
}

/* It stands in the catalogue before its files are there, so that the reader does not take them for an earlier process's. */
static struct catalogue_chunk *add_chunk(struct archive *a, struct shelf *s, uint64_t journal_bytes)
{
    const int64_t wall_us = wall(a);
    pthread_mutex_lock(&a->lock);
    /* named by the clock, so that they sort and no two processes choose the same */
    uint64_t number = (uint64_t)wall_us / 1000;
    const struct catalogue_chunk *last = s->catalogue.last;
    if (last && number <= last->number) number = last->number + 1;
    struct catalogue_chunk *chunk = catalogue_add_chunk(&s->catalogue, number, wall_us, false);
    if (chunk) {
        chunk->bytes = journal_bytes;
        s->catalogue.bytes += journal_bytes;
        a->bytes += journal_bytes;
    }
    pthread_mutex_unlock(&a->lock);
    return chunk;
}

static void write_head(struct byte_writer *w, const struct shelf *s)
{
    struct journal_record record = { .kind = JOURNAL_HEAD, .keep_us = s->writing.keep_us };
    memcpy(record.stream, s->stream, sizeof record.stream);
    byte_writer_init(w, (size_t)2 * JOURNAL_RECORD_BYTES_MAX);
    journal_write_magic(w);
    journal_write(w, &record);
}

static int open_chunk(struct archive *a, struct shelf *s)
{
    struct byte_writer head;
    char folder[ARCHIVE_PATH_BYTES];
    struct catalogue_chunk *chunk = NULL;
    write_head(&head, s);
    shelf_path(s, folder);
    int failed = head.failed ? ENOMEM : a->files.make_folder(a->files.context, a->folder);
    if (!failed) failed = a->files.make_folder(a->files.context, folder);
    for (int i = 0; !failed && i < NUMBER_TRIES; i++) {
        chunk = add_chunk(a, s, head.bytes);
        failed = chunk ? create_files(a, s, chunk->number, &head) : ENOMEM;
        if (failed != EEXIST || i + 1 == NUMBER_TRIES) break;
        failed = 0; /* it stays in the catalogue, empty, until the next one has taken the number behind it */
    }
    if (!failed) {
        s->open = chunk;
        s->open_data_bytes = 0;
        s->open_journal_bytes = head.bytes;
        s->opened_us = clock_now_us();
    } else if (chunk) {
        pthread_mutex_lock(&a->lock);
        shelf_forget_chunk(s, chunk);
        pthread_mutex_unlock(&a->lock);
    }
    byte_writer_deinit(&head);
    return failed;
}

/* What a job adds: the init where the chunk has it not yet, then the body. */
struct addition {
    struct journal_record init, record; /* init.kind 0: not needed */
    uint64_t data_bytes;
    struct byte_writer journal;
};

static void describe(struct archive *a, const struct write_job *job, struct addition *add)
{
    struct shelf *s = job->shelf;
    *add = (struct addition){ .data_bytes = 0 };
    byte_writer_init(&add->journal, (size_t)2 * JOURNAL_RECORD_BYTES_MAX);
    if (job->kind == WRITE_END) {
        add->record = (struct journal_record){ .kind = JOURNAL_END, .wall_us = job->wall_us, .keep_us = job->keep_us };
        journal_write(&add->journal, &add->record);
        return;
    }
    const struct catalogue_object *object = job->object;
    struct journal_record *record = &add->record;
    *record = (struct journal_record){
        .kind = object->kind,
        .media = object->media,
        .is_independent = object->is_independent,
        .starts_era = object->starts_era,
        .bytes = object->bytes,
        .msn = object->msn,
        .discontinuity = object->discontinuity,
        .first_msn = object->first_msn,
        .duration_us = object->duration_us,
        .wall_us = object->wall_us,
    };
    memcpy(record->name, object->name, strlen(object->name) + 1);
    memcpy(record->init_name, job->init_name, sizeof record->init_name);
    pthread_mutex_lock(&a->lock);
    memcpy(record->rendition, s->catalogue.renditions[object->rendition], sizeof record->rendition);
    const bool has_init = !job->init || catalogue_find_in(&s->catalogue, s->open, record->rendition, job->init_name);
    pthread_mutex_unlock(&a->lock);
    uint64_t at = s->open_data_bytes;
    if (!has_init) {
        add->init = (struct journal_record){ .kind = JOURNAL_INIT,
                                             .media = object->media,
                                             .offset = at,
                                             .bytes = (uint32_t)frozen_bytes(job->init),
                                             .crc = journal_crc(job->init),
                                             .wall_us = object->wall_us };
        memcpy(add->init.rendition, record->rendition, sizeof record->rendition);
        memcpy(add->init.name, job->init_name, sizeof add->init.name);
        journal_write(&add->journal, &add->init);
        at += add->init.bytes;
    }
    record->offset = at;
    if (job->body) record->crc = journal_crc(job->body);
    journal_write(&add->journal, record);
    add->data_bytes = at + record->bytes - s->open_data_bytes;
}

static int write_data(struct archive *a, const struct write_job *job, const struct addition *add)
{
    struct shelf *s = job->shelf;
    struct frozen *const parts[] = { add->init.kind ? job->init : NULL, job->body };
    size_t count = 0;
    char path[ARCHIVE_PATH_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) count += parts[i] ? frozen_piece_count(parts[i]) : 0;
    if (!count) return 0;
    struct iovec *pieces = malloc(count * sizeof *pieces);
    if (!pieces) return ENOMEM;
    count = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t k = 0; parts[i] && k < frozen_piece_count(parts[i]); k++) {
            const struct piece *piece = &frozen_pieces(parts[i])[k];
            pieces[count++] = (struct iovec){ .iov_base = (void *)piece->data, .iov_len = piece->bytes };
        }
    }
    chunk_path(s, s->open->number, DATA_ENDING, path);
    const int failed = a->files.write(a->files.context, path, s->open_data_bytes, pieces, count, false);
    free(pieces);
    /* gives back what was taken of a full disk; what cannot be cut is written over */
    if (failed) a->files.cut(a->files.context, path, s->open_data_bytes);
    return failed;
}

static int write_journal(struct archive *a, struct shelf *s, const struct addition *add)
{
    char path[ARCHIVE_PATH_BYTES];
    const struct iovec piece = { .iov_base = add->journal.data, .iov_len = add->journal.bytes };
    chunk_path(s, s->open->number, JOURNAL_ENDING, path);
    const int failed = a->files.write(a->files.context, path, s->open_journal_bytes, &piece, 1, false);
    /* half a record in the middle would hide all that follows: cut it off, or leave the chunk as it is */
    if (failed && a->files.cut(a->files.context, path, s->open_journal_bytes)) s->open = NULL;
    return failed;
}

/* Under the lock: it is on the disk, so it can be found. */
static void note_written(struct archive *a, const struct write_job *job, const struct addition *add)
{
    struct shelf *s = job->shelf;
    const uint64_t bytes = add->data_bytes + add->journal.bytes;
    s->open_data_bytes += add->data_bytes;
    s->open_journal_bytes += add->journal.bytes;
    s->open->bytes += bytes;
    s->catalogue.bytes += bytes;
    a->bytes += bytes;
    counter_add(&a->counters, COUNTER_DVR_BYTES_WRITTEN, bytes);
    if (add->init.kind) {
        struct catalogue_object *init = catalogue_add(&s->catalogue, &add->init);
        if (init) catalogue_keep(&s->catalogue, init, s->open, &add->init);
        if (init) a->object_count++;
    }
    if (job->kind == WRITE_END) return;
    struct catalogue_object *object = job->object;
    frozen_unref(object->body);
    object->body = NULL;
    catalogue_keep(&s->catalogue, object, s->open, &add->record);
    if (object->kind == JOURNAL_SEGMENT) counter_add(&a->counters, COUNTER_DVR_WRITTEN, 1);
}

/* What it did is in *add, whose journal the caller deinits; the catalogue learns of it in finish. */
static int append(struct archive *a, const struct write_job *job, struct addition *add)
{
    struct shelf *s = job->shelf;
    const uint64_t most_bytes = (job->body ? frozen_bytes(job->body) : 0) + (job->init ? frozen_bytes(job->init) : 0);
    if (s->open && is_chunk_full(a, s, most_bytes)) s->open = NULL;
    int failed = s->open ? 0 : open_chunk(a, s);
    if (failed) return failed;
    describe(a, job, add);
    failed = add->journal.failed ? ENOMEM : write_data(a, job, add);
    if (!failed) failed = write_journal(a, s, add);
    /* a disk that is full or away leaves the chunk as it is; whatever else happened to its files, another one is begun */
    if (failed && failed != ENOSPC && failed != EDQUOT && failed != EROFS) s->open = NULL;
    return failed;
}

/* -- jobs -- */

static void log_outcome(struct archive *a, const struct shelf *s, int failed, uint64_t lost)
{
    if (failed)
        log_event(LOG_ARCHIVE, LOG_ERROR, s->stream, "dvr_write_failed",
                  "path=%s reason=\"%s\" hint=\"live goes on from memory; what cannot be written is a gap later\"",
                  a->folder, strerror(failed));
    else
        log_event(LOG_ARCHIVE, LOG_INFO, s->stream, "dvr_recovered", "path=%s lost=%llu", a->folder,
                  (unsigned long long)lost);
}

/* add: what was written when nothing failed. */
static void finish(struct archive *a, struct write_job *job, int failed, const struct addition *add)
{
    struct shelf *s = job->shelf;
    pthread_mutex_lock(&a->lock);
    const bool is_news = a->is_failing != !!failed;
    const uint64_t lost = a->lost_in_a_row;
    a->is_failing = failed;
    a->lost_in_a_row = failed ? lost + 1 : 0;
    if (is_news) strncpy(a->reason, failed ? strerror(failed) : "", sizeof a->reason - 1);
    if (failed) counter_add(&a->counters, COUNTER_DVR_FAILED, 1);
    if (!failed) {
        note_written(a, job, add);
    } else if (job->object) {
        catalogue_remove(&s->catalogue, job->object);
        a->object_count--;
    }
    pthread_mutex_unlock(&a->lock);
    if (is_news) log_outcome(a, s, failed, lost);
}

static void write_job(struct archive *a, struct write_job *job)
{
    struct shelf *s = job->shelf;
    const uint64_t most_bytes = (job->body ? frozen_bytes(job->body) : 0) + (job->init ? frozen_bytes(job->init) : 0) +
                                (uint64_t)3 * JOURNAL_RECORD_BYTES_MAX;
    pthread_mutex_lock(&a->lock);
    s->writing = s->policy;
    pthread_mutex_unlock(&a->lock);
    struct addition add = { .data_bytes = 0 };
    int failed = EDQUOT; /* larger than all that may be kept */
    if (make_room(a, s, most_bytes)) {
        failed = append(a, job, &add);
        /* a disk that is smaller than what we may use, or that others fill: the window becomes shorter */
        if ((failed == ENOSPC || failed == EDQUOT) && evict(a, s->open)) {
            byte_writer_deinit(&add.journal);
            failed = append(a, job, &add);
        }
    }
    finish(a, job, failed, &add);
    byte_writer_deinit(&add.journal);
}

/* -- what is too old -- */

static struct catalogue_chunk *find_old(const struct archive *a, int64_t wall_us, struct shelf **shelf)
{
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (struct shelf *s = a->shelves[i]; s; s = s->next) {
            struct catalogue_chunk *chunk = s->catalogue.first;
            if (!chunk || !catalogue_is_old(&s->catalogue, chunk, wall_us)) continue;
            *shelf = s;
            return chunk;
        }
    }
    return NULL;
}

static void tidy(struct archive *a)
{
    for (int left = DELETIONS_AT_ONCE; left > 0; left--) {
        struct shelf *s = NULL;
        pthread_mutex_lock(&a->lock);
        struct catalogue_chunk *chunk = find_old(a, wall(a), &s);
        if (chunk) shelf_ref(s);
        pthread_mutex_unlock(&a->lock);
        if (!chunk) return;
        delete_chunk(a, s, chunk, COUNTER_DVR_EXPIRED);
        pthread_mutex_lock(&a->lock);
        shelf_unref(s);
        pthread_mutex_unlock(&a->lock);
    }
}

/* -- the thread -- */

static void after(int64_t us, struct timespec *out)
{
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += us / 1000000;
}

/* Under the lock: waits for a job. false: it is time to tidy up, or the end. */
static bool take_job(struct archive *a, struct write_job *job)
{
    struct timespec until;
    after(TIDY_US, &until);
    while (!queue_count(&a->jobs) && !a->is_over) {
        if (pthread_cond_timedwait(&a->writer_wakes, &a->lock, &until)) break;
    }
    if (!queue_take(&a->jobs, job)) return false;
    a->writing_since_us = job->given_us;
    return true;
}

static bool has_caught_up(struct archive *a)
{
    const bool is_news = a->is_behind && !queue_count(&a->jobs);
    if (is_news) a->is_behind = false;
    return is_news;
}

static void do_job(struct archive *a, struct write_job *job, bool is_too_late)
{
    const size_t bytes = ARCHIVE_JOB_BYTES + (job->body ? frozen_bytes(job->body) : 0);
    if (is_too_late)
        finish(a, job, ETIMEDOUT, NULL);
    else
        write_job(a, job);
    frozen_unref(job->body);
    frozen_unref(job->init);
    pthread_mutex_lock(&a->lock);
    a->queued_bytes -= bytes;
    a->writing_since_us = 0;
    shelf_unref(job->shelf);
    const bool is_news = has_caught_up(a);
    pthread_mutex_unlock(&a->lock);
    if (is_news) log_event(LOG_ARCHIVE, LOG_INFO, "-", "dvr_caught_up", "path=%s", a->folder);
}

void *archive_write(void *context)
{
    struct archive *a = context;
    int64_t tidied_us = clock_now_us(), over_us = 0;
    size_chunks(a);
    for (;;) {
        struct write_job job;
        pthread_mutex_lock(&a->lock);
        const bool has_job = take_job(a, &job), is_over = a->is_over;
        pthread_mutex_unlock(&a->lock);
        const int64_t now_us = clock_now_us();
        if (is_over && !over_us) over_us = now_us;
        if (has_job)
            do_job(a, &job, is_over && now_us - over_us > ARCHIVE_DRAIN_US_MAX);
        else if (is_over)
            return NULL;
        if (!is_over && now_us - tidied_us >= TIDY_US) {
            tidy(a);
            tidied_us = now_us;
        }
    }
}
