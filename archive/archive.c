/* The table of shelves, and what the rest of the house sees of them. No file is touched here but in create and destroy. */
#include "archive_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#define PLAYLIST_NAME "index.m3u8"
#define ANSWER_TRIES 1000 /* a millisecond apart: then the loop is dead */

static struct shelf *shelf_of(struct segment_shelf *face)
{
    return (struct shelf *)face;
}

static int64_t system_wall(void *context)
{
    return clock_wall_us();
}

/* -- the table; under the lock -- */

static struct shelf **shelf_bucket(struct archive *a, const char *folder)
{
    return &a->shelves[folder_name_hash(folder) % SHELF_BUCKETS];
}

struct shelf *archive_find_shelf(struct archive *a, const char *folder)
{
    struct shelf *s = *shelf_bucket(a, folder);
    while (s && strcmp(s->folder, folder)) s = s->next;
    return s;
}

struct shelf *shelf_ref(struct shelf *s)
{
    s->refs++;
    return s;
}

static void free_shelf(struct shelf *s)
{
    catalogue_deinit(&s->catalogue);
    shelf_past_unref(s->past);
    free(s);
}

void shelf_unref(struct shelf *s)
{
    if (--s->refs || s->state != SHELF_READY || s->catalogue.chunk_count) return;
    struct archive *a = s->archive;
    struct shelf **at = shelf_bucket(a, s->folder);
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    a->shelf_count--;
    free_shelf(s);
}

static void forget_body(struct archive *a, struct catalogue_object *object)
{
    if (!object->body || !object->chunk) return;
    *(object->newer ? &object->newer->older : &a->newest) = object->older;
    *(object->older ? &object->older->newer : &a->oldest) = object->newer;
    object->newer = object->older = NULL;
    a->cached_bytes -= object->bytes;
    frozen_unref(object->body);
    object->body = NULL;
}

void archive_cache(struct archive *a, struct catalogue_object *object, struct frozen *body)
{
    if (object->body || object->bytes > ARCHIVE_CACHE_BYTES_MAX / 4) {
        frozen_unref(body);
        return;
    }
    object->body = body;
    object->older = a->newest;
    *(a->newest ? &a->newest->newer : &a->oldest) = object;
    a->newest = object;
    a->cached_bytes += object->bytes;
    while (a->cached_bytes > ARCHIVE_CACHE_BYTES_MAX) forget_body(a, a->oldest);
}

void shelf_forget_chunk(struct shelf *s, struct catalogue_chunk *chunk)
{
    struct archive *a = s->archive;
    for (struct catalogue_object *o = chunk->first; o; o = o->next_in_chunk) forget_body(a, o);
    if (s->open == chunk) s->open = NULL;
    a->bytes -= chunk->bytes;
    a->object_count -= chunk->object_count;
    catalogue_drop_chunk(&s->catalogue, chunk);
}

void shelf_note_mark(struct shelf *s)
{
    if (s->past && !s->past_taken && s->mark) s->past->mark = mark_read(s->mark);
}

/* -- a shelf, as the packager sees it -- */

/* Under the lock. Whether the disk is too far behind to take `bytes` more. */
static bool is_behind(const struct archive *a, size_t bytes, int64_t now_us)
{
    const struct write_job *oldest = queue_peek(&a->jobs);
    const int64_t since_us = a->writing_since_us ? a->writing_since_us : oldest ? oldest->given_us : now_us;
    return now_us - since_us > a->config.queue_us_max ||
           (a->queued_bytes && a->queued_bytes + bytes > a->config.queue_bytes_max);
}

/* Under the lock; takes over what the job holds, also on failure. */
static enum weir_err enqueue(struct archive *a, struct write_job *job)
{
    const size_t bytes = ARCHIVE_JOB_BYTES + (job->body ? frozen_bytes(job->body) : 0);
    job->given_us = clock_now_us();
    const bool is_full = is_behind(a, bytes, job->given_us);
    enum weir_err err = a->is_over || is_full ? WEIR_LIMIT : queue_give(&a->jobs, job);
    if (!err) {
        a->queued_bytes += bytes;
        pthread_cond_signal(&a->writer_wakes);
        return WEIR_OK;
    }
    frozen_unref(job->body);
    frozen_unref(job->init);
    if (job->object) {
        catalogue_remove(&job->shelf->catalogue, job->object);
        a->object_count--;
    }
    counter_add(&a->counters, COUNTER_DVR_REFUSED, 1);
    return err;
}

