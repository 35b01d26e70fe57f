/* What SRT needs of a stream: several audio tracks, damaged frames, tracks that cannot be played, metadata. */
#include "hex.h"

#include <string.h>
#include <weir/stream/stream.h>

#define AAC_48 "1190"
#define AAC_44 "1210"
#define AVC "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800"
#define IDR "000000056588842100"
#define INTER "00000005419a242100"

struct witness {
    struct packet_sink sink; /* first */
    unsigned eras, audio[AUDIO_TRACKS_MAX], video, damaged, metadata;
    struct track_set tracks;
    struct media_metadata last_metadata;
    int64_t last_video_90k;
};

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    track_set_assign(&((struct witness *)sink)->tracks, tracks);
}
static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us)
{
    ((struct witness *)sink)->eras++;
}
static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct witness *w = (struct witness *)sink;
    assert_int_equal(w->eras, packet->era);
    w->damaged += packet->is_damaged;
    if (packet->kind == MEDIA_VIDEO)
        w->video++, w->last_video_90k = packet->pts_90k;
    else
        w->audio[packet->track]++;
}
static void on_metadata(struct packet_sink *sink, const struct media_metadata *metadata)
{
    struct witness *w = (struct witness *)sink;
    w->metadata++;
    w->last_metadata = *metadata;
}
static void on_tick(struct packet_sink *sink, int64_t now_us) {}
static void on_nothing(struct packet_sink *sink) {}

struct bench {
    struct witness witness;
    struct live_edge *edge;
    struct stream *stream;
    struct counters counters;
};

static void setup(struct bench *b, enum damage_policy on_damage)
{
    const struct stream_policy policy = { .hold_us = 30000000,
                                          .segment_us = 2000000,
                                          .segment_max_us = 3000000,
                                          .window_us = 10000000,
                                          .on_damage = on_damage };
    *b = (struct bench){ .edge = live_edge_create("live/a") };
    b->witness.sink = (struct packet_sink){ .tracks = on_tracks,
                                            .era = on_era,
                                            .push = on_push,
                                            .metadata = on_metadata,
                                            .tick = on_tick,
                                            .lost = on_nothing,
                                            .end = on_nothing,
                                            .destroy = on_nothing };
    b->stream = stream_create(b->edge, &policy);
    assert_int_equal(stream_add_sink(b->stream, &b->witness.sink), WEIR_OK);
    stream_set_counters(b->stream, &b->counters);
    stream_resume(b->stream, 1790000000000000LL);
}

static void teardown(struct bench *b)
{
    stream_destroy(b->stream);
    track_set_deinit(&b->witness.tracks);
    live_edge_unref(b->edge);
}

static void configure(struct bench *b, uint8_t track, enum media_codec codec, const char *config_hex)
{
    const struct hex config = hex(config_hex);
    const char *why = "";
    assert_int_equal(stream_set_config(b->stream, track, codec, (struct byte_span){ config.data, config.bytes }, &why),
                     WEIR_OK);
}

static enum weir_err push(struct bench *b, enum media_kind kind, uint8_t track, int64_t ms, const char *frame_hex,
                          bool is_damaged)
{
    const struct hex bytes = hex(frame_hex);
    const char *why = "";
    const struct stream_frame frame = {
        .kind = kind,
        .track = track,
        .is_damaged = is_damaged,
        .message = blob_copy(bytes.data, bytes.bytes),
        .bytes = bytes.bytes,
        .wire = { .wire = (uint64_t)ms * 90, .wire_bits = 33, .wire_hz = 90000 },
        .now_us = ms * 1000LL,
        .wall_us = 1790000000000000LL + ms * 1000LL,
    };
    return stream_push(b->stream, &frame, &why);
}

static void video(struct bench *b, int64_t ms, const char *frame, bool is_damaged)
{
    assert_int_equal(push(b, MEDIA_VIDEO, 0, ms, frame, is_damaged), WEIR_OK);
}

