/* The cut plan on synthetic frames: what goes into the sink, what stands on the live edge afterwards. */
#include "packager_bench.h"

static void starts_early_then_follows_keyframes(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 8.1 });
    const char *video = text_of(&b, "video"), *audio = text_of(&b, "audio");
    assert_string_equal(durations(video), "0.900000 1.100000 2.000000 2.000000 2.000000 ");
    assert_int_equal(number(video, "MEDIA-SEQUENCE:"), packager_first_msn(WALL_START_US));
    assert_int_equal(number(video, "MEDIA-SEQUENCE:"), number(audio, "MEDIA-SEQUENCE:"));
    assert_int_equal(number(video, "DISCONTINUITY-SEQUENCE:"), number(audio, "DISCONTINUITY-SEQUENCE:"));
    assert_int_equal(number(video, "TARGETDURATION:"), 3);
    /* the second segment begins inside a GOP; that was known when the first one was told */
    assert_null(strstr(video, "INDEPENDENT"));
    assert_non_null(strstr(audio, "INDEPENDENT"));
    assert_int_equal(count(video, "#EXT-X-DISCONTINUITY\n"), 1);
    assert_int_equal(count(video, "#EXT-X-MAP:"), 1);
    teardown(&b);
}

static void independent_once_the_first_two_are_gone(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 30 });
    const char *video = text_of(&b, "video");
    assert_non_null(strstr(video, "INDEPENDENT"));
    assert_null(strstr(video, "#EXT-X-DISCONTINUITY\n"));
    /* the tag left with its segment, and is counted */
    assert_int_equal(number(video, "DISCONTINUITY-SEQUENCE:"), 1);
    teardown(&b);
}

/* The tag comes once and goes once, however often it would be true. */
static void the_head_does_not_flutter(void **unused_state)
{
    struct bench b;
    unsigned turns = 0;
    bool was = false;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    for (int i = 0; i < 900; i++) {
        /* two minutes of two seconds, between them now and then eight seconds without a keyframe */
        const int64_t from_s = i / 10;
        const bool is_key = i % 20 == 0 && (from_s < 30 || from_s % 20 < 12);
        b.nominal_90k = 9000;
        b.wall_us = WALL_START_US + i * 100000;
        push(&b, MEDIA_VIDEO, 900000 + i * 9000, is_key);
        push(&b, MEDIA_AUDIO, 900000 + i * 9000, true);
        const bool is = strstr(text_of(&b, "video"), "#EXT-X-INDEPENDENT-SEGMENTS") != NULL;
        turns += is != was;
        was = is;
    }
    assert_int_equal(turns, 2);
    assert_false(was);
    teardown(&b);
}

static void window_and_what_is_kept_behind_it(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 12 });
    char first[64];
    const char *at = strstr(text_of(&b, "video"), "seg-");
    snprintf(first, sizeof first, "%.*s", (int)strcspn(at, "\n"), at);
    play(&b, (struct part){ .from_s = 12, .to_s = 20 });
    assert_null(strstr(text_of(&b, "video"), first));
    struct edge_snapshot *s = live_edge_acquire(b.edge, "video", 5);
    assert_non_null(edge_snapshot_find(s, first, strlen(first)));
    edge_snapshot_unref(s);
    play(&b, (struct part){ .from_s = 20, .to_s = 60 });
    s = live_edge_acquire(b.edge, "video", 5);
    assert_null(edge_snapshot_find(s, first, strlen(first)));
    edge_snapshot_unref(s);
    const char *video = text_of(&b, "video");
    assert_true(count(video, "#EXTINF") >= 6 && count(video, "#EXTINF") <= 8);
    teardown(&b);
}

static void an_era_is_tagged_once_in_both_at_the_same_number(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 5 });
    b.sink->lost(b.sink);
    era(&b, b.video, b.audio, 6);
    play(&b, (struct part){ .from_s = 6, .to_s = 11 });
    const char *video = text_of(&b, "video"), *audio = text_of(&b, "audio");
    assert_int_equal(count(video, "#EXT-X-DISCONTINUITY\n"), 2);
    assert_int_equal(count(audio, "#EXT-X-DISCONTINUITY\n"), 2);
    assert_int_equal(number(strstr(strstr(video, "seg-"), "#EXT-X-DISCONTINUITY\n"), "seg-0000abcd-"),
                     number(strstr(strstr(audio, "seg-"), "#EXT-X-DISCONTINUITY\n"), "seg-0000abcd-"));
    /* equal bytes, one init */
    assert_null(strstr(video, "init-0000abcd-2"));
    teardown(&b);
}

static void audio_that_never_comes_holds_nothing_up(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 1, .no_audio = true });
    assert_int_equal(count(text_of(&b, "video"), "#EXTINF"), 1);
    struct frozen *master = live_edge_acquire_multivariant(b.edge, NULL);
    assert_non_null(master);
    char text[1024] = "";
    frozen_read(master, 0, text, sizeof text - 1);
    assert_null(strstr(text, "AUDIO"));
    frozen_unref(master);
    /* and when it comes after all, it joins */
    play(&b, (struct part){ .from_s = 1, .to_s = 4, .no_audio = true });
    play(&b, (struct part){ .from_s = 4, .to_s = 9 });
    master = live_edge_acquire_multivariant(b.edge, NULL);
    memset(text, 0, sizeof text);
    frozen_read(master, 0, text, sizeof text - 1);
    assert_non_null(strstr(text, "TYPE=AUDIO"));
    frozen_unref(master);
    const char *audio = text_of(&b, "audio"), *video = text_of(&b, "video");
    assert_null(strstr(audio, "#EXT-X-DISCONTINUITY\n"));
    assert_int_equal(number(audio, "DISCONTINUITY-SEQUENCE:"), number(video, "DISCONTINUITY-SEQUENCE:") + 1);
    teardown(&b);
}

