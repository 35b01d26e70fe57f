#include "chunker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#define LEAST_PERCENT 85

void chunker_configure(struct chunker *c, const struct chunker_config *config)
{
    assert(!c->is_open);
    if (c->timescale != config->timescale) c->end = 0; /* of another clock */
    c->timescale = config->timescale;
    c->is_video = config->is_video;
    c->part_ticks = config->part_us * config->timescale / 1000000;
    /* rounded up, so that it is still enough when the duration is written in microseconds */
    c->least_ticks = (config->part_us * LEAST_PERCENT * config->timescale + 99999999) / 100000000;
    c->longest_ticks = config->longest_us * config->timescale / 1000000;
}

static void drop_samples(struct chunker *c)
{
    for (size_t i = 0; i < c->sample_count; i++) blob_unref(c->samples[i].payload.blob);
    c->sample_count = c->open_bytes = c->loose_count = c->loose_bytes = 0;
}

void chunker_deinit(struct chunker *c)
{
    drop_samples(c);
    for (size_t i = 0; i < c->chunk_count; i++) frozen_unref(c->chunks[i].body);
    free(c->samples);
    free(c->chunks);
    *c = (struct chunker){ .is_video = false };
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool has_parts(const struct chunker *c)
{
    return c->part_ticks > 0 && !c->is_whole;
}

static struct fmp4_sample *last_sample(const struct chunker *c)
{
    return &c->samples[c->sample_count - 1];
}

static int64_t samples_end(const struct chunker *c)
{
    return c->sample_count ? last_sample(c)->dts + last_sample(c)->duration : c->end;
}

int64_t chunker_open_ticks(const struct chunker *c)
{
    return c->is_open ? samples_end(c) - c->segment_start : 0;
}

int64_t chunker_finished_ticks(const struct chunker *c)
{
    return c->is_open && c->chunk_count ? c->end - c->segment_start : 0;
}

static bool grow(void **items, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count < *capacity) return true;
    const size_t more = *capacity ? *capacity * 2 : 16;
    void *moved = realloc(*items, more * item_bytes);
    if (!moved) return false;
    *items = moved;
    *capacity = more;
    return true;
}

/* -- finishing chunks -- */

/* A chunk that cannot be written for want of memory is a gap: its time has passed all the same. */
static void add_chunk(struct chunker *c, const struct chunk *chunk)
{
    if (!grow((void **)&c->chunks, &c->chunk_capacity, c->chunk_count, sizeof *c->chunks)) {
        frozen_unref(chunk->body);
        return;
    }
    c->chunks[c->chunk_count++] = *chunk;
}

/* The first `count` samples become a chunk that ends at `end`. The rest stays open. */
static void finish(struct chunker *c, size_t count, int64_t end)
{
    struct fmp4_sample *last = &c->samples[count - 1];
    const int64_t start = c->samples[0].dts;
    assert(end > last->dts);
    last->duration = (uint32_t)(end - last->dts);
    struct frozen *body = fmp4_chunk_write(++c->sequence, c->samples, count, c->chunk_count == 0);
    size_t payload_bytes = 0;
    for (size_t i = 0; i < count; i++) payload_bytes += c->samples[i].payload.bytes;
    add_chunk(c, &(struct chunk){ .body = body,
                                  .start = start,
                                  .ticks = end - start,
                                  .is_independent = body && c->samples[0].is_sync,
                                  .first_bytes = body ? frozen_bytes(body) - payload_bytes + c->samples[0].payload.bytes
                                                      : 0 });
    for (size_t i = 0; i < count; i++) {
        c->open_bytes -= c->samples[i].payload.bytes;
        blob_unref(c->samples[i].payload.blob);
    }
    for (size_t i = count; i < c->sample_count; i++) c->samples[i - count] = c->samples[i];
    c->sample_count -= count;
    if (c->loose_count > c->sample_count) {
        c->loose_count = c->sample_count;
        c->loose_bytes = c->open_bytes;
    }
    c->first_ticks = 0;
    c->end = end;
}

static void add_gaps(struct chunker *c, int64_t until)
{
    while (c->end < until) {
        const int64_t ticks = smaller(until - c->end, c->part_ticks);
        add_chunk(c, &(struct chunk){ .start = c->end, .ticks = ticks });
        c->end += ticks;
    }
}

