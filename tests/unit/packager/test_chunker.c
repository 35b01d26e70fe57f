/* Parts: for every length, frame rate and audio frame, none longer than its target and each as long as it must be, all of them
 * finished with their last frame, and no frame shown at another time than it came with. */
#include "hex.h"

#include <packager/chunker.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>

#define LONGEST_US 3490000
#define FRAMES_MAX 20000

static const int64_t parts_us[] = { 100000, 150000, 200000, 250000,  300000,  333333,
                                    400000, 500000, 750000, 1000000, 1500000, 2000000 };

/* What was put in, and what came out of it. */
struct witness {
    struct chunker chunker;
    const char *label;
    int64_t part_us;
    int64_t pts[FRAMES_MAX]; /* as they went in */
    size_t in, out;
    int64_t end;                      /* of all that came out, in decode time */
    bool has_end, is_video, is_exact; /* is_exact: the frames' durations are known */
    size_t parts, shorts, gaps, segments;
};

static uint32_t u32_behind(const uint8_t *data, size_t bytes, const char *type, size_t offset)
{
    for (size_t i = 4; i + 8 + offset <= bytes; i++) {
        if (!memcmp(data + i, type, 4)) return load_u32(data + i + 4 + offset);
    }
    fail_msg("no %s", type);
    return 0;
}

/* The samples of a chunk: decode times join, presentation times are those that went in. */
static void read_samples(struct witness *w, const struct chunk *chunk)
{
    static uint8_t head[1 << 16];
    const struct piece *first = frozen_pieces(chunk->body);
    assert_true(first->bytes <= sizeof head);
    memcpy(head, first->data, first->bytes);
    int64_t dts = (int64_t)u32_behind(head, first->bytes, "tfdt", 4) << 32 | u32_behind(head, first->bytes, "tfdt", 8);
    const uint32_t samples = u32_behind(head, first->bytes, "trun", 4);
    if (w->has_end && dts != w->end) fail_msg("%s: a hole of %lld", w->label, (long long)(dts - w->end));
    const int64_t start = dts;
    for (uint32_t i = 0; i < samples; i++) {
        const uint32_t duration = u32_behind(head, first->bytes, "trun", 12 + (size_t)i * 16);
        const int32_t composition = (int32_t)u32_behind(head, first->bytes, "trun", 24 + (size_t)i * 16);
        assert_true(duration > 0);
        if (dts + composition != w->pts[w->out])
            fail_msg("%s: frame %zu is shown at %lld, not at %lld", w->label, w->out, (long long)(dts + composition),
                     (long long)w->pts[w->out]);
        dts += duration;
        w->out++;
    }
    assert_int_equal(dts - start, chunk->ticks);
    w->end = dts;
    w->has_end = true;
}

static void check_chunk(struct witness *w, const struct chunk *chunk, bool is_last, bool precedes_gap,
                        bool may_be_short)
{
    const struct chunker *c = &w->chunker;
    w->parts++;
    if (!chunk->body) {
        w->gaps++;
        w->has_end = false;
    } else {
        read_samples(w, chunk);
    }
    if (c->is_whole) return;
    if (chunk->ticks <= 0 || chunk->ticks * 1000000 > w->part_us * c->timescale)
        fail_msg("%s, parts of %lld us: one lasts %lld ticks", w->label, (long long)w->part_us,
                 (long long)chunk->ticks);
    if (is_last || precedes_gap || !chunk->body || chunk->ticks * 100000000 >= w->part_us * 85 * c->timescale) return;
    w->shorts++;
    if (!may_be_short || !chunk->is_independent)
        fail_msg("%s, parts of %lld us: one lasts %lld ticks only", w->label, (long long)w->part_us,
                 (long long)chunk->ticks);
}

