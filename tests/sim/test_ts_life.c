/* The stream as a transport stream, over whole lives: tracks that come, go, stop and change, publishers that leave and return. All segments
 * that were ever listed, one behind the other, are one stream for a demux: counters go on, tables say what changed, nothing is missing that the
 * CMAF segments of the same number have. */
#include "hex.h"
#include "hls_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/ingest/ts_demux.h>
#include <weir/packager/packager.h>
#include <weir/stream/stream.h>

#include "packager/fmp4_read.h"

#define WALL_START_US 1790000000000000LL

static const char *const avc_configs[] = {
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c0fdf8f800",
    "0164000affe100196764000aacd9420bf970110000030001000003003c0f12259601000668ebe3cb22c1fdf8f800",
};
static const char *const aac_configs[] = { "1190", "1210" };

struct seen {
    size_t frames[MEDIA_AUDIO + 1]; /* of the segment at hand */
    uint64_t first_dts[MEDIA_AUDIO + 1], bytes[MEDIA_AUDIO + 1];
};

struct life {
    uint64_t random;
    struct live_edge *edge;
    struct stream *stream;
    int64_t wall_us, video_us, audio_us;
    struct hls_reader reader, video;
    uint64_t version, video_version;
    struct ts_demux *demux;
    struct counters counters;
    struct seen seen;
    size_t segments, gaps, audio_rate, tags_pushed, tags_seen;
    uint32_t payload; /* rises: no two frames alike */
    unsigned named;   /* streams in the last segment, and its era */
    uint64_t named_discontinuity;
};

static uint64_t roll(struct life *l, uint64_t sides)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return l->random % sides;
}

static int64_t wall_now(void *context)
{
    return ((struct life *)context)->wall_us;
}

/* -- what the demux sees -- */

static void on_track(void *context, const struct ts_track *track) {}
static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
}
static void on_codec(void *context, unsigned index, enum media_codec codec) {}
static void on_frame(void *context, const struct ts_frame *f)
{
    struct seen *seen = &((struct life *)context)->seen;
    assert_false(f->is_damaged);
    assert_false(f->is_after_loss);
    if (!seen->frames[f->kind]++) seen->first_dts[f->kind] = f->dts_90k;
    seen->bytes[f->kind] += f->bytes;
    blob_unref(f->message);
}
static void on_metadata(void *context, const struct ts_metadata *m)
{
    struct life *l = context;
    assert_int_equal(m->kind, TS_METADATA_ID3);
    assert_true(m->has_time);
    l->tags_seen++;
    blob_unref(m->message);
}
static void on_clock_break(void *context)
{
    fail();
}
static void on_problem(void *context, const char *text)
{
    fail_msg("%s", text);
}

/* -- reading -- */

/* How many samples the CMAF segment of this number has, and when it begins; 0: none. */
static size_t count_samples(struct life *l, const char *rendition, uint64_t msn, int64_t *first_dts)
{
    struct edge_snapshot *s = live_edge_acquire(l->edge, rendition, strlen(rendition));
    size_t count = 0;
    if (!s) return 0;
    char name[EDGE_OBJECT_NAME_BYTES];
    snprintf(name, sizeof name, "seg-%08x-%llu.m4s", 0x1234u, (unsigned long long)msn);
    const struct edge_object *o = edge_snapshot_find(s, name, strlen(name));
    if (o) {
        struct fmp4_sample *samples;
        assert_int_equal(fmp4_samples_read(o->body, &samples, &count), WEIR_OK);
        *first_dts = samples[0].dts;
        free(samples);
    }
    edge_snapshot_unref(s);
    return count;
}

/* How many streams the first PMT names. */
static unsigned named_streams(const uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at + 188 <= bytes; at += 188) {
        const uint8_t *section = data + at + 5; /* behind the header and a pointer of 0 */
        if (!(data[at + 1] & 0x40) || data[at + 4] || section[0] != 2) continue;
        const size_t end = 3 + ((section[1] & 0xFu) << 8 | section[2]) - 4;
        size_t stream = 12 + ((section[10] & 0xFu) << 8 | section[11]);
        unsigned count = 0;
        for (; stream < end; count++) stream += 5 + ((section[stream + 3] & 0xFu) << 8 | section[stream + 4]);
        assert_int_equal(stream, end);
        return count;
    }
    fail_msg("no PMT");
    return 0;
}

/* What an era's segment names, all that follow name too, whether there is anything of it or not (RFC 8216, 4.3.4.3). */
static void check_names(struct life *l, const struct hls_seen *seen, unsigned named)
{
    if (l->named_discontinuity == seen->discontinuity && named < l->named)
        fail_msg("%s: %u streams, and %u before in the same era", seen->uri, named, l->named);
    l->named_discontinuity = seen->discontinuity;
    l->named = named;
}

