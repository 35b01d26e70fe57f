/* A thousand ladders, begun and ended in every state that they can be in: nothing of them is left. WEIR_TEST_CYCLES=10000 makes it
 * more. */
#include "hex.h"

#include "film.h"
#include "ladder_run.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CYCLES 1000

static uint64_t random_state = 99;
static uint32_t roll(uint32_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % sides);
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long total = 0, resident = 0;
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static bool has_output(const struct ladder_run *run)
{
    return run->outputs > 0;
}

static void nothing_is_left_after_a_thousand(void **state)
{
    static const struct backend *const cpu[] = { &backend_cpu };
    const struct transcoder_config config = { .backends = cpu, .backend_count = 1 };
    const struct film_config c = {
        .width = 128, .height = 64, .frames = 12, .fps_num = 30, .fps_den = 1, .gop = 6, .start_90k = 900000
    };
    struct ladder_options options = {
        .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                               { .name = "half",
                                 .kind = RUNG_ENCODED,
                                 .scale_num = 1,
                                 .scale_den = 2,
                                 .bitrate_bps = 200000,
                                 .preset = "ultrafast" } },
                    .rung_count = 2,
                    .latency = LADDER_LATENCY_LOW },
        .is_unbounded = true,
    };
    struct transcoder *transcoder;
    struct film film;
    long settled_kib = 0;
    const char *wanted = getenv("WEIR_TEST_CYCLES");
    const int cycles = wanted && atoi(wanted) > 0 ? atoi(wanted) : CYCLES, settled = cycles * 3 / 10;
    film_make(&film, &c);
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    for (int i = 0; i < cycles; i++) {
        struct ladder_run run;
        ladder_run_start(&run, transcoder, &options);
        const uint32_t how = roll(8);
        if (how) ladder_run_push(&run, &film, 0, 1 + roll(12), NULL);
        if (how == 4) ladder_drain(run.ladder);
        if (how == 5) ladder_run_wait(&run, has_output, "the first packet");
        if (how >= 6) ladder_run_drain(&run);
        ladder_run_end(&run); /* asserts that all counts are zero */
        if (i == settled) {
            malloc_trim(0);
            settled_kib = resident_kib();
        }
    }
    malloc_trim(0);
    const long grown_kib = resident_kib() - settled_kib;
    print_message("resident: %ld KiB after %d, %+ld KiB after %d\n", settled_kib, settled, grown_kib, cycles);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown_kib < 2048);
#endif
    assert_true(transcode_read(transcoder_figures(transcoder), FIGURE_FRAMES_DECODED) > cycles);
    assert_true(transcoder_destroy(transcoder, 10000000));
    film_free(&film);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_left_after_a_thousand) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
