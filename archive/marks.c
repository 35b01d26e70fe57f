#include "marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/base/limits.h>

#define SLOTS (2 * STREAMS_MAX)     /* at most half of them in use: 320 KiB */
#define MAGIC 0x33534B52414D5257ULL /* "WRMARKS3" */

struct slot {
    uint64_t hash; /* 0: free */
    struct mark mark;
};

struct page {
    uint64_t magic, reserved;
    struct slot slots[SLOTS];
};
_Static_assert(sizeof(struct slot) == 40, "the file's layout");

struct marks {
    struct page *page;
};

/* The file may have been put there by anyone: it must be ours, and no link to elsewhere. */
static int open_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat is;
    if (fd < 0) return -1;
    if (fstat(fd, &is) || !S_ISREG(is.st_mode) || is.st_uid != geteuid()) {
        close(fd);
        errno = EPERM;
        return -1;
    }
    /* all of it now: a store into a page that cannot be had would be the end of the process */
    const int failed = posix_fallocate(fd, 0, sizeof(struct page));
    if (failed) {
        close(fd);
        errno = failed;
        return -1;
    }
    return fd;
}

static size_t slots_used(const struct page *page)
{
    size_t used = 0;
    for (size_t i = 0; i < SLOTS; i++) used += page->slots[i].hash != 0;
    return used;
}

/* Frees the slots of streams that are no more. Whatever the file says is at most a wrong number: nothing in it is believed further. */
static void tidy(struct page *page, bool (*is_wanted)(void *, uint64_t), void *context, struct page *scratch)
{
    if (page->magic == MAGIC && slots_used(page) <= SLOTS / 4) return;
    *scratch = *page;
    memset(page, 0, sizeof *page);
    page->magic = MAGIC;
    if (scratch->magic != MAGIC) return;
    struct marks m = { .page = page };
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *old = &scratch->slots[i];
        if (!old->hash || !is_wanted(context, old->hash)) continue;
        struct mark *mark = marks_find(&m, old->hash);
        const struct shelf_mark was = mark_read(&old->mark);
        if (mark) mark_raise(mark, &was);
    }
}

struct marks *marks_open(const char *path, bool (*is_wanted)(void *context, uint64_t hash), void *context)
{
    struct marks *m = calloc(1, sizeof *m);
    struct page *scratch = malloc(sizeof *scratch);
    const int fd = m && scratch ? open_file(path) : -1;
    void *page = fd >= 0 ? mmap(NULL, sizeof *m->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (page != MAP_FAILED) {
        m->page = page;
        tidy(m->page, is_wanted, context, scratch);
    } else {
        free(m);
        m = NULL;
    }
    const int why = errno;
    if (fd >= 0) close(fd);
    free(scratch);
    errno = why;
    return m;
}

void marks_close(struct marks *m)
{
    if (!m) return;
    munmap(m->page, sizeof *m->page);
    free(m);
}

struct mark *marks_find(struct marks *m, uint64_t hash)
{
    size_t used = 0;
    for (size_t at = hash % SLOTS; used < SLOTS / 2; at = (at + 1) % SLOTS, used++) {
        struct slot *slot = &m->page->slots[at];
        if (!slot->hash) slot->hash = hash;
        if (slot->hash == hash) return &slot->mark;
    }
    return NULL;
}
