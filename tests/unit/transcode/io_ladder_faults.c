/* Encoders, decoders and scalers that refuse, fail, hang, lie and dawdle, in front of a CPU that works: what a viewer may notice is
 * bounded, the keyframes stay on the source's times, and nothing is left behind. */
#include "hex.h"

#include "fake_backend.h"
#include "film.h"
#include "ladder_run.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/clock.h>

static struct transcoder *transcoder;
static struct film film;
static struct ladder_run run;

static const struct ladder_options two_rungs = {
    .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                           { .name = "half",
                             .kind = RUNG_ENCODED,
                             .scale_num = 1,
                             .scale_den = 2,
                             .bitrate_bps = 500000,
                             .preset = "superfast" },
                           { .name = "third",
                             .kind = RUNG_ENCODED,
                             .scale_num = 1,
                             .scale_den = 3,
                             .bitrate_bps = 300000,
                             .preset = "superfast" } },
                .rung_count = 3,
                .latency = LADDER_LATENCY_LOW },
    .is_unbounded = true,
};
static const char *const names[] = { "half", "third" };
#define GOP 30
#define FRAMES 120

static int64_t figure(enum transcode_figure id)
{
    return transcode_read(ladder_figures(run.ladder), id);
}

static void begin(void)
{
    ladder_run_start(&run, transcoder, &two_rungs);
}

/* What must hold whatever went wrong: times valid, every picture where it belongs, an IDR on each of the source's keyframes that
 * the rung has from `first_key` on, except the ones that an encoder was seen to miss. */
static void check(size_t least, size_t misses)
{
    static int numbers[FRAMES * 2];
    static int64_t pts_90k[FRAMES * 2];
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct run_rung *o = ladder_run_rung(&run, names[k]);
        size_t missed = 0;
        if (o->count < least) fail_msg("%s: %zu packets, expected %zu", names[k], o->count, least);
        for (size_t i = 0; i < o->count; i++) {
            const struct media_packet *p = &o->packets[i];
            assert_true(p->dts_90k <= p->pts_90k);
            if (i) assert_true(p->dts_90k > o->packets[i - 1].dts_90k && p->pts_90k > o->packets[i - 1].pts_90k);
            const bool is_planned = (p->pts_90k - film.pts_90k[0]) / 3000 % GOP == 0;
            missed += is_planned && p->access != FRAME_IDR;
        }
        assert_true(missed <= misses);
        const size_t count = run_rung_decode(o, numbers, pts_90k, ARRAY_LEN(numbers));
        assert_int_equal(count, o->count);
        for (size_t i = 0; i < count; i++) assert_int_equal(numbers[i], (pts_90k[i] - film.pts_90k[0]) / 3000);
    }
}

static void encoder_fails_in_the_middle(void **state)
{
    atomic_store(&fake.encoder_fails_at, 45);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0); /* the picture that it refused is the next encoder's first */
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 2);
    assert_int_equal(figure(FIGURE_ENCODER_FAILURES), 2);
    assert_int_equal(figure(FIGURE_FRAMES_LOST), 2); /* inside when it failed: counted, and then encoded again */
    ladder_run_end(&run);
    assert_int_equal(atomic_load(&fake.encoders_open), 0);
}

static void encoder_neither_takes_nor_gives(void **state)
{
    atomic_store(&fake.encoder_refuses_at, 20);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 2);
    ladder_run_end(&run);
}

static void encoder_takes_and_never_gives(void **state)
{
    atomic_store(&fake.encoder_swallows_at, 20);
    begin();
    ladder_run_push_live(&run, &film, 0, film.count, 100);
    ladder_run_drain(&run);
    check(FRAMES - 60, 0); /* up to two seconds are gone */
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 2);
    assert_true(figure(FIGURE_FRAMES_LOST) > 0);
    ladder_run_end(&run);
}

static void encoder_hangs(void **state)
{
    atomic_store(&fake.encoder_hangs_at, 20);
    begin();
    const int64_t began_us = clock_now_us();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    const int64_t took_us = clock_now_us() - began_us;
    assert_true(atomic_load(&fake.hanging) >= 1);
    check(FRAMES - 12, 0); /* what waited in front of it */
    assert_int_equal(figure(FIGURE_STALLS), 2);
    assert_true(took_us < 6000000); /* one and a half seconds each to be sure, if one after the other */
    fake_release();
    ladder_run_end(&run); /* the threads that hung come back, and let go of what they held */
    assert_int_equal(atomic_load(&fake.encoders_open), 0);
}

