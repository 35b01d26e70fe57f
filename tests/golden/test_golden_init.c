/* Init and media segments, byte for byte. The same bytes were read back by ffprobe (tests/e2e does so with live ones). */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>

#include "packager/fmp4.h"

static struct track *make_track(enum media_codec codec, const char *config_hex)
{
    const struct hex config = hex(config_hex);
    struct codec_facts facts;
    const char *why = "";
    struct blob *blob = blob_copy(config.data, config.bytes);
    assert_int_equal(codec_describe(codec, (struct byte_span){ config.data, config.bytes }, &facts, &why), WEIR_OK);
    struct track *t = track_create(&facts, blob);
    blob_unref(blob);
    return t;
}

static void media_segment(void **unused_state)
{
    struct blob *payload = blob_copy("IDRpic", 6);
    const struct fmp4_sample samples[] = {
        { .payload = { payload, blob_data(payload), 3 },
          .dts = 900000,
          .duration = 3000,
          .composition_offset = 6000,
          .is_sync = true },
        { .payload = { payload, blob_data(payload) + 3, 3 },
          .dts = 903000,
          .duration = 3001,
          .composition_offset = -1 },
    };
    struct frozen *segment = fmp4_chunk_write(7, samples, 2, true);
    blob_unref(payload);
    uint8_t bytes[512];
    const size_t count = frozen_read(segment, 0, bytes, sizeof bytes);
    assert_bytes(bytes, count,
                 "00000018 73747970 6d736468 00000000 6d736468 636d6673" /* styp */
                 "00000078 6d6f6f66"                                     /* moof */
                 "00000010 6d666864 00000000 00000007"                   /* mfhd */
                 "00000060 74726166"                                     /* traf */
                 "00000010 74666864 00020000 00000001"                   /* tfhd */
                 "00000014 74666474 01000000 00000000 000dbba0"          /* tfdt */
                 "00000034 7472756e 01000f01 00000002 00000080"          /* trun: data behind mdat's header */
                 "00000bb8 00000003 02000000 00001770"                   /* 3000, 3 bytes, sync, +6000 */
                 "00000bb9 00000003 01010000 ffffffff"                   /* 3001, 3 bytes, not sync, -1 */
                 "0000000e 6d646174 494452 706963");                     /* mdat */
    frozen_unref(segment);
}

static void expect_boxes(enum media_codec codec, const char *config_hex, const char *entry, const char *config_box,
                         const char *tail_hex)
{
    struct track *t = make_track(codec, config_hex);
    struct frozen *init = fmp4_init_write(t);
    uint8_t bytes[2048];
    const size_t count = frozen_read(init, 0, bytes, sizeof bytes);
    assert_bytes(bytes, 28, "0000001c 66747970 69736f36 00000000 69736f36 636d6663 6d703431");
    assert_int_equal(load_u32(bytes + 28), count - 28);
    assert_memory_equal(bytes + 32, "moov", 4);
    assert_non_null(memmem(bytes, count, entry, 4));
    const uint8_t *config = memmem(bytes, count, config_box, 4);
    assert_non_null(config);
    const struct hex tail = hex(tail_hex);
    assert_memory_equal(config + 4, tail.data, tail.bytes);
    frozen_unref(init);
    track_unref(t);
}

/* What has no configuration on the wire: the box is made from the first frame. */
static void init_from_a_frame(enum media_codec codec, const char *frame_hex, const char *entry, const char *config_box,
                              const char *tail_hex)
{
    const struct hex in = hex(frame_hex);
    struct blob *config = NULL;
    struct codec_facts facts;
    const char *why = "";
    uint8_t bytes[2048];
    assert_int_equal(codec_config_from_frame(codec, (struct byte_span){ in.data, in.bytes }, &config, &facts, &why),
                     WEIR_OK);
    struct track *t = track_create(&facts, config);
    struct frozen *init = fmp4_init_write(t);
    const size_t count = frozen_read(init, 0, bytes, sizeof bytes);
    assert_non_null(memmem(bytes, count, entry, 4));
    const uint8_t *box = memmem(bytes, count, config_box, 4);
    assert_non_null(box);
    const struct hex tail = hex(tail_hex);
    assert_memory_equal(box + 4, tail.data, tail.bytes);
    frozen_unref(init);
    track_unref(t);
    blob_unref(config);
}

static void init_segments_from_frames(void **unused_state)
{
    /* object type 0x6B is MPEG-1 audio (ISO/IEC 14496-1, 7.2.6.6.2); no DecoderSpecificInfo */
    init_from_a_frame(CODEC_MP3, "FFFB54C40000", "mp4a", "esds", "00000000 038080801B 000100 048080800D 6B15");
    init_from_a_frame(CODEC_AC3, "0B77480D0C402F842BC1C77A", "ac-3", "dac3", "10");
    init_from_a_frame(CODEC_EAC3, "0B7700BF3287C00021064060", "ec-3", "dec3", "00");
}

static void init_segments(void **unused_state)
{
    expect_boxes(CODEC_H264,
                 "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800", "avc1",
                 "avcC", "0164000affe10019");
    expect_boxes(CODEC_AV1, "81000c000a0a0000000337f8e6d7c802", "av01", "av1C", "81000c00");
    expect_boxes(CODEC_VP9, "000a820202020000", "vp09", "vpcC", "01000000 000a8202");
    expect_boxes(CODEC_AAC, "1190", "mp4a", "esds",
                 "00000000 0380808022 000100 0480808014 4015 000000 00000000 00000000 0580808002 1190 0680808001 02");
    expect_boxes(CODEC_OPUS, "000101380000bb80000000", "Opus", "dOps", "00010138 0000bb80 0000 00");
    expect_boxes(CODEC_FLAC, "80000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114", "fLaC",
                 "dfLa", "00000000 80000022");
    expect_boxes(CODEC_AC3, "103DC0", "ac-3", "dac3", "103dc0");
    expect_boxes(CODEC_HEVC,
                 "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e95"
                 "9809a10001002942010101600000030090000003000003001ea010204965959a4932bc05a020000003002000000303c1a200"
                 "0100074401c172b42240",
                 "hvc1", "hvcC", "01016000 00009000 00000000 1ef000fc");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(media_segment), cmocka_unit_test(init_segments),
                                        cmocka_unit_test(init_segments_from_frames) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