/* grid_fits: some number of whole frames makes 85 % to 100 % of a part. */
static void end_segment(struct witness *w, int64_t next_dts, bool may_be_short)
{
    struct chunker *c = &w->chunker;
    chunker_end_segment(c, next_dts);
    for (size_t i = 0; i < c->chunk_count; i++) {
        const bool is_last = i + 1 == c->chunk_count;
        check_chunk(w, &c->chunks[i], is_last, !is_last && !c->chunks[i + 1].body, may_be_short);
        frozen_unref(c->chunks[i].body);
    }
    w->segments++;
    chunker_begin_segment(c);
}

static void push(struct witness *w, int64_t dts, uint32_t duration, int32_t composition, bool is_key)
{
    static struct blob *blob;
    if (!blob) blob = blob_copy("frame", 5);
    const struct chunker_input input = { .sample = { .payload = { blob, blob_data(blob), 5 },
                                                     .dts = dts,
                                                     .duration = duration,
                                                     .composition_offset = composition,
                                                     .is_sync = is_key,
                                                     .is_independent = is_key },
                                         .is_duration_known = w->is_exact,
                                         .may_jump = !w->in };
    assert_true(w->in < FRAMES_MAX);
    w->pts[w->in++] = dts + composition;
    assert_true(chunker_push(&w->chunker, &input));
}

/* Nothing waits: what is open could take one more frame, or is too short to go. */
static void nothing_waits(const struct witness *w, uint32_t frame)
{
    const struct chunker *c = &w->chunker;
    if (c->is_whole || !c->sample_count) return;
    const struct fmp4_sample *last = &c->samples[c->sample_count - 1];
    const int64_t open = last->dts + last->duration - c->samples[0].dts;
    assert_true(open < c->part_ticks);
    if (c->is_video)
        assert_true(open + frame <= c->part_ticks || (open < c->least_ticks && !c->samples[0].is_independent));
    else
        assert_true(open + frame <= c->part_ticks && open < c->least_ticks);
}

static void begin(struct witness *w, const char *label, uint32_t timescale, int64_t part_us, bool is_video)
{
    *w = (struct witness){ .label = label, .part_us = part_us, .is_video = is_video, .is_exact = true };
    chunker_configure(&w->chunker,
                      &(struct chunker_config){
                          .timescale = timescale, .part_us = part_us, .longest_us = LONGEST_US, .is_video = is_video });
}

static void every_frame_rate_makes_whole_parts(void **state)
{
    static const struct {
        const char *label;
        uint32_t num, den;
    } rates[] = {
        { "10 fps", 10, 1 },   { "12.5 fps", 25, 2 }, { "15 fps", 15, 1 },          { "23.976 fps", 24000, 1001 },
        { "24 fps", 24, 1 },   { "25 fps", 25, 1 },   { "29.97 fps", 30000, 1001 }, { "30 fps", 30, 1 },
        { "48 fps", 48, 1 },   { "50 fps", 50, 1 },   { "59.94 fps", 60000, 1001 }, { "60 fps", 60, 1 },
        { "120 fps", 120, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rates) * ARRAY_LEN(parts_us); i++) {
        static struct witness w;
        const uint32_t num = rates[i / ARRAY_LEN(parts_us)].num, den = rates[i / ARRAY_LEN(parts_us)].den;
        begin(&w, rates[i / ARRAY_LEN(parts_us)].label, 90000, parts_us[i % ARRAY_LEN(parts_us)], true);
        const uint32_t nominal = 90000 * den / num;
        const int64_t per_segment = (2 * num + den - 1) / den; /* frames in about two seconds */
        for (int64_t n = 0; n < 60 * num / den; n++) {
            const int64_t dts = 900000 + n * 90000 * den / num;
            const bool is_key = n % per_segment == 0;
            if (is_key && n) end_segment(&w, dts, true);
            push(&w, dts, nominal, n % 3 * 3000, is_key);
            nothing_waits(&w, nominal);
        }
        end_segment(&w, -1, true);
        assert_int_equal(w.in, w.out);
        assert_int_equal(w.gaps, 0);
        /* only the part that begins with the keyframe may fall short */
        assert_true(w.shorts <= w.segments);
        chunker_deinit(&w.chunker);
    }
}

