#include <weir/media/timeline.h>

#include <assert.h>
#include <stdlib.h>
#include <weir/base/limits.h>

#include "frame_grid.h"
#include "sample_clock.h"

#define MS_90K 90
#define ERA_GAP_90K 90000                /* between eras, so that a track that starts a little earlier never overlaps */
#define OTHER_CLOCK_90K 90000            /* how long a track may stay on a clock that the others have left */
#define COMPOSITION_90K_MAX (10 * 90000) /* no encoder reorders over this */
#define TRACKS_MAX (1 + AUDIO_TRACKS_MAX) /* video, then the audio tracks */
#define HOLE_90K (90000 / 2)              /* a longer step between video frames is counted as a bridged hole */

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
    struct clock_track tracks[TRACKS_MAX];
    uint32_t era; /* 0: nothing yet */
    bool is_broken, is_new_wire_clock;
    int64_t before_era_90k; /* what was played before the current era ends here */
    struct frame_grid grid;
    struct sample_clock samples[AUDIO_TRACKS_MAX];
    int64_t gone_end_90k; /* of tracks that were dropped: the stream clock never goes back */
    uint64_t repairs[TIMELINE_REPAIR_COUNT];
};

struct timeline *timeline_create(void)
{
    struct timeline *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    for (size_t i = 0; i < TRACKS_MAX; i++) t->tracks[i].astray_since_90k = -1;
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

void timeline_set_audio_rate(struct timeline *t, uint8_t track, uint32_t sample_rate)
{
    assert(track < AUDIO_TRACKS_MAX);
    sample_clock_set_rate(&t->samples[track], sample_rate);
}

static size_t slot_of(enum media_kind kind, uint8_t track)
{
    assert(kind == MEDIA_VIDEO ? track == 0 : track < AUDIO_TRACKS_MAX);
    return kind == MEDIA_VIDEO ? 0 : 1 + (size_t)track;
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

static int64_t unwrap_from(int64_t from, const struct timeline_wire *in)
{
    int64_t delta = step((uint64_t)from, in->wire, in->wire_bits);
    if (in->wire_bits == 32) {
        /* librtmp and others mask to 31 bits: a step of nearly -2^31 is a wrap of theirs (RTMP 1.0, 5.3.1.2.1 says 32) */
        const int64_t short_step = step((uint64_t)from, in->wire, 31);
        if (delta < -(1ll << 30) && distance(short_step, 0) < 60 * (int64_t)in->wire_hz) delta = short_step;
    }
    return from + delta;
}

/* The track whose wire clock was heard last; NULL: none was. */
static const struct clock_track *latest_wire(const struct timeline *t)
{
    const struct clock_track *latest = NULL;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        const struct clock_track *c = &t->tracks[i];
        if (c->has_wire && (!latest || c->last_90k > latest->last_90k)) latest = c;
    }
    return latest;
}

static int64_t unwrap(struct timeline *t, struct clock_track *track, const struct timeline_wire *in,
                      struct timeline_time *out)
{
    /* a track's first frame is placed beside the others: a wrap may lie between them */
    const struct clock_track *from = track->has_wire ? track : latest_wire(t);
    if (!from) {
        track->raw = (int64_t)in->wire;
        track->has_wire = true;
        return track->raw;
    }
    const uint64_t mask = (1ull << in->wire_bits) - 1;
    const int64_t raw = unwrap_from(from->raw, in);
    if (track->has_wire && raw > track->raw && ((uint64_t)track->raw & mask) > in->wire) note(t, out, TIMELINE_WRAP);
    track->raw = raw;
    track->has_wire = true;
    return raw;
}

/* -- eras -- */

static int64_t end_90k(const struct timeline *t)
{
    int64_t end = t->gone_end_90k;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        if (t->tracks[i].end_90k > end) end = t->tracks[i].end_90k;
    }
    return end;
}

