/* Playlists as texts, and what the readers make of them: right ones, broken ones, and every cut of a right one. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/hls_playlist.h>

#include "loadgen/hls_text.h"

#define HEAD "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n"

static struct hls_playlist *parse(const char *text)
{
    struct hls_playlist *p = NULL;
    assert_int_equal(hls_playlist_parse(text, strlen(text), &p), WEIR_OK);
    return p;
}

static const char low_latency[] = HEAD
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=1.002,HOLD-BACK=12.5\n"
    "#EXT-X-PART-INF:PART-TARGET=0.33334\n"
    "#EXT-X-MEDIA-SEQUENCE:266\n"
    "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
    "#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"616@0\"\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:36.106Z\n"
    "#EXTINF:4.00008,a title, with a comma\n"
    "seg266.mp4\n"
    "#EXT-X-DISCONTINUITY\n"
    "#EXT-X-MAP:URI=\"init2.mp4\"\n"
    "#EXT-X-PART:DURATION=0.33334,URI=\"p267.mp4\",BYTERANGE=\"100@20\",INDEPENDENT=YES\n"
    "#EXT-X-PART:URI=\"p267.mp4\",DURATION=0.2,BYTERANGE=\"50\",GAP=YES\n"
    "#EXTINF:0.53334,\r\n"
    "seg267.mp4\r\n"
    "#EXT-X-PART:DURATION=0.3,URI=\"p268.mp4\"\n"
    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p268.mp4\",BYTERANGE-START=77\n"
    "#EXT-X-RENDITION-REPORT:URI=\"../1M/w.php\",LAST-MSN=267,LAST-PART=1\n";

static void what_a_list_says(void **unused_state)
{
    struct hls_playlist *p = parse(low_latency);
    assert_int_equal(p->faults.count, 0);
    assert_int_equal(p->version, 9);
    assert_int_equal(p->version_needed, 6);
    assert_int_equal(p->target_us, 4000000);
    assert_int_equal(p->part_target_us, 333340);
    assert_int_equal(p->control.part_hold_back_us, 1002000);
    assert_int_equal(p->control.hold_back_us, 12500000);
    assert_int_equal(p->control.can_skip_until_us, 24000000);
    assert_true(p->control.can_block_reload);
    assert_false(p->is_ended);
    assert_int_equal(p->segment_count, 2);
    const struct hls_segment *a = &p->segments[0], *b = &p->segments[1];
    assert_int_equal(a->msn, 266);
    assert_int_equal(a->dsn, 3);
    assert_int_equal(a->duration_us, 4000080);
    assert_string_equal(a->uri, "seg266.mp4");
    assert_true(a->has_wall && a->has_zone);
    assert_int_equal(a->wall_us, 1771035216106000);
    assert_string_equal(a->map->uri, "init.mp4");
    assert_int_equal(a->map->range.bytes, 616);
    assert_int_equal(b->dsn, 4);
    assert_true(b->has_discontinuity);
    assert_string_equal(b->map->uri, "init2.mp4");
    assert_string_equal(b->uri, "seg267.mp4");
    assert_int_equal(b->part_count, 2);
    assert_int_equal(p->parts[0].range.first, 20);
    assert_int_equal(p->parts[1].range.first, 120);
    assert_true(p->parts[0].is_independent && p->parts[1].is_gap);
    assert_int_equal(p->open.msn, 268);
    assert_int_equal(p->open.part_count, 1);
    assert_string_equal(p->open.map->uri, "init2.mp4");
    assert_int_equal(p->hint_count, 1);
    assert_int_equal(p->hints[0].first, 77);
    assert_int_equal(p->report_count, 1);
    assert_int_equal(p->reports[0].last_part, 1);
    uint64_t msn;
    uint32_t parts;
    assert_true(hls_playlist_edge(p, &msn, &parts));
    assert_int_equal(msn, 267);
    assert_int_equal(parts, 1);
    assert_int_equal(hls_playlist_duration_us(p), 4533420);
    hls_playlist_destroy(p);
}

static void a_delta_counts_on(void **unused_state)
{
    struct hls_playlist *p = parse(HEAD "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n#EXTINF:4,\na\n");
    assert_int_equal(p->skipped, 5);
    assert_int_equal(p->segments[0].msn, 15);
    assert_int_equal(p->version_needed, 9);
    hls_playlist_destroy(p);
}

/* One fault each, at its line. */
static const struct {
    const char *name, *text, *tag;
    enum hls_fault_kind kind;
    unsigned line;
} broken[] = {
    { "no header", "#EXTM3\n#EXT-X-TARGETDURATION:4\n", "EXTM3U", HLS_FAULT_HEADER, 1 },
    { "nothing", "", "EXTM3U", HLS_FAULT_HEADER, 1 },
    { "a byte order mark", "\xEF\xBB\xBF" HEAD, "EXTM3U", HLS_FAULT_TEXT, 1 },
    { "UTF-8 cut short", HEAD "# \xE2\x82\n", "EXTM3U", HLS_FAULT_TEXT, 4 },
    { "an overlong form", HEAD "# \xC0\xAF\n", "EXTM3U", HLS_FAULT_TEXT, 4 },
    { "a surrogate", HEAD "# \xED\xA0\x80\n", "EXTM3U", HLS_FAULT_TEXT, 4 },
    { "a control character", HEAD "# \x1B\n", "EXTM3U", HLS_FAULT_TEXT, 4 },
    { "target twice", HEAD "#EXT-X-TARGETDURATION:4\n", "EXT-X-TARGETDURATION", HLS_FAULT_DUPLICATE, 4 },
    { "a target with a fraction", "#EXTM3U\n#EXT-X-TARGETDURATION:4.0\n", "EXT-X-TARGETDURATION", HLS_FAULT_VALUE, 2 },
    { "a negative target", "#EXTM3U\n#EXT-X-TARGETDURATION:-4\n", "EXT-X-TARGETDURATION", HLS_FAULT_VALUE, 2 },
    { "a sequence beyond 64 bits", HEAD "#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n", "EXT-X-MEDIA-SEQUENCE",
      HLS_FAULT_VALUE, 4 },
    { "a sequence too late", HEAD "#EXTINF:1,\na\n#EXT-X-MEDIA-SEQUENCE:1\n", "EXT-X-MEDIA-SEQUENCE", HLS_FAULT_ORDER,
      6 },
    { "a discontinuity sequence too late",
      HEAD "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXTINF:1,\na\n", "EXT-X-DISCONTINUITY-SEQUENCE",
      HLS_FAULT_ORDER, 5 },
    { "a URI without EXTINF", HEAD "a\n", "EXTINF", HLS_FAULT_MISSING, 4 },
    { "EXTINF without URI", HEAD "#EXTINF:1,\n", "EXTINF", HLS_FAULT_MISSING, 4 },
    { "EXTINF twice", HEAD "#EXTINF:1,\n#EXTINF:1,\na\n", "EXTINF", HLS_FAULT_DUPLICATE, 5 },
    { "EXTINF of words", HEAD "#EXTINF:one,\na\n", "EXTINF", HLS_FAULT_VALUE, 4 },
    { "EXTINF with an exponent", HEAD "#EXTINF:1e1,\na\n", "EXTINF", HLS_FAULT_VALUE, 4 },
    { "a map without URI", HEAD "#EXT-X-MAP:BYTERANGE=\"1@0\"\n", "EXT-X-MAP", HLS_FAULT_MISSING, 4 },
    { "an open quote", HEAD "#EXT-X-SERVER-CONTROL:X=\"a,HOLD-BACK=12\n", "EXT-X-SERVER-CONTROL", HLS_FAULT_TEXT, 4 },
    { "a comma at the end", HEAD "#EXT-X-SERVER-CONTROL:HOLD-BACK=12,\n", "EXT-X-SERVER-CONTROL", HLS_FAULT_TEXT, 4 },
    { "a space in the list", HEAD "#EXT-X-SERVER-CONTROL:HOLD-BACK=12, CAN-BLOCK-RELOAD=YES\n", "EXT-X-SERVER-CONTROL",
      HLS_FAULT_TEXT, 4 },
    { "neither yes nor no", HEAD "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=yes\n", "EXT-X-SERVER-CONTROL", HLS_FAULT_ENUM,
      4 },
    { "an unknown type", HEAD "#EXT-X-PLAYLIST-TYPE:LIVE\n", "EXT-X-PLAYLIST-TYPE", HLS_FAULT_ENUM, 4 },
    { "an unknown hint", HEAD "#EXT-X-PRELOAD-HINT:TYPE=SEGMENT,URI=\"a\"\n", "EXT-X-PRELOAD-HINT", HLS_FAULT_ENUM, 4 },
    { "a part without URI", HEAD "#EXT-X-PART:DURATION=1\n", "EXT-X-PART", HLS_FAULT_MISSING, 4 },
    { "a map behind a part", HEAD "#EXT-X-PART:DURATION=1,URI=\"a\"\n#EXT-X-MAP:URI=\"i\"\n", "EXT-X-MAP",
      HLS_FAULT_PLACE, 5 },
    { "a discontinuity behind a part", HEAD "#EXT-X-PART:DURATION=1,URI=\"a\"\n#EXT-X-DISCONTINUITY\n",
      "EXT-X-DISCONTINUITY", HLS_FAULT_PLACE, 5 },
    { "a month that is none", HEAD "#EXT-X-PROGRAM-DATE-TIME:2026-00-01T00:00:00Z\n", "EXT-X-PROGRAM-DATE-TIME",
      HLS_FAULT_VALUE, 4 },
    { "a skip behind a segment", HEAD "#EXTINF:1,\na\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n", "EXT-X-SKIP", HLS_FAULT_ORDER,
      6 },
    { "a skip of nothing", HEAD "#EXT-X-SKIP:X=1\n", "EXT-X-SKIP", HLS_FAULT_MISSING, 4 },
};

