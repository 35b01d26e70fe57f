/* Numbers from epoch time: two servers with the same stream, which meet it at different moments, lose it, or are told nonsense; what they list
 * under one number is the same. */
#include "packager_bench.h"

#include <packager/epoch_clock.h>

#define ORIGIN_90K 900000
#define SEGMENTS_MAX 128

/* A film that begins at WALL_START_US by its encoder's clock. */
struct film {
    double fps;
    unsigned gop, phase; /* frames; phase: of the first keyframe */
    bool has_audio, says_time;
    double drift; /* of the encoder's clock against the pictures' */
};

struct server {
    struct bench b;
    const struct film *film;
    int64_t zero_90k; /* stream time of the film's beginning */
    int64_t late_us;  /* so long after it was taken a frame is here */
    int64_t told_us;  /* added to what the encoder says */
    int64_t frame, audio;
};

static const struct stream_policy epoch_policy = { .hold_us = 30000000,
                                                   .segment_us = 2000000,
                                                   .segment_max_us = 4000000,
                                                   .window_us = 120000000,
                                                   .numbering = NUMBERING_EPOCH };

static void start(struct server *s, const struct film *film, int64_t late_us)
{
    *s = (struct server){ .film = film, .late_us = late_us };
    setup_with(&s->b, &epoch_policy);
    s->b.wall_us += late_us;
}

static int64_t film_us(const struct film *f, int64_t frame)
{
    return (int64_t)((double)frame * 1e6 / f->fps + 0.5);
}

/* Comes (back) at this second of the film; its stream time is at stream_s then. */
static void meet(struct server *s, double film_s, double stream_s)
{
    const struct film *f = s->film;
    s->frame = (int64_t)(film_s * f->fps + 0.5);
    s->audio = (int64_t)(film_s * 48000 / 1024) + 1;
    s->zero_90k = ORIGIN_90K + (int64_t)(stream_s * 90000) - film_us(f, s->frame) * 9 / 100;
    s->b.wall_us = WALL_START_US + film_us(f, s->frame) + s->late_us;
    s->b.sink->tracks(s->b.sink,
                      &(struct track_set){ .video = s->b.video, .audio = { f->has_audio ? s->b.audio : NULL } });
    s->b.sink->era(s->b.sink, ++s->b.era, s->zero_90k + film_us(f, s->frame) * 9 / 100, s->b.wall_us);
}

static void push_frame(struct server *s)
{
    const struct film *f = s->film;
    const bool is_key = s->frame % f->gop == f->phase;
    const int64_t at_us = film_us(f, s->frame), at_90k = s->zero_90k + at_us * 9 / 100;
    struct blob *blob = blob_copy("picture", 7);
    const struct media_packet p = {
        .kind = MEDIA_VIDEO,
        .access = is_key ? FRAME_IDR : FRAME_INTER,
        .payload = { blob, blob_data(blob), 7 },
        .era = s->b.era,
        .dts_90k = at_90k,
        .pts_90k = at_90k,
        .nominal_90k = (uint32_t)(90000 / f->fps),
        .taken_us = f->says_time ? WALL_START_US + s->told_us + (int64_t)((double)at_us * (1 + f->drift)) : 0,
    };
    s->b.wall_us = WALL_START_US + at_us + s->late_us;
    s->b.sink->push(s->b.sink, &p);
    blob_unref(blob);
    s->frame++;
}

static void push_sound(struct server *s)
{
    const int64_t at_90k = s->zero_90k + s->audio * 1024 * 90000 / 48000;
    push_track(&s->b, MEDIA_AUDIO, 0, at_90k, true);
    s->audio++;
}

static void run_to(struct server *s, double film_s)
{
    for (;;) {
        const double video_s = (double)film_us(s->film, s->frame) / 1e6, audio_s = (double)s->audio * 1024 / 48000;
        const bool is_audio = s->film->has_audio && audio_s < video_s;
        if ((is_audio ? audio_s : video_s) >= film_s) return;
        if (is_audio)
            push_sound(s);
        else
            push_frame(s);
    }
}

