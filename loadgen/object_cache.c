#include <weir/loadgen/object_cache.h>

#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/digest.h>

#define SLOTS (2 * LOADGEN_OBJECTS_MAX) /* chains are short */

/* The public part first. */
struct entry {
    struct object object;
    unsigned refs;
    char *url, *etag;
    uint64_t digest;
    size_t slot;
    struct entry *next; /* in the slot's chain */
    struct entry *newer, *older;
};

struct object_cache {
    struct entry *slots[SLOTS], *newest, *oldest;
    size_t count;
    struct object_cache_figures figures;
};

struct object_cache *object_cache_create(void)
{
    return calloc(1, sizeof(struct object_cache));
}

struct object *object_ref(struct object *o)
{
    ((struct entry *)o)->refs++;
    return o;
}

void object_unref(struct object *o)
{
    struct entry *e = (struct entry *)o;
    if (!e || --e->refs) return;
    hls_multivariant_destroy(o->multivariant);
    hls_playlist_destroy(o->list);
    mp4_init_destroy(o->init);
    free(e->url);
    free(e->etag);
    free(e);
}

static size_t slot_of(const char *url)
{
    return digest_of(url, strlen(url)) % SLOTS;
}

static void forget(struct object_cache *c, struct entry *e)
{
    struct entry **at = &c->slots[e->slot];
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    if (e->newer)
        e->newer->older = e->older;
    else
        c->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        c->oldest = e->newer;
    c->count--;
    object_unref(&e->object);
}

void object_cache_destroy(struct object_cache *c)
{
    if (!c) return;
    while (c->newest) forget(c, c->newest);
    free(c);
}

/* The newest of this URL with this tag. */
static struct entry *find_tag(const struct object_cache *c, const char *url, const char *etag)
{
    struct entry *e = etag[0] ? c->slots[slot_of(url)] : NULL;
    while (e && (strcmp(e->url, url) || strcmp(e->etag, etag))) e = e->next;
    return e;
}

static struct entry *find_digest(const struct object_cache *c, const char *url, uint64_t digest)
{
    struct entry *e = c->slots[slot_of(url)];
    while (e && (e->digest != digest || strcmp(e->url, url))) e = e->next;
    return e;
}

bool object_cache_knows(const struct object_cache *c, const char *url, const char *etag)
{
    return find_tag(c, url, etag) != NULL;
}

static enum weir_err read_body(struct object *o, const struct object_body *b, const struct mp4_init *init)
{
    const char *text = (const char *)b->body;
    enum weir_err err = WEIR_OK;
    switch (o->kind) {
    case OBJECT_MULTIVARIANT:
        err = hls_multivariant_parse(text, b->bytes, &o->multivariant);
        o->is_readable = !err && o->multivariant->variant_count;
        break;
    case OBJECT_LIST:
        err = hls_playlist_parse(text, b->bytes, &o->list);
        o->is_readable = !err && o->list->target_us != HLS_ABSENT;
        break;
    case OBJECT_INIT:
        err = mp4_init_read(b->body, b->bytes, &o->init);
        o->is_readable = !err;
        break;
    case OBJECT_MEDIA: o->is_readable = media_facts_read(init, b->body, b->bytes, &o->media); break;
    }
    return err;
}

static void enter(struct object_cache *c, struct entry *e)
{
    if (c->count == LOADGEN_OBJECTS_MAX) forget(c, c->oldest);
    e->slot = slot_of(e->url);
    e->next = c->slots[e->slot];
    c->slots[e->slot] = e;
    e->older = c->newest;
    if (c->newest)
        c->newest->newer = e;
    else
        c->oldest = e;
    c->newest = e;
    c->count++;
}

static struct entry *read_new(struct object_cache *c, enum object_kind kind, const struct object_body *b,
                              const struct mp4_init *init)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (struct entry){
        .object.kind = kind, .refs = 1, .digest = b->digest, .url = strdup(b->url), .etag = strdup(b->etag)
    };
    if (!e->url || !e->etag || read_body(&e->object, b, init) == WEIR_NOMEM) {
        object_unref(&e->object);
        return NULL;
    }
    c->figures.reads++;
    enter(c, e);
    return e;
}

struct object *object_cache_take(struct object_cache *c, enum object_kind kind, const struct object_body *b,
                                 const struct mp4_init *init)
{
    struct entry *tagged = find_tag(c, b->url, b->etag);
    if (tagged && tagged->digest != b->digest) c->figures.conflicts++;
    struct entry *e = tagged && tagged->digest == b->digest ? tagged : find_digest(c, b->url, b->digest);
    if (e && e->object.kind == kind) {
        c->figures.shared++;
        return object_ref(&e->object);
    }
    if (!b->body) {
        c->figures.forgotten++;
        return NULL;
    }
    e = read_new(c, kind, b, init);
    return e ? object_ref(&e->object) : NULL;
}

struct object_cache_figures object_cache_figures(const struct object_cache *c)
{
    return c->figures;
}