static void read_segment(struct life *l, const struct hls_seen *seen, const struct edge_snapshot *snapshot)
{
    const struct edge_object *o = edge_snapshot_find(snapshot, seen->uri, strlen(seen->uri));
    int64_t video_dts = 0, audio_dts = 0;
    const size_t video = count_samples(l, "video", seen->msn, &video_dts);
    const size_t audio = count_samples(l, "audio", seen->msn, &audio_dts);
    l->segments++;
    if (seen->is_gap) {
        assert_null(o);
        assert_int_equal(video + audio, 0);
        l->gaps++;
        return;
    }
    if (!o) fail_msg("%s is listed and cannot be had", seen->uri);
    struct frozen *body = edge_object_body(o), *again = edge_object_body(o);
    assert_ptr_equal(body, again); /* made once */
    frozen_unref(again);
    const size_t bytes = frozen_bytes(body);
    uint8_t *data = malloc(bytes);
    assert_int_equal(frozen_read(body, 0, data, bytes), bytes);
    frozen_unref(body);
    memset(&l->seen, 0, sizeof l->seen);
    check_names(l, seen, named_streams(data, bytes));
    assert_int_equal(ts_demux_feed(l->demux, data, bytes), WEIR_OK);
    assert_int_equal(ts_demux_flush(l->demux), WEIR_OK);
    free(data);
    assert_int_equal(l->seen.frames[MEDIA_VIDEO], video);
    assert_int_equal(l->seen.frames[MEDIA_AUDIO], audio);
    if (video) assert_int_equal(l->seen.first_dts[MEDIA_VIDEO], video_dts);
    if (audio)
        assert_in_range(l->seen.first_dts[MEDIA_AUDIO], 1, (uint64_t)audio_dts * 3); /* any rate: at least sane */
    assert_int_equal(counter_read(&l->counters, COUNTER_TS_CONTINUITY_ERRORS), 0);
    assert_int_equal(counter_read(&l->counters, COUNTER_TS_DUPLICATES), 0);
}

static void look_at(struct life *l, const char *rendition, struct hls_reader *r, uint64_t *version, bool is_ts)
{
    static char text[1 << 16];
    struct edge_snapshot *s = live_edge_acquire(l->edge, rendition, strlen(rendition));
    if (!s) return;
    if (edge_snapshot_version(s) != *version) {
        *version = edge_snapshot_version(s);
        text[frozen_read(edge_snapshot_playlist(s, EDGE_PLAYLIST_FULL), 0, text, sizeof text - 1)] = 0;
        hls_reader_read(r, text);
        for (size_t i = r->count - r->fresh; is_ts && i < r->count; i++) read_segment(l, &r->seen[i], s);
    }
    edge_snapshot_unref(s);
}

static void look(struct life *l)
{
    look_at(l, "video", &l->video, &l->video_version, false);
    look_at(l, "ts", &l->reader, &l->version, true);
}

/* -- publishing -- */

static void push(struct life *l, enum media_kind kind, int64_t at_us, bool is_key)
{
    uint8_t bytes[64] = { 0, 0, 0, 0, 0x41, 0x9A };
    const char *why = "";
    size_t count = 10 + roll(l, 50);
    bytes[3] = (uint8_t)(count - 4);
    if (is_key) bytes[4] = 0x65, bytes[5] = 0x88;
    if (kind == MEDIA_AUDIO) bytes[0] = 0x21;
    l->payload++;
    for (size_t i = 6; i < count; i++) bytes[i] = (uint8_t)(0x80 | (l->payload >> i % 4 * 7));
    const struct stream_frame frame = {
        .kind = kind,
        .message = blob_copy(bytes, count),
        .bytes = count,
        .is_claimed_key = is_key,
        .wire = { .wire = (uint64_t)(at_us * 9 / 100) & 0x1FFFFFFFF, .wire_bits = 33, .wire_hz = 90000 },
        .now_us = l->wall_us - WALL_START_US,
        .wall_us = l->wall_us,
    };
    if (stream_push(l->stream, &frame, &why)) fail_msg("a good frame was refused: %s", why);
}

static void push_tag(struct life *l, int64_t at_us)
{
    static const char tag[] = "ID3\4\0\0\0\0\0\4TXXX";
    const struct stream_metadata metadata = {
        .kind = METADATA_ID3,
        .payload = blob_copy(tag, sizeof tag - 1),
        .has_time = true,
        .wire = { .wire = (uint64_t)(at_us * 9 / 100) & 0x1FFFFFFFF, .wire_bits = 33, .wire_hz = 90000 },
        .now_us = l->wall_us - WALL_START_US,
    };
    stream_push_metadata(l->stream, &metadata);
    l->tags_pushed++;
}

