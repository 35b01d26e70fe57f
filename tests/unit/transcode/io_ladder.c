/* Whole ladders on the CPU: films of every kind go in; in every rung the keyframes stand on the source's own presentation times, to the
 * tick, and each picture is the one that its time names. */
#include "hex.h"

#include "film.h"
#include "ladder_run.h"

#include <libavutil/frame.h>
#include <libavutil/mastering_display_metadata.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES_MAX 2000

static struct transcoder *transcoder;

static const struct ladder_options three_rungs = {
    .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                           { .name = "half",
                             .kind = RUNG_ENCODED,
                             .scale_num = 1,
                             .scale_den = 2,
                             .bitrate_bps = 600000,
                             .preset = "ultrafast" },
                           { .name = "low",
                             .kind = RUNG_ENCODED,
                             .scale_num = 1,
                             .scale_den = 2,
                             .fps_max_milli = 31000,
                             .bitrate_bps = 400000,
                             .preset = "superfast" },
                           { .name = "third",
                             .kind = RUNG_ENCODED,
                             .scale_num = 1,
                             .scale_den = 3,
                             .bitrate_bps = 300000,
                             .preset = "ultrafast" } },
                .rung_count = 4,
                .latency = LADDER_LATENCY_LOW },
    .is_unbounded = true,
};

static const struct film_config plain = {
    .width = 320, .height = 192, .frames = 90, .fps_num = 30, .fps_den = 1, .gop = 30, .start_90k = 900000
};

static size_t index_of(const struct film *film, int64_t pts_90k)
{
    for (size_t i = 0; i < film->count; i++) {
        if (film->pts_90k[i] == pts_90k) return i;
    }
    fail_msg("no source picture at %lld", (long long)pts_90k);
    return 0;
}

static bool is_source_entry(const struct film *film, int64_t pts_90k)
{
    for (size_t i = 0; i < film->count; i++) {
        if (film->packets[i].pts_90k == pts_90k) return film->packets[i].access != FRAME_INTER;
    }
    return false;
}

/* Times valid, keyframes on the source's entries and nowhere else, nothing twice. */
static void check_packets(const char *label, const char *name, const struct film *film, const struct run_rung *o,
                          size_t least)
{
    if (o->count < least) fail_msg("%s, %s: %zu packets, expected %zu", label, name, o->count, least);
    assert_true(track_facts(o->track)->codec_string[0]);
    for (size_t i = 0; i < o->count; i++) {
        const struct media_packet *p = &o->packets[i];
        index_of(film, p->pts_90k);
        assert_true(p->dts_90k <= p->pts_90k);
        if (i) assert_true(p->dts_90k > o->packets[i - 1].dts_90k);
        const bool is_entry = is_source_entry(film, p->pts_90k);
        if (is_entry != (p->access == FRAME_IDR))
            fail_msg("%s, %s: at %lld the source has %s and the rung %s", label, name, (long long)p->pts_90k,
                     is_entry ? "an entry" : "none", p->access == FRAME_IDR ? "an IDR" : "none");
    }
}

/* Each picture is the one that its time names. */
static void check_pictures(const char *label, const char *name, const struct film *film, const struct run_rung *o)
{
    static int numbers[PICTURES_MAX];
    static int64_t pts_90k[PICTURES_MAX];
    const size_t count = run_rung_decode(o, numbers, pts_90k, PICTURES_MAX);
    assert_int_equal(count, o->count);
    for (size_t i = 0; i < count; i++) {
        const size_t expected = index_of(film, pts_90k[i]);
        if (numbers[i] != (int)expected)
            fail_msg("%s, %s: picture %d stands where %zu belongs", label, name, numbers[i], expected);
    }
}

struct film_case {
    const char *label;
    struct film_config film;
    enum ladder_latency latency;
    bool low_is_half; /* the rung with the lower rate */
};

