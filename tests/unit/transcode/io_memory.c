/* Memory that is limited: read from control groups as the kernel writes them, and a ladder that would go over it. */
#include "hex.h"

#include "film.h"
#include "ladder_run.h"
#include "transcode/memory_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/weir-memory-XXXXXX";
#define FILES_MAX 32
static char made[FILES_MAX][256];
static size_t made_count;

/* A file below the root, with its folders. */
static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    size_t at = 0;
    while (at < made_count && strcmp(made[at], path)) at++;
    assert_true(at < FILES_MAX);
    if (at == made_count) memcpy(made[made_count++], path, sizeof path);
}

static void remove_all(void)
{
    while (made_count) {
        char *path = made[--made_count];
        unlink(path);
        for (char *slash; strlen(path) > strlen(root) && (slash = strrchr(path, '/')) && slash > path + strlen(root);) {
            *slash = 0;
            rmdir(path); /* while others are in it, it stays */
        }
    }
}

static int teardown(void **state)
{
    remove_all();
    return 0;
}

static struct memory_room room(void)
{
    struct memory_room r;
    assert_true(memory_room_read(root, &r));
    return r;
}

static const char meminfo[] = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:   12000000 kB\n";

static void without_groups_the_machine_is_the_limit(void **state)
{
    struct memory_room r;
    assert_false(memory_room_read(root, &r));
    put("/proc/meminfo", meminfo);
    r = room();
    assert_int_equal(r.limit_bytes, 16000000ull * 1024);
    assert_int_equal(r.used_bytes, 4000000ull * 1024);
    put("/proc/meminfo", "MemTotal: nonsense\n");
    assert_false(memory_room_read(root, &r));
    assert_true(memory_room_read("", &r)); /* where this test runs */
    assert_true(r.limit_bytes > r.used_bytes);
}

static void the_least_of_all_groups_counts(void **state)
{
    put("/proc/meminfo", meminfo);
    put("/proc/self/cgroup", "0::/system.slice/weir.service\n");
    put("/sys/fs/cgroup/system.slice/weir.service/memory.max", "max\n");
    put("/sys/fs/cgroup/system.slice/weir.service/memory.current", "200000000\n");
    assert_int_equal(room().limit_bytes, 16000000ull * 1024);
    put("/sys/fs/cgroup/system.slice/weir.service/memory.max", "1000000000\n");
    put("/sys/fs/cgroup/system.slice/weir.service/memory.stat",
        "anon 150000000\nfile 50000000\ninactive_file 40000000\n");
    struct memory_room r = room();
    assert_int_equal(r.limit_bytes, 1000000000);
    assert_int_equal(r.used_bytes, 160000000); /* the kernel takes back files that nobody reads */
    put("/sys/fs/cgroup/system.slice/memory.max", "900000000\n");
    put("/sys/fs/cgroup/system.slice/memory.current", "800000000\n");
    r = room();
    assert_int_equal(r.limit_bytes, 900000000);
    assert_int_equal(r.used_bytes, 800000000);
}

static void a_container_sees_its_own_at_the_mount(void **state)
{
    put("/proc/self/cgroup", "12:cpu:/docker/1234\n7:memory:/docker/1234\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "500000000\n");
    put("/sys/fs/cgroup/memory/memory.stat", "cache 1\ninactive_file 5\ntotal_inactive_file 100000000\n");
    const struct memory_room r = room();
    assert_int_equal(r.limit_bytes, 536870912);
    assert_int_equal(r.used_bytes, 400000000);
}

/* -- a ladder -- */

static bool are_absent(const struct ladder_run *r)
{
    return r->plans && r->rungs[1].absents && r->rungs[2].absents;
}

/* Before anything is encoded, and said of every rung; with room, the next publisher has them. */
static void a_ladder_that_would_not_fit_is_refused(void **state)
{
    static const struct backend *const cpu[] = { &backend_cpu };
    const struct transcoder_config config = { .backends = cpu, .backend_count = 1, .cores = 64, .memory_root = root };
    const struct ladder_options options = {
        .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                               { .name = "half", .kind = RUNG_ENCODED, .scale_num = 1, .scale_den = 2 },
                               { .name = "third", .kind = RUNG_ENCODED, .scale_num = 1, .scale_den = 3 } },
                    .rung_count = 3,
                    .latency = LADDER_LATENCY_LOW },
        .kept_us = 60000000,
    };
    const struct film_config c = {
        .width = 320, .height = 192, .frames = 120, .fps_num = 30, .fps_den = 1, .gop = 30, .start_90k = 900000
    };
    struct transcoder *transcoder;
    struct ladder_run run;
    struct film film;
    put("/proc/self/cgroup", "0::/weir\n");
    put("/sys/fs/cgroup/weir/memory.max", "100000000\n");
    put("/sys/fs/cgroup/weir/memory.current", "89000000\n"); /* a tenth is never promised */
    film_make(&film, &c);
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    ladder_run_start(&run, transcoder, &options);
    ladder_run_push(&run, &film, 0, 30, NULL);
    ladder_run_wait(&run, are_absent, "both rungs to be said absent");
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_LADDERS_REFUSED), 1);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_FRAMES_DECODED), 0);
    put("/sys/fs/cgroup/weir/memory.current", "80000000\n");
    ladder_run_drain(&run);
    run.era++;
    run.era_shift_90k = 90000 * 20;
    ladder_run_push(&run, &film, 0, 60, NULL);
    ladder_run_drain(&run);
    assert_int_equal(ladder_run_rung(&run, "half")->count, 60);
    /* what one was promised and has not taken yet, the next one cannot have */
    struct ladder_plan plan = run.plan;
    const struct ladder_source source = { .codec = CODEC_H264, .width = c.width, .height = c.height, .bit_depth = 8 };
    const struct admission_card on_cpu = { .decodes = false };
    const uint64_t wanted = admission_memory(&plan, &source, on_cpu, 0, options.kept_us);
    assert_true(wanted < 10000000 && wanted * 2 > 10000000);
    const struct admission_wish wish = {
        .plan = &plan, .source = &source, .backend = "auto", .kept_us = options.kept_us
    };
    struct admission_ticket second = transcoder_admit(transcoder, &wish);
    assert_true(second.is_for_memory && second.level > 0);
    transcoder_leave(transcoder, &second);
    /* once it has, the kernel says what is left */
    ladder_run_push(&run, &film, 60, 120, NULL);
    ladder_run_drain(&run);
    second = transcoder_admit(transcoder, &wish);
    assert_int_equal(second.level, 0);
    assert_false(second.is_for_memory);
    transcoder_leave(transcoder, &second);
    ladder_run_end(&run);
    assert_true(transcoder_destroy(transcoder, 10000000));
    film_free(&film);
}

static int group_setup(void **state)
{
    return mkdtemp(root) ? 0 : 1;
}

static int group_teardown(void **state)
{
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_groups_the_machine_is_the_limit, teardown),
        cmocka_unit_test_teardown(the_least_of_all_groups_counts, teardown),
        cmocka_unit_test_teardown(a_container_sees_its_own_at_the_mount, teardown),
        cmocka_unit_test_teardown(a_ladder_that_would_not_fit_is_refused, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
