/* Several audio tracks on one clock, MPEG-TS's 33 bits of it: one origin, and what one track does is its own affair. */
#include "hex.h"

#include <stdlib.h>
#include <weir/base/limits.h>
#include <weir/media/timeline.h>

#define WRAP_33 (1ull << 33)
#define SECOND_90K 90000

static const uint32_t rates[] = { 48000, 44100, 32000, 48000 };
static const uint32_t samples[] = { 1024, 1024, 1152, 1536 };
#define TRACKS ARRAY_LEN(rates)

/* What happens to one audio track. */
struct trouble {
    int track; /* -1: none has any */
    double from_s, to_s;
    int64_t shift_90k; /* its wire clock is off by this meanwhile */
    double drift;      /* and faster by this */
    bool is_silent;    /* or nothing of it comes */
    bool is_dropped;   /* and it is taken out at the start of it */
};

struct outcome {
    struct timeline_time times[1 + TRACKS][8192];
    size_t counts[1 + TRACKS];
    unsigned eras;
    uint64_t wraps;
};

static void map(struct timeline *t, struct outcome *o, enum media_kind kind, uint8_t track, uint64_t wire)
{
    const struct timeline_wire in = { .kind = kind,
                                      .track = track,
                                      .wire = wire & (WRAP_33 - 1),
                                      .wire_bits = 33,
                                      .wire_hz = 90000,
                                      .samples = kind == MEDIA_AUDIO ? samples[track] : 0 };
    struct timeline_time out;
    timeline_map(t, &in, &out);
    o->eras += out.is_new_era;
    const size_t slot = kind == MEDIA_VIDEO ? 0 : 1 + (size_t)track;
    assert_true(o->counts[slot] < ARRAY_LEN(o->times[slot]));
    o->times[slot][o->counts[slot]++] = out;
}

static struct outcome *play(uint64_t base_90k, double seconds, struct trouble trouble)
{
    struct outcome *o = calloc(1, sizeof *o);
    struct timeline *t = timeline_create();
    bool is_dropped = false;
    timeline_set_video_rate(t, 25, 1);
    for (uint8_t i = 0; i < TRACKS; i++) timeline_set_audio_rate(t, i, rates[i]);
    int64_t next[1 + TRACKS] = { 0 }; /* frames made */
    for (;;) {
        size_t first = 0;
        int64_t first_90k = next[0] * 3600;
        for (size_t i = 0; i < TRACKS; i++) {
            const int64_t at_90k = next[1 + i] * samples[i] * 90000 / rates[i];
            if (at_90k < first_90k) first = 1 + i, first_90k = at_90k;
        }
        if (first_90k > (int64_t)(seconds * SECOND_90K)) break;
        next[first]++;
        int64_t wire = first_90k;
        const int track = (int)first - 1;
        if (track >= 0 && track == trouble.track && wire >= (int64_t)(trouble.from_s * SECOND_90K) &&
            wire < (int64_t)(trouble.to_s * SECOND_90K)) {
            if (trouble.is_dropped && !is_dropped) timeline_drop_track(t, MEDIA_AUDIO, (uint8_t)track);
            is_dropped = trouble.is_dropped;
            if (trouble.is_silent) continue;
            wire += trouble.shift_90k +
                    (int64_t)((double)(wire - (int64_t)(trouble.from_s * SECOND_90K)) * trouble.drift);
        }
        map(t, o, track < 0 ? MEDIA_VIDEO : MEDIA_AUDIO, track < 0 ? 0 : (uint8_t)track, base_90k + (uint64_t)wire);
    }
    o->wraps = timeline_repairs(t, TIMELINE_WRAP);
    timeline_destroy(t);
    return o;
}

static const struct trouble none = { .track = -1 };

static void all_stand_on_one_origin_to_the_sample(void **state)
{
    struct outcome *o = play(5 * SECOND_90K, 60, none);
    assert_int_equal(o->eras, 1);
    for (size_t n = 0; n < o->counts[0]; n++)
        assert_int_equal(o->times[0][n].dts_90k, TIMELINE_ORIGIN_90K + (int64_t)n * 3600);
    for (size_t i = 0; i < TRACKS; i++) {
        for (size_t n = 0; n < o->counts[1 + i]; n++) {
            assert_false(o->times[1 + i][n].is_drop);
            assert_int_equal(o->times[1 + i][n].pts_samples, 10 * (int64_t)rates[i] + (int64_t)n * samples[i]);
        }
    }
    free(o);
}

