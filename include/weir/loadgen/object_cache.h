/* What was read of a server's answers, once for all viewers of a process: a playlist, an init segment, or the times of a piece of media.
 * Known by URL and entity tag, or by URL and digest where there is no tag. Bodies are not kept. Pure; owner and thread: the caller's. */
#ifndef WEIR_LOADGEN_OBJECT_CACHE_H
#define WEIR_LOADGEN_OBJECT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/loadgen/hls_playlist.h>
#include <weir/loadgen/media_facts.h>

enum object_kind { OBJECT_MULTIVARIANT = 1, OBJECT_LIST, OBJECT_INIT, OBJECT_MEDIA };

/* Frozen, shared, counted. */
struct object {
    enum object_kind kind;
    bool is_readable; /* else nothing of what follows */
    struct hls_multivariant *multivariant;
    struct hls_playlist *list;
    struct mp4_init *init;
    struct media_facts media;
};

struct object_body {
    const char *url;     /* a range stands behind it as a fragment: "#bytes=0-99" */
    const char *etag;    /* "": none */
    const uint8_t *body; /* NULL: it was not kept */
    size_t bytes;
    uint64_t digest;
};

struct object_cache_figures {
    uint64_t reads, shared; /* bodies that were read, and that need not be */
    uint64_t conflicts;     /* other bytes behind the same URL and entity tag */
    uint64_t forgotten;     /* not kept, and meanwhile forgotten */
};

struct object_cache;

/* NULL: no memory. Objects that are held outlive it. At most LOADGEN_OBJECTS_MAX are kept: the oldest are forgotten. */
struct object_cache *object_cache_create(void);
void object_cache_destroy(struct object_cache *c); /* NULL is fine */
/* The body of this URL and entity tag was read before. */
bool object_cache_knows(const struct object_cache *c, const char *url, const char *etag);
/* The object, to be let go with object_unref(). init: what a piece of fMP4 needs, else NULL. NULL: no memory; or the body was not kept, and
 * what was known of it is forgotten. */
struct object *object_cache_take(struct object_cache *c, enum object_kind kind, const struct object_body *body,
                                 const struct mp4_init *init);
struct object_cache_figures object_cache_figures(const struct object_cache *c);

struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL is fine */

#endif
