/* A stream with a ladder that things happen to: whatever fails inside, and whichever loop owns the stream, what players are told stays
 * whole: segment n of a rung begins on the tick of the source's, or is a gap, and no number is missing. */
#include "hex.h"

#include "clicks.h"
#include "fake_backend.h"
#include "film.h"
#include "hls_reader.h"

#include <server/ladder_board.h>
#include <server/stream_ladder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/base/loop.h>
#include <weir/packager/packager.h>

#define PATIENCE_US (30 * 1000000LL)
#define GOP 30
#define FRAMES 150 /* five segments */
#define RENDITIONS 3

static const char *const names[RENDITIONS] = { "video", "half", "third" };

struct watched {
    struct hls_reader list;
    uint64_t version;
    int64_t first_90k[HLS_SEEN_MAX]; /* by place in the list; -1: a gap */
};

static struct film film, larger;
static struct transcoder *transcoder;
static struct ladder_board *board;

static struct house {
    struct loop *loops[2], *here;
    struct live_edge *edge;
    struct packet_sink *sink;
    struct watched *watched[RENDITIONS];
    uint32_t era;
    bool (*is_lost)(size_t picture); /* on its way here; NULL: none is */
    int64_t shift_90k, wall_us;      /* the wall clock goes as the film does */
} house;

static int64_t wall_now(void *context)
{
    return house.wall_us;
}

static const struct config_path two_rungs = { .ladder = {
                                                  .is_on = true,
                                                  .wish = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                                                                       { .name = "half",
                                                                         .kind = RUNG_ENCODED,
                                                                         .scale_num = 1,
                                                                         .scale_den = 2,
                                                                         .preset = "superfast" },
                                                                       { .name = "third",
                                                                         .kind = RUNG_ENCODED,
                                                                         .scale_num = 1,
                                                                         .scale_den = 3,
                                                                         .preset = "superfast" } },
                                                            .rung_count = 3 },
                                                  .backend = "auto",
                                                  .latency = LADDER_LATENCY_LOW,
                                              } };

static void begin(const struct config_path *path)
{
    static const struct stream_policy policy = { .segment_us = 1000000,
                                                 .segment_max_us = 1500000,
                                                 .window_us = 60000000 };
    const struct packager_config config = { .wall_now_us = wall_now, .run_id = 7, .awaits_rungs = true };
    house = (struct house){ .wall_us = 1800000000000000LL };
    for (size_t i = 0; i < 2; i++) assert_int_equal(loop_create(&house.loops[i], "test"), WEIR_OK);
    house.here = house.loops[0];
    house.edge = live_edge_create("live/film");
    struct packet_sink *packager = packager_create(house.edge, &policy, &config);
    assert_non_null(packager);
    house.sink = stream_ladder_create("live/film", packager, path, transcoder, board);
    assert_non_null(house.sink);
    for (size_t i = 0; i < RENDITIONS; i++) {
        house.watched[i] = calloc(1, sizeof *house.watched[i]);
        hls_reader_init(&house.watched[i]->list, names[i]);
    }
    house.sink->moved(house.sink, house.here);
}

/* -- what players see -- */

static int64_t first_tick(const struct edge_snapshot *s, const char *uri)
{
    static uint8_t head[16384];
    const struct edge_object *o = edge_snapshot_find(s, uri, strlen(uri));
    assert_non_null(o);
    struct frozen *body = edge_object_body(o);
    const size_t bytes = frozen_read(body, 0, head, sizeof head);
    frozen_unref(body);
    size_t tfdt = 0, trun = 0;
    for (size_t i = 0; i + 40 < bytes && !trun; i++) {
        if (!tfdt && !memcmp(head + i, "tfdt", 4)) tfdt = i + 4;
        if (!memcmp(head + i, "trun", 4)) trun = i + 4;
    }
    assert_true(tfdt && trun);
    const uint64_t dts = (uint64_t)load_u32(head + tfdt + 4) << 32 | load_u32(head + tfdt + 8);
    return (int64_t)dts + (int32_t)load_u32(head + trun + 24);
}

static void look(size_t index)
{
    static char text[1 << 16];
    struct watched *w = house.watched[index];
    struct edge_snapshot *s = live_edge_acquire(house.edge, names[index], strlen(names[index]));
    if (s && edge_snapshot_version(s) != w->version) {
        w->version = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        hls_reader_read(&w->list, text);
        for (size_t i = w->list.count - w->list.fresh; i < w->list.count; i++) {
            const struct hls_seen *seen = &w->list.seen[i];
            w->first_90k[i] = seen->is_gap ? -1 : first_tick(s, seen->uri);
        }
    }
    edge_snapshot_unref(s);
}

static void turn(void)
{
    while (loop_drain(house.here)) continue;
    for (size_t i = 0; i < RENDITIONS; i++) look(i);
}

