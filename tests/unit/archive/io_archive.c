/* The archive on a real folder: what was given is there, also after a new start; what cannot be taken is refused at once; budgets hold. */
#include "archive_house.h"

#include <dirent.h>
#include <sys/wait.h>
#include <weir/base/limits.h>

static void what_is_given_can_be_loaded(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a b", 3600 * SECOND);
    assert_null(await_past(&h, s));
    for (uint64_t msn = 1; msn <= 20; msn++) {
        assert_int_equal(give(s, "video", msn, 1000 + msn, clock_wall_us()), WEIR_OK);
        assert_int_equal(give(s, "audio", msn, 100 + msn, clock_wall_us()), WEIR_OK);
    }
    for (uint64_t msn = 1; msn <= 20; msn++) {
        assert_int_equal(await_fate(&h, s, "video", msn), SHELF_KEPT);
        assert_int_equal(await_fate(&h, s, "audio", msn), SHELF_KEPT);
        assert_loads(&h, "live/a b", "video", msn, 1000 + msn);
        assert_loads(&h, "live/a b", "audio", msn, 100 + msn);
        assert_loads(&h, "live/a b", "audio", msn, 100 + msn); /* from memory now */
    }
    assert_int_equal(counted(&h, COUNTER_DVR_WRITTEN), 40);
    assert_int_equal(counted(&h, COUNTER_DVR_LOADED), 40);
    struct answer a;
    assert_int_equal(load(&h, "live/a b", "video", "init-1.mp4", &a), WEIR_OK);
    assert_int_equal(a.kind, EDGE_INIT);
    assert_int_equal(a.media, EDGE_VIDEO_MP4);
    assert_int_equal(frozen_bytes(a.body), 50);
    frozen_unref(a.body);
    /* the init is there once per rendition, not once per segment */
    assert_int_equal(figures(&h).objects, 42);
    s->release(s);
    house_deinit(&h);
}

static void what_is_not_there_costs_nothing(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_int_equal(give(s, "video", 1, 100, clock_wall_us()), WEIR_OK);
    await_fate(&h, s, "video", 1);
    assert_int_equal(load_segment(&h, "live/b", "video", 1), WEIR_NOT_FOUND);
    assert_int_equal(load_segment(&h, "live/a", "audio", 1), WEIR_NOT_FOUND);
    assert_int_equal(load_segment(&h, "live/a", "video", 2), WEIR_NOT_FOUND);
    struct answer a;
    assert_int_equal(load(&h, "live/a", "video", "../../../publish.key", &a), WEIR_NOT_FOUND);
    assert_int_equal(load(&h, "..", "video", "seg-1.m4s", &a), WEIR_NOT_FOUND);
    assert_int_equal(load(&h, "live/a", "video", "", &a), WEIR_NOT_FOUND);
    assert_int_equal(fate(s, "video", 2), SHELF_LOST);
    assert_int_equal(figures(&h).shelves, 1);
    assert_int_equal(counted(&h, COUNTER_DVR_LOADED), 0);
    s->release(s);
    house_deinit(&h);
}

static void a_new_start_finds_what_was_there(void **state)
{
    struct house h;
    house_init(&h, NULL);
    for (int round = 0; round < 4; round++) {
        house_open(&h);
        struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
        struct shelf_past *past = await_past(&h, s);
        assert_int_equal(past ? past->count : 0, round * 20);
        for (size_t i = 0; past && i < past->count; i++) {
            const struct shelf_past_segment *p = &past->segments[i];
            assert_int_equal(p->msn, 1 + i / 2);
            assert_string_equal(p->rendition, i % 2 ? "video" : "audio");
            assert_string_equal(p->init_name, "init-1.mp4");
            assert_int_equal(p->duration_us, 2 * SECOND);
            assert_int_equal(p->media, i % 2 ? EDGE_VIDEO_MP4 : EDGE_AUDIO_MP4);
            assert_true(p->is_independent);
            assert_loads(&h, "live/a", p->rendition, p->msn, 300);
        }
        shelf_past_unref(past);
        for (uint64_t msn = (uint64_t)round * 10 + 1; msn <= (uint64_t)round * 10 + 10; msn++) {
            assert_int_equal(give(s, "video", msn, 300, clock_wall_us()), WEIR_OK);
            assert_int_equal(give(s, "audio", msn, 300, clock_wall_us()), WEIR_OK);
        }
        /* without waiting: closing writes what is in the queue */
        s->release(s);
        house_close(&h);
    }
    house_deinit(&h);
}

