/* Odd clocks in, one calm clock out. Frames come as an encoder sends them: video at a frame rate, AAC beside it. */
#include "hex.h"

#include <stdlib.h>
#include <weir/media/timeline.h>

#define RATE 48000
#define AAC 1024

struct feed {
    struct timeline *t;
    int64_t last_video_90k, last_audio_end; /* samples */
    int64_t worst_offset_90k;               /* A/V error against the source */
    uint32_t eras, drops, holes;
    uint32_t era;
    int64_t video_source_us, audio_source_us; /* of the last frames */
    int64_t last_video_step, last_audio_90k;
};

static struct feed feed_create(uint32_t fps_num, uint32_t fps_den)
{
    struct feed f = { .t = timeline_create(), .last_video_90k = -1, .last_audio_end = -1 };
    assert_non_null(f.t);
    timeline_set_video_rate(f.t, fps_num, fps_den);
    timeline_set_audio_rate(f.t, 0, RATE);
    return f;
}

static void note_era(struct feed *f, const struct timeline_time *time)
{
    if (time->is_new_era) f->eras++;
    if (time->era != f->era) f->last_video_90k = f->last_audio_end = -1;
    f->era = time->era;
}

static struct timeline_time video(struct feed *f, uint64_t wire, int32_t composition, int64_t source_us)
{
    const struct timeline_wire in = {
        .kind = MEDIA_VIDEO, .wire = wire & 0xFFFFFFFF, .wire_bits = 32, .wire_hz = 1000, .composition = composition
    };
    struct timeline_time out;
    timeline_map(f->t, &in, &out);
    note_era(f, &out);
    if (out.is_drop) {
        f->drops++;
        return out;
    }
    assert_true(out.dts_90k > f->last_video_90k); /* strictly rising within an era */
    assert_true(out.pts_90k >= out.dts_90k);
    f->last_video_step = f->last_video_90k < 0 ? 0 : out.dts_90k - f->last_video_90k;
    f->last_video_90k = out.dts_90k;
    f->video_source_us = source_us;
    return out;
}

static struct timeline_time audio(struct feed *f, uint64_t wire, int64_t source_us)
{
    const struct timeline_wire in = {
        .kind = MEDIA_AUDIO, .wire = wire & 0xFFFFFFFF, .wire_bits = 32, .wire_hz = 1000, .samples = AAC
    };
    struct timeline_time out;
    timeline_map(f->t, &in, &out);
    note_era(f, &out);
    if (out.is_drop) {
        f->drops++;
        return out;
    }
    if (f->last_audio_end >= 0 && out.pts_samples != f->last_audio_end) f->holes++;
    f->last_audio_end = out.pts_samples + AAC;
    f->last_audio_90k = out.pts_90k;
    f->audio_source_us = source_us;
    return out;
}

/* How far A/V is from the source's, now. */
static void check_offset(struct feed *f)
{
    if (f->last_video_90k < 0 || f->last_audio_end < 0) return;
    const int64_t source_90k = (f->audio_source_us - f->video_source_us) * 9 / 100;
    const int64_t error = llabs(f->last_audio_90k - f->last_video_90k - source_90k);
    if (error > f->worst_offset_90k) f->worst_offset_90k = error;
}

/* Plays `seconds` of 30 fps and 48 kHz AAC; wire = base + clock * source time + jitter. */
struct play {
    double seconds, clock;
    uint64_t base;
    int jitter_ms;
    double fps;
};

static void play(struct feed *f, struct play p)
{
    const double fps = p.fps ? p.fps : 30, clock = p.clock ? p.clock : 1;
    int64_t v = 0, a = 0;
    srand(7);
    for (;;) {
        const double v_s = v / fps, a_s = a * (double)AAC / RATE;
        if (v_s >= p.seconds && a_s >= p.seconds) break;
        const int jitter = p.jitter_ms ? rand() % (2 * p.jitter_ms + 1) - p.jitter_ms : 0;
        if (v_s <= a_s) {
            video(f, p.base + (uint64_t)(int64_t)(v_s * 1000 * clock + jitter + 1000), 0, (int64_t)(v_s * 1e6 * clock));
            v++;
        } else {
            audio(f, p.base + (uint64_t)(int64_t)(a_s * 1000 * clock + jitter + 1000), (int64_t)(a_s * 1e6 * clock));
            a++;
        }
        if (v > 100) check_offset(f);
    }
}

