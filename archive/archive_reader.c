/* The reader's thread: reads the journals that earlier processes left, those that somebody waits for first, and loads segments. */
#include "archive_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>

/* -- journals -- */

struct chunk_files {
    uint64_t *numbers; /* of journals */
    size_t count;
};

static bool on_file(void *context, const char *name)
{
    struct chunk_files *found = context;
    uint64_t number;
    if (chunk_number_parse(name, JOURNAL_ENDING, &number)) found->numbers[found->count++] = number;
    return found->count < ARCHIVE_CHUNKS_MAX;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_ours(struct shelf *s, uint64_t number)
{
    pthread_mutex_lock(&s->archive->lock);
    const bool is_known = catalogue_find_chunk(&s->catalogue, number) != NULL;
    pthread_mutex_unlock(&s->archive->lock);
    return is_known;
}

/* What an earlier process began and did not get to write anything of. */
static void remove_stub(struct archive *a, const struct shelf *s, uint64_t number)
{
    char path[ARCHIVE_PATH_BYTES];
    chunk_path(s, number, JOURNAL_ENDING, path);
    a->files.remove(a->files.context, path);
    chunk_path(s, number, DATA_ENDING, path);
    a->files.remove(a->files.context, path);
}

static void read_chunk(struct archive *a, struct shelf *s, uint64_t number, struct catalogue *loaded, uint8_t *buffer,
                       char stream[STREAM_NAME_BYTES_MAX + 1])
{
    char path[ARCHIVE_PATH_BYTES];
    uint64_t data_bytes = 0;
    size_t bytes = 0;
    chunk_path(s, number, DATA_ENDING, path);
    if (a->files.size(a->files.context, path, &data_bytes)) data_bytes = 0;
    chunk_path(s, number, JOURNAL_ENDING, path);
    int failed = a->files.read(a->files.context, path, 0, buffer, ARCHIVE_JOURNAL_BYTES_MAX, &bytes);
    struct catalogue_chunk *chunk = failed ? NULL : catalogue_add_chunk(loaded, number, (int64_t)number * 1000, true);
    if (chunk && catalogue_read_chunk(loaded, chunk, (struct byte_span){ buffer, bytes }, data_bytes, stream)) {
        chunk->bytes = data_bytes + bytes;
        loaded->bytes += chunk->bytes;
        if (!chunk->record_count && !data_bytes) {
            catalogue_drop_chunk(loaded, chunk);
            remove_stub(a, s, number);
        }
        return;
    }
    if (chunk) catalogue_drop_chunk(loaded, chunk);
    if (!failed && bytes < JOURNAL_RECORD_BYTES_MAX && !data_bytes)
        remove_stub(a, s, number);
    else
        log_event(LOG_ARCHIVE, LOG_WARN, stream[0] ? stream : "-", "dvr_unreadable", "file=%s reason=\"%s\"", path,
                  failed ? strerror(failed) : "not a journal of this stream");
}

/* Under the lock: what was read joins what was written meanwhile. */
static void join(struct shelf *s, struct catalogue *loaded, struct shelf_past *past, const char *stream)
{
    struct archive *a = s->archive;
    const bool was_ended = s->catalogue.epoch > 0;
    a->bytes += loaded->bytes;
    a->object_count += loaded->object_count;
    const int64_t ended_us = s->catalogue.ended_keep_wall_us;
    if (s->stream[0])
        loaded->keep_us = s->catalogue.keep_us;
    else
        memcpy(s->stream, stream, sizeof s->stream);
    if (was_ended) catalogue_end(loaded, ended_us);
    catalogue_absorb(loaded, &s->catalogue);
    s->catalogue = *loaded;
    s->state = SHELF_READY;
    if (was_ended)
        shelf_past_unref(past);
    else
        s->past = past;
    shelf_note_mark(s);
}

/* The reader alone changes the state. */
static void read_shelf(struct archive *a, struct shelf *s)
{
    char stream[STREAM_NAME_BYTES_MAX + 1] = "", folder[FOLDER_NAME_BYTES], path[ARCHIVE_PATH_BYTES];
    pthread_mutex_lock(&a->lock);
    const bool is_wanted = s->state == SHELF_UNREAD;
    if (is_wanted) {
        s->state = SHELF_READING;
        memcpy(stream, s->stream, sizeof stream);
    }
    pthread_mutex_unlock(&a->lock);
    if (!is_wanted) return;
    struct catalogue loaded;
    struct chunk_files found = { .numbers = malloc(ARCHIVE_CHUNKS_MAX * sizeof(uint64_t)) };
    uint8_t *buffer = malloc(ARCHIVE_JOURNAL_BYTES_MAX);
    catalogue_init(&loaded, 0);
    shelf_path(s, path);
    const int failed = found.numbers && buffer ? a->files.list(a->files.context, path, on_file, &found) : ENOMEM;
    if (failed && failed != ENOENT)
        log_event(LOG_ARCHIVE, LOG_WARN, "-", "dvr_unreadable", "folder=%s reason=\"%s\"", path, strerror(failed));
    if (found.count) qsort(found.numbers, found.count, sizeof found.numbers[0], by_value);
    for (size_t i = 0; i < found.count; i++) {
        if (!is_ours(s, found.numbers[i])) read_chunk(a, s, found.numbers[i], &loaded, buffer, stream);
    }
    folder_name_make(stream, folder);
    if (stream[0] && strcmp(folder, s->folder)) catalogue_deinit(&loaded); /* moved here by hand: never mind */
    struct shelf_past *past = catalogue_past(&loaded);
    pthread_mutex_lock(&a->lock);
    join(s, &loaded, past, stream);
    pthread_mutex_unlock(&a->lock);
    free(found.numbers);
    free(buffer);
}

/* -- bodies -- */

static struct catalogue_object *find(struct segment_load *load)
{
    const struct byte_span rendition = { (const uint8_t *)load->rendition, strlen(load->rendition) };
    const struct byte_span name = { (const uint8_t *)load->name, strlen(load->name) };
    struct catalogue_object *object = catalogue_find(&load->shelf->catalogue, rendition, name);
    return object && object->kind != JOURNAL_GAP && !object->is_damaged ? object : NULL;
}

static struct frozen *read_body(struct archive *a, const char *path, const struct catalogue_object *object, int *failed)
{
    struct blob *blob = blob_create(object->bytes);
    size_t got = 0;
    *failed = blob ? a->files.read(a->files.context, path, object->offset, blob_data(blob), object->bytes, &got)
                   : ENOMEM;
    struct frozen *body = NULL;
    if (!*failed && got == object->bytes)
        body = frozen_give(blob);
    else
        blob_unref(blob);
    if (body && journal_crc(body) == object->crc) return body;
    frozen_unref(body);
    if (!*failed) *failed = EBADMSG;
    return NULL;
}

static void log_failure(const struct segment_load *load, const char *path, int failed)
{
    log_event(LOG_ARCHIVE, LOG_WARN, load->shelf->stream, "dvr_load_failed", "file=%s name=%s reason=\"%s\"", path,
              load->name, failed == EBADMSG ? "damaged" : strerror(failed));
}

/* Under the lock, which it leaves while it reads. `is`: what the object said before. */
static void load_body(struct archive *a, struct segment_load *load, const struct catalogue_object *is)
{
    char path[ARCHIVE_PATH_BYTES];
    const uint64_t number = is->chunk->number;
    const struct catalogue_object copy = *is;
    int failed;
    chunk_path(load->shelf, number, DATA_ENDING, path);
    pthread_mutex_unlock(&a->lock);
    struct frozen *body = read_body(a, path, &copy, &failed);
    pthread_mutex_lock(&a->lock);
    struct catalogue_object *object = find(load);
    const bool is_same = object && object->chunk && object->chunk->number == number && object->offset == copy.offset;
    counter_add(&a->counters, body ? COUNTER_DVR_LOADED : COUNTER_DVR_LOAD_FAILED, 1);
    if (!body) {
        /* gone meanwhile is no news; bytes that are not those that were written never will be */
        load->result.err = is_same ? WEIR_IO : WEIR_NOT_FOUND;
        if (is_same && failed == EBADMSG) object->is_damaged = true;
        pthread_mutex_unlock(&a->lock);
        if (is_same) log_failure(load, path, failed);
        pthread_mutex_lock(&a->lock);
        return;
    }
    load->result.body = frozen_ref(body);
    if (is_same)
        archive_cache(a, object, body);
    else
        frozen_unref(body);
}

static void answer_load(struct archive *a, struct segment_load *load)
{
    read_shelf(a, load->shelf);
    pthread_mutex_lock(&a->lock);
    struct catalogue_object *object = load->name[0] ? find(load) : NULL;
    if (object) {
        segment_load_describe(load, object);
        if (!object->body) load_body(a, load, object);
    } else if (load->name[0]) {
        load->result.err = WEIR_NOT_FOUND;
    }
    shelf_unref(load->shelf);
    load->shelf = NULL;
    pthread_mutex_unlock(&a->lock);
    segment_load_answer(load);
}

/* -- the thread -- */

/* Under the lock: a shelf that nobody has asked for yet, referenced; NULL: all have been read. */
static struct shelf *next_unread(struct archive *a)
{
    for (; a->scan_bucket < SHELF_BUCKETS; a->scan_bucket++) {
        for (struct shelf *s = a->shelves[a->scan_bucket]; s; s = s->next) {
            if (s->state == SHELF_UNREAD) return shelf_ref(s);
        }
    }
    return NULL;
}

void *archive_read(void *context)
{
    struct archive *a = context;
    pthread_mutex_lock(&a->lock);
    while (!a->is_loading_over) {
        struct segment_load *load = load_list_take(a->opens.first ? &a->opens : &a->loads);
        struct shelf *s = load ? NULL : next_unread(a);
        if (!load && !s) {
            pthread_cond_wait(&a->reader_wakes, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        if (load)
            answer_load(a, load);
        else
            read_shelf(a, s);
        pthread_mutex_lock(&a->lock);
        if (s) shelf_unref(s);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}