static void log_behind(struct archive *a, const struct shelf *s)
{
    log_event(LOG_ARCHIVE, LOG_ERROR, s->stream, "dvr_behind",
              "reason=\"the disk under %s is too slow: segments are not kept until it has caught up\"", a->folder);
}

static enum weir_err give_object(struct shelf *s, const struct journal_record *record, struct frozen *body,
                                 const char *init_name, struct frozen *init)
{
    struct archive *a = s->archive;
    struct write_job job = { .kind = WRITE_OBJECT, .shelf = s };
    pthread_mutex_lock(&a->lock);
    job.object = catalogue_add(&s->catalogue, record);
    enum weir_err err = job.object ? WEIR_OK : WEIR_NOMEM;
    bool has_fallen_behind = false;
    if (!err) {
        a->object_count++;
        if (body) job.body = frozen_ref(body), job.object->body = frozen_ref(body);
        if (init) job.init = frozen_ref(init);
        snprintf(job.init_name, sizeof job.init_name, "%s", init_name ? init_name : "");
        err = enqueue(a, &job);
        if (!err) shelf_ref(s);
        has_fallen_behind = err == WEIR_LIMIT && !a->is_behind && !a->is_over;
        if (has_fallen_behind) a->is_behind = true;
    }
    pthread_mutex_unlock(&a->lock);
    if (has_fallen_behind) log_behind(a, s);
    return err;
}

static enum weir_err on_give(struct segment_shelf *face, const struct shelf_segment *segment, struct frozen *body,
                             struct frozen *init)
{
    assert(!segment->is_gap == !!body);
    struct journal_record record = {
        .kind = segment->is_gap ? JOURNAL_GAP : JOURNAL_SEGMENT,
        .media = segment->media,
        .is_independent = segment->is_independent,
        .starts_era = segment->starts_era,
        .bytes = body ? (uint32_t)frozen_bytes(body) : 0,
        .msn = segment->msn,
        .discontinuity = segment->discontinuity,
        .first_msn = segment->first_msn,
        .duration_us = segment->duration_us,
        .wall_us = segment->wall_us,
    };
    snprintf(record.rendition, sizeof record.rendition, "%s", segment->rendition);
    snprintf(record.name, sizeof record.name, "%s", segment->name);
    return give_object(shelf_of(face), &record, body, segment->init_name, init);
}

static enum weir_err on_give_playlist(struct segment_shelf *face, const char *rendition, struct frozen *text)
{
    struct shelf *s = shelf_of(face);
    pthread_mutex_lock(&s->archive->lock);
    const bool is_leaving = s->archive->is_leaving;
    pthread_mutex_unlock(&s->archive->lock);
    if (is_leaving) return WEIR_OK; /* the stream will go on: nobody is to be told that it is over */
    struct journal_record record = { .kind = JOURNAL_PLAYLIST,
                                     .name = PLAYLIST_NAME,
                                     .bytes = (uint32_t)frozen_bytes(text),
                                     .wall_us = s->archive->config.wall_now_us(s->archive->config.context) };
    snprintf(record.rendition, sizeof record.rendition, "%s", rendition);
    return give_object(s, &record, text, NULL, NULL);
}

static void on_mark(struct segment_shelf *face, const struct shelf_mark *mark)
{
    struct shelf *s = shelf_of(face);
    if (s->mark) mark_raise(s->mark, mark);
}

static enum shelf_fate on_fate(struct segment_shelf *face, const char *rendition, const char *name)
{
    struct shelf *s = shelf_of(face);
    pthread_mutex_lock(&s->archive->lock);
    const struct catalogue_object *o = catalogue_find(
        &s->catalogue, (struct byte_span){ (const uint8_t *)rendition, strlen(rendition) },
        (struct byte_span){ (const uint8_t *)name, strlen(name) });
    const enum shelf_fate fate = !o || o->is_damaged ? SHELF_LOST : o->chunk ? SHELF_KEPT : SHELF_WAITING;
    pthread_mutex_unlock(&s->archive->lock);
    return fate;
}

