/* The journal of a chunk: what lies where in its data file. Append-only, so that a kill in the middle of a write leaves a tail that is
 * recognised and cut off, never a wrong entry. Pure.
 *
 *   file:    "WEIRDVR1", then records; the first one is the head
 *   record:  u32 bytes of the payload, u32 CRC-32 of the payload, payload (big endian)
 */
#ifndef WEIR_ARCHIVE_JOURNAL_H
#define WEIR_ARCHIVE_JOURNAL_H

#include <weir/base/bytes.h>
#include <weir/stream/segment_shelf.h>

#define JOURNAL_RECORD_BYTES_MAX 512

enum journal_kind {
    JOURNAL_HEAD = 1,
    JOURNAL_INIT,
    JOURNAL_SEGMENT,
    JOURNAL_GAP,      /* a number without media */
    JOURNAL_PLAYLIST, /* what stays when the stream is over */
    JOURNAL_END       /* the stream is over: what follows is another one of the same name */
};

struct journal_record {
    enum journal_kind kind;
    char stream[STREAM_NAME_BYTES_MAX + 1]; /* head */
    int64_t keep_us;                        /* head: of segments; end: of all that is there */
    /* the others */
    char rendition[EDGE_RENDITION_NAME_BYTES], name[EDGE_OBJECT_NAME_BYTES], init_name[EDGE_OBJECT_NAME_BYTES];
    enum edge_media media;
    bool is_independent, starts_era;
    uint64_t offset; /* in the data file */
    uint32_t bytes, crc;
    uint64_t msn, discontinuity, first_msn;
    int64_t duration_us;
    int64_t wall_us; /* of its first sample; of the end */
};

void journal_write_magic(struct byte_writer *w);
/* Over-long or odd names set w->failed. */
void journal_write(struct byte_writer *w, const struct journal_record *record);

enum journal_read {
    JOURNAL_GOT = 1,
    JOURNAL_DONE, /* nothing more */
    JOURNAL_TORN  /* what follows was not written whole, or is damaged: nothing behind it is believed */
};
bool journal_read_magic(struct byte_reader *r);
/* Records of unknown kinds are passed over. *out changes only on JOURNAL_GOT. */
enum journal_read journal_read(struct byte_reader *r, struct journal_record *out);

/* Of all bytes of f. */
uint32_t journal_crc(const struct frozen *f);

#endif
