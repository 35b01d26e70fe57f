/* Sources: what describes them, what is made, what is read from files, and what is refused. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/loadgen/media_source.h>
#include <weir/loadgen/stamp.h>

#include "loadgen/ts_loop.h"

static struct media_source *make(const char *text, bool wants_ts)
{
    char why[256] = "";
    struct media_source_config config = { .wants_ts = wants_ts };
    struct media_source *s = NULL;
    if (!media_source_parse(text, &config, why, sizeof why) || media_source_make(&config, &s, why, sizeof why))
        fail_msg("%s: %s", text, why);
    return s;
}

static void descriptions(void **unused_state)
{
    static const struct {
        const char *text;
        uint32_t width, height, num, den, kbps, gop;
        enum media_codec codec;
        bool has_video, has_audio;
    } good[] = {
        { "test:720p30", 1280, 720, 30, 1, 2599, 60, CODEC_H264, true, true },
        { "test:1080p59.94:hevc:6000k:gop=30", 1920, 1080, 60000, 1001, 6000, 30, CODEC_HEVC, true, true },
        { "test:640x360p23.976:silent", 640, 360, 24000, 1001, 599, 48, CODEC_H264, true, false },
        { "test:audio", 1280, 720, 30, 1, 2599, 60, CODEC_H264, false, true },
    };
    static const char *const bad[] = { "test:720p0", "test:720p121", "test:63p30", "test:721p30",       "test:what",
                                       "test:gop=0", "test:1k",      "test:",      "test:audio:silent", "test:720" };
    struct media_source_config c = { 0 };
    char why[256];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(media_source_parse(good[i].text, &c, why, sizeof why));
        print_message("%s\n", good[i].text);
        assert_int_equal(c.width, good[i].width);
        assert_int_equal(c.height, good[i].height);
        assert_int_equal(c.fps_num, good[i].num);
        assert_int_equal(c.fps_den, good[i].den);
        assert_int_equal(c.bitrate_kbps, good[i].kbps);
        assert_int_equal(c.gop_frames, good[i].gop);
        assert_int_equal(c.video, good[i].codec);
        assert_int_equal(c.has_video, good[i].has_video);
        assert_int_equal(c.has_audio, good[i].has_audio);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why[0] = 0;
        assert_false(media_source_parse(bad[i], &c, why, sizeof why));
        assert_true(why[0]);
    }
    assert_true(media_source_parse("some/file.mp4", &c, why, sizeof why));
    assert_string_equal(c.file, "some/file.mp4");
    (void)unused_state;
}

/* Times rise in each track, also over the seam, by whole frames. */
static void assert_endless(const struct media_source *s, int64_t video_90k, int64_t audio_90k)
{
    const struct media_source_facts *f = media_source_facts(s);
    uint32_t count;
    const struct media_item *items = media_source_items(s, &count);
    int64_t last[2] = { -1, -1 };
    for (uint32_t i = 0; i < 2 * count; i++) {
        const struct media_item *item = &items[i % count];
        const int64_t dts_90k = item->dts_90k + (i < count ? 0 : f->loop_90k);
        int64_t *before = &last[item->is_video];
        if (*before >= 0) assert_int_equal(dts_90k - *before, item->is_video ? video_90k : audio_90k);
        *before = dts_90k;
        assert_true(item->bytes && item->cts_90k >= 0);
    }
}

static void built_in(void **unused_state)
{
    struct media_source *s = make("test:64x64p25:gop=50", true);
    const struct media_source_facts *f = media_source_facts(s);
    assert_int_equal(f->loop_90k, 8 * 90000);
    assert_int_equal(f->video_frames, 200);
    assert_int_equal(f->audio_frames, 375);
    assert_int_equal(f->width, 64);
    assert_int_equal(f->sample_rate, 48000);
    assert_int_equal(f->channels, 2);
    assert_int_equal(media_source_video_config(s).data[0], 1);
    assert_int_equal(media_source_audio_config(s).bytes >= 2, true);
    assert_endless(s, 3600, 1920);
    uint32_t count, keys = 0;
    const struct media_item *items = media_source_items(s, &count);
    for (uint32_t i = 0; i < count; i++) keys += items[i].is_video && items[i].is_key;
    assert_int_equal(keys, 4);
    media_source_destroy(s);
    (void)unused_state;
}

