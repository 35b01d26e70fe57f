#include <weir/stream/edge_snapshot.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stream/live_edge.h>

#include "edge_version.h"

struct edge_snapshot {
    _Atomic uint32_t refs;
    enum edge_media media;
    struct frozen *playlist, *delta;
    uint64_t last_msn, version;
    uint32_t part_count, last_segment_parts, part_target_us, target_duration_s;
    char part_hint[EDGE_OBJECT_NAME_BYTES], init_hint[EDGE_OBJECT_NAME_BYTES];
    bool is_ended;
    struct edge_bundle *bundle;
    size_t count;
    struct edge_object objects[];
};

struct edge_bundle {
    _Atomic uint32_t refs;
    size_t count;
    struct edge_object objects[];
};

static void take_objects(struct edge_object *to, const struct edge_object *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        if (to[i].body) frozen_ref(to[i].body);
        if (to[i].lazy) edge_lazy_ref(to[i].lazy);
    }
}

static void drop_objects(struct edge_object *objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        frozen_unref(objects[i].body);
        edge_lazy_unref(objects[i].lazy);
    }
}

struct edge_bundle *edge_bundle_create(const struct edge_object *objects, size_t count)
{
    struct edge_bundle *b = malloc(sizeof *b + count * sizeof b->objects[0]);
    if (!b) return NULL;
    atomic_init(&b->refs, 1);
    b->count = count;
    take_objects(b->objects, objects, count);
    return b;
}

struct edge_bundle *edge_bundle_ref(struct edge_bundle *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void edge_bundle_unref(struct edge_bundle *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
    drop_objects(b->objects, b->count);
    free(b);
}

/* Versions tell playlists apart for caches; they mean nothing else, so one counter for the process is enough. */
static _Atomic uint64_t last_version;

uint64_t edge_version_next(void)
{
    return atomic_fetch_add_explicit(&last_version, 1, memory_order_relaxed) + 1;
}

void live_edge_begin_versions(uint64_t first)
{
    atomic_store_explicit(&last_version, first, memory_order_relaxed);
}

static void copy_name(char out[EDGE_OBJECT_NAME_BYTES], const char *name)
{
    snprintf(out, EDGE_OBJECT_NAME_BYTES, "%s", name ? name : "");
}

struct edge_snapshot *edge_snapshot_create(const struct edge_snapshot_config *config)
{
    struct edge_snapshot *s = malloc(sizeof *s + config->object_count * sizeof s->objects[0]);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->media = config->media;
    s->playlist = frozen_ref(config->playlist);
    s->delta = frozen_ref(config->delta ? config->delta : config->playlist);
    s->last_msn = config->last_msn;
    s->version = edge_version_next();
    s->part_count = config->part_count;
    s->last_segment_parts = config->last_segment_parts;
    s->part_target_us = config->part_target_us;
    s->target_duration_s = config->target_duration_s;
    copy_name(s->part_hint, config->part_hint);
    copy_name(s->init_hint, config->init_hint);
    s->is_ended = config->is_ended;
    s->bundle = config->bundle ? edge_bundle_ref(config->bundle) : NULL;
    s->count = config->object_count;
    take_objects(s->objects, config->objects, s->count);
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
    frozen_unref(s->delta);
    drop_objects(s->objects, s->count);
    edge_bundle_unref(s->bundle);
    free(s);
}

struct frozen *edge_snapshot_playlist(const struct edge_snapshot *s, enum edge_playlist_form form)
{
    return form == EDGE_PLAYLIST_DELTA ? s->delta : s->playlist;
}

/* Newest last, and the newest are asked for most. */
static const struct edge_object *find(const struct edge_object *objects, size_t count, const char *name,
                                      size_t name_bytes)
{
    for (size_t i = count; i-- > 0;) {
        if (!memcmp(objects[i].name, name, name_bytes) && !objects[i].name[name_bytes]) return &objects[i];
    }
    return NULL;
}

const struct edge_object *edge_snapshot_find(const struct edge_snapshot *s, const char *name, size_t name_bytes)
{
    if (name_bytes >= EDGE_OBJECT_NAME_BYTES) return NULL;
    const struct edge_object *own = find(s->objects, s->count, name, name_bytes);
    return own || !s->bundle ? own : find(s->bundle->objects, s->bundle->count, name, name_bytes);
}

enum edge_media edge_snapshot_media(const struct edge_snapshot *s)
{
    return s->media;
}

struct frozen *edge_object_body(const struct edge_object *object)
{
    return object->lazy ? edge_lazy_get(object->lazy) : frozen_ref(object->body);
}

uint64_t edge_snapshot_last_msn(const struct edge_snapshot *s)
{
    return s->last_msn;
}

uint32_t edge_snapshot_part_count(const struct edge_snapshot *s)
{
    return s->part_count;
}

uint32_t edge_snapshot_last_segment_parts(const struct edge_snapshot *s)
{
    return s->last_segment_parts;
}

uint32_t edge_snapshot_part_target_us(const struct edge_snapshot *s)
{
    return s->part_target_us;
}

const char *edge_snapshot_hint(const struct edge_snapshot *s, enum edge_object_kind kind)
{
    const char *name = kind == EDGE_PART ? s->part_hint : kind == EDGE_INIT ? s->init_hint : "";
    return *name ? name : NULL;
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