static void configure(struct life *l, enum media_kind kind, unsigned which)
{
    const struct hex config = hex(kind == MEDIA_VIDEO ? avc_configs[which] : aac_configs[which]);
    const char *why = "";
    const enum media_codec codec = kind == MEDIA_VIDEO ? CODEC_H264 : CODEC_AAC;
    assert_int_equal(stream_set_config(l->stream, 0, codec, (struct byte_span){ config.data, config.bytes }, &why),
                     WEIR_OK);
    if (kind == MEDIA_AUDIO) l->audio_rate = which ? 44100 : 48000;
}

/* A second of both tracks, or of one. */
static void play(struct life *l, bool has_video, bool has_audio, int64_t duration_us)
{
    const int64_t start_us = l->wall_us - WALL_START_US, end_us = start_us + duration_us;
    l->video_us = l->audio_us = start_us;
    for (unsigned frame = 0; l->wall_us - WALL_START_US < end_us; l->wall_us += 10000) {
        const int64_t now_us = l->wall_us - WALL_START_US;
        for (; has_video && l->video_us <= now_us; l->video_us += 40000)
            push(l, MEDIA_VIDEO, l->video_us, frame++ % 50 == 0);
        for (; has_audio && l->audio_us <= now_us; l->audio_us += 1024 * 1000000LL / (int64_t)l->audio_rate)
            push(l, MEDIA_AUDIO, l->audio_us, true);
        if (roll(l, 100) == 0) push_tag(l, now_us + (int64_t)roll(l, 400000) - 200000);
        stream_tick(l->stream, now_us);
        look(l);
    }
}

static void live(uint64_t seed)
{
    static struct life l;
    memset(&l, 0, sizeof l);
    l.random = seed * 0x9E3779B97F4A7C15 + 1;
    l.wall_us = WALL_START_US;
    l.edge = live_edge_create("live/sim");
    const struct stream_policy policy = { .hold_us = 30000000,
                                          .segment_us = 2000000,
                                          .segment_max_us = 3000000,
                                          .window_us = 20000000,
                                          .part_us = seed % 2 ? 500000 : 0,
                                          .part_hold_back_us = 1500000 };
    const struct packager_config config = { .wall_now_us = wall_now, .context = &l, .run_id = 0x1234 };
    const struct ts_demux_config demux_config = { .may_end_early = false };
    const struct ts_demux_events events = { &l,       on_track,    on_track,       on_config, on_codec,
                                            on_frame, on_metadata, on_clock_break, on_problem };
    l.stream = stream_create(l.edge, &policy);
    l.demux = ts_demux_create(&demux_config, &events, &l.counters);
    assert_int_equal(stream_add_sink(l.stream, packager_create(l.edge, &policy, &config)), WEIR_OK);
    hls_reader_init(&l.reader, "ts");
    hls_reader_init(&l.video, "video");
    for (int publisher = 0; publisher < 4; publisher++) {
        const bool has_video = roll(&l, 5) > 0, has_audio = !has_video || roll(&l, 4) > 0;
        stream_resume(l.stream, l.wall_us);
        if (has_video) configure(&l, MEDIA_VIDEO, (unsigned)roll(&l, 2));
        if (has_audio) configure(&l, MEDIA_AUDIO, (unsigned)roll(&l, 2));
        for (int part = 0; part < 4; part++) {
            const bool is_video_off = has_audio && roll(&l, 4) == 0,
                       is_audio_off = !is_video_off && has_video && roll(&l, 4) == 0;
            play(&l, has_video && !is_video_off, has_audio && !is_audio_off, 1000000 + (int64_t)roll(&l, 9000000));
            if (has_video && roll(&l, 3) == 0) configure(&l, MEDIA_VIDEO, (unsigned)roll(&l, 2));
            if (has_audio && roll(&l, 3) == 0) configure(&l, MEDIA_AUDIO, (unsigned)roll(&l, 2));
        }
        stream_lost(l.stream);
        look(&l);
        l.wall_us += (int64_t)roll(&l, 5000000);
    }
    stream_end(l.stream);
    look(&l);
    assert_true(l.reader.has_ended);
    assert_true(l.segments > 10);
    /* those at the very end of an era may have nobody to go with */
    assert_in_range(l.tags_seen, l.tags_pushed - l.tags_pushed / 5 - 8, l.tags_pushed);
    assert_int_equal(l.segments, l.reader.count);
    hls_reader_compare(&l.reader, &l.video);
    stream_destroy(l.stream);
    live_edge_unref(l.edge);
    ts_demux_destroy(l.demux);
}

static void lives(void **unused_state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        live(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lives) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
