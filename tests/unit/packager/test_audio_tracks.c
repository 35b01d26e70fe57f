/* Several audio tracks: a rendition each, cut where video is, and what the multivariant playlist says of them. */
#include "packager_bench.h"

#define AC3_CONFIG "103d40"

static void begin(struct bench *b, const struct track_set *tracks, double at_s)
{
    b->sink->tracks(b->sink, tracks);
    b->sink->era(b->sink, ++b->era, 900000 + (int64_t)(at_s * 90000), WALL_START_US + (int64_t)(at_s * 1e6));
}

static struct track_set three_languages(struct bench *b)
{
    return (struct track_set){
        .video = b->video,
        .audio = { b->audio, b->audio, b->audio },
        .labels = { { .language = "en" }, { .language = "de", .name = "Kommentar" }, { .language = "en" } },
    };
}

static uint64_t end_of(const char *playlist)
{
    return number(playlist, "MEDIA-SEQUENCE:") + count(playlist, "#EXTINF");
}

static void each_track_is_a_rendition_cut_with_video(void **unused_state)
{
    struct bench b;
    setup(&b);
    const struct track_set tracks = three_languages(&b);
    begin(&b, &tracks, 0);
    play(&b, (struct part){ .to_s = 8.1, .more_audio = 6 });
    char video[16384];
    strcpy(video, text_of(&b, "video"));
    static const char *const names[] = { "audio", "audio-1", "audio-2" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *audio = text_of(&b, names[i]);
        assert_int_equal(count(audio, "#EXTINF"), 5);
        assert_int_equal(count(audio, "#EXT-X-GAP"), 0);
        assert_int_equal(end_of(audio), end_of(video));
        assert_int_equal(number(audio, "DISCONTINUITY-SEQUENCE:"), number(video, "DISCONTINUITY-SEQUENCE:"));
    }
    const char *master = multivariant_of(&b);
    assert_non_null(strstr(master,
                           "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,"
                           "AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio/index.m3u8\"\n"));
    assert_non_null(strstr(master, "NAME=\"Kommentar\",LANGUAGE=\"de\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"2\","
                                   "URI=\"audio-1/index.m3u8\"\n"));
    /* the same language again: named apart, and not for a player to choose by itself */
    assert_non_null(strstr(master, "NAME=\"English (2)\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO,"));
    assert_int_equal(count(master, "#EXT-X-STREAM-INF"), 1);
    assert_non_null(strstr(master, "CODECS=\"avc1.64000a,mp4a.40.2\""));
    teardown(&b);
}

static void a_group_for_each_codec(void **unused_state)
{
    struct bench b;
    setup(&b);
    struct track *ac3 = make_track(CODEC_AC3, AC3_CONFIG);
    const struct track_set tracks = { .video = b.video, .audio = { b.audio, ac3, b.audio } };
    begin(&b, &tracks, 0);
    play(&b, (struct part){ .to_s = 4.1, .more_audio = 6 });
    const char *master = multivariant_of(&b);
    assert_int_equal(count(master, "GROUP-ID=\"audio-aac\""), 2);
    assert_int_equal(count(master, "GROUP-ID=\"audio-ac3\""), 1);
    assert_int_equal(count(master, "DEFAULT=YES"), 2); /* one in each group */
    assert_int_equal(count(master, "#EXT-X-STREAM-INF"), 2);
    assert_non_null(strstr(master, "CODECS=\"avc1.64000a,mp4a.40.2\",RESOLUTION"));
    assert_non_null(strstr(master, "CODECS=\"avc1.64000a,ac-3\",RESOLUTION"));
    assert_non_null(strstr(master, "AUDIO=\"audio-aac\"\nvideo/index.m3u8"));
    assert_non_null(strstr(master, "AUDIO=\"audio-ac3\"\nvideo/index.m3u8"));
    teardown(&b);
    track_unref(ac3);
}

static void names_cannot_break_the_playlist(void **unused_state)
{
    struct bench b;
    setup(&b);
    const struct track_set tracks = {
        .video = b.video,
        .audio = { b.audio, b.audio },
        .labels = { { .name = "a\"\n#EXT-X-ENDLIST" }, { .name = "na\xC3\xAFve\xFF" } },
    };
    begin(&b, &tracks, 0);
    play(&b, (struct part){ .to_s = 4.1, .more_audio = 2 });
    const char *master = multivariant_of(&b);
    assert_non_null(strstr(master, "NAME=\"a  #EXT-X-ENDLIST\""));
    assert_non_null(strstr(master, "NAME=\"na\xC3\xAFve\""));
    teardown(&b);
}

