/* The fMP4 and TS readers on right files, on every cut of them, and on each byte of them changed. */
#include "hex.h"

#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/mp4_reader.h>
#include <weir/loadgen/ts_reader.h>

#include "hls_double.h"

static struct mp4_init *read_init(bool is_audio)
{
    size_t bytes;
    struct mp4_init *init = NULL;
    uint8_t *data = double_init_segment(is_audio, 0, false, &bytes);
    assert_int_equal(mp4_init_read(data, bytes, &init), WEIR_OK);
    assert_int_equal(init->findings.broken, 0);
    free(data);
    return init;
}

static uint8_t *make_media(bool is_audio, size_t *bytes)
{
    const struct double_run run = {
        .is_audio = is_audio, .first = 50, .end = 60, .zero_ticks = 90000, .sequence = 7, .has_styp = true
    };
    return double_fragment(&run, bytes);
}

static void what_an_init_says(void **unused_state)
{
    struct mp4_init *video = read_init(false), *audio = read_init(true);
    const struct mp4_track *v = mp4_init_track(video, MEDIA_VIDEO), *a = mp4_init_track(audio, MEDIA_AUDIO);
    assert_non_null(v);
    assert_non_null(a);
    assert_null(mp4_init_track(video, MEDIA_AUDIO));
    assert_string_equal(v->entry, "avc1");
    assert_string_equal(v->facts.codec_string, "avc1.64000a");
    assert_int_equal(v->timescale, 90000);
    assert_int_equal(v->width, 128);
    assert_int_equal(v->height, 72);
    assert_string_equal(a->entry, "mp4a");
    assert_string_equal(a->facts.codec_string, "mp4a.40.2");
    assert_int_equal(a->timescale, 48000);
    assert_true(mp4_init_same(video, video));
    assert_false(mp4_init_same(video, audio));
    mp4_init_destroy(video);
    mp4_init_destroy(audio);
}

static void what_a_fragment_says(void **unused_state)
{
    struct mp4_init *init = read_init(false);
    struct mp4_media *m = NULL;
    struct mp4_span span;
    size_t bytes;
    uint8_t *data = make_media(false, &bytes);
    assert_int_equal(mp4_media_read(init, data, bytes, MP4_WHOLE, &m), WEIR_OK);
    assert_int_equal(m->findings.broken, 0);
    assert_int_equal(m->fragment_count, 1);
    assert_int_equal(m->fragments[0].sequence, 7);
    assert_int_equal(m->sample_count, 10);
    assert_true(mp4_media_span(m, MEDIA_VIDEO, &span));
    assert_int_equal(span.start_dts, 90000 + 50 * 3600);
    assert_int_equal(span.end_dts, 90000 + 60 * 3600);
    assert_true(span.starts_with_sync);
    assert_false(mp4_media_span(m, MEDIA_AUDIO, &span));
    /* equal samples have equal digests, in whatever fragment they stand */
    struct mp4_media *part = NULL;
    size_t part_bytes;
    const struct double_run run = { .first = 55, .end = 60, .zero_ticks = 90000, .sequence = 9 };
    uint8_t *part_data = double_fragment(&run, &part_bytes);
    assert_int_equal(mp4_media_read(init, part_data, part_bytes, MP4_WHOLE, &part), WEIR_OK);
    for (size_t i = 0; i < 5; i++) assert_true(part->samples[i].digest == m->samples[5 + i].digest);
    assert_true(part->samples[0].digest != m->samples[4].digest);
    mp4_media_destroy(part);
    mp4_media_destroy(m);
    mp4_init_destroy(init);
    free(part_data);
    free(data);
}

/* Reads a copy of just that size, so that a sanitizer sees the first byte too many. */
static void read_exact(const struct mp4_init *init, const uint8_t *data, size_t bytes)
{
    struct mp4_media *m = NULL;
    struct mp4_init *other = NULL;
    struct ts_media *ts = NULL;
    uint8_t *exact = malloc(bytes ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, data, bytes);
    assert_int_not_equal(mp4_media_read(init, exact, bytes, MP4_WHOLE, &m), WEIR_NOMEM);
    mp4_media_destroy(m);
    assert_int_not_equal(mp4_media_read(init, exact, bytes, MP4_PICTURE, &m), WEIR_NOMEM);
    mp4_media_destroy(m);
    assert_int_not_equal(mp4_init_read(exact, bytes, &other), WEIR_NOMEM);
    mp4_init_destroy(other);
    assert_int_not_equal(ts_media_read(exact, bytes, &ts), WEIR_NOMEM);
    ts_media_destroy(ts);
    free(exact);
}

