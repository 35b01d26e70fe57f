/* What the files of the packager share: packager.c is the sink, packager_video.c and packager_audio.c take frames, packager_cut.c leads and
 * cuts, packager_epoch.c numbers by epoch time, packager_renditions.c makes renditions, packager_publish.c tells players. */
#ifndef WEIR_PACKAGER_PACKAGER_INTERNAL_H
#define WEIR_PACKAGER_PACKAGER_INTERNAL_H

#include <weir/base/queue.h>
#include <weir/packager/packager.h>

#include "epoch_clock.h"
#include "multivariant.h"
#include "rendition.h"
#include "resume.h"
#include "rungs.h"
#include "segmenter.h"
#include "ts_rendition.h"

/* A cut that the leader made and an audio track has yet to reach. */
struct waiting_cut {
    int64_t at_90k; /* INT64_MAX: everything before a break */
    uint64_t msn;
    int64_t duration_us, wall_us;
    bool is_muted;
};

/* An audio track's way into its rendition. */
struct lane {
    uint8_t track;
    struct rendition *rendition; /* NULL until its first frame */
    struct queue pending;        /* packets that wait for the leader: struct media_packet, payload referenced */
    struct queue cuts;           /* struct waiting_cut */
};

struct packager {
    struct packet_sink sink; /* first: the sink is the packager */
    struct live_edge *edge;
    struct stream_policy policy;
    struct packager_config config;
    struct track_set tracks;
    struct rendition *video;
    struct lane lanes[AUDIO_TRACKS_MAX];
    size_t lane_count;   /* up to the highest track that ever had a packet */
    struct lane *leader; /* NULL: video leads, or nobody yet */
    struct multivariant *multivariant;
    struct ts_rendition *ts;
    struct rungs *rungs;
    bool hides_video;      /* the multivariant playlist names the rungs alone */
    uint32_t hidden_audio; /* bit n: nor audio track n */
    bool awaits_rungs, knows_rungs;
    bool has_captions;    /* some of its pictures had */
    int64_t cut_90k;      /* where a segment began with the last video packet */
    uint32_t nominal_90k; /* of the last video packet */
    struct segmenter segmenter;
    struct epoch_clock epoch; /* where numbers come from it */
    uint64_t begun_msn;       /* the number at the start: while it stands, none was used */
    int64_t cut_end_90k;      /* where the last segment ended */
    int64_t dates_end_us;     /* PROGRAM-DATE-TIME of that; 0: there was none */
    int64_t dates_shift_us;   /* of this era, against the encoder's clock: that was set back */
    bool has_era, has_video;  /* has_video: the era's first keyframe came, and it goes on */
    uint32_t era;
    int64_t era_start_90k, era_wall_us;
    int64_t first_audio_90k; /* of the era; -1: none yet */
    int64_t lead_90k; /* how far the leader has decided: what begins at or before this is in front of its next cut */
    int64_t last_dts_90k;
    int64_t
        begin_90k; /* of the picture that video was entered with: what is shown before an open one needs others that did not come */
    int64_t shown_90k;   /* the latest picture of the era; INT64_MIN: none */
    int64_t reached_90k; /* presentation time that the leader has reached in the era */
    bool is_open,
        is_muted; /* of the leader's segment; muted: its number is too far ahead of the clock to be published */
    uint64_t msn, discontinuity;
    uint64_t era_msn;      /* the era's first number */
    struct resume *resume; /* of a stream whose process was killed; NULL: it began anew */
    uint64_t ahead;        /* of the clock's numbers at the start, by a past that was */
    int64_t wall_shift_us; /* by which times are later than the clock's, so that they do not go back behind the past */
};

/* PROGRAM-DATE-TIME. */
int64_t packager_wall_at(const struct packager *p, int64_t at_90k);

#define CUTS_WAITING_MAX 64
#define MSN_AHEAD_MAX 24 /* a burst may run ahead of the clock by this: three seconds' worth */

static inline void packager_note_drop(struct packager *p, uint64_t frames)
{
    figure_add(&live_edge_figures(p->edge)->frames_dropped, frames);
}

