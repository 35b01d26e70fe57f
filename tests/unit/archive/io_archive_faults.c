/* What happens to the archive: writes that fail at any call, disks that are full or become read-only, and kill -9. Whatever it says is kept can be
 * loaded, byte for byte, now and after a new start; and it recovers by itself. */
#include "archive_house.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define MSN_MAX 64

/* All that is said to be kept is there, now and after a new start. A write may have been whole although it failed: then a new start finds more, and
 * that is whole, too. */
static void check_kept(struct house *h, struct segment_shelf *s, const char *stream, uint64_t count, size_t bytes)
{
    bool is_kept[MSN_MAX];
    for (uint64_t msn = 0; msn < count; msn++) {
        is_kept[msn] = await_fate(h, s, "video", msn) == SHELF_KEPT;
        if (is_kept[msn]) assert_loads(h, stream, "video", msn, bytes);
    }
    s->release(s);
    house_close(h);
    house_open(h);
    s = shelf_of_stream(h, stream, 3600 * SECOND);
    struct shelf_past *past = await_past(h, s);
    size_t at = 0;
    for (uint64_t msn = 0; msn < count; msn++) {
        const bool is_listed = past && at < past->count && past->segments[at].msn == msn;
        assert_true(is_listed || !is_kept[msn]);
        if (is_listed) assert_loads(h, stream, "video", msn, bytes);
        at += is_listed;
    }
    assert_int_equal(past ? past->count : 0, at);
    shelf_past_unref(past);
    s->release(s);
}

static void every_writing_call_may_fail(void **state)
{
    static const int errors[] = { ENOSPC, EIO };
    static const size_t firsts[] = { 10, 1 << 20 };
    static const uint64_t counts[] = { 1, 7 };
    size_t cases = 0, lost = 0;
    for (uint64_t after = 0; after < 24; after++) {
        for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
            for (size_t f = 0; f < ARRAY_LEN(firsts); f++) {
                for (size_t n = 0; n < ARRAY_LEN(counts); n++, cases++) {
                    struct house h;
                    house_init(&h, NULL);
                    house_open(&h);
                    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
                    faulty_fail(&h.files, after, counts[n], errors[e], firsts[f]);
                    uint64_t msn = 0;
                    for (; msn < 8; msn++) {
                        assert_int_equal(give(s, "video", msn, 500, clock_wall_us()), WEIR_OK);
                        lost += await_fate(&h, s, "video", msn) == SHELF_LOST;
                    }
                    /* it works again: so does the archive, at once */
                    faulty_fail(&h.files, 0, 0, 0, 0);
                    assert_int_equal(give(s, "video", msn, 500, clock_wall_us()), WEIR_OK);
                    assert_int_equal(await_fate(&h, s, "video", msn), SHELF_KEPT);
                    assert_false(figures(&h).is_failing);
                    check_kept(&h, s, "live/a", msn + 1, 500);
                    house_deinit(&h);
                }
            }
        }
    }
    print_message("%zu cases, %zu segments lost in them\n", cases, lost);
    assert_true(lost > cases / 4);
}

/* -- real file systems -- */

static bool has_mounts; /* main() has seen to a mount table of our own */

static bool mount_small(const char *size, char path[64])
{
    char options[64];
    snprintf(path, 64, "/tmp/weir-small-XXXXXX");
    assert_non_null(mkdtemp(path));
    snprintf(options, sizeof options, "size=%s", size);
    if (has_mounts && !mount("weir", path, "tmpfs", 0, options)) return true;
    print_message("skipped: no tmpfs can be mounted here (%s)\n", strerror(errno));
    rmdir(path);
    return false;
}

static void unmount(const char *path)
{
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    rmdir(path);
}

static void fill(const char *path, size_t bytes)
{
    char file[128];
    snprintf(file, sizeof file, "%s/others", path);
    FILE *f = fopen(file, "wb");
    char block[4096] = { 1 };
    assert_non_null(f);
    for (size_t at = 0; at < bytes; at += sizeof block) {
        if (fwrite(block, 1, sizeof block, f) != sizeof block) break;
    }
    fclose(f);
}

static void empty(const char *path)
{
    char file[128];
    snprintf(file, sizeof file, "%s/others", path);
    unlink(file);
}