struct line {
    uint64_t msn;
    double duration_s;
    char date[40], name[64];
    bool is_gap;
};
struct list {
    struct line lines[SEGMENTS_MAX];
    size_t count;
    unsigned tags;
    bool is_independent;
};

static struct list read_list(struct server *s, const char *rendition)
{
    static char text[1 << 16];
    struct list l = { .count = 0 };
    struct edge_snapshot *e = live_edge_acquire(s->b.edge, rendition, strlen(rendition));
    assert_non_null(e);
    text[frozen_read(edge_snapshot_playlist(e, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
    edge_snapshot_unref(e);
    uint64_t msn = number(text, "#EXT-X-MEDIA-SEQUENCE:");
    const double target_s = (double)number(text, "#EXT-X-TARGETDURATION:");
    struct line now = { .msn = msn };
    char *rest = text;
    for (char *at; (at = strsep(&rest, "\n"));) {
        l.tags += !strcmp(at, "#EXT-X-DISCONTINUITY");
        l.is_independent |= !strcmp(at, "#EXT-X-INDEPENDENT-SEGMENTS");
        now.is_gap |= !strcmp(at, "#EXT-X-GAP");
        if (!strncmp(at, "#EXTINF:", 8)) now.duration_s = atof(at + 8);
        if (!strncmp(at, "#EXT-X-PROGRAM-DATE-TIME:", 25)) snprintf(now.date, sizeof now.date, "%s", at + 25);
        if (!*at || *at == '#') continue;
        snprintf(now.name, sizeof now.name, "%s", at);
        assert_true(now.duration_s <= target_s + 0.5);
        assert_true(l.count < SEGMENTS_MAX);
        l.lines[l.count++] = now;
        now = (struct line){ .msn = ++msn };
    }
    return l;
}

/* Whatever both list as media under a number is as long and was taken at the same time. Returns how many there are. */
static unsigned compare(struct server *a, struct server *b, const char *rendition, bool has_same_names)
{
    const struct list one = read_list(a, rendition), two = read_list(b, rendition);
    unsigned same = 0;
    for (size_t i = 0, k = 0; i < one.count && k < two.count;) {
        const struct line *x = &one.lines[i], *y = &two.lines[k];
        i += x->msn <= y->msn;
        k += y->msn <= x->msn;
        if (x->msn != y->msn || x->is_gap || y->is_gap) continue;
        if (strcmp(x->date, y->date) || x->duration_s - y->duration_s > 0.002 ||
            y->duration_s - x->duration_s > 0.002 || has_same_names != !strcmp(x->name, y->name))
            fail_msg("%s %llu: %s %s %f and %s %s %f", rendition, (unsigned long long)x->msn, x->name, x->date,
                     x->duration_s, y->name, y->date, y->duration_s);
        same++;
    }
    return same;
}

static void two_servers_cut_alike(void **unused_state)
{
    static const struct {
        const char *label;
        struct film film;
        double late_s;  /* when the second one meets it */
        unsigned least; /* segments in common, of 40 seconds */
        bool has_sound; /* whose segments are alike too: not where its frames are cut otherwise */
        bool is_independent;
    } cases[] = {
        { "both from the beginning", { 30, 60, 0, true, true, 0 }, 0, 18, true, true },
        { "from the middle, keyframes inside cells", { 30, 60, 21, false, true, 0 }, 12.3, 12, false, true },
        { "keyframes late in their cells", { 30, 60, 57, false, true, 0 }, 12.3, 12, false, true },
        { "two keyframes a cell", { 25, 25, 3, false, true, 0 }, 7, 15, false, true },
        { "cells without one", { 30, 90, 10, false, true, 0 }, 10, 12, false, false },
        { "OBS's 8.3 s", { 30, 250, 0, false, true, 0 }, 7, 11, false, false },
        { "23.976", { 24000 / 1001.0, 48, 5, false, true, 0 }, 11, 12, false, true },
        { "its clock is fast", { 30, 60, 30, false, true, 0.0004 }, 15, 11, false, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct server a, b;
        print_message("%s\n", cases[i].label);
        start(&a, &cases[i].film, 20000);
        start(&b, &cases[i].film, 700000);
        meet(&a, 0, 0);
        run_to(&a, 40);
        meet(&b, cases[i].late_s, 0);
        run_to(&b, 40);
        const bool has_same_start = cases[i].late_s <= 0;
        assert_in_range(compare(&a, &b, "video", has_same_start), cases[i].least, 20);
        if (cases[i].has_sound) assert_in_range(compare(&a, &b, "audio", has_same_start), cases[i].least, 20);
        assert_int_equal(read_list(&a, "video").is_independent, cases[i].is_independent);
        assert_int_equal(figure_read(&live_edge_figures(a.b.edge)->times_refused), 0);
        teardown(&a.b);
        teardown(&b.b);
    }
    (void)unused_state;
}

/* One of them loses its publisher for a while. Its numbers go on where the other's are; in between are gaps. */
static void lost_time_is_left_out(void **unused_state)
{
    static const struct film film = { 30, 60, 12, true, true, 0 };
    static struct server a, b;
    start(&a, &film, 0);
    start(&b, &film, 0);
    meet(&a, 0, 0);
    meet(&b, 0, 0);
    run_to(&a, 50);
    run_to(&b, 15);
    b.b.sink->lost(b.b.sink);
    meet(&b, 27, 16);
    run_to(&b, 50);
    const struct list one = read_list(&a, "video"), two = read_list(&b, "video"), sound = read_list(&b, "audio");
    assert_int_equal(one.lines[one.count - 1].msn, two.lines[two.count - 1].msn);
    assert_int_equal(two.tags, one.tags + 1);
    unsigned gaps = 0, same = 0;
    for (size_t i = 0; i < two.count; i++) {
        const struct line *x = &one.lines[i], *y = &two.lines[i];
        assert_int_equal(x->msn, y->msn);
        gaps += y->is_gap;
        if (y->is_gap || y->msn == two.lines[0].msn + 6) continue; /* the one that was cut off */
        assert_string_equal(x->date, y->date);
        same++;
    }
    assert_in_range(gaps, 6, 7); /* twelve seconds, and the cell that it came back into */
    assert_in_range(same, 15, 18);
    for (size_t i = 0; i < sound.count; i++) assert_int_equal(sound.lines[i].is_gap, two.lines[i].is_gap);
    teardown(&a.b);
    teardown(&b.b);
    (void)unused_state;
}

/* Pictures are missing for five seconds on an open connection, and sound goes on: gaps in one, segments in the other. */
static void a_hole_in_the_picture(void **unused_state)
{
    static const struct film film = { 30, 60, 0, true, true, 0 };
    static struct server a, b;
    start(&a, &film, 0);
    start(&b, &film, 0);
    meet(&a, 0, 0);
    meet(&b, 0, 0);
    run_to(&a, 30);
    run_to(&b, 11.5);
    while (b.audio * 1024 / 48000 < 14) push_sound(&b);
    b.frame = (int64_t)(17 * film.fps);
    while (b.audio * 1024 / 48000 < 17) push_sound(&b);
    run_to(&b, 30);
    const struct list one = read_list(&a, "video"), two = read_list(&b, "video"), sound = read_list(&b, "audio");
    assert_int_equal(one.lines[one.count - 1].msn, two.lines[two.count - 1].msn);
    assert_int_equal(two.tags, one.tags);
    assert_string_equal(one.lines[one.count - 1].date, two.lines[two.count - 1].date);
    for (size_t i = 1; i < two.count; i++) assert_int_equal(two.lines[i].msn, two.lines[i - 1].msn + 1);
    for (size_t i = 1; i < sound.count; i++) assert_int_equal(sound.lines[i].msn, sound.lines[i - 1].msn + 1);
    teardown(&a.b);
    teardown(&b.b);
    (void)unused_state;
}

/* Killed and started again within one cell, the server does not use its number again. */
static void a_number_is_not_used_twice(void **unused_state)
{
    static const struct film film = { 30, 15, 0, false, true, 0 };
    static struct server s;
    uint64_t last = 0;
    for (int life = 0; life < 12; life++) {
        const double at_s = life * 1.3;
        start(&s, &film, 10000);
        meet(&s, at_s, 0);
        run_to(&s, at_s + 0.1);
        for (double to_s = at_s; to_s < at_s + 1.2; to_s += 0.05) run_to(&s, to_s);
        s.b.sink->end(s.b.sink); /* so that what is open is listed */
        struct edge_snapshot *e = live_edge_acquire(s.b.edge, "video", 5);
        if (e) {
            edge_snapshot_unref(e);
            const struct list l = read_list(&s, "video");
            assert_true(l.lines[0].msn > last);
            last = l.lines[l.count - 1].msn;
        }
        teardown(&s.b);
    }
    assert_true(last > 0);
    (void)unused_state;
}

/* An encoder that does not say the time: by when it came. Numbers are the clock's, and names are the server's own. */
static void without_the_encoders_time(void **unused_state)
{
    static const struct film film = { 30, 60, 30, true, false, 0 };
    static struct server a, b;
    start(&a, &film, 20000);
    start(&b, &film, 90000);
    meet(&a, 0, 0);
    meet(&b, 8, 0);
    run_to(&a, 30);
    run_to(&b, 30);
    const struct list one = read_list(&a, "video"), two = read_list(&b, "video");
    assert_int_equal(one.lines[one.count - 1].msn, two.lines[two.count - 1].msn);
    assert_int_equal(one.lines[0].msn, (WALL_START_US - EPOCH_WALL_US) / 2000000 + 1); /* not the cell it was met in */
    teardown(&a.b);
    teardown(&b.b);
    (void)unused_state;
}

/* Numbers never go back, and nothing runs away, whatever the encoder says. */
static void nonsense_is_not_believed(void **unused_state)
{
    static const struct film film = { 30, 60, 0, false, true, 0 };
    static const struct {
        int64_t then_us; /* how its clock jumps, in the middle of an era or with a new one */
        bool is_new_era;
        unsigned refused_least;
    } cases[] = {
        { -3600 * 1000000LL, false, 1 }, { 3600 * 1000000LL, false, 1 }, { 40 * 86400 * 1000000LL, false, 1 },
        { -600 * 1000000LL, true, 0 },   { 20 * 1000000LL, true, 0 },    { 23 * 3600 * 1000000LL, true, 1 },
        { INT64_MIN / 2, true, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct server s;
        start(&s, &film, 0);
        meet(&s, 0, 0);
        run_to(&s, 13);
        const struct list before = read_list(&s, "video");
        s.told_us = cases[i].then_us;
        if (cases[i].is_new_era) meet(&s, 13, 14);
        run_to(&s, 60);
        const struct list after = read_list(&s, "video");
        assert_true(figure_read(&live_edge_figures(s.b.edge)->times_refused) >= cases[i].refused_least);
        assert_int_equal(after.lines[0].msn, before.lines[0].msn);
        assert_in_range(after.count, 16, 42); /* half as many where it waits for its encoder; 20 s are ten gaps */
        teardown(&s.b);
    }
    (void)unused_state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_servers_cut_alike),     cmocka_unit_test(lost_time_is_left_out),
        cmocka_unit_test(a_hole_in_the_picture),     cmocka_unit_test(a_number_is_not_used_twice),
        cmocka_unit_test(without_the_encoders_time), cmocka_unit_test(nonsense_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