/* -- packager_renditions.c -- */

uint32_t packager_target_duration_s(const struct packager *p);
/* msn: of its first segment. */
struct rendition *packager_make_rendition(struct packager *p, const char *name, enum edge_media media, uint64_t msn);
/* Sets the track that is valid now. NULL: no memory, no track. */
struct rendition *packager_with_track(struct rendition *r, struct track *track);
struct rendition *packager_ready_video(struct packager *p); /* made if it was not there; NULL as above */
struct rendition *packager_ready_audio(struct packager *p, struct lane *lane);

/* -- packager_cut.c: who leads, and the leader's cuts -- */

/* How many more numbers may be used now: a restart begins with the clock's, which must be higher by then. */
int64_t packager_numbers_left(const struct packager *p);
void packager_open_segment(struct packager *p);
/* Closes what a rendition has open as number msn, or puts a gap there. */
void packager_close_segment(struct rendition *r, const struct waiting_cut *cut, int64_t next_dts);
/* Cuts the leader's segment, should one be open. at_90k INT64_MAX: everything before a break. next: where its next sample will stand, or -1. */
void packager_close_video(struct packager *p, int64_t at_90k, int64_t next_dts, bool is_forced);
void packager_close_leader(struct packager *p, int64_t at_90k, int64_t next_samples);
/* What ended a segment of the leader is told to the others; its number is used. is_break: with an era. */
void packager_share_cut(struct packager *p, const struct waiting_cut *cut, bool is_break);
/* The leading audio track goes as far as it has come, and the others follow. */
void packager_lead(struct packager *p);
bool packager_is_video_missing(const struct packager *p, int64_t audio_90k);
bool packager_is_leader_missing(const struct packager *p, int64_t audio_90k);
void packager_let_audio_lead(struct packager *p);
void packager_change_leader(struct packager *p, struct lane *lane);

/* -- packager_audio.c -- */

void packager_take_audio(struct packager *p, const struct media_packet *packet);
/* The track's oldest packet goes into its rendition, or is dropped and counted. */
void packager_take_pending(struct packager *p, struct lane *lane, bool is_used);
/* Ends the track's segment at its oldest cut, reached or not. */
void packager_resolve_cut(struct packager *p, struct lane *lane);
void packager_resolve_all_cuts(struct packager *p);
/* As far as the leader's decisions allow; is_flush: nothing more comes. */
void packager_advance_followers(struct packager *p, bool is_flush);
void packager_lane_deinit(struct lane *lane);

/* -- packager_video.c -- */

void packager_take_video(struct packager *p, const struct media_packet *packet);

/* -- packager_epoch.c: numbers from epoch time; without it they do nothing -- */

void packager_init_epoch(struct packager *p);
void packager_begin_epoch_era(struct packager *p);
/* Before anything of a video packet is decided: its encoder's time. */
void packager_hear_time(struct packager *p, const struct media_packet *packet);
/* Whether a stream that was just met may begin here; what waited in front of it is dropped. */
bool packager_may_begin(struct packager *p, int64_t pts_90k);
/* The era's first keyframe, before anything of it is made. */
void packager_name_run(struct packager *p, const struct media_packet *packet);
/* The segmenter has cut in front of pts_90k: where the segment ends that is open, if numbers follow that nothing is there for. */
int64_t packager_end_90k(struct packager *p, int64_t pts_90k);
/* No segment is open, and the segmenter has begun one at pts_90k: numbers up to its own become gaps. */
void packager_reach_number(struct packager *p, int64_t pts_90k);

/* -- packager_publish.c -- */

/* Renditions by index: the stream's video, the audio tracks', the rungs'. NULL: not there. */
size_t packager_rendition_count(const struct packager *p);
struct rendition *packager_rendition_at(const struct packager *p, size_t index);
struct rungs_stream packager_rungs_stream(const struct packager *p);
/* What has changed by the packet at hand: each rendition once. */
void packager_publish_changes(struct packager *p);
void packager_update_multivariant(struct packager *p);
void packager_update_ts(struct packager *p);

#endif