static void milliseconds_become_exact_ticks(void **unused_state)
{
    static const struct {
        uint32_t num, den;
        int64_t step;
    } rates[] = { { 30, 1, 3000 }, { 60, 1, 1500 }, { 25, 1, 3600 }, { 30000, 1001, 3003 }, { 50, 1, 1800 } };
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct feed f = feed_create(rates[i].num, rates[i].den);
        for (int64_t n = 0; n < 2000; n++) {
            const struct timeline_time t = video(&f, (uint64_t)(n * 1000 * rates[i].den / rates[i].num), 0, 0);
            assert_int_equal(t.dts_90k, TIMELINE_ORIGIN_90K + n * rates[i].step);
        }
        assert_int_equal(f.eras, 1);
        timeline_destroy(f.t);
    }
}

static void an_untold_rate_is_found(void **unused_state)
{
    static const double rates[] = { 24000.0 / 1001, 25, 30000.0 / 1001, 30, 50, 60000.0 / 1001, 60 };
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct feed f = feed_create(0, 0);
        for (int64_t n = 0; n < 400; n++) {
            video(&f, (uint64_t)(n * 1000 / rates[i]), 0, 0);
            if (n > 100) assert_true(llabs(f.last_video_step - (int64_t)(90000 / rates[i])) <= 2);
        }
        uint32_t num, den;
        timeline_video_rate(f.t, &num, &den);
        assert_true(den && (double)num / den > rates[i] * 0.9985 && (double)num / den < rates[i] * 1.0015);
        timeline_destroy(f.t);
    }
}

static void reordered_frames_keep_to_the_grid(void **unused_state)
{
    /* 30 fps, I B B P: composition offsets as x264 gives them, in milliseconds */
    struct feed f = feed_create(30, 1);
    static const int order[] = { 2, 5, 3, 4 }; /* display index of decode index 0.. in a group of 3, shifted by 2 */
    for (int64_t n = 0; n < 300; n++) {
        const int64_t display = n == 0 ? 2 : (n - 1) / 3 * 3 + order[1 + (n - 1) % 3];
        const int64_t dts_ms = n * 1000 / 30, pts_ms = display * 1000 / 30;
        const struct timeline_time t = video(&f, (uint64_t)dts_ms, (int32_t)(pts_ms - dts_ms), 0);
        assert_int_equal((t.pts_90k - TIMELINE_ORIGIN_90K) % 3000, 0);
        assert_int_equal((t.pts_90k - TIMELINE_ORIGIN_90K) / 3000, display);
    }
    timeline_destroy(f.t);
}

static void starts_and_wraps_anywhere(void **unused_state)
{
    static const uint64_t starts[] = { 0,         1ull << 31, (1ull << 32) - 5000, 0xFFFFFF - 2000, (1ull << 31) - 3000,
                                       0x7FFFFFFF };
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct feed f = feed_create(30, 1);
        play(&f, (struct play){ .seconds = 20, .base = starts[i] });
        assert_int_equal(f.eras, 1);
        assert_int_equal(f.drops, 0);
        assert_int_equal(f.holes, 0);
        assert_true(f.worst_offset_90k <= 5 * 90);
        assert_int_equal(timeline_repairs(f.t, TIMELINE_JUMP), 0);
        assert_int_equal(timeline_repairs(f.t, TIMELINE_WRAP), starts[i] == (1ull << 32) - 5000 ? 2 : 0);
        timeline_destroy(f.t);
    }
}