static void audio_that_stops_leaves_gaps(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 4.5 });
    play(&b, (struct part){ .from_s = 4.5, .to_s = 10, .no_audio = true });
    play(&b, (struct part){ .from_s = 10, .to_s = 14.1 });
    const char *audio = text_of(&b, "audio"), *video = text_of(&b, "video");
    assert_true(count(audio, "#EXT-X-GAP") >= 1);
    assert_int_equal(count(video, "#EXT-X-GAP"), 0);
    assert_int_equal(number(audio, "MEDIA-SEQUENCE:") + count(audio, "#EXTINF"),
                     number(video, "MEDIA-SEQUENCE:") + count(video, "#EXTINF"));
    teardown(&b);
}

static void audio_alone_leads(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, NULL, b.audio, 0);
    play(&b, (struct part){ .to_s = 7, .no_video = true });
    const char *audio = text_of(&b, "audio");
    assert_true(count(audio, "#EXTINF") >= 3);
    assert_non_null(strstr(audio, "#EXT-X-INDEPENDENT-SEGMENTS"));
    /* video announced and missing: after two seconds audio goes alone; the first picture takes the lead back */
    struct bench late;
    setup(&late);
    era(&late, late.video, late.audio, 0);
    play(&late, (struct part){ .to_s = 6, .no_video = true });
    assert_true(count(text_of(&late, "audio"), "#EXTINF") >= 2);
    play(&late, (struct part){ .from_s = 6, .to_s = 12.1 });
    const char *video = text_of(&late, "video");
    audio = text_of(&late, "audio");
    assert_int_equal(number(audio, "MEDIA-SEQUENCE:") + count(audio, "#EXTINF"),
                     number(video, "MEDIA-SEQUENCE:") + count(video, "#EXTINF"));
    teardown(&late);
    teardown(&b);
}

static void a_long_gop_is_cut_inside(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 17, .gop_s = 8 });
    const char *video = text_of(&b, "video");
    assert_null(strstr(video, "INDEPENDENT"));
    for (const char *at = video; (at = strstr(at, "#EXTINF:")); at++) assert_true(strtod(at + 8, NULL) < 3.5);
    assert_true(figure_read(&live_edge_figures(b.edge)->segments_forced) >= 4);
    teardown(&b);
}

static void nothing_before_a_keyframe(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 1.5, .no_key = true });
    assert_string_equal(text_of(&b, "video"), "");
    assert_true(figure_read(&live_edge_figures(b.edge)->frames_dropped) >= 45);
    play(&b, (struct part){ .from_s = 2, .to_s = 5 });
    assert_true(count(text_of(&b, "video"), "#EXTINF") >= 1);
    teardown(&b);
}

static void ends_with_endlist_and_all_that_was_there(void **unused_state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 4.5 });
    b.sink->end(b.sink);
    const char *video = text_of(&b, "video"), *audio = text_of(&b, "audio");
    assert_non_null(strstr(video, "#EXT-X-ENDLIST"));
    assert_non_null(strstr(audio, "#EXT-X-ENDLIST"));
    assert_string_equal(durations(video), "0.900000 1.100000 2.000000 0.500000 ");
    teardown(&b);
}

static void many_short_eras_do_not_outrun_the_clock(void **unused_state)
{
    struct bench b;
    setup(&b);
    for (int i = 0; i < 500; i++) {
        era(&b, b.video, b.audio, i * 0.01);
        b.wall_us = WALL_START_US;
        push(&b, MEDIA_VIDEO, 900000 + i * 900, true);
        push(&b, MEDIA_AUDIO, 900000 + i * 900, true);
    }
    b.sink->lost(b.sink);
    struct edge_snapshot *s = live_edge_acquire(b.edge, "video", 5);
    /* a restart three seconds later must begin above this */
    assert_true(edge_snapshot_last_msn(s) <= packager_first_msn(WALL_START_US + 3000000));
    edge_snapshot_unref(s);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_early_then_follows_keyframes),
        cmocka_unit_test(independent_once_the_first_two_are_gone),
        cmocka_unit_test(the_head_does_not_flutter),
        cmocka_unit_test(window_and_what_is_kept_behind_it),
        cmocka_unit_test(an_era_is_tagged_once_in_both_at_the_same_number),
        cmocka_unit_test(audio_that_never_comes_holds_nothing_up),
        cmocka_unit_test(audio_that_stops_leaves_gaps),
        cmocka_unit_test(audio_alone_leads),
        cmocka_unit_test(a_long_gop_is_cut_inside),
        cmocka_unit_test(nothing_before_a_keyframe),
        cmocka_unit_test(ends_with_endlist_and_all_that_was_there),
        cmocka_unit_test(many_short_eras_do_not_outrun_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