/* Counters as they go through two loops, a stamp in each picture, and times that the loop's length is added to. */
static void as_a_transport_stream(void **unused_state)
{
    struct media_source *s = make("test:64x64p25:gop=50", true);
    const int64_t loop_90k = media_source_facts(s)->loop_90k;
    const uint8_t *steps = media_source_ts_counters(s);
    uint32_t count, stamps = 0, sound_stamps = 0;
    const struct media_ts_piece *pieces = media_source_ts(s, &count);
    int expected[8192];
    memset(expected, -1, sizeof expected);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < pieces[i].packets; k++) {
                uint8_t p[188];
                memcpy(p, media_source_bytes(s, pieces[i].at + k * 188), sizeof p);
                const unsigned pid = ts_packet_pid(p);
                ts_packet_renew(p, round * steps[pid] & 0x0F, (uint64_t)round * (uint64_t)loop_90k);
                assert_int_equal(p[0], 0x47);
                if (!(p[3] & 0x10)) continue;
                if (expected[pid] >= 0) assert_int_equal(p[3] & 0x0F, expected[pid]);
                expected[pid] = (p[3] + 1) & 0x0F;
            }
            if (!pieces[i].stamp_at) continue;
            const uint8_t *stamp = media_source_bytes(s, pieces[i].at + pieces[i].stamp_at);
            if (pieces[i].is_video)
                stamps++;
            else
                sound_stamps++;
            assert_ptr_equal(pieces[i].is_video ? stamp_find(stamp, STAMP_BYTES) : stamp_find_sound(stamp, STAMP_BYTES),
                             stamp);
            assert_true(pieces[i].pts_90k >= 0 && pieces[i].pts_90k < loop_90k + 90000);
        }
    }
    assert_int_equal(stamps, 600);
    assert_true(sound_stamps > 3 * 20); /* of each PES packet, in which some frames are */
    media_source_destroy(s);
    (void)unused_state;
}

static void hevc_and_sound_alone(void **unused_state)
{
    struct media_source *s = make("test:128x96p30:hevc:silent", true);
    assert_int_equal(media_source_facts(s)->video, CODEC_HEVC);
    assert_int_equal(media_source_facts(s)->audio_frames, 0);
    assert_endless(s, 3000, 0);
    media_source_destroy(s);
    s = make("test:audio", false);
    uint32_t pieces;
    media_source_ts(s, &pieces);
    assert_int_equal(pieces, 0);
    assert_endless(s, 0, 1920);
    media_source_destroy(s);
    (void)unused_state;
}

/* A transport stream of ours, written to a file and read again: ADTS, start codes and parameter sets in the stream. */
static void from_a_file(void **unused_state)
{
    char path[] = "/tmp/weir-io-source-XXXXXX";
    struct media_source *made = make("test:64x64p25:gop=50", true), *read = NULL;
    uint32_t count;
    const struct media_ts_piece *pieces = media_source_ts(made, &count);
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(write(fd, media_source_bytes(made, pieces[i].at), pieces[i].packets * 188),
                         pieces[i].packets * 188);
    close(fd);
    read = make(path, false);
    unlink(path);
    const struct media_source_facts *f = media_source_facts(read);
    assert_int_equal(f->video, CODEC_H264);
    assert_int_equal(f->audio, CODEC_AAC);
    assert_int_equal(f->video_frames, 200);
    assert_in_range(f->audio_frames, 372, 375); /* what would reach over the seam is left out */
    assert_int_equal(f->loop_90k, 8 * 90000);
    media_source_destroy(made);
    media_source_destroy(read);
    (void)unused_state;
}

static void what_is_refused(void **unused_state)
{
    static const struct {
        const char *path, *says;
        enum weir_err err;
    } cases[] = { { "/nonexistent/file.mp4", "no such file", WEIR_IO },
                  { "/tmp", "a file was expected", WEIR_UNSUPPORTED },
                  { "CMakeLists.txt", "neither", WEIR_UNSUPPORTED } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char why[256] = "";
        const struct media_source_config config = { .file = cases[i].path };
        struct media_source *s = NULL;
        assert_int_equal(media_source_make(&config, &s, why, sizeof why), cases[i].err);
        assert_non_null(strstr(why, cases[i].says));
        assert_null(s);
    }
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions),         cmocka_unit_test(built_in),    cmocka_unit_test(as_a_transport_stream),
        cmocka_unit_test(hevc_and_sound_alone), cmocka_unit_test(from_a_file), cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
