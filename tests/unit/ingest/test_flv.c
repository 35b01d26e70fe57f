#include "hex.h"

#include <string.h>
#include <weir/ingest/flv.h>

static const struct {
    const char *what;
    enum media_kind kind;
    const char *in_hex;
    size_t count;
    struct {
        enum flv_event_kind kind;
        enum media_codec codec;
        uint8_t track;
        int32_t composition_ms, offset_ns;
        size_t offset, bytes;
    } events[2];
} cases[] = {
    { "AVC configuration", MEDIA_VIDEO, "17 00 000000 0164001F", 1, { { FLV_CONFIG, CODEC_H264, 0, 0, 0, 5, 4 } } },
    { "AVC frame, composition 33", MEDIA_VIDEO, "27 01 000021 AABB", 1, { { FLV_FRAME, CODEC_H264, 0, 33, 0, 5, 2 } } },
    { "AVC frame, negative composition",
      MEDIA_VIDEO,
      "27 01 FFFFFF AABB",
      1,
      { { FLV_FRAME, CODEC_H264, 0, -1, 0, 5, 2 } } },
    { "AVC end", MEDIA_VIDEO, "17 02 000000", 1, { { FLV_END, CODEC_H264, 0, 0, 0, 5, 0 } } },
    { "HEVC by its old number", MEDIA_VIDEO, "1C 01 000000 AA", 1, { { FLV_FRAME, CODEC_HEVC, 0, 0, 0, 5, 1 } } },
    { "a seek command", MEDIA_VIDEO, "57 00", 1, { { FLV_IGNORED, 0, 0, 0, 0, 0, 0 } } },
    { "an empty frame", MEDIA_VIDEO, "27 01 000000", 1, { { FLV_IGNORED, CODEC_H264, 0, 0, 0, 5, 0 } } },
    { "an empty message", MEDIA_VIDEO, "", 0, { { 0 } } },
    { "H.263", MEDIA_VIDEO, "22 00", 1, { { FLV_UNSUPPORTED, 0, 0, 0, 0, 0, 0 } } },
    { "AAC configuration", MEDIA_AUDIO, "AF 00 1190", 1, { { FLV_CONFIG, CODEC_AAC, 0, 0, 0, 2, 2 } } },
    { "AAC frame", MEDIA_AUDIO, "AF 01 AABBCC", 1, { { FLV_FRAME, CODEC_AAC, 0, 0, 0, 2, 3 } } },
    { "a marker of silence", MEDIA_AUDIO, "AF", 1, { { FLV_IGNORED, 0, 0, 0, 0, 0, 0 } } },
    { "MP3", MEDIA_AUDIO, "2F FFFB90", 1, { { FLV_FRAME, CODEC_MP3, 0, 0, 0, 1, 3 } } },
    { "MP3 at 8 kHz", MEDIA_AUDIO, "E2 FFE390", 1, { { FLV_FRAME, CODEC_MP3, 0, 0, 0, 1, 3 } } },
    { "G.711 A-law", MEDIA_AUDIO, "72 D5D5", 1, { { FLV_FRAME, CODEC_PCMA, 0, 0, 0, 1, 2 } } },
    { "G.711 mu-law", MEDIA_AUDIO, "82 FFFF", 1, { { FLV_FRAME, CODEC_PCMU, 0, 0, 0, 1, 2 } } },
    { "G.711 in stereo", MEDIA_AUDIO, "83 FFFF", 1, { { FLV_UNSUPPORTED, 0, 0, 0, 0, 0, 0 } } },
    { "Speex", MEDIA_AUDIO, "B2 00", 1, { { FLV_UNSUPPORTED, 0, 0, 0, 0, 0, 0 } } },
    { "hvc1 start", MEDIA_VIDEO, "90 68766331 0102", 1, { { FLV_CONFIG, CODEC_HEVC, 0, 0, 0, 5, 2 } } },
    { "hvc1 frame with composition",
      MEDIA_VIDEO,
      "A1 68766331 000014 AA",
      1,
      { { FLV_FRAME, CODEC_HEVC, 0, 20, 0, 8, 1 } } },
    { "hvc1 frame without", MEDIA_VIDEO, "A3 68766331 AA", 1, { { FLV_FRAME, CODEC_HEVC, 0, 0, 0, 5, 1 } } },
    { "av01 has no composition", MEDIA_VIDEO, "91 61763031 0A0B", 1, { { FLV_FRAME, CODEC_AV1, 0, 0, 0, 5, 2 } } },
    { "vp09", MEDIA_VIDEO, "93 76703039 82", 1, { { FLV_FRAME, CODEC_VP9, 0, 0, 0, 5, 1 } } },
    { "avc1", MEDIA_VIDEO, "90 61766331 01", 1, { { FLV_CONFIG, CODEC_H264, 0, 0, 0, 5, 1 } } },
    { "colour metadata, whatever the frame type says",
      MEDIA_VIDEO,
      "D4 68766331 02",
      1,
      { { FLV_IGNORED, CODEC_HEVC, 0, 0, 0, 5, 1 } } },
    { "an extended command frame", MEDIA_VIDEO, "D1 00", 1, { { FLV_IGNORED, 0, 0, 0, 0, 0, 0 } } },
    { "end of sequence", MEDIA_VIDEO, "92 68766331", 1, { { FLV_END, CODEC_HEVC, 0, 0, 0, 5, 0 } } },
    { "an unknown FourCC", MEDIA_VIDEO, "90 78797A21", 1, { { FLV_UNSUPPORTED, 0, 0, 0, 0, 0, 0 } } },
    { "ModEx: nanoseconds, then the frame",
      MEDIA_VIDEO,
      "97 02 00012C 01 61766331 000000 AA",
      1,
      { { FLV_FRAME, CODEC_H264, 0, 0, 300, 13, 1 } } },
    { "Opus start", MEDIA_AUDIO, "90 4F707573", 1, { { FLV_CONFIG, CODEC_OPUS, 0, 0, 0, 5, 0 } } },
    { "fLaC frame", MEDIA_AUDIO, "91 664C6143 FFF8", 1, { { FLV_FRAME, CODEC_FLAC, 0, 0, 0, 5, 2 } } },
    { "ac-3 frame", MEDIA_AUDIO, "91 61632D33 0B77", 1, { { FLV_FRAME, CODEC_AC3, 0, 0, 0, 5, 2 } } },
    { "ec-3 frame", MEDIA_AUDIO, "91 65632D33 0B77", 1, { { FLV_FRAME, CODEC_EAC3, 0, 0, 0, 5, 2 } } },
    { ".mp3 frame", MEDIA_AUDIO, "91 2E6D7033 FFFB", 1, { { FLV_FRAME, CODEC_MP3, 0, 0, 0, 5, 2 } } },
    { "mp4a frame", MEDIA_AUDIO, "91 6D703461 AA", 1, { { FLV_FRAME, CODEC_AAC, 0, 0, 0, 5, 1 } } },
    { "an empty coded frame is silence", MEDIA_AUDIO, "91 6D703461", 1, { { FLV_IGNORED, CODEC_AAC, 0, 0, 0, 5, 0 } } },
    { "HEVC configuration by its old number",
      MEDIA_VIDEO,
      "1C 00 000000 01",
      1,
      { { FLV_CONFIG, CODEC_HEVC, 0, 0, 0, 5, 1 } } },
    { "avc1 frame with negative composition",
      MEDIA_VIDEO,
      "A1 61766331 FFFFDF AA",
      1,
      { { FLV_FRAME, CODEC_H264, 0, -33, 0, 8, 1 } } },
    { "MPEG-2 TS sequence start is named",
      MEDIA_VIDEO,
      "95 61763031 00",
      1,
      { { FLV_UNSUPPORTED, CODEC_AV1, 0, 0, 0, 0, 0 } } },
    { "fLaC start", MEDIA_AUDIO, "90 664C6143 80", 1, { { FLV_CONFIG, CODEC_FLAC, 0, 0, 0, 5, 1 } } },
    { "mp4a start", MEDIA_AUDIO, "90 6D703461 1190", 1, { { FLV_CONFIG, CODEC_AAC, 0, 0, 0, 5, 2 } } },
    { "end of sound", MEDIA_AUDIO, "92 4F707573", 1, { { FLV_END, CODEC_OPUS, 0, 0, 0, 5, 0 } } },
    { "a configuration of channels is passed over",
      MEDIA_AUDIO,
      "94 4F707573 0102",
      1,
      { { FLV_IGNORED, CODEC_OPUS, 0, 0, 0, 5, 2 } } },
    { "ModEx of a kind nobody knows",
      MEDIA_AUDIO,
      "97 00 AA 11 6D703461 BB",
      1,
      { { FLV_FRAME, CODEC_AAC, 0, 0, 0, 8, 1 } } },
    { "one track", MEDIA_VIDEO, "96 03 61766331 02 AABB", 1, { { FLV_FRAME, CODEC_H264, 2, 0, 0, 7, 2 } } },
    { "two tracks of a codec",
      MEDIA_VIDEO,
      "96 13 61766331 00 000001 AA 01 000002 BBCC",
      2,
      { { FLV_FRAME, CODEC_H264, 0, 0, 0, 10, 1 }, { FLV_FRAME, CODEC_H264, 1, 0, 0, 15, 2 } } },
    { "two tracks of two codecs",
      MEDIA_AUDIO,
      "95 21 6D703461 00 000001 AA 4F707573 01 000001 BB",
      2,
      { { FLV_FRAME, CODEC_AAC, 0, 0, 0, 10, 1 }, { FLV_FRAME, CODEC_OPUS, 1, 0, 0, 19, 1 } } },
};

