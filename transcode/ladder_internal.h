/* What the files of a ladder share. Three kinds of objects, each alive as long as somebody holds it:
 *   shared   what all its threads know and count, and where events go out; one per ladder
 *   engine   a decoding thread with its queue; replaced as a whole when it hangs
 *   lane     an encoding thread with its queue; replaced when it hangs
 * A thread that hangs cannot be ended: it is abandoned, and lets go of what it holds when it comes back. */
#ifndef WEIR_TRANSCODE_LADDER_INTERNAL_H
#define WEIR_TRANSCODE_LADDER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <weir/transcode/ladder.h>

#include "encoded.h"
#include "ladder_queue.h"
#include "libav.h"

/* -- shared -- */

/* What a rung's output goes on from when its lane is replaced. */
struct rung_output {
    const void *writer; /* the lane that may write; another one's packets are late */
    int64_t last_dts_90k;
    bool has_last;
};

struct ladder_shared {
    _Atomic uint32_t refs;
    struct transcoder *transcoder; /* lent: it outlives all threads */
    struct ladder_options options; /* name and backend point into the two below */
    char name[STREAM_NAME_BYTES_MAX + 1], backend[RUNG_WORD_BYTES];
    struct transcode_figures figures;
    pthread_mutex_t out_lock; /* events, and `outputs`; held for a callback */
    bool is_closed;
    struct rung_output outputs[LADDER_RUNGS_MAX];
};
struct ladder_shared *shared_create(struct transcoder *transcoder, const struct ladder_options *options);
struct ladder_shared *shared_ref(struct ladder_shared *s);
void shared_unref(struct ladder_shared *s);
/* Now and `us` later, for waits. */
struct timespec time_after(int64_t us);
void monotonic_cond_init(pthread_cond_t *cond);

/* -- lane -- */

enum lane_item_kind { LANE_FRAME = 1, LANE_DRAIN, LANE_LEAVE_OUT };
struct lane_item {
    enum lane_item_kind kind;
    AVFrame *frame; /* held */
    int64_t pts_90k, arrival_us;
    uint32_t era, nominal_90k;
    bool is_key;
    uint32_t presets_faster; /* takes effect at a keyframe */
    struct captions captions;
    bool has_hdr;
    struct hdr_facts hdr;
};

struct lane;
/* rank: the first backend in the order that may be tried. NULL: no memory, no thread. */
struct lane *lane_create(struct ladder_shared *shared, size_t rung, const struct rung_plan *plan,
                         enum ladder_latency latency, uint32_t threads, size_t rank);
/* Ends it when it has done what it was given (drained) or at once. Never waits: the thread lets go of itself. */
void lane_end(struct lane *lane, bool is_drained);
enum lane_give { LANE_TAKEN = 1, LANE_FULL };
/* The item is given, when taken. wait_us: for a place. */
enum lane_give lane_give(struct lane *lane, const struct lane_item *item, int64_t wait_us);
void lane_wait_idle(struct lane *lane, int64_t wait_us); /* until all that was given is done, or the time is over */
/* For the watchdog and shedding; resets what is counted since the last look. */
struct lane_look {
    bool has_work, has_answered;
    uint64_t busy_us;
    size_t rank; /* of the backend in use */
};
struct lane_look lane_look(struct lane *lane);

/* -- engine -- */

struct engine;
/* track: may be NULL. decoder_rank: the first backend in the order that may decode. */
struct engine *engine_create(struct ladder_shared *shared, struct track *track, size_t decoder_rank);
void engine_end(struct engine *engine); /* never waits */
size_t engine_give(struct engine *engine, const struct ladder_item *item);
int64_t engine_backlog_90k(struct engine *engine);
void engine_pass_on(struct engine *from, struct engine *to); /* what waits in the queue */
/* A hung decoder is found from outside. */
bool engine_is_hung(struct engine *engine, int64_t now_us);
size_t engine_decoder_rank(struct engine *engine);

#endif