static void each_fault_has_its_line(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct hls_playlist *p = parse(broken[i].text);
        print_message("%s\n", broken[i].name);
        assert_int_equal(p->faults.count, 1);
        assert_int_equal(p->faults.items[0].kind, broken[i].kind);
        assert_int_equal(p->faults.items[0].line, broken[i].line);
        assert_string_equal(p->faults.items[0].tag, broken[i].tag);
        hls_playlist_destroy(p);
    }
}

static const struct {
    const char *text;
    bool is_read;
    int64_t wall_us;
    bool has_zone;
} dates[] = {
    { "1970-01-01T00:00:00Z", true, 0, true },
    { "1970-01-01T01:00:00.5+01:00", true, 500000, true },
    { "1970-01-01T00:00:00.123456789-0130", true, 5400123456, true },
    { "1970-01-02T00:00:00", true, 86400000000, false },
    { "2026-05-01T10:00:00.123Z", true, 1777629600123000, true },
    { "2026-05-01 10:00:00Z", false, 0, false },
    { "2026-05-01T10:00Z", false, 0, false },
    { "2026-05-01T10:00:00.Z", false, 0, false },
    { "2026-05-01T25:00:00Z", false, 0, false },
    { "2026-05-01T10:00:00+25:00", false, 0, false },
    { "2026-05-01T10:00:00Zulu", false, 0, false },
    { "", false, 0, false },
};

