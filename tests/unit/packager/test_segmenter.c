/* Where cuts fall, as a table of streams: frames at a rate, keyframes at a distance, and the segments that come of it. */
#include "hex.h"

#include <packager/segmenter.h>
#include <stdio.h>
#include <string.h>
#include <weir/base/limits.h>

struct stream_case {
    const char *label;
    uint32_t nominal_90k;
    unsigned gop; /* frames between keyframes; 0: only the first */
    enum frame_access key;
    unsigned frames;
    size_t frame_bytes;
    const char *cuts; /* frame index and kind, K: on a keyframe, F: forced */
};

static const struct stream_case cases[] = {
    { "30 fps, keyframes each 2 s", 3000, 60, FRAME_IDR, 241, 1000, "27F 60K 120K 180K 240K" },
    { "30 fps, keyframes each 1 s: two of them a segment", 3000, 30, FRAME_IDR, 181, 1000, "27F 60K 120K 180K" },
    /* the forced cut at 0.9 s would leave a keyframe 0.1 s behind it alone: SEGMENTER_SHORTEST keeps it inside */
    { "30 fps, keyframes each 0.5 s", 3000, 15, FRAME_IDR, 100, 1000, "15K 75K" },
    { "25 fps, OBS's 8.3 s", 3600, 208, FRAME_IDR, 300, 1000, "23F 98F 173F 208K 283F" },
    { "no keyframe but the first", 3000, 0, FRAME_IDR, 240, 1000, "27F 117F 207F" },
    { "no IDR at all: recovery points are the entries", 3000, 60, FRAME_RECOVERY, 130, 1000, "27F 60K 120K" },
    { "big frames: cut by bytes", 3000, 0, FRAME_IDR, 8, SEGMENT_BYTES_MAX / 3, "3F 6F" },
};

static void cuts_fall_where_they_should(void **state)
{
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct stream_case *t = &cases[c];
        struct segmenter s;
        char got[512] = "";
        segmenter_init(&s, 2000000, 3000000, 0);
        for (unsigned i = 0; i < t->frames; i++) {
            const int64_t at_90k = 900000 + (int64_t)i * t->nominal_90k;
            const bool is_key = t->gop ? i % t->gop == 0 : i == 0;
            const enum cut cut = segmenter_decide(&s, at_90k, at_90k, t->nominal_90k, is_key ? t->key : FRAME_INTER,
                                                  t->frame_bytes);
            if (cut == CUT_NONE) continue;
            const size_t used = strlen(got);
            snprintf(got + used, sizeof got - used, "%s%u%c", used ? " " : "", i, cut == CUT_KEY ? 'K' : 'F');
        }
        if (strcmp(got, t->cuts)) fail_msg("%s: cuts at %s, expected %s", t->label, got, t->cuts);
    }
}

/* No segment may be longer than what TARGETDURATION promises, whatever the rate. */
static void never_longer_than_the_maximum(void **state)
{
    for (uint32_t nominal = 750; nominal <= 90000; nominal += 751) {
        struct segmenter s;
        int64_t start_90k = 0, longest_90k = 0;
        segmenter_init(&s, 2000000, 3000000, 0);
        for (int64_t at_90k = 0; at_90k < 90000 * 30; at_90k += nominal) {
            const bool is_key = at_90k == 0 || (at_90k / nominal) % 97 == 0;
            if (segmenter_decide(&s, at_90k, at_90k, nominal, is_key ? FRAME_IDR : FRAME_INTER, 100) == CUT_NONE)
                continue;
            if (at_90k - start_90k > longest_90k) longest_90k = at_90k - start_90k;
            start_90k = at_90k;
        }
        assert_true(longest_90k > 0);
        assert_true(longest_90k <= 270000);
    }
}

/* Equal times give equal cuts, whatever else the frames hold: renditions need not talk to each other. */
static void restart_forgets(void **state)
{
    struct segmenter a, b;
    segmenter_init(&a, 2000000, 3000000, 0);
    segmenter_init(&b, 2000000, 3000000, 0);
    for (int i = 0; i < 50; i++) segmenter_decide(&a, i * 3000, i * 3000, 3000, i ? FRAME_INTER : FRAME_IDR, 10);
    segmenter_restart(&a);
    for (int i = 0; i < 300; i++) {
        const enum frame_access access = i % 60 ? FRAME_INTER : FRAME_IDR;
        assert_int_equal(segmenter_decide(&a, 9000000 + i * 3000, 9000000 + i * 3000, 3000, access, 10),
                         segmenter_decide(&b, 9000000 + i * 3000, 9000000 + i * 3000, 3000, access, 5000));
    }
}