static void cut_and_change(const struct mp4_init *init, uint8_t *data, size_t bytes)
{
    for (size_t cut = 0; cut <= bytes && cut < 2000; cut++) read_exact(init, data, cut);
    for (size_t i = 0; i < bytes && i < 1200; i++) {
        const uint8_t was = data[i];
        data[i] = (uint8_t)(was ^ 0xFF);
        read_exact(init, data, bytes);
        data[i] = (uint8_t)(was ^ 0x01);
        read_exact(init, data, bytes);
        data[i] = was;
    }
}

static void cuts_and_changes_are_survived(void **unused_state)
{
    struct mp4_init *init = read_init(false);
    size_t bytes;
    uint8_t *data = make_media(false, &bytes);
    cut_and_change(init, data, bytes);
    free(data);
    data = double_init_segment(true, 0, true, &bytes);
    cut_and_change(init, data, bytes);
    free(data);
    data = double_ts_segment(3, 0, ACT_NONE, &bytes);
    cut_and_change(init, data, bytes > 188 * 8 ? 188 * 8 : bytes);
    free(data);
    mp4_init_destroy(init);
}

/* A cut file is seen as one. */
static void a_cut_is_told(void **unused_state)
{
    struct mp4_init *init = read_init(false);
    struct mp4_media *m = NULL;
    size_t bytes;
    uint8_t *data = make_media(false, &bytes);
    assert_int_not_equal(mp4_media_read(init, data, bytes - 1, MP4_WHOLE, &m), WEIR_NOMEM);
    assert_true(m->findings.broken & MP4_RULE_BIT(MP4_V20));
    mp4_media_destroy(m);
    mp4_init_destroy(init);
    free(data);
}

/* The front of a file up to the end of its first picture, as an I-frame playlist gives it. */
static void a_picture_alone(void **unused_state)
{
    const struct double_run run = { .first = 50, .end = 60, .zero_ticks = 90000, .sequence = 7, .has_styp = true };
    struct mp4_init *init = read_init(false);
    struct mp4_media *m = NULL;
    size_t bytes;
    const size_t picture_end = double_first_frame_end(&run);
    uint8_t *data = make_media(false, &bytes);
    assert_in_range(picture_end, 1, bytes - 1);
    assert_int_equal(mp4_media_read(init, data, picture_end, MP4_PICTURE, &m), WEIR_OK);
    assert_int_equal(m->findings.broken, 0);
    assert_int_equal(m->fragment_count, 1);
    assert_int_equal(m->sample_count, 1);
    assert_true(m->samples[0].is_sync);
    assert_int_equal(m->samples[0].offset + m->samples[0].bytes, picture_end);
    mp4_media_destroy(m);
    assert_int_equal(mp4_media_read(init, data, picture_end - 1, MP4_PICTURE, &m), WEIR_MALFORMED);
    mp4_media_destroy(m);
    mp4_init_destroy(init);
    free(data);
}

static void what_a_ts_segment_says(void **unused_state)
{
    struct ts_media *m = NULL;
    size_t bytes;
    /* over the wrap of 33 bits: frame 150 is the segment's first */
    uint8_t *data = double_ts_segment(3, (1ll << 33) - 150 * 3600 - 90000, ACT_NONE, &bytes);
    assert_true(ts_is_media(data, bytes));
    assert_int_equal(ts_media_read(data, bytes, &m), WEIR_OK);
    assert_int_equal(m->broken, 0);
    const struct ts_stream *video = ts_media_stream(m, MEDIA_VIDEO), *audio = ts_media_stream(m, MEDIA_AUDIO);
    assert_non_null(video);
    assert_non_null(audio);
    assert_int_equal(video->pid, 0x100);
    assert_int_equal(m->pcr_pid, 0x100);
    assert_int_equal(video->unit_count, 50);
    assert_true(video->starts_with_access);
    assert_int_equal(video->first_dts, (1ll << 33) - 90000);
    assert_int_equal(video->end_dts - video->first_dts, 180000);
    assert_int_equal(audio->frame_90k, 1920);
    ts_media_destroy(m);
    free(data);
    assert_int_equal(ts_time_difference(5, (1ll << 33) - 5), 10);
    assert_int_equal(ts_time_difference((1ll << 33) - 5, 5), -10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_init_says),
        cmocka_unit_test(what_a_fragment_says),
        cmocka_unit_test(cuts_and_changes_are_survived),
        cmocka_unit_test(a_cut_is_told),
        cmocka_unit_test(a_picture_alone),
        cmocka_unit_test(what_a_ts_segment_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