static void every_audio_frame_makes_whole_parts(void **state)
{
    static const struct {
        const char *label;
        uint32_t samples, rate;
    } frames[] = {
        { "AAC at 48 kHz", 1024, 48000 },     { "AAC at 44.1 kHz", 1024, 44100 },
        { "AAC at 32 kHz", 1024, 32000 },     { "AAC at 16 kHz", 1024, 16000 },
        { "HE-AAC at 48 kHz", 2048, 48000 },  { "HE-AAC at 44.1 kHz", 2048, 44100 },
        { "AAC of 960 samples", 960, 48000 }, { "Opus of 20 ms", 960, 48000 },
        { "Opus of 60 ms", 2880, 48000 },     { "Opus of 120 ms", 5760, 48000 },
        { "AC-3 at 48 kHz", 1536, 48000 },    { "AC-3 at 44.1 kHz", 1536, 44100 },
        { "AC-3 at 32 kHz", 1536, 32000 },    { "MP3 at 48 kHz", 1152, 48000 },
        { "MP3 at 44.1 kHz", 1152, 44100 },   { "MP3 at 22.05 kHz", 576, 22050 },
        { "FLAC at 48 kHz", 4096, 48000 },    { "FLAC at 44.1 kHz", 4608, 44100 },
    };
    for (size_t i = 0; i < ARRAY_LEN(frames) * ARRAY_LEN(parts_us); i++) {
        static struct witness w;
        const uint32_t samples = frames[i / ARRAY_LEN(parts_us)].samples, rate = frames[i / ARRAY_LEN(parts_us)].rate;
        const int64_t part_us = parts_us[i % ARRAY_LEN(parts_us)];
        begin(&w, frames[i / ARRAY_LEN(parts_us)].label, rate, part_us, false);
        int64_t cut = 2;
        for (int64_t n = 0; n < 60 * (int64_t)rate / samples; n++) {
            const int64_t dts = 10 * (int64_t)rate + n * samples;
            if (n * samples >= cut * rate) end_segment(&w, dts, true), cut += 2;
            push(&w, dts, samples, 0, true);
            nothing_waits(&w, samples);
        }
        end_segment(&w, -1, true);
        assert_int_equal(w.in, w.out);
        assert_int_equal(w.gaps, 0);
        /* each part of audio is independent and may be short; none is where a number of frames fits */
        const int64_t most = part_us * rate / 1000000, fitting = most / samples * samples;
        if (fitting * 100000000 >= part_us * 85 * rate) assert_int_equal(w.shorts, 0);
        /* a frame longer than a part: whole segments */
        if (samples > most) assert_int_equal(w.parts, w.segments);
        chunker_deinit(&w.chunker);
    }
}

static uint32_t roll(uint64_t *random, uint32_t sides)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)(*random % sides);
}

/* Frames when there is something new to see: durations known only with the next one, and holes. */
static void frames_at_any_time(void **state)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        static struct witness w;
        uint64_t random = seed * 0x9E3779B97F4A7C15u;
        const int64_t part_us = parts_us[seed % ARRAY_LEN(parts_us)];
        const uint32_t longest_step = seed % 3 ? (uint32_t)(part_us * 9 / 100)
                                               : 200000; /* within a part, or holes too */
        begin(&w, "any time", 90000, part_us, true);
        w.is_exact = false;
        int64_t dts = 900000, start = dts;
        for (int n = 0; n < 500; n++) {
            const bool is_cut = n && dts - start > 150000;
            if (is_cut) end_segment(&w, dts, true), start = dts;
            push(&w, dts, 3000, 0, is_cut || !n);
            dts += 90 + roll(&random, roll(&random, 4) ? longest_step / 8 : longest_step);
            if (dts + 3000 - start > LONGEST_US * 9 / 100) end_segment(&w, dts, true), start = dts;
        }
        if (w.chunker.is_open) end_segment(&w, -1, true);
        assert_int_equal(w.in, w.out);
        if (seed % 3) assert_int_equal(w.gaps, 0);
        chunker_deinit(&w.chunker);
    }
}

