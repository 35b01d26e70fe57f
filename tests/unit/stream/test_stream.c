/* A stream between ingest and its sinks: what makes an era, what does not, what is refused, what is told on. */
#include "hex.h"

#include <string.h>
#include <weir/stream/stream.h>

#define AAC_48 "1190"
#define AAC_44 "1210"
#define AVC "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800"

struct witness {
    struct packet_sink sink; /* first */
    unsigned eras, packets, tracks, lost, ended, destroyed;
    int64_t last_wall_us, last_start_90k, last_dts_90k;
    bool went_back;
};

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    ((struct witness *)sink)->tracks++;
}
static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us)
{
    struct witness *w = (struct witness *)sink;
    w->went_back |= w->eras && (wall_us < w->last_wall_us || start_90k <= w->last_start_90k);
    w->eras++;
    w->last_wall_us = wall_us;
    w->last_start_90k = start_90k;
}
static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct witness *w = (struct witness *)sink;
    w->went_back |= w->packets && packet->dts_90k < w->last_dts_90k;
    w->last_dts_90k = packet->dts_90k;
    w->packets++;
}
static void on_tick(struct packet_sink *sink, int64_t now_us) {}
static void on_lost(struct packet_sink *sink)
{
    ((struct witness *)sink)->lost++;
}
static void on_end(struct packet_sink *sink)
{
    ((struct witness *)sink)->ended++;
}
static void on_destroy(struct packet_sink *sink)
{
    ((struct witness *)sink)->destroyed++;
}

struct bench {
    struct witness witness;
    struct live_edge *edge;
    struct stream *stream;
    int64_t wall_us;
};

static void setup(struct bench *b)
{
    static const struct stream_policy policy = {
        .hold_us = 30000000, .segment_us = 2000000, .segment_max_us = 3000000, .window_us = 10000000
    };
    *b = (struct bench){ .edge = live_edge_create("live/a"), .wall_us = 1790000000000000LL };
    b->witness.sink = (struct packet_sink){ .tracks = on_tracks,
                                            .era = on_era,
                                            .push = on_push,
                                            .tick = on_tick,
                                            .lost = on_lost,
                                            .end = on_end,
                                            .destroy = on_destroy };
    b->stream = stream_create(b->edge, &policy);
    assert_int_equal(stream_add_sink(b->stream, &b->witness.sink), WEIR_OK);
    stream_resume(b->stream, b->wall_us);
}

static void teardown(struct bench *b)
{
    stream_destroy(b->stream);
    assert_int_equal(b->witness.destroyed, 1);
    live_edge_unref(b->edge);
}

static enum weir_err set_config(struct bench *b, enum media_codec codec, const char *config_hex)
{
    const struct hex config = hex(config_hex);
    const char *why = "";
    return stream_set_config(b->stream, 0, codec, (struct byte_span){ config.data, config.bytes }, &why);
}

static enum weir_err push(struct bench *b, enum media_kind kind, uint32_t ms, const char *frame_hex)
{
    const struct hex bytes = hex(frame_hex);
    const char *why = "";
    const struct stream_frame frame = {
        .kind = kind,
        .message = blob_copy(bytes.data, bytes.bytes),
        .bytes = bytes.bytes,
        .is_claimed_key = true,
        .wire = { .wire = ms, .wire_bits = 32, .wire_hz = 1000 },
        .now_us = ms * 1000LL,
        .wall_us = b->wall_us + ms * 1000LL,
    };
    return stream_push(b->stream, &frame, &why);
}

static void play_audio(struct bench *b, uint32_t from_ms, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++)
        assert_int_equal(push(b, MEDIA_AUDIO, from_ms + i * 1024000 / 48000, "21100400"), WEIR_OK);
}

static void equal_configuration_is_no_break(void **state)
{
    struct bench b;
    setup(&b);
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    play_audio(&b, 0, 50);
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    play_audio(&b, 1067, 50);
    assert_int_equal(b.witness.eras, 1);
    assert_int_equal(b.witness.packets, 100);
    assert_int_equal(live_edge_state(b.edge), STREAM_LIVE);
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_44), WEIR_OK);
    play_audio(&b, 2134, 50);
    assert_int_equal(b.witness.eras, 2);
    assert_int_equal(b.witness.tracks, 2);
    assert_false(b.witness.went_back);
    teardown(&b);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
    struct bench b;
    setup(&b);
    assert_int_equal(push(&b, MEDIA_AUDIO, 0, "21100400"), WEIR_STATE); /* before any configuration */
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    assert_int_equal(set_config(&b, CODEC_AAC, "11"), WEIR_MALFORMED);
    assert_int_equal(set_config(&b, CODEC_H264, "0164000affe1000001000668ebe3cb22c0"), WEIR_MALFORMED);
    assert_false(stream_has_track(b.stream, MEDIA_VIDEO, 0));
    play_audio(&b, 0, 10);
    assert_int_equal(b.witness.packets, 10);
    assert_int_equal(set_config(&b, CODEC_H264, AVC), WEIR_OK);
    assert_int_equal(push(&b, MEDIA_VIDEO, 10, "000000FF6588"), WEIR_MALFORMED); /* a NAL longer than the frame */
    assert_int_equal(b.witness.packets, 10);
    teardown(&b);
}

