/* Where to begin: what ?start= may be, and the tag or the URIs that come of it. */
#include "hex.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/err.h>
#include <weir/delivery/hls_start.h>

static const struct {
    const char *query;
    enum hls_start_kind kind; /* 0: wrong */
    int64_t us;
} cases[] = {
    { "", HLS_START_NONE, 0 },
    { "_HLS_msn=3", HLS_START_NONE, 0 },
    { "restart=5&x", HLS_START_NONE, 0 },
    { "start=-90", HLS_START_OFFSET, -90000000 },
    { "start=0", HLS_START_OFFSET, 0 },
    { "start=12.5", HLS_START_OFFSET, 12500000 },
    { "_HLS_skip=YES&start=-0.25&a=b", HLS_START_OFFSET, -250000 },
    { "start=-1.123456789", HLS_START_OFFSET, -1123456 },
    { "start=1767323045", HLS_START_TIME, 1767323045000000 },
    { "start=2026-01-02T03:04:05Z", HLS_START_TIME, 1767323045000000 },
    { "start=2026-01-02T03:04:05.678Z", HLS_START_TIME, 1767323045678000 },
    { "start=2026-01-02T03%3A04%3a05Z", HLS_START_TIME, 1767323045000000 },
    { "start=", 0, 0 },
    { "start=now", 0, 0 },
    { "start=-", 0, 0 },
    { "start=--5", 0, 0 },
    { "start=1e3", 0, 0 },
    { "start=-99999999999999999999", 0, 0 },
    { "start=9999999", 0, 0 }, /* over a hundred days, and no time either */
    { "start=2026-13-02T03:04:05Z", 0, 0 },
    { "start=2026-01-02T03:04:05+01:00", 0, 0 },
    { "start=2026-01-02T03:04:05", 0, 0 },
    { "start=2026-01-02", 0, 0 },
    { "start=%zz", 0, 0 },
    { "start=5%00", 0, 0 },
    { "start=5%0A", 0, 0 },
    { "start=5\"", 0, 0 },
};

static void what_may_be_asked_for(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hls_start start;
        print_message("%s\n", cases[i].query);
        const char *why = hls_start_parse((struct http_text){ cases[i].query, strlen(cases[i].query) }, &start);
        assert_int_equal(why == NULL, cases[i].kind != 0);
        if (why) continue;
        assert_int_equal(start.kind, cases[i].kind);
        assert_int_equal(start.us, cases[i].us);
    }
}

static const char list[] =
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z\n#EXTINF:2.000000,\na\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:07.000Z\n#EXTINF:1.500000,\nb\n"
    /* a break of an hour */
    "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T04:04:08.500Z\n#EXTINF:2.000000,\nc\n"
    "#EXTINF:2.000000,\nd\n";

/* The list in as many pieces as there are cuts and one more. */
static struct frozen *in_pieces(const char *text, size_t cut_every)
{
    struct blob *b = blob_copy(text, strlen(text));
    struct piece pieces[512];
    size_t count = 0;
    for (size_t at = 0; at < strlen(text); at += cut_every) {
        const size_t left = strlen(text) - at;
        pieces[count++] = (struct piece){ b, blob_data(b) + at, left < cut_every ? left : cut_every };
    }
    struct frozen *f = frozen_create(pieces, count);
    blob_unref(b);
    return f;
}

static void assert_mark(const char *query, const char *tag)
{
    for (size_t cut_every = 8; cut_every < 600; cut_every += 37) {
        struct hls_start start;
        char got[2048], expected[2048];
        assert_null(hls_start_parse((struct http_text){ query, strlen(query) }, &start));
        struct frozen *f = hls_start_mark_media(in_pieces(list, cut_every), &start);
        assert_non_null(f);
        got[frozen_read(f, 0, got, sizeof got - 1)] = 0;
        snprintf(expected, sizeof expected, "#EXTM3U\n#EXT-X-START:TIME-OFFSET=%s\n%s", tag, list + 8);
        assert_string_equal(got, expected);
        frozen_unref(f);
    }
}

static void media_playlists_get_the_tag(void **state)
{
    assert_mark("start=-90", "-90.000000");
    assert_mark("start=3.25", "3.250000");
    /* a time is where it is in the list: breaks in the clock are none in the list */
    assert_mark("start=2026-01-02T03:04:06.500Z", "1.500000");
    assert_mark("start=2026-01-02T03:04:08Z", "3.000000");
    assert_mark("start=2026-01-02T04:04:09.500Z", "4.500000");
    assert_mark("start=2026-01-02T04:04:11Z", "6.000000"); /* in the one that does not say its time */
    assert_mark("start=2026-01-02T03:30:00Z", "3.500000"); /* in the break: where it goes on */
    assert_mark("start=2020-01-01T00:00:00Z", "0.000000");
    assert_mark("start=2030-01-01T00:00:00Z", "7.500000");
}

static void multivariant_playlists_pass_it_on(void **state)
{
    static const char plain[] = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"A\",URI=\"audio/index.m3u8\"\n"
                                "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nvideo/index.m3u8\n",
                      marked[] = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"A\",URI=\"audio/index.m3u8?start=-5\"\n"
                                 "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nvideo/index.m3u8?start=-5\n";
    struct hls_start start;
    char got[1024];
    assert_null(hls_start_parse((struct http_text){ "start=-5", 8 }, &start));
    struct frozen *f = hls_start_mark_multivariant(frozen_copy(plain, sizeof plain - 1), &start);
    got[frozen_read(f, 0, got, sizeof got - 1)] = 0;
    assert_string_equal(got, marked);
    frozen_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_asked_for),
        cmocka_unit_test(media_playlists_get_the_tag),
        cmocka_unit_test(multivariant_playlists_pass_it_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
