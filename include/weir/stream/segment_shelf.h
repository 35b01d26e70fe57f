/* segment_shelf: where a stream's finished segments are kept beyond memory, and segment_loader: how they come back.
 *
 * Two interfaces, so that the packager (which gives) and delivery (which loads) need not know who keeps them; the archive does. Every call
 * here returns at once: no file is touched on the caller's thread. */
#ifndef WEIR_STREAM_SEGMENT_SHELF_H
#define WEIR_STREAM_SEGMENT_SHELF_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>
#include <weir/stream/edge_snapshot.h>
#include <weir/stream/live_edge.h>

struct loop;

/* What is given to a shelf, or found on one. Texts are lent for the call. */
struct shelf_segment {
    const char *rendition, *name; /* name: under the rendition's URL, never used for other bytes */
    const char *init_name;        /* NULL or "": needs none */
    enum edge_media media;
    uint64_t msn, first_msn; /* first: where the list begins that it is put into */
    uint64_t discontinuity;  /* sequence number of the era that it belongs to */
    int64_t duration_us, wall_us;
    bool is_independent, starts_era;
    bool is_gap; /* a number without media: body NULL */
};

enum shelf_fate {
    SHELF_WAITING = 1, /* given, not written yet */
    SHELF_KEPT,        /* can be loaded */
    SHELF_LOST         /* was refused, could not be written, or was there and is no more */
};

/* What was on the shelf when the process started: gaps included, in order of numbers, then of renditions. */
struct shelf_past_segment {
    char rendition[EDGE_RENDITION_NAME_BYTES], name[EDGE_OBJECT_NAME_BYTES], init_name[EDGE_OBJECT_NAME_BYTES];
    enum edge_media media;
    uint64_t msn, discontinuity, first_msn;
    int64_t duration_us, wall_us;
    bool is_independent, starts_era, is_gap;
};
struct shelf_mark {
    uint64_t msn, discontinuity; /* the highest number, and its era's */
    uint64_t first_msn;          /* where a list begins that has it: no list may begin earlier again */
    uint32_t run_id;             /* of the process */
};
struct shelf_past {
    _Atomic uint32_t refs;
    /* What was ever announced under this name; msn 0: not known (the machine was started anew), and numbers behind the
     * last segment's may have been used without a trace. */
    struct shelf_mark mark;
    size_t count;
    struct shelf_past_segment segments[];
};

struct shelf_past *shelf_past_create(size_t count); /* zeroed; fill it before it is shared. NULL: no memory */
struct shelf_past *shelf_past_ref(struct shelf_past *past);
void shelf_past_unref(struct shelf_past *past); /* NULL is fine */

/* One stream's. Thread: any; by the packager: its stream's. */
struct segment_shelf {
    /* References on the bodies are taken. init: of segment->init_name, kept once per place where it is needed.
     * WEIR_LIMIT: the queue to the disk is full by bytes or time; WEIR_NOMEM; nothing was taken, and the segment is lost. */
    enum weir_err (*give)(struct segment_shelf *shelf, const struct shelf_segment *segment, struct frozen *body,
                          struct frozen *init);
    /* A text that stays when the stream is over: its playlists. rendition "": the multivariant one. Later ones replace earlier ones. */
    enum weir_err (*give_playlist)(struct segment_shelf *shelf, const char *rendition, struct frozen *text);
    /* This is about to be announced: that survives a kill, though nothing else of it may. */
    void (*mark)(struct segment_shelf *shelf, const struct shelf_mark *mark);
    enum shelf_fate (*fate)(struct segment_shelf *shelf, const char *rendition, const char *name);
    /* A reference; NULL: nothing there, or it is not known yet, or what is there had ended. */
    struct shelf_past *(*past)(struct segment_shelf *shelf);
    /* The stream is over: what comes under this name later is another one. Kept for keep_us from now on. */
    void (*end)(struct segment_shelf *shelf, int64_t keep_us);
    void (*release)(struct segment_shelf *shelf);
};

/* -- loading; for delivery -- */

struct segment_load;

/* media, kind: what it is. body: lent for the call; NULL: err says why. */
struct segment_loaded {
    enum weir_err err;
    struct frozen *body;
    enum edge_media media;
    enum edge_object_kind kind;
};

struct segment_loader {
    /* On `loop`: fn(context, ...) runs there later, exactly once, by mailbox; the load is gone then. rendition and name need not end in 0.
     * WEIR_NOT_FOUND: not there, known at once and without touching the disk. WEIR_LIMIT: too many loads wait. */
    enum weir_err (*load)(struct segment_loader *loader, struct byte_span stream, struct byte_span rendition,
                          struct byte_span name, struct loop *loop,
                          void (*fn)(void *context, const struct segment_loaded *loaded), void *context,
                          struct segment_load **out);
    /* On the load's loop: fn does not run any more. */
    void (*cancel)(struct segment_loader *loader, struct segment_load *load);
};

#endif
