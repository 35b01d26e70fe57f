/* An archive with a folder of its own, and a thread that stands in for a loop: what its tests share. */
#ifndef WEIR_TESTS_ARCHIVE_HOUSE_H
#define WEIR_TESTS_ARCHIVE_HOUSE_H

#include "hex.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/archive/archive.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/loop.h>

#include "archive/files.h"

#define SECOND 1000000LL
#define DEADLINE_US (20 * SECOND)
#define NOTHING UINT64_MAX

/* A file system that fails, breaks off or stands still when told to. */
struct faulty_files {
    struct archive_files face;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t calls, fail_from, fail_count; /* of the calls that write; NOTHING: none */
    int error;
    size_t bytes_first; /* of a write that fails: this many get through before */
    bool is_stuck;
    size_t stuck_now;
};

struct house {
    char folder[256], marks[256];
    struct archive *archive;
    struct loop *loop; /* this thread is it */
    struct faulty_files files;
    _Atomic int64_t wall_us; /* 0: the clock's */
    uint64_t bytes_max, queue_bytes_max;
    int64_t queue_us_max;
    bool has_marks;
};

static inline int64_t house_wall(void *context)
{
    const int64_t us = ((struct house *)context)->wall_us;
    return us ? us : clock_wall_us();
}

/* -- faults -- */

static inline bool faulty_is_due(struct faulty_files *f)
{
    pthread_mutex_lock(&f->lock);
    f->stuck_now++;
    pthread_cond_broadcast(&f->changed);
    while (f->is_stuck) pthread_cond_wait(&f->changed, &f->lock);
    f->stuck_now--;
    const bool is_due = f->calls >= f->fail_from && f->calls - f->fail_from < f->fail_count;
    f->calls++;
    pthread_mutex_unlock(&f->lock);
    return is_due;
}

static inline int faulty_write(void *context, const char *path, uint64_t offset, const struct iovec *pieces,
                               size_t count, bool is_new)
{
    struct faulty_files *f = context;
    if (!faulty_is_due(f)) return archive_files_posix.write(NULL, path, offset, pieces, count, is_new);
    if (!count) return f->error;
    struct iovec some = pieces[0];
    if (some.iov_len > f->bytes_first) some.iov_len = f->bytes_first;
    (void)!archive_files_posix.write(NULL, path, offset, &some, some.iov_len ? 1 : 0, is_new);
    return f->error;
}

static inline int faulty_cut(void *context, const char *path, uint64_t bytes)
{
    struct faulty_files *f = context;
    return faulty_is_due(f) ? f->error : archive_files_posix.cut(NULL, path, bytes);
}

static inline int faulty_make_folder(void *context, const char *path)
{
    struct faulty_files *f = context;
    return faulty_is_due(f) ? f->error : archive_files_posix.make_folder(NULL, path);
}

static inline void faulty_init(struct faulty_files *f)
{
    *f = (struct faulty_files){ .face = archive_files_posix, .fail_from = NOTHING };
    f->face.context = f;
    f->face.write = faulty_write;
    f->face.cut = faulty_cut;
    f->face.make_folder = faulty_make_folder;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
}

/* From the next writing call on, `count` of them. */
static inline void faulty_fail(struct faulty_files *f, uint64_t after, uint64_t count, int error, size_t bytes_first)
{
    pthread_mutex_lock(&f->lock);
    f->fail_from = f->calls + after;
    f->fail_count = count;
    f->error = error;
    f->bytes_first = bytes_first;
    pthread_mutex_unlock(&f->lock);
}