static void a_stream_that_ended_is_not_gone_on_with(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    struct frozen *text = frozen_copy("#EXTM3U\n", 8);
    assert_int_equal(give(s, "video", 1, 300, clock_wall_us()), WEIR_OK);
    assert_int_equal(s->give_playlist(s, "video", text), WEIR_OK);
    assert_int_equal(s->give_playlist(s, "", text), WEIR_OK);
    frozen_unref(text);
    s->end(s, 600 * SECOND);
    s->release(s);
    house_close(&h);
    house_open(&h);
    struct answer a;
    assert_int_equal(load(&h, "live/a", "video", "index.m3u8", &a), WEIR_OK);
    assert_int_equal(a.kind, EDGE_PLAYLIST);
    assert_int_equal(frozen_bytes(a.body), 8);
    frozen_unref(a.body);
    assert_int_equal(load(&h, "live/a", "", "index.m3u8", &a), WEIR_OK);
    frozen_unref(a.body);
    assert_loads(&h, "live/a", "video", 1, 300);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_null(await_past(&h, s));
    assert_int_equal(give(s, "video", 50, 300, clock_wall_us()), WEIR_OK);
    /* whoever looks for the new one is not told that it is over, now or after a new start */
    assert_int_equal(load(&h, "live/a", "video", "index.m3u8", &a), WEIR_NOT_FOUND);
    s->release(s);
    house_close(&h);
    house_open(&h);
    assert_int_equal(load(&h, "live/a", "video", "index.m3u8", &a), WEIR_NOT_FOUND);
    assert_loads(&h, "live/a", "video", 1, 300);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    struct shelf_past *past = await_past(&h, s);
    assert_int_equal(past->count, 1);
    shelf_past_unref(past);
    s->release(s);
    house_close(&h);
    /* ends that come because the process does are none */
    house_open(&h);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    archive_leave(h.archive);
    s->end(s, 600 * SECOND);
    s->release(s);
    house_close(&h);
    house_open(&h);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    past = await_past(&h, s);
    assert_int_equal(past->count, 1);
    assert_int_equal(past->segments[0].msn, 50);
    shelf_past_unref(past);
    s->release(s);
    house_deinit(&h);
}

static void marks_outlive_the_process(void **state)
{
    struct house h;
    house_init(&h, NULL);
    h.has_marks = true;
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_int_equal(give(s, "video", 7, 300, clock_wall_us()), WEIR_OK);
    s->mark(s, &(struct shelf_mark){ 9, 3, 2, 4 });
    s->mark(s, &(struct shelf_mark){ 8, 3, 2, 4 });
    s->release(s);
    house_close(&h);
    house_open(&h);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    struct shelf_past *past = await_past(&h, s);
    assert_int_equal(past->mark.msn, 9);
    assert_int_equal(past->mark.discontinuity, 3);
    assert_int_equal(past->mark.first_msn, 2);
    assert_int_equal(past->mark.run_id, 4);
    shelf_past_unref(past);
    s->release(s);
    house_close(&h);
    /* the machine was started anew: nobody knows */
    unlink(h.marks);
    house_open(&h);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    past = await_past(&h, s);
    assert_int_equal(past->mark.msn, 0);
    shelf_past_unref(past);
    s->release(s);
    house_close(&h);
    /* a file that is none of ours is left alone */
    unlink(h.marks);
    assert_int_equal(symlink("/dev/null", h.marks), 0);
    house_open(&h);
    s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    s->mark(s, &(struct shelf_mark){ 10, 3, 2, 4 });
    s->release(s);
    house_deinit(&h);
}