static void wait_until(bool (*is_so)(void), const char *what)
{
    const int64_t until_us = clock_now_us() + PATIENCE_US;
    for (;;) {
        const struct timespec soon = { .tv_nsec = 5000000 };
        turn();
        if (is_so()) return;
        if (clock_now_us() > until_us) fail_msg("waited in vain: %s", what);
        nanosleep(&soon, NULL);
        house.sink->tick(house.sink, clock_now_us());
    }
}

static bool have_all_caught_up(void)
{
    const size_t count = house.watched[0]->list.count;
    for (size_t i = 1; i < RENDITIONS; i++) {
        const struct watched *w = house.watched[i];
        if (!w->list.count || w->list.seen[w->list.count - 1].msn < house.watched[0]->list.seen[count - 1].msn)
            return false;
    }
    return true;
}

struct reading {
    int64_t alive, moves, absent, encoding;
};
static void read_view(void *context, const struct ladder_view *v)
{
    struct reading *r = context;
    r->moves = ladder_view_read(v, FIGURE_BACKEND_MOVES);
    for (size_t i = 0; i < v->rung_count; i++) {
        r->absent += v->rungs[i].is_absent;
        r->encoding += v->rungs[i].backend && !v->rungs[i].is_absent;
    }
}
static struct reading read_board(void)
{
    struct reading r = { .alive = transcode_read(transcoder_figures(transcoder), FIGURE_ENCODERS_ALIVE) };
    ladder_board_look(board, "live/film", read_view, &r);
    return r;
}
static bool has_an_encoder(void)
{
    return read_board().encoding > 0;
}
static bool are_all_absent(void)
{
    return read_board().absent == 2;
}
static size_t gaps_of(size_t index)
{
    size_t gaps = 0;
    for (size_t i = 0; i < house.watched[index]->list.count; i++) gaps += house.watched[index]->first_90k[i] < 0;
    return gaps;
}

/* How many segments were compared. */
static size_t compare(void)
{
    const struct watched *source = house.watched[0];
    size_t compared = 0;
    for (size_t k = 1; k < RENDITIONS; k++) {
        const struct watched *w = house.watched[k];
        hls_reader_compare(&source->list, &w->list);
        for (size_t i = 0; i < w->list.count; i++) {
            for (size_t n = 0; n < source->list.count; n++) {
                if (source->list.seen[n].msn != w->list.seen[i].msn || w->first_90k[i] < 0) continue;
                assert_int_equal(w->first_90k[i], source->first_90k[n]);
                compared++;
            }
        }
    }
    return compared;
}

/* -- what the publisher does -- */

static void publish_film(const struct film *f, size_t from, size_t to, bool (*is_ready)(void))
{
    struct track_set tracks = { .video = f->track };
    house.sink->tracks(house.sink, &tracks);
    for (size_t i = from; i < to && i < f->count; i++) {
        struct media_packet p = f->packets[i];
        if (house.is_lost && house.is_lost(i)) continue;
        const struct timespec pause = { .tv_nsec = 3000000 }; /* ten times as fast as it is shown */
        p.era = house.era;
        p.pts_90k += house.shift_90k;
        p.dts_90k += house.shift_90k;
        p.arrival_us = clock_now_us();
        house.wall_us = 1800000000000000LL + p.dts_90k * 100 / 9;
        if (i == from) house.sink->era(house.sink, p.era, p.dts_90k, wall_now(NULL));
        house.sink->push(house.sink, &p);
        if (i == from) wait_until(is_ready, "the ladder"); /* it takes its time to begin, and this film is fast */
        turn();
        if (i % GOP == GOP / 2) house.sink->tick(house.sink, clock_now_us());
        nanosleep(&pause, NULL);
    }
}

static void publish(size_t from, size_t to, bool (*is_ready)(void))
{
    publish_film(&film, from, to, is_ready);
}

static void come_back(void)
{
    house.era++;
    house.shift_90k += 90000LL * FRAMES / 30 + 90000;
}

static void leave(void)
{
    house.sink->lost(house.sink);
    wait_until(have_all_caught_up, "the rungs to have as many segments as the source");
}

static void end(void)
{
    house.sink->end(house.sink);
    turn();
    for (size_t i = 0; i < RENDITIONS; i++) {
        if (house.watched[i]->list.count) assert_true(house.watched[i]->list.has_ended);
        free(house.watched[i]);
    }
    house.sink->destroy(house.sink);
    fake_release();
    const int64_t until_us = clock_now_us() + PATIENCE_US;
    while (read_board().alive && clock_now_us() < until_us) {
        const struct timespec soon = { .tv_nsec = 1000000 };
        nanosleep(&soon, NULL);
    }
    assert_int_equal(read_board().alive, 0);
    live_edge_unref(house.edge);
    for (size_t i = 0; i < 2; i++) loop_destroy(house.loops[i]);
}