static void tracks_come_with_their_labels(void **state)
{
    struct bench b;
    setup(&b, 0);
    configure(&b, 0, CODEC_H264, AVC);
    configure(&b, 0, CODEC_AAC, AAC_48);
    configure(&b, 7, CODEC_AAC, AAC_44);
    stream_set_track_label(b.stream, 7, "ger", "Kommentar");
    assert_true(stream_has_track(b.stream, MEDIA_AUDIO, 7));
    assert_false(stream_has_track(b.stream, MEDIA_AUDIO, 1));
    assert_int_equal(push(&b, MEDIA_AUDIO, 1, 0, "21100400", false), WEIR_STATE);
    video(&b, 0, IDR, false);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(push(&b, MEDIA_AUDIO, 0, i * 21, "21100400", false), WEIR_OK);
        assert_int_equal(push(&b, MEDIA_AUDIO, 7, i * 23, "21100400", false), WEIR_OK);
    }
    assert_int_equal(b.witness.audio[0], 10);
    assert_int_equal(b.witness.audio[7], 10);
    assert_int_equal(b.witness.eras, 1);
    assert_string_equal(b.witness.tracks.labels[7].language, "de");
    assert_string_equal(b.witness.tracks.labels[7].name, "Kommentar");
    struct track_set seen;
    live_edge_acquire_tracks(b.edge, &seen);
    assert_non_null(seen.audio[7]);
    assert_int_equal(seen.audio[7] ? track_facts(seen.audio[7])->sample_rate : 0, 44100);
    assert_string_equal(seen.labels[7].language, "de");
    track_set_deinit(&seen);
    /* the codec of one track says nothing about the others */
    stream_set_codec(b.stream, 3, CODEC_AC3);
    assert_int_equal(push(&b, MEDIA_AUDIO, 0, 210, "21100400", false), WEIR_OK);
    teardown(&b);
}

static void dropped_and_the_same_again_is_no_break(void **state)
{
    struct bench b;
    setup(&b, 0);
    configure(&b, 0, CODEC_AAC, AAC_48);
    configure(&b, 1, CODEC_AAC, AAC_48);
    for (int i = 0; i < 10; i++) assert_int_equal(push(&b, MEDIA_AUDIO, 0, i * 21, "21100400", false), WEIR_OK);
    assert_int_equal(push(&b, MEDIA_AUDIO, 1, 210, "21100400", false), WEIR_OK);
    stream_drop_track(b.stream, MEDIA_AUDIO, 1);
    assert_false(stream_has_track(b.stream, MEDIA_AUDIO, 1));
    assert_int_equal(push(&b, MEDIA_AUDIO, 1, 220, "21100400", false), WEIR_STATE);
    assert_int_equal(push(&b, MEDIA_AUDIO, 0, 231, "21100400", false), WEIR_OK);
    assert_null(b.witness.tracks.audio[1]);
    configure(&b, 1, CODEC_AAC, AAC_48);
    assert_int_equal(push(&b, MEDIA_AUDIO, 1, 240, "21100400", false), WEIR_OK);
    assert_int_equal(b.witness.eras, 1);
    /* another configuration than before it went: a break, as if it had been there */
    stream_drop_track(b.stream, MEDIA_AUDIO, 1);
    configure(&b, 1, CODEC_AAC, AAC_44);
    assert_int_equal(push(&b, MEDIA_AUDIO, 1, 260, "21100400", false), WEIR_OK);
    assert_int_equal(b.witness.eras, 2);
    teardown(&b);
}

static void damage_costs_the_pictures_up_to_the_next_entry(void **state)
{
    struct bench b;
    setup(&b, 0);
    configure(&b, 0, CODEC_H264, AVC);
    configure(&b, 0, CODEC_AAC, AAC_48);
    for (int i = 0; i < 10; i++) video(&b, i * 40, i ? INTER : IDR, false);
    video(&b, 400, INTER, true);
    for (int i = 11; i < 200; i++) {
        video(&b, i * 40, INTER, false);
        assert_int_equal(push(&b, MEDIA_AUDIO, 0, i * 40, "21100400", i % 3 == 0), WEIR_OK);
    }
    assert_int_equal(b.witness.video, 10);
    /* a damaged keyframe is no entry; the next one is */
    video(&b, 8000, IDR, true);
    video(&b, 8040, INTER, false);
    assert_int_equal(b.witness.video, 10);
    video(&b, 8080, IDR, false);
    video(&b, 8120, INTER, false);
    assert_int_equal(b.witness.video, 12);
    /* seven seconds without a picture: the stream clock went on */
    assert_int_equal(b.witness.eras, 1);
    assert_int_equal(b.witness.last_video_90k, TIMELINE_ORIGIN_90K + 8120 * 90);
    assert_int_equal(b.witness.audio[0], 126);
    assert_int_equal(b.witness.damaged, 0);
    struct edge_figures *f = live_edge_figures(b.edge);
    assert_int_equal(figure_read(&f->frames_damaged), 2 + 63);
    assert_int_equal(figure_read(&f->frames_damage_dropped), 192 + 63);
    assert_int_equal(counter_read(&b.counters, COUNTER_FRAMES_DAMAGED), 65);
    assert_int_equal(counter_read(&b.counters, COUNTER_FRAMES_DAMAGE_DROPPED), 255);
    teardown(&b);
}