/* The open part may not reach further. */
static int64_t part_limit(const struct chunker *c)
{
    return smaller(c->samples[0].dts + c->part_ticks, c->segment_start + c->longest_ticks);
}

/* Whether the part can end in front of its last sample, which then keeps its duration and begins the next part. */
static bool can_do_without_last(const struct chunker *c)
{
    return c->sample_count > 1 && last_sample(c)->dts - c->samples[0].dts >= c->least_ticks;
}

void chunker_end_part(struct chunker *c, int64_t next_dts)
{
    if (!c->sample_count || !has_parts(c)) return;
    const int64_t until = next_dts > last_sample(c)->dts ? next_dts : samples_end(c);
    finish(c, c->sample_count, smaller(until, part_limit(c)));
}

/* Over a hole the last sample stands longer, as far as the segment may reach (RFC 8216, 4.3.3.1). */
static void finish_whole(struct chunker *c, int64_t next_dts)
{
    const struct fmp4_sample *last = last_sample(c);
    const int64_t step = next_dts - last->dts, most = c->longest_ticks - (last->dts - c->segment_start);
    int64_t duration = last->duration;
    if (next_dts >= 0 && step > 0) {
        const int64_t reached = step < most ? step : most;
        if (reached > duration || step <= most) duration = reached;
    }
    finish(c, c->sample_count, last->dts + duration);
}

/* How far behind its place a sample may stand and still be moved there: a frame whose end was cut, one that is missing, a clock that
 * is followed. Less than a part, so that what is owed does not grow. */
static int64_t slack(const struct chunker *c)
{
    return c->is_video ? c->part_ticks - 1 : c->frame_ticks / 2;
}

void chunker_end_segment(struct chunker *c, int64_t next_dts)
{
    if (!has_parts(c)) {
        if (c->sample_count) finish_whole(c, next_dts);
        return;
    }
    while (c->sample_count && next_dts > part_limit(c) && can_do_without_last(c))
        finish(c, c->sample_count - 1, last_sample(c)->dts);
    chunker_end_part(c, next_dts);
    /* a small hole is bridged by the next segment's first sample */
    if (next_dts >= 0 && next_dts - c->end > slack(c))
        add_gaps(c, smaller(next_dts, c->segment_start + c->longest_ticks));
}

bool chunker_is_next(const struct chunker *c, int64_t dts)
{
    return dts >= 0 && dts - c->end <= slack(c);
}

void chunker_begin_segment(struct chunker *c)
{
    assert(!c->sample_count);
    c->chunk_count = 0;
    c->is_open = c->is_whole = false;
}

/* -- samples -- */

static void move_to(const struct chunker *c, struct fmp4_sample *s, int64_t dts)
{
    const int64_t pts = s->dts + s->composition_offset;
    s->dts = dts;
    s->composition_offset = c->is_video && pts > dts ? (int32_t)(pts - dts) : 0;
}

/* Behind a finished part the sample takes the place that is its own; over a hole there are gaps. false: that place is taken. */
static bool settle(struct chunker *c, struct fmp4_sample *s)
{
    const int64_t off = s->dts - c->end;
    if (-off > (c->is_video ? c->frame_ticks : c->frame_ticks / 2)) return false;
    if (off <= slack(c))
        move_to(c, s, c->end);
    else if (c->is_open)
        add_gaps(c, s->dts);
    return true;
}

/* Behind an open sample, which lasts until here. */
static bool join(struct chunker *c, struct fmp4_sample *s)
{
    const int64_t step = s->dts - last_sample(c)->dts;
    if (step <= 0 || step > INT32_MAX) return false;
    while (has_parts(c) && s->dts >= part_limit(c)) {
        if (s->dts > part_limit(c) && can_do_without_last(c)) {
            finish(c, c->sample_count - 1, last_sample(c)->dts);
            continue;
        }
        finish(c, c->sample_count, part_limit(c));
        return settle(c, s);
    }
    last_sample(c)->duration = (uint32_t)step;
    return true;
}