static struct shelf_past *on_past(struct segment_shelf *face)
{
    struct shelf *s = shelf_of(face);
    pthread_mutex_lock(&s->archive->lock);
    struct shelf_past *past = s->past ? shelf_past_ref(s->past) : NULL;
    s->past_taken = past != NULL;
    pthread_mutex_unlock(&s->archive->lock);
    return past;
}

static void on_end(struct segment_shelf *face, int64_t keep_us)
{
    struct shelf *s = shelf_of(face);
    struct archive *a = s->archive;
    const int64_t wall_us = a->config.wall_now_us(a->config.context);
    struct write_job job = { .kind = WRITE_END, .shelf = s, .wall_us = wall_us, .keep_us = keep_us };
    pthread_mutex_lock(&a->lock);
    if (!a->is_leaving) {
        shelf_past_unref(s->past);
        s->past = NULL;
        catalogue_end(&s->catalogue, wall_us + keep_us);
        if (!enqueue(a, &job)) shelf_ref(s);
    }
    pthread_mutex_unlock(&a->lock);
}

static void on_release(struct segment_shelf *face)
{
    struct archive *a = shelf_of(face)->archive;
    pthread_mutex_lock(&a->lock);
    shelf_unref(shelf_of(face));
    pthread_mutex_unlock(&a->lock);
}

/* -- loads -- */

static void free_load(struct segment_load *load)
{
    frozen_unref(load->result.body);
    free(load);
}

static void on_answer(void *context, void *unused)
{
    struct segment_load *load = context;
    if (atomic_load(&load->fate) != LOAD_CANCELLED) load->fn(load->context, &load->result);
    free_load(load);
}

void segment_load_answer(struct segment_load *load)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    struct archive *a = load->archive;
    for (int i = 0; i < ANSWER_TRIES; i++) {
        if (!loop_post(load->loop, on_answer, load, NULL)) return;
        nanosleep(&moment, NULL);
    }
    /* the loop stands still, or has ended; who waits gives up by himself */
    pthread_mutex_lock(&a->lock);
    counter_add(&a->counters, COUNTER_DVR_ANSWERS_LOST, 1);
    pthread_mutex_unlock(&a->lock);
    if (atomic_exchange(&load->fate, LOAD_LOST) == LOAD_CANCELLED) free_load(load);
}

static void append(struct load_list *list, struct segment_load *load)
{
    load->next = NULL;
    if (list->last)
        list->last->next = load;
    else
        list->first = load;
    list->last = load;
    list->count++;
}

struct segment_load *load_list_take(struct load_list *list)
{
    struct segment_load *load = list->first;
    if (!load) return NULL;
    list->first = load->next;
    if (!list->first) list->last = NULL;
    list->count--;
    return load;
}

void segment_load_describe(struct segment_load *load, const struct catalogue_object *object)
{
    load->result = (struct segment_loaded){ .media = object->media,
                                            .kind = object->kind == JOURNAL_INIT      ? EDGE_INIT
                                                    : object->kind == JOURNAL_SEGMENT ? EDGE_SEGMENT
                                                                                      : EDGE_PLAYLIST };
    if (object->body) load->result.body = frozen_ref(object->body);
}

static bool copy_span(char *out, size_t capacity, struct byte_span text)
{
    if (text.bytes >= capacity || (text.bytes && memchr(text.data, 0, text.bytes))) return false;
    if (text.bytes) memcpy(out, text.data, text.bytes);
    out[text.bytes] = 0;
    return true;
}

