/* packager: turns a stream's packets into CMAF renditions and playlists on its live edge. A packet_sink. Pure.
 * Owner and thread: the stream's. */
#ifndef WEIR_PACKAGER_PACKAGER_H
#define WEIR_PACKAGER_PACKAGER_H

#include <weir/base/counters.h>
#include <weir/media/packet.h>
#include <weir/stream/live_edge.h>
#include <weir/stream/segment_shelf.h>
#include <weir/stream/stream.h>

struct packager_config {
    int64_t (*wall_now_us)(void *context); /* the clock passed in: numbers and PROGRAM-DATE-TIME come from it */
    void *context;
    uint32_t run_id; /* differs between starts of the process and lives of a name: part of every object name */
    /* Discontinuity sequence numbers: raises the mark of what was used, by any stream, to `used`, and returns it. A stream begins behind it. Any
     * thread. NULL: they begin at 0. */
    uint64_t (*eras_used)(void *context, uint64_t used);
    /* With policy->dvr_us: where segments go. Given: the packager releases it, also when it cannot be created. NULL: nowhere. */
    struct segment_shelf *shelf;
    /* Rungs will be told of (packager_set_rungs): the multivariant playlist waits for them, a while. */
    bool awaits_rungs;
};

/* The edge and policy are the stream's; a reference on the edge is taken. NULL: no memory. Destroy through the sink. */
struct packet_sink *packager_create(struct live_edge *edge, const struct stream_policy *policy,
                                    const struct packager_config *config);

/* The first media sequence number for a stream that starts at wall_us: eighths of seconds since 2026-01-01, so that numbers
 * never go back over a kill and restart. A stream makes fewer per second; a burst may run ahead by three seconds' worth, beyond
 * that its segments are dropped and counted. Fits 31 bits until 2034, for players that count in them. */
uint64_t packager_first_msn(int64_t wall_us);

/* -- rungs: further renditions of the stream's video and audio, made by a ladder (rungs.h) -- */

struct packager_rung {
    char name[EDGE_RENDITION_NAME_BYTES]; /* of the rendition: the folder in its URL */
    enum media_kind kind;                 /* 0: video */
    uint64_t ceiling_bps;                 /* video: what BANDWIDTH says of it; 0: what is measured. Audio: its rate */
    uint8_t track;                        /* audio: what it is made from */
    struct track_label label;             /* audio: what people are shown of it */
};
/* The rungs from now on; one that keeps its name goes on, wherever it stands in the list, and its kind must be the same. At most
 * PACKAGER_RUNGS_MAX. Rung indices below are those of this list. */
enum packager_rungs_flag {
    PACKAGER_HIDES_VIDEO = 1 << 0, /* the stream's own video is for cutting alone */
    PACKAGER_MORE_RUNGS = 1 << 1,  /* others will be told of: the multivariant playlist waits for them as well */
};
void packager_set_rungs(struct packet_sink *packager, const struct packager_rung *rungs, size_t count, unsigned flags);
/* Audio tracks of the stream that the multivariant playlist does not name, since rungs stand in their place: bit n for track n. */
void packager_hide_audio(struct packet_sink *packager, uint32_t tracks);
/* Before its first packet, and when it changes: from its next segment on. A reference is taken. */
void packager_set_rung_track(struct packet_sink *packager, size_t rung, struct track *track);
/* Era and presentation times are those of the source's packets; audio: pts_samples in the rung's own rate from the same origin, pts_90k
 * rounded down from it, and samples. It may come before or after the video of its time. Lent. */
void packager_push_rung(struct packet_sink *packager, size_t rung, const struct media_packet *packet);
/* Nothing comes for now: gaps stand there, and the multivariant playlist does not name it. Until a packet comes. */
void packager_set_rung_absent(struct packet_sink *packager, size_t rung);
/* All that was made of what the source has sent so far has been pushed. */
void packager_drain_rung(struct packet_sink *packager, size_t rung);
/* A segment began with the last video packet that was pushed: the first picture at or after this presentation time is its first, and a
 * keyframe in every rung. Not always that packet's own: inside a group of pictures others may be shown before it. */
#define PACKAGER_NO_CUT INT64_MIN
int64_t packager_cut_90k(const struct packet_sink *packager);

#endif