static void a_31_bit_wrap_is_a_wrap(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    const uint64_t start = (1ull << 31) - 4000;
    for (int64_t n = 0; n < 300; n++) video(&f, (start + (uint64_t)(n * 1000 / 30)) & 0x7FFFFFFF, 0, 0);
    assert_int_equal(f.eras, 1);
    assert_int_equal(f.last_video_90k, TIMELINE_ORIGIN_90K + 299 * 3000);
    timeline_destroy(f.t);
}

static void jumps_start_one_era_and_keep_av_together(void **unused_state)
{
    static const int64_t jumps_ms[] = { 3600 * 1000, -30 * 1000, 6000, -700 };
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        struct feed f = feed_create(30, 1);
        play(&f, (struct play){ .seconds = 5, .base = 100000 });
        const int64_t before = timeline_end_90k(f.t);
        play(&f, (struct play){ .seconds = 5, .base = (uint64_t)(105000 + jumps_ms[i]) });
        assert_int_equal(f.eras, 2);
        assert_true(f.drops <= 3);
        assert_true(f.worst_offset_90k <= 20 * 90);
        assert_true(timeline_end_90k(f.t) > before + 5 * 90000);
        assert_true(timeline_end_90k(f.t) < before + 7 * 90000);
        assert_int_equal(timeline_repairs(f.t, TIMELINE_JUMP), 1);
        timeline_destroy(f.t);
    }
}

static void one_track_alone_may_jump(void **unused_state)
{
    /* audio's clock jumps by an hour and video's never does: they meet again by arrival */
    struct feed f = feed_create(30, 1);
    int64_t v = 0, a = 0;
    for (int i = 0; i < 2000; i++) {
        if (v * 1000 / 30 <= a * 1024 * 1000 / 48000) {
            video(&f, (uint64_t)(v * 1000 / 30), 0, 0);
            v++;
        } else {
            const int64_t ms = a * 1024 * 1000 / 48000;
            audio(&f, (uint64_t)(ms + (ms > 10000 ? 3600000 : 0)), 0);
            a++;
        }
    }
    assert_true(f.eras <= 3);
    assert_true(f.drops < 60);
    assert_true(llabs(f.last_audio_90k - f.last_video_90k) < 45000);
    timeline_destroy(f.t);
}

static void jitter_and_small_steps_back(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    play(&f, (struct play){ .seconds = 60, .jitter_ms = 10 });
    assert_int_equal(f.eras, 1);
    assert_int_equal(f.drops, 0);
    assert_true(f.worst_offset_90k <= 20 * 90);
    timeline_destroy(f.t);
    /* no rate known: steps back of a few milliseconds */
    f = feed_create(0, 0);
    for (int64_t n = 0; n < 200; n++) video(&f, (uint64_t)(1000 + n * 20 - (n % 3 == 2 ? 23 : 0)), 0, 0);
    assert_int_equal(f.eras, 1);
    assert_true(timeline_repairs(f.t, TIMELINE_BACKWARD) > 0);
    timeline_destroy(f.t);
}

static void clocks_that_run_fast_or_slow(void **unused_state)
{
    static const double clocks[] = { 1.001, 0.999, 0.97, 1.03 };
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        struct feed f = feed_create(30, 1);
        play(&f, (struct play){ .seconds = 120, .clock = clocks[i] });
        print_message("clock %.3f: A/V within %.1f ms\n", clocks[i], (double)f.worst_offset_90k / 90);
        assert_int_equal(f.eras, 1);
        assert_int_equal(f.drops, 0);
        assert_true(f.worst_offset_90k <= 20 * 90);
        timeline_destroy(f.t);
    }
}

static void silence_is_an_era_when_long_and_a_hole_when_short(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    play(&f, (struct play){ .seconds = 5, .base = 0 });
    play(&f, (struct play){ .seconds = 5, .base = 8000 }); /* three seconds missing */
    assert_int_equal(f.eras, 1);
    assert_true(timeline_repairs(f.t, TIMELINE_GAP) > 0);
    play(&f, (struct play){ .seconds = 5, .base = 28000 }); /* fifteen */
    assert_int_equal(f.eras, 2);
    assert_true(f.worst_offset_90k <= 20 * 90);
    timeline_destroy(f.t);
}

