/* Forms of frames and configurations outside containers: ADTS, MPEG audio, AC-3, Opus in TS, parameter sets in samples. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/media/adts.h>
#include <weir/media/audio_sync.h>
#include <weir/media/codec.h>
#include <weir/media/latm.h>
#include <weir/media/opus_ts.h>

static struct byte_span span_of(const struct hex *h)
{
    return (struct byte_span){ h->data, h->bytes };
}

static void adts_there_and_back(void **unused_state)
{
    static const struct {
        const char *what, *config_hex;
        size_t payload;
        const char *header_hex; /* NULL: it cannot be said */
    } cases[] = {
        { "LC 48 kHz stereo", "1190", 100, "fff14c800d7ffc" },
        { "LC 44.1 kHz stereo, with a tail that says no SBR", "121056e500", 93, "fff150800c9ffc" },
        { "LC 8 kHz mono", "1588", 1, "fff16c40011ffc" },
        { "5.1", "11b0", 8000, "fff14d83e8fffc" },
        { "HE: the core is named", "2b098800", 93, "fff158400c9ffc" },
        { "24 kHz as an explicit rate", "17802ee010", 93, "fff158800c9ffc" },
        { "longer than a header can say", "1190", 0x1FFF - 6, NULL },
        { "a rate without a number", "17 8027 1010", 10, NULL },
        { "channels in a program_config_element", "1180", 10, NULL },
        { "7.1, which has a number of its own", "11b8", 10, "fff14dc0023ffc" },
        { "channel configuration 11", "11d8", 10, NULL },
        { "USAC", "f94643", 10, NULL },
        { "cut", "11", 10, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex config = hex(cases[i].config_hex);
        uint8_t header[ADTS_HEADER_BYTES];
        const char *why = NULL;
        print_message("%s\n", cases[i].what);
        const enum weir_err err = adts_header_write(span_of(&config), cases[i].payload, header, &why);
        assert_int_equal(err != WEIR_OK, cases[i].header_hex == NULL);
        if (err) {
            assert_non_null(why);
            continue;
        }
        assert_bytes(header, sizeof header, cases[i].header_hex);
        struct adts_header read;
        assert_true(adts_header_read((struct byte_span){ header, sizeof header }, &read));
        assert_int_equal(read.frame_bytes, cases[i].payload + ADTS_HEADER_BYTES);
        assert_int_equal(read.raw_blocks, 1);
        assert_false(adts_header_read((struct byte_span){ header, sizeof header - 1 }, &read));
    }
}

static void no_adts_header(void **unused_state)
{
    static const char *const cases[] = {
        "fff54c800d7ffc", /* layer 2 */
        "ffe14c800d7ffc", /* sync */
        "fff174800d7ffc", /* rate 13 */
        "fff17c800d7ffc", /* rate 15 */
        "fff14c8000fffc", /* no payload */
        "fff04c80011ffc", /* shorter than its CRC */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i]);
        struct adts_header h;
        assert_false(adts_header_read(span_of(&in), &h));
    }
}

static void mpeg_audio(void **unused_state)
{
    static const struct {
        const char *head_hex;
        unsigned layer;
        uint32_t rate, channels, samples;
        size_t bytes; /* 0: no header */
    } cases[] = {
        { "fffb9064", 3, 44100, 2, 1152, 417 }, { "fffb9264", 3, 44100, 2, 1152, 418 },
        { "fff3a4c4", 3, 24000, 1, 576, 288 },  { "ffe318c4", 3, 8000, 1, 576, 72 },
        { "fffda404", 2, 48000, 2, 1152, 576 }, { "fff58404", 2, 24000, 2, 1152, 384 },
        { "ffffc404", 1, 48000, 2, 384, 384 },  { "fffb0064", 0, 0, 0, 0, 0 },
        { "fffbf064", 0, 0, 0, 0, 0 },          { "fffb9c64", 0, 0, 0, 0, 0 },
        { "ffeb9064", 0, 0, 0, 0, 0 },          { "fff99064", 0, 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].head_hex);
        struct mpeg_audio_header h;
        print_message("%s\n", cases[i].head_hex);
        assert_int_equal(mpeg_audio_header_read(span_of(&in), &h), cases[i].bytes > 0);
        if (!cases[i].bytes) continue;
        assert_int_equal(h.layer, cases[i].layer);
        assert_int_equal(h.sample_rate, cases[i].rate);
        assert_int_equal(h.channels, cases[i].channels);
        assert_int_equal(h.samples, cases[i].samples);
        assert_int_equal(h.frame_bytes, cases[i].bytes);
    }
}

