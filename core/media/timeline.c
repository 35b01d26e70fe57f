#include <weir/media/timeline.h>

#include <assert.h>
#include <stdlib.h>
#include <weir/base/limits.h>

#include "frame_grid.h"

#define MS_90K 90
#define ERA_GAP_90K 90000                /* between eras, so that a track that starts a little earlier never overlaps */
#define OTHER_CLOCK_90K 90000            /* how long a track may stay on a clock that the other one has left */
#define COMPOSITION_90K_MAX (10 * 90000) /* no encoder reorders over this */
#define AUDIO_HOLE_US (100 * 1000)       /* above: a hole or an overlap, below: jitter or drift */
#define AUDIO_DEADBAND_US (5 * 1000)     /* mean error that is left alone: jitter, wire rounding */
#define AUDIO_FILTER 8                   /* frames over which the error is averaged */
#define AUDIO_SLEW_FRACTION 16           /* a frame's duration moves by at most 1/16 */
#define HOLE_90K (90000 / 2)             /* a longer step between video frames is counted as a bridged hole */

struct clock_track {
    bool has_wire;      /* `raw` is valid */
    bool is_placed;     /* has an offset, in era `era` */
    int64_t raw;        /* unwrapped wire time, wire units */
    int64_t offset_90k; /* stream time = raw in 90 kHz + offset */
    uint32_t era;
    int64_t last_90k;       /* last output (dts, or audio pts) */
    int64_t before_era_90k; /* the same, as it stood when the current era began */
    int64_t end_90k;
    int64_t astray_since_90k; /* first of a run of frames on a clock that the era has left; -1: none */
};

struct timeline {
    struct clock_track tracks[MEDIA_AUDIO + 1];
    uint32_t era; /* 0: nothing yet */
    bool is_broken, is_new_wire_clock;
    int64_t before_era_90k; /* what was played before the current era ends here */
    struct frame_grid grid;
    uint32_t sample_rate;
    int64_t next_samples; /* where the next audio frame belongs */
    bool has_samples;
    int64_t mean_error; /* of audio, samples << 8 */
    uint64_t repairs[TIMELINE_REPAIR_COUNT];
};

struct timeline *timeline_create(void)
{
    struct timeline *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    for (int kind = MEDIA_VIDEO; kind <= MEDIA_AUDIO; kind++) t->tracks[kind].astray_since_90k = -1;
    return t;
}

void timeline_destroy(struct timeline *t)
{
    free(t);
}

void timeline_set_video_rate(struct timeline *t, uint32_t fps_num, uint32_t fps_den)
{
    frame_grid_tell(&t->grid, fps_num, fps_den);
}

void timeline_set_audio_rate(struct timeline *t, uint32_t sample_rate)
{
    if (t->sample_rate != sample_rate) t->has_samples = false;
    t->sample_rate = sample_rate;
}

void timeline_break(struct timeline *t, bool is_new_wire_clock)
{
    if (!t->era) return; /* nothing was there to break */
    t->is_broken = true;
    t->is_new_wire_clock |= is_new_wire_clock;
}

