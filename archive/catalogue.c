#include "catalogue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

void catalogue_init(struct catalogue *c, int64_t keep_us)
{
    *c = (struct catalogue){ .keep_us = keep_us };
}

static void free_object(struct catalogue_object *object)
{
    frozen_unref(object->body);
    free(object);
}

void catalogue_deinit(struct catalogue *c)
{
    while (c->first) catalogue_drop_chunk(c, c->first);
    for (size_t i = 0; i < c->bucket_count; i++) {
        /* those that waited */
        for (struct catalogue_object *o = c->buckets[i], *next; o; o = next) {
            next = o->next_in_bucket;
            free_object(o);
        }
    }
    free(c->buckets);
    catalogue_init(c, 0);
}

/* -- names -- */

static uint64_t hash_name(size_t rendition, const char *name, size_t bytes)
{
    uint64_t hash = 0xCBF29CE484222325u ^ rendition;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)name[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

static bool is_text(const char *text, struct byte_span span)
{
    return strlen(text) == span.bytes && (!span.bytes || !memcmp(text, span.data, span.bytes));
}

/* SIZE_MAX: not there. */
static size_t find_rendition(const struct catalogue *c, struct byte_span name)
{
    for (size_t i = 0; i < c->rendition_count; i++) {
        if (is_text(c->renditions[i], name)) return i;
    }
    return SIZE_MAX;
}

static size_t ensure_rendition(struct catalogue *c, const char *name)
{
    const size_t found = find_rendition(c, (struct byte_span){ (const uint8_t *)name, strlen(name) });
    if (found != SIZE_MAX || c->rendition_count == ARRAY_LEN(c->renditions)) return found;
    memcpy(c->renditions[c->rendition_count], name, strlen(name) + 1);
    return c->rendition_count++;
}

static struct catalogue_object **bucket_of(const struct catalogue *c, size_t rendition, const char *name, size_t bytes)
{
    return &c->buckets[hash_name(rendition, name, bytes) & (c->bucket_count - 1)];
}

/* Newest first within a bucket. */
static void link_object(struct catalogue *c, struct catalogue_object *object)
{
    struct catalogue_object **bucket = bucket_of(c, object->rendition, object->name, strlen(object->name));
    object->next_in_bucket = *bucket;
    *bucket = object;
}

static void unlink_object(struct catalogue *c, struct catalogue_object *object)
{
    struct catalogue_object **at = bucket_of(c, object->rendition, object->name, strlen(object->name));
    while (*at != object) at = &(*at)->next_in_bucket;
    *at = object->next_in_bucket;
    c->object_count--;
}

static bool make_room(struct catalogue *c)
{
    if (c->object_count < c->bucket_count) return true;
    const size_t count = c->bucket_count ? c->bucket_count * 4 : BUCKETS_MIN, old_count = c->bucket_count;
    struct catalogue_object **fresh = calloc(count, sizeof(struct catalogue_object *)), **old = c->buckets;
    if (!fresh) return old_count > 0; /* longer chains will do */
    c->buckets = fresh;
    c->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        /* in reverse, so that the newest stays first */
        struct catalogue_object *reversed = NULL;
        for (struct catalogue_object *o = old[i], *next; o; o = next) {
            next = o->next_in_bucket;
            o->next_in_bucket = reversed;
            reversed = o;
        }
        for (struct catalogue_object *o = reversed, *next; o; o = next) {
            next = o->next_in_bucket;
            link_object(c, o);
        }
    }
    free(old);
    return true;
}

/* -- chunks -- */

static void insert_chunk(struct catalogue *c, struct catalogue_chunk *chunk)
{
    struct catalogue_chunk **at = &c->first;
    while (*at && (*at)->number < chunk->number) at = &(*at)->next;
    chunk->next = *at;
    *at = chunk;
    if (!chunk->next) c->last = chunk;
    c->chunk_count++;
    c->bytes += chunk->bytes;
}

struct catalogue_chunk *catalogue_add_chunk(struct catalogue *c, uint64_t number, int64_t wall_us, bool is_past)
{
    struct catalogue_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) return NULL;
    *chunk = (struct catalogue_chunk){
        .number = number, .made_wall_us = wall_us, .last_wall_us = wall_us, .is_past = is_past
    };
    insert_chunk(c, chunk);
    return chunk;
}

struct catalogue_chunk *catalogue_find_chunk(const struct catalogue *c, uint64_t number)
{
    struct catalogue_chunk *chunk = c->first;
    while (chunk && chunk->number != number) chunk = chunk->next;
    return chunk;
}