static void a_keyframe_is_missed_once(void **state)
{
    atomic_store(&fake.encoder_ignores_keys, 2);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 2);
    assert_int_equal(figure(FIGURE_KEYFRAME_MISSES), 2);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 0);
    /* each miss is repaired by the next frame */
    size_t repaired = 0;
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct run_rung *o = ladder_run_rung(&run, names[k]);
        for (size_t i = GOP; i + 1 < o->count; i += GOP) {
            if (o->packets[i].access == FRAME_IDR) continue;
            repaired += o->packets[i + 1].access == FRAME_IDR || o->packets[i + 2].access == FRAME_IDR;
        }
    }
    assert_true(repaired >= 1);
    ladder_run_end(&run);
}

static void an_encoder_that_makes_no_keyframes_is_left(void **state)
{
    atomic_store(&fake.encoder_ignores_keys, 1000);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    assert_int_equal(figure(FIGURE_KEYFRAME_MISSES), 6);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 2);
    check(FRAMES - 6, 3);
    ladder_run_end(&run);
}

static void pictures_come_late(void **state)
{
    atomic_store(&fake.encoder_delay, 5);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 0);
    ladder_run_end(&run);
}

static void the_driver_allows_one_session(void **state)
{
    atomic_store(&fake.sessions_max, 1);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 1);
    assert_int_equal(figure(FIGURE_ENCODER_FAILURES), 1);
    ladder_run_end(&run);
}

static void decoder_fails_in_the_middle(void **state)
{
    atomic_store(&fake.decoder_fails_at, 40);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES - 22, 0); /* until the next keyframe */
    assert_int_equal(figure(FIGURE_DECODER_FAILURES), 1);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 1);
    ladder_run_end(&run);
    assert_int_equal(atomic_load(&fake.decoders_open), 0);
}

static void decoder_cannot_be_opened(void **state)
{
    atomic_store(&fake.decoder_open_fails, 1);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 1);
    ladder_run_end(&run);
}

/* As a card's does at the first picture of a stream whose profile or size it does not know. */
static void decoder_refuses_the_stream(void **state)
{
    atomic_store(&fake.decoder_fails_at, 1);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES, 0); /* the picture that it refused is the next decoder's first */
    assert_int_equal(figure(FIGURE_DECODER_FAILURES), 1);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 1);
    ladder_run_end(&run);
}

static bool has_last_gop(const struct ladder_run *r)
{
    for (size_t i = 0; i < r->plan.rung_count; i++) {
        const struct run_rung *o = &r->rungs[i];
        if (r->plan.rungs[i].kind == RUNG_ENCODED &&
            (!o->count || o->packets[o->count - 1].pts_90k < film.pts_90k[FRAMES - 1]))
            return false;
    }
    return r->plans > 0;
}

static void decoder_hangs(void **state)
{
    atomic_store(&fake.decoder_hangs_at, 40);
    begin();
    const int64_t began_us = clock_now_us();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_wait(&run, has_last_gop, "the last picture, decoded by the next backend");
    assert_true(clock_now_us() - began_us < 4000000);
    assert_int_equal(figure(FIGURE_STALLS), 1);
    check(FRAMES - 22, 0);
    fake_release();
    ladder_run_end(&run);
    assert_int_equal(atomic_load(&fake.decoders_open), 0);
}

static void scaler_fails(void **state)
{
    atomic_store(&fake.scaler_fails_at, 40);
    begin();
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    check(FRAMES - 22, 0);
    assert_int_equal(figure(FIGURE_BACKEND_MOVES), 1);
    ladder_run_end(&run);
}

static bool all_absent(const struct ladder_run *r)
{
    return r->plans && r->rungs[1].absents && r->rungs[2].absents;
}

