/* What a stream's packager holds besides the media that players may fetch: piece lists, playlists, lines, names. */
#include "heap.h"
#include "packager_bench.h"

#define STREAMS 8 /* what the allocator keeps for itself is shared */
#define STREAM_SECONDS 50
#define BESIDES_BYTES_MAX 120000

static const struct stream_policy low_latency = {
    .hold_us = 30000000,
    .segment_us = 2000000,
    .segment_max_us = 3000000,
    .window_us = 12000000,
    .part_us = 500000,
    .part_hold_back_us = 1500000,
    .can_skip = true,
};

/* 2.5 Mbit/s: pictures of 10 kB, keyframes of 35 kB each two seconds, sound of 128 kbit/s. Sizes are never twice the same. */
static void push_sized(struct bench *b, enum media_kind kind, int64_t at, size_t bytes)
{
    struct blob *blob = blob_create(bytes);
    const bool is_video = kind == MEDIA_VIDEO;
    assert_non_null(blob);
    memset(blob_data(blob), (int)(at % 251), bytes);
    const struct media_packet p = {
        .kind = kind,
        .access = !is_video || at % 180000 == 0 ? FRAME_IDR : FRAME_INTER,
        .payload = { blob, blob_data(blob), bytes },
        .era = b->era,
        .dts_90k = 900000 + at,
        .pts_90k = 900000 + at,
        .pts_samples = (900000 + at) * 48000 / 90000,
        .samples = 1024,
        .nominal_90k = 3000,
    };
    b->sink->push(b->sink, &p);
    blob_unref(blob);
}

static void play_sized(struct bench *b)
{
    int64_t audio_90k = 0;
    for (int64_t video = 0; video < STREAM_SECONDS * 30; video++) {
        b->wall_us = WALL_START_US + video * 100000 / 3;
        push_sized(b, MEDIA_VIDEO, video * 3000, video % 60 ? 9000 + (size_t)(video * 7919 % 2000) : 35000);
        for (; audio_90k < (video + 1) * 3000; audio_90k += 1920)
            push_sized(b, MEDIA_AUDIO, audio_90k, 320 + (size_t)(audio_90k / 1920 % 40));
    }
}

static void little_is_held_besides_media(void **state)
{
    struct bench b[STREAMS];
    size_t media = 0;
    for (size_t i = 0; i < STREAMS; i++) setup_with(&b[i], &low_latency);
    const size_t before = heap_bytes();
    for (size_t i = 0; i < STREAMS; i++) {
        era(&b[i], b[i].video, b[i].audio, 0);
        play_sized(&b[i]);
        b[i].sink->lost(b[i].sink); /* nothing is under way */
        media += figure_read(&live_edge_figures(b[i].edge)->window_bytes);
    }
    const size_t held = heap_bytes() - before;
    for (size_t i = 0; i < STREAMS; i++) teardown(&b[i]);
    print_message("of each stream %zu bytes of media, %zu besides\n", media / STREAMS, (held - media) / STREAMS);
    assert_true(media > STREAMS * 8000000);
    assert_true(held > media);
    if (HEAP_IS_EXACT) assert_true(held - media < STREAMS * BESIDES_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_is_held_besides_media),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
