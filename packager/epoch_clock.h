/* epoch_clock: the time by which segments are cut and numbered where that is to be the same on several servers (hls.numbering: epoch). Epoch time
 * is cut into cells as long as a segment; cell n, counted from 2026, holds the beginning of segment n. Epoch time is what the encoder says of
 * each keyframe (MISB ST 0604), else when the era began by this server's clock. Pure. Owner: the packager. */
#ifndef WEIR_PACKAGER_EPOCH_CLOCK_H
#define WEIR_PACKAGER_EPOCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define EPOCH_WALL_US 1767225600000000LL /* 2026-01-01T00:00:00Z */
#define EPOCH_HOLE_MAX 8192 /* numbers that are left out at once: an hour, the longest hold, of half seconds */

struct epoch_clock {
    int64_t cell_90k;   /* 0: numbers do not come from here */
    int64_t offset_90k; /* epoch time = presentation time + this */
    bool is_told;       /* by the encoder, in this era */
    bool is_joining;    /* what is there of the cell at hand is not all of it */
    int64_t met_cell;   /* while joining: where the stream was met; INT64_MIN: nowhere yet */
};

/* cell_us: 0 for none. */
void epoch_clock_init(struct epoch_clock *c, int64_t cell_us);
/* The publisher was lost: it is met anew. */
void epoch_clock_lose(struct epoch_clock *c);
/* An era: wall_us at presentation time start_90k by this server's clock, to go by until the encoder says something. */
void epoch_clock_begin_era(struct epoch_clock *c, int64_t start_90k, int64_t wall_us);
/* The encoder's time at a keyframe. wall_us: now. false: not believed, since it is a day off, or it jumped within the era. */
bool epoch_clock_hear(struct epoch_clock *c, int64_t pts_90k, int64_t taken_us, int64_t wall_us);
int64_t epoch_clock_at(const struct epoch_clock *c, int64_t pts_90k); /* epoch time */
int64_t epoch_clock_cell(const struct epoch_clock *c, int64_t pts_90k);
/* Whether a segment may begin with this keyframe, the first since the publisher came: only with the first one of its cell is it what another
 * server has under this number, and no number is used twice by a server that was killed and started again. */
bool epoch_clock_may_begin(struct epoch_clock *c, int64_t pts_90k);
/* The number is too far from those before it to be reached by gaps: it is `next`, and the times of this era go on from there. */
void epoch_clock_move(struct epoch_clock *c, int64_t pts_90k, int64_t next);
/* In names of objects: equal where the same pictures have the same times in them. */
uint32_t epoch_clock_run(int64_t pts_90k, int64_t taken_us);

#endif
