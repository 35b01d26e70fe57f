/* From transport packets into a stream: what a loss hides must not be shown either. */
#include "hex.h"
#include "ts_scene.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/stream/stream.h>

#include "ingest/ts_intake.h"

#define PICTURES 120
#define GOP 10

struct witness {
    struct packet_sink sink; /* first */
    unsigned frames, keys, damaged;
    int64_t last_dts_90k;
};

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks) {}
static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us) {}
static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct witness *w = (struct witness *)sink;
    w->frames++;
    w->keys += packet->access == FRAME_IDR;
    w->damaged += packet->is_damaged;
    w->last_dts_90k = packet->dts_90k;
}
static void on_tick(struct packet_sink *sink, int64_t now_us) {}
static void on_nothing(struct packet_sink *sink) {}

/* Small pictures, a packet each, so that a loss may take whole ones. Returns how many frames the sinks got. */
static unsigned run(unsigned lost_picture, enum damage_policy on_damage, unsigned *damaged)
{
    static struct picture picture;
    struct counters counters = { 0 };
    struct witness w = { .frames = 0 };
    struct live_edge *edge = live_edge_create("live/a");
    const struct stream_policy policy = {
        .segment_us = 2000000, .segment_max_us = 3000000, .window_us = 10000000, .on_damage = on_damage
    };
    w.sink = (struct packet_sink){ .tracks = on_tracks,
                                   .era = on_era,
                                   .push = on_push,
                                   .tick = on_tick,
                                   .lost = on_nothing,
                                   .end = on_nothing,
                                   .destroy = on_nothing };
    struct stream *stream = stream_create(edge, &policy);
    assert_int_equal(stream_add_sink(stream, &w.sink), WEIR_OK);
    stream_set_counters(stream, &counters);
    stream_resume(stream, 1790000000000000LL);
    struct ts_intake *intake = ts_intake_create(stream, &counters, "test");
    struct scene s;
    scene_init(&s);
    scene_tables(&s);
    ts_intake_feed(intake, s.ts.data, s.ts.bytes, 1);
    for (unsigned i = 0; i < PICTURES; i++) {
        s.ts.bytes = 0;
        picture_h264(&picture, i % GOP == 0, true, 50, i + 1);
        scene_picture(&s, 900000 + 3000 * i, NO_TIME, &picture);
        assert_int_equal(s.ts.bytes, 188);
        if (i == lost_picture)
            ts_intake_note_loss(intake, 7);
        else
            ts_intake_feed(intake, s.ts.data, s.ts.bytes, 1 + 33333LL * i);
    }
    ts_intake_flush(intake, 33333LL * PICTURES);
    ts_intake_destroy(intake);
    stream_destroy(stream);
    live_edge_unref(edge);
    scene_deinit(&s);
    *damaged = w.damaged;
    return w.frames;
}

static void pictures_that_lack_their_reference(void **unused_state)
{
    unsigned damaged;
    assert_int_equal(run(PICTURES, DAMAGE_DROP, &damaged), PICTURES);
    assert_int_equal(damaged, 0);
    /* units leave before the next one begins by then: what was lost shows in nothing but the next one */
    assert_true(PICTURES - 35 > TS_EARLY_END_RUN);
    assert_int_equal(run(PICTURES - 35, DAMAGE_DROP, &damaged), PICTURES - GOP / 2);
    assert_int_equal(damaged, 0);
    assert_int_equal(run(PICTURES - 35, DAMAGE_PASS, &damaged), PICTURES - 1);
    assert_int_equal(damaged, 1);
    /* a keyframe behind the hole needs nothing */
    assert_int_equal(run(PICTURES - 31, DAMAGE_DROP, &damaged), PICTURES - 1);
    /* the keyframe itself is lost: all up to the next */
    assert_int_equal(run(PICTURES - 30, DAMAGE_DROP, &damaged), PICTURES - GOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pictures_that_lack_their_reference) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