static void damage_may_pass(void **state)
{
    struct bench b;
    setup(&b, DAMAGE_PASS);
    configure(&b, 0, CODEC_H264, AVC);
    video(&b, 0, IDR, false);
    video(&b, 40, INTER, true);
    video(&b, 80, INTER, false);
    assert_int_equal(b.witness.video, 3);
    assert_int_equal(b.witness.damaged, 1);
    assert_int_equal(figure_read(&live_edge_figures(b.edge)->frames_damage_dropped), 0);
    teardown(&b);
}

static void a_dropped_frame_does_not_swallow_its_era(void **state)
{
    struct bench b;
    setup(&b, 0);
    configure(&b, 0, CODEC_H264, AVC);
    video(&b, 0, IDR, false);
    video(&b, 40, INTER, true);
    video(&b, 3600000, INTER, false); /* a jump, while waiting */
    assert_int_equal(b.witness.eras, 1);
    video(&b, 3600040, IDR, false);
    assert_int_equal(b.witness.eras, 2);
    assert_int_equal(b.witness.video, 2);
    teardown(&b);
}

static void what_cannot_be_played_is_told(void **state)
{
    struct bench b;
    struct edge_unsupported found[UNSUPPORTED_TRACKS_MAX];
    setup(&b, 0);
    stream_note_unsupported(b.stream, MEDIA_AUDIO, 0, "MP2 audio");
    stream_note_unsupported(b.stream, MEDIA_AUDIO, 1, "G.711 audio");
    stream_note_unsupported(b.stream, MEDIA_AUDIO, 0, "MPEG-1 layer II audio");
    assert_int_equal(live_edge_unsupported(b.edge, found), 2);
    assert_string_equal(found[0].text, "MPEG-1 layer II audio");
    configure(&b, 0, CODEC_AAC, AAC_48);
    assert_int_equal(live_edge_unsupported(b.edge, found), 1);
    assert_string_equal(found[0].text, "G.711 audio");
    for (uint8_t i = 0; i < 20; i++) stream_note_unsupported(b.stream, MEDIA_VIDEO, i, "MPEG-2 video");
    assert_int_equal(live_edge_unsupported(b.edge, found), UNSUPPORTED_TRACKS_MAX);
    stream_resume(b.stream, 1790000001000000LL);
    assert_int_equal(live_edge_unsupported(b.edge, found), 0);
    teardown(&b);
}

static void metadata_stands_on_the_stream_clock(void **state)
{
    struct bench b;
    setup(&b, 0);
    configure(&b, 0, CODEC_H264, AVC);
    struct stream_metadata m = { .kind = METADATA_ID3,
                                 .payload = blob_copy("ID3", 3),
                                 .has_time = true,
                                 .wire = { .wire = 500 * 90, .wire_bits = 33, .wire_hz = 90000 } };
    stream_push_metadata(b.stream, &m); /* before any frame */
    assert_int_equal(b.witness.metadata, 0);
    video(&b, 0, IDR, false);
    m.payload = blob_copy("ID3", 3);
    stream_push_metadata(b.stream, &m);
    assert_int_equal(b.witness.metadata, 1);
    assert_int_equal(b.witness.last_metadata.kind, METADATA_ID3);
    assert_int_equal(b.witness.last_metadata.pts_90k, TIMELINE_ORIGIN_90K + 500 * 90);
    assert_int_equal(b.witness.last_metadata.payload.bytes, 3);
    m = (struct stream_metadata){ .kind = METADATA_SCTE35, .payload = blob_create(METADATA_BYTES_MAX + 1) };
    stream_push_metadata(b.stream, &m); /* too large */
    assert_int_equal(b.witness.metadata, 1);
    assert_int_equal(counter_read(&b.counters, COUNTER_METADATA), 3);
    assert_int_equal(counter_read(&b.counters, COUNTER_METADATA_DROPPED), 2);
    assert_int_equal(figure_read(&live_edge_figures(b.edge)->metadata_packets), 3);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracks_come_with_their_labels),
        cmocka_unit_test(dropped_and_the_same_again_is_no_break),
        cmocka_unit_test(damage_costs_the_pictures_up_to_the_next_entry),
        cmocka_unit_test(damage_may_pass),
        cmocka_unit_test(a_dropped_frame_does_not_swallow_its_era),
        cmocka_unit_test(what_cannot_be_played_is_told),
        cmocka_unit_test(metadata_stands_on_the_stream_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