static void one_folder_is_of_one_process(void **state)
{
    struct house h;
    struct archive *second = NULL;
    house_init(&h, NULL);
    house_open(&h);
    const struct archive_config config = {
        .folder = h.folder, .bytes_max = 1 << 20, .queue_bytes_max = 1 << 20, .queue_us_max = SECOND
    };
    assert_int_equal(archive_create(&second, &config), WEIR_BUSY);
    assert_null(second);
    house_deinit(&h);
}

/* -- the queue -- */

static void a_disk_that_stands_still_holds_nobody_up(void **state)
{
    struct house h;
    house_init(&h, NULL);
    h.queue_bytes_max = 100000;
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    faulty_stick(&h.files, true);
    uint64_t taken = 0, msn = 0;
    int64_t longest_us = 0;
    for (; msn < 1000; msn++) {
        const int64_t before_us = clock_now_us();
        taken += give(s, "video", msn, 9000, clock_wall_us()) == WEIR_OK;
        const int64_t took_us = clock_now_us() - before_us;
        if (took_us > longest_us) longest_us = took_us;
    }
    print_message("1000 gives beside a dead disk: %lld us at most, %llu taken\n", (long long)longest_us,
                  (unsigned long long)taken);
    assert_true(taken >= 10 && taken <= 12); /* the queue, and the one in hand */
    assert_int_equal(counted(&h, COUNTER_DVR_REFUSED), 1000 - taken);
    assert_true(figures(&h).is_failing);
    assert_true(figures(&h).queued_bytes <= 100000);
    assert_int_equal(fate(s, "video", 1), SHELF_WAITING);
    assert_int_equal(fate(s, "video", 999), SHELF_LOST);
    /* what waits can be had meanwhile */
    assert_loads(&h, "live/a", "video", 1, 9000);
    faulty_stick(&h.files, false);
    for (uint64_t i = 0; i < taken; i++) assert_int_equal(await_fate(&h, s, "video", i), SHELF_KEPT);
    const int64_t since_us = clock_now_us();
    while (figures(&h).is_failing) breathe(&h, since_us, "the archive to say that it has caught up");
    assert_int_equal(give(s, "video", 2000, 9000, clock_wall_us()), WEIR_OK);
    assert_int_equal(await_fate(&h, s, "video", 2000), SHELF_KEPT);
    s->release(s);
    house_deinit(&h);
}

static void the_queue_is_bounded_by_time_as_well(void **state)
{
    struct house h;
    house_init(&h, NULL);
    h.queue_us_max = SECOND / 20;
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    faulty_stick(&h.files, true);
    const int64_t since_us = clock_now_us();
    assert_int_equal(give(s, "video", 1, 100, clock_wall_us()), WEIR_OK);
    uint64_t msn = 2;
    while (give(s, "video", msn, 100, clock_wall_us()) == WEIR_OK) {
        msn++;
        breathe(&h, since_us, "the queue to refuse");
    }
    assert_true(clock_now_us() - since_us >= SECOND / 20);
    faulty_stick(&h.files, false);
    for (uint64_t i = 1; i < msn; i++) assert_int_equal(await_fate(&h, s, "video", i), SHELF_KEPT);
    s->release(s);
    house_deinit(&h);
}

/* -- loads -- */

static void loads_can_be_cancelled_and_end_with_the_house(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    assert_int_equal(give(s, "video", 1, 1000, clock_wall_us()), WEIR_OK);
    await_fate(&h, s, "video", 1);
    s->release(s);
    house_close(&h);
    house_open(&h);
    struct segment_loader *l = archive_loader(h.archive);
    struct segment_load *handles[100];
    struct answer answers[100];
    for (int i = 0; i < 100; i++) {
        answers[i] = (struct answer){ .is_there = false };
        assert_int_equal(l->load(l, as_span("live/a"), as_span("video"), as_span("seg-1.m4s"), h.loop, on_loaded,
                                 &answers[i], &handles[i]),
                         WEIR_OK);
    }
    for (int i = 0; i < 100; i += 2) l->cancel(l, handles[i]);
    house_close(&h);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(answers[i].is_there, i % 2);
        if (i % 2) assert_true(answers[i].body || answers[i].err == WEIR_STATE);
        frozen_unref(answers[i].body);
    }
    house_deinit(&h);
}