static const struct film_case film_cases[] = {
    { "30 fps", { .fps_num = 30, .fps_den = 1, .gop = 30 }, LADDER_LATENCY_LOW, false },
    { "25 fps, B-frames", { .fps_num = 25, .fps_den = 1, .gop = 25, .b_frames = 3 }, LADDER_LATENCY_LOW, false },
    { "23.976 fps, B-frames, encoders with B-frames too",
      { .fps_num = 24000, .fps_den = 1001, .gop = 24, .b_frames = 2 },
      LADDER_LATENCY_NORMAL,
      false },
    { "59.94 fps", { .fps_num = 60000, .fps_den = 1001, .gop = 60, .frames = 150 }, LADDER_LATENCY_LOW, true },
    { "50 fps, odd GOP", { .fps_num = 50, .fps_den = 1, .gop = 37, .frames = 120 }, LADDER_LATENCY_NORMAL, true },
    { "variable rate", { .fps_num = 30, .fps_den = 1, .gop = 40, .is_variable = true }, LADDER_LATENCY_LOW, false },
    { "open GOP",
      { .fps_num = 30, .fps_den = 1, .gop = 30, .b_frames = 3, .is_open_gop = true },
      LADDER_LATENCY_LOW,
      false },
    { "one GOP for all", { .fps_num = 30, .fps_den = 1, .gop = 0, .frames = 200 }, LADDER_LATENCY_LOW, false },
    { "rate not said", { .fps_num = 60, .fps_den = 1, .gop = 30, .hides_rate = true }, LADDER_LATENCY_LOW, false },
};

static void keyframes_are_the_sources_in_every_rung(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(film_cases); i++) {
        const struct film_case *t = &film_cases[i];
        struct film_config c = t->film;
        struct film film;
        struct ladder_run run;
        struct ladder_options options = three_rungs;
        c.width = plain.width;
        c.height = plain.height;
        c.start_90k = plain.start_90k;
        if (!c.frames) c.frames = plain.frames;
        options.config.latency = t->latency;
        print_message("%s\n", t->label);
        film_make(&film, &c);
        ladder_run_start(&run, transcoder, &options);
        ladder_run_push(&run, &film, 0, film.count, NULL);
        ladder_run_drain(&run);
        static const char *const names[] = { "half", "low", "third" };
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            const bool is_half = t->low_is_half && !strcmp(names[k], "low");
            if (!t->low_is_half && !strcmp(names[k], "low")) continue; /* at this rate it is the half-size rung */
            const struct run_rung *o = ladder_run_rung(&run, names[k]);
            check_packets(t->label, names[k], &film, o, is_half ? film.count / 2 : film.count);
            check_pictures(t->label, names[k], &film, o);
            if (!is_half)
                assert_int_equal(o->count, film.count);
            else
                assert_true(o->count <= film.count / 2 + 5);
        }
        assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_KEYFRAME_MISSES), 0);
        assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_PACKETS_DROPPED), 0);
        ladder_run_end(&run);
        film_free(&film);
    }
}

/* -- missing and damaged -- */

static bool skip_some(size_t index)
{
    return index == 40 || index == 41 || index == 75; /* a reference in the middle of a GOP, twice */
}

static bool skip_a_keyframe(size_t index)
{
    return index == 30;
}

static void what_is_missing_shifts_nothing(void **state)
{
    struct film film;
    struct ladder_run run;
    film_make(&film, &plain);
    ladder_run_start(&run, transcoder, &three_rungs);
    ladder_run_push(&run, &film, 0, film.count, skip_some);
    ladder_run_drain(&run);
    const struct run_rung *half = ladder_run_rung(&run, "half");
    /* pictures behind a hole are made of what is not there: they are not shown, and the next keyframe is on its time */
    check_packets("missing", "half", &film, half, 55);
    assert_int_equal(half->count, 40 + 15);
    check_pictures("missing", "half", &film, half);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_FRAMES_DAMAGED), 18 + 14);
    ladder_run_end(&run);

    ladder_run_start(&run, transcoder, &three_rungs);
    ladder_run_push(&run, &film, 0, film.count, skip_a_keyframe);
    ladder_run_drain(&run);
    const struct run_rung *third = ladder_run_rung(&run, "third");
    bool has_third_gop = false;
    for (size_t i = 0; i < third->count; i++)
        has_third_gop |= third->packets[i].pts_90k == plain.start_90k + 60 * 3000 &&
                         third->packets[i].access == FRAME_IDR;
    assert_true(has_third_gop);
    ladder_run_end(&run);
    film_free(&film);
}

/* -- cadence -- */

