/* After a frame with missing bytes: what is dropped, and from where on pictures can be shown again. A table of streams: one letter a frame in
 * the order of decoding, and what becomes of each. */
#include "hex.h"

#include <stream/damage_filter.h>
#include <string.h>

static void what_can_be_shown_again(void **unused_state)
{
    /* I: IDR  O: open entry  l: leads it, shown before  R: recovery point  p: needs others  x: damaged video  a: damaged audio. In `kept`: + and - */
    static const struct {
        const char *what, *frames, *kept;
        enum damage_policy policy;
    } rows[] = {
        { "nothing is damaged", "IpppOllpR", "+++++++++", DAMAGE_DROP },
        { "up to the next IDR", "IpxppIpp", "++---+++", DAMAGE_DROP },
        { "an IDR is damaged", "Ippxppp", "+++----", DAMAGE_DROP },
        { "up to an open entry, without what leads it", "IpxpOllpp", "++--+--++", DAMAGE_DROP },
        { "the next entry's leaders are whole", "IxpOllppOllpp", "+--+--+++++++", DAMAGE_DROP },
        { "up to a recovery point", "IpxpRpp", "++--+++", DAMAGE_DROP },
        { "again, behind the entry", "IxOlxpIp", "+-+---++", DAMAGE_DROP },
        { "sound needs no other", "IpappI", "++-+++", DAMAGE_DROP },
        { "said nothing: dropped", "IxpI", "+--+", 0 },
        { "let through", "IpxppaI", "+++++++", DAMAGE_PASS },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct damage_filter f = { .policy = rows[i].policy };
        char kept[32] = "";
        for (size_t k = 0; rows[i].frames[k]; k++) {
            const char frame = rows[i].frames[k];
            const int64_t at_90k = 3000 * (int64_t)k;
            bool is_dropped;
            if (frame == 'x' || frame == 'a') {
                is_dropped = damage_filter_damaged(&f, frame == 'x' ? MEDIA_VIDEO : MEDIA_AUDIO);
            } else {
                const enum frame_access access = frame == 'I'   ? FRAME_IDR
                                                 : frame == 'O' ? FRAME_OPEN
                                                 : frame == 'R' ? FRAME_RECOVERY
                                                                : FRAME_INTER;
                /* an open entry is shown behind those that lead it */
                is_dropped = damage_filter_whole(&f, access,
                                                 frame == 'O'   ? at_90k + 9000
                                                 : frame == 'l' ? at_90k - 1
                                                                : at_90k + 9000);
            }
            kept[k] = is_dropped ? '-' : '+';
        }
        if (strcmp(kept, rows[i].kept))
            fail_msg("%s: %s became %s, expected %s", rows[i].what, rows[i].frames, kept, rows[i].kept);
    }
    (void)unused_state;
}

static void a_new_publisher_waits_for_nothing(void **unused_state)
{
    struct damage_filter f = { .policy = DAMAGE_DROP };
    assert_true(damage_filter_damaged(&f, MEDIA_VIDEO));
    assert_true(damage_filter_whole(&f, FRAME_INTER, 0));
    damage_filter_restart(&f);
    assert_false(damage_filter_whole(&f, FRAME_INTER, 3000));
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_can_be_shown_again),
                                        cmocka_unit_test(a_new_publisher_waits_for_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
