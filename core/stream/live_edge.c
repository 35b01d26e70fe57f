#include <weir/stream/live_edge.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "edge_version.h"
#include "viewer_table.h"

struct rendition_slot {
    char name[EDGE_RENDITION_NAME_BYTES];
    struct edge_snapshot *snapshot;
};

struct live_edge {
    _Atomic uint32_t refs;
    char name[STREAM_NAME_BYTES_MAX + 1];
    struct edge_figures figures;
    pthread_mutex_t lock; /* guards what is below: pointer swaps and the viewer table, nothing that blocks */
    enum stream_state state;
    struct frozen *multivariant;
    uint64_t multivariant_version;
    struct track_set tracks;
    struct edge_unsupported unsupported[UNSUPPORTED_TRACKS_MAX];
    size_t unsupported_count;
    struct rendition_slot renditions[RENDITIONS_MAX];
    size_t rendition_count;
    struct viewer_table viewers;
    bool has_thumbnails;
    struct frozen *thumbnail;
    uint64_t thumbnail_version;
    _Atomic int64_t thumbnail_asked_us; /* not under the lock; 0: never */
    /* apart from the other lock, so that waking the listeners holds no reader up */
    pthread_mutex_t listeners_lock;
    struct edge_listener *listeners;
};

struct live_edge *live_edge_create(const char *name)
{
    struct live_edge *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    atomic_init(&e->refs, 1);
    strncpy(e->name, name, STREAM_NAME_BYTES_MAX);
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->listeners_lock, NULL);
    e->state = STREAM_WAITING;
    return e;
}

struct live_edge *live_edge_ref(struct live_edge *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void live_edge_unref(struct live_edge *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < e->rendition_count; i++) edge_snapshot_unref(e->renditions[i].snapshot);
    frozen_unref(e->multivariant);
    frozen_unref(e->thumbnail);
    track_set_deinit(&e->tracks);
    viewer_table_deinit(&e->viewers);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->listeners_lock);
    free(e);
}

const char *live_edge_name(const struct live_edge *e)
{
    return e->name;
}

void edge_transport_begin(struct edge_transport *t, const char *protocol, bool has_figures)
{
#define X(field, type, help) figure_set(&t->field, 0);
    WEIR_TRANSPORT_FIGURES(X)
#undef X
    atomic_store_explicit(&t->has_figures, has_figures, memory_order_relaxed);
    atomic_store_explicit(&t->protocol, protocol, memory_order_relaxed);
}

struct edge_figures *live_edge_figures(struct live_edge *e)
{
    return &e->figures;
}

/* -- listeners -- */

void live_edge_listen(struct live_edge *e, struct edge_listener *l)
{
    pthread_mutex_lock(&e->listeners_lock);
    l->next = e->listeners;
    e->listeners = l;
    pthread_mutex_unlock(&e->listeners_lock);
}

void live_edge_unlisten(struct live_edge *e, struct edge_listener *l)
{
    pthread_mutex_lock(&e->listeners_lock);
    struct edge_listener **at = &e->listeners;
    while (*at && *at != l) at = &(*at)->next;
    if (*at) *at = l->next;
    pthread_mutex_unlock(&e->listeners_lock);
}

/* Behind every change, and after it can be seen. */
static void tell_listeners(struct live_edge *e)
{
    pthread_mutex_lock(&e->listeners_lock);
    for (struct edge_listener *l = e->listeners; l; l = l->next) l->changed(l);
    pthread_mutex_unlock(&e->listeners_lock);
}

/* -- writer -- */

/* Under the lock. */
static struct rendition_slot *find_slot(struct live_edge *e, const char *name, size_t bytes)
{
    for (size_t i = 0; i < e->rendition_count; i++) {
        if (!strncmp(e->renditions[i].name, name, bytes) && !e->renditions[i].name[bytes]) return &e->renditions[i];
    }
    return NULL;
}

enum weir_err live_edge_publish(struct live_edge *e, const char *rendition, struct edge_snapshot *snapshot)
{
    struct edge_snapshot *old = NULL;
    enum weir_err err = WEIR_OK;
    const size_t bytes = strlen(rendition);
    pthread_mutex_lock(&e->lock);
    struct rendition_slot *slot = bytes < EDGE_RENDITION_NAME_BYTES ? find_slot(e, rendition, bytes) : NULL;
    if (!slot && bytes < EDGE_RENDITION_NAME_BYTES && e->rendition_count < RENDITIONS_MAX) {
        slot = &e->renditions[e->rendition_count++];
        memcpy(slot->name, rendition, bytes + 1);
    }
    if (slot) {
        old = slot->snapshot;
        slot->snapshot = snapshot;
    } else {
        old = snapshot;
        err = WEIR_LIMIT;
    }
    pthread_mutex_unlock(&e->lock);
    edge_snapshot_unref(old); /* may free megabytes: not under the lock */
    if (!err) tell_listeners(e);
    return err;
}

void live_edge_publish_multivariant(struct live_edge *e, struct frozen *playlist)
{
    pthread_mutex_lock(&e->lock);
    struct frozen *old = e->multivariant;
    e->multivariant = playlist;
    e->multivariant_version = edge_version_next();
    pthread_mutex_unlock(&e->lock);
    frozen_unref(old);
    tell_listeners(e);
}

void live_edge_set_state(struct live_edge *e, enum stream_state state)
{
    pthread_mutex_lock(&e->lock);
    e->state = state;
    pthread_mutex_unlock(&e->lock);
    tell_listeners(e);
}