static void damaged_bytes_are_not_served(void **state)
{
    struct house h;
    house_init(&h, NULL);
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    for (uint64_t msn = 1; msn <= 3; msn++) assert_int_equal(give(s, "video", msn, 1000, clock_wall_us()), WEIR_OK);
    for (uint64_t msn = 1; msn <= 3; msn++) await_fate(&h, s, "video", msn);
    char path[512];
    snprintf(path, sizeof path, "%s/live+a", h.folder);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *d; (d = readdir(folder));) {
        if (!strstr(d->d_name, ".data")) continue;
        char file[800];
        snprintf(file, sizeof file, "%s/%s", path, d->d_name);
        FILE *f = fopen(file, "r+b");
        assert_non_null(f);
        fseek(f, 50 + 1000 + 500, SEEK_SET); /* in the middle of the second */
        fputc('x', f);
        fclose(f);
    }
    closedir(folder);
    assert_loads(&h, "live/a", "video", 1, 1000);
    assert_int_equal(load_segment(&h, "live/a", "video", 2), WEIR_IO);
    assert_int_equal(load_segment(&h, "live/a", "video", 2), WEIR_NOT_FOUND);
    assert_int_equal(fate(s, "video", 2), SHELF_LOST);
    assert_loads(&h, "live/a", "video", 3, 1000);
    assert_int_equal(counted(&h, COUNTER_DVR_LOAD_FAILED), 1);
    s->release(s);
    house_deinit(&h);
}

/* -- budgets -- */

static uint64_t bytes_in(const char *path)
{
    uint64_t sum = 0;
    DIR *folder = opendir(path);
    for (const struct dirent *d; folder && (d = readdir(folder));) {
        char inside[1024];
        struct stat is;
        snprintf(inside, sizeof inside, "%s/%s", path, d->d_name);
        if (d->d_name[0] == '.' || lstat(inside, &is)) continue;
        sum += S_ISDIR(is.st_mode) ? bytes_in(inside) : (uint64_t)is.st_size;
    }
    if (folder) closedir(folder);
    return sum;
}

