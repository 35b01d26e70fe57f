/* One rendition at one moment: its playlist, all that may be fetched, and what a blocking request needs to know.
 * Immutable and refcounted; thread: any. */
#ifndef WEIR_STREAM_EDGE_SNAPSHOT_H
#define WEIR_STREAM_EDGE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/stream/edge_lazy.h>

enum edge_object_kind { EDGE_MULTIVARIANT = 1, EDGE_PLAYLIST, EDGE_INIT, EDGE_SEGMENT, EDGE_PART };
enum edge_media { EDGE_VIDEO_MP4 = 1, EDGE_AUDIO_MP4, EDGE_MUXED_TS };
enum edge_playlist_form {
    EDGE_PLAYLIST_FULL = 1,
    EDGE_PLAYLIST_DELTA /* old segments skipped (RFC 8216bis, 6.2.5.1); the full one where there are none to skip */
};

#define EDGE_OBJECT_NAME_BYTES 40

/* A named, immutable thing under a rendition's URL: init, segment or part. */
struct edge_object {
    char name[EDGE_OBJECT_NAME_BYTES]; /* last URL part; never used again for other bytes */
    enum edge_object_kind kind;
    struct frozen *body;    /* NULL: made when it is asked for */
    struct edge_lazy *lazy; /* then this one */
};
/* A rendition that can be played alone may bring a multivariant playlist of its own, which names it as seen from the stream's
 * folder: "/live/name/RENDITION.m3u8". No URL part is called so. */
#define EDGE_OWN_MULTIVARIANT "/"
/* A reference for the caller. NULL: no memory. Thread: any; may take the milliseconds that making it takes. */
struct frozen *edge_object_body(const struct edge_object *object);

/* Objects that many snapshots in a row have: made once, so that a snapshot holds one reference instead of one for each. Immutable,
 * refcounted. */
struct edge_bundle;
struct edge_bundle *edge_bundle_create(const struct edge_object *objects,
                                       size_t count); /* references are taken; NULL: no memory */
struct edge_bundle *edge_bundle_ref(struct edge_bundle *b);
void edge_bundle_unref(struct edge_bundle *b); /* NULL is fine */

/* What a snapshot is made of; everything is lent, references are taken and texts copied. */
struct edge_snapshot_config {
    enum edge_media media;
    struct frozen *playlist, *delta; /* delta NULL: nothing to skip */
    uint64_t last_msn;               /* of the last complete segment listed */
    uint32_t part_count;             /* listed of the open segment, last_msn + 1 */
    uint32_t last_segment_parts;     /* that segment last_msn was made of; 0: not listed as parts */
    uint32_t part_target_us;         /* 0: no low latency */
    uint32_t target_duration_s;
    const char *part_hint, *init_hint; /* names of what comes next; NULL or "": none */
    bool is_ended;
    const struct edge_object *objects; /* those that are its own, newest last */
    size_t object_count;
    struct edge_bundle *bundle; /* and those of earlier ones too; NULL: none */
};

struct edge_snapshot;

struct edge_snapshot *edge_snapshot_create(const struct edge_snapshot_config *config); /* NULL: no memory */
struct edge_snapshot *edge_snapshot_ref(struct edge_snapshot *s);
void edge_snapshot_unref(struct edge_snapshot *s); /* NULL is fine */
/* Lent. */
struct frozen *edge_snapshot_playlist(const struct edge_snapshot *s, enum edge_playlist_form form);
const struct edge_object *edge_snapshot_find(const struct edge_snapshot *s, const char *name,
                                             size_t name_bytes); /* lent; NULL: no such thing, or no more, or not yet */
enum edge_media edge_snapshot_media(const struct edge_snapshot *s);
uint64_t edge_snapshot_last_msn(const struct edge_snapshot *s); /* of the last complete segment */
uint32_t edge_snapshot_part_count(const struct edge_snapshot *s);
/* A request for a later part of last_msn than it has means part 0 of the next (6.2.5.2). */
uint32_t edge_snapshot_last_segment_parts(const struct edge_snapshot *s);
uint32_t edge_snapshot_part_target_us(const struct edge_snapshot *s); /* 0: no low latency */
uint32_t edge_snapshot_target_duration_s(const struct edge_snapshot *s);
bool edge_snapshot_is_ended(const struct edge_snapshot *s);
/* EDGE_PART, EDGE_INIT: the name of the one that comes next and may be waited for. NULL: none. Lent. */
const char *edge_snapshot_hint(const struct edge_snapshot *s, enum edge_object_kind kind);
/* Distinguishes versions of the playlist for ETag: rises with every publish of any stream in this process. */
uint64_t edge_snapshot_version(const struct edge_snapshot *s);

#endif