/* Appears in mid-stream, and vanishes: the others know nothing of it. */
static void a_track_joins_and_leaves(void **unused_state)
{
    struct bench b;
    setup(&b);
    const struct track_set both = { .video = b.video, .audio = { b.audio, b.audio } },
                           one = { .video = b.video, .audio = { b.audio } };
    begin(&b, &one, 0);
    play(&b, (struct part){ .to_s = 6 });
    assert_int_equal(count(multivariant_of(&b), "TYPE=AUDIO"), 1);
    b.sink->tracks(b.sink, &both);
    play(&b, (struct part){ .from_s = 6, .to_s = 12, .more_audio = 2 });
    assert_int_equal(count(multivariant_of(&b), "TYPE=AUDIO"), 2);
    char video[16384];
    strcpy(video, text_of(&b, "video"));
    const char *first = text_of(&b, "audio"), *second = text_of(&b, "audio-1");
    assert_int_equal(count(video, "#EXT-X-DISCONTINUITY\n"), 1);
    assert_int_equal(count(first, "#EXT-X-DISCONTINUITY\n"), 1);
    assert_int_equal(count(first, "#EXT-X-GAP"), 0);
    assert_int_equal(count(second, "#EXT-X-DISCONTINUITY\n"), 0);
    assert_int_equal(end_of(second), end_of(video));
    assert_int_equal(number(second, "DISCONTINUITY-SEQUENCE:"), number(video, "DISCONTINUITY-SEQUENCE:") + 1);
    /* gone: no entry for new players, gaps at once for those that play it */
    b.sink->tracks(b.sink, &one);
    assert_int_equal(count(multivariant_of(&b), "TYPE=AUDIO"), 1);
    play(&b, (struct part){ .from_s = 12, .to_s = 16.1 });
    strcpy(video, text_of(&b, "video"));
    second = text_of(&b, "audio-1");
    assert_int_equal(end_of(second), end_of(video));
    assert_int_equal(count(second, "#EXT-X-GAP"), 2);
    assert_int_equal(count(text_of(&b, "audio"), "#EXT-X-GAP"), 0);
    /* back, with the same configuration: goes on in the same numbers and the same init */
    b.sink->tracks(b.sink, &both);
    play(&b, (struct part){ .from_s = 16.1, .to_s = 22, .more_audio = 2 });
    second = text_of(&b, "audio-1");
    assert_null(strstr(second, "init-0000abcd-2"));
    assert_int_equal(end_of(second), end_of(text_of(&b, "video")));
    assert_int_equal(count(multivariant_of(&b), "TYPE=AUDIO"), 2);
    teardown(&b);
}

static void silence_on_one_track_is_its_own_gap(void **unused_state)
{
    struct bench b;
    setup(&b);
    const struct track_set tracks = three_languages(&b);
    begin(&b, &tracks, 0);
    play(&b, (struct part){ .to_s = 4.5, .more_audio = 6 });
    play(&b, (struct part){ .from_s = 4.5, .to_s = 10, .more_audio = 4 });
    play(&b, (struct part){ .from_s = 10, .to_s = 14.1, .more_audio = 6 });
    assert_int_equal(count(text_of(&b, "audio"), "#EXT-X-GAP"), 0);
    assert_true(count(text_of(&b, "audio-1"), "#EXT-X-GAP") >= 1);
    assert_int_equal(count(text_of(&b, "audio-2"), "#EXT-X-GAP"), 0);
    assert_int_equal(end_of(text_of(&b, "audio-1")), end_of(text_of(&b, "video")));
    teardown(&b);
}

/* No video: the first track leads; when it stops, another one takes over and the first has gaps. */
static void audio_tracks_lead_without_video(void **unused_state)
{
    struct bench b;
    setup(&b);
    const struct track_set tracks = { .audio = { b.audio, b.audio } };
    begin(&b, &tracks, 0);
    play(&b, (struct part){ .to_s = 7, .no_video = true, .more_audio = 2 });
    assert_true(count(text_of(&b, "audio"), "#EXTINF") >= 3);
    assert_int_equal(end_of(text_of(&b, "audio")), end_of(text_of(&b, "audio-1")));
    const char *master = multivariant_of(&b);
    assert_int_equal(count(master, "TYPE=AUDIO"), 2);
    assert_non_null(strstr(master, "CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\naudio/index.m3u8"));
    play(&b, (struct part){ .from_s = 7, .to_s = 16, .no_video = true, .no_audio = true, .more_audio = 2 });
    assert_true(count(text_of(&b, "audio"), "#EXT-X-GAP") >= 1);
    assert_int_equal(count(text_of(&b, "audio-1"), "#EXT-X-GAP"), 0);
    b.sink->end(b.sink);
    assert_int_equal(end_of(text_of(&b, "audio")), end_of(text_of(&b, "audio-1")));
    assert_non_null(strstr(text_of(&b, "audio-1"), "#EXT-X-ENDLIST"));
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_track_is_a_rendition_cut_with_video), cmocka_unit_test(a_group_for_each_codec),
        cmocka_unit_test(names_cannot_break_the_playlist),          cmocka_unit_test(a_track_joins_and_leaves),
        cmocka_unit_test(silence_on_one_track_is_its_own_gap),      cmocka_unit_test(audio_tracks_lead_without_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
