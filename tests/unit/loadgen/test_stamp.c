/* The stamp in a picture, and transport packets that are sent again and again. */
#include "hex.h"

#include <string.h>
#include <weir/loadgen/stamp.h>

#include "loadgen/ts_loop.h"

static void a_stamp_reads_back(void **unused_state)
{
    static const struct stamp stamps[] = { { 0, 0, 0 },
                                           { 1795565071841429, 123456, 4115200000 },
                                           { ((int64_t)1 << 56) - 1, ((uint64_t)1 << 35) - 1,
                                             ((int64_t)1 << 56) - 1 } };
    for (size_t i = 0; i < ARRAY_LEN(stamps); i++) {
        for (enum media_codec codec = CODEC_H264; codec <= CODEC_HEVC; codec++) {
            uint8_t nal[100] = { 0 };
            const size_t bytes = stamp_write_nal(codec, &stamps[i], nal + 7);
            assert_int_equal(bytes, STAMP_BYTES + (codec == CODEC_H264 ? 4 : 5));
            assert_int_equal(codec == CODEC_H264 ? nal[7] & 0x1F : nal[7] >> 1, codec == CODEC_H264 ? 6 : 39);
            assert_null(memchr(nal + 7, 0, bytes)); /* nothing to be escaped */
            const uint8_t *at = stamp_find(nal, sizeof nal);
            assert_non_null(at);
            assert_int_equal(stamp_read(at).wall_us, stamps[i].wall_us);
            assert_int_equal(stamp_read(at).frame, stamps[i].frame);
            assert_int_equal(stamp_read(at).pts_us, stamps[i].pts_us);
            assert_null(stamp_find_sound(nal, sizeof nal));
            for (size_t cut = 0; cut < 7 + bytes - 1; cut++) assert_null(stamp_find(nal, cut));
        }
    }
    (void)unused_state;
}

/* ISO 14496-3: three bits of element, four of instance, one of alignment, the length, and then the next element. */
static void sound_has_one_of_its_own(void **unused_state)
{
    const struct stamp s = { 1795565071841429, 0, 21333 };
    uint8_t frame[STAMP_SOUND_BYTES + 2] = { [STAMP_SOUND_BYTES] = 0x21, 0x10 };
    stamp_write_sound(&s, frame);
    assert_int_equal(frame[0] >> 5, 4); /* ID_DSE */
    assert_int_equal(frame[0] & 1, 1);  /* aligned */
    assert_int_equal(frame[1], STAMP_SOUND_BYTES - 2);
    assert_null(stamp_find(frame, sizeof frame));
    const uint8_t *at = stamp_find_sound(frame, sizeof frame);
    assert_ptr_equal(at, frame + 2);
    assert_int_equal(stamp_read(at).wall_us, s.wall_us);
    assert_int_equal(stamp_read(at).pts_us, s.pts_us);
    (void)unused_state;
}

static void what_only_looks_like_a_stamp_is_passed_over(void **unused_state)
{
    const struct stamp s = { 77, 5, 9 };
    uint8_t data[200] = { 0 }, nal[STAMP_NAL_BYTES_MAX];
    stamp_write_nal(CODEC_H264, &s, nal);
    memcpy(data, nal + 3, 16); /* the UUID, and then zeros */
    memcpy(data + 60, nal + 3, STAMP_BYTES);
    assert_ptr_equal(stamp_find(data, sizeof data), data + 60);
    const struct stamp t = { 78, 6, 10 };
    stamp_renew(data + 60, &t);
    assert_int_equal(stamp_read(data + 60).wall_us, 78);
    assert_int_equal(stamp_read(data + 60).frame, 6);
    (void)unused_state;
}

/* -- transport packets -- */

static void fill_packet(uint8_t p[188], const char *head)
{
    const struct hex h = hex(head);
    memset(p, 0xFF, 188);
    memcpy(p, h.data, h.bytes);
}

static void counters_and_times_go_on(void **unused_state)
{
    uint8_t p[188];
    int64_t pts;
    bool is_video;
    /* PCR 0x1FFFFFFFF * 300, PES of video with PTS and DTS of 33 bits set */
    fill_packet(p, "47 4100 3E 07 10 FFFFFFFF FE00  000001 E0 0000 80 C0 0A 3F FFFF FFFF 1F FFFF FFFF");
    assert_int_equal(ts_packet_pid(p), 0x100);
    assert_int_equal(ts_packet_pcr(p), (((int64_t)1 << 33) - 1) * 300);
    assert_true(ts_packet_pts(p, &pts, &is_video));
    assert_int_equal(pts, ((int64_t)1 << 33) - 1);
    assert_true(is_video);
    ts_packet_renew(p, 3, 90001);
    assert_int_equal(p[3], 0x31); /* 14 + 3, modulo 16 */
    assert_int_equal(ts_packet_pcr(p), 90000 * 300);
    assert_true(ts_packet_pts(p, &pts, &is_video));
    assert_int_equal(pts, 90000);
    assert_int_equal(p[4 + 8 + 9] >> 4, 3); /* the marks in front of the times stay */
    assert_int_equal(p[4 + 8 + 14] >> 4, 1);
    (void)unused_state;
}

static void what_has_none_is_left_alone(void **unused_state)
{
    static const char *const heads[] = {
        "47 1FFF 20 B7 00",                        /* stuffing: no payload, so no counter */
        "47 0100 15 000001 E0 0000 80 80 05",      /* no beginning of a unit: payload that looks like a PES header */
        "47 4100 15 000001 BC 0000 80 80 05 2100", /* a program stream map has no times */
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        uint8_t p[188], before[188];
        int64_t pts;
        bool is_video;
        fill_packet(p, heads[i]);
        memcpy(before, p, sizeof p);
        assert_int_equal(ts_packet_pcr(p), -1);
        assert_false(ts_packet_pts(p, &pts, &is_video));
        ts_packet_renew(p, 16, 12345);
        assert_memory_equal(p, before, sizeof p);
    }
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_reads_back),
        cmocka_unit_test(sound_has_one_of_its_own),
        cmocka_unit_test(what_only_looks_like_a_stamp_is_passed_over),
        cmocka_unit_test(counters_and_times_go_on),
        cmocka_unit_test(what_has_none_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