static inline void faulty_stick(struct faulty_files *f, bool is_stuck)
{
    pthread_mutex_lock(&f->lock);
    f->is_stuck = is_stuck;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* -- the house -- */

static inline int remove_one(const char *path, const struct stat *is, int kind, struct FTW *where)
{
    return remove(path);
}

static inline void house_open(struct house *h)
{
    const struct archive_config config = {
        .folder = h->folder,
        .marks_path = h->has_marks ? h->marks : NULL,
        .bytes_max = h->bytes_max ? h->bytes_max : 1ULL << 30,
        .queue_bytes_max = h->queue_bytes_max ? h->queue_bytes_max : ARCHIVE_QUEUE_BYTES_MAX,
        .queue_us_max = h->queue_us_max ? h->queue_us_max : ARCHIVE_QUEUE_US_MAX,
        .files = &h->files.face,
        .wall_now_us = house_wall,
        .context = h,
    };
    assert_int_equal(archive_create(&h->archive, &config), WEIR_OK);
}

static inline void house_close(struct house *h)
{
    archive_stop_loading(h->archive);
    while (loop_drain(h->loop)) continue;
    archive_destroy(h->archive);
    h->archive = NULL;
}

/* parent: NULL: a folder of its own under /tmp. */
static inline void house_init(struct house *h, const char *parent)
{
    char path[128];
    log_set_level(LOG_ERROR);
    *h = (struct house){ .bytes_max = 0 };
    snprintf(path, sizeof path, "%s", parent ? parent : "/tmp/weir-archive-XXXXXX");
    if (!parent) assert_non_null(mkdtemp(path));
    snprintf(h->folder, sizeof h->folder, "%s/dvr", path);
    snprintf(h->marks, sizeof h->marks, "/dev/shm/weir-test-%d-%p.marks", getpid(), (void *)h);
    faulty_init(&h->files);
    assert_int_equal(loop_create(&h->loop, "test"), WEIR_OK);
    loop_drain(h->loop);
}

static inline void house_deinit(struct house *h)
{
    if (h->archive) house_close(h);
    loop_destroy(h->loop);
    unlink(h->marks);
    *strrchr(h->folder, '/') = 0;
    if (!strncmp(h->folder, "/tmp/weir-archive-", 18)) nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void breathe(struct house *h, int64_t since_us, const char *what)
{
    const struct timespec moment = { .tv_nsec = 500000 };
    if (clock_now_us() - since_us > DEADLINE_US) fail_msg("waited too long for %s", what);
    nanosleep(&moment, NULL);
    while (loop_drain(h->loop)) continue;
}

/* -- shelves -- */

static inline struct segment_shelf *shelf_of_stream(struct house *h, const char *stream, int64_t keep_us)
{
    struct segment_shelf *s = archive_open(h->archive, stream,
                                           &(struct archive_policy){ .keep_us = keep_us, .bytes_max = 0 });
    assert_non_null(s);
    return s;
}

static inline void name_of(uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES])
{
    snprintf(out, EDGE_OBJECT_NAME_BYTES, "seg-%llu.m4s", (unsigned long long)msn);
}

/* Bytes that tell which segment they are, at every place. */
static inline struct frozen *body_of(const char *rendition, uint64_t msn, size_t bytes)
{
    struct blob *halves[2] = { blob_create(bytes / 2), blob_create(bytes - bytes / 2) };
    struct piece pieces[2];
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        uint8_t *data = blob_data(halves[i]);
        for (size_t k = 0; k < blob_bytes(halves[i]); k++, at++)
            data[k] = (uint8_t)(at * 7 + msn * 31 + (uint8_t)rendition[0]);
        pieces[i] = (struct piece){ halves[i], data, blob_bytes(halves[i]) };
    }
    struct frozen *f = frozen_create(pieces, 2);
    for (int i = 0; i < 2; i++) blob_unref(halves[i]);
    return f;
}

static inline enum weir_err give(struct segment_shelf *s, const char *rendition, uint64_t msn, size_t bytes,
                                 int64_t wall_us)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    struct frozen *body = body_of(rendition, msn, bytes), *init = body_of("i", 0, 50);
    name_of(msn, name);
    const struct shelf_segment segment = { .rendition = rendition,
                                           .name = name,
                                           .init_name = "init-1.mp4",
                                           .media = rendition[0] == 'v' ? EDGE_VIDEO_MP4 : EDGE_AUDIO_MP4,
                                           .msn = msn,
                                           .discontinuity = msn / 100,
                                           .duration_us = 2 * SECOND,
                                           .wall_us = wall_us,
                                           .is_independent = true,
                                           .starts_era = msn % 100 == 0 };
    const enum weir_err err = s->give(s, &segment, body, init);
    frozen_unref(body);
    frozen_unref(init);
    return err;
}