static enum weir_err parse(enum media_kind kind, const uint8_t *data, size_t bytes, struct flv_events *out,
                           const char **why)
{
    return kind == MEDIA_VIDEO ? flv_video_parse(data, bytes, out, why) : flv_audio_parse(data, bytes, out, why);
}

static void tags(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].in_hex);
        struct flv_events events;
        const char *why = NULL;
        print_message("%s\n", cases[i].what);
        assert_int_equal(parse(cases[i].kind, in.data, in.bytes, &events, &why), WEIR_OK);
        assert_int_equal(events.count, cases[i].count);
        for (size_t k = 0; k < events.count; k++) {
            const struct flv_event *e = &events.items[k];
            assert_int_equal(e->kind, cases[i].events[k].kind);
            assert_int_equal(e->codec, cases[i].events[k].codec);
            assert_int_equal(e->track, cases[i].events[k].track);
            assert_int_equal(e->composition_ms, cases[i].events[k].composition_ms);
            assert_int_equal(e->offset_ns, cases[i].events[k].offset_ns);
            if (e->kind != FLV_CONFIG && e->kind != FLV_FRAME) continue;
            assert_int_equal(e->offset, cases[i].events[k].offset);
            assert_int_equal(e->bytes, cases[i].events[k].bytes);
        }
        /* cut short it is an error, or something smaller: never a read past the end (the sanitizer watches) */
        for (size_t cut = 0; cut < in.bytes; cut++) (void)!parse(cases[i].kind, in.data, cut, &events, &why);
    }
}

