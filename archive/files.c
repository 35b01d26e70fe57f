#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PIECES_AT_ONCE 256
#define CALL_BYTES_MAX (1 << 30)

/* pwritev until all of it is there. */
static int write_pieces(int fd, uint64_t offset, const struct iovec *pieces, size_t count)
{
    size_t at = 0, done = 0; /* done: of pieces[at] */
    while (at < count) {
        struct iovec some[PIECES_AT_ONCE];
        int used = 0;
        for (size_t i = at; i < count && used < PIECES_AT_ONCE; i++) some[used++] = pieces[i];
        some[0].iov_base = (char *)some[0].iov_base + done;
        some[0].iov_len -= done;
        const ssize_t wrote = pwritev(fd, some, used, (off_t)offset);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        if (!wrote) return EIO;
        offset += (uint64_t)wrote;
        done += (size_t)wrote;
        while (at < count && done >= pieces[at].iov_len) done -= pieces[at++].iov_len;
    }
    return 0;
}

static int posix_write(void *context, const char *path, uint64_t offset, const struct iovec *pieces, size_t count,
                       bool is_new)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_CREAT | O_EXCL : 0), 0600);
    if (fd < 0) return errno;
    const int failed = write_pieces(fd, offset, pieces, count);
    /* where a file system finds out late that there is no room */
    return close(fd) && !failed ? errno : failed;
}

static int posix_cut(void *context, const char *path, uint64_t bytes)
{
    return truncate(path, (off_t)bytes) ? errno : 0;
}

static int posix_read(void *context, const char *path, uint64_t offset, void *out, size_t bytes, size_t *got)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno;
    int failed = 0;
    *got = 0;
    while (*got < bytes) {
        const size_t wanted = bytes - *got < CALL_BYTES_MAX ? bytes - *got : CALL_BYTES_MAX;
        const ssize_t had = pread(fd, (char *)out + *got, wanted, (off_t)(offset + *got));
        if (had < 0 && errno == EINTR) continue;
        if (had < 0) failed = errno;
        if (had <= 0) break;
        *got += (size_t)had;
    }
    close(fd);
    return failed;
}

static int posix_size(void *context, const char *path, uint64_t *bytes)
{
    struct stat is;
    if (stat(path, &is)) return errno;
    *bytes = (uint64_t)is.st_size;
    return 0;
}

static int posix_remove(void *context, const char *path)
{
    return unlink(path) ? errno : 0;
}

static int posix_make_folder(void *context, const char *path)
{
    return mkdir(path, 0700) && errno != EEXIST ? errno : 0;
}

static int posix_remove_folder(void *context, const char *path)
{
    return rmdir(path) ? errno : 0;
}

static int posix_list(void *context, const char *path, bool (*entry)(void *entry_context, const char *name),
                      void *entry_context)
{
    DIR *folder = opendir(path);
    if (!folder) return errno;
    int failed = 0;
    for (bool is_wanted = true; is_wanted;) {
        errno = 0;
        const struct dirent *found = readdir(folder);
        if (!found) failed = errno;
        if (!found) break;
        is_wanted = found->d_name[0] == '.' || entry(entry_context, found->d_name);
    }
    closedir(folder);
    return failed;
}

static int posix_space(void *context, const char *path, uint64_t *bytes)
{
    struct statvfs is;
    if (statvfs(path, &is)) return errno;
    *bytes = (uint64_t)is.f_blocks * is.f_frsize;
    return 0;
}

const struct archive_files archive_files_posix = {
    .write = posix_write,
    .cut = posix_cut,
    .read = posix_read,
    .size = posix_size,
    .remove = posix_remove,
    .make_folder = posix_make_folder,
    .remove_folder = posix_remove_folder,
    .list = posix_list,
    .space = posix_space,
};