/* The loose samples' payloads move into one blob. Without memory they stay where they are. */
static void make_block(struct chunker *c)
{
    struct blob *block = blob_create(c->loose_bytes);
    if (!block) return;
    uint8_t *at = blob_data(block);
    for (size_t i = c->sample_count - c->loose_count; i < c->sample_count; i++) {
        struct piece *payload = &c->samples[i].payload;
        memcpy(at, payload->data, payload->bytes);
        blob_unref(payload->blob);
        *payload = (struct piece){ blob_ref(block), at, payload->bytes };
        at += payload->bytes;
    }
    blob_unref(block);
}

/* After a sample was added. A large payload stays in its blob, and what was loose in front of it remains so. */
static void gather(struct chunker *c)
{
    const bool is_large = last_sample(c)->payload.bytes >= FMP4_BLOCK_BYTES;
    if (!is_large) {
        c->loose_count++;
        c->loose_bytes += last_sample(c)->payload.bytes;
        if (c->loose_bytes < FMP4_BLOCK_BYTES) return;
        make_block(c);
    }
    c->loose_count = c->loose_bytes = 0;
}

static bool append(struct chunker *c, const struct fmp4_sample *s)
{
    if (c->sample_count >= SEGMENT_SAMPLES_MAX + 16 ||
        !grow((void **)&c->samples, &c->sample_capacity, c->sample_count, sizeof *c->samples))
        return false;
    c->samples[c->sample_count++] = *s;
    blob_ref(s->payload.blob);
    c->open_bytes += s->payload.bytes;
    gather(c);
    return true;
}

/* Whether the open part is to be finished now: one more frame like the last would not fit. */
static bool is_full(const struct chunker *c)
{
    const int64_t start = c->samples[0].dts, end = samples_end(c), frame = last_sample(c)->duration;
    if (c->first_ticks && end - start + frame / 2 >= c->first_ticks) return true;
    if (end - start >= c->part_ticks) return true;
    /* audio goes out as soon as it may, so that it is never a part behind video */
    if (!c->is_video && end - start >= c->least_ticks) return true;
    if (end - start + frame <= c->part_ticks) return false;
    /* too short as it is: the next frame comes in as well, and is cut */
    return c->samples[0].is_sync || end - start >= c->least_ticks;
}

/* Puts the sample in its place; false: there is none. */
static bool place(struct chunker *c, const struct chunker_input *input, struct fmp4_sample *s)
{
    if (c->sample_count) return join(c, s);
    if (!c->is_open && input->may_jump) return true;
    return has_parts(c) ? settle(c, s) : s->dts >= c->end;
}

bool chunker_push(struct chunker *c, const struct chunker_input *input)
{
    struct fmp4_sample s = input->sample;
    if (s.dts < 0) return false;
    /* the rounded EXTINF must stay within TARGETDURATION (RFC 8216, 4.3.3.1) */
    if (c->is_open && s.dts + s.duration - c->segment_start > c->longest_ticks) return false;
    if (!c->is_open) c->is_whole = c->part_ticks > 0 && input->is_duration_known && s.duration > c->part_ticks;
    c->frame_ticks = s.duration;
    if (!place(c, input, &s)) return false;
    const bool begins_part = !c->sample_count;
    if (!append(c, &s)) return false;
    if (!c->is_open) c->segment_start = s.dts;
    c->is_open = true;
    if (begins_part) c->first_ticks = s.is_sync ? input->plan_ticks : 0;
    if (has_parts(c) && input->is_duration_known && is_full(c))
        finish(c, c->sample_count, smaller(samples_end(c), part_limit(c)));
    return true;
}

enum chunker_key chunker_at_key(const struct chunker *c, int64_t dts, int64_t gop_ticks)
{
    if (!has_parts(c) || !c->sample_count) return CHUNKER_KEY_INSIDE;
    const int64_t ticks = dts - c->samples[0].dts;
    if (c->samples[0].is_sync)
        return gop_ticks && ticks + gop_ticks <= c->part_ticks ? CHUNKER_KEY_INSIDE : CHUNKER_KEY_PART;
    return ticks >= c->least_ticks ? CHUNKER_KEY_PART : CHUNKER_KEY_SEGMENT;
}
