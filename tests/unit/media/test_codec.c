/* Configurations as real encoders wrote them (x264, x265, libaom, libvpx, FFmpeg's AAC, libopus, FLAC, AC-3), and what they say. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/media/codec.h>
#include <weir/media/track.h>

#define AVC "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800"
#define HEVC                                                                                                           \
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e959809"         \
    "a10001002942010101600000030090000003000003001ea010204965959a4932bc05a020000003002000000303c1"                     \
    "a2000100074401c172b42240"
#define AV1 "81000c000a0a0000000337f8e6d7c802"

static const struct {
    const char *what, *config_hex;
    enum media_codec codec;
    const char *string;
    uint32_t width, height, fps_num, fps_den, sample_rate, channels, frame_samples;
} good[] = {
    { "x264 128x72", AVC, CODEC_H264, "avc1.64000a", 128, 72, 0, 0, 0, 0, 0 },
    { "x264 1920x1080: cropped, a rate that may vary is not told",
      "0142c028ffe100176742c028da01e0089f97011000003e90000ea600f1832a01000468ce0fc8", CODEC_H264, "avc1.42c028", 1920,
      1080, 0, 0, 0, 0, 0 },
    { "x264 1920x1080, interlaced, wide pixels",
      "014d4028ffe10019674d4028f403c0227ef0e1000003000100000300321f162ea001000468de0fc8", CODEC_H264, "avc1.4d4028",
      1920, 1080, 0, 0, 0, 0, 0 },
    { "x264 at a fixed rate of 29.97", "0142c028ffe100176742c028da01e0089f97011000003e90000ea608f1832a01000468ce0fc8",
      CODEC_H264, "avc1.42c028", 1920, 1080, 30000, 1001, 0, 0, 0 },
    { "x265 128x72 30 fps", HEVC, CODEC_HEVC, "hvc1.1.6.L30.90", 128, 72, 30, 1, 0, 0, 0 },
    { "libaom 128x72", AV1, CODEC_AV1, "av01.0.00M.08", 128, 72, 0, 0, 0, 0, 0 },
    { "libvpx", "000a820202020000", CODEC_VP9, "vp09.00.10.08", 0, 0, 0, 0, 0, 0, 0 },
    { "AAC-LC 48 kHz stereo", "1190", CODEC_AAC, "mp4a.40.2", 0, 0, 0, 0, 48000, 2, 1024 },
    { "AAC-LC 44.1 kHz stereo", "1210", CODEC_AAC, "mp4a.40.2", 0, 0, 0, 0, 44100, 2, 1024 },
    { "AAC-LC with a tail that says: no SBR", "118856E500", CODEC_AAC, "mp4a.40.2", 0, 0, 0, 0, 48000, 1, 1024 },
    { "HE-AAC, said behind", "139056E5A0", CODEC_AAC, "mp4a.40.5", 0, 0, 0, 0, 44100, 2, 2048 },
    { "HE-AACv2, said behind", "138856E5A54880", CODEC_AAC, "mp4a.40.29", 0, 0, 0, 0, 44100, 2, 2048 },
    { "HE-AAC, said in front", "2B920800", CODEC_AAC, "mp4a.40.5", 0, 0, 0, 0, 44100, 2, 2048 },
    { "AAC 5.1", "11B0", CODEC_AAC, "mp4a.40.2", 0, 0, 0, 0, 48000, 6, 1024 },
    { "AAC with 960 samples", "1194", CODEC_AAC, "mp4a.40.2", 0, 0, 0, 0, 48000, 2, 960 },
    { "Opus mono", "000101380000bb80000000", CODEC_OPUS, "opus", 0, 0, 0, 0, 48000, 1, 0 },
    { "FLAC 16 bit mono", "80000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114", CODEC_FLAC,
      "fLaC", 0, 0, 0, 0, 48000, 1, 4608 },
    { "dac3", "103DC0", CODEC_AC3, "ac-3", 0, 0, 0, 0, 48000, 6, 1536 },
};

static void how_bright_the_picture_is_meant(void **unused_state)
{
    static const struct {
        const char *config_hex;
        enum media_codec codec;
        uint8_t transfer;
    } rows[] = {
        { AVC, CODEC_H264, 0 },
        { "0142c00affe1001a6742c00ada082fe5c05a808080a0000003002000000781e244d401000468ce0fc8", CODEC_H264, 1 },
        { "0102200000009000000000001ef000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003001e959809a100"
          "0100"
          "2d42010102200000030090000003000003001ea0102049365959a4932bc05a848804820000030002000003003c10a2000100074401c1"
          "72b4"
          "2240",
          CODEC_HEVC, 16 },
        { "81004c000a0d0000000337f8e6d7ca84890482", CODEC_AV1, 18 },
        { "000a820910100000", CODEC_VP9, 16 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct hex in = hex(rows[i].config_hex);
        struct codec_facts f;
        const char *why = "";
        assert_int_equal(codec_describe(rows[i].codec, (struct byte_span){ in.data, in.bytes }, &f, &why), WEIR_OK);
        assert_int_equal(f.transfer, rows[i].transfer);
    }
}

static void real_configurations(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct hex in = hex(good[i].config_hex);
        struct codec_facts f;
        const char *why = "";
        print_message("%s\n", good[i].what);
        assert_int_equal(codec_describe(good[i].codec, (struct byte_span){ in.data, in.bytes }, &f, &why), WEIR_OK);
        assert_string_equal(f.codec_string, good[i].string);
        assert_int_equal(f.width, good[i].width);
        assert_int_equal(f.height, good[i].height);
        assert_int_equal(f.fps_num, good[i].fps_num);
        assert_int_equal(f.fps_den, good[i].fps_den);
        assert_int_equal(f.sample_rate, good[i].sample_rate);
        assert_int_equal(f.channels, good[i].channels);
        assert_int_equal(f.frame_samples, good[i].frame_samples);
        /* cut anywhere, on a copy of just that size: refused, or understood as something smaller */
        for (size_t cut = 0; cut < in.bytes; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            assert_non_null(exact);
            memcpy(exact, in.data, cut);
            if (codec_describe(good[i].codec, (struct byte_span){ exact, cut }, &f, &why)) assert_true(strlen(why) > 5);
            free(exact);
        }
    }
}

