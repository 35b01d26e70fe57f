/* A disk that is full: a file takes what there is of a small file system that the server writes to, and all that the server gives up, until it is
 * removed. Live streams must not notice; the server should say so meanwhile, and not any more afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <weir/loadgen/metrics_text.h>

#include "chaos_internal.h"

#define FILE_NAME "weir-loadgen-fills-this"
#define PIECE_BYTES (256 * 1024)
#define PIECES_PER_TURN 64
#define ASK_EVERY_US 500000
#define ASK_TIMEOUT_US 3000000
#define TOLD_US_MAX 60000000
#define GAUGE "weir_dvr_failing"

static void write_path(const char *folder, char out[CHAOS_URL_BYTES])
{
    snprintf(out, CHAOS_URL_BYTES, "%.480s/%s", folder, FILE_NAME);
}

bool chaos_disk_check(const char *folder, char *why, size_t why_bytes)
{
    struct statvfs s;
    if (statvfs(folder, &s)) {
        snprintf(why, why_bytes, "--disk %s: %s", folder, strerror(errno));
        return false;
    }
    const uint64_t bytes = (uint64_t)s.f_blocks * s.f_frsize;
    if (bytes && bytes <= LOADGEN_DISK_BYTES_MAX) return true;
    snprintf(
        why, why_bytes,
        "--disk %s: a file system of its own with at most %llu MB was expected, for it is filled; this has %llu MB",
        folder, (unsigned long long)(LOADGEN_DISK_BYTES_MAX / MIB), (unsigned long long)(bytes / MIB));
    return false;
}

/* Until nothing goes in any more; in ever smaller pieces, for no page is to be left. */
static void fill(struct chaos *c)
{
    static const char zeros[PIECE_BYTES];
    size_t bytes = sizeof zeros;
    for (int i = 0; i < PIECES_PER_TURN && bytes; i++) {
        const ssize_t written = write(c->disk.file, zeros, bytes);
        if (written <= 0) bytes /= 2;
    }
}

void chaos_disk_begin(struct chaos *c)
{
    char path[CHAOS_URL_BYTES];
    write_path(c->config.disk, path);
    c->disk.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    c->disk.is_now = c->disk.is_known = false;
    c->disk.told_us = 0;
    c->disk.ask_us = c->now_us;
    if (c->disk.file >= 0) return;
    chaos_say(c, "BROKEN", "disk", "%s: %s", path, strerror(errno));
    c->faults++;
}

static void ask(struct chaos *c)
{
    char url[CHAOS_URL_BYTES];
    if (c->is_asking || c->now_us < c->disk.ask_us) return;
    snprintf(url, sizeof url, "%.480s/metrics", c->config.http);
    const struct http_ask ask = { .url = url, .timeout_us = ASK_TIMEOUT_US, .bytes_max = LOADGEN_PLAYLIST_BYTES_MAX };
    c->disk.ask_us = c->now_us + ASK_EVERY_US;
    c->is_asking = !http_client_ask(c->http, &ask);
}

void chaos_disk_turn(struct chaos *c)
{
    if (c->disk.file >= 0) fill(c);
    ask(c);
}

void chaos_disk_end(struct chaos *c)
{
    char path[CHAOS_URL_BYTES];
    if (c->disk.file < 0) return;
    write_path(c->config.disk, path);
    close(c->disk.file);
    unlink(path);
    c->disk.file = -1;
}

void chaos_disk_answer(struct chaos *c, const struct http_result *r)
{
    if (r->status != 200 || !r->body) return;
    const double failing = metrics_sum_of_all((const char *)r->body, r->bytes, GAUGE);
    c->disk.is_known = failing >= 0; /* false for a number that is not there */
    c->disk.is_now = failing > 0;
    if (!c->disk.is_now || c->disk.told_us) return;
    c->disk.told_us = c->now_us;
    chaos_say(c, "told", "disk", "the server says that it cannot write, %.1f s from when it was full",
              (double)(c->now_us - c->event_us) / 1e6);
}

bool chaos_disk_is_acting(const struct chaos *c)
{
    const int64_t since_us = c->now_us - c->event_us;
    if (!c->disk.is_known) return since_us < c->event->us;
    return c->disk.told_us ? c->now_us - c->disk.told_us < c->event->us : since_us < TOLD_US_MAX;
}

bool chaos_disk_is_back(const struct chaos *c)
{
    return !c->disk.is_now;
}

bool chaos_disk_judge(struct chaos *c)
{
    if (!c->disk.is_known) {
        chaos_say(c, "disk", "server", "it says nothing of its disk (%s), so that was not judged", GAUGE);
        return true;
    }
    if (!c->disk.told_us)
        chaos_say(c, "BROKEN", "server", "disk-full: it did not say that it cannot write (%s)", GAUGE);
    if (c->disk.is_now)
        chaos_say(c, "BROKEN", "server", "disk-full: it still cannot write, and there is room (%s)", GAUGE);
    const bool is_good = c->disk.told_us && !c->disk.is_now;
    c->faults += !is_good;
    return is_good;
}
