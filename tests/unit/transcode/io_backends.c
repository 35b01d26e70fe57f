/* What any backend must do, and which of them are here. Those that are absent say what they lack; `script/test gpu` shows it all.
 * A backend that is named in WEIR_TEST_BACKENDS (comma separated) must be here. */
#include "hex.h"

#include "film.h"
#include "ladder_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>

static struct transcoder *all;
static struct backend_report reports[BACKENDS_MAX];
static size_t report_count;

static bool is_demanded(const char *name)
{
    const char *list = getenv("WEIR_TEST_BACKENDS");
    const size_t bytes = strlen(name);
    while (list && *list) {
        const size_t word = strcspn(list, ",");
        if (word == bytes && !memcmp(list, name, bytes)) return true;
        list += word + (list[word] == ',');
    }
    return false;
}

static void what_is_here(void **state)
{
    for (size_t i = 0; i < report_count; i++) {
        const struct backend_report *r = &reports[i];
        print_message("%-12s devices %u, decodes%s%s%s%s, scales %s, encodes%s%s%s, %lld ms%s%s\n", r->backend->name,
                      r->device_count, r->can_decode[CODEC_H264] ? " h264" : "",
                      r->can_decode[CODEC_HEVC] ? " hevc" : "", r->can_decode[CODEC_AV1] ? " av1" : "",
                      r->can_decode[CODEC_VP9] ? " vp9" : "", r->can_scale ? "yes" : "no",
                      r->can_encode[CODEC_H264] ? " h264" : "", r->can_encode[CODEC_HEVC] ? " hevc" : "",
                      r->can_encode[CODEC_AV1] ? " av1" : "", (long long)r->took_us / 1000, r->note[0][0] ? ": " : "",
                      r->note[0]);
        if (!r->device_count) assert_true(r->note[0][0]); /* an absence has a reason */
        for (int codec = CODEC_H264; codec <= CODEC_AV1; codec++) {
            if (r->device_count && !r->can_encode[codec]) assert_true(r->note[codec][0]);
            if (r->note[codec][0])
                print_message("             %s: %s\n", codec_name((enum media_codec)codec), r->note[codec]);
        }
        if (is_demanded(r->backend->name) && !r->can_decode[CODEC_H264])
            fail_msg("%s is demanded and not here", r->backend->name);
    }
    const struct backend_report *cpu = &reports[report_count - 1];
    assert_string_equal(cpu->backend->name, "cpu");
    assert_true(cpu->can_encode[CODEC_H264] && cpu->can_encode[CODEC_HEVC] && cpu->can_encode[CODEC_AV1]);
    assert_true(cpu->can_decode[CODEC_H264] && cpu->can_decode[CODEC_HEVC] && cpu->can_decode[CODEC_AV1] &&
                cpu->can_decode[CODEC_VP9]);
}

/* With no GPU the answer is the CPU, at once, and it says why. */
static void auto_finds_something(void **state)
{
    struct backend_choice choice;
    struct backend_error error;
    assert_int_equal(transcoder_choose(all, DUTY_ENCODE, CODEC_H264, "auto", false, 0, NULL, &choice, &error), WEIR_OK);
    transcoder_release(all, DUTY_ENCODE, &choice);
    bool has_gpu = false;
    for (size_t i = 0; i < report_count; i++)
        has_gpu |= reports[i].backend->is_gpu && reports[i].can_encode[CODEC_H264];
    assert_int_equal(choice.backend->is_gpu, has_gpu);
    if (has_gpu) return;
    assert_int_equal(transcoder_choose(all, DUTY_ENCODE, CODEC_H264, "auto", true, 0, NULL, &choice, &error),
                     WEIR_NOT_FOUND);
    assert_non_null(strstr(error.text, "nvidia"));
    assert_int_equal(transcoder_choose(all, DUTY_DECODE, CODEC_AV1, "nvidia", true, 0, NULL, &choice, &error),
                     WEIR_NOT_FOUND);
    assert_int_equal(transcoder_choose(all, DUTY_DECODE, CODEC_AV1, "nvidia", false, 0, NULL, &choice, &error),
                     WEIR_OK);
    assert_string_equal(choice.backend->name, "cpu");
    transcoder_release(all, DUTY_DECODE, &choice);
}

