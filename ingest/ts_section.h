/* Sections (H.222.0 2.4.4): put together from packets, checked, and read: PAT, PMT. SCTE-35's are put together here too. */
#ifndef WEIR_INGEST_TS_SECTION_H
#define WEIR_INGEST_TS_SECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>

#define TS_TABLE_PAT 0x00
#define TS_TABLE_PMT 0x02
#define TS_TABLE_SCTE35 0xFC

/* Zeroed at the start but for bytes_max. */
struct ts_section {
    size_t bytes_max;
    size_t used;
    bool is_begun; /* a section's first byte was seen: what comes belongs to one */
    uint8_t data[TS_PRIVATE_SECTION_BYTES_MAX];
};

struct ts_section_sink {
    void *context;
    void (*section)(void *context, struct byte_span section); /* whole, CRC right */
    void (*malformed)(void *context, bool is_too_long);
};

void ts_section_feed(struct ts_section *s, struct byte_span payload, bool is_start, const struct ts_section_sink *sink);
void ts_section_note_loss(struct ts_section *s);

struct ts_pat {
    uint8_t number, last_number;
    struct byte_span programs; /* 4 bytes each */
};
struct ts_pmt {
    uint16_t program_number, clock_pid;
    struct byte_span descriptors, streams;
};
struct ts_pmt_stream {
    uint8_t type;
    uint16_t pid;
    struct byte_span descriptors;
};

/* false: another table, not yet valid (current_next_indicator), or lengths that do not fit; is_malformed tells the last. */
bool ts_pat_read(struct byte_span section, struct ts_pat *out, bool *is_malformed);
bool ts_pmt_read(struct byte_span section, struct ts_pmt *out, bool *is_malformed);
/* The next stream of streams that remain; false: no more (or one that is cut off). */
bool ts_pmt_next(struct byte_span *streams, struct ts_pmt_stream *out);
/* The first descriptor with this tag; data NULL: none. */
struct byte_span ts_descriptor_find(struct byte_span descriptors, unsigned tag);

#endif