static char *multivariant(void)
{
    static char text[8192];
    struct frozen *f = live_edge_acquire_multivariant(house.edge, NULL);
    text[0] = 0;
    if (f) text[frozen_read(f, 0, text, sizeof text - 1)] = 0;
    frozen_unref(f);
    return text;
}

static void nothing_goes_wrong(void **state)
{
    begin(&two_rungs);
    publish(0, FRAMES, has_an_encoder);
    leave();
    const char *text = multivariant();
    assert_true(strstr(text, "video/index.m3u8") && strstr(text, "half/index.m3u8") &&
                strstr(text, "third/index.m3u8"));
    assert_int_equal(compare(), 10);
    assert_int_equal(gaps_of(1) + gaps_of(2), 0);
    end();
}

static void an_encoder_fails_and_nobody_notices(void **state)
{
    atomic_store(&fake.encoder_fails_at, 45);
    begin(&two_rungs);
    publish(0, FRAMES, has_an_encoder);
    assert_int_equal(read_board().moves, 2);
    leave();
    assert_int_equal(compare(), 10);
    assert_int_equal(gaps_of(1) + gaps_of(2), 0);
    end();
}

static void a_decoder_fails_in_the_middle(void **state)
{
    atomic_store(&fake.decoder_fails_at, 45);
    begin(&two_rungs);
    publish(0, FRAMES, has_an_encoder);
    leave();
    /* from the next keyframe on: at most one segment of each is missing, and says so */
    assert_true(compare() >= 8);
    assert_true(gaps_of(1) <= 1 && gaps_of(2) <= 1);
    end();
}

static void an_encoder_hangs(void **state)
{
    atomic_store(&fake.encoder_hangs_at, 40);
    begin(&two_rungs);
    publish(0, FRAMES, has_an_encoder);
    leave();
    assert_true(compare() + gaps_of(1) + gaps_of(2) == 10);
    assert_true(compare() >= 4);
    end();
}

/* Where nothing can be encoded, the source is shown, although no rung is the source. */
static void nothing_can_be_encoded(void **state)
{
    static const struct backend *const broken[] = { &fake_backend };
    const struct transcoder_config config = { .backends = broken, .backend_count = 1 };
    struct transcoder *whole = transcoder;
    struct config_path path = two_rungs;
    struct ladder_config *wish = &path.ladder.wish;
    wish->rungs[0] = wish->rungs[1];
    wish->rungs[1] = wish->rungs[2];
    wish->rung_count = 2;
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    static struct backend_report reports[BACKENDS_MAX];
    transcoder_report(transcoder, reports); /* it works while it is tried */
    atomic_store(&fake.encoder_open_fails, 1000000);
    begin(&path);
    publish(0, FRAMES, are_all_absent);
    const char *text = multivariant();
    assert_non_null(strstr(text, "video/index.m3u8"));
    assert_null(strstr(text, "half"));
    house.sink->lost(house.sink);
    end();
    assert_true(transcoder_destroy(transcoder, PATIENCE_US));
    transcoder = whole;
}

/* The publisher is taken over by one on another loop: what is inside the encoders then goes to that one. */
static void the_stream_moves_to_another_loop(void **state)
{
    begin(&two_rungs);
    publish(0, FRAMES / 2, has_an_encoder);
    house.sink->lost(house.sink);
    house.sink->moved(house.sink, NULL);
    while (loop_drain(house.loops[0])) continue; /* wakes nobody any more */
    house.here = house.loops[1];
    house.sink->moved(house.sink, house.here);
    come_back();
    publish(0, FRAMES, has_an_encoder);
    leave();
    assert_int_equal(loop_drain(house.loops[0]), 0);
    assert_int_equal(compare(), 16);
    assert_int_equal(gaps_of(1) + gaps_of(2), 0);
    end();
}

/* One that others are made from, and a keyframe. */
static bool is_lost(size_t picture)
{
    return picture == GOP + 17 || picture == 3 * GOP;
}

/* Whatever a rung cannot show for it, what it shows begins where the source's does. */
static void pictures_are_missing(void **state)
{
    begin(&two_rungs);
    house.is_lost = is_lost;
    publish(0, FRAMES, has_an_encoder);
    leave();
    assert_true(compare() >= 6);
    assert_true(gaps_of(1) <= 1 && gaps_of(2) <= 1);
    end();
}

/* In the middle of a group of pictures, without a word of goodbye: the rungs' sizes follow, and so do their segments. */
static void the_picture_becomes_larger_and_smaller_again(void **state)
{
    begin(&two_rungs);
    publish(0, FRAMES / 2, has_an_encoder);
    come_back();
    publish_film(&larger, 0, FRAMES / 2, has_an_encoder);
    come_back();
    publish(0, FRAMES, has_an_encoder);
    leave();
    /* two segments and a half of each of the first two, five of the last */
    assert_true(compare() >= 2 * (2 + 2 + 5));
    assert_int_equal(gaps_of(1) + gaps_of(2), 0);
    end();
}

