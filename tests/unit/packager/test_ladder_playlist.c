/* What the multivariant playlist says of a ladder: what is encoded now, in an order that players begin well with, with what each needs. */
#include "packager_bench.h"

#include <packager/multivariant_text.h>

/* 1280x720 and 640x360 by libx264 with the colours of BT.709; Main 10 with PQ by libx265 */
#define BT709 "0142c00affe1001a6742c00ada082fe5c05a808080a0000003002000000781e244d401000468ce0fc8"
#define PQ                                                                                                             \
    "0102200000009000000000001ef000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003001e959809a1000100" \
    "2d42"                                                                                                             \
    "010102200000030090000003000003001ea0102049365959a4932bc05a848804820000030002000003003c10a2000100074401c172b42240"

static uint32_t rung_nominal_90k = 3000; /* as rungs say it */

struct ladder_bench {
    struct bench b;
    struct track *rung, *hdr;
};

static const struct packager_rung rungs[] = { { .name = "720p", .ceiling_bps = 2500000 },
                                              { .name = "360p", .ceiling_bps = 700000 } };

static void open_bench(struct ladder_bench *l, size_t count, bool hides_video)
{
    setup(&l->b);
    l->rung = make_track(CODEC_H264, BT709);
    l->hdr = make_track(CODEC_HEVC, PQ);
    packager_set_rungs(l->b.sink, rungs, count, hides_video ? PACKAGER_HIDES_VIDEO : 0);
    packager_set_rung_track(l->b.sink, 0, l->rung);
    if (count > 1) packager_set_rung_track(l->b.sink, 1, l->rung);
}

static void close_bench(struct ladder_bench *l)
{
    track_unref(l->rung);
    track_unref(l->hdr);
    teardown(&l->b);
}

/* A picture of the source, and what the rungs of the mask make of it at once. */
static void push_picture(struct ladder_bench *l, int64_t n, unsigned mask, size_t bytes, bool has_captions)
{
    static const uint8_t nothing[200000];
    struct blob *blob = blob_copy(nothing, bytes);
    struct media_packet p = { .kind = MEDIA_VIDEO,
                              .access = n % 60 ? FRAME_INTER : FRAME_IDR,
                              .payload = { blob, blob_data(blob), bytes },
                              .era = l->b.era,
                              .dts_90k = 900000 + n * 3000,
                              .pts_90k = 900000 + n * 3000,
                              .nominal_90k = 3000,
                              .has_captions = has_captions };
    l->b.wall_us = WALL_START_US + n * 33333;
    l->b.sink->push(l->b.sink, &p);
    if (packager_cut_90k(l->b.sink) != PACKAGER_NO_CUT) p.access = FRAME_IDR;
    p.payload.bytes = 100;
    p.nominal_90k = rung_nominal_90k;
    for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
        if (mask >> i & 1) packager_push_rung(l->b.sink, i, &p);
    }
    blob_unref(blob);
}

static void push_pictures(struct ladder_bench *l, int64_t from, int64_t to, unsigned mask, size_t bytes)
{
    for (int64_t n = from; n < to; n++) push_picture(l, n, mask, bytes, false);
}

static size_t place_of(const char *text, const char *what)
{
    const char *at = strstr(text, what);
    return at ? (size_t)(at - text) : SIZE_MAX;
}

static void the_first_is_one_that_most_lines_carry(void **unused_state)
{
    struct ladder_bench l;
    open_bench(&l, 2, false);
    era(&l.b, l.b.video, NULL, 0);
    push_pictures(&l, 0, 130, 3, 40000); /* 9.6 Mbit/s */
    const char *master = multivariant_of(&l.b);
    const size_t best = place_of(master, "\nvideo/index.m3u8"), middle = place_of(master, "\n720p/index.m3u8"),
                 least = place_of(master, "\n360p/index.m3u8");
    assert_true(middle < best && best < least && least != SIZE_MAX);
    assert_int_equal(count(master, "#EXT-X-STREAM-INF"), 3);
    /* what an encoder will keep to is said before it was measured, with some air */
    assert_non_null(strstr(master, "BANDWIDTH=3000000,"));
    assert_non_null(strstr(master, "BANDWIDTH=840000,"));
    /* the source does not say its colours, the rungs do */
    assert_int_equal(count(master, "VIDEO-RANGE=SDR"), 2);
    assert_int_equal(count(master, "RESOLUTION=128x72,FRAME-RATE=30.000"), 3);
    assert_int_equal(count(master, "CLOSED-CAPTIONS=NONE"), 3);
    close_bench(&l);
}

