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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_fall_where_they_should),
        cmocka_unit_test(never_longer_than_the_maximum),
        cmocka_unit_test(restart_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