static void nothing_can_encode(void **state)
{
    static const struct backend *const alone[] = { &fake_backend };
    const struct transcoder_config config = { .backends = alone, .backend_count = 1 };
    struct transcoder *lonely;
    fake_reset();
    assert_int_equal(transcoder_create(&lonely, &config), WEIR_OK);
    ladder_run_start(&run, lonely, &two_rungs);
    /* the probe may pass; the work may not */
    struct backend_report reports[BACKENDS_MAX];
    assert_int_equal(transcoder_report(lonely, reports), 1);
    assert_true(reports[0].can_encode[CODEC_H264] && reports[0].can_decode[CODEC_H264] && reports[0].can_scale);
    atomic_store(&fake.encoder_open_fails, 1000000);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_wait(&run, all_absent, "both rungs told absent");
    assert_int_equal(run.rungs[1].count + run.rungs[2].count, 0);
    ladder_run_end(&run);
    assert_true(transcoder_destroy(lonely, 5000000));
}

static bool is_halved(const struct ladder_run *r)
{
    return transcode_read(ladder_figures(r->ladder), FIGURE_SHED_LEVEL) >= 2;
}

/* Encoders that need two frames' time for each: what waits stays bounded, the upper rung halves its rate, times stay true. */
static void too_slow_is_shed(void **state)
{
    struct film_config c = {
        .width = 320, .height = 192, .frames = 360, .fps_num = 30, .fps_den = 1, .gop = GOP, .start_90k = 900000
    };
    struct ladder_options options = two_rungs;
    struct film longer;
    options.is_unbounded = false;
    film_make(&longer, &c);
    atomic_store(&fake.encoder_slow_us, 60000);
    ladder_run_start(&run, transcoder, &options);
    int64_t worst_90k = 0;
    for (size_t i = 0; i < longer.count && !is_halved(&run); i += 6) {
        ladder_run_push_live(&run, &longer, i, i + 6, 100);
        const int64_t backlog_90k = ladder_backlog_90k(run.ladder);
        if (backlog_90k > worst_90k) worst_90k = backlog_90k;
    }
    assert_true(is_halved(&run));
    assert_true(worst_90k <= LADDER_QUEUE_90K_MAX);
    assert_true(figure(FIGURE_SHED_DOWN) >= 2);
    pthread_mutex_lock(&run.lock); /* the ladder has pictures left and goes on */
    const struct run_rung *half = ladder_run_rung(&run, "half");
    for (size_t i = 1; i < half->count; i++) assert_true(half->packets[i].pts_90k > half->packets[i - 1].pts_90k);
    pthread_mutex_unlock(&run.lock);
    ladder_run_end(&run);
    film_free(&longer);
}

static int setup(void **state)
{
    fake_reset();
    return 0;
}

static int group_setup(void **state)
{
    static const struct backend *const order[] = { &fake_backend, &backend_cpu };
    const struct transcoder_config config = { .backends = order, .backend_count = 2, .cores = 64 };
    const struct film_config c = {
        .width = 320, .height = 192, .frames = FRAMES, .fps_num = 30, .fps_den = 1, .gop = GOP, .start_90k = 900000
    };
    struct backend_report reports[BACKENDS_MAX];
    film_make(&film, &c);
    if (transcoder_create(&transcoder, &config)) return 1;
    transcoder_report(transcoder, reports); /* while nothing is wrong */
    return 0;
}

static int group_teardown(void **state)
{
    fake_reset();
    film_free(&film);
    return transcoder_destroy(transcoder, 10000000) ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(encoder_fails_in_the_middle, setup),
        cmocka_unit_test_setup(encoder_neither_takes_nor_gives, setup),
        cmocka_unit_test_setup(encoder_takes_and_never_gives, setup),
        cmocka_unit_test_setup(encoder_hangs, setup),
        cmocka_unit_test_setup(a_keyframe_is_missed_once, setup),
        cmocka_unit_test_setup(an_encoder_that_makes_no_keyframes_is_left, setup),
        cmocka_unit_test_setup(pictures_come_late, setup),
        cmocka_unit_test_setup(the_driver_allows_one_session, setup),
        cmocka_unit_test_setup(decoder_fails_in_the_middle, setup),
        cmocka_unit_test_setup(decoder_cannot_be_opened, setup),
        cmocka_unit_test_setup(decoder_refuses_the_stream, setup),
        cmocka_unit_test_setup(decoder_hangs, setup),
        cmocka_unit_test_setup(scaler_fails, setup),
        cmocka_unit_test_setup(nothing_can_encode, setup),
        cmocka_unit_test_setup(too_slow_is_shed, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