static void ac3_frames(void **unused_state)
{
    static const struct {
        const char *head_hex;
        bool is_enhanced, begins;
        uint32_t rate, samples;
        size_t bytes; /* 0: no header */
    } cases[] = {
        { "0b77000000 40", false, true, 48000, 1536, 128 },
        { "0b77000014 40", false, true, 48000, 1536, 768 },
        { "0b77000040 40", false, true, 44100, 1536, 138 },
        { "0b77000041 40", false, true, 44100, 1536, 140 },
        { "0b77000094 40", false, true, 32000, 1536, 1152 },
        { "0b77000026 40", 0, 0, 0, 0, 0 },
        { "0b770000c0 40", 0, 0, 0, 0, 0 },
        { "0b76000000 40", 0, 0, 0, 0, 0 },
        { "0b77007f34 80", true, true, 48000, 1536, 256 },
        { "0b77407f14 80", true, false, 48000, 512, 256 },
        { "0b77087f04 80", true, false, 48000, 256, 256 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].head_hex);
        struct ac3_header h;
        print_message("%s\n", cases[i].head_hex);
        assert_int_equal(ac3_header_read(span_of(&in), &h), cases[i].bytes > 0);
        if (!cases[i].bytes) continue;
        assert_int_equal(h.is_enhanced, cases[i].is_enhanced);
        assert_int_equal(h.begins_unit, cases[i].begins);
        assert_int_equal(h.sample_rate, cases[i].rate);
        assert_int_equal(h.samples, cases[i].samples);
        assert_int_equal(h.frame_bytes, cases[i].bytes);
    }
}

static void opus_layouts(void **unused_state)
{
    for (unsigned code = 0; code < 256; code++) {
        struct blob *config = NULL;
        struct codec_facts facts;
        const char *why = NULL;
        const enum weir_err err = opus_ts_config(code, &config, &why);
        assert_int_equal(err, code <= 8 ? WEIR_OK : WEIR_UNSUPPORTED);
        if (err) continue;
        const struct byte_span span = { blob_data(config), blob_bytes(config) };
        unsigned back = 99;
        assert_int_equal(codec_describe(CODEC_OPUS, span, &facts, &why), WEIR_OK);
        assert_int_equal(facts.channels, code ? code : 2);
        assert_int_equal(opus_ts_channel_code(span, &back, &why), WEIR_OK);
        assert_int_equal(back, code);
        blob_unref(config);
    }
    /* a layout that is none of Vorbis's */
    const struct hex odd = hex("00 03 0138 0000bb80 0000 01 0300 000102");
    unsigned code;
    const char *why = NULL;
    assert_int_equal(opus_ts_channel_code(span_of(&odd), &code, &why), WEIR_UNSUPPORTED);
    assert_non_null(why);
}

static void opus_headers(void **unused_state)
{
    static const size_t sizes[] = { 1, 2, 254, 255, 256, 509, 510, 1275 };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct byte_writer w;
        struct opus_ts_header h;
        byte_writer_init(&w, 64);
        opus_ts_header_write(&w, sizes[i]);
        assert_int_equal(w.bytes, 2 + OPUS_TS_SIZE_BYTES(sizes[i]));
        for (size_t cut = 0; cut < w.bytes; cut++)
            assert_int_equal(opus_ts_header_read((struct byte_span){ w.data, cut }, &h), OPUS_TS_NEED);
        assert_int_equal(opus_ts_header_read((struct byte_span){ w.data, w.bytes }, &h), OPUS_TS_DONE);
        assert_int_equal(h.header_bytes, w.bytes);
        assert_int_equal(h.packet_bytes, sizes[i]);
        byte_writer_deinit(&w);
    }
    const struct hex bad = hex("7f20 05");
    struct opus_ts_header h;
    assert_int_equal(opus_ts_header_read(span_of(&bad), &h), OPUS_TS_BAD);
}