static bool is_sound_made(void)
{
    return transcode_read(transcoder_figures(transcoder), FIGURE_AUDIO_ENCODED) >= 20;
}
static bool is_sound_named(void)
{
    return strstr(multivariant(), "low/index.m3u8") != NULL;
}

/* From packet `from` on up to a time; the film's begins with it. */
static size_t push_clicks(const struct clicks *sound, size_t from, int64_t start_90k, int64_t until_90k)
{
    for (; from < sound->count && start_90k + sound->packets[from].pts_90k < until_90k; from++) {
        struct media_packet p = sound->packets[from];
        p.era = house.era;
        p.pts_90k = p.dts_90k = start_90k + p.pts_90k;
        p.pts_samples += start_90k * sound->rate / 90000;
        p.arrival_us = clock_now_us();
        house.sink->push(house.sink, &p);
    }
    return from;
}

/* On a busy machine the coder of sound has its first packets out before the ladder has made its plan of the pictures. */
static void sound_is_made_before_the_plan(void **state)
{
    static struct clicks sound;
    struct config_path path = two_rungs;
    path.audio = (struct config_audio){
        .mode = AUDIO_RUNGS, .has_source = true, .rungs = { { .name = "low", .codec = CODEC_OPUS } }, .rung_count = 1
    };
    clicks_make(&sound, "aac", CODEC_AAC, 48000, 2);
    const struct track_set tracks = { .video = film.track, .audio = { sound.track } };
    const int64_t start_90k = film.packets[0].dts_90k;
    begin(&path);
    house.sink->tracks(house.sink, &tracks);
    house.sink->era(house.sink, house.era, start_90k, wall_now(NULL));
    size_t heard = push_clicks(&sound, 0, start_90k, start_90k + 90000);
    wait_until(is_sound_made, "sound");
    for (size_t i = 0; i < FRAMES; i++) {
        struct media_packet p = film.packets[i];
        p.era = house.era;
        p.arrival_us = clock_now_us();
        house.wall_us = 1800000000000000LL + p.dts_90k * 100 / 9;
        house.sink->push(house.sink, &p);
        if (!i) wait_until(has_an_encoder, "the ladder");
        heard = push_clicks(&sound, heard, start_90k, p.dts_90k);
        turn();
    }
    wait_until(is_sound_named, "the sound to be there to be played");
    /* from the first picture on */
    struct edge_snapshot *s = live_edge_acquire(house.edge, "low", 3);
    static char text[1 << 16];
    text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
    edge_snapshot_unref(s);
    struct hls_reader *list = calloc(1, sizeof *list);
    hls_reader_init(list, "low");
    hls_reader_read(list, text);
    assert_int_equal(list->seen[0].msn, house.watched[0]->list.seen[0].msn);
    for (size_t i = 0; i < list->count; i++) assert_false(list->seen[i].is_gap);
    free(list);
    leave();
    end();
    clicks_free(&sound);
}

static int set_up(void **state)
{
    static const struct backend *const backends[] = { &fake_backend, &backend_cpu };
    const struct transcoder_config config = { .backends = backends, .backend_count = 2 };
    const struct film_config c = {
        .width = 192, .height = 96, .frames = FRAMES, .fps_num = 30, .fps_den = 1, .gop = GOP, .start_90k = 900000
    };
    static struct backend_report reports[BACKENDS_MAX];
    fake_reset();
    film_make(&film, &c);
    struct film_config large = c;
    large.width = 256;
    large.height = 160;
    film_make(&larger, &large);
    board = ladder_board_create();
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    transcoder_report(transcoder, reports);
    return 0;
}

static int before_each(void **state)
{
    fake_reset();
    return 0;
}

static int tear_down(void **state)
{
    assert_true(transcoder_destroy(transcoder, PATIENCE_US));
    ladder_board_destroy(board);
    film_free(&film);
    film_free(&larger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_goes_wrong, before_each),
        cmocka_unit_test_setup(an_encoder_fails_and_nobody_notices, before_each),
        cmocka_unit_test_setup(a_decoder_fails_in_the_middle, before_each),
        cmocka_unit_test_setup(an_encoder_hangs, before_each),
        cmocka_unit_test_setup(nothing_can_be_encoded, before_each),
        cmocka_unit_test_setup(pictures_are_missing, before_each),
        cmocka_unit_test_setup(the_picture_becomes_larger_and_smaller_again, before_each),
        cmocka_unit_test_setup(sound_is_made_before_the_plan, before_each),
        cmocka_unit_test_setup(the_stream_moves_to_another_loop, before_each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
