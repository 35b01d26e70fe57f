#include <errno.h>
#include <fcntl.h>
#include <libavutil/log.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "media_work.h"

/* What the child says at its end. */
struct verdict {
    enum weir_err err;
    char why[256];
};

static bool write_all(int fd, const void *data, size_t bytes)
{
    for (const uint8_t *at = data; bytes;) {
        const ssize_t put = write(fd, at, bytes);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += put;
        bytes -= (size_t)put;
    }
    return true;
}

static enum weir_err work(const struct media_source_config *config, struct media_draft *d, int map_fd)
{
    struct byte_writer head;
    byte_writer_init(&head, LOADGEN_SOURCE_BYTES_MAX);
    enum weir_err err = config->file ? media_read_file(config->file, d) : media_encode(config, d);
    if (!err && config->wants_ts) err = media_mux_ts(d);
    if (!err) err = media_draft_lay_out(d, &head);
    if (!err && !(write_all(map_fd, head.data, head.bytes) && write_all(map_fd, d->bytes.data, d->bytes.bytes))) {
        snprintf(d->why, sizeof d->why, "the source: no memory for it: %s", strerror(errno));
        err = WEIR_IO;
    }
    byte_writer_deinit(&head);
    return err;
}

static _Noreturn void run_child(const struct media_source_config *config, int map_fd, int verdict_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* whoever is at the keyboard means the parent */
    struct media_draft d;
    av_log_set_level(AV_LOG_ERROR);
    media_draft_init(&d);
    struct verdict v = { .err = work(config, &d, map_fd) };
    memcpy(v.why, d.why, sizeof v.why);
    /* no exit handlers: they belong to the parent's libraries, and to FFmpeg's threads */
    _exit(write_all(verdict_fd, &v, sizeof v) ? 0 : 1);
}

/* false: the child died, or took too long. */
static bool hear(int fd, struct verdict *v)
{
    const int64_t until_us = clock_now_us() + LOADGEN_SOURCE_MAKE_US;
    for (size_t got = 0; got < sizeof *v;) {
        const int64_t left_us = until_us - clock_now_us();
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int ready = left_us > 0 ? poll(&p, 1, (int)(left_us / 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = read(fd, (uint8_t *)v + got, sizeof *v - got);
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

static enum weir_err map_in(int fd, struct media_source **out, char *why, size_t why_bytes)
{
    const off_t bytes = lseek(fd, 0, SEEK_END);
    void *map = bytes > 0 ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    *out = map != MAP_FAILED ? media_source_over(map, (uint64_t)bytes) : NULL;
    if (*out) return WEIR_OK;
    if (map != MAP_FAILED) munmap(map, (size_t)bytes);
    snprintf(why, why_bytes, "the source: no memory to map it");
    return WEIR_NOMEM;
}

enum weir_err media_source_make(const struct media_source_config *config, struct media_source **out, char *why,
                                size_t why_bytes)
{
    int ends[2] = { -1, -1 };
    const int fd = memfd_create("weir-loadgen source", MFD_CLOEXEC);
    if (fd < 0 || pipe2(ends, O_CLOEXEC)) {
        snprintf(why, why_bytes, "the source: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return WEIR_IO;
    }
    fflush(NULL); /* what is buffered is not to be written twice */
    const pid_t child = fork();
    if (child == 0) run_child(config, fd, ends[1]);
    close(ends[1]);
    struct verdict v = { .err = WEIR_IO };
    if (child < 0 || !hear(ends[0], &v)) {
        snprintf(v.why, sizeof v.why, "the source: the process that makes it %s",
                 child < 0 ? strerror(errno) : "died or took longer than LOADGEN_SOURCE_MAKE_US");
        v.err = WEIR_IO;
        if (child > 0) kill(child, SIGKILL);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    close(ends[0]);
    enum weir_err err = v.err;
    if (err)
        snprintf(why, why_bytes, "%.*s", (int)sizeof v.why, v.why[0] ? v.why : err_name(err));
    else
        err = map_in(fd, out, why, why_bytes);
    close(fd);
    return err;
}

void media_source_destroy(struct media_source *s)
{
    if (!s) return;
    uint64_t bytes;
    const void *map = media_source_map(s, &bytes);
    munmap((void *)map, bytes);
    free(s);
}
