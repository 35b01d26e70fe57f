/* The journal on disk: any bytes give entries that are fit to be listed, or none; an entry that was read can be written and reads back the same. */
#include <stdlib.h>
#include <string.h>

#include "archive/catalogue.h"

static void check_round_trip(const struct journal_record *record)
{
    struct byte_writer w, again;
    struct byte_reader r;
    struct journal_record back;
    byte_writer_init(&w, (size_t)2 * JOURNAL_RECORD_BYTES_MAX);
    byte_writer_init(&again, (size_t)2 * JOURNAL_RECORD_BYTES_MAX);
    journal_write(&w, record);
    byte_reader_init(&r, w.data, w.bytes);
    if (w.failed || journal_read(&r, &back) != JOURNAL_GOT) abort();
    journal_write(&again, &back);
    if (again.bytes != w.bytes || memcmp(again.data, w.data, w.bytes)) abort();
    byte_writer_deinit(&w);
    byte_writer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct byte_reader r;
    struct journal_record record;
    byte_reader_init(&r, data, bytes);
    if (journal_read_magic(&r)) {
        while (journal_read(&r, &record) == JOURNAL_GOT) check_round_trip(&record);
    }
    /* the CRCs keep a fuzzer out: the same bytes as payloads, each with a right one */
    struct byte_writer w;
    byte_writer_init(&w, 1 << 20);
    journal_write_magic(&w);
    for (size_t at = 0; at + 1 < bytes;) {
        const size_t wanted = 1 + data[at], more = wanted < bytes - at - 1 ? wanted : bytes - at - 1;
        struct frozen *payload = frozen_copy(data + at + 1, more);
        write_u32(&w, (uint32_t)more);
        write_u32(&w, journal_crc(payload));
        write_bytes(&w, data + at + 1, more);
        frozen_unref(payload);
        at += 1 + more;
    }
    struct catalogue c;
    char stream[STREAM_NAME_BYTES_MAX + 1] = "";
    catalogue_init(&c, 0);
    struct catalogue_chunk *chunk = catalogue_add_chunk(&c, 1, 0, true);
    if (chunk && !w.failed &&
        catalogue_read_chunk(&c, chunk, (struct byte_span){ w.data, w.bytes }, UINT32_MAX, stream)) {
        struct shelf_past *past = catalogue_past(&c);
        for (size_t i = 0; past && i + 1 < past->count; i++) {
            if (past->segments[i].msn > past->segments[i + 1].msn) abort();
        }
        shelf_past_unref(past);
    }
    catalogue_deinit(&c);
    byte_reader_init(&r, w.data, w.bytes);
    if (journal_read_magic(&r)) {
        while (journal_read(&r, &record) == JOURNAL_GOT) check_round_trip(&record);
    }
    byte_writer_deinit(&w);
    return 0;
}