static void a_late_or_early_frame_is_moved_to_its_place(void **state)
{
    static struct witness w;
    begin(&w, "moved", 90000, 500000, true);
    for (int n = 0; n < 15; n++) push(&w, 900000 + n * 3000, 3000, 6000, !n);
    assert_int_equal(w.chunker.chunk_count, 1); /* full, and finished with its last frame */
    assert_int_equal(w.chunker.chunks[0].ticks, 45000);
    push(&w, 900000 + 45000 - 400, 3000, 6400, false); /* a clock that was followed */
    for (int n = 16; n < 31; n++) push(&w, 900000 + n * 3000, 3000, 6000, false);
    assert_int_equal(w.chunker.chunk_count, 2);
    push(&w, 900000 + 33 * 3000, 3000, 6000, false); /* two frames are missing */
    /* one that is far behind what is finished has lost its place */
    const struct chunker_input late = {
        .sample = { .payload = w.chunker.samples[0].payload, .dts = 900000, .duration = 3000 },
        .is_duration_known = true
    };
    assert_false(chunker_push(&w.chunker, &late));
    end_segment(&w, 900000 + 34 * 3000, true);
    assert_int_equal(w.gaps, 0);
    assert_int_equal(w.in, w.out);
    chunker_deinit(&w.chunker);
}

static void a_hole_is_gaps(void **state)
{
    static struct witness w;
    begin(&w, "hole", 90000, 500000, true);
    for (int n = 0; n < 20; n++) push(&w, 900000 + n * 3000, 3000, 0, !n);
    push(&w, 900000 + 150000, 3000, 0, false); /* 1.0 s later than the part may last */
    const struct chunk *c = w.chunker.chunks;
    assert_int_equal(w.chunker.chunk_count, 4);
    assert_int_equal(c[1].ticks, 45000); /* stands as long as it may */
    assert_null(c[2].body);
    assert_null(c[3].body);
    assert_int_equal(c[2].ticks + c[3].ticks, 60000);
    end_segment(&w, 900000 + 153000, true);
    assert_int_equal(w.gaps, 2);
    /* between segments too, as far as the first may reach */
    for (int n = 0; n < 60; n++) push(&w, 1053000 + n * 3000, 3000, 0, !n);
    end_segment(&w, 1053000 + 900000, true);
    assert_int_equal(w.end + 3 * 45000 - 900, 1053000 + 180000 + 134100); /* 3.49 s in all */
    chunker_deinit(&w.chunker);
}

static void keyframes_begin_parts(void **state)
{
    static struct witness w;
    begin(&w, "keys", 90000, 500000, true);
    push(&w, 900000, 3000, 0, true);
    for (int n = 1; n < 5; n++) push(&w, 900000 + n * 3000, 3000, 0, false);
    /* the open part begins with one itself: the next may stand inside where its group fits */
    assert_int_equal(chunker_at_key(&w.chunker, 915000, 15000), CHUNKER_KEY_INSIDE);
    assert_int_equal(chunker_at_key(&w.chunker, 915000, 45000), CHUNKER_KEY_PART);
    assert_int_equal(chunker_at_key(&w.chunker, 915000, 0), CHUNKER_KEY_PART);
    chunker_end_part(&w.chunker, 915000);
    assert_int_equal(w.chunker.chunks[0].ticks, 15000);
    for (int n = 5; n < 9; n++) push(&w, 900000 + n * 3000, 3000, 0, false);
    assert_int_equal(chunker_at_key(&w.chunker, 927000, 0), CHUNKER_KEY_SEGMENT); /* too short for the middle */
    for (int n = 9; n < 18; n++) push(&w, 900000 + n * 3000, 3000, 0, false);
    assert_int_equal(chunker_at_key(&w.chunker, 954000, 0), CHUNKER_KEY_PART); /* thirteen frames of fifteen */
    end_segment(&w, 954000, true);
    chunker_deinit(&w.chunker);
}