static const struct {
    const char *what, *config_hex;
    enum media_codec codec;
    enum weir_err err;
} bad[] = {
    { "avcC without SPS", "0164000affe0 01000668ebe3cb22c0", CODEC_H264, WEIR_MALFORMED },
    { "avcC without PPS", "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259600", CODEC_H264,
      WEIR_MALFORMED },
    { "avcC with an empty SPS (ossrs/srs#3323)", "0164000affe1000001000668ebe3cb22c0", CODEC_H264, WEIR_MALFORMED },
    { "avcC with NAL lengths of three bytes",
      "0164000afee100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0", CODEC_H264,
      WEIR_MALFORMED },
    { "not avcC", "00000001676400", CODEC_H264, WEIR_MALFORMED },
    { "hvcC without parameter sets", "0101600000009000000000001ef000fcfdf8f800000f00", CODEC_HEVC, WEIR_MALFORMED },
    { "av1C without a sequence header", "81000c00", CODEC_AV1, WEIR_MALFORMED },
    { "av1C whose OBU is longer than the record", "81000c000aff", CODEC_AV1, WEIR_MALFORMED },
    { "AAC sample rate 0 (OvenMediaEngine#2040)", "17 80 00 00 10", CODEC_AAC, WEIR_MALFORMED },
    { "AAC reserved rate", "1690", CODEC_AAC, WEIR_MALFORMED },
    { "an AAC type nobody has", "F8 60 00", CODEC_AAC, WEIR_UNSUPPORTED },
    { "FLAC sample rate 0", "8000002212001200000106 0004ff 000000f0000038407044de84a8b56e9e558a37d978aff114",
      CODEC_FLAC, WEIR_MALFORMED },
    { "dOps of no channels", "000001380000bb80000000", CODEC_OPUS, WEIR_MALFORMED },
    { "MP3 has none", "00", CODEC_MP3, WEIR_UNSUPPORTED },
};