/* Under the lock. */
static enum weir_err find_object(struct archive *a, const char *folder, const char *stream, struct segment_load *load,
                                 bool *is_answered)
{
    struct shelf *s = archive_find_shelf(a, folder);
    if (!s || (s->stream[0] && strcmp(s->stream, stream))) return WEIR_NOT_FOUND;
    const struct byte_span rendition = { (const uint8_t *)load->rendition, strlen(load->rendition) };
    const struct byte_span name = { (const uint8_t *)load->name, strlen(load->name) };
    struct catalogue_object *object = catalogue_find(&s->catalogue, rendition, name);
    if (!object && s->state == SHELF_READY) return WEIR_NOT_FOUND;
    if (object && (object->kind == JOURNAL_GAP || object->is_damaged)) return WEIR_NOT_FOUND;
    *is_answered = object && object->body;
    if (*is_answered) segment_load_describe(load, object);
    if (*is_answered) return WEIR_OK;
    if (a->is_loading_over || a->loads.count >= ARCHIVE_LOADS_MAX) {
        counter_add(&a->counters, COUNTER_DVR_LOAD_REFUSED, 1);
        return WEIR_LIMIT;
    }
    load->shelf = shelf_ref(s);
    append(&a->loads, load);
    pthread_cond_signal(&a->reader_wakes);
    return WEIR_OK;
}

static enum weir_err on_load(struct segment_loader *loader, struct byte_span stream, struct byte_span rendition,
                             struct byte_span name, struct loop *loop,
                             void (*fn)(void *context, const struct segment_loaded *loaded), void *context,
                             struct segment_load **out)
{
    struct archive *a = ((struct archive_loader *)loader)->archive;
    char text[STREAM_NAME_BYTES_MAX + 1], folder[FOLDER_NAME_BYTES];
    struct segment_load *load = calloc(1, sizeof *load);
    if (!load) return WEIR_NOMEM;
    *load = (struct segment_load){ .archive = a, .loop = loop, .fn = fn, .context = context };
    enum weir_err err = WEIR_NOT_FOUND;
    bool is_answered = false;
    if (name.bytes && copy_span(text, sizeof text, stream) &&
        copy_span(load->rendition, sizeof load->rendition, rendition) &&
        copy_span(load->name, sizeof load->name, name)) {
        folder_name_make(text, folder);
        pthread_mutex_lock(&a->lock);
        err = find_object(a, folder, text, load, &is_answered);
        pthread_mutex_unlock(&a->lock);
    }
    if (!err && is_answered) {
        err = loop_post(loop, on_answer, load, NULL);
        if (err) frozen_unref(load->result.body);
    }
    if (err)
        free(load);
    else
        *out = load;
    return err;
}

static void on_cancel(struct segment_loader *loader, struct segment_load *load)
{
    loop_assert_current(load->loop);
    if (atomic_exchange(&load->fate, LOAD_CANCELLED) == LOAD_LOST) free_load(load);
}

enum weir_err archive_await(struct archive *a, struct segment_shelf *shelf, struct loop *loop,
                            void (*fn)(void *context, const struct segment_loaded *loaded), void *context,
                            struct segment_load **out)
{
    struct segment_load *load = calloc(1, sizeof *load);
    if (!load) return WEIR_NOMEM;
    *load = (struct segment_load){ .archive = a, .loop = loop, .fn = fn, .context = context };
    pthread_mutex_lock(&a->lock);
    const bool is_ready = shelf_of(shelf)->state == SHELF_READY || a->is_loading_over;
    if (!is_ready) {
        load->shelf = shelf_ref(shelf_of(shelf));
        append(&a->opens, load);
        pthread_cond_signal(&a->reader_wakes);
    }
    pthread_mutex_unlock(&a->lock);
    *out = load;
    const enum weir_err err = is_ready ? loop_post(loop, on_answer, load, NULL) : WEIR_OK;
    if (err) free(load);
    return err;
}

struct segment_loader *archive_loader(struct archive *a)
{
    return &a->loader.face;
}

/* -- shelves -- */

struct shelf *archive_add_shelf(struct archive *a, const char *folder)
{
    struct shelf *s = a->shelf_count < ARCHIVE_SHELVES_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) return NULL;
    s->face = (struct segment_shelf){ .give = on_give,
                                      .give_playlist = on_give_playlist,
                                      .mark = on_mark,
                                      .fate = on_fate,
                                      .past = on_past,
                                      .end = on_end,
                                      .release = on_release };
    s->archive = a;
    s->state = SHELF_UNREAD;
    snprintf(s->folder, sizeof s->folder, "%s", folder);
    catalogue_init(&s->catalogue, 0);
    struct shelf **bucket = shelf_bucket(a, folder);
    s->next = *bucket;
    *bucket = s;
    a->shelf_count++;
    return s;
}