static void finding_that_nothing_is_here_is_quick(void **state)
{
    const struct transcoder_config config = { .backends = NULL };
    struct transcoder *fresh;
    struct backend_choice choice;
    struct backend_error error;
    assert_int_equal(transcoder_create(&fresh, &config), WEIR_OK);
    const int64_t began_us = clock_now_us();
    assert_int_equal(transcoder_choose(fresh, DUTY_ENCODE, CODEC_H264, "auto", false, 0, NULL, &choice, &error),
                     WEIR_OK);
    const int64_t took_us = clock_now_us() - began_us;
    print_message("first choice after %lld us\n", (long long)took_us);
    if (!choice.backend->is_gpu) assert_true(took_us < 500000);
    transcoder_release(fresh, DUTY_ENCODE, &choice);
    assert_true(transcoder_destroy(fresh, 1000000));
}

/* A short film through a ladder of this backend alone: every picture, in place, keyframes to the tick. */
static void run_film(const struct backend *b, enum media_codec codec)
{
    const struct backend *const alone[] = { b };
    const struct transcoder_config config = { .backends = alone, .backend_count = 1 };
    const struct film_config c = { .width = 640,
                                   .height = 384,
                                   .frames = 75,
                                   .fps_num = 25,
                                   .fps_den = 1,
                                   .gop = 25,
                                   .b_frames = 2,
                                   .start_90k = 900000 };
    const struct ladder_options options = {
        .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                               { .name = "a",
                                 .kind = RUNG_ENCODED,
                                 .scale_num = 1,
                                 .scale_den = 2,
                                 .codec = codec,
                                 .bitrate_bps = 900000,
                                 .preset = "ultrafast" },
                               { .name = "b",
                                 .kind = RUNG_ENCODED,
                                 .scale_num = 2,
                                 .scale_den = 5,
                                 .codec = codec,
                                 .bitrate_bps = 700000,
                                 .preset = "ultrafast" } },
                    .rung_count = 3,
                    .latency = LADDER_LATENCY_LOW },
        .is_unbounded = true,
    };
    struct transcoder *one;
    struct film film;
    struct ladder_run run;
    static int numbers[100];
    static int64_t pts_90k[100];
    film_make(&film, &c);
    assert_int_equal(transcoder_create(&one, &config), WEIR_OK);
    ladder_run_start(&run, one, &options);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    for (size_t k = 1; k <= 2; k++) {
        const struct run_rung *o = &run.rungs[k];
        assert_int_equal(o->count, film.count);
        for (size_t i = 0; i < o->count; i++)
            assert_int_equal(o->packets[i].access == FRAME_IDR, (o->packets[i].pts_90k - c.start_90k) / 3600 % 25 == 0);
        assert_int_equal(run_rung_decode(o, numbers, pts_90k, 100), film.count);
        for (size_t i = 0; i < film.count; i++) assert_int_equal(numbers[i], (pts_90k[i] - c.start_90k) / 3600);
    }
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_KEYFRAME_MISSES), 0);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_ENCODER_FAILURES), 0);
    ladder_run_end(&run);
    film_free(&film);
    assert_true(transcoder_destroy(one, 10000000));
}

static void each_backend_makes_a_ladder(void **state)
{
    for (size_t i = 0; i < report_count; i++) {
        const struct backend_report *r = &reports[i];
        for (int codec = CODEC_H264; codec <= CODEC_AV1; codec++) {
            const bool is_whole = r->can_decode[CODEC_H264] && r->can_scale && r->can_encode[codec];
            print_message("%-12s %-5s %s\n", r->backend->name, codec_name((enum media_codec)codec),
                          is_whole ? "runs" : "cannot be run here");
            if (is_whole) run_film(r->backend, (enum media_codec)codec);
        }
    }
}

static int group_setup(void **state)
{
    const struct transcoder_config config = { .backends = NULL };
    if (transcoder_create(&all, &config)) return 1;
    report_count = transcoder_report(all, reports);
    return 0;
}

static int group_teardown(void **state)
{
    return transcoder_destroy(all, 10000000) ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_here),
        cmocka_unit_test(auto_finds_something),
        cmocka_unit_test(finding_that_nothing_is_here_is_quick),
        cmocka_unit_test(each_backend_makes_a_ladder),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