static void broken_configurations_are_refused_with_words(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct hex in = hex(bad[i].config_hex);
        struct codec_facts f = { .width = 77 };
        const char *why = NULL;
        print_message("%s\n", bad[i].what);
        assert_int_equal(codec_describe(bad[i].codec, (struct byte_span){ in.data, in.bytes }, &f, &why), bad[i].err);
        assert_non_null(why);
        assert_int_equal(f.width, 77);
    }
}

static void wire_forms_become_mp4_forms(void **unused_state)
{
    static const struct {
        enum media_codec codec;
        const char *wire_hex, *mp4_hex;
    } cases[] = {
        { CODEC_OPUS, "", "0002013800 00BB80 0000 00" },
        { CODEC_OPUS, "4F70757348656164 01 02 3801 80BB0000 0000 00", "00020138 0000BB80 0000 00" },
        { CODEC_VP9, "01000000 000a820202020000", "000a820202020000" },
        { CODEC_VP9, "000a820202020000", "000a820202020000" },
        { CODEC_FLAC, "664C6143 00000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114",
          "80000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114" },
        { CODEC_FLAC, "120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114",
          "80000022120012000001060004ff0bb800f0000038407044de84a8b56e9e558a37d978aff114" },
        { CODEC_H264, "00000001 6764000aacd9420bf970110000030001000003003c0f122596 00000001 68ebe3cb22c0",
          "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].wire_hex);
        struct blob *out = NULL;
        const char *why = "";
        assert_int_equal(codec_config_from_wire(cases[i].codec, (struct byte_span){ in.data, in.bytes }, &out, &why),
                         WEIR_OK);
        assert_bytes(blob_data(out), blob_bytes(out), cases[i].mp4_hex);
        blob_unref(out);
    }
    /* hvc1 promises that all sets stand in the record: the flag is set where the encoder left it out */
    const struct hex hevc = hex(HEVC);
    struct blob *out = NULL;
    assert_int_equal(codec_config_from_wire(CODEC_HEVC, (struct byte_span){ hevc.data, hevc.bytes }, &out, NULL),
                     WEIR_OK);
    assert_int_equal(blob_data(out)[23], 0xA0);
    blob_unref(out);
    struct hex cleared = hevc;
    cleared.data[23] = 0x20;
    assert_int_equal(codec_config_from_wire(CODEC_HEVC, (struct byte_span){ cleared.data, cleared.bytes }, &out, NULL),
                     WEIR_OK);
    assert_int_equal(blob_data(out)[23], 0xA0);
    blob_unref(out);
}

static const struct {
    const char *what;
    enum media_codec codec;
    const char *config_hex, *frame_hex, *kept_hex;
    enum frame_access access;
    bool is_empty, has_new_config;
} frames[] = {
    { "IDR", CODEC_H264, AVC, "00000003 65AABB", "00000003 65AABB", FRAME_IDR, false, false },
    { "a slice", CODEC_H264, AVC, "00000003 41AABB", "00000003 41AABB", FRAME_INTER, false, false },
    { "AUD and filler go", CODEC_H264, AVC, "00000002 09F0 00000003 65AABB 00000002 0CFF", "00000003 65AABB", FRAME_IDR,
      false, false },
    { "known parameter sets go", CODEC_H264, AVC, "00000006 68ebe3cb22c0 00000003 65AABB", "00000003 65AABB", FRAME_IDR,
      false, false },
    { "other parameter sets are a new configuration", CODEC_H264, AVC, "00000006 68ebe3cb22c1 00000003 65AABB",
      "00000003 65AABB", FRAME_IDR, false, true },
    { "NAL units of no bytes (ossrs/srs#3750)", CODEC_H264, AVC, "00000000 00000003 65AABB 00000000", "00000003 65AABB",
      FRAME_IDR, false, false },
    { "nothing but SEI", CODEC_H264, AVC, "00000003 0605FF", "00000003 0605FF", FRAME_INTER, true, false },
    { "recovery point, at once", CODEC_H264, AVC, "00000004 060601C0 00000003 41AABB",
      "00000004 060601C0 00000003 41AABB", FRAME_OPEN, false, false },
    { "recovery point, after some frames", CODEC_H264, AVC, "00000004 06060128 00000003 41AABB",
      "00000004 06060128 00000003 41AABB", FRAME_RECOVERY, false, false },
    { "IDR and other slices in one picture", CODEC_H264, AVC, "00000003 65AABB 00000003 41AABB",
      "00000003 65AABB 00000003 41AABB", FRAME_INTER, false, false },
    { "HEVC IDR", CODEC_HEVC, HEVC, "00000003 2601AA", "00000003 2601AA", FRAME_IDR, false, false },
    { "HEVC CRA", CODEC_HEVC, HEVC, "00000003 2A01AA", "00000003 2A01AA", FRAME_OPEN, false, false },
    { "HEVC trailing picture with AUD", CODEC_HEVC, HEVC, "00000003 460150 00000003 0201AA", "00000003 0201AA",
      FRAME_INTER, false, false },
    { "HEVC of another layer", CODEC_HEVC, HEVC, "00000003 0209AA 00000003 2601AA", "00000003 2601AA", FRAME_IDR, false,
      false },
    { "AV1 key frame behind a temporal delimiter", CODEC_AV1, AV1, "1200 3203 10AABB", "3203 10AABB", FRAME_IDR, false,
      false },
    { "AV1 inter frame", CODEC_AV1, AV1, "3203 30AABB", "3203 30AABB", FRAME_INTER, false, false },
    { "AV1 key frame shown later", CODEC_AV1, AV1, "3203 00AABB", "3203 00AABB", FRAME_OPEN, false, false },
    { "VP9 key frame", CODEC_VP9, "000a820202020000", "82498342 00 07F0 0470 00", "82498342 00 07F0 0470 00", FRAME_IDR,
      false, false },
    { "VP9 inter frame", CODEC_VP9, "000a820202020000", "8600", "8600", FRAME_INTER, false, false },
};

static void frames_are_prepared_in_place(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        const struct hex config_hex = hex(frames[i].config_hex);
        const struct byte_span config = { config_hex.data, config_hex.bytes };
        struct hex in = hex(frames[i].frame_hex);
        struct codec_facts facts;
        struct codec_frame out;
        const char *why = "";
        print_message("%s\n", frames[i].what);
        assert_int_equal(codec_describe(frames[i].codec, config, &facts, &why), WEIR_OK);
        assert_int_equal(codec_frame_prepare(&facts, config, in.data, in.bytes, false, &out, &why), WEIR_OK);
        assert_int_equal(out.access, frames[i].access);
        assert_int_equal(out.is_empty, frames[i].is_empty);
        assert_bytes(in.data + out.offset, out.bytes, frames[i].kept_hex);
        assert_int_equal(out.new_config != NULL, frames[i].has_new_config);
        if (out.new_config)
            assert_int_equal(codec_describe(frames[i].codec,
                                            (struct byte_span){ blob_data(out.new_config), blob_bytes(out.new_config) },
                                            &facts, &why),
                             WEIR_OK);
        blob_unref(out.new_config);
    }
}