void catalogue_drop_chunk(struct catalogue *c, struct catalogue_chunk *chunk)
{
    struct catalogue_chunk **at = &c->first, *previous = NULL;
    while (*at != chunk) {
        previous = *at;
        at = &(*at)->next;
    }
    *at = chunk->next;
    if (c->last == chunk) c->last = previous;
    c->chunk_count--;
    c->bytes -= chunk->bytes;
    for (struct catalogue_object *o = chunk->first, *next; o; o = next) {
        next = o->next_in_chunk;
        unlink_object(c, o);
        free_object(o);
    }
    free(chunk);
}

bool catalogue_is_old(const struct catalogue *c, const struct catalogue_chunk *chunk, int64_t wall_us)
{
    if (c->ended_keep_wall_us && wall_us <= c->ended_keep_wall_us) return false;
    return wall_us - chunk->last_wall_us > c->keep_us;
}

/* -- objects -- */

static bool is_number(const struct catalogue_object *object)
{
    return object->kind == JOURNAL_SEGMENT || object->kind == JOURNAL_GAP;
}

struct catalogue_object *catalogue_add(struct catalogue *c, const struct journal_record *record)
{
    const size_t rendition = ensure_rendition(c, record->rendition), bytes = strlen(record->name) + 1;
    if (rendition == SIZE_MAX || !make_room(c)) return NULL;
    struct catalogue_object *object = calloc(1, sizeof *object + bytes);
    if (!object) return NULL;
    object->kind = record->kind;
    object->media = record->media;
    object->rendition = (uint8_t)rendition;
    object->msn = record->msn;
    object->discontinuity = record->discontinuity;
    object->first_msn = record->first_msn;
    object->duration_us = record->duration_us;
    object->wall_us = record->wall_us;
    object->is_independent = record->is_independent;
    object->starts_era = record->starts_era;
    object->bytes = record->bytes;
    object->epoch = c->epoch;
    memcpy(object->name, record->name, bytes);
    link_object(c, object);
    c->object_count++;
    c->since_end += is_number(object);
    return object;
}

void catalogue_keep(struct catalogue *c, struct catalogue_object *object, struct catalogue_chunk *chunk,
                    const struct journal_record *record)
{
    assert(!object->chunk);
    object->chunk = chunk;
    object->offset = record->offset;
    object->bytes = record->bytes;
    object->crc = record->crc;
    if (record->init_name[0]) object->init = catalogue_find_in(c, chunk, record->rendition, record->init_name);
    if (chunk->last)
        chunk->last->next_in_chunk = object;
    else
        chunk->first = object;
    chunk->last = object;
    chunk->object_count++;
    const int64_t end_us = object->wall_us + object->duration_us;
    if (object->kind != JOURNAL_INIT && end_us > chunk->last_wall_us) chunk->last_wall_us = end_us;
}

void catalogue_remove(struct catalogue *c, struct catalogue_object *object)
{
    assert(!object->chunk);
    unlink_object(c, object);
    free_object(object);
}

struct catalogue_object *catalogue_find(const struct catalogue *c, struct byte_span rendition, struct byte_span name)
{
    const size_t index = find_rendition(c, rendition);
    if (index == SIZE_MAX || !c->bucket_count || !name.bytes) return NULL;
    struct catalogue_object *o = *bucket_of(c, index, (const char *)name.data, name.bytes);
    while (o && (o->rendition != index || !is_text(o->name, name))) o = o->next_in_bucket;
    /* nobody is to be told of a stream that goes on that it is over */
    return o && o->kind == JOURNAL_PLAYLIST && (!c->epoch || c->since_end) ? NULL : o;
}

const struct catalogue_object *catalogue_find_in(const struct catalogue *c, const struct catalogue_chunk *chunk,
                                                 const char *rendition, const char *name)
{
    const struct byte_span text = { (const uint8_t *)name, strlen(name) };
    const struct catalogue_object *o = catalogue_find(
        c, (struct byte_span){ (const uint8_t *)rendition, strlen(rendition) }, text);
    const size_t index = o ? o->rendition : 0;
    while (o && (o->chunk != chunk || o->rendition != index || !is_text(o->name, text))) o = o->next_in_bucket;
    return o;
}

void catalogue_end(struct catalogue *c, int64_t keep_wall_us)
{
    c->epoch++;
    c->since_end = 0;
    c->ended_keep_wall_us = keep_wall_us;
}

/* -- what earlier processes left -- */