static void a_disk_smaller_than_the_budget_holds_the_newest(void **state)
{
    char path[64];
    struct house h;
    if (!mount_small("4m", path)) skip();
    house_init(&h, path);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    const int64_t wall_us = clock_wall_us();
    uint64_t kept = 0, lost = 0;
    for (uint64_t msn = 0; msn < 400; msn++) {
        assert_int_equal(give(s, "video", msn, 50000, wall_us + (int64_t)msn * SECOND), WEIR_OK);
        lost += await_fate(&h, s, "video", msn) == SHELF_LOST;
    }
    while (fate(s, "video", 399 - kept) == SHELF_KEPT) kept++;
    print_message("20 MB through 4 MiB: the last %llu are there, %llu were lost\n", (unsigned long long)kept,
                  (unsigned long long)lost);
    assert_true(kept > 55);
    assert_int_equal(lost, 0);
    for (uint64_t msn = 400 - kept; msn < 400; msn++) assert_loads(&h, "live/a", "video", msn, 50000);
    s->release(s);
    house_deinit(&h);
    unmount(path);
}

static void a_disk_that_others_fill_costs_gaps_and_recovers(void **state)
{
    char path[64];
    struct house h;
    if (!mount_small("4m", path)) skip();
    house_init(&h, path);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    uint64_t msn = 0;
    for (; msn < 4; msn++) {
        assert_int_equal(give(s, "video", msn, 50000, clock_wall_us()), WEIR_OK);
        assert_int_equal(await_fate(&h, s, "video", msn), SHELF_KEPT);
    }
    /* what of ours goes makes room that somebody else takes */
    for (int i = 0; i < 8; i++) {
        fill(path, 8 << 20);
        assert_int_equal(give(s, "video", msn, 200000, clock_wall_us()), WEIR_OK);
        await_fate(&h, s, "video", msn++);
    }
    assert_int_equal(fate(s, "video", msn - 1), SHELF_LOST);
    assert_true(figures(&h).is_failing);
    assert_string_equal(figures(&h).reason, strerror(ENOSPC));
    empty(path);
    assert_int_equal(give(s, "video", msn, 200000, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", msn), SHELF_KEPT);
    assert_false(figures(&h).is_failing);
    assert_loads(&h, "live/a", "video", msn, 200000);
    s->release(s);
    house_deinit(&h);
    unmount(path);
}

static void a_disk_that_becomes_read_only_and_writable_again(void **state)
{
    char path[64];
    struct house h;
    if (!mount_small("4m", path)) skip();
    house_init(&h, path);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_int_equal(give(s, "video", 0, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 0), SHELF_KEPT);
    /* no descriptor is held, so this is possible beside a running archive */
    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    for (uint64_t msn = 1; msn < 4; msn++) {
        assert_int_equal(give(s, "video", msn, 500, clock_wall_us()), WEIR_OK);
        assert_int_equal(await_fate(&h, s, "video", msn), SHELF_LOST);
    }
    assert_string_equal(figures(&h).reason, strerror(EROFS));
    assert_loads(&h, "live/a", "video", 0, 500);
    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT, NULL), 0);
    assert_int_equal(give(s, "video", 4, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 4), SHELF_KEPT);
    assert_false(figures(&h).is_failing);
    check_kept(&h, s, "live/a", 5, 500);
    house_deinit(&h);
    unmount(path);
}

static void a_folder_that_cannot_be_made_yet(void **state)
{
    char path[64];
    struct house h;
    if (!mount_small("4m", path)) skip();
    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    house_init(&h, path);
    house_open(&h); /* a house that starts on a read-only disk starts */
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_null(await_past(&h, s));
    assert_int_equal(give(s, "video", 0, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 0), SHELF_LOST);
    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT, NULL), 0);
    assert_int_equal(give(s, "video", 1, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 1), SHELF_KEPT);
    s->release(s);
    house_deinit(&h);
    unmount(path);
}