static void captions_are_noticed(void **unused_state)
{
    /* country, provider, "GA94", cc_data, how many, em_data, one pair, marker */
#define CAPTIONS "B5003147413934 03 41 FF FC9420 FF"
    static const struct {
        const char *what;
        enum media_codec codec;
        const char *config_hex, *frame_hex;
        bool has_captions;
    } rows[] = {
        { "in H.264", CODEC_H264, AVC, "00000012 06 04 0E " CAPTIONS " 80 00000003 65AABB", true },
        { "behind a recovery point", CODEC_H264, AVC, "00000015 06 0601C0 04 0E " CAPTIONS " 80 00000003 41AABB",
          true },
        { "in HEVC", CODEC_HEVC, HEVC, "00000013 4E01 04 0E " CAPTIONS " 80 00000003 2601AA", true },
        { "none in the message", CODEC_H264, AVC, "0000000F 06 04 0B B5003147413934 03 40 FF FF 80 00000003 65AABB",
          false },
        { "of another provider", CODEC_H264, AVC,
          "00000012 06 04 0E B5002F47413934 03 41 FF FC9420 FF 80 00000003 65AABB", false },
        { "cut off", CODEC_H264, AVC, "00000008 06 04 0E B500314741 00000003 65AABB", false },
        { "no SEI at all", CODEC_HEVC, HEVC, "00000003 2601AA", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct hex config_hex = hex(rows[i].config_hex);
        const struct byte_span config = { config_hex.data, config_hex.bytes };
        struct hex in = hex(rows[i].frame_hex);
        struct codec_facts facts;
        struct codec_frame out;
        const char *why = "";
        print_message("%s\n", rows[i].what);
        assert_int_equal(codec_describe(rows[i].codec, config, &facts, &why), WEIR_OK);
        assert_int_equal(codec_frame_prepare(&facts, config, in.data, in.bytes, false, &out, &why), WEIR_OK);
        assert_int_equal(out.has_captions, rows[i].has_captions);
        assert_int_equal(out.bytes, in.bytes); /* they stay */
    }
}

/* MISB ST 0604: 2026-03-04T05:06:07.080910Z is 0x64C2BC70CE9CE microseconds. */
static void the_encoders_time_is_read(void **unused_state)
{
#define MICROSECONDS "1F 0006 FF 4C2B FF C70C FF E9CE"
    static const struct {
        const char *what;
        enum media_codec codec;
        const char *config_hex, *frame_hex;
        int64_t taken_us;
    } rows[] = {
        { "in H.264", CODEC_H264, AVC,
          "00000020 06 05 1C 4D4953506D6963726F73656374696D65 " MICROSECONDS " 80 00000003 65AABB", 0x64C2BC70CE9CE },
        { "in HEVC", CODEC_HEVC, HEVC,
          "00000021 4E01 05 1C A8687DD4D7593758A5CEF0338B6545F1 " MICROSECONDS " 80 00000003 2601AA", 0x64C2BC70CE9CE },
        { "in HEVC, nanoseconds", CODEC_HEVC, HEVC,
          "00000021 4E01 05 1C CF848278EE23306C9265E8FEF22FB8B8 1F 0000 FF 0001 FF E240 FF 03E7 80 00000003 2601AA",
          8090813 },
        { "another UUID", CODEC_H264, AVC,
          "00000020 06 05 1C 4D4953506D6963726F73656374696D66 " MICROSECONDS " 80 00000003 65AABB", 0 },
        { "cut off", CODEC_H264, AVC, "00000016 06 05 1C 4D4953506D6963726F73656374696D65 1F0006 00000003 65AABB", 0 },
        { "of another kind", CODEC_H264, AVC,
          "00000020 06 04 1C 4D4953506D6963726F73656374696D65 " MICROSECONDS " 80 00000003 65AABB", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct hex config_hex = hex(rows[i].config_hex);
        const struct byte_span config = { config_hex.data, config_hex.bytes };
        struct hex in = hex(rows[i].frame_hex);
        struct codec_facts facts;
        struct codec_frame out;
        const char *why = "";
        print_message("%s\n", rows[i].what);
        assert_int_equal(codec_describe(rows[i].codec, config, &facts, &why), WEIR_OK);
        assert_int_equal(codec_frame_prepare(&facts, config, in.data, in.bytes, false, &out, &why), WEIR_OK);
        assert_int_equal(out.taken_us, rows[i].taken_us);
        assert_int_equal(out.bytes, in.bytes); /* it stays */
    }
    (void)unused_state;
}

static void broken_frames_are_refused(void **unused_state)
{
    const struct hex config_hex = hex(AVC);
    const struct byte_span config = { config_hex.data, config_hex.bytes };
    static const char *const broken[] = { "000000FF 65AABB", "000003", "00000001 6764000A", "FFFFFFFF 65" };
    struct codec_facts facts;
    const char *why = NULL;
    assert_int_equal(codec_describe(CODEC_H264, config, &facts, &why), WEIR_OK);
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct hex in = hex(broken[i]);
        struct codec_frame out;
        assert_int_equal(codec_frame_prepare(&facts, config, in.data, in.bytes, true, &out, &why), WEIR_MALFORMED);
        assert_non_null(why);
    }
    assert_non_null(strstr(why, "longer than its frame"));
}

static void vp9_says_its_size_in_keyframes(void **unused_state)
{
    const struct hex key = hex("82498342 00 77F0 4370 00"); /* 1920 x 1080 less one, over bit borders */
    uint32_t width = 0, height = 0;
    assert_true(codec_frame_size(CODEC_VP9, (struct byte_span){ key.data, key.bytes }, &width, &height));
    assert_int_equal(width, 1920);
    assert_int_equal(height, 1080);
    const struct hex inter = hex("8600");
    assert_false(codec_frame_size(CODEC_VP9, (struct byte_span){ inter.data, inter.bytes }, &width, &height));
}

static void samples_in_a_frame(void **unused_state)
{
    static const struct {
        enum media_codec codec;
        const char *frame_hex;
        uint32_t samples;
    } cases[] = {
        { CODEC_OPUS, "08", 960 },
        { CODEC_OPUS, "09", 1920 },
        { CODEC_OPUS, "E8", 240 },
        { CODEC_OPUS, "E0", 120 },
        { CODEC_OPUS, "1B03", 0 },
        { CODEC_OPUS, "1B02", 5760 },
        { CODEC_OPUS, "03", 0 },
        { CODEC_OPUS, "", 0 },
        { CODEC_FLAC, "FFF8C91800AABB", 4096 },
        { CODEC_FLAC, "FFF86918000FFF", 16 },
        { CODEC_FLAC, "0000", 0 },
        { CODEC_AC3, "0B77480D0C402F84", 1536 },
        { CODEC_MP3, "FFFB54C4", 1152 },
        { CODEC_MP3, "FFF354C4", 576 },
        { CODEC_MP3, "0000", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct codec_facts facts = {
            .kind = MEDIA_AUDIO, .codec = cases[i].codec, .sample_rate = 48000, .channels = 2
        };
        const struct hex in = hex(cases[i].frame_hex);
        assert_int_equal(codec_frame_samples(&facts, (struct byte_span){ in.data, in.bytes }), cases[i].samples);
    }
}

static void frames_that_say_it_all(void **unused_state)
{
    static const struct {
        enum media_codec codec;
        const char *frame_hex, *string;
        uint32_t sample_rate, channels, samples;
    } cases[] = {
        { CODEC_MP3, "FFFB54C40000", "mp4a.40.34", 48000, 1, 1152 },
        { CODEC_AC3, "0B77480D0C402F842BC1C77A", "ac-3", 48000, 1, 1536 },
        { CODEC_EAC3, "0B7700BF3287C00021064060", "ec-3", 48000, 1, 1536 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].frame_hex);
        struct blob *config = NULL;
        struct codec_facts f;
        const char *why = "";
        assert_int_equal(
            codec_config_from_frame(cases[i].codec, (struct byte_span){ in.data, in.bytes }, &config, &f, &why),
            WEIR_OK);
        assert_string_equal(f.codec_string, cases[i].string);
        assert_int_equal(f.sample_rate, cases[i].sample_rate);
        assert_int_equal(f.channels, cases[i].channels);
        assert_int_equal(f.frame_samples, cases[i].samples);
        /* equal tracks are no break */
        struct track *a = track_create(&f, config), *b = track_create(&f, config);
        assert_true(track_equal(a, b));
        f.channels++;
        track_unref(b);
        b = track_create(&f, config);
        assert_false(track_equal(a, b));
        track_unref(a);
        track_unref(b);
        blob_unref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_configurations),
        cmocka_unit_test(broken_configurations_are_refused_with_words),
        cmocka_unit_test(wire_forms_become_mp4_forms),
        cmocka_unit_test(frames_are_prepared_in_place),
        cmocka_unit_test(how_bright_the_picture_is_meant),
        cmocka_unit_test(captions_are_noticed),
        cmocka_unit_test(the_encoders_time_is_read),
        cmocka_unit_test(broken_frames_are_refused),
        cmocka_unit_test(vp9_says_its_size_in_keyframes),
        cmocka_unit_test(samples_in_a_frame),
        cmocka_unit_test(frames_that_say_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