static void thirty_three_bits_wrap_under_all_of_them(void **state)
{
    struct outcome *plain = play(5 * SECOND_90K, 30, none), *o = play(WRAP_33 - 7 * SECOND_90K, 30, none);
    assert_int_equal(o->eras, 1);
    assert_int_equal(o->wraps, 1 + TRACKS);
    for (size_t slot = 0; slot <= TRACKS; slot++) {
        assert_int_equal(o->counts[slot], plain->counts[slot]);
        for (size_t n = 0; n < o->counts[slot]; n++) {
            assert_int_equal(o->times[slot][n].pts_90k, plain->times[slot][n].pts_90k);
            assert_int_equal(o->times[slot][n].pts_samples, plain->times[slot][n].pts_samples);
        }
    }
    free(plain);
    free(o);
}

static void what_one_audio_track_does_is_its_own_affair(void **state)
{
    static const struct {
        const char *name;
        struct trouble trouble;
    } rows[] = {
        { "drifts by a percent", { .track = 2, .from_s = 5, .to_s = 50, .drift = 0.01 } },
        { "has a hole", { .track = 1, .from_s = 10, .to_s = 13, .is_silent = true } },
        { "has a long hole", { .track = 3, .from_s = 10, .to_s = 30, .is_silent = true } },
        { "steps back", { .track = 1, .from_s = 20, .to_s = 40, .shift_90k = -30000 } },
        { "repeats four seconds", { .track = 1, .from_s = 20, .to_s = 40, .shift_90k = -4 * SECOND_90K } },
        { "jumps by an hour and back", { .track = 2, .from_s = 20, .to_s = 40, .shift_90k = 3600ll * SECOND_90K } },
        { "jumps for a moment", { .track = 3, .from_s = 20, .to_s = 20.5, .shift_90k = -700ll * SECOND_90K } },
        { "is dropped and comes back",
          { .track = 1, .from_s = 15, .to_s = 25, .is_silent = true, .is_dropped = true } },
    };
    struct outcome *plain = play(5 * SECOND_90K, 60, none);
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        print_message("%s\n", rows[row].name);
        struct outcome *o = play(5 * SECOND_90K, 60, rows[row].trouble);
        assert_int_equal(o->eras, 1);
        for (size_t slot = 0; slot <= TRACKS; slot++) {
            if (slot == 1 + (size_t)rows[row].trouble.track) continue;
            assert_int_equal(o->counts[slot], plain->counts[slot]);
            for (size_t n = 0; n < o->counts[slot]; n++) {
                assert_int_equal(o->times[slot][n].pts_90k, plain->times[slot][n].pts_90k);
                assert_int_equal(o->times[slot][n].repairs, 0);
            }
        }
        /* and the one that had it goes on rising, and is beside the others at the end */
        const size_t slot = 1 + (size_t)rows[row].trouble.track;
        int64_t last = -1, last_90k = 0;
        for (size_t n = 0; n < o->counts[slot]; n++) {
            if (o->times[slot][n].is_drop) continue;
            assert_true(o->times[slot][n].pts_samples > last);
            last = o->times[slot][n].pts_samples;
            last_90k = o->times[slot][n].pts_90k;
        }
        assert_in_range(last_90k, TIMELINE_ORIGIN_90K + 59 * SECOND_90K, TIMELINE_ORIGIN_90K + 64 * SECOND_90K);
        free(o);
    }
    free(plain);
}

static void a_time_of_no_track_lies_beside_them(void **state)
{
    struct timeline *t = timeline_create();
    struct outcome *o = calloc(1, sizeof *o);
    int64_t at_90k = 0;
    struct timeline_wire wire = { .wire = 1000, .wire_bits = 33, .wire_hz = 90000 };
    assert_false(timeline_peek(t, &wire, &at_90k));
    timeline_set_audio_rate(t, 0, 48000);
    map(t, o, MEDIA_AUDIO, 0, WRAP_33 - 90000);
    wire.wire = WRAP_33 - 45000;
    assert_true(timeline_peek(t, &wire, &at_90k));
    assert_int_equal(at_90k, TIMELINE_ORIGIN_90K + 45000);
    wire.wire = 90000; /* beyond the wrap */
    assert_true(timeline_peek(t, &wire, &at_90k));
    assert_int_equal(at_90k, TIMELINE_ORIGIN_90K + 2 * 90000);
    timeline_break(t, true);
    assert_false(timeline_peek(t, &wire, &at_90k));
    timeline_destroy(t);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_stand_on_one_origin_to_the_sample),
        cmocka_unit_test(thirty_three_bits_wrap_under_all_of_them),
        cmocka_unit_test(what_one_audio_track_does_is_its_own_affair),
        cmocka_unit_test(a_time_of_no_track_lies_beside_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
