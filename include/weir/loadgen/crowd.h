/* Many viewers in one process: each with connections of its own, all on one loop, sharing what they read. Owner: one thread, which calls
 * everything. Reads the clocks. */
#ifndef WEIR_LOADGEN_CROWD_H
#define WEIR_LOADGEN_CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/loadgen/histogram.h>
#include <weir/loadgen/http_client.h>
#include <weir/loadgen/viewer.h>

struct crowd_config {
    const char *const *urls; /* lent: they outlive the crowd */
    uint32_t url_count;
    uint32_t viewers;       /* in all; the first on the first URL, the next on the next, and round again */
    double ramp_per_second; /* so many begin; 0: all at once */
    double speed;           /* as viewer_config */
    int64_t switch_us, wait_us;
    bool is_plain, wants_http2;
    struct http_client_config http; /* wants is the crowd's own */
};

/* Since the beginning, over all viewers or those of one stream. */
struct crowd_figures {
    uint32_t viewers, states[VIEWER_FAILED + 1]; /* by viewer_state; viewers: that have begun */
    uint64_t requests, bytes, segments, parts, stalls, switches, discontinuities;
    int64_t played_us, stalled_us, longest_stall_us;
    uint64_t av_compared;
    int64_t av_offset_us;       /* the largest, as viewer_figures */
    int64_t slowest_startup_us; /* -1: none has a picture yet */
    uint64_t faults[VIEWER_FAULT_COUNT];
};

/* Of this moment. */
struct crowd_moment {
    struct crowd_figures all;
    struct histogram startup;          /* of all that have a picture */
    struct histogram latency, arrival; /* of those that play; count 0: nothing is known */
    int64_t least_buffer_us;           /* of those that play; -1: none does */
    int64_t worst_latency_us;
    uint32_t worst_stream; /* whose that is */
};

struct crowd;

/* NULL: no memory, or the system's limit of descriptors. */
struct crowd *crowd_create(const struct crowd_config *config);
void crowd_destroy(struct crowd *c); /* NULL is fine */
/* Works for at most wait_us. WEIR_IO: the loop is broken. WEIR_NOMEM: a viewer could not be made. */
WEIR_MUST_CHECK enum weir_err crowd_turn(struct crowd *c, int64_t wait_us);
void crowd_look(struct crowd *c, struct crowd_moment *out); /* out is large: keep it off the stack */
void crowd_look_at_stream(struct crowd *c, uint32_t url, struct crowd_figures *out);
/* The first fault in words of a viewer that was not told yet; NULL: none. Lent until the crowd goes. */
const char *crowd_next_fault(struct crowd *c, uint32_t *url);
struct object_cache_figures crowd_cache_figures(const struct crowd *c);
bool crowd_saw_stranger(const struct crowd *c);
/* Every viewer has ended or failed. */
bool crowd_is_over(struct crowd *c);

#endif