static void without_a_source_rung_the_cadence_is_stream_time(void **state)
{
    struct film film;
    struct ladder_run run;
    struct ladder_options options = three_rungs;
    struct film_config c = plain;
    options.config.rungs[0] = options.config.rungs[3];
    options.config.rung_count = 2;
    options.cadence_90k = 90000;
    c.frames = 150;
    c.fps_num = 30000;
    c.fps_den = 1001;
    c.gop = 77;
    c.start_90k = 900000 + 4321;
    film_make(&film, &c);
    ladder_run_start(&run, transcoder, &options);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    int64_t keys[2][16];
    size_t counts[2] = { 0, 0 };
    static const char *const names[] = { "half", "third" };
    for (size_t k = 0; k < 2; k++) {
        const struct run_rung *o = ladder_run_rung(&run, names[k]);
        assert_int_equal(o->count, film.count);
        for (size_t i = 0; i < o->count; i++) {
            const struct media_packet *p = &o->packets[i];
            if (p->access != FRAME_IDR) continue;
            assert_true(counts[k] < 16);
            keys[k][counts[k]++] = p->pts_90k;
            if (i) assert_true(p->pts_90k % 90000 < 3003);
        }
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(counts[0], 6);
    assert_memory_equal(keys[0], keys[1], counts[0] * sizeof keys[0][0]);
    ladder_run_end(&run);
    film_free(&film);
}

/* -- a publisher that changes, goes and comes back -- */

static void a_new_track_and_a_lost_publisher(void **state)
{
    struct film small, large;
    struct ladder_run run;
    struct film_config c = plain;
    film_make(&small, &c);
    c.width = 480;
    c.height = 288;
    c.start_90k = 900000 + 4 * 90000;
    film_make(&large, &c);
    ladder_run_start(&run, transcoder, &three_rungs);
    ladder_run_push(&run, &small, 0, small.count, NULL);
    ladder_run_drain(&run);
    assert_int_equal(run.plans, 1);
    /* back with the same track: same plan, a new era, and the first frame is a keyframe */
    run.era = 2;
    run.era_shift_90k = 20 * 90000;
    ladder_run_push(&run, &small, 5, 50, NULL); /* begins in the middle of a GOP */
    ladder_run_drain(&run);
    assert_int_equal(run.plans, 1);
    const struct run_rung *half = ladder_run_rung(&run, "half");
    assert_int_equal(half->count, small.count + 20);
    const struct media_packet *first = &half->packets[small.count];
    assert_int_equal(first->era, 2);
    assert_int_equal(first->access, FRAME_IDR);
    assert_int_equal(first->pts_90k, plain.start_90k + 30 * 3000 + run.era_shift_90k);
    const size_t before = half->count;
    /* a larger picture: other rungs, from its first frame */
    run.era = 3;
    run.era_shift_90k = 40 * 90000;
    ladder_run_push(&run, &large, 0, large.count, NULL);
    ladder_run_drain(&run);
    assert_int_equal(run.plans, 2);
    half = ladder_run_rung(&run, "half");
    assert_int_equal(track_facts(half->track)->width, 240);
    assert_int_equal(half->packets[before].era, 3);
    assert_int_equal(half->packets[before].access, FRAME_IDR);
    assert_int_equal(half->packets[before].pts_90k, large.packets[0].pts_90k + run.era_shift_90k);
    ladder_run_end(&run);
    film_free(&small);
    film_free(&large);
}

/* -- what pictures carry -- */

struct carried {
    uint8_t captions[PICTURES_MAX * 6];
    size_t caption_bytes;
    int width, height, has_display, has_light, transfer;
    AVRational sar;
    int interlaced;
};

static void look(void *context, const AVFrame *f)
{
    struct carried *c = context;
    const AVFrameSideData *cc = av_frame_get_side_data(f, AV_FRAME_DATA_A53_CC);
    if (cc && c->caption_bytes + cc->size <= sizeof c->captions) {
        memcpy(c->captions + c->caption_bytes, cc->data, cc->size);
        c->caption_bytes += cc->size;
    }
    c->width = f->width;
    c->height = f->height;
    c->sar = f->sample_aspect_ratio;
    c->transfer = f->color_trc;
    c->interlaced += f->interlaced_frame;
    const AVFrameSideData *d = av_frame_get_side_data(f, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    if (d) {
        const AVMasteringDisplayMetadata *m = (const AVMasteringDisplayMetadata *)d->data;
        c->has_display += av_rescale(m->max_luminance.num, 1, m->max_luminance.den) == 1000;
    }
    c->has_light += av_frame_get_side_data(f, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL) != NULL;
}

static void captions_reach_every_rung_whole(void **state)
{
    struct film film;
    struct ladder_run run;
    struct film_config c = plain;
    c.fps_num = 60;
    c.has_captions = true;
    c.b_frames = 2;
    film_make(&film, &c);
    ladder_run_start(&run, transcoder, &three_rungs);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    static struct carried all, halved;
    memset(&all, 0, sizeof all);
    memset(&halved, 0, sizeof halved);
    run_rung_look(ladder_run_rung(&run, "half"), look, &all);
    run_rung_look(ladder_run_rung(&run, "low"), look, &halved);
    assert_int_equal(all.caption_bytes, film.count * 6);
    for (size_t i = 0; i < film.count; i++) assert_int_equal(all.captions[i * 6 + 1], 0x20 + i % 90);
    /* the rung that leaves every second frame out carries them all the same, in order; the last may wait for a frame that never comes */
    assert_true(halved.caption_bytes >= all.caption_bytes - 6);
    assert_memory_equal(halved.captions, all.captions, halved.caption_bytes);
    ladder_run_end(&run);
    film_free(&film);
}

static void shape_interlacing_and_colour(void **state)
{
    struct film film;
    struct ladder_run run;
    struct film_config c = plain;
    static struct carried seen;
    memset(&seen, 0, sizeof seen);
    c.width = 352;
    c.height = 288;
    c.sar_num = 16;
    c.sar_den = 11;
    c.is_interlaced = true;
    film_make(&film, &c);
    ladder_run_start(&run, transcoder, &three_rungs);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    const struct run_rung *half = ladder_run_rung(&run, "half");
    run_rung_look(half, look, &seen);
    assert_int_equal(seen.width, 176);
    assert_int_equal(seen.height, 100); /* 16:11 pixels made square: 352 by 198 at full size */
    assert_int_equal(seen.sar.num, seen.sar.den);
    assert_int_equal(seen.interlaced, 0);
    assert_int_equal(seen.transfer, AVCOL_TRC_BT709);
    assert_int_equal(half->count, film.count);
    ladder_run_end(&run);
    film_free(&film);
}

static void hdr_stays_hdr(void **state)
{
    struct film film;
    struct ladder_run run;
    struct film_config c = plain;
    struct ladder_options options = three_rungs;
    static struct carried seen;
    memset(&seen, 0, sizeof seen);
    c.is_hevc_hdr = true;
    c.frames = 40;
    c.gop = 20;
    options.config.rungs[1].codec = CODEC_HEVC;
    options.config.rung_count = 2;
    film_make(&film, &c);
    ladder_run_start(&run, transcoder, &options);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    const struct run_rung *half = ladder_run_rung(&run, "half");
    assert_int_equal(half->count, film.count);
    assert_int_equal(track_facts(half->track)->codec, CODEC_HEVC);
    assert_int_equal(track_facts(half->track)->bit_depth, 10);
    run_rung_look(half, look, &seen);
    assert_int_equal(seen.transfer, AVCOL_TRC_SMPTE2084);
    assert_true(seen.has_display > 0 && seen.has_light > 0);
    check_packets("hdr", "half", &film, half, film.count);
    ladder_run_end(&run);
    film_free(&film);
}

static int group_setup(void **state)
{
    static const struct backend *const cpu[] = { &backend_cpu };
    const struct transcoder_config config = { .backends = cpu, .backend_count = 1 };
    return transcoder_create(&transcoder, &config);
}

static int group_teardown(void **state)
{
    return transcoder_destroy(transcoder, 10000000) ? 0 : 1;
}

static bool are_all_absent(const struct ladder_run *r)
{
    for (size_t i = 0; i < r->plan.rung_count; i++) {
        if (r->plan.rungs[i].kind == RUNG_ENCODED && !r->rungs[i].absents) return false;
    }
    return r->plans > 0;
}

/* How many ladders of the same kind are let in before one has to stay outside; it is among them. */
static size_t take_all_room(struct transcoder *t, const struct ladder_options *options, struct admission_ticket *taken,
                            size_t room)
{
    const struct ladder_source source = {
        .codec = CODEC_H264, .width = plain.width, .height = plain.height, .fps_num = 30, .fps_den = 1, .bit_depth = 8
    };
    struct ladder_plan plan;
    const struct admission_wish wish = { .plan = &plan, .source = &source, .backend = "auto" };
    const char *why = "";
    size_t count = 0;
    assert_int_equal(ladder_plan_make(&options->config, &source, &plan, &why), WEIR_OK);
    do {
        assert_true(count < room);
        taken[count] = transcoder_admit(t, &wish);
    } while (taken[count++].level < shed_level_last(&plan));
    return count;
}

/* A machine whose budget is taken: nothing is encoded, and it is said of every rung; with room, the next publisher has them all. */
static void a_ladder_without_room_is_asked_again(void **state)
{
    const struct transcoder_config config = { .cores = 1, .share_percent = 10 };
    struct transcoder *full;
    struct admission_ticket taken[256];
    struct ladder_options options = three_rungs;
    struct ladder_run run;
    struct film film;
    options.is_unbounded = false;
    film_make(&film, &plain);
    assert_int_equal(transcoder_create(&full, &config), WEIR_OK);
    size_t count = take_all_room(full, &options, taken, ARRAY_LEN(taken));
    ladder_run_start(&run, full, &options);
    ladder_run_push(&run, &film, 0, 60, NULL);
    ladder_run_wait(&run, are_all_absent, "every rung to be said absent");
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_LADDERS_REFUSED), 1);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_FRAMES_DECODED), 0);
    while (count) transcoder_leave(full, &taken[--count]);
    ladder_run_drain(&run);
    assert_int_equal(run.outputs, 0);
    run.era++;
    run.era_shift_90k = 90000 * 20;
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    assert_int_equal(run.plans, 2);
    assert_int_equal(ladder_run_rung(&run, "half")->count, 90);
    assert_int_equal(ladder_run_rung(&run, "third")->count, 90);
    ladder_run_end(&run);
    assert_true(transcoder_destroy(full, 10000000));
    film_free(&film);
}

