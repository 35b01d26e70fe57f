/* What goes wrong, and when: a schedule drawn from a seed, the same each time, that can be written down, changed and played again. One thing
 * at a time, and behind each of them time to see that everything is as it was promised. Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_CHAOS_PLAN_H
#define WEIR_LOADGEN_CHAOS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/err.h>

/* name, what it is */
#define CHAOS_KINDS(X)                                                                                                 \
    X(CUT_FIN, "cut-fin", "a publisher ends in the middle of a frame, politely, and comes back")                       \
    X(CUT_RST, "cut-rst", "a publisher is reset in the middle of a frame and comes back")                              \
    X(VANISH, "vanish", "a publisher falls silent with its connection open, and comes back on a new one")              \
    X(FLAP, "flap", "a publisher is cut and comes back, again and again")                                              \
    X(STALL, "stall", "a publisher sends nothing for a while, and then what was missed")                               \
    X(GARBAGE, "garbage", "a publisher sends nonsense where a message should begin")                                   \
    X(JUMP, "jump", "a publisher's timestamps jump")                                                                   \
    X(SWITCH, "switch", "a publisher changes its picture size in the same connection")                                 \
    X(CONTEND, "contend", "somebody else wants a name that is taken")                                                  \
    X(CLIFF, "cliff", "a publisher's timestamps go over an edge of their field")                                       \
    X(NETWORK, "network", "a publisher's network delays, loses and slows down")                                        \
    X(SLOW, "slow-viewers", "viewers read a few bytes at a time")                                                      \
    X(LEAVE, "leaving-viewers", "viewers leave in the middle of an answer")                                            \
    X(TERM, "server-term", "the server is ended by SIGTERM and started again")                                         \
    X(KILL, "server-kill", "the server is killed and started again")                                                   \
    X(DISK, "disk-full", "the disk that the server writes to is full for a while")

enum chaos_kind {
    CHAOS_NONE = 0,
#define X(id, name, says) CHAOS_##id,
    CHAOS_KINDS(X)
#undef X
        CHAOS_KIND_COUNT
};
const char *chaos_kind_name(enum chaos_kind kind);
const char *chaos_kind_says(enum chaos_kind kind);
enum chaos_kind chaos_kind_find(const char *name, size_t bytes); /* CHAOS_NONE: there is none of that name */
bool chaos_kind_needs_server(enum chaos_kind kind);              /* that we started */

struct chaos_event {
    enum chaos_kind kind;
    int64_t at_us;   /* from the beginning */
    int64_t us;      /* how long it is away, silent, slow or full; JUMP: by how much */
    uint32_t victim; /* CLIFF: which edge */
    uint32_t count;  /* FLAP: cycles; GARBAGE: bytes; viewers */
    uint64_t seed;
};

struct chaos_plan {
    struct chaos_event *events;
    uint32_t count, capacity;
};
void chaos_plan_deinit(struct chaos_plan *p);

struct chaos_plan_config {
    uint64_t seed;
    int64_t seconds_us; /* events begin until then; at least one of each kind that fits, in the order drawn */
    int64_t warm_up_us, settle_us;
    uint32_t victims, flaps;
    bool has_kind[CHAOS_KIND_COUNT];
};
/* How long an event takes by itself, before the time to settle. */
int64_t chaos_event_lasts_us(const struct chaos_event *e);
WEIR_MUST_CHECK enum weir_err chaos_plan_make(const struct chaos_plan_config *c, struct chaos_plan *out);

/* A line each: "12.500 cut-rst victim=1 for=2.250 seed=77". '#' begins a comment. */
void chaos_plan_write(const struct chaos_plan *p, struct byte_writer *out);
/* WEIR_MALFORMED: *line says where. WEIR_LIMIT: more than LOADGEN_CHAOS_EVENTS_MAX. The events need not be in order. */
WEIR_MUST_CHECK enum weir_err chaos_plan_read(const char *text, size_t bytes, struct chaos_plan *out, unsigned *line);

/* The edges of timestamps, in milliseconds. */
struct chaos_cliff {
    int64_t ms;
    const char *says;
};
uint32_t chaos_cliff_count(void);
const struct chaos_cliff *chaos_cliff(uint32_t index);

#endif