static void all_streams_share_one_budget(void **state)
{
    struct house h;
    house_init(&h, NULL);
    h.bytes_max = 2 * MIB;
    house_open(&h);
    struct segment_shelf *a = shelf_of_stream(&h, "live/a", 3600 * SECOND),
                         *b = archive_open(
                             h.archive, "live/b",
                             &(struct archive_policy){ .keep_us = 3600 * SECOND, .bytes_max = 512 * KIB });
    const int64_t wall_us = clock_wall_us();
    uint64_t most = 0;
    for (uint64_t msn = 1; msn <= 200; msn++) {
        assert_int_equal(give(a, "video", msn, 30000, wall_us + (int64_t)msn * SECOND), WEIR_OK);
        assert_int_equal(give(b, "video", msn, 30000, wall_us + (int64_t)msn * SECOND), WEIR_OK);
        assert_int_equal(await_fate(&h, a, "video", msn), SHELF_KEPT);
        assert_int_equal(await_fate(&h, b, "video", msn), SHELF_KEPT);
        const uint64_t now = bytes_in(h.folder);
        if (now > most) most = now;
    }
    print_message("12 MB through a budget of 2 MiB: %llu bytes at most\n", (unsigned long long)most);
    assert_true(most <= 2 * MIB);
    assert_true(figures(&h).bytes <= 2 * MIB && figures(&h).bytes > MIB);
    uint64_t kept_a = 0, kept_b = 0;
    while (kept_a < 200 && fate(a, "video", 200 - kept_a) == SHELF_KEPT) kept_a++;
    while (kept_b < 200 && fate(b, "video", 200 - kept_b) == SHELF_KEPT) kept_b++;
    print_message("kept of each: %llu and, with a budget of its own, %llu\n", (unsigned long long)kept_a,
                  (unsigned long long)kept_b);
    assert_in_range(kept_a, 30, 55);
    assert_in_range(kept_b, 12, 17);
    assert_int_equal(load_segment(&h, "live/a", "video", 200 - kept_a), WEIR_NOT_FOUND);
    assert_loads(&h, "live/a", "video", 201 - kept_a, 30000);
    /* larger than all there may be: refused, and nothing goes for it */
    assert_int_equal(give(a, "video", 999, 3 * MIB, wall_us), WEIR_OK);
    assert_int_equal(await_fate(&h, a, "video", 999), SHELF_LOST);
    assert_int_equal(fate(a, "video", 200), SHELF_KEPT);
    a->release(a);
    b->release(b);
    /* the same after a new start with a smaller budget */
    house_close(&h);
    h.bytes_max = MIB;
    house_open(&h);
    a = shelf_of_stream(&h, "live/a", 3600 * SECOND);
    shelf_past_unref(await_past(&h, a));
    assert_int_equal(give(a, "video", 1000, 30000, wall_us + 1000 * SECOND), WEIR_OK);
    assert_int_equal(await_fate(&h, a, "video", 1000), SHELF_KEPT);
    const int64_t since_us = clock_now_us();
    for (uint64_t msn = 1001; bytes_in(h.folder) > MIB; msn++) {
        assert_int_equal(give(a, "video", msn, 30000, wall_us + (int64_t)msn * SECOND), WEIR_OK);
        breathe(&h, since_us, "the smaller budget to be kept");
    }
    a->release(a);
    house_deinit(&h);
}

static void what_is_old_goes_and_leaves_no_folder(void **state)
{
    struct house h;
    house_init(&h, NULL);
    h.wall_us = 1700000000 * SECOND;
    house_open(&h);
    struct segment_shelf *s = shelf_of_stream(&h, "live/a", 60 * SECOND);
    for (uint64_t msn = 1; msn <= 10; msn++) {
        assert_int_equal(give(s, "video", msn, 1000, h.wall_us + (int64_t)(msn - 1) * 2 * SECOND), WEIR_OK);
        await_fate(&h, s, "video", msn);
    }
    s->release(s);
    house_close(&h);
    /* whoever starts next need not know the stream */
    house_open(&h);
    h.wall_us += 80 * SECOND; /* to the moment */
    assert_loads(&h, "live/a", "video", 1, 1000);
    h.wall_us += 1;
    const int64_t since_us = clock_now_us();
    while (figures(&h).shelves) breathe(&h, since_us, "the old chunk to go");
    assert_int_equal(load_segment(&h, "live/a", "video", 1), WEIR_NOT_FOUND);
    while (bytes_in(h.folder)) breathe(&h, since_us, "the old files to go");
    char path[512];
    snprintf(path, sizeof path, "%s/live+a", h.folder);
    while (!access(path, F_OK)) breathe(&h, since_us, "the folder to go");
    assert_int_equal(counted(&h, COUNTER_DVR_EXPIRED), 1);
    house_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_can_be_loaded),
        cmocka_unit_test(what_is_not_there_costs_nothing),
        cmocka_unit_test(a_new_start_finds_what_was_there),
        cmocka_unit_test(a_stream_that_ended_is_not_gone_on_with),
        cmocka_unit_test(marks_outlive_the_process),
        cmocka_unit_test(one_folder_is_of_one_process),
        cmocka_unit_test(a_disk_that_stands_still_holds_nobody_up),
        cmocka_unit_test(the_queue_is_bounded_by_time_as_well),
        cmocka_unit_test(loads_can_be_cancelled_and_end_with_the_house),
        cmocka_unit_test(damaged_bytes_are_not_served),
        cmocka_unit_test(all_streams_share_one_budget),
        cmocka_unit_test(what_is_old_goes_and_leaves_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