/* With parts the first cut comes as early as the first part, but makes no segment that is too short. */
static void parts_begin_early(void **state)
{
    static const struct {
        int64_t part_us;
        unsigned cut; /* frame of 30 fps */
    } rows[] = { { 0, 27 }, { 200000, 8 }, { 333000, 10 }, { 500000, 15 }, { 1000000, 30 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct segmenter s;
        segmenter_init(&s, 2000000, 3000000, rows[i].part_us);
        unsigned n = 0;
        while (segmenter_decide(&s, n * 3000, n * 3000, 3000, n ? FRAME_INTER : FRAME_IDR, 100) == CUT_NONE) n++;
        assert_int_equal(n, rows[i].cut);
    }
}

/* What is foretold of keyframes, once two distances were equal: how the first part of one is to be. */
static void a_rhythm_is_foretold(void **state)
{
    static const struct {
        const char *label;
        uint32_t nominal;
        unsigned gop;
        int64_t part_us, first_part_90k; /* of a keyframe in mid-segment */
    } rows[] = {
        { "30 fps, 1 s, parts of 0.5 s: fifteen frames twice", 3000, 30, 500000, 0 },
        { "25 fps, 1 s: one and two times twelve", 3600, 25, 500000, 3600 },
        { "29.97 fps, 1 s: two and two times fourteen", 3003, 30, 500000, 6006 },
        { "24 fps, 1 s, parts of 0.25 s: six frames four times", 3750, 24, 250000, 0 },
        { "23.976 fps, 1 s, parts of 0.25 s: cut to fit, and almost nothing is left", 3753, 24, 250000, 0 },
        { "60 fps, 0.4 s: shorter than a part", 1500, 24, 500000, 0 },
        { "50 fps, 0.96 s: the last one is long enough", 1800, 48, 500000, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct segmenter s;
        segmenter_init(&s, 4000000, 6000000, rows[i].part_us);
        int64_t first = -1;
        unsigned cuts = 0;
        for (unsigned n = 0; n < 40 * 90000 / rows[i].nominal; n++) {
            const int64_t at = (int64_t)n * rows[i].nominal;
            const bool is_key = n % rows[i].gop == 0;
            const enum cut cut = segmenter_decide(&s, at, at, rows[i].nominal, is_key ? FRAME_IDR : FRAME_INTER, 100);
            cuts += cut != CUT_NONE;
            if (is_key && cut == CUT_NONE && n > 4 * rows[i].gop && s.gop_90k) {
                const int64_t part = segmenter_first_part_90k(&s, rows[i].nominal);
                if (part || first < 0) first = part;
            }
        }
        assert_true(cuts >= 9);
        if (first != rows[i].first_part_90k)
            fail_msg("%s: %lld ticks, expected %lld", rows[i].label, (long long)first,
                     (long long)rows[i].first_part_90k);
    }
}

static void an_irregular_keyframe_is_no_rhythm(void **state)
{
    struct segmenter s;
    segmenter_init(&s, 2000000, 3000000, 500000);
    static const unsigned keys[] = { 0, 30, 60, 90, 97, 127 };
    static const int64_t gops[] = { 0, 0, 90000, 90000, 0, 0 };
    size_t k = 0;
    for (unsigned n = 0; n < 128; n++) {
        const bool is_key = k < 6 && n == keys[k];
        segmenter_decide(&s, n * 3000, n * 3000, 3000, is_key ? FRAME_IDR : FRAME_INTER, 100);
        if (is_key) assert_int_equal(s.gop_90k, gops[k++]);
    }
    /* cut early, it begins anew there */
    segmenter_cut_early(&s, 127 * 3000, 127 * 3000, 100);
    assert_int_equal(s.start_dts_90k, 127 * 3000);
    assert_int_equal(segmenter_first_part_90k(&s, 3000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_begin_early),
        cmocka_unit_test(a_rhythm_is_foretold),
        cmocka_unit_test(an_irregular_keyframe_is_no_rhythm),
        cmocka_unit_test(cuts_fall_where_they_should),
        cmocka_unit_test(never_longer_than_the_maximum),
        cmocka_unit_test(restart_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
