/* Start codes to lengths, and the SEI messages that weir writes itself. */
#include "hex.h"

#include <string.h>
#include <transcode/annex_b.h>
#include <transcode/sei.h>

static void start_codes_become_lengths(void **state)
{
    static const struct {
        const char *label, *in, *out;
    } rows[] = {
        { "three and four bytes", "00000001 6742 000001 68CE 00000001 6588",
          "00000002 6742 00000002 68CE 00000002 6588" },
        { "zeros behind a unit belong to the next code", "000001 0910 0000 000001 41", "00000002 0910 00000001 41" },
        { "zeros inside stay", "000001 41 0000 03 01 0200", "00000006 41 0000 03 01 02" },
        { "bytes in front are not looked at", "AABB 000001 41", "00000001 41" },
        { "no start code", "4142430001", "" },
        { "empty units", "000001 000001 000001 41", "00000001 41" },
        { "nothing", "", "" },
        { "a code and nothing behind it", "000001", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct byte_writer w;
        const struct hex in = hex(rows[i].in);
        byte_writer_init(&w, 4096);
        annex_b_to_sample(&w, (struct byte_span){ in.data, in.bytes });
        assert_bytes(w.data, w.bytes, rows[i].out);
        byte_writer_deinit(&w);
    }
}

static void captions_stand_in_an_sei(void **state)
{
    struct captions c = { .bytes = 0 };
    const struct hex cc = hex("FC9420 FC0000 FA0000");
    struct byte_writer w;
    assert_int_equal(captions_add(&c, cc.data, cc.bytes), 0);
    byte_writer_init(&w, 4096);
    sei_write_captions(&w, CODEC_H264, &c);
    /* 00 00 03 FA: emulation prevention only where a byte up to 3 follows; here FA and FF follow, so none is needed */
    assert_bytes(w.data, w.bytes, "00000018 06 04 14 B50031 47413934 03 43 FF FC9420 FC0000 FA0000 FF 80");
    byte_writer_clear(&w);
    sei_write_captions(&w, CODEC_HEVC, &c);
    assert_bytes(w.data, w.bytes, "00000019 4E01 04 14 B50031 47413934 03 43 FF FC9420 FC0000 FA0000 FF 80");
    byte_writer_clear(&w);
    sei_write_captions(&w, CODEC_AV1, &c);
    assert_int_equal(w.bytes, 0);
    c.bytes = 0;
    sei_write_captions(&w, CODEC_H264, &c);
    assert_int_equal(w.bytes, 0);
    byte_writer_deinit(&w);
}

static void two_zeros_and_a_small_byte_are_kept_apart(void **state)
{
    struct captions c = { .bytes = 0 };
    const struct hex cc = hex("000000 010000");
    struct byte_writer w;
    captions_add(&c, cc.data, cc.bytes);
    byte_writer_init(&w, 4096);
    sei_write_captions(&w, CODEC_H264, &c);
    assert_bytes(w.data, w.bytes, "00000016 06 04 11 B50031 47413934 03 42 FF 0000 03 00 010000 FF 80");
    byte_writer_deinit(&w);
}

static void captions_of_frames_that_were_left_out_add_up(void **state)
{
    struct captions c = { .bytes = 0 };
    uint8_t many[60];
    memset(many, 7, sizeof many);
    assert_int_equal(captions_add(&c, many, 60), 0);
    memset(many, 9, sizeof many);
    assert_int_equal(captions_add(&c, many, 61), 27); /* not a whole triplet more; 93 fit */
    assert_int_equal(c.bytes, CAPTION_BYTES_MAX);
    assert_int_equal(c.data[0], 7);
    assert_int_equal(c.data[32], 7);
    assert_int_equal(c.data[33], 9);
    uint8_t flood[300];
    memset(flood, 3, sizeof flood);
    assert_int_equal(captions_add(&c, flood, sizeof flood), 300 - CAPTION_BYTES_MAX + CAPTION_BYTES_MAX);
    assert_int_equal(c.bytes, CAPTION_BYTES_MAX);
    assert_int_equal(c.data[0], 3);
}

static void hdr_is_written_as_the_standard_orders_it(void **state)
{
    const struct hdr_facts hdr = {
        .has_display = true,
        .display = { .primaries = { { 8500, 39850 }, { 6550, 2300 }, { 35400, 14600 } },
                     .white = { 15635, 16450 },
                     .luminance_max = 10000000,
                     .luminance_min = 50 },
        .has_light = true,
        .light = { .content_max = 1000, .average_max = 400 },
    };
    struct byte_writer w;
    byte_writer_init(&w, 4096);
    sei_write_hdr(&w, CODEC_HEVC, &hdr);
    assert_bytes(w.data, w.bytes,
                 "0000001E 4E01 89 18 2134 9BAA 1996 08FC 8A48 3908 3D13 4042 00989680 0000 03 0032 80 "
                 "00000009 4E01 90 04 03E8 0190 80");
    byte_writer_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_codes_become_lengths),
        cmocka_unit_test(captions_stand_in_an_sei),
        cmocka_unit_test(two_zeros_and_a_small_byte_are_kept_apart),
        cmocka_unit_test(captions_of_frames_that_were_left_out_add_up),
        cmocka_unit_test(hdr_is_written_as_the_standard_orders_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
