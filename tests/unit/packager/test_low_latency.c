/* Low latency on the live edge: what stands in the playlists, when, and what becomes of it when the publisher goes. */
#include "packager_bench.h"
#include "part_reader.h"

#define FIRST 182195200 /* packager_first_msn(WALL_START_US) */

static const struct stream_policy low_latency = {
    .hold_us = 30000000,
    .segment_us = 2000000,
    .segment_max_us = 3000000,
    .window_us = 30000000,
    .part_us = 500000,
    .part_hold_back_us = 1500000,
    .can_skip = true,
};

static struct edge_snapshot *snapshot(struct bench *b, const char *rendition)
{
    struct edge_snapshot *s = live_edge_acquire(b->edge, rendition, strlen(rendition));
    assert_non_null(s);
    return s;
}

static const char *hint_of(struct bench *b, const char *rendition, enum edge_object_kind kind)
{
    static char name[EDGE_OBJECT_NAME_BYTES];
    struct edge_snapshot *s = snapshot(b, rendition);
    const char *hint = edge_snapshot_hint(s, kind);
    snprintf(name, sizeof name, "%s", hint ? hint : "");
    edge_snapshot_unref(s);
    return name;
}

static bool can_be_had(struct bench *b, const char *rendition, const char *name)
{
    struct edge_snapshot *s = snapshot(b, rendition);
    const bool is_there = edge_snapshot_find(s, name, strlen(name)) != NULL;
    edge_snapshot_unref(s);
    return is_there;
}

static void what_a_playlist_says(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    assert_int_equal(packager_first_msn(WALL_START_US), FIRST);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 2.6 });
    assert_string_equal(text_of(&b, "video"),
                        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:3\n"
                        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=9,CAN-SKIP-UNTIL=18\n"
                        "#EXT-X-PART-INF:PART-TARGET=0.5\n"
                        "#EXT-X-MEDIA-SEQUENCE:182195200\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
                        "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-0000abcd-1.mp4\"\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z\n"
                        "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-900000.m4s\",INDEPENDENT=YES\n"
                        "#EXTINF:0.500000,\nseg-0000abcd-182195200.m4s\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.500Z\n"
                        "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-945000.m4s\"\n"
                        "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-990000.m4s\"\n"
                        "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-1035000.m4s\"\n"
                        "#EXTINF:1.500000,\nseg-0000abcd-182195201.m4s\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22.000Z\n"
                        "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-1080000.m4s\",INDEPENDENT=YES\n"
                        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-0000abcd-1125000.m4s\"\n"
                        "#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=182195202,LAST-PART=0\n");
    const char *audio = text_of(&b, "audio");
    /* audio's parts are a little shorter, and its last one was out a little earlier */
    assert_non_null(
        strstr(audio, "#EXT-X-RENDITION-REPORT:URI=\"../video/index.m3u8\",LAST-MSN=182195201,LAST-PART=2\n"));
    assert_non_null(strstr(audio, "#EXT-X-INDEPENDENT-SEGMENTS\n"));
    assert_int_equal(count(audio, "#EXT-X-PART:"), count(audio, "INDEPENDENT=YES"));
    teardown(&b);
}

/* The fifteenth frame fills the part: it is there before the sixteenth. */
static void a_part_is_out_with_its_last_frame(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, NULL, 0);
    play(&b, (struct part){ .to_s = 2.42, .no_audio = true });
    assert_false(can_be_had(&b, "video", "part-0000abcd-1080000.m4s"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "part-0000abcd-1080000.m4s");
    push(&b, MEDIA_VIDEO, 900000 + 73 * 3000, false);
    assert_false(can_be_had(&b, "video", "part-0000abcd-1080000.m4s"));
    push(&b, MEDIA_VIDEO, 900000 + 74 * 3000, false);
    assert_true(can_be_had(&b, "video", "part-0000abcd-1080000.m4s"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "part-0000abcd-1125000.m4s");
    teardown(&b);
}

/* A part has one name, whether a segment turns out to end in front of it or not. */
static void a_hint_holds_where_segments_end(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 8 });
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "part-0000abcd-1620000.m4s");
    assert_true(can_be_had(&b, "video", "part-0000abcd-1575000.m4s"));
    assert_false(can_be_had(&b, "video", "seg-0000abcd-182195204.m4s"));
    play(&b, (struct part){ .from_s = 8, .to_s = 8.6 });
    assert_true(can_be_had(&b, "video", "part-0000abcd-1620000.m4s"));
    assert_true(can_be_had(&b, "video", "seg-0000abcd-182195204.m4s"));
    teardown(&b);
}