static void latm_that_is_not_read(void **unused_state)
{
    static const struct {
        const char *what, *element_hex;
        enum weir_err err;
    } cases[] = {
        { "no configuration yet", "56e003 800102", WEIR_STATE },
        { "two programs", "56e006 20 02 00 00 00 00", WEIR_UNSUPPORTED },
        { "two layers", "56e006 20 00 40 00 00 00", WEIR_UNSUPPORTED },
        { "version A", "56e006 60 00 00 00 00 00", WEIR_UNSUPPORTED },
        { "cut in its configuration", "56e003 20 00 11", WEIR_MALFORMED },
        { "SLS", "56e008 20 00 12 c8 80 00 00 00", WEIR_UNSUPPORTED },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex in = hex(cases[i].element_hex);
        struct latm_state state = { .is_known = false };
        struct latm_element out;
        const char *why = NULL;
        print_message("%s\n", cases[i].what);
        assert_int_equal(latm_element_read(&state, span_of(&in), &out, &why), cases[i].err);
        assert_non_null(why);
        assert_false(state.is_known);
    }
}

static void configurations_from_samples(void **unused_state)
{
    static const struct {
        enum media_codec codec;
        const char *sample_hex, *config_hex; /* NULL: there is none in it */
        enum weir_err err;
    } cases[] = {
        { CODEC_H264,
          "00000019 6764000aacd9420bf970110000030001000003003c0f122596 00000006 68ebe3cb22c0 00000003 658880",
          "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0", WEIR_OK },
        { CODEC_H264, "00000003 419a80", NULL, WEIR_NOT_FOUND },
        { CODEC_H264, "00000006 68ebe3cb22c0 00000003 658880", NULL, WEIR_MALFORMED },
        { CODEC_H264, "00000003 678080 00000006 68ebe3cb22c0 00000003 658880", NULL, WEIR_MALFORMED },
        { CODEC_HEVC,
          "00000018 40010c01ffff01600000030090000003000003001e959009"
          "0000002a 42010101600000030090000003000003001ea0142061f26595912930bc05a02000000300200000030321"
          "00000006 4401c073c189 00000003 2801ac",
          "01 01 60000000 900000000000 1e f000 fc fd f8 f8 0000 0f 03"
          "a00001 0018 40010c01ffff01600000030090000003000003001e959009"
          "a10001 002a 42010101600000030090000003000003001ea0142061f26595912930bc05a02000000300200000030321"
          "a20001 0006 4401c073c189",
          WEIR_OK },
        { CODEC_HEVC, "00000003 0201d0", NULL, WEIR_NOT_FOUND },
        { CODEC_AV1, "1200 0a0a0000000337f8e6d7c802 320210ff", "81000c00 0a0a0000000337f8e6d7c802", WEIR_OK },
        { CODEC_AV1, "1200 320210ff", NULL, WEIR_NOT_FOUND },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct hex sample = hex(cases[i].sample_hex);
        struct blob *config = NULL;
        struct codec_facts facts;
        const char *why = "";
        const enum weir_err err = codec_config_from_frame(cases[i].codec, span_of(&sample), &config, &facts, &why);
        if (err != cases[i].err) fail_msg("case %zu: %s", i, why);
        if (err) continue;
        assert_bytes(blob_data(config), blob_bytes(config), cases[i].config_hex);
        blob_unref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adts_there_and_back),
        cmocka_unit_test(no_adts_header),
        cmocka_unit_test(mpeg_audio),
        cmocka_unit_test(ac3_frames),
        cmocka_unit_test(opus_layouts),
        cmocka_unit_test(opus_headers),
        cmocka_unit_test(latm_that_is_not_read),
        cmocka_unit_test(configurations_from_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