void live_edge_set_tracks(struct live_edge *e, const struct track_set *tracks)
{
    pthread_mutex_lock(&e->lock);
    track_set_assign(&e->tracks, tracks);
    pthread_mutex_unlock(&e->lock);
}

void live_edge_set_unsupported(struct live_edge *e, const struct edge_unsupported *list, size_t count)
{
    assert(count <= UNSUPPORTED_TRACKS_MAX);
    pthread_mutex_lock(&e->lock);
    memcpy(e->unsupported, list, count * sizeof *list);
    e->unsupported_count = count;
    pthread_mutex_unlock(&e->lock);
}

/* -- readers -- */

struct edge_snapshot *live_edge_acquire(struct live_edge *e, const char *rendition, size_t rendition_bytes)
{
    if (rendition_bytes >= EDGE_RENDITION_NAME_BYTES) return NULL;
    pthread_mutex_lock(&e->lock);
    const struct rendition_slot *slot = find_slot(e, rendition, rendition_bytes);
    struct edge_snapshot *snapshot = slot && slot->snapshot ? edge_snapshot_ref(slot->snapshot) : NULL;
    pthread_mutex_unlock(&e->lock);
    return snapshot;
}

struct frozen *live_edge_acquire_multivariant(struct live_edge *e, uint64_t *version)
{
    pthread_mutex_lock(&e->lock);
    struct frozen *playlist = e->multivariant ? frozen_ref(e->multivariant) : NULL;
    if (version) *version = e->multivariant_version;
    pthread_mutex_unlock(&e->lock);
    return playlist;
}

enum stream_state live_edge_state(struct live_edge *e)
{
    pthread_mutex_lock(&e->lock);
    const enum stream_state state = e->state;
    pthread_mutex_unlock(&e->lock);
    return state;
}

void live_edge_acquire_tracks(struct live_edge *e, struct track_set *out)
{
    *out = (struct track_set){ .video = NULL };
    pthread_mutex_lock(&e->lock);
    track_set_assign(out, &e->tracks);
    pthread_mutex_unlock(&e->lock);
}

size_t live_edge_unsupported(struct live_edge *e, struct edge_unsupported out[UNSUPPORTED_TRACKS_MAX])
{
    pthread_mutex_lock(&e->lock);
    const size_t count = e->unsupported_count;
    memcpy(out, e->unsupported, count * sizeof *out);
    pthread_mutex_unlock(&e->lock);
    return count;
}

size_t live_edge_renditions(struct live_edge *e, char names[RENDITIONS_MAX][EDGE_RENDITION_NAME_BYTES])
{
    pthread_mutex_lock(&e->lock);
    const size_t count = e->rendition_count;
    for (size_t i = 0; i < count; i++) memcpy(names[i], e->renditions[i].name, EDGE_RENDITION_NAME_BYTES);
    pthread_mutex_unlock(&e->lock);
    return count;
}

/* -- thumbnail -- */

void live_edge_offer_thumbnails(struct live_edge *e, bool is_offered)
{
    pthread_mutex_lock(&e->lock);
    struct frozen *old = is_offered ? NULL : e->thumbnail;
    if (!is_offered) e->thumbnail = NULL;
    e->has_thumbnails = is_offered;
    pthread_mutex_unlock(&e->lock);
    frozen_unref(old);
}

void live_edge_publish_thumbnail(struct live_edge *e, struct frozen *jpeg)
{
    pthread_mutex_lock(&e->lock);
    struct frozen *old = e->has_thumbnails ? e->thumbnail : jpeg;
    if (e->has_thumbnails) {
        e->thumbnail = jpeg;
        e->thumbnail_version = edge_version_next();
    }
    pthread_mutex_unlock(&e->lock);
    frozen_unref(old);
}

bool live_edge_wants_thumbnail(struct live_edge *e, int64_t now_us, int64_t within_us)
{
    const int64_t asked_us = atomic_load_explicit(&e->thumbnail_asked_us, memory_order_relaxed);
    return asked_us && now_us - asked_us <= within_us;
}

enum edge_thumbnail live_edge_ask_thumbnail(struct live_edge *e, int64_t now_us, struct frozen **jpeg,
                                            uint64_t *version)
{
    atomic_store_explicit(&e->thumbnail_asked_us, now_us, memory_order_relaxed);
    pthread_mutex_lock(&e->lock);
    const bool is_offered = e->has_thumbnails;
    *jpeg = e->thumbnail ? frozen_ref(e->thumbnail) : NULL;
    *version = e->thumbnail_version;
    pthread_mutex_unlock(&e->lock);
    return *jpeg ? THUMBNAIL_READY : is_offered ? THUMBNAIL_WAITING : THUMBNAIL_NONE;
}

/* -- viewers -- */

void live_edge_note_viewer(struct live_edge *e, uint64_t viewer_id, bool is_sample, int64_t now_us)
{
    pthread_mutex_lock(&e->lock);
    viewer_table_note(&e->viewers, viewer_id, is_sample, now_us);
    pthread_mutex_unlock(&e->lock);
}

uint32_t live_edge_viewers(struct live_edge *e, int64_t now_us)
{
    pthread_mutex_lock(&e->lock);
    const uint32_t count = viewer_table_count(&e->viewers, now_us);
    pthread_mutex_unlock(&e->lock);
    return count;
}