static void somebody_deletes_everything(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_int_equal(give(s, "video", 0, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 0), SHELF_KEPT);
    assert_int_equal(nftw(h.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(load_segment(&h, "live/a", "video", 0), WEIR_IO);
    assert_int_equal(give(s, "video", 1, 500, clock_wall_us()), WEIR_OK); /* finds out */
    await_fate(&h, s, "video", 1);
    assert_int_equal(give(s, "video", 2, 500, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 2), SHELF_KEPT);
    assert_loads(&h, "live/a", "video", 2, 500);
    s->release(s);
    house_deinit(&h);
}

/* -- kill -9 -- */

/* Gives one segment after the other until it is killed; says through the pipe which it has been told are kept. */
static void write_until_killed(struct house *h, uint64_t first, int pipe_fd)
{
    house_open(h);
    struct segment_shelf *s = shelf_of_stream(h, "live/a", 3600 * SECOND);
    for (uint64_t msn = first;; msn++) {
        s->mark(s, &(struct shelf_mark){ msn, 3, 2, 4 });
        while (give(s, "video", msn, 20000, clock_wall_us())) breathe(h, clock_now_us(), "the queue");
        if (msn % 8 == 0) {
            await_fate(h, s, "video", msn);
            if (write(pipe_fd, &msn, sizeof msn) != sizeof msn) _exit(1);
        }
    }
}

/* One round: a process writes and is killed; what it knew to be kept is there. Returns the first number that was never announced. */
static uint64_t kill_round(struct house *h, uint64_t first, unsigned seed)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        close(ends[0]);
        write_until_killed(h, first, ends[1]);
    }
    close(ends[1]);
    uint64_t confirmed = 0, wanted = 1 + seed % 4;
    for (uint64_t got = 0; got < wanted; got++) assert_int_equal(read(ends[0], &confirmed, sizeof confirmed), 8);
    /* and somewhere in the middle of what follows */
    const struct timespec moment = { .tv_nsec = (long)(seed % 7) * 300000 };
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &confirmed, sizeof confirmed) == 8) continue;
    close(ends[0]);

    house_open(h);
    struct segment_shelf *s = shelf_of_stream(h, "live/a", 3600 * SECOND);
    struct shelf_past *past = await_past(h, s);
    assert_non_null(past);
    const uint64_t last = past->segments[past->count - 1].msn;
    assert_true(last >= confirmed);
    assert_true(past->mark.msn >= last);
    for (size_t i = 1; i < past->count; i++) assert_int_equal(past->segments[i].msn > past->segments[i - 1].msn, 1);
    for (size_t i = past->count > 40 ? past->count - 40 : 0; i < past->count; i++) {
        /* within a run nothing is missing: a kill takes the end, never the middle */
        if (past->segments[i].msn > first) assert_int_equal(past->segments[i].msn, past->segments[i - 1].msn + 1);
        assert_loads(h, "live/a", "video", past->segments[i].msn, 20000);
    }
    const uint64_t next = past->mark.msn + 1;
    shelf_past_unref(past);
    s->release(s);
    house_close(h);
    return next;
}

static void a_kill_takes_the_end_and_never_the_middle(void **state)
{
    struct house h;
    uint64_t next = 1;
    house_init(&h, NULL);
    h.has_marks = true;
    for (unsigned round = 0; round < 25; round++) {
        const uint64_t before = next;
        next = kill_round(&h, next, round * 5);
        assert_true(next > before);
    }
    print_message("25 kills, %llu segments\n", (unsigned long long)next - 1);
    house_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: it forks, which is for processes of one thread */
        cmocka_unit_test(a_kill_takes_the_end_and_never_the_middle),
        cmocka_unit_test(every_writing_call_may_fail),
        cmocka_unit_test(a_disk_smaller_than_the_budget_holds_the_newest),
        cmocka_unit_test(a_disk_that_others_fill_costs_gaps_and_recovers),
        cmocka_unit_test(a_disk_that_becomes_read_only_and_writable_again),
        cmocka_unit_test(a_folder_that_cannot_be_made_yet),
        cmocka_unit_test(somebody_deletes_everything),
    };
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC)); /* each fault is an error in the log, as it should be */
    /* a mount table of our own: what is mounted here goes with this process, and nobody else sees it */
    has_mounts = (!unshare(CLONE_NEWNS) || !unshare(CLONE_NEWUSER | CLONE_NEWNS)) &&
                 !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
