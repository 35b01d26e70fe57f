/* What may be played now: a frozen snapshot per rendition and the multivariant playlist, swapped under a short lock.
 *
 * Writer: the stream's owning thread (through its packager). Readers: any thread; what they acquire is immutable.
 * Nothing here is created by asking for it: an unknown rendition or object is NULL and costs nothing. */
#ifndef WEIR_STREAM_LIVE_EDGE_H
#define WEIR_STREAM_LIVE_EDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/limits.h>
#include <weir/media/timeline.h>
#include <weir/media/track.h>
#include <weir/stream/edge_snapshot.h>
#include <weir/stream/edge_transport.h>

enum stream_state {
    STREAM_WAITING = 1 /* no frame yet */,
    STREAM_LIVE,
    STREAM_HOLDING /* publisher lost */,
    STREAM_ENDED
};

#define EDGE_RENDITION_NAME_BYTES 16

/* Figures for /api and /metrics: written by the owner, read by anyone, relaxed. */
struct edge_figures {
    _Atomic uint64_t bytes_in, video_frames, audio_frames, keyframes, segments, segments_forced, parts, eras;
    _Atomic uint64_t frames_dropped; /* the packager could not place them: before a keyframe, late, overlapping */
    _Atomic uint64_t frames_damaged; /* arrived with bytes missing */
    _Atomic uint64_t frames_damage_dropped; /* these, and those that need them, where the policy says so */
    _Atomic uint64_t metadata_packets;
    _Atomic uint64_t
        times_refused; /* of the encoder's clock, that numbers were to come from: a day off, or they jumped */
    _Atomic uint64_t repairs[TIMELINE_REPAIR_COUNT];
    _Atomic uint64_t dvr_gaps;    /* segments listed as gaps because they could not be kept on disk */
    _Atomic uint64_t bitrate_bps; /* over the last seconds */
    _Atomic uint64_t video_bitrate_bps, audio_bitrate_bps;
    _Atomic uint64_t fps_milli;            /* measured */
    _Atomic uint64_t keyframe_interval_ms; /* the last one */
    _Atomic uint64_t last_frame_us;        /* monotonic; 0: none */
    _Atomic uint64_t last_keyframe_us;     /* when the last IDR picture came; the same */
    _Atomic uint64_t input_age_ms;         /* how much later the last frame came than the most punctual one of late */
    _Atomic uint64_t input_age_peak_ms;    /* the most of the last one to two minutes */
    _Atomic uint64_t window_bytes;         /* media bytes kept alive for this stream */
    _Atomic uint64_t publishes;            /* publishers accepted, first included */
    _Atomic uint64_t started_wall_us;
    struct edge_transport transport;
};

/* One writer, any reader: relaxed is enough, and costs what a plain integer costs. */
static inline void figure_set(_Atomic uint64_t *f, uint64_t v)
{
    atomic_store_explicit(f, v, memory_order_relaxed);
}
static inline uint64_t figure_read(_Atomic uint64_t *f)
{
    return atomic_load_explicit(f, memory_order_relaxed);
}
static inline void figure_add(_Atomic uint64_t *f, uint64_t v)
{
    figure_set(f, figure_read(f) + v);
}

struct live_edge;

/* A track that came in and cannot be played: said to the operator. */
struct edge_unsupported {
    enum media_kind kind;
    uint8_t track;
    char text[TRACK_NAME_BYTES]; /* "MP2 audio", ... */
};

/* Whoever wants to know that something changed: a snapshot, the multivariant playlist, the state. Storage is the listener's.
 * changed() runs on the thread that published, under a lock of the listeners' own: it must not block and must not call into
 * the edge. Loops use edge_watch.h. */
struct edge_listener {
    void (*changed)(struct edge_listener *l);
    struct edge_listener *next;
};

/* name: "app/name", copied. One reference. */
struct live_edge *live_edge_create(const char *name);
struct live_edge *live_edge_ref(struct live_edge *e);
void live_edge_unref(struct live_edge *e); /* NULL is fine */
const char *live_edge_name(const struct live_edge *e);
struct edge_figures *live_edge_figures(struct live_edge *e);

/* -- writer -- */
/* Takes over the reference on `snapshot` (also on failure). WEIR_LIMIT: RENDITIONS_MAX. */
WEIR_MUST_CHECK enum weir_err live_edge_publish(struct live_edge *e, const char *rendition,
                                                struct edge_snapshot *snapshot);
/* Takes over the reference. */
void live_edge_publish_multivariant(struct live_edge *e, struct frozen *playlist);
void live_edge_set_state(struct live_edge *e, enum stream_state state);
void live_edge_set_tracks(struct live_edge *e, const struct track_set *tracks); /* takes references of its own */
/* Copied; count at most UNSUPPORTED_TRACKS_MAX. */
void live_edge_set_unsupported(struct live_edge *e, const struct edge_unsupported *list, size_t count);

/* -- thumbnail: a small picture of late. Whoever makes it and whoever asks may be any thread -- */
enum edge_thumbnail { THUMBNAIL_NONE = 1 /* nobody makes any */, THUMBNAIL_WAITING /* not yet */, THUMBNAIL_READY };
/* From now on somebody makes them, or nobody does: then what is there goes. */
void live_edge_offer_thumbnails(struct live_edge *e, bool is_offered);
/* Takes over the reference. A JPEG. Dropped while none are offered. */
void live_edge_publish_thumbnail(struct live_edge *e, struct frozen *jpeg);
/* Whether somebody has asked within the last within_us: else nobody need make one. */
bool live_edge_wants_thumbnail(struct live_edge *e, int64_t now_us, int64_t within_us);
/* Asks. THUMBNAIL_READY: *jpeg is the caller's to unref, *version differs from every other picture's. */
enum edge_thumbnail live_edge_ask_thumbnail(struct live_edge *e, int64_t now_us, struct frozen **jpeg,
                                            uint64_t *version);

/* -- readers: what they get is theirs to unref; NULL: no such thing (yet) -- */
struct edge_snapshot *live_edge_acquire(struct live_edge *e, const char *rendition, size_t rendition_bytes);
struct frozen *live_edge_acquire_multivariant(struct live_edge *e, uint64_t *version);
enum stream_state live_edge_state(struct live_edge *e);
/* *out is overwritten; release it with track_set_deinit. */
void live_edge_acquire_tracks(struct live_edge *e, struct track_set *out);
size_t live_edge_unsupported(struct live_edge *e, struct edge_unsupported out[UNSUPPORTED_TRACKS_MAX]);
/* Names of the renditions published so far, in order. Returns how many. */
size_t live_edge_renditions(struct live_edge *e, char names[RENDITIONS_MAX][EDGE_RENDITION_NAME_BYTES]);

void live_edge_listen(struct live_edge *e, struct edge_listener *l);
void live_edge_unlisten(struct live_edge *e, struct edge_listener *l); /* changed() neither runs nor comes afterwards */

/* A viewer is a distinct client that asked for a playlist lately; id: any stable hash of address and player. is_sample: a cache in front
 * let the request through in order that it be counted, at random among those it answers itself: from how often the same ones
 * come, the number of all behind it is estimated. */
void live_edge_note_viewer(struct live_edge *e, uint64_t viewer_id, bool is_sample, int64_t now_us);
uint32_t live_edge_viewers(struct live_edge *e, int64_t now_us);

/* Versions become entity tags, and caches and players keep those over a restart: a process must not give one that another gave. first: above
 * all of those, such as the wall clock in microseconds. Before the first edge is made. */
void live_edge_begin_versions(uint64_t first);

#endif