static void rates_are_what_clocks_round(void **unused_state)
{
    static const struct {
        uint32_t nominal_90k;
        const char *rate;
    } rows[] = { { 1501, "59.940" }, { 6004, "14.985" }, { 7508, "11.988" },
                 { 3003, "29.970" }, { 3600, "25.000" }, { 6000, "15.000" } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ladder_bench l;
        char expected[64];
        rung_nominal_90k = rows[i].nominal_90k;
        open_bench(&l, 1, true);
        era(&l.b, l.b.video, NULL, 0);
        push_pictures(&l, 0, 130, 1, 1000);
        snprintf(expected, sizeof expected, "FRAME-RATE=%s,", rows[i].rate);
        if (!strstr(multivariant_of(&l.b), expected)) fail_msg("no %s in %s", expected, multivariant_of(&l.b));
        close_bench(&l);
    }
    rung_nominal_90k = 3000;
}

static void the_source_is_first_where_it_is_small(void **unused_state)
{
    struct ladder_bench l;
    open_bench(&l, 2, false);
    era(&l.b, l.b.video, NULL, 0);
    push_pictures(&l, 0, 130, 3, 12000); /* 2.9 Mbit/s, and air */
    const char *master = multivariant_of(&l.b);
    assert_true(place_of(master, "\nvideo/index.m3u8") < place_of(master, "\n720p/index.m3u8"));
    assert_true(place_of(master, "\n720p/index.m3u8") < place_of(master, "\n360p/index.m3u8"));
    close_bench(&l);
}

static void only_what_is_encoded_now_is_named(void **unused_state)
{
    struct ladder_bench l;
    open_bench(&l, 2, false);
    era(&l.b, l.b.video, NULL, 0);
    push_pictures(&l, 0, 130, 3, 1000);
    assert_int_equal(count(multivariant_of(&l.b), "#EXT-X-STREAM-INF"), 3);
    packager_set_rung_absent(l.b.sink, 0);
    const char *master = multivariant_of(&l.b);
    assert_int_equal(count(master, "#EXT-X-STREAM-INF"), 2);
    assert_null(strstr(master, "720p"));
    push_pictures(&l, 130, 260, 2, 1000);
    /* who still watches it sees the picture stand, then gaps, as far and as long as the others are */
    assert_int_equal(count(text_of(&l.b, "720p"), "#EXT-X-GAP"), 1);
    char source[1024];
    snprintf(source, sizeof source, "%s", durations(text_of(&l.b, "video")));
    assert_string_equal(durations(text_of(&l.b, "720p")), source);
    /* it comes back at the next cut, and is named as soon as it has a segment */
    push_pictures(&l, 260, 450, 3, 1000);
    assert_int_equal(count(multivariant_of(&l.b), "#EXT-X-STREAM-INF"), 3);
    packager_set_rungs(l.b.sink, rungs, 1, 0);
    assert_int_equal(count(multivariant_of(&l.b), "#EXT-X-STREAM-INF"), 2);
    assert_int_equal(number(text_of(&l.b, "360p"), "MEDIA-SEQUENCE:"),
                     number(text_of(&l.b, "video"), "MEDIA-SEQUENCE:"));
    close_bench(&l);
}

static void the_source_may_be_for_cutting_alone(void **unused_state)
{
    struct ladder_bench l;
    open_bench(&l, 1, true);
    packager_set_rung_track(l.b.sink, 0, l.hdr);
    era(&l.b, l.b.video, NULL, 0);
    push_pictures(&l, 0, 130, 1, 1000);
    const char *master = multivariant_of(&l.b);
    assert_int_equal(count(master, "#EXT-X-STREAM-INF"), 1);
    assert_int_equal(count(master, "#EXT-X-I-FRAME"), 0);
    assert_non_null(strstr(master, "VIDEO-RANGE=PQ,CLOSED-CAPTIONS=NONE\n720p/index.m3u8"));
    close_bench(&l);
}