struct segment_shelf *archive_open(struct archive *a, const char *stream, const struct archive_policy *policy)
{
    char folder[FOLDER_NAME_BYTES];
    folder_name_make(stream, folder);
    pthread_mutex_lock(&a->lock);
    struct shelf *s = archive_find_shelf(a, folder);
    const bool is_new = !s;
    if (!s) s = archive_add_shelf(a, folder);
    /* two names whose hashes are the same: the second one has no shelf */
    if (s && s->stream[0] && strcmp(s->stream, stream)) s = NULL;
    if (s) {
        if (!s->stream[0])
            snprintf(s->stream, sizeof s->stream, "%s", stream); /* once: others read it without the lock */
        s->policy = *policy;
        s->catalogue.keep_us = policy->keep_us;
        if (is_new) s->state = SHELF_READY; /* all folders were found at the start: there is none of that name */
        if (a->marks && !s->mark) s->mark = marks_find(a->marks, folder_name_hash(stream));
        shelf_note_mark(s);
        shelf_ref(s);
    }
    pthread_mutex_unlock(&a->lock);
    return s ? &s->face : NULL;
}

/* -- the archive -- */

static bool is_mark_wanted(void *context, uint64_t hash)
{
    /* slots are freed only when the file is crowded: then those without a folder go; their streams begin at the clock's number */
    const struct archive *a = context;
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (const struct shelf *s = a->shelves[i]; s; s = s->next) {
            if (folder_name_hash(s->stream) == hash) return true;
        }
    }
    return false;
}

static bool on_folder(void *context, const char *name)
{
    struct archive *a = context;
    if (strlen(name) < FOLDER_NAME_BYTES) (void)!archive_add_shelf(a, name);
    return a->shelf_count < ARCHIVE_SHELVES_MAX;
}

/* The names alone, so that the start takes milliseconds whatever there is; the journals are read by and by. */
static enum weir_err find_folders(struct archive *a)
{
    int failed = a->files.make_folder(a->files.context, a->folder);
    if (!failed) {
        a->lock_fd = open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (a->lock_fd >= 0 && flock(a->lock_fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) return WEIR_BUSY;
        failed = a->files.list(a->files.context, a->folder, on_folder, a);
    }
    if (failed)
        log_event(LOG_ARCHIVE, LOG_ERROR, "-", "dvr_folder",
                  "path=%s reason=\"%s\" hint=\"segments are not kept until it can be written\"", a->folder,
                  strerror(failed));
    return WEIR_OK;
}

static enum weir_err start_threads(struct archive *a)
{
    int failed = pthread_create(&a->writer, NULL, archive_write, a);
    a->has_writer = !failed;
    if (!failed) failed = pthread_create(&a->reader, NULL, archive_read, a);
    a->has_reader = a->has_writer && !failed;
    if (a->has_writer) pthread_setname_np(a->writer, "dvr-write");
    if (a->has_reader) pthread_setname_np(a->reader, "dvr-read");
    errno = failed;
    return failed ? WEIR_IO : WEIR_OK;
}

enum weir_err archive_create(struct archive **out, const struct archive_config *config)
{
    struct archive *a = calloc(1, sizeof *a);
    if (!a) return WEIR_NOMEM;
    assert(strlen(config->folder) < sizeof a->folder);
    a->config = *config;
    a->files = config->files ? *config->files : archive_files_posix;
    if (!config->wall_now_us) a->config.wall_now_us = system_wall;
    snprintf(a->folder, sizeof a->folder, "%s", config->folder);
    a->config.folder = a->folder;
    a->loader = (struct archive_loader){ .face = { .load = on_load, .cancel = on_cancel }, .archive = a };
    a->lock_fd = -1;
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->writer_wakes, &monotonic);
    pthread_cond_init(&a->reader_wakes, &monotonic);
    pthread_condattr_destroy(&monotonic);
    queue_init(&a->jobs, sizeof(struct write_job), ARCHIVE_JOBS_MAX);
    enum weir_err err = find_folders(a);
    if (!err && config->marks_path) {
        a->marks = marks_open(config->marks_path, is_mark_wanted, a);
        if (!a->marks)
            log_event(LOG_ARCHIVE, LOG_WARN, "-", "dvr_marks",
                      "path=%s reason=\"%s\" hint=\"after a kill, numbers go on with a larger gap than needed\"",
                      config->marks_path, strerror(errno));
    }
    if (!err) err = start_threads(a);
    if (err) {
        const int why = errno;
        archive_destroy(a);
        errno = why;
        return err;
    }
    *out = a;
    return WEIR_OK;
}