/* One second of 25 frames is two parts of twelve and one frame: once the rhythm is known, that one begins, and segments stay whole. */
static void short_groups_of_pictures_fill_a_segment(void **state)
{
    static const unsigned rates[] = { 24, 25, 30, 50, 60 };
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct bench b;
        setup_with(&b, &low_latency);
        era(&b, b.video, b.audio, 0);
        play(&b, (struct part){ .to_s = 20.05, .gop_s = 1, .fps = rates[i] });
        const char *video = text_of(&b, "video"), *at = durations(video);
        at = strstr(at, "2.000000 ");
        assert_non_null(at);
        assert_true(count(at, "2.000000 ") >= 8);
        if (rates[i] == 25)
            assert_non_null(strstr(video,
                                   "#EXT-X-PART:DURATION=0.040000,URI=\"part-0000abcd-2340000.m4s\",INDEPENDENT=YES\n"
                                   "#EXT-X-PART:DURATION=0.480000,URI=\"part-0000abcd-2343600.m4s\"\n"
                                   "#EXT-X-PART:DURATION=0.480000,URI=\"part-0000abcd-2386800.m4s\"\n"));
        teardown(&b);
    }
}

/* A scene change in the middle of a part: the segment ends there, since nowhere else may a part be short. */
static void an_unexpected_keyframe_ends_the_segment(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, NULL, 0);
    play(&b, (struct part){ .to_s = 4, .no_audio = true });
    for (int n = 120; n < 150; n++) push(&b, MEDIA_VIDEO, 900000 + n * 3000, n == 120 || n == 139);
    const char *video = text_of(&b, "video");
    assert_non_null(
        strstr(video, "#EXT-X-PART:DURATION=0.133333,URI=\"part-0000abcd-1305000.m4s\"\n#EXTINF:0.633333,\n"));
    teardown(&b);
}

/* Gone in the middle of a part, and back with other pictures: all constants hold; nothing is hinted over the break, and what
 * was hinted in vain is never another's name. */
static void the_publisher_goes_and_comes_back(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    struct track *other = make_track(
        CODEC_H264, "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c1fdf8f800");
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 4.8 });
    char head[512];
    snprintf(head, sizeof head, "%.*s",
             (int)(strstr(text_of(&b, "video"), "#EXT-X-MEDIA-SEQUENCE") - text_of(&b, "video")), text_of(&b, "video"));
    b.sink->lost(b.sink);
    const char *video = text_of(&b, "video");
    /* what was there is out, a whole segment now; the list does not end */
    assert_non_null(
        strstr(video, "-1305000.m4s\"\n#EXTINF:0.800000,\nseg-0000abcd-182195203.m4s\n#EXT-X-RENDITION-REPORT"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "");
    era(&b, other, b.audio, 6);
    b.nominal_90k = 1800;
    push(&b, MEDIA_VIDEO, 900000 + 6 * 90000, true);
    /* the new init can be had before the first part that needs it */
    assert_string_equal(hint_of(&b, "video", EDGE_INIT), "init-0000abcd-2.mp4");
    assert_true(can_be_had(&b, "video", "init-0000abcd-2.mp4"));
    assert_non_null(strstr(text_of(&b, "video"), "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"init-0000abcd-2.mp4\"\n"));
    play(&b, (struct part){ .from_s = 6.02, .to_s = 8.6, .fps = 50 });
    video = text_of(&b, "video");
    assert_int_equal(strncmp(video, head, strlen(head)), 0);
    assert_non_null(strstr(video, "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-0000abcd-2.mp4\"\n"
                                  "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:26.000Z\n"
                                  "#EXT-X-PART:DURATION=0.500000,URI=\"part-0000abcd-1440000.m4s\",INDEPENDENT=YES\n"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "part-0000abcd-1665000.m4s");
    assert_string_equal(hint_of(&b, "video", EDGE_INIT), "");
    teardown(&b);
    track_unref(other);
}

static void an_ended_list_promises_nothing(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 4.8 });
    b.sink->end(b.sink);
    const char *video = text_of(&b, "video");
    assert_non_null(strstr(video, "#EXT-X-ENDLIST\n"));
    assert_null(strstr(video, "CAN-BLOCK-RELOAD"));
    assert_null(strstr(video, "PRELOAD-HINT"));
    assert_null(strstr(video, "RENDITION-REPORT"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "");
    assert_non_null(strstr(video, "PART-HOLD-BACK=1.5"));
    teardown(&b);
}

/* Parts are listed for three target durations, and there for three more. */
static void old_parts_go(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 10.05 });
    assert_non_null(strstr(text_of(&b, "video"), "part-0000abcd-1080000.m4s"));
    play(&b, (struct part){ .from_s = 10.1, .to_s = 12.05 });
    assert_null(strstr(text_of(&b, "video"), "part-0000abcd-1080000.m4s"));
    assert_non_null(strstr(text_of(&b, "video"), "seg-0000abcd-182195202.m4s"));
    play(&b, (struct part){ .from_s = 12.1, .to_s = 20.05 });
    assert_true(can_be_had(&b, "video", "part-0000abcd-1080000.m4s"));
    play(&b, (struct part){ .from_s = 20.1, .to_s = 26.05 });
    assert_false(can_be_had(&b, "video", "part-0000abcd-1080000.m4s"));
    assert_true(can_be_had(&b, "video", "seg-0000abcd-182195202.m4s"));
    /* the segment is its parts */
    struct edge_snapshot *s = snapshot(&b, "video");
    uint8_t whole[16384], parts[16384];
    size_t bytes = 0;
    const struct edge_object *o = edge_snapshot_find(s, "seg-0000abcd-182195210.m4s", 26);
    const size_t whole_bytes = frozen_read(o->body, 0, whole, sizeof whole);
    for (int i = 0; i < 4; i++) {
        char name[64];
        const int name_bytes = snprintf(name, sizeof name, "part-0000abcd-%d.m4s", 2520000 + i * 45000);
        o = edge_snapshot_find(s, name, (size_t)name_bytes);
        assert_int_equal(o->kind, EDGE_PART);
        bytes += frozen_read(o->body, 0, parts + bytes, sizeof parts - bytes);
    }
    assert_int_equal(bytes, whole_bytes);
    assert_int_equal(memcmp(whole, parts, bytes), 0);
    edge_snapshot_unref(s);
    teardown(&b);
}