static inline enum shelf_fate fate(struct segment_shelf *s, const char *rendition, uint64_t msn)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    name_of(msn, name);
    return s->fate(s, rendition, name);
}

static inline enum shelf_fate await_fate(struct house *h, struct segment_shelf *s, const char *rendition, uint64_t msn)
{
    const int64_t since_us = clock_now_us();
    while (fate(s, rendition, msn) == SHELF_WAITING) breathe(h, since_us, "a segment to be written");
    return fate(s, rendition, msn);
}

/* -- loads -- */

struct answer {
    bool is_there;
    enum weir_err err;
    struct frozen *body; /* owned */
    enum edge_object_kind kind;
    enum edge_media media;
};

static inline void on_loaded(void *context, const struct segment_loaded *loaded)
{
    struct answer *a = context;
    assert_false(a->is_there);
    *a = (struct answer){ true, loaded->err, loaded->body ? frozen_ref(loaded->body) : NULL, loaded->kind,
                          loaded->media };
}

static inline struct byte_span as_span(const char *text)
{
    return (struct byte_span){ (const uint8_t *)text, strlen(text) };
}

static inline enum weir_err load(struct house *h, const char *stream, const char *rendition, const char *name,
                                 struct answer *out)
{
    struct segment_loader *l = archive_loader(h->archive);
    struct segment_load *handle;
    *out = (struct answer){ .is_there = false };
    enum weir_err err = l->load(l, as_span(stream), as_span(rendition), as_span(name), h->loop, on_loaded, out,
                                &handle);
    const int64_t since_us = clock_now_us();
    while (!err && !out->is_there) breathe(h, since_us, "a load to be answered");
    return err ? err : out->err;
}

/* Loads a segment that must be there with the right bytes. */
static inline void assert_loads(struct house *h, const char *stream, const char *rendition, uint64_t msn, size_t bytes)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    struct answer a;
    name_of(msn, name);
    assert_int_equal(load(h, stream, rendition, name, &a), WEIR_OK);
    struct frozen *expected = body_of(rendition, msn, bytes);
    uint8_t *left = malloc(bytes), *right = malloc(bytes);
    assert_int_equal(frozen_bytes(a.body), bytes);
    frozen_read(a.body, 0, left, bytes);
    frozen_read(expected, 0, right, bytes);
    assert_memory_equal(left, right, bytes);
    assert_int_equal(a.kind, EDGE_SEGMENT);
    free(left);
    free(right);
    frozen_unref(expected);
    frozen_unref(a.body);
}

static inline enum weir_err load_segment(struct house *h, const char *stream, const char *rendition, uint64_t msn)
{
    char name[EDGE_OBJECT_NAME_BYTES];
    struct answer a;
    name_of(msn, name);
    const enum weir_err err = load(h, stream, rendition, name, &a);
    frozen_unref(a.body);
    return err;
}

static inline struct shelf_past *await_past(struct house *h, struct segment_shelf *s)
{
    struct answer a = { .is_there = false };
    struct segment_load *handle;
    assert_int_equal(archive_await(h->archive, s, h->loop, on_loaded, &a, &handle), WEIR_OK);
    const int64_t since_us = clock_now_us();
    while (!a.is_there) breathe(h, since_us, "the shelf to be read");
    assert_int_equal(a.err, WEIR_OK);
    return s->past(s);
}

static inline uint64_t counted(struct house *h, enum counter id)
{
    return counter_read(archive_counters(h->archive), id);
}

static inline struct archive_figures figures(struct house *h)
{
    struct archive_figures f;
    archive_read_figures(h->archive, &f);
    return f;
}

#endif
