/* Viewers against the double on a hand-cranked clock: a right stream of each kind is watched without a stall or a fault, and what is planted
 * is found as what it is. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/digest.h>
#include <weir/loadgen/viewer.h>

#include "hls_double.h"

#define START_US 1000000000
#define SECONDS_US (30 * 1000000LL)
#define ROUND_TRIP_US 2000
#define HOST "http://double.example"
#define VIEWERS 3
#define PENDING_MAX 8

struct pending {
    bool is_set;
    uint32_t id;
    int64_t sent_us, timeout_us;
    struct double_answer answer;
};

/* Some viewers of one stream, which share what they read. */
struct sim {
    struct hls_double d;
    struct object_cache *cache;
    struct alignment *alignment;
    struct viewer *viewers[VIEWERS];
    struct pending pending[VIEWERS][PENDING_MAX];
    int64_t now_us;
    bool has_tags;
    unsigned unwanted; /* bodies */
};

static void send_all(struct sim *s, unsigned which)
{
    struct check_request q;
    while (viewer_next_request(s->viewers[which], s->now_us, &q)) {
        assert_true(!strncmp(q.url, HOST, strlen(HOST)));
        size_t slot = 0;
        while (slot < PENDING_MAX && s->pending[which][slot].is_set) slot++;
        assert_true(slot < PENDING_MAX);
        struct pending *p = &s->pending[which][slot];
        *p = (struct pending){ .is_set = true, .id = q.id, .sent_us = s->now_us, .timeout_us = q.timeout_us };
        hls_double_ask(&s->d, q.url + strlen(HOST), false, s->now_us + ROUND_TRIP_US / 2, &p->answer);
    }
}

static bool is_late(const struct pending *p)
{
    return p->answer.ready_us == INT64_MAX || p->answer.done_us > p->sent_us + p->timeout_us;
}

static int64_t due_us(const struct pending *p)
{
    return is_late(p) ? p->sent_us + p->timeout_us : p->answer.done_us + ROUND_TRIP_US / 2;
}

static void deliver(struct sim *s, unsigned which, struct pending *p)
{
    char tag[32] = "";
    const struct double_answer *d = &p->answer;
    const uint64_t digest = digest_of(d->body, d->bytes);
    if (s->has_tags) snprintf(tag, sizeof tag, "\"%llx\"", (unsigned long long)digest);
    struct check_answer a = { .id = p->id,
                              .status = is_late(p) ? 0 : d->status,
                              .sent_us = p->sent_us,
                              .done_us = due_us(p),
                              .is_http2 = d->is_http2,
                              .error = is_late(p) ? "timed out" : "",
                              .etag = tag,
                              .body = d->body,
                              .bytes = is_late(p) ? 0 : d->bytes,
                              .digest = digest };
    if (a.status == 200 && !viewer_wants_body(s->viewers[which], p->id, tag)) {
        a.body = NULL;
        s->unwanted++;
    }
    viewer_answer(s->viewers[which], &a);
    free(p->answer.body);
    p->is_set = false;
}

/* The earliest answer, or the time at which a viewer wants to be asked again. */
static void step(struct sim *s)
{
    struct pending *first = NULL;
    unsigned whose = 0;
    int64_t wake_us = START_US + SECONDS_US;
    for (unsigned k = 0; k < VIEWERS; k++) {
        const int64_t own_us = viewer_wake_us(s->viewers[k], s->now_us);
        if (own_us < wake_us) wake_us = own_us;
        for (size_t i = 0; i < PENDING_MAX; i++) {
            struct pending *p = &s->pending[k][i];
            if (!p->is_set || (first && due_us(p) >= due_us(first))) continue;
            first = p;
            whose = k;
        }
    }
    if (first && due_us(first) <= wake_us) {
        if (due_us(first) > s->now_us) s->now_us = due_us(first);
        deliver(s, whose, first);
    } else {
        s->now_us = wake_us > s->now_us ? wake_us : s->now_us + 1;
    }
}

