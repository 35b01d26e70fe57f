/* Publishers: many encoders in one process, over RTMP, RTMPS (librtmp) and SRT (libsrt). A group shares a source and an address; it has one
 * thread or a few that send, and a few that dial. A publisher keeps no queue of frames: it remembers where in the endless loop of its source
 * it is, so one whose server does not read falls behind, costs nothing, and harms nobody. What falls further behind than
 * LOADGEN_BEHIND_US_MAX goes on at the next keyframe, counted.
 *
 * Thread: publishers_create and _destroy on the owner's; everything else on any. Event functions run on the group's threads, one call at a
 * time in a group, and must not call into the group but for publishers_act. */
#ifndef WEIR_LOADGEN_PUBLISHER_H
#define WEIR_LOADGEN_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/loadgen/media_source.h>

struct publishers;

enum publisher_event_kind {
    PUBLISHER_DIALING = 1,
    PUBLISHER_LIVE,    /* the server took the name */
    PUBLISHER_REFUSED, /* it did not, or nobody is there; text says why */
    PUBLISHER_LOST,    /* the connection ended, and not by us; text says how */
    PUBLISHER_BEHIND,  /* the server did not read for so long that frames were left out; queue_age_us */
    PUBLISHER_ACTED,   /* an action was done; text names it */
    PUBLISHER_ENDED,   /* by us, for good */
};
const char *publisher_event_name(enum publisher_event_kind kind); /* "live", ... */

struct publisher_event {
    enum publisher_event_kind kind;
    uint32_t index;   /* in the group */
    const char *name; /* of the stream, with its application: "live/load3"; lent for the call, as is text */
    int64_t wall_us;
    uint64_t frames, bytes; /* sent so far: pictures, and bytes of everything */
    int64_t queue_age_us;   /* how long what is sent next has been waiting */
    const char *text;       /* "" where there is nothing to say */
};
typedef void publisher_event_fn(void *owner, const struct publisher_event *event);

struct publishers_config {
    const char *url;  /* "rtmp://127.0.0.1:1935/live", rtmps://, "srt://127.0.0.1:8890"; copied, as are all texts */
    const char *name; /* "load%d": %d is first + index; without %d one name for all */
    const char *key;  /* NULL: none. RTMP: name?key=KEY; SRT: publish:live/name:any:KEY unless srt_streamid is given */
    const struct media_source *source; /* lent: outlives the group. SRT needs one with wants_ts */
    uint32_t count, first;
    double ramp_per_second; /* 0: all at once */
    double speed;           /* 1: real time; 20: twenty seconds of media in each second. 0 is taken as 1 */
    int64_t start_ms;       /* the first timestamp */
    int64_t reconnect_us;   /* a lost or refused one dials again after this; negative: it does not */
    uint32_t threads;       /* that send; 0: one */
    uint32_t chunk_bytes;   /* of RTMP; 0: 4096 */
    bool is_absolute_times; /* RTMP: fmt 0 for each message, never deltas */
    bool is_any_host;       /* not loopback alone: --i-own-this-host */
    /* SRT */
    uint32_t latency_ms;               /* 0: 120 */
    const char *passphrase, *streamid; /* streamid: as name, replaces "publish:live/NAME" */
    publisher_event_fn *on_event;      /* NULL: none */
    void *owner;
};

/* Starts threads and the ramp at once. WEIR_CONFIG, WEIR_LIMIT, WEIR_DENIED (not loopback), WEIR_IO: why says what was wrong. */
WEIR_MUST_CHECK enum weir_err publishers_create(const struct publishers_config *config, struct publishers **out,
                                                char *why, size_t why_bytes);
/* Ends all cleanly, as an encoder does that is told to stop; returns when they have ended, after within_us at most. */
void publishers_stop(struct publishers *g, int64_t within_us);
void publishers_destroy(struct publishers *g); /* stops first. NULL is fine */

enum publisher_state { PUBLISHER_IS_WAITING = 1, PUBLISHER_IS_DIALING, PUBLISHER_IS_LIVE, PUBLISHER_IS_ENDED };

struct publisher_figures {
    enum publisher_state state;
    uint64_t frames, bytes, dropped_frames;
    uint64_t packets; /* over SRT, repetitions not counted */
    uint32_t lives, losses, refusals;
    int64_t queue_age_us, queue_age_max_us;
};
/* As of the last tick; index < count. */
void publishers_look(const struct publishers *g, uint32_t index, struct publisher_figures *out);
struct publishers_totals {
    uint32_t live, waiting, ended;
    uint64_t frames, bytes, packets, dropped_frames;
    uint64_t lives, losses, refusals;
    int64_t queue_age_us, queue_age_max_us; /* of the worst */
};
void publishers_totals(const struct publishers *g, struct publishers_totals *out);
uint32_t publishers_count(const struct publishers *g);
/* "live/load3" (RTMP: with its application; SRT: of its stream id). */
const char *publishers_name(const struct publishers *g, uint32_t index);

/* -- misbehaviour -- */

enum publisher_act {
    PUBLISHER_CUT_FIN = 1, /* in the middle of a frame, politely closed */
    PUBLISHER_CUT_RST,     /* in the middle of a frame, reset. SRT has no such thing: as CUT_FIN */
    PUBLISHER_VANISH,      /* half open: nothing is sent or read any more, and the socket stays for us */
    PUBLISHER_STALL,       /* nothing is sent for us; then what was missed follows as fast as it goes */
    PUBLISHER_GARBAGE,     /* bytes random bytes (from seed) where a message should begin */
    PUBLISHER_JUMP,        /* timestamps move by us, back or forth */
    PUBLISHER_SWITCH,      /* another source from the next keyframe on: new parameters in the same connection */
    PUBLISHER_END,         /* cleanly, and for good */
};
struct publisher_action {
    enum publisher_act act;
    int64_t us;                        /* VANISH, STALL: how long; JUMP: by how much */
    int64_t reconnect_us;              /* CUT, VANISH: dials again so much later; negative: for good */
    uint32_t bytes;                    /* GARBAGE */
    uint64_t seed;                     /* GARBAGE; CUT: where in the frame */
    const struct media_source *source; /* SWITCH; lent: outlives the group */
};
/* Asks; ACTED tells that it was done. One that is not live lets it pass, and ACTED does not come. WEIR_LIMIT, WEIR_NOMEM: not asked. */
WEIR_MUST_CHECK enum weir_err publishers_act(struct publishers *g, uint32_t index,
                                             const struct publisher_action *action);

#endif
