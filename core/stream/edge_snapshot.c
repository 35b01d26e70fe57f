#include <weir/stream/live_edge.h>

#include <stdlib.h>
#include <string.h>

#include "edge_version.h"

struct edge_snapshot {
    _Atomic uint32_t refs;
    enum edge_media media;
    struct frozen *playlist;
    uint64_t last_msn, version;
    uint32_t target_duration_s;
    bool is_ended;
    size_t count;
    struct edge_object objects[];
};

/* Versions tell playlists apart for caches; they mean nothing else, so one counter for the process is enough. */
uint64_t edge_version_next(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

struct edge_snapshot *edge_snapshot_create(enum edge_media media, struct frozen *playlist, uint64_t last_msn,
                                           bool is_ended, uint32_t target_duration_s, const struct edge_object *objects,
                                           size_t count)
{
    struct edge_snapshot *s = malloc(sizeof *s + count * sizeof s->objects[0]);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->media = media;
    s->playlist = frozen_ref(playlist);
    s->last_msn = last_msn;
    s->version = edge_version_next();
    s->target_duration_s = target_duration_s;
    s->is_ended = is_ended;
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        s->objects[i] = objects[i];
        frozen_ref(objects[i].body);
    }
    return s;
}

struct edge_snapshot *edge_snapshot_ref(struct edge_snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void edge_snapshot_unref(struct edge_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    frozen_unref(s->playlist);
    for (size_t i = 0; i < s->count; i++) frozen_unref(s->objects[i].body);
    free(s);
}

struct frozen *edge_snapshot_playlist(const struct edge_snapshot *s)
{
    return s->playlist;
}

const struct edge_object *edge_snapshot_find(const struct edge_snapshot *s, const char *name, size_t name_bytes)
{
    if (name_bytes >= EDGE_OBJECT_NAME_BYTES) return NULL;
    /* newest last, and the newest are asked for most */
    for (size_t i = s->count; i-- > 0;) {
        const struct edge_object *o = &s->objects[i];
        if (!memcmp(o->name, name, name_bytes) && !o->name[name_bytes]) return o;
    }
    return NULL;
}

enum edge_media edge_snapshot_media(const struct edge_snapshot *s)
{
    return s->media;
}

uint64_t edge_snapshot_last_msn(const struct edge_snapshot *s)
{
    return s->last_msn;
}

bool edge_snapshot_is_ended(const struct edge_snapshot *s)
{
    return s->is_ended;
}

uint32_t edge_snapshot_target_duration_s(const struct edge_snapshot *s)
{
    return s->target_duration_s;
}

uint64_t edge_snapshot_version(const struct edge_snapshot *s)
{
    return s->version;
}
