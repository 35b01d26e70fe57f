/* The file system as the archive uses it: a seam, so that tests can make it full, broken or slow at any call. Each call opens, works and closes:
 * no descriptor is held, so a file system can be remounted or filled behind our back and the next call sees it as it is.
 * Errors are errno values; 0 is success. Thread: the archive's own; these block. */
#ifndef WEIR_ARCHIVE_FILES_H
#define WEIR_ARCHIVE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct archive_files {
    void *context;
    /* All of it, at `offset`. is_new: the file must not be there yet (EEXIST); otherwise it must. After an error some of it may stand there. */
    int (*write)(void *context, const char *path, uint64_t offset, const struct iovec *pieces, size_t count,
                 bool is_new);
    int (*cut)(void *context, const char *path, uint64_t bytes);
    /* *got: how many there were, at most bytes. */
    int (*read)(void *context, const char *path, uint64_t offset, void *out, size_t bytes, size_t *got);
    int (*size)(void *context, const char *path, uint64_t *bytes);
    int (*remove)(void *context, const char *path);        /* a file */
    int (*make_folder)(void *context, const char *path);   /* its parent is there; there already is fine */
    int (*remove_folder)(void *context, const char *path); /* an empty one */
    /* Names in a folder, without those that begin with "."; entry returns false to stop. */
    int (*list)(void *context, const char *path, bool (*entry)(void *entry_context, const char *name),
                void *entry_context);
    int (*space)(void *context, const char *path, uint64_t *bytes); /* of the whole file system */
};

extern const struct archive_files archive_files_posix;

#endif
