/* rendition: one track's segments and their parts, from the one being filled to those that left the playlist and may still be
 * fetched. Owner and thread: the stream's packager. rendition.c fills, rendition_publish.c keeps and publishes, rendition_past.c hands over
 * to a shelf. */
#ifndef WEIR_PACKAGER_RENDITION_H
#define WEIR_PACKAGER_RENDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/base/queue.h>
#include <weir/media/track.h>
#include <weir/stream/live_edge.h>
#include <weir/stream/segment_shelf.h>

#include "chunker.h"
#include "iframes.h"
#include "past.h"
#include "playlist.h"

struct rendition_config {
    char name[EDGE_RENDITION_NAME_BYTES];
    enum edge_media media;
    struct live_edge *edge; /* lent */
    int64_t window_us;
    struct playlist_terms terms;
    uint32_t run_id;
    bool has_iframes;            /* a playlist of its pictures that stand alone, too */
    struct segment_shelf *shelf; /* lent; NULL: what leaves memory is gone */
    int64_t dvr_us;              /* with a shelf: length of the playlist */
    bool is_event; /* with a shelf: nothing is taken from its front as long as it is not longer than that */
};

/* An init segment; lives as long as a kept segment needs it. */
struct rendition_init {
    uint32_t refs; /* segments, and the rendition while it is the current one; one thread */
    char name[EDGE_OBJECT_NAME_BYTES];
    struct frozen *body;
};

/* A segment's lines in the playlist: what stands in front of its parts, its parts, its end. */
struct segment_text {
    struct byte_writer w;
    size_t head_bytes, parts_end; /* offsets */
};

struct rendition_segment {
    uint64_t msn, discontinuity; /* discontinuity: sequence number of the era that it belongs to */
    struct edge_object whole;    /* body NULL: a gap */
    struct rendition_init *init; /* holds a reference */
    struct edge_object *parts;   /* as they were announced; body NULL: a gap. NULL: none, or not kept any more */
    uint32_t part_count, part_capacity;
    struct segment_text text;
    size_t picture_bytes; /* of its body, up to the end of the picture that it begins with; 0: not an independent one */
    int64_t duration_us, wall_us;
    int64_t end_us;     /* on the rendition's own clock of published media */
    int64_t expires_us; /* once out of the playlist: on the same clock */
    bool is_independent, starts_era;
    bool says_map; /* its own lines name the init */
};

struct rendition {
    struct rendition_config config;
    struct track *track;
    struct rendition_init *init;      /* of the open segment */
    struct rendition_init *announced; /* the one in force at the end of the playlist; compared, not owned */
    uint32_t inits_made;
    struct chunker chunker;
    /* the open segment: while chunker.is_open, all that is set but its body and durations */
    struct rendition_segment open;
    uint64_t open_bytes; /* of its finished chunks */
    bool starts_era;     /* the next one does */
    /* finished ones, oldest first; `listed` of them are in the playlist */
    struct queue segments;
    size_t listed, parts_kept; /* parts_kept: of finished segments */
    struct edge_bundle *kept;  /* all that may be fetched of finished segments; made anew when one was added */
    size_t list_bytes;         /* of the last playlist */
    int64_t published_us;      /* sum of durations */
    uint64_t kept_bytes;
    struct iframes *iframes;    /* NULL: none */
    struct past past;           /* listed in front of them: on the shelf */
    bool has_slid;              /* something was taken from the list's front */
    bool is_past_to_be_checked; /* a segment was finished since the shelf was last asked */
    uint64_t discontinuity;
    uint64_t peak_bps, sum_bytes;
    int64_t sum_us; /* of segments with media */
    bool is_ended, has_published;
    bool is_independent, was_independent; /* EXT-X-INDEPENDENT-SEGMENTS stands there; stood there once */
    bool is_changed;                      /* there is something to publish */
    bool is_hint_void;                    /* the list's hint will not come true, and nothing else is to be said anew */
    bool foretells; /* where the next sample will stand, and so what its part will be called: at the chunker's end */
};

WEIR_MUST_CHECK enum weir_err rendition_create(struct rendition **out, const struct rendition_config *config);
void rendition_destroy(struct rendition *r); /* NULL is fine */

/* From the next sample on. Makes a new init only when its bytes differ. With the same era's samples open: assert. */
WEIR_MUST_CHECK enum weir_err rendition_set_track(struct rendition *r, struct track *track);
/* The next segment begins an era. */
void rendition_begin_era(struct rendition *r, uint64_t discontinuity);
/* Adds a sample to segment msn; its payload is referenced. wall_us: PROGRAM-DATE-TIME of the sample. may_jump of the input is set
 * here. false: it does not fit behind what is there (dropped). */
bool rendition_push(struct rendition *r, uint64_t msn, const struct chunker_input *input, int64_t wall_us);
bool rendition_is_open(const struct rendition *r);
int64_t rendition_open_us(const struct rendition *r);
/* The open part ends here, in front of a keyframe. */
void rendition_end_part(struct rendition *r, int64_t next_dts);
/* Finishes the open segment; next_dts: where the next sample will stand, or -1. */
void rendition_cut(struct rendition *r, int64_t next_dts);
/* A number without media, so that all renditions keep counting together. */
void rendition_gap(struct rendition *r, uint64_t msn, int64_t duration_us, int64_t wall_us);
/* The stream broke off: the part that was hinted will not come. Should the list have nothing new to say otherwise, it stays as it is (one
 * version is one text), and who asks for the part is told. */
void rendition_withdraw_hint(struct rendition *r);
void rendition_end(struct rendition *r); /* ENDLIST from the next publish on */

/* Where it stands, for the other renditions' playlists. */
struct playlist_report rendition_report(const struct rendition *r);
/* Renders the playlist and publishes it with all that may be fetched, if anything changed. reports: of the other renditions. */
WEIR_MUST_CHECK enum weir_err rendition_publish(struct rendition *r, const struct playlist_report *reports,
                                                size_t report_count);
uint64_t rendition_average_bps(const struct rendition *r);
uint64_t rendition_held_bytes(const struct rendition *r); /* media: listed, kept behind the list, and open; NULL: 0 */

/* Begins with what it lists from before the kill. Before anything else. */
struct resume;
void rendition_resume(struct rendition *r, const struct resume *resume);
/* Lists as gaps what `other` lists with numbers below msn and this one has not: a rendition that comes late shares the numbers. */
void rendition_follow(struct rendition *r, const struct rendition *other, uint64_t msn);

/* -- between the files -- */
void rendition_segment_deinit(struct rendition_segment *s);
/* Takes over the finished segment. */
void rendition_keep(struct rendition *r, struct rendition_segment *s);
/* Of the part that begins at `start`, in the track's ticks: it has the same name whether it begins a segment or not. */
void rendition_name_part(const struct rendition *r, int64_t start, char out[EDGE_OBJECT_NAME_BYTES]);
/* Of those that are finished and in memory. */
struct rendition_segment *rendition_segment_at(const struct rendition *r, size_t index);
void rendition_drop_oldest(struct rendition *r);
uint64_t rendition_first_msn(const struct rendition *r); /* listed; with the past */
int64_t rendition_listed_us(const struct rendition *r);  /* without the past */
struct past_entry rendition_entry_of(const struct rendition *r, const struct rendition_segment *s, bool is_gap);
/* A finished segment goes to the shelf; should that refuse, it is a gap once it leaves memory. */
void rendition_shelve(struct rendition *r, const struct rendition_segment *s);
/* What is in memory for long enough is listed from the shelf; what the shelf has no more leaves the list. */
void rendition_slide_into_past(struct rendition *r, int64_t memory_us);

#endif