static bool has_output(struct ladder_run *run)
{
    pthread_mutex_lock(&run->lock);
    const bool has_some = run->outputs > 0;
    pthread_mutex_unlock(&run->lock);
    return has_some;
}

/* Nor does it have to wait for the publisher to come again: it asks from time to time, and its rungs join. */
static void a_ladder_without_room_joins_when_there_is(void **state)
{
    const struct transcoder_config config = { .cores = 1, .share_percent = 10, .ask_again_us = 200000 };
    struct transcoder *full;
    struct admission_ticket taken[256];
    struct ladder_options options = three_rungs;
    struct ladder_run run;
    struct film film;
    options.is_unbounded = false;
    film_make(&film, &plain);
    assert_int_equal(transcoder_create(&full, &config), WEIR_OK);
    const size_t count = take_all_room(full, &options, taken, ARRAY_LEN(taken));
    ladder_run_start(&run, full, &options);
    ladder_run_push_live(&run, &film, 0, 30, 100);
    ladder_run_wait(&run, are_all_absent, "every rung to be said absent");
    assert_false(has_output(&run));
    for (size_t i = 0; i < count; i++) transcoder_leave(full, &taken[i]);
    /* again and again, until it has asked */
    for (int i = 0; i < 40 && !has_output(&run); i++) {
        run.era_shift_90k += film.packets[30].dts_90k - film.packets[0].dts_90k;
        ladder_run_push_live(&run, &film, 0, 30, 100);
    }
    ladder_run_drain(&run);
    assert_int_equal(run.plans, 1);
    /* the smallest: a machine that is busy with something else may give up the other one again */
    const struct run_rung *third = ladder_run_rung(&run, "third");
    assert_true(third->count > 0);
    assert_int_equal(third->packets[0].access, FRAME_IDR);
    const int64_t group_90k = film.packets[30].pts_90k - film.packets[0].pts_90k;
    assert_int_equal((third->packets[0].pts_90k - film.packets[0].pts_90k) % group_90k, 0);
    ladder_run_end(&run);
    assert_true(transcoder_destroy(full, 10000000));
    film_free(&film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyframes_are_the_sources_in_every_rung),
        cmocka_unit_test(a_ladder_without_room_is_asked_again),
        cmocka_unit_test(a_ladder_without_room_joins_when_there_is),
        cmocka_unit_test(what_is_missing_shifts_nothing),
        cmocka_unit_test(without_a_source_rung_the_cadence_is_stream_time),
        cmocka_unit_test(a_new_track_and_a_lost_publisher),
        cmocka_unit_test(captions_reach_every_rung_whole),
        cmocka_unit_test(shape_interlacing_and_colour),
        cmocka_unit_test(hdr_stays_hdr),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
