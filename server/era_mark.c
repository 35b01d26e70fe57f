#include "era_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/log.h>

#define AHEAD 256                        /* what the file is ahead of the mark when it is written */
#define EPOCH_WALL_US 1767225600000000LL /* 2026-01-01T00:00:00Z */
#define HOUR_US (3600 * 1000000LL)

/* Into place by rename: a kill in the middle leaves the old number. Not synced: it is kills that it is for, and a start after a power cut takes
 * longer than players wait. */
static bool write_number(struct era_mark *m, uint64_t number)
{
    char fresh[sizeof m->file + 8], text[32];
    snprintf(fresh, sizeof fresh, "%s.new", m->file);
    const int bytes = snprintf(text, sizeof text, "%llu\n", (unsigned long long)number);
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const bool is_written = write(fd, text, (size_t)bytes) == bytes;
    close(fd);
    if (!is_written || rename(fresh, m->file)) return false;
    m->written = number;
    return true;
}

static bool read_number(const struct era_mark *m, uint64_t *out)
{
    char text[32];
    const int fd = open(m->file, O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    if (bytes < 2 || text[bytes - 1] != '\n') return false;
    text[bytes] = 0;
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && end == text + bytes - 1 && text[0] >= '0' && text[0] <= '9' && *out < INT64_MAX;
}

enum weir_err era_mark_open(struct era_mark *m, const char *state_dir, int64_t wall_us, struct config_error *error)
{
    uint64_t number = 0;
    snprintf(m->file, sizeof m->file, "%s/eras", state_dir);
    if (!read_number(m, &number))
        number = wall_us > EPOCH_WALL_US ? (uint64_t)((wall_us - EPOCH_WALL_US) / HOUR_US) : 0;
    atomic_store(&m->used, number);
    if (write_number(m, number + AHEAD)) return WEIR_OK;
    snprintf(error->text, sizeof error->text,
             "state.dir: cannot write %.200s: %s; set state.dir to a folder that weir may write", m->file,
             strerror(errno));
    m->file[0] = 0;
    return WEIR_IO;
}

uint64_t era_mark_reach(struct era_mark *m, uint64_t used)
{
    uint64_t now = atomic_load(&m->used);
    while (now < used && !atomic_compare_exchange_weak(&m->used, &now, used)) continue;
    return now < used ? used : now;
}

void era_mark_look(struct era_mark *m)
{
    const uint64_t used = atomic_load(&m->used);
    if (!m->file[0] || used + AHEAD / 2 <= m->written) return;
    const bool is_written = write_number(m, used + AHEAD);
    if (!is_written && !m->is_failing)
        log_event(LOG_SERVER, LOG_WARN, "-", "eras_not_written",
                  "file=%s reason=\"%s: after a kill, discontinuity numbers may go back\"", m->file, strerror(errno));
    m->is_failing = !is_written;
}

void era_mark_close(struct era_mark *m)
{
    if (m->file[0]) (void)!write_number(m, atomic_load(&m->used));
    m->file[0] = 0;
}