static void dates_are_read(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        int64_t wall_us = 0;
        bool has_zone = false;
        print_message("%s\n", dates[i].text);
        assert_int_equal(hls_read_date(dates[i].text, &wall_us, &has_zone), dates[i].is_read);
        if (!dates[i].is_read) continue;
        assert_int_equal(wall_us, dates[i].wall_us);
        assert_int_equal(has_zone, dates[i].has_zone);
    }
}

static void durations_are_cut_not_rounded(void **unused_state)
{
    int64_t us = 0;
    assert_true(hls_read_seconds("6.4999999", &us));
    assert_int_equal(us, 6499999);
    assert_true(hls_read_seconds("0", &us));
    assert_int_equal(us, 0);
    static const char *const bad[] = { "",        ".5", "5.", "-1",  "+1",
                                       "1,5",     " 1", "1 ", "0x1", "99999999999999999999",
                                       "10000000" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(hls_read_seconds(bad[i], &us));
}

static const char multivariant[] = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
                                   "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT="
                                   "YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a/en.m3u8\"\n"
                                   "#EXT-X-STREAM-INF:BANDWIDTH=1280000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.64001f,"
                                   "mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE="
                                   "29.970,AUDIO=\"a\"\n"
                                   "video/index.m3u8\n"
                                   "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI=\"iframe.m3u8\"\n";

static void what_a_multivariant_says(void **unused_state)
{
    struct hls_multivariant *m = NULL;
    assert_true(hls_is_multivariant(multivariant, strlen(multivariant)));
    assert_false(hls_is_multivariant(low_latency, strlen(low_latency)));
    assert_int_equal(hls_multivariant_parse(multivariant, strlen(multivariant), &m), WEIR_OK);
    assert_int_equal(m->faults.count, 0);
    assert_int_equal(m->variant_count, 2);
    assert_int_equal(m->media_count, 1);
    assert_true(m->is_independent && m->media[0].is_default && m->variants[1].is_iframes_only);
    assert_int_equal(m->variants[0].bandwidth_bps, 1280000);
    assert_int_equal(m->variants[0].width, 1280);
    assert_int_equal(m->variants[0].frame_rate_milli, 29970);
    assert_string_equal(m->variants[0].uri, "video/index.m3u8");
    assert_string_equal(m->variants[0].codecs, "avc1.64001f,mp4a.40.2");
    assert_string_equal(m->media[0].uri, "a/en.m3u8");
    hls_multivariant_destroy(m);
}

static void too_many_are_refused(void **unused_state)
{
    const size_t lines = LOADGEN_LINES_MAX + 1;
    char *text = malloc(lines * 40);
    struct hls_multivariant *m = NULL;
    struct hls_playlist *p = NULL;
    assert_non_null(text);
    memset(text, '\n', lines);
    assert_int_equal(hls_playlist_parse(text, lines, &p), WEIR_LIMIT);
    assert_int_equal(hls_multivariant_parse(text, lines, &m), WEIR_LIMIT);
    size_t used = 0;
    for (int i = 0; i <= LOADGEN_VARIANTS_MAX; i++) {
        static const char variant[] = "#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n";
        memcpy(text + used, variant, sizeof variant - 1);
        used += sizeof variant - 1;
    }
    assert_int_equal(hls_multivariant_parse(text, used, &m), WEIR_LIMIT);
    free(text);
}

/* On copies of just that size: nothing reads behind the end, whatever stands there. */
static void every_cut_is_survived(void **unused_state)
{
    for (size_t cut = 0; cut < sizeof low_latency; cut++) {
        struct hls_playlist *p = NULL;
        char *exact = malloc(cut ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, low_latency, cut);
        assert_int_equal(hls_playlist_parse(exact, cut, &p), WEIR_OK);
        assert_in_range(p->segment_count, 0, 3);
        hls_playlist_destroy(p);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_list_says),
        cmocka_unit_test(a_delta_counts_on),
        cmocka_unit_test(each_fault_has_its_line),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(durations_are_cut_not_rounded),
        cmocka_unit_test(what_a_multivariant_says),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(every_cut_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