static bool take_record(struct catalogue *c, struct catalogue_chunk *chunk, const struct journal_record *record,
                        uint64_t data_bytes)
{
    if (record->kind == JOURNAL_END) {
        const int64_t until_us = record->wall_us + record->keep_us;
        catalogue_end(c, until_us > c->ended_keep_wall_us ? until_us : c->ended_keep_wall_us);
        return true;
    }
    if (record->kind == JOURNAL_HEAD) return true;
    if (record->offset + record->bytes > data_bytes) return true; /* its bytes did not get as far as the disk */
    struct catalogue_object *object = catalogue_add(c, record);
    if (!object) return false;
    catalogue_keep(c, object, chunk, record);
    return true;
}

bool catalogue_read_chunk(struct catalogue *c, struct catalogue_chunk *chunk, struct byte_span journal,
                          uint64_t data_bytes, char stream[STREAM_NAME_BYTES_MAX + 1])
{
    struct byte_reader r;
    struct journal_record record;
    byte_reader_init(&r, journal.data, journal.bytes);
    if (!journal_read_magic(&r) || journal_read(&r, &record) != JOURNAL_GOT || record.kind != JOURNAL_HEAD ||
        (stream[0] && strcmp(record.stream, stream)))
        return false;
    memcpy(stream, record.stream, sizeof record.stream);
    if (record.keep_us > c->keep_us) c->keep_us = record.keep_us;
    while (journal_read(&r, &record) == JOURNAL_GOT && take_record(c, chunk, &record, data_bytes))
        chunk->record_count++;
    return true;
}

static void adopt_object(struct catalogue *c, struct catalogue_object *object, const char *rendition)
{
    const size_t index = ensure_rendition(c, rendition);
    /* one rendition too many: it cannot be found, and goes with its chunk */
    object->rendition = (uint8_t)(index == SIZE_MAX ? 0 : index);
    (void)!make_room(c);
    link_object(c, object);
    c->object_count++;
}

void catalogue_absorb(struct catalogue *c, struct catalogue *from)
{
    while (from->first) {
        struct catalogue_chunk *chunk = from->first;
        from->first = chunk->next;
        insert_chunk(c, chunk);
    }
    c->since_end += from->since_end;
    const bool is_empty = !c->bucket_count;
    if (is_empty) {
        c->buckets = from->buckets;
        c->bucket_count = from->bucket_count;
        c->object_count = from->object_count;
        c->rendition_count = from->rendition_count;
        memcpy(c->renditions, from->renditions, sizeof c->renditions);
    }
    for (size_t i = 0; i < from->bucket_count; i++) {
        for (struct catalogue_object *o = from->buckets[i], *next; o; o = next) {
            next = o->next_in_bucket;
            o->epoch = c->epoch;
            if (!is_empty) adopt_object(c, o, from->renditions[o->rendition]);
        }
    }
    if (!is_empty) free(from->buckets);
    catalogue_init(from, 0);
}

static int by_number(const void *a, const void *b)
{
    const struct shelf_past_segment *x = a, *y = b;
    if (x->msn != y->msn) return x->msn < y->msn ? -1 : 1;
    return strcmp(x->rendition, y->rendition);
}

static bool is_of_the_past(const struct catalogue *c, const struct catalogue_object *object)
{
    return is_number(object) && object->epoch == c->epoch;
}

struct shelf_past *catalogue_past(const struct catalogue *c)
{
    size_t count = 0;
    for (const struct catalogue_chunk *chunk = c->first; chunk; chunk = chunk->next) {
        for (const struct catalogue_object *o = chunk->first; chunk->is_past && o; o = o->next_in_chunk)
            count += is_of_the_past(c, o);
    }
    struct shelf_past *past = count ? shelf_past_create(count) : NULL;
    if (!past) return NULL;
    struct shelf_past_segment *out = past->segments;
    for (const struct catalogue_chunk *chunk = c->first; chunk; chunk = chunk->next) {
        for (const struct catalogue_object *o = chunk->first; chunk->is_past && o; o = o->next_in_chunk) {
            if (!is_of_the_past(c, o)) continue;
            *out = (struct shelf_past_segment){
                .media = o->media,
                .msn = o->msn,
                .discontinuity = o->discontinuity,
                .first_msn = o->first_msn,
                .duration_us = o->duration_us,
                .wall_us = o->wall_us,
                .is_independent = o->is_independent,
                .starts_era = o->starts_era,
                .is_gap = o->kind == JOURNAL_GAP,
            };
            memcpy(out->rendition, c->renditions[o->rendition], sizeof out->rendition);
            memcpy(out->name, o->name, strlen(o->name) + 1);
            if (o->init) memcpy(out->init_name, o->init->name, strlen(o->init->name) + 1);
            out++;
        }
    }
    qsort(past->segments, count, sizeof past->segments[0], by_number);
    return past;
}