static void a_delta_leaves_out_what_is_old(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 10.05 });
    struct edge_snapshot *s = snapshot(&b, "video");
    assert_ptr_equal(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL));
    edge_snapshot_unref(s);
    play(&b, (struct part){ .from_s = 10.1, .to_s = 28.05 });
    s = snapshot(&b, "video");
    char delta[16384];
    delta[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_DELTA), 0, delta, sizeof delta - 1)] = 0;
    edge_snapshot_unref(s);
    /* 0.5 and 1.5 s, then segments of two: those that begin more than 18 s before 28 */
    assert_non_null(
        strstr(delta, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n"
                      "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:30.000Z\n#EXTINF:2.000000,\nseg-0000abcd-182195206"));
    assert_non_null(strstr(delta, "#EXT-X-MEDIA-SEQUENCE:182195200\n"));
    assert_int_equal(count(delta, "#EXTINF"), 9);
    assert_null(strstr(delta, "EXT-X-MAP"));
    teardown(&b);
}

/* A burst that uses its numbers up says nothing it could not keep: no part of a segment that must not be. */
static void numbers_that_run_out_have_no_parts(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 2.1 });
    for (int i = 0; i < 400; i++) {
        era(&b, b.video, b.audio, 3 + i);
        b.wall_us = WALL_START_US + 2100000;
        for (int n = 0; n < 20; n++) push(&b, MEDIA_VIDEO, 900000 + (3 + i) * 90000 + n * 3000, !n);
        push(&b, MEDIA_AUDIO, 900000 + (3 + i) * 90000, true);
    }
    b.sink->lost(b.sink);
    struct edge_snapshot *s = snapshot(&b, "video");
    assert_true(edge_snapshot_last_msn(s) <= packager_first_msn(WALL_START_US + 2100000) + 24);
    assert_int_equal(edge_snapshot_part_count(s), 0);
    edge_snapshot_unref(s);
    const char *video = text_of(&b, "video"), *audio = text_of(&b, "audio");
    assert_int_equal(number(video, "MEDIA-SEQUENCE:") + count(video, "#EXTINF"),
                     number(audio, "MEDIA-SEQUENCE:") + count(audio, "#EXTINF"));
    teardown(&b);
}

/* One frame a second does not make parts of half a second: whole segments, and nothing to wait for. */
static void slow_pictures_have_no_parts(void **state)
{
    struct bench b;
    setup_with(&b, &low_latency);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 12.1, .fps = 1 });
    const char *video = text_of(&b, "video");
    assert_int_equal(count(video, "#EXT-X-PART:"), 0);
    assert_true(count(video, "#EXTINF") >= 5);
    assert_non_null(strstr(video, "PART-INF:PART-TARGET=0.5"));
    assert_string_equal(hint_of(&b, "video", EDGE_PART), "");
    assert_true(count(text_of(&b, "audio"), "#EXT-X-PART:") > 10);
    teardown(&b);
}

static void without_parts_nothing_is_said_of_them(void **state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 8.1 });
    const char *video = text_of(&b, "video");
    assert_non_null(strstr(video, "#EXT-X-VERSION:7\n"));
    assert_null(strstr(video, "PART"));
    assert_null(strstr(video, "SERVER-CONTROL"));
    assert_null(strstr(video, "REPORT"));
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_playlist_says),
        cmocka_unit_test(a_part_is_out_with_its_last_frame),
        cmocka_unit_test(a_hint_holds_where_segments_end),
        cmocka_unit_test(short_groups_of_pictures_fill_a_segment),
        cmocka_unit_test(an_unexpected_keyframe_ends_the_segment),
        cmocka_unit_test(the_publisher_goes_and_comes_back),
        cmocka_unit_test(an_ended_list_promises_nothing),
        cmocka_unit_test(old_parts_go),
        cmocka_unit_test(a_delta_leaves_out_what_is_old),
        cmocka_unit_test(numbers_that_run_out_have_no_parts),
        cmocka_unit_test(slow_pictures_have_no_parts),
        cmocka_unit_test(without_parts_nothing_is_said_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