static void captions_are_announced_when_they_come(void **unused_state)
{
    struct ladder_bench l;
    open_bench(&l, 2, false);
    packager_set_rung_track(l.b.sink, 1, l.hdr);
    era(&l.b, l.b.video, NULL, 0);
    push_pictures(&l, 0, 130, 3, 1000);
    assert_int_equal(count(multivariant_of(&l.b), "CLOSED-CAPTIONS"), 3);
    for (int64_t n = 130; n < 190; n++) push_picture(&l, n, 3, 1000, true);
    const char *master = multivariant_of(&l.b);
    assert_non_null(strstr(master, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\",DEFAULT=NO,"
                                   "AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n"));
    assert_int_equal(count(master, "CLOSED-CAPTIONS=\"cc\""), 3);
    assert_int_equal(count(master, "CLOSED-CAPTIONS=NONE"), 0);
    close_bench(&l);
}

static void sound_of_a_ladder_stands_for_the_sources(void **unused_state)
{
    struct ladder_bench l;
    setup(&l.b);
    l.rung = make_track(CODEC_AAC, "1208");
    l.hdr = NULL;
    const struct packager_rung sound = { .name = "aac", .kind = MEDIA_AUDIO, .label = { .language = "de" } };
    packager_set_rungs(l.b.sink, &sound, 1, 0);
    packager_hide_audio(l.b.sink, 1);
    packager_set_rung_track(l.b.sink, 0, l.rung);
    era(&l.b, l.b.video, l.b.audio, 0);
    struct blob *blob = blob_copy("sound", 5);
    for (int64_t at = 0, next = 0; at < 6 * 44100; at += 1024) {
        for (; next * 44100 < at * 30; next++)
            play(&l.b, (struct part){ .from_s = next / 30.0, .to_s = (next + 1) / 30.0 });
        const int64_t samples = 10 * 44100 + at;
        const struct media_packet p = { .kind = MEDIA_AUDIO,
                                        .access = FRAME_IDR,
                                        .payload = { blob, blob_data(blob), 5 },
                                        .era = l.b.era,
                                        .pts_samples = samples,
                                        .pts_90k = samples * 90000 / 44100,
                                        .dts_90k = samples * 90000 / 44100,
                                        .samples = 1024 };
        packager_push_rung(l.b.sink, 0, &p);
    }
    blob_unref(blob);
    const char *master = multivariant_of(&l.b);
    assert_non_null(strstr(
        master, "NAME=\"German\",LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"aac/index.m3u8\""));
    assert_int_equal(count(master, "TYPE=AUDIO"), 1);
    assert_int_equal(count(text_of(&l.b, "aac"), "#EXT-X-GAP"), 0);
    assert_true(count(text_of(&l.b, "aac"), "#EXTINF") >= 2);
    close_bench(&l);
}

/* -- qualities of sound -- */

static const struct codec_facts
    aac = { .kind = MEDIA_AUDIO, .codec = CODEC_AAC, .codec_string = "mp4a.40.2", .channels = 2 },
    opus = { .kind = MEDIA_AUDIO, .codec = CODEC_OPUS, .codec_string = "opus", .channels = 2 },
    avc = { .kind = MEDIA_VIDEO, .codec = CODEC_H264, .codec_string = "avc1.64001f", .width = 1280, .height = 720 };
static const struct track_label english = { .language = "en" }, german = { .language = "de" };

static struct multivariant_audio sound_of(const char *uri, const struct codec_facts *facts,
                                          const struct track_label *label, uint8_t track, uint64_t rate_bps)
{
    struct multivariant_audio a = {
        .facts = facts, .label = label, .track = track, .rate_bps = rate_bps, .measured = { rate_bps, rate_bps }
    };
    snprintf(a.uri, sizeof a.uri, "%s", uri);
    return a;
}