static void begin_era(struct timeline *t, struct timeline_time *out)
{
    t->era++;
    t->before_era_90k = end_90k(t);
    t->is_broken = t->is_new_wire_clock = false;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        t->tracks[i].before_era_90k = t->tracks[i].last_90k;
        t->tracks[i].astray_since_90k = -1;
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

static bool is_active(const struct timeline *t, const struct clock_track *track)
{
    return track->is_placed && track->era == t->era;
}

/* Of the other tracks in the era, the one that this wire time lies nearest to; NULL: there is none. */
static const struct clock_track *nearest(const struct timeline *t, const struct clock_track *track, int64_t raw_90k)
{
    const struct clock_track *best = NULL;
    int64_t best_90k = INT64_MAX;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        const struct clock_track *other = &t->tracks[i];
        if (other == track || !is_active(t, other)) continue;
        const int64_t far_90k = distance(raw_90k + other->offset_90k, other->last_90k);
        if (far_90k < best_90k) best = other, best_90k = far_90k;
    }
    return best;
}

/* Where the other tracks in the era are; -1: there is none. */
static int64_t others_last_90k(const struct timeline *t, const struct clock_track *track)
{
    int64_t last = -1;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        const struct clock_track *other = &t->tracks[i];
        if (other != track && is_active(t, other) && other->last_90k > last) last = other->last_90k;
    }
    return last;
}

/* This track's first frame, or its first since another one began the era. false: it is still on a clock that is over. */
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
    /* clocks that have nothing in common meet by arrival */
    place(track, t->era, raw_90k, is_beside_other ? by_new : others_last_90k(t, track));
    return true;
}

static bool is_beside_another(const struct timeline *t, const struct clock_track *track, int64_t x)
{
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        const struct clock_track *other = &t->tracks[i];
        if (other != track && is_active(t, other) && distance(x, other->last_90k) <= TIMELINE_GAP_90K_MAX) return true;
    }
    return false;
}

/* Far from where this track and the others stand: the wire clock jumped. */
static bool is_jump(const struct timeline *t, const struct clock_track *track, int64_t x)
{
    /* also where this track was silent for long: what another era has played is over */
    if (x < t->before_era_90k - TIMELINE_BACK_90K_MAX) return true;
    const int64_t ahead = x - track->end_90k, behind = track->last_90k - x;
    if (ahead <= TIMELINE_GAP_90K_MAX && behind <= TIMELINE_BACK_90K_MAX) return false;
    /* a track that paused while another went on comes back beside it: no jump */
    return !(behind <= TIMELINE_BACK_90K_MAX && is_beside_another(t, track, x));
}

/* Video and the first audio track lead: where one of them jumps, all begin an era. Another audio track does so only when
 * nobody else goes on: alone on a clock of its own, it is the one to be put right. */
static bool may_lead(const struct timeline *t, const struct clock_track *track)
{
    if (track <= &t->tracks[1]) return true;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        const struct clock_track *other = &t->tracks[i];
        if (other != track && is_active(t, other) && other->end_90k + TIMELINE_GAP_90K_MAX >= track->end_90k)
            return false;
    }
    return true;
}

/* A configuration changed, or the publisher came back. */
static void cross_break(struct timeline *t, struct clock_track *track, int64_t raw_90k, struct timeline_time *out)
{
    /* a jump at the same moment is a new clock too */
    const bool is_new_clock = t->is_new_wire_clock || !is_active(t, track) ||
                              is_jump(t, track, raw_90k + track->offset_90k);
    const uint32_t era_before = t->era;
    begin_era(t, out);
    if (is_new_clock) {
        place(track, t->era, raw_90k, end_90k(t) + ERA_GAP_90K);
        return;
    }
    /* the clock goes on, and so do all tracks: nothing of the others is lost. One that had not yet followed an earlier
     * jump is still on a clock that is over, and joins when it comes */
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        if (t->tracks[i].is_placed && t->tracks[i].era == era_before) t->tracks[i].era = t->era;
    }
}

/* A track that may not lead jumped. Should the others follow, an era begins and it joins there; else its new clock is believed
 * after a while, and it goes on where they are. false: not yet. */
static bool find_again(struct timeline *t, struct clock_track *track, int64_t raw_90k, struct timeline_time *out)
{
    if (track->astray_since_90k < 0) track->astray_since_90k = raw_90k;
    if (distance(raw_90k, track->astray_since_90k) < OTHER_CLOCK_90K) return false;
    const int64_t others_90k = others_last_90k(t, track);
    place(track, t->era, raw_90k, others_90k > track->end_90k ? others_90k : track->end_90k);
    note(t, out, TIMELINE_GAP);
    return true;
}

