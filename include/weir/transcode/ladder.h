/* ladder: one stream's worker. Packets of the source go in; packets of every encoded rung come out, with the source's presentation
 * times, an IDR on exactly the frames that the keyframe plan names.
 *
 * Inside: a queue bounded by bytes and media time, a thread that decodes once and scales from each rung to the next, and a
 * thread per encoder behind a short queue. What fails or hangs is replaced by the next backend, beginning with a keyframe; what is too
 * much is shed. The caller never waits: create, push and destroy return at once.
 *
 * Owner and thread: the stream's. Events come from the ladder's threads, for one rung one at a time, for different rungs at once; they
 * must not block and must not call into the ladder. None comes after ladder_destroy. Locks: the queue's, which the caller takes for
 * a push; and one around events, so that destroy can promise that. */
#ifndef WEIR_TRANSCODE_LADDER_H
#define WEIR_TRANSCODE_LADDER_H

#include <weir/media/packet.h>
#include <weir/transcode/transcoder.h>

struct ladder;

struct ladder_events {
    void *context;
    /* What the source gets. rung indices in later events are those of plan->rungs. Again when a new track changes it: rungs are drained
     * first, so packets that come later are of the new plan. Without rungs: no plan could be made of this source. Lent. */
    void (*planned)(void *context, const struct ladder_plan *plan);
    /* Optional: what encodes the rung from now on. backend: static. */
    void (*encoder)(void *context, size_t rung, const char *backend, enum preset_speed speed);
    /* The rung's configuration, before its first packet and when it changes. Lent. */
    void (*track)(void *context, size_t rung, struct track *track);
    /* Lent; keep the payload by a reference. access is FRAME_IDR only where the bitstream says so. era is the source packet's. */
    void (*packet)(void *context, size_t rung, const struct media_packet *packet);
    /* From now on nothing comes for this rung, until a packet does: it was shed, or no backend could carry it. */
    void (*absent)(void *context, size_t rung);
    /* All that was pushed before ladder_drain has come out of this rung. */
    void (*drained)(void *context, size_t rung);
};

struct ladder_options {
    const char *name;            /* the stream's, copied */
    struct ladder_config config; /* copied */
    const char *backend;         /* "auto" or one's name; copied */
    bool requires_gpu;
    int64_t cadence_90k; /* of keyframes where no rung passes the source through */
    int64_t stall_us;    /* an encoder or decoder that does not answer for so long is replaced; 0: LADDER_STALL_US */
    int64_t kept_us;     /* how long what comes out is kept in memory: a part of what the ladder costs */
    bool
        is_unbounded; /* for files: the plan is admitted whatever it costs, nothing is shed, and the pusher paces itself */
    struct ladder_events events;
};

WEIR_MUST_CHECK enum weir_err ladder_create(struct ladder **out, struct transcoder *transcoder,
                                            const struct ladder_options *options);
void ladder_destroy(struct ladder *l); /* NULL is fine; what is inside is thrown away */

/* What the next packets are. The same track again changes nothing. */
WEIR_MUST_CHECK enum weir_err ladder_set_track(struct ladder *l, struct track *video);
/* A video packet; its payload is referenced. cut_90k: the source's own rendition begins a segment with the first picture that is shown
 * at or after this time; LADDER_NO_CUT: it goes on. How many packets were dropped by it because the decoder is behind. */
#define LADDER_NO_CUT INT64_MIN
size_t ladder_push(struct ladder *l, const struct media_packet *packet, int64_t cut_90k);
/* The publisher is gone, or the file at its end: give out all that is inside. */
void ladder_drain(struct ladder *l);
/* A few times a second: replaces a decoder that hangs. */
void ladder_tick(struct ladder *l, int64_t now_us);
/* Media time that waits in front of the decoder. */
int64_t ladder_backlog_90k(struct ladder *l);
struct transcode_figures *ladder_figures(struct ladder *l); /* lent */

#endif
