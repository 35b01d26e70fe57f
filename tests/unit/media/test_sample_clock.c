/* An audio track counted in samples: frames join exactly, a drifting clock is followed slowly, holes and overlaps are what they are. */
#include "hex.h"

#include <media/sample_clock.h>

#define FRAME 1024

/* Frames at a distance of wire_ticks instead of FRAME samples; returns how far the counter is from the wire in the end, in samples. */
static int64_t run(struct sample_clock *c, unsigned rate, int64_t wire_ticks_x1000, int frames, unsigned *drifts,
                   int64_t *largest_step)
{
    int64_t last = 0, pts = 0, wanted_90k = 0;
    *drifts = 0;
    *largest_step = 0;
    for (int i = 0; i < frames; i++) {
        wanted_90k = 900000 + (int64_t)i * wire_ticks_x1000 / 1000;
        const enum sample_repair repair = sample_clock_place(c, wanted_90k, FRAME, false, &pts);
        assert_true(repair == SAMPLE_NONE || repair == SAMPLE_DRIFT);
        *drifts += repair == SAMPLE_DRIFT;
        const int64_t off = i ? pts - last - FRAME : 0;
        if (off > *largest_step || -off > *largest_step) *largest_step = off < 0 ? -off : off;
        last = pts;
    }
    return wanted_90k * (int64_t)rate / 90000 - pts;
}

static void frames_join_and_drift_is_followed(void **unused_state)
{
    static const struct {
        const char *what;
        unsigned rate;
        int64_t wire_ticks_x1000; /* of a frame */
        bool drifts;
    } rows[] = {
        { "exact", 48000, 1920000, false },
        { "44100: no whole number of ticks", 44100, 2089795, false },
        { "fast by a thousandth", 48000, 1918080, true },
        { "slow by three hundredths", 48000, 1977600, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sample_clock c = { .sample_rate = 0 };
        unsigned drifts;
        int64_t largest_step;
        print_message("%s\n", rows[i].what);
        sample_clock_set_rate(&c, rows[i].rate);
        const int64_t off = run(&c, rows[i].rate, rows[i].wire_ticks_x1000, 3000, &drifts, &largest_step);
        assert_int_equal(drifts > 0, rows[i].drifts);
        assert_in_range(largest_step, 0, FRAME / 16 + 1);               /* nobody hears that */
        assert_in_range(off + rows[i].rate / 20, 0, rows[i].rate / 10); /* within 50 ms of the wire */
    }
    (void)unused_state;
}

static void jitter_moves_nothing(void **unused_state)
{
    static const int64_t wobble_90k[] = { 0, 270, -180, 360, -360, 90 };
    struct sample_clock c = { .sample_rate = 0 };
    int64_t pts = 0;
    sample_clock_set_rate(&c, 48000);
    for (int i = 0; i < 600; i++) {
        const int64_t wanted_90k = 900000 + 1920 * i + (i ? wobble_90k[i % 6] : 0);
        assert_int_equal(sample_clock_place(&c, wanted_90k, FRAME, false, &pts), SAMPLE_NONE);
        assert_int_equal(pts, 480000 + FRAME * i);
    }
    (void)unused_state;
}

static void holes_overlaps_and_new_beginnings(void **unused_state)
{
    struct sample_clock c = { .sample_rate = 0 };
    int64_t pts = 0;
    sample_clock_set_rate(&c, 48000);
    assert_int_equal(sample_clock_place(&c, 900000, FRAME, false, &pts), SAMPLE_NONE);
    assert_int_equal(pts, 480000);
    /* 150 ms behind: played already, and nothing changes */
    assert_int_equal(sample_clock_place(&c, 900000 + 1920 - 13500, FRAME, false, &pts), SAMPLE_OVERLAP);
    assert_int_equal(sample_clock_place(&c, 900000 + 1920, FRAME, false, &pts), SAMPLE_NONE);
    assert_int_equal(pts, 480000 + FRAME);
    /* 150 ms ahead: it stands where the wire says */
    assert_int_equal(sample_clock_place(&c, 900000 + 2 * 1920 + 13500, FRAME, false, &pts), SAMPLE_GAP);
    assert_int_equal(pts, 480000 + 2 * FRAME + 7200);
    /* another era may lie before what is there */
    sample_clock_restart(&c);
    assert_int_equal(sample_clock_place(&c, 90000, FRAME, true, &pts), SAMPLE_NONE);
    assert_int_equal(pts, 48000);
    assert_int_equal(sample_clock_to_90k(&c, pts), 90000);
    /* the same rate changes nothing, another one begins anew */
    sample_clock_set_rate(&c, 48000);
    assert_true(c.has_next);
    sample_clock_set_rate(&c, 44100);
    assert_false(c.has_next);
    assert_int_equal(sample_clock_place(&c, 90000, FRAME, false, &pts), SAMPLE_NONE);
    assert_int_equal(pts, 44100);
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(frames_join_and_drift_is_followed),
                                        cmocka_unit_test(jitter_moves_nothing),
                                        cmocka_unit_test(holes_overlaps_and_new_beginnings) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