static void run(struct sim *s, unsigned setup, const char *fault, const struct viewer_config *more)
{
    struct viewer_config config = *more;
    hls_double_init(&s->d, setup, fault, START_US);
    if (fault) assert_non_null(s->d.fault);
    s->now_us = START_US;
    s->cache = config.cache = object_cache_create();
    s->alignment = config.alignment = alignment_create();
    config.url = HOST "/live/index.m3u8";
    for (unsigned k = 0; k < VIEWERS; k++) {
        config.choice = k;
        s->viewers[k] = viewer_create(&config, s->now_us);
        assert_non_null(s->viewers[k]);
    }
    while (s->now_us < START_US + SECONDS_US) {
        for (unsigned k = 0; k < VIEWERS; k++) send_all(s, k);
        step(s);
    }
}

static void end(struct sim *s)
{
    for (unsigned k = 0; k < VIEWERS; k++) {
        viewer_destroy(s->viewers[k]);
        for (size_t i = 0; i < PENDING_MAX; i++) {
            if (s->pending[k][i].is_set) free(s->pending[k][i].answer.body);
        }
    }
    object_cache_destroy(s->cache);
    alignment_destroy(s->alignment);
}

static void expect_watched(unsigned setup, const struct viewer_config *config, bool has_tags)
{
    struct sim s = { .has_tags = has_tags };
    run(&s, setup, NULL, config);
    for (unsigned k = 0; k < VIEWERS; k++) {
        const struct viewer_figures *f = viewer_figures(s.viewers[k], s.now_us);
        if (f->first_fault[0]) fail_msg("setup %u: %s", setup, f->first_fault);
        for (unsigned i = 0; i < VIEWER_FAULT_COUNT; i++) assert_int_equal(f->faults[i], 0);
        assert_int_equal(f->state, setup & DOUBLE_END ? VIEWER_ENDED : VIEWER_PLAYING);
        assert_int_equal(f->stalls, 0);
        assert_true(f->startup_us >= 0 && f->startup_us < 2500000);
        if (!(setup & DOUBLE_END)) assert_true(f->played_us > SECONDS_US - 3000000);
        if (setup & DOUBLE_LL && !config->is_plain)
            assert_true(f->parts > (setup & DOUBLE_END ? 10u : 50u));
        else
            assert_true(f->segments >= (setup & DOUBLE_END ? 3u : 12u) && !f->parts);
        if (setup & DOUBLE_BREAK) assert_true(f->discontinuities >= 1);
        if (config->switch_us) assert_true(f->switches >= 5);
        if (setup & DOUBLE_STAMPED)
            assert_true(f->av_compared > 10 && llabs(f->av_offset_us) <= 100);
        else
            assert_int_equal(f->av_compared, 0);
    }
    if (has_tags) assert_true(s.unwanted > 20);
    const struct object_cache_figures c = object_cache_figures(s.cache);
    assert_true(c.shared > c.reads / 2 && !c.conflicts && !c.forgotten);
    if (setup & DOUBLE_TWO_VIDEOS && !(setup & DOUBLE_TS)) assert_true(alignment_figures(s.alignment).compared > 5);
    end(&s);
}