/* Lost and back with an older wire clock: one era, stream time and wall time forward, tracks told anew. */
static void a_publisher_comes_back(void **state)
{
    struct bench b;
    setup(&b);
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    play_audio(&b, 500000, 100);
    stream_lost(b.stream);
    assert_int_equal(b.witness.lost, 1);
    assert_int_equal(live_edge_state(b.edge), STREAM_HOLDING);
    b.wall_us += 505000000;
    stream_resume(b.stream, b.wall_us);
    assert_false(stream_has_track(b.stream, MEDIA_AUDIO, 0));
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    play_audio(&b, 0, 100);
    assert_int_equal(b.witness.eras, 2);
    assert_int_equal(b.witness.packets, 200);
    assert_false(b.witness.went_back);
    assert_int_equal(figure_read(&live_edge_figures(b.edge)->publishes), 2);
    stream_end(b.stream);
    assert_int_equal(b.witness.ended, 1);
    assert_int_equal(live_edge_state(b.edge), STREAM_ENDED);
    teardown(&b);
    assert_int_equal(b.witness.ended, 1); /* once */
}

static void repairs_are_counted(void **state)
{
    struct bench b;
    struct counters counters = { .values = { 0 } };
    setup(&b);
    stream_set_counters(b.stream, &counters);
    assert_int_equal(set_config(&b, CODEC_AAC, AAC_48), WEIR_OK);
    play_audio(&b, 0, 50);
    play_audio(&b, 3600000, 50); /* an hour forward */
    assert_int_equal(b.witness.eras, 2);
    assert_int_equal(figure_read(&live_edge_figures(b.edge)->repairs[TIMELINE_JUMP]), 1);
    assert_int_equal(counter_read(&counters, COUNTER_REPAIR_JUMP), 1);
    assert_false(b.witness.went_back);
    teardown(&b);
}

/* One IDR and then recovery points, as x264's open-gop sends them: who looks must see that no other came. */
static void when_the_last_keyframe_came(void **state)
{
    struct bench b;
    setup(&b);
    struct edge_figures *f = live_edge_figures(b.edge);
    assert_int_equal(set_config(&b, CODEC_H264, AVC), WEIR_OK);
    for (uint32_t i = 0; i < 600; i++)
        assert_int_equal(push(&b, MEDIA_VIDEO, 1000 + i * 40,
                              i == 50  ? "0000000365AABB"
                              : i % 50 ? "0000000341AABB"
                                       : "00000004060601C00000000341AABB"),
                         WEIR_OK);
    assert_int_equal(figure_read(&f->last_frame_us), (1000 + 599 * 40) * 1000);
    assert_int_equal(figure_read(&f->last_keyframe_us), (1000 + 50 * 40) * 1000);
    assert_int_equal(figure_read(&f->keyframes), 1);
    assert_int_equal(figure_read(&f->keyframe_interval_ms), 0);
    teardown(&b);
}

static void sinks_have_a_ceiling(void **state)
{
    struct bench b;
    struct witness more[SINKS_PER_STREAM_MAX];
    setup(&b);
    for (size_t i = 0; i < SINKS_PER_STREAM_MAX; i++) {
        more[i] = (struct witness){ .sink = b.witness.sink };
        assert_int_equal(stream_add_sink(b.stream, &more[i].sink), i + 1 < SINKS_PER_STREAM_MAX ? WEIR_OK : WEIR_LIMIT);
    }
    assert_int_equal(more[SINKS_PER_STREAM_MAX - 1].destroyed, 1);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_configuration_is_no_break), cmocka_unit_test(what_cannot_be_read_changes_nothing),
        cmocka_unit_test(a_publisher_comes_back),          cmocka_unit_test(repairs_are_counted),
        cmocka_unit_test(when_the_last_keyframe_came),     cmocka_unit_test(sinks_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