/* A jump within the era. false: the frame is on a clock that nobody else is on. */
static bool cross_jump(struct timeline *t, struct clock_track *track, int64_t raw_90k, struct timeline_time *out)
{
    if (!may_lead(t, track)) return find_again(t, track, raw_90k, out);
    note(t, out, TIMELINE_JUMP);
    const int64_t at = end_90k(t) + ERA_GAP_90K;
    begin_era(t, out);
    place(track, t->era, raw_90k, at);
    return true;
}

static void forget_wires(struct timeline *t)
{
    for (size_t i = 0; i < TRACKS_MAX; i++) t->tracks[i].has_wire = false;
}

/* A track that the era does not have yet, or no more. */
static bool enter_era(struct timeline *t, struct clock_track *track, int64_t raw_90k)
{
    const struct clock_track *other = nearest(t, track, raw_90k);
    if (!other)
        place(track, t->era, raw_90k, end_90k(t) + ERA_GAP_90K);
    else if (!join_era(t, track, other, raw_90k))
        return false;
    /* by another clock, it may have been further already */
    if (raw_90k + track->offset_90k < track->end_90k) track->offset_90k = track->end_90k - raw_90k;
    return true;
}

/* Stream time of the frame before any smoothing; false: drop it. */
static bool locate(struct timeline *t, const struct timeline_wire *in, struct timeline_time *out, int64_t *x)
{
    const size_t slot = slot_of(in->kind, in->track);
    struct clock_track *track = &t->tracks[slot];
    struct sample_clock *samples = slot ? &t->samples[slot - 1] : NULL;
    if (t->is_broken && t->is_new_wire_clock) forget_wires(t);
    const int64_t raw_90k = to_90k(unwrap(t, track, in, out), in->wire_hz);
    if (!t->era) {
        begin_era(t, out);
        place(track, t->era, raw_90k, TIMELINE_ORIGIN_90K);
    } else if (t->is_broken) {
        cross_break(t, track, raw_90k, out);
    }
    if (!is_active(t, track)) {
        if (!enter_era(t, track, raw_90k)) return false;
        if (samples) sample_clock_restart(samples);
    }
    if (!out->is_new_era && track->end_90k && track->last_90k >= 0 && is_jump(t, track, raw_90k + track->offset_90k)) {
        if (!cross_jump(t, track, raw_90k, out)) return false;
        if (samples) sample_clock_restart(samples);
    } else {
        track->astray_since_90k = -1;
    }
    if (out->is_new_era && samples) sample_clock_restart(samples);
    *x = raw_90k + track->offset_90k;
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
    struct clock_track *track = &t->tracks[0];
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

static void map_audio(struct timeline *t, const struct timeline_wire *in, int64_t x, struct timeline_time *out)
{
    struct clock_track *track = &t->tracks[slot_of(MEDIA_AUDIO, in->track)];
    struct sample_clock *clock = &t->samples[in->track];
    switch (sample_clock_place(clock, x, in->samples, out->is_new_era, &out->pts_samples)) {
    case SAMPLE_OVERLAP:
        note(t, out, TIMELINE_OVERLAP);
        out->is_drop = true;
        return;
    case SAMPLE_GAP: note(t, out, TIMELINE_GAP); break;
    case SAMPLE_DRIFT: note(t, out, TIMELINE_DRIFT); break;
    case SAMPLE_NONE: break;
    }
    out->pts_90k = out->dts_90k = sample_clock_to_90k(clock, out->pts_samples);
    track->last_90k = out->pts_90k;
    track->end_90k = sample_clock_to_90k(clock, out->pts_samples + in->samples);
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

bool timeline_peek(const struct timeline *t, const struct timeline_wire *wire, int64_t *at_90k)
{
    const struct clock_track *from = latest_wire(t);
    /* across a break the old clock says nothing */
    if (!from || !is_active(t, from) || (t->is_broken && t->is_new_wire_clock)) return false;
    *at_90k = to_90k(unwrap_from(from->raw, wire), wire->wire_hz) + from->offset_90k;
    return true;
}

void timeline_drop_track(struct timeline *t, enum media_kind kind, uint8_t track)
{
    const size_t slot = slot_of(kind, track);
    t->gone_end_90k = end_90k(t);
    t->tracks[slot] = (struct clock_track){ .astray_since_90k = -1 };
    if (slot) sample_clock_restart(&t->samples[slot - 1]);
}

uint32_t timeline_era(const struct timeline *t)
{
    return t->era;
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