static void right_streams_are_watched(void **unused_state)
{
    const struct viewer_config plain = { .wait_us = 5000000 }, switching = { .wait_us = 5000000, .switch_us = 4000000 },
                               old = { .wait_us = 5000000, .is_plain = true };
    expect_watched(0, &plain, false);
    expect_watched(0, &plain, true);
    expect_watched(DOUBLE_NO_AUDIO, &plain, true);
    expect_watched(DOUBLE_TS, &plain, true);
    expect_watched(DOUBLE_GAP, &plain, true);
    expect_watched(DOUBLE_END, &plain, true);
    expect_watched(DOUBLE_TWO_VIDEOS | DOUBLE_BREAK, &switching, true);
    expect_watched(DOUBLE_LL, &plain, true);
    expect_watched(DOUBLE_LL, &old, true);
    expect_watched(DOUBLE_LL | DOUBLE_TWO_VIDEOS | DOUBLE_BREAK, &switching, true);
    expect_watched(DOUBLE_LL | DOUBLE_GAP, &plain, true);
    expect_watched(DOUBLE_LL | DOUBLE_END, &plain, true);
    expect_watched(DOUBLE_STAMPED, &plain, true);
    expect_watched(DOUBLE_STAMPED | DOUBLE_LL | DOUBLE_TWO_VIDEOS | DOUBLE_BREAK, &switching, true);
}

static const struct {
    const char *name;
    unsigned setup;
    enum viewer_fault fault;
} planted[] = {
    { "sequence-stuck", 0, VIEWER_FAULT_REPEATED },
    { "goes-back", 0, VIEWER_FAULT_NUMBERS_BACK },
    { "goes-back-ll", DOUBLE_LL, VIEWER_FAULT_NUMBERS_BACK },
    { "tfdt-overlaps", 0, VIEWER_FAULT_TIME_GAP },
    { "tfdt-overlaps", DOUBLE_LL, VIEWER_FAULT_TIME_GAP },
    { "video-shifted", DOUBLE_TWO_VIDEOS, VIEWER_FAULT_MISALIGNED },
    { "video-shifted", DOUBLE_TWO_VIDEOS | DOUBLE_LL, VIEWER_FAULT_MISALIGNED },
    { "audio-shifted", 0, VIEWER_FAULT_AV_APART },
    { "audio-shifted", DOUBLE_STAMPED, VIEWER_FAULT_AV_OFFSET },
    { NULL, DOUBLE_STAMPED | DOUBLE_HOLE_IN_GOP, VIEWER_FAULT_UNSOUND },
    { NULL, DOUBLE_STAMPED | DOUBLE_HOLE_IN_GOP | DOUBLE_LL, VIEWER_FAULT_UNSOUND },
    { NULL, DOUBLE_STAMPED | DOUBLE_HOLE_AT_END, VIEWER_FAULT_FRAME_GAP },
    { NULL, DOUBLE_STAMPED | DOUBLE_SOUND_EARLY, VIEWER_FAULT_AV_OFFSET },
    { NULL, DOUBLE_STAMPED | DOUBLE_SOUND_EARLY | DOUBLE_LL, VIEWER_FAULT_AV_OFFSET },
    { "not-sync", 0, VIEWER_FAULT_NO_KEYFRAME },
    { "part-too-long", DOUBLE_LL, VIEWER_FAULT_TOO_LONG },
    { "extinf-long", 0, VIEWER_FAULT_TOO_LONG },
    { "segment-404", 0, VIEWER_FAULT_STATUS },
    { "segment-404", 0, VIEWER_FAULT_HOLE },
    { "no-target", 0, VIEWER_FAULT_UNREADABLE },
    { "ts-gap", DOUBLE_TS, VIEWER_FAULT_TIME_GAP },
};

static void each_planted_fault_is_found(void **unused_state)
{
    const struct viewer_config config = { .wait_us = 5000000 };
    unsigned missed = 0;
    for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
        struct sim s = { .has_tags = true };
        uint64_t found = 0;
        run(&s, planted[i].setup, planted[i].name, &config);
        for (unsigned k = 0; k < VIEWERS; k++) {
            const struct viewer_figures *f = viewer_figures(s.viewers[k], s.now_us);
            found += f->faults[planted[i].fault];
            if (f->faults[planted[i].fault]) assert_true(f->first_fault[0]);
            if (planted[i].setup & DOUBLE_HOLE_AT_END) assert_int_equal(f->faults[VIEWER_FAULT_UNSOUND], 0);
        }
        if (!found) {
            print_error("%s, setup %u: no %s\n", planted[i].name ? planted[i].name : "-", planted[i].setup,
                        viewer_fault_name(planted[i].fault));
            missed++;
        }
        end(&s);
    }
    assert_int_equal(missed, 0);
}

