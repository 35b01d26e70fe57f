/* A viewer without sockets: follows a stream as a player does, keeps a buffer, plays it in real time, and notes what a person would see
 * (start, stalls, latency) and what a player would stumble over (numbers, times, alignment, status codes). Light: it keeps no media, and
 * what was read of it is shared with other viewers. Parts are fetched when they are listed, as hls.js does: hints are for check.h. Requests and answers are those of check.h. No I/O and no clock: monotonic time comes
 * with each call, in microseconds. Owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_VIEWER_H
#define WEIR_LOADGEN_VIEWER_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/loadgen/alignment.h>
#include <weir/loadgen/check.h>
#include <weir/loadgen/object_cache.h>

/* X(identifier, name in JSON and scenarios, what it says) */
#define VIEWER_FAULTS(X)                                                                                               \
    X(STATUS, "status", "an answer with another status than 200 or 206")                                               \
    X(TRANSPORT, "transport", "no answer: refused, cut, or timed out")                                                 \
    X(PROTOCOL, "protocol", "not over HTTP/2, where that was a must")                                                  \
    X(NUMBERS_BACK, "numbers_back", "a playlist went back")                                                            \
    X(REPEATED, "repeated", "other bytes under a number that was there before")                                        \
    X(TIME_GAP, "time_gap", "media that does not go on where the media before it ended")                               \
    X(MISALIGNED, "misaligned", "renditions that do not begin their segments on the same frame")                       \
    X(AV_APART, "av_apart", "audio and video of one number start apart")                                               \
    X(AV_OFFSET, "av_offset", "sound earlier or later than its publisher meant it to the picture")                     \
    X(NO_KEYFRAME, "no_keyframe",                                                                                      \
      "a video segment without a keyframe first, where the list says INDEPENDENT-SEGMENTS")                            \
    X(TOO_LONG, "too_long", "a part longer than PART-TARGET, or a segment longer than TARGETDURATION")                 \
    X(FRAME_GAP, "frame_gap", "pictures that the publisher sent, and that are not there")                              \
    X(UNSOUND, "unsound", "pictures that need one that is missing: behind a gap no keyframe comes")                    \
    X(FELL_OUT, "fell_out", "what comes next had left the playlist")                                                   \
    X(HOLE, "hole", "media that could not be fetched, and was left out")                                               \
    X(UNREADABLE, "unreadable", "a playlist or media that cannot be read")

#define VIEWER_FAULT_MEMBER(identifier, name, says) VIEWER_FAULT_##identifier,
enum viewer_fault { VIEWER_FAULTS(VIEWER_FAULT_MEMBER) VIEWER_FAULT_COUNT };
#undef VIEWER_FAULT_MEMBER

const char *viewer_fault_name(enum viewer_fault fault);
const char *viewer_fault_says(enum viewer_fault fault);

struct viewer_config {
    const char *url;             /* of a multivariant playlist or a media playlist; copied */
    bool is_plain;               /* does not use low latency where it is offered */
    bool wants_http2;            /* an answer over HTTP/1.1 is a fault */
    unsigned choice;             /* which variant: the index modulo how many there are */
    int64_t switch_us;           /* so often another variant; 0: never */
    double speed;                /* of the publishers: 20 plays twenty seconds in each; 0 is taken as 1 */
    int64_t wall_less_us;        /* wall clock less the monotonic one, for latency */
    int64_t wait_us;             /* how long the stream may take to appear before that is a fault */
    struct object_cache *cache;  /* borrowed, shared */
    struct alignment *alignment; /* borrowed, of this URL; NULL: renditions are compared by switching alone */
};

enum viewer_state { VIEWER_LOADING = 1, VIEWER_PLAYING, VIEWER_STALLED, VIEWER_ENDED, VIEWER_FAILED };

struct viewer_figures {
    enum viewer_state state;
    int64_t startup_us; /* from the first request to the first picture; -1: not yet */
    uint64_t requests, bytes, segments, parts, stalls, switches, discontinuities;
    int64_t played_us, stalled_us, longest_stall_us;
    uint64_t av_compared; /* pieces of sound whose stamps were held against the picture's */
    int64_t av_offset_us; /* the largest: above 0, the sound comes later than its publisher meant it to */
    uint64_t faults[VIEWER_FAULT_COUNT];
    enum viewer_fault first_kind;
    char first_fault
        [256]; /* "": none. The first of its kind; one that a server that is down explains gives way to one that it does not */
};

struct viewer;

/* NULL: no memory. */
struct viewer *viewer_create(const struct viewer_config *config, int64_t now_us);
void viewer_destroy(struct viewer *v); /* NULL is fine */
/* As check_next_request and check_answer. The answer's body may be NULL where it was not wanted. */
bool viewer_next_request(struct viewer *v, int64_t now_us, struct check_request *out);
void viewer_answer(struct viewer *v, const struct check_answer *a);
int64_t viewer_wake_us(const struct viewer *v, int64_t now_us);
/* Whether the body of a 200 to this request must be kept; false: it was read before, by whichever viewer. */
bool viewer_wants_body(const struct viewer *v, uint32_t id, const char *etag);
/* How far behind the wall clock the picture is: by the sender's clock where frames carry it (stamp.h), else by
 * PROGRAM-DATE-TIME. -1: not playing, or neither is there. */
int64_t viewer_latency_us(const struct viewer *v, int64_t now_us);
/* The same of the newest frame that was fetched last: how long it took to come here. -1: as above. */
int64_t viewer_arrival_us(const struct viewer *v);
/* How much is buffered in front of the playhead. */
int64_t viewer_buffer_us(const struct viewer *v, int64_t now_us);
/* Lent; moves the playhead to now. */
const struct viewer_figures *viewer_figures(struct viewer *v, int64_t now_us);

#endif