static void what_is_refused(void **unused_state)
{
    static const struct {
        const char *what;
        enum media_kind kind;
        const char *in_hex;
        enum weir_err err;
    } bad[] = {
        { "AVC cut in its composition", MEDIA_VIDEO, "27 01 0000", WEIR_MALFORMED },
        { "no FourCC", MEDIA_VIDEO, "91 6176", WEIR_MALFORMED },
        { "ModEx cut", MEDIA_VIDEO, "97 FF FFFF 00", WEIR_MALFORMED },
        { "ModEx for ever", MEDIA_VIDEO, "97 0000 07 0000 07 0000 07 0000 07 0000 07 0000 07 0000 07 0000 07 0000 07",
          WEIR_LIMIT },
        { "multitrack in multitrack", MEDIA_VIDEO, "96 06 61766331 00", WEIR_MALFORMED },
        { "an unknown kind of multitrack", MEDIA_VIDEO, "96 31 61766331 00", WEIR_MALFORMED },
        { "seventeen tracks", MEDIA_AUDIO,
          "95 11 6D703461 00 000001 AA 01 000001 AA 02 000001 AA 03 000001 AA 04 000001 AA 05 000001 AA 06 000001 AA"
          "07 000001 AA 08 000001 AA 09 000001 AA 0A 000001 AA 0B 000001 AA 0C 000001 AA 0D 000001 AA 0E 000001 AA"
          "0F 000001 AA 10 000001 AA",
          WEIR_LIMIT },
        { "a track longer than the message", MEDIA_VIDEO, "96 13 61766331 00 0000FF AA", WEIR_MALFORMED },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct hex in = hex(bad[i].in_hex);
        struct flv_events events = { .count = 77 };
        const char *why = NULL;
        print_message("%s\n", bad[i].what);
        assert_int_equal(parse(bad[i].kind, in.data, in.bytes, &events, &why), bad[i].err);
        assert_non_null(why);
        assert_int_equal(events.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tags), cmocka_unit_test(what_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