static const char *rendered(const struct multivariant_config *c)
{
    static char text[8192];
    struct frozen *f = multivariant_render(c);
    assert_non_null(f);
    text[frozen_read(f, 0, text, sizeof text - 1)] = 0;
    frozen_unref(f);
    return text;
}

static void better_pictures_have_better_sound(void **unused_state)
{
    struct multivariant_config c = {
        .variants = { { .uri = "720p", .video = &avc, .bandwidth_bps = 2000000, .average_bandwidth_bps = 1900000 },
                      { .uri = "video", .video = &avc, .bandwidth_bps = 6000000, .average_bandwidth_bps = 5900000 },
                      { .uri = "240p", .video = &avc, .bandwidth_bps = 500000, .average_bandwidth_bps = 490000 } },
        .variant_count = 3,
        .audio = { sound_of("low", &aac, &english, 0, 64000), sound_of("high", &aac, &english, 0, 128000),
                   sound_of("audio-1", &aac, &german, 1, 96000) },
        .audio_count = 3,
    };
#define MEDIA(group, name, language, default, uri)                                                                     \
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"" group "\",NAME=\"" name "\",LANGUAGE=\"" language                            \
    "\",DEFAULT=" default ",AUTOSELECT=YES,CHANNELS=\"2\",URI=\"" uri "\"\n"
#define VARIANT(rates, codec, group, uri)                                                                              \
    "#EXT-X-STREAM-INF:BANDWIDTH=" rates ",CODECS=\"avc1.64001f," codec "\",RESOLUTION=1280x720,CLOSED-CAPTIONS=NONE," \
    "AUDIO=\"" group "\"\n" uri "\n"
    /* each group has each language, under the same names; what the smallest picture needs is said with its own sound */
    assert_string_equal(rendered(&c),
                        "#EXTM3U\n#EXT-X-VERSION:7\n" MEDIA("audio-1", "English", "en", "YES", "high") MEDIA(
                            "audio-1", "German", "de", "NO", "audio-1") MEDIA("audio-2", "English", "en", "YES", "low")
                            MEDIA("audio-2", "German", "de", "NO", "audio-1")
                                VARIANT("2000000,AVERAGE-BANDWIDTH=1900000", "mp4a.40.2", "audio-1", "720p")
                                    VARIANT("6000000,AVERAGE-BANDWIDTH=5900000", "mp4a.40.2", "audio-1", "video")
                                        VARIANT("468000,AVERAGE-BANDWIDTH=458000", "mp4a.40.2", "audio-2", "240p"));
    /* one picture: with each of them; another codec has a group of its own */
    c.variant_count = 1;
    c.audio[2] = sound_of("opus", &opus, &english, 0, 64000);
    const char *text = rendered(&c);
    assert_int_equal(count(text, "#EXT-X-STREAM-INF"), 3);
    assert_non_null(strstr(text, VARIANT("2000000,AVERAGE-BANDWIDTH=1900000", "mp4a.40.2", "audio-aac-1", "720p")));
    assert_non_null(strstr(text, VARIANT("1936000,AVERAGE-BANDWIDTH=1836000", "mp4a.40.2", "audio-aac-2", "720p")));
    assert_non_null(strstr(text, VARIANT("2000000,AVERAGE-BANDWIDTH=1900000", "opus", "audio-opus", "720p")));
    /* none: they are there to be chosen from */
    c.variants[0].video = NULL;
    c.audio_count = 2;
    text = rendered(&c);
    assert_int_equal(count(text, "#EXT-X-STREAM-INF"), 1);
    assert_int_equal(count(text, "GROUP-ID=\"audio\""), 2);
    assert_int_equal(count(text, "NAME=\"English (2)\""), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_one_that_most_lines_carry),
        cmocka_unit_test(rates_are_what_clocks_round),
        cmocka_unit_test(the_source_is_first_where_it_is_small),
        cmocka_unit_test(only_what_is_encoded_now_is_named),
        cmocka_unit_test(the_source_may_be_for_cutting_alone),
        cmocka_unit_test(captions_are_announced_when_they_come),
        cmocka_unit_test(sound_of_a_ladder_stands_for_the_sources),
        cmocka_unit_test(better_pictures_have_better_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
