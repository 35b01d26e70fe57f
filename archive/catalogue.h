/* The catalogue of one stream's shelf: which objects there are, in which chunk, and which chunk goes next. Pure; owner: the archive, under its
 * lock.
 *
 * A chunk is a data file and its journal, written by one process and never touched by another: it goes as a whole. It is complete in itself:
 * the inits that its segments need are in it. */
#ifndef WEIR_ARCHIVE_CATALOGUE_H
#define WEIR_ARCHIVE_CATALOGUE_H

#include "journal.h"

struct catalogue_chunk;

struct catalogue_object {
    struct catalogue_object *next_in_bucket, *next_in_chunk;
    struct catalogue_object *newer, *older; /* the archive's: among the bodies held in memory */
    struct catalogue_chunk *chunk;          /* NULL: waiting to be written */
    const struct catalogue_object *init;    /* in the same chunk; NULL: none */
    struct frozen *body;                    /* while waiting, or loaded lately; NULL: on disk alone */
    uint64_t offset, msn, discontinuity, first_msn;
    int64_t duration_us, wall_us;
    uint32_t bytes, crc, epoch;
    enum journal_kind kind;
    enum edge_media media;
    uint8_t rendition; /* index into the catalogue's names */
    bool is_independent, starts_era;
    bool is_damaged; /* its bytes on disk are not what was written */
    char name[];
};

struct catalogue_chunk {
    struct catalogue_chunk *next;       /* newer */
    uint64_t number;                    /* its files' name; rises */
    uint64_t bytes;                     /* of both files */
    int64_t made_wall_us, last_wall_us; /* last: where its newest segment ends */
    struct catalogue_object *first, *last;
    size_t object_count, record_count; /* records: read from its journal, those that are no objects included */
    bool is_past;                      /* written by an earlier process */
};

struct catalogue {
    struct catalogue_object **buckets;
    size_t bucket_count, object_count;
    struct catalogue_chunk *first, *last; /* oldest first */
    size_t chunk_count;
    uint64_t bytes;
    int64_t keep_us;            /* how long a chunk stays behind its last segment */
    int64_t ended_keep_wall_us; /* a stream that ended: until when all of it stays; 0: none did */
    uint32_t epoch;             /* rises when a stream ends: what is older is another stream */
    size_t since_end; /* numbers given since: while there are none, the playlists of the one that ended can be found */
    char renditions[RENDITIONS_MAX + 1][EDGE_RENDITION_NAME_BYTES];
    size_t rendition_count;
};

void catalogue_init(struct catalogue *c, int64_t keep_us);
void catalogue_deinit(struct catalogue *c);

/* In the place that its number asks for. NULL: no memory. */
struct catalogue_chunk *catalogue_add_chunk(struct catalogue *c, uint64_t number, int64_t wall_us, bool is_past);
struct catalogue_chunk *catalogue_find_chunk(const struct catalogue *c, uint64_t number);
/* With all its objects. */
void catalogue_drop_chunk(struct catalogue *c, struct catalogue_chunk *chunk);
/* May it go, by age? */
bool catalogue_is_old(const struct catalogue *c, const struct catalogue_chunk *chunk, int64_t wall_us);

/* An object that is in no chunk yet. NULL: no memory, or more renditions than there may be. */
struct catalogue_object *catalogue_add(struct catalogue *c, const struct journal_record *record);
/* It is in `chunk` now, where the record says. */
void catalogue_keep(struct catalogue *c, struct catalogue_object *object, struct catalogue_chunk *chunk,
                    const struct journal_record *record);
/* One that is in no chunk. */
void catalogue_remove(struct catalogue *c, struct catalogue_object *object);
/* The newest of that name; NULL: none. */
struct catalogue_object *catalogue_find(const struct catalogue *c, struct byte_span rendition, struct byte_span name);
const struct catalogue_object *catalogue_find_in(const struct catalogue *c, const struct catalogue_chunk *chunk,
                                                 const char *rendition, const char *name);
/* The stream is over; what is there stays until keep_wall_us at least. */
void catalogue_end(struct catalogue *c, int64_t keep_wall_us);

/* Fills a chunk of an earlier process from its journal. data_bytes: how long its data file is: what would lie behind its end is not there.
 * stream: whose it must be; "" takes the name that it has. false: not a journal, or another stream's; otherwise as many entries as can be
 * believed and memory is there for. */
WEIR_MUST_CHECK bool catalogue_read_chunk(struct catalogue *c, struct catalogue_chunk *chunk, struct byte_span journal,
                                          uint64_t data_bytes, char stream[STREAM_NAME_BYTES_MAX + 1]);
/* Moves all of `from` into `c`; from is empty afterwards. Of what both say about the stream, c's holds. */
void catalogue_absorb(struct catalogue *c, struct catalogue *from);
/* What earlier processes left of the stream that had not ended, in order. NULL: nothing, or no memory. */
struct shelf_past *catalogue_past(const struct catalogue *c);

#endif