void archive_leave(struct archive *a)
{
    pthread_mutex_lock(&a->lock);
    a->is_leaving = true;
    pthread_mutex_unlock(&a->lock);
}

/* A thread that is stuck in a dead disk is left behind: the process ends all the same. */
static bool join(pthread_t thread, int64_t patience_us)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience_us / 1000000;
    return !pthread_timedjoin_np(thread, NULL, &until);
}

void archive_stop_loading(struct archive *a)
{
    pthread_mutex_lock(&a->lock);
    a->is_loading_over = true;
    pthread_cond_signal(&a->reader_wakes);
    pthread_mutex_unlock(&a->lock);
    if (a->has_reader && !join(a->reader, ARCHIVE_DRAIN_US_MAX)) return;
    a->has_reader = false;
    for (;;) {
        pthread_mutex_lock(&a->lock);
        struct load_list *list = a->opens.first ? &a->opens : &a->loads;
        struct segment_load *load = load_list_take(list);
        if (load) shelf_unref(load->shelf);
        pthread_mutex_unlock(&a->lock);
        if (!load) return;
        load->result = (struct segment_loaded){ .err = WEIR_STATE };
        segment_load_answer(load);
    }
}

void archive_destroy(struct archive *a)
{
    if (!a) return;
    archive_stop_loading(a);
    pthread_mutex_lock(&a->lock);
    a->is_over = true;
    pthread_cond_signal(&a->writer_wakes);
    pthread_mutex_unlock(&a->lock);
    const bool is_writer_gone = !a->has_writer || join(a->writer, 2 * ARCHIVE_DRAIN_US_MAX);
    if (a->has_reader || !is_writer_gone) {
        log_event(LOG_ARCHIVE, LOG_ERROR, "-", "dvr_stuck", "path=%s reason=\"the disk does not answer\"", a->folder);
        return;
    }
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (struct shelf *s = a->shelves[i], *next; s; s = next) {
            next = s->next;
            while (s->catalogue.first) shelf_forget_chunk(s, s->catalogue.first);
            free_shelf(s);
        }
    }
    marks_close(a->marks);
    if (a->lock_fd >= 0) close(a->lock_fd);
    queue_deinit(&a->jobs);
    pthread_cond_destroy(&a->writer_wakes);
    pthread_cond_destroy(&a->reader_wakes);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void archive_read_figures(struct archive *a, struct archive_figures *out)
{
    pthread_mutex_lock(&a->lock);
    *out = (struct archive_figures){ .bytes = a->bytes,
                                     .bytes_max = a->config.bytes_max,
                                     .queued_bytes = a->queued_bytes,
                                     .objects = a->object_count,
                                     .shelves = a->shelf_count,
                                     .is_failing = a->is_failing || a->is_behind };
    memcpy(out->reason, a->reason, sizeof out->reason);
    if (a->is_behind && !a->is_failing) snprintf(out->reason, sizeof out->reason, "the disk is too slow");
    pthread_mutex_unlock(&a->lock);
}

const struct counters *archive_counters(const struct archive *a)
{
    return &a->counters;
}

/* -- paths -- */

void shelf_path(const struct shelf *s, char out[ARCHIVE_PATH_BYTES])
{
    snprintf(out, ARCHIVE_PATH_BYTES, "%s/%s", s->archive->folder, s->folder);
}

void chunk_path(const struct shelf *s, uint64_t number, const char *ending, char out[ARCHIVE_PATH_BYTES])
{
    snprintf(out, ARCHIVE_PATH_BYTES, "%s/%s/%llu%s", s->archive->folder, s->folder, (unsigned long long)number,
             ending);
}

bool chunk_number_parse(const char *file, const char *ending, uint64_t *number)
{
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(file, &end, 10);
    if (errno || end == file || *file < '0' || *file > '9' || strcmp(end, ending)) return false;
    *number = value;
    return true;
}