static void note(struct timeline *t, struct timeline_time *out, enum timeline_repair kind)
{
    t->repairs[kind]++;
    out->repairs |= 1u << kind;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int64_t to_90k(int64_t raw, uint32_t wire_hz)
{
    return raw * (90000 / (int64_t)wire_hz);
}

/* -- wire to unwrapped -- */

/* Shortest signed step from the low bits of `from` to `wire`. */
static int64_t step(uint64_t from, uint64_t wire, unsigned bits)
{
    const uint64_t mask = bits >= 64 ? ~0ull : (1ull << bits) - 1;
    uint64_t delta = (wire - from) & mask;
    return delta > mask / 2 ? -(int64_t)(mask - delta + 1) : (int64_t)delta;
}

static int64_t unwrap(struct timeline *t, struct clock_track *track, const struct clock_track *other,
                      const struct timeline_wire *in, struct timeline_time *out)
{
    /* the first frame of the second track is placed beside the first track: a wrap may lie between them */
    const struct clock_track *from = track->has_wire ? track : other->has_wire ? other : NULL;
    if (!from) {
        track->raw = (int64_t)in->wire;
        track->has_wire = true;
        return track->raw;
    }
    int64_t delta = step((uint64_t)from->raw, in->wire, in->wire_bits);
    if (in->wire_bits == 32) {
        /* librtmp and others mask to 31 bits: a step of nearly -2^31 is a wrap of theirs (RTMP 1.0, 5.3.1.2.1 says 32) */
        const int64_t short_step = step((uint64_t)from->raw, in->wire, 31);
        if (delta < -(1ll << 30) && distance(short_step, 0) < 60 * (int64_t)in->wire_hz) delta = short_step;
    }
    const uint64_t mask = (1ull << in->wire_bits) - 1;
    const int64_t raw = from->raw + delta;
    if (track->has_wire && delta > 0 && ((uint64_t)track->raw & mask) > in->wire) note(t, out, TIMELINE_WRAP);
    track->raw = raw;
    track->has_wire = true;
    return raw;
}

/* -- eras -- */

static int64_t end_90k(const struct timeline *t)
{
    const int64_t video = t->tracks[MEDIA_VIDEO].end_90k, audio = t->tracks[MEDIA_AUDIO].end_90k;
    return video > audio ? video : audio;
}

static void begin_era(struct timeline *t, struct timeline_time *out)
{
    t->era++;
    t->before_era_90k = end_90k(t);
    t->is_broken = t->is_new_wire_clock = false;
    for (int kind = MEDIA_VIDEO; kind <= MEDIA_AUDIO; kind++) {
        t->tracks[kind].before_era_90k = t->tracks[kind].last_90k;
        t->tracks[kind].astray_since_90k = -1;
    }
    frame_grid_restart(&t->grid);
    out->is_new_era = true;
}

static void place(struct clock_track *track, uint32_t era, int64_t raw_90k, int64_t at_90k)
{
    track->is_placed = true;
    track->era = era;
    track->offset_90k = at_90k - raw_90k;
    track->astray_since_90k = -1;
}

/* This track's first frame, or its first since the other one began the era. false: it is still on the clock that is over. */
static bool join_era(struct timeline *t, struct clock_track *track, const struct clock_track *other, int64_t raw_90k)
{
    const int64_t by_new = raw_90k + other->offset_90k, far_new = distance(by_new, other->last_90k);
    const bool was_here = track->is_placed;
    const int64_t by_old = raw_90k + track->offset_90k, far_old = distance(by_old, other->before_era_90k);
    const bool is_beside_other = by_new >= t->before_era_90k && far_new <= TIMELINE_GAP_90K_MAX;
    if (is_beside_other && (!was_here || far_new <= far_old)) {
        place(track, t->era, raw_90k, by_new);
        return true;
    }
    if (was_here) {
        if (track->astray_since_90k < 0) track->astray_since_90k = raw_90k;
        if (distance(raw_90k, track->astray_since_90k) < OTHER_CLOCK_90K) return false;
    }
    /* two clocks that have nothing in common meet by arrival */
    place(track, t->era, raw_90k, is_beside_other ? by_new : other->last_90k);
    return true;
}

static bool is_active(const struct timeline *t, const struct clock_track *track)
{
    return track->is_placed && track->era == t->era;
}

/* Far from where this track and the other one stand: the wire clock jumped. */
static bool is_jump(const struct timeline *t, const struct clock_track *track, const struct clock_track *other,
                    int64_t x)
{
    /* also where this track was silent for long: what another era has played is over */
    if (x < t->before_era_90k - TIMELINE_BACK_90K_MAX) return true;
    const int64_t ahead = x - track->end_90k, behind = track->last_90k - x;
    if (ahead <= TIMELINE_GAP_90K_MAX && behind <= TIMELINE_BACK_90K_MAX) return false;
    /* a track that paused while the other went on comes back beside it: no jump */
    const bool is_beside_other = is_active(t, other) && distance(x, other->last_90k) <= TIMELINE_GAP_90K_MAX;
    return !(is_beside_other && behind <= TIMELINE_BACK_90K_MAX);
}

/* A configuration changed, or the publisher came back. */
static void cross_break(struct timeline *t, struct clock_track *track, struct clock_track *other, int64_t raw_90k,
                        struct timeline_time *out)
{
    /* a jump at the same moment is a new clock too */
    const bool is_new_clock = t->is_new_wire_clock || !is_active(t, track) ||
                              is_jump(t, track, other, raw_90k + track->offset_90k);
    const bool other_goes_on = is_active(t, other);
    begin_era(t, out);
    if (is_new_clock) {
        place(track, t->era, raw_90k, end_90k(t) + ERA_GAP_90K);
        return;
    }
    /* the clock goes on, and so do both tracks: nothing of the other one is lost. One that had not yet followed an earlier
     * jump is still on a clock that is over, and joins when it comes */
    track->era = t->era;
    if (other_goes_on) other->era = t->era;
}

/* Stream time of the frame before any smoothing; false: drop it. */
static bool locate(struct timeline *t, const struct timeline_wire *in, struct timeline_time *out, int64_t *x)
{
    struct clock_track *track = &t->tracks[in->kind];
    struct clock_track *other = &t->tracks[in->kind == MEDIA_VIDEO ? MEDIA_AUDIO : MEDIA_VIDEO];
    if (t->is_broken && t->is_new_wire_clock) track->has_wire = other->has_wire = false;
    const int64_t raw_90k = to_90k(unwrap(t, track, other, in, out), in->wire_hz);
    if (!t->era) {
        begin_era(t, out);
        place(track, t->era, raw_90k, TIMELINE_ORIGIN_90K);
    } else if (t->is_broken) {
        cross_break(t, track, other, raw_90k, out);
    }
    if (!is_active(t, track)) {
        if (is_active(t, other) && !join_era(t, track, other, raw_90k)) return false;
        if (!is_active(t, track)) place(track, t->era, raw_90k, end_90k(t) + ERA_GAP_90K);
        if (in->kind == MEDIA_AUDIO) t->has_samples = false;
    }
    *x = raw_90k + track->offset_90k;
    if (!out->is_new_era && track->end_90k && track->last_90k >= 0 && is_jump(t, track, other, *x)) {
        note(t, out, TIMELINE_JUMP);
        const int64_t at = end_90k(t) + ERA_GAP_90K;
        begin_era(t, out);
        place(track, t->era, raw_90k, at);
        *x = at;
    }
    if (out->is_new_era) t->has_samples = false;
    return true;
}

/* -- video -- */

static void map_composition(struct timeline *t, const struct timeline_wire *in, struct timeline_time *out)
{
    int64_t composition_90k = to_90k(in->composition, in->wire_hz) + (int64_t)in->offset_ns * 9 / 100000;
    if (composition_90k < 0 || composition_90k > COMPOSITION_90K_MAX) {
        note(t, out, TIMELINE_COMPOSITION);
        composition_90k = 0;
    }
    out->pts_90k = frame_grid_snap(&t->grid, out->dts_90k, composition_90k);
}

static void map_video(struct timeline *t, const struct timeline_wire *in, int64_t x, struct timeline_time *out)
{
    struct clock_track *track = &t->tracks[MEDIA_VIDEO];
    const bool is_first = track->end_90k == 0 || out->is_new_era;
    const int64_t last = track->last_90k;
    enum grid_repair repair = GRID_NONE;
    int64_t dts = frame_grid_place(&t->grid, x, &repair);
    if (repair == GRID_JITTER) note(t, out, TIMELINE_JITTER);
    if (repair == GRID_DRIFT) note(t, out, TIMELINE_DRIFT);
    if (!is_first && x <= last) note(t, out, TIMELINE_BACKWARD);
    if (!is_first && dts <= last) dts = last + MS_90K;
    if (!is_first && dts - last > HOLE_90K) note(t, out, TIMELINE_GAP);
    out->dts_90k = dts;
    out->nominal_90k = frame_grid_nominal_90k(&t->grid);
    map_composition(t, in, out);
    track->last_90k = dts;
    track->end_90k = dts + (out->nominal_90k ? out->nominal_90k : 33 * MS_90K);
}

/* -- audio -- */

static int64_t us_to_samples(const struct timeline *t, int64_t us)
{
    return us * (int64_t)t->sample_rate / 1000000;
}

/* Moves the sample counter towards the wire clock when the mean error says that it drifts. */
static void slew(struct timeline *t, uint32_t samples, int64_t error, struct timeline_time *out)
{
    t->mean_error += (error * 256 - t->mean_error) / AUDIO_FILTER;
    const int64_t mean = t->mean_error / 256, deadband = us_to_samples(t, AUDIO_DEADBAND_US);
    if (mean <= deadband && mean >= -deadband) return;
    const int64_t most = samples / AUDIO_SLEW_FRACTION;
    int64_t by = mean / AUDIO_FILTER;
    by = by > most ? most : by < -most ? -most : by;
    t->next_samples += by;
    t->mean_error -= by * 256;
    note(t, out, TIMELINE_DRIFT);
}

static void map_audio(struct timeline *t, const struct timeline_wire *in, int64_t x, struct timeline_time *out)
{
    struct clock_track *track = &t->tracks[MEDIA_AUDIO];
    assert(t->sample_rate > 0 && in->samples > 0);
    const int64_t wanted = (x * (int64_t)t->sample_rate + 45000) / 90000;
    const int64_t hole = us_to_samples(t, AUDIO_HOLE_US);
    if (!t->has_samples) {
        t->next_samples = wanted;
        t->has_samples = true;
        t->mean_error = 0;
    }
    const int64_t error = wanted - t->next_samples;
    if (error < -hole && !out->is_new_era) {
        note(t, out, TIMELINE_OVERLAP);
        out->is_drop = true;
        return;
    }
    if (error > hole) {
        note(t, out, TIMELINE_GAP);
        t->next_samples = wanted;
        t->mean_error = 0;
    } else {
        slew(t, in->samples, error, out);
    }
    out->pts_samples = t->next_samples;
    out->pts_90k = out->dts_90k = t->next_samples * 90000 / (int64_t)t->sample_rate;
    t->next_samples += in->samples;
    track->last_90k = out->pts_90k;
    track->end_90k = t->next_samples * 90000 / (int64_t)t->sample_rate;
}

void timeline_map(struct timeline *t, const struct timeline_wire *in, struct timeline_time *out)
{
    assert(in->kind == MEDIA_VIDEO || in->kind == MEDIA_AUDIO);
    assert(in->wire_hz > 0 && 90000 % in->wire_hz == 0 && in->wire_bits > 8 && in->wire_bits < 64);
    *out = (struct timeline_time){ 0 };
    int64_t x = 0;
    if (!locate(t, in, out, &x)) {
        note(t, out, TIMELINE_OVERLAP);
        out->is_drop = true;
    } else if (in->kind == MEDIA_VIDEO) {
        map_video(t, in, x, out);
    } else {
        map_audio(t, in, x, out);
    }
    out->era = t->era;
}

uint64_t timeline_repairs(const struct timeline *t, enum timeline_repair kind)
{
    return t->repairs[kind];
}

const char *timeline_repair_name(enum timeline_repair kind)
{
    static const char *const names[TIMELINE_REPAIR_COUNT] = { "",         "wrap",    "jump",
                                                              "backward", "jitter",  "composition",
                                                              "drift",    "overlap", "gap" };
    return (unsigned)kind < TIMELINE_REPAIR_COUNT ? names[kind] : "";
}

int64_t timeline_end_90k(const struct timeline *t)
{
    return end_90k(t);
}

void timeline_video_rate(const struct timeline *t, uint32_t *fps_num, uint32_t *fps_den)
{
    frame_grid_rate(&t->grid, fps_num, fps_den);
}
