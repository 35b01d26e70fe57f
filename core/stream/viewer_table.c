#include "viewer_table.h"

#include <math.h>
#include <stdlib.h>
#include <weir/base/limits.h>

#define SECOND_US 1000000LL
#define VIEWER_US (12 * SECOND_US) /* a playlist is polled at least every target duration */
#define SAMPLE_US (VIEWER_SAMPLE_S * SECOND_US)
#define SWEEP_US SECOND_US /* a full table is cleared of those who left at most this often */

/* Open addressing, at most half full; entries not seen lately are reused. */
struct viewer {
    uint64_t id; /* 0: free */
    int64_t seen_us;
    bool is_sample;
};

void viewer_table_deinit(struct viewer_table *t)
{
    free(t->items);
    *t = (struct viewer_table){ .items = NULL };
}

static bool is_alive(const struct viewer *v, int64_t now_us)
{
    return v->id && now_us - v->seen_us < (v->is_sample ? SAMPLE_US : VIEWER_US);
}

/* Without those who left; false: no memory. */
static bool rebuild(struct viewer_table *t, int64_t now_us)
{
    size_t alive = 0, capacity = 16;
    for (size_t i = 0; i < t->capacity; i++) alive += is_alive(&t->items[i], now_us);
    while (capacity < (alive + 1) * 4) capacity *= 2;
    struct viewer *fresh = calloc(capacity, sizeof *fresh);
    if (!fresh) return false;
    for (size_t i = 0; i < t->capacity; i++) {
        const struct viewer *v = &t->items[i];
        if (!is_alive(v, now_us)) continue;
        size_t at = v->id & (capacity - 1);
        while (fresh[at].id) at = (at + 1) & (capacity - 1);
        fresh[at] = *v;
    }
    free(t->items);
    t->items = fresh;
    t->capacity = capacity;
    t->count = alive;
    t->swept_us = now_us;
    return true;
}

/* Is there no room for one more? */
static bool is_crowded(const struct viewer_table *t, int64_t now_us)
{
    if (t->count * 2 >= t->capacity) return true;
    return t->count >= VIEWERS_TRACKED_MAX && now_us - t->swept_us >= SWEEP_US;
}

static void note_sample(struct viewer_table *t, int64_t now_us)
{
    const int64_t second = now_us / SECOND_US;
    const size_t at = (size_t)(second % VIEWER_SAMPLE_S);
    if (t->sample_seconds[at] != second) t->samples[at] = 0;
    t->sample_seconds[at] = second;
    t->samples[at]++;
}

void viewer_table_note(struct viewer_table *t, uint64_t id, bool is_sample, int64_t now_us)
{
    if (!id) id = 1;
    if (is_crowded(t, now_us) && !rebuild(t, now_us)) return;
    size_t at = id & (t->capacity - 1);
    while (t->items[at].id && t->items[at].id != id) at = (at + 1) & (t->capacity - 1);
    if (!t->items[at].id) {
        if (t->count >= VIEWERS_TRACKED_MAX) return;
        t->items[at].id = id;
        t->count++;
    }
    t->items[at].seen_us = now_us;
    t->items[at].is_sample = is_sample;
    if (is_sample) note_sample(t, now_us);
}

static uint32_t draws_lately(const struct viewer_table *t, int64_t now_us)
{
    uint32_t draws = 0;
    for (size_t i = 0; i < VIEWER_SAMPLE_S; i++) {
        if (t->samples[i] && now_us / SECOND_US - t->sample_seconds[i] < VIEWER_SAMPLE_S) draws += t->samples[i];
    }
    return draws;
}

uint32_t viewers_estimate(uint32_t distinct, uint32_t draws)
{
    if (draws < distinct) draws = distinct;
    if (distinct < 2) return distinct;
    /* two of k draws agree once k^2 is about twice as many as there are */
    double low = distinct, high = (double)distinct * distinct / 2 + 1;
    for (int i = 0; i < 60; i++) {
        const double n = (low + high) / 2;
        if (n * -expm1(-(double)draws / n) < distinct)
            low = n;
        else
            high = n;
    }
    return low < UINT32_MAX ? (uint32_t)(low + 0.5) : UINT32_MAX;
}

uint32_t viewer_table_count(const struct viewer_table *t, int64_t now_us)
{
    uint32_t seen = 0, sampled = 0;
    for (size_t i = 0; i < t->capacity; i++) {
        if (!is_alive(&t->items[i], now_us)) continue;
        if (t->items[i].is_sample)
            sampled++;
        else
            seen++;
    }
    return seen + viewers_estimate(sampled, draws_lately(t, now_us));
}