#define BLOCK_FRAMES 60

/* Of 2 to 8 kB, in a blob of its own, with bytes that tell it from the others; every twelfth is larger than a block. */
static struct blob *frame_of(int n)
{
    const size_t bytes = n % 12 == 5 ? FMP4_BLOCK_BYTES + 100 : 2000 + (size_t)(n * 37 % 60) * 100;
    struct blob *blob = blob_create(bytes);
    for (size_t i = 0; i < bytes; i++) blob_data(blob)[i] = (uint8_t)((size_t)n * 7 + i);
    return blob;
}

/* The payloads of a finished chunk are those of frames [first, first + count), behind moof and mdat's header. */
static void check_payloads(const struct chunk *chunk, struct blob *const *frames, size_t first, size_t count)
{
    size_t payload_bytes = 0, at;
    for (size_t i = first; i < first + count; i++) payload_bytes += blob_bytes(frames[i]);
    uint8_t *body = malloc(frozen_bytes(chunk->body));
    assert_int_equal(frozen_read(chunk->body, 0, body, frozen_bytes(chunk->body)), frozen_bytes(chunk->body));
    at = frozen_bytes(chunk->body) - payload_bytes;
    assert_memory_equal(body + at - 4, "mdat", 4);
    for (size_t i = first; i < first + count; at += blob_bytes(frames[i++]))
        assert_memory_equal(body + at, blob_data(frames[i]), blob_bytes(frames[i]));
    free(body);
}

static bool has_piece_of(const struct frozen *body, const struct blob *blob)
{
    for (size_t i = 0; i < frozen_piece_count(body); i++) {
        if (frozen_pieces(body)[i].blob == blob) return true;
    }
    return false;
}

/* Small payloads share blocks, large ones stay in the blob they came in; the bytes are the same. */
static void small_payloads_share_blocks(void **state)
{
    struct chunker c = { .timescale = 0 };
    struct blob *frames[BLOCK_FRAMES];
    chunker_configure(&c, &(struct chunker_config){
                              .timescale = 90000, .part_us = 500000, .longest_us = LONGEST_US, .is_video = true });
    for (int n = 0; n < BLOCK_FRAMES; n++) {
        frames[n] = frame_of(n);
        const struct chunker_input input = { .sample = { .payload = { frames[n], blob_data(frames[n]),
                                                                      blob_bytes(frames[n]) },
                                                         .dts = 900000 + n * 3000,
                                                         .duration = 3000,
                                                         .is_sync = !n,
                                                         .is_independent = !n },
                                             .is_duration_known = true,
                                             .may_jump = !n };
        assert_true(chunker_push(&c, &input));
    }
    chunker_end_segment(&c, -1);
    assert_int_equal(c.chunk_count, 4);
    for (size_t i = 0; i < c.chunk_count; i++) {
        check_payloads(&c.chunks[i], frames, i * 15, 15);
        assert_true(frozen_piece_count(c.chunks[i].body) <= 6);
        for (size_t n = 0; n < BLOCK_FRAMES; n++)
            assert_int_equal(has_piece_of(c.chunks[i].body, frames[n]), n / 15 == i && n % 12 == 5);
        frozen_unref(c.chunks[i].body);
    }
    chunker_begin_segment(&c);
    for (size_t n = 0; n < BLOCK_FRAMES; n++) blob_unref(frames[n]);
    chunker_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_rate_makes_whole_parts),
        cmocka_unit_test(every_audio_frame_makes_whole_parts),
        cmocka_unit_test(frames_at_any_time),
        cmocka_unit_test(a_late_or_early_frame_is_moved_to_its_place),
        cmocka_unit_test(a_hole_is_gaps),
        cmocka_unit_test(keyframes_begin_parts),
        cmocka_unit_test(small_payloads_share_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