static void a_stream_that_stands_still_is_a_stall(void **unused_state)
{
    const struct viewer_config config = { .wait_us = 5000000 };
    const unsigned setups[] = { DOUBLE_STALL, DOUBLE_STALL | DOUBLE_LL, DOUBLE_STALL | DOUBLE_TS };
    for (size_t i = 0; i < ARRAY_LEN(setups); i++) {
        struct sim s = { .has_tags = true };
        run(&s, setups[i], NULL, &config);
        for (unsigned k = 0; k < VIEWERS; k++) {
            const struct viewer_figures *f = viewer_figures(s.viewers[k], s.now_us);
            assert_int_equal(f->state, VIEWER_STALLED);
            assert_int_equal(f->stalls, 1);
            assert_true(f->stalled_us > 5000000);
            assert_true(llabs(f->longest_stall_us - f->stalled_us) < 1000);
            assert_true(llabs(f->played_us + f->stalled_us + f->startup_us - SECONDS_US) < 10000);
        }
        end(&s);
    }
}

static void bytes_that_change_under_their_tag_are_found(void **unused_state)
{
    struct object_cache *c = object_cache_create();
    const char *text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n";
    struct object_body body = { "http://h/a", "\"1\"", (const uint8_t *)text, strlen(text), 1 };
    struct object *first = object_cache_take(c, OBJECT_LIST, &body, NULL);
    assert_true(first && first->is_readable && first->list->segment_count == 1);
    body.body = NULL;
    struct object *second = object_cache_take(c, OBJECT_LIST, &body, NULL);
    assert_ptr_equal(first, second);
    body.digest = 2;
    assert_null(object_cache_take(c, OBJECT_LIST, &body, NULL));
    assert_int_equal(object_cache_figures(c).conflicts, 1);
    object_cache_destroy(c);
    object_unref(first);
    object_unref(second);
}

static void the_oldest_objects_are_forgotten(void **unused_state)
{
    char url[32];
    struct object_cache *c = object_cache_create();
    const char *text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
    for (unsigned i = 0; i < LOADGEN_OBJECTS_MAX + 10; i++) {
        snprintf(url, sizeof url, "http://h/%u", i);
        const struct object_body body = { url, "\"1\"", (const uint8_t *)text, strlen(text), 1 };
        object_unref(object_cache_take(c, OBJECT_LIST, &body, NULL));
    }
    assert_false(object_cache_knows(c, "http://h/9", "\"1\""));
    assert_true(object_cache_knows(c, "http://h/10", "\"1\""));
    object_cache_destroy(c);
}

static void digests_do_not_depend_on_the_pieces(void **unused_state)
{
    uint8_t data[100];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 37);
    const uint64_t whole = digest_of(data, sizeof data);
    for (size_t first = 0; first < sizeof data; first++) {
        for (size_t second = first; second < sizeof data; second += 3) {
            struct digest d;
            digest_init(&d);
            digest_add(&d, data, first);
            digest_add(&d, data + first, second - first);
            digest_add(&d, data + second, sizeof data - second);
            assert_true(digest_value(&d) == whole);
        }
    }
    assert_true(digest_of(data, 99) != whole);
    assert_true(digest_of("\0", 1) != digest_of("\0\0", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_streams_are_watched),
        cmocka_unit_test(each_planted_fault_is_found),
        cmocka_unit_test(a_stream_that_stands_still_is_a_stall),
        cmocka_unit_test(bytes_that_change_under_their_tag_are_found),
        cmocka_unit_test(the_oldest_objects_are_forgotten),
        cmocka_unit_test(digests_do_not_depend_on_the_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
