/* The playlist of pictures: one for each segment that begins with one, in the numbers of its rendition, as ranges of the same files. */
#include "packager_bench.h"

static void what_the_list_says(void **state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 4.1 });
    assert_string_equal(text_of(&b, "iframes"),
                        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n"
                        "#EXT-X-MEDIA-SEQUENCE:182195200\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-I-FRAMES-ONLY\n"
                        "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"../video/init-0000abcd-1.mp4\"\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z\n#EXT-X-BYTERANGE:566@0\n"
                        "#EXTINF:0.900000,\n../video/seg-0000abcd-182195200.m4s\n"
                        /* cut inside a group of pictures: begins with none that stands alone */
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.900Z\n#EXT-X-GAP\n"
                        "#EXTINF:1.100000,\n../video/seg-0000abcd-182195201.m4s\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22.000Z\n#EXT-X-BYTERANGE:1094@0\n"
                        "#EXTINF:2.000000,\n../video/seg-0000abcd-182195202.m4s\n");
    const char *master = multivariant_of(&b);
    assert_non_null(strstr(master, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH="));
    assert_non_null(strstr(master, ",CODECS=\"avc1.64000a\",RESOLUTION="));
    assert_non_null(strstr(master, ",URI=\"iframes/index.m3u8\"\n"));
    teardown(&b);
}

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The range holds everything up to the first picture's last byte, and no more; with parts too. */
static void a_range_ends_with_its_picture(void **state)
{
    for (int64_t part_us = 0; part_us <= 500000; part_us += 500000) {
        struct bench b;
        struct stream_policy policy = plain_policy;
        policy.part_us = part_us;
        policy.part_hold_back_us = 3 * part_us;
        setup_with(&b, &policy);
        era(&b, b.video, NULL, 0);
        play(&b, (struct part){ .to_s = 12.1, .no_audio = true });
        struct edge_snapshot *s = live_edge_acquire(b.edge, "video", 5);
        unsigned pictures = 0;
        for (const char *at = text_of(&b, "iframes"); (at = strstr(at, "#EXT-X-BYTERANGE:")); pictures++) {
            const size_t range = strtoul(at + 17, NULL, 10);
            const char *name = strstr(at, "../video/") + 9;
            const struct edge_object *o = edge_snapshot_find(s, name, strcspn(name, "\n"));
            uint8_t bytes[4096];
            assert_non_null(o);
            assert_true(range < sizeof bytes);
            assert_int_equal(frozen_read(o->body, 0, bytes, range), range);
            const size_t moof = u32_at(bytes), mdat = moof + u32_at(bytes + moof);
            assert_int_equal(memcmp(bytes + 4, "styp", 4), 0);
            assert_int_equal(memcmp(bytes + mdat + 4, "mdat", 4), 0);
            assert_int_equal(range, mdat + 8 + 14);
            assert_int_equal(memcmp(bytes + range - 14, "frame-of-bytes", 14), 0);
            at++;
        }
        assert_true(pictures >= 4);
        edge_snapshot_unref(s);
        teardown(&b);
    }
}

/* It slides with its rendition, tells of the same eras, and ends with it. */
static void it_keeps_step_with_the_pictures(void **state)
{
    struct bench b;
    setup(&b);
    era(&b, b.video, b.audio, 0);
    play(&b, (struct part){ .to_s = 20 });
    b.sink->lost(b.sink);
    era(&b, b.video, b.audio, 21);
    play(&b, (struct part){ .from_s = 22, .to_s = 60.1 });
    for (int i = 0; i < 2; i++) {
        const char *video = text_of(&b, "video"), *pictures = text_of(&b, "iframes");
        assert_int_equal(number(pictures, "MEDIA-SEQUENCE:"), number(video, "MEDIA-SEQUENCE:"));
        assert_int_equal(number(pictures, "DISCONTINUITY-SEQUENCE:"), number(video, "DISCONTINUITY-SEQUENCE:"));
        assert_int_equal(count(pictures, "#EXTINF"), count(video, "#EXTINF"));
        assert_int_equal(count(pictures, "#EXT-X-MAP:"), 1);
        assert_int_equal(count(pictures, "#EXT-X-ENDLIST"), count(video, "#EXT-X-ENDLIST"));
        b.sink->end(b.sink);
    }
    assert_int_equal(count(text_of(&b, "iframes"), "#EXT-X-ENDLIST"), 1);
    teardown(&b);
}

static void where_no_picture_stands_alone_there_is_no_list(void **state)
{
    struct bench b;
    setup(&b);
    era(&b, NULL, b.audio, 0);
    play(&b, (struct part){ .to_s = 8, .no_video = true });
    assert_string_equal(text_of(&b, "iframes"), "");
    assert_null(strstr(multivariant_of(&b), "I-FRAME"));
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_list_says),
        cmocka_unit_test(a_range_ends_with_its_picture),
        cmocka_unit_test(it_keeps_step_with_the_pictures),
        cmocka_unit_test(where_no_picture_stands_alone_there_is_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