static void a_track_that_pauses_does_not_break(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    int64_t a = 0;
    for (int64_t v = 0; v < 900; v++) {
        const int64_t ms = v * 1000 / 30;
        video(&f, (uint64_t)ms, 0, 0);
        for (; a * 1024 * 1000 / 48000 <= ms; a++) {
            if (ms < 5000 || ms > 20000) audio(&f, (uint64_t)(a * 1024 * 1000 / 48000), 0);
        }
    }
    assert_int_equal(f.eras, 1);
    assert_true(llabs(f.last_audio_90k - f.last_video_90k) < 9000);
    timeline_destroy(f.t);
}

static void breaks_go_on_after_the_end(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    play(&f, (struct play){ .seconds = 5, .base = 777777 });
    int64_t end = timeline_end_90k(f.t);
    timeline_break(f.t, true); /* the publisher came back: its clock starts anew */
    play(&f, (struct play){ .seconds = 5, .base = 0 });
    assert_int_equal(f.eras, 2);
    assert_int_equal(f.drops, 0);
    assert_true(timeline_end_90k(f.t) > end + 5 * 90000 && timeline_end_90k(f.t) < end + 7 * 90000);
    end = timeline_end_90k(f.t);
    timeline_break(f.t, false); /* a new configuration on the same clock: nothing is lost */
    play(&f, (struct play){ .seconds = 5, .base = 5000 });
    assert_int_equal(f.eras, 3);
    assert_int_equal(f.drops, 0);
    assert_true(timeline_end_90k(f.t) < end + 6 * 90000);
    assert_true(f.worst_offset_90k <= 20 * 90);
    timeline_destroy(f.t);
}

static void absurd_composition_is_corrected(void **unused_state)
{
    struct feed f = feed_create(30, 1);
    const int32_t odd[] = { -40, 8000000, -8388608, 8388607, 0 };
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        const struct timeline_time t = video(&f, i * 33, odd[i], 0);
        assert_true(t.pts_90k == t.dts_90k);
    }
    assert_int_equal(timeline_repairs(f.t, TIMELINE_COMPOSITION), 4);
    timeline_destroy(f.t);
}

/* Any clock at all: nothing breaks, nothing goes back. The asserts are in video() and audio(). */
static void random_clocks_never_go_back(void **unused_state)
{
    for (unsigned seed = 1; seed < 200; seed++) {
        struct feed f = feed_create(seed % 3 ? 30 : 0, 1);
        srand(seed);
        uint64_t wire = (uint64_t)rand() * 3;
        for (int i = 0; i < 500; i++) {
            const int dice = rand() % 100;
            if (dice < 2)
                wire = (uint64_t)rand() * (uint64_t)(rand() % 5);
            else if (dice < 10)
                wire -= (uint64_t)(rand() % 50);
            else
                wire += (uint64_t)(rand() % 60);
            if (dice == 50) timeline_break(f.t, rand() % 2);
            if (rand() % 2)
                video(&f, wire, rand() % 200 - 50, 0);
            else
                audio(&f, wire, 0);
        }
        timeline_destroy(f.t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(milliseconds_become_exact_ticks),
        cmocka_unit_test(an_untold_rate_is_found),
        cmocka_unit_test(reordered_frames_keep_to_the_grid),
        cmocka_unit_test(starts_and_wraps_anywhere),
        cmocka_unit_test(a_31_bit_wrap_is_a_wrap),
        cmocka_unit_test(jumps_start_one_era_and_keep_av_together),
        cmocka_unit_test(one_track_alone_may_jump),
        cmocka_unit_test(jitter_and_small_steps_back),
        cmocka_unit_test(clocks_that_run_fast_or_slow),
        cmocka_unit_test(silence_is_an_era_when_long_and_a_hole_when_short),
        cmocka_unit_test(a_track_that_pauses_does_not_break),
        cmocka_unit_test(breaks_go_on_after_the_end),
        cmocka_unit_test(absurd_composition_is_corrected),
        cmocka_unit_test(random_clocks_never_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
