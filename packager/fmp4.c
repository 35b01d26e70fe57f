#include "fmp4.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "fmp4_box.h"

#define SAMPLE_FLAGS_SYNC 0x02000000u     /* depends on no other */
#define SAMPLE_FLAGS_NON_SYNC 0x01010000u /* depends on others, is no sync sample */
enum { TFHD_DEFAULT_BASE_IS_MOOF = 0x020000 };
enum { TRUN_DATA_OFFSET = 0x1, TRUN_DURATION = 0x100, TRUN_SIZE = 0x200, TRUN_FLAGS = 0x400, TRUN_COMPOSITION = 0x800 };
#define TRUN_ENTRY_BYTES 16
#define HEADER_BYTES_MAX (256 + SEGMENT_SAMPLES_MAX * TRUN_ENTRY_BYTES)

uint32_t fmp4_timescale(const struct codec_facts *facts)
{
    return facts->kind == MEDIA_VIDEO ? 90000 : facts->sample_rate;
}

static void write_styp(struct byte_writer *w)
{
    const size_t styp = box_open(w, "styp");
    write_text(w, "msdh");
    write_u32(w, 0);
    write_text(w, "msdhcmfs");
    box_close(w, styp);
}

/* 8.8.8. Returns where the data offset stands. */
static size_t write_trun(struct byte_writer *w, const struct fmp4_sample *samples, size_t count)
{
    const size_t trun = full_box_open(w, "trun", 1,
                                      TRUN_DATA_OFFSET | TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | TRUN_COMPOSITION);
    write_u32(w, (uint32_t)count);
    const size_t offset_at = w->bytes;
    write_u32(w, 0);
    for (size_t i = 0; i < count; i++) {
        const struct fmp4_sample *s = &samples[i];
        assert(i + 1 == count || samples[i + 1].dts == s->dts + s->duration);
        write_u32(w, s->duration);
        write_u32(w, (uint32_t)s->payload.bytes);
        write_u32(w, s->is_sync ? SAMPLE_FLAGS_SYNC : SAMPLE_FLAGS_NON_SYNC);
        write_u32(w, (uint32_t)s->composition_offset);
    }
    box_close(w, trun);
    return offset_at;
}

static void write_header(struct byte_writer *w, uint32_t sequence, const struct fmp4_sample *samples, size_t count,
                         bool begins_segment)
{
    uint64_t payload_bytes = 0;
    for (size_t i = 0; i < count; i++) payload_bytes += samples[i].payload.bytes;
    if (begins_segment) write_styp(w);
    const size_t moof = box_open(w, "moof");
    const size_t mfhd = full_box_open(w, "mfhd", 0, 0);
    write_u32(w, sequence);
    box_close(w, mfhd);
    const size_t traf = box_open(w, "traf");
    const size_t tfhd = full_box_open(w, "tfhd", 0, TFHD_DEFAULT_BASE_IS_MOOF);
    write_u32(w, 1); /* track */
    box_close(w, tfhd);
    const size_t tfdt = full_box_open(w, "tfdt", 1, 0);
    write_u64(w, (uint64_t)samples[0].dts);
    box_close(w, tfdt);
    const size_t offset_at = write_trun(w, samples, count);
    box_close(w, traf);
    box_close(w, moof);
    if (!w->failed) patch_u32(w, offset_at, (uint32_t)(w->bytes + 8 - moof)); /* behind mdat's own header */
    write_u32(w, (uint32_t)(payload_bytes + 8));
    write_text(w, "mdat");
}

/* Where the samples that adjoin in one blob from `from` on end; *bytes: of their payloads. */
static size_t run_end(const struct fmp4_sample *samples, size_t count, size_t from, size_t *bytes)
{
    size_t end = from + 1;
    *bytes = samples[from].payload.bytes;
    for (; end < count; end++) {
        const struct piece *last = &samples[end - 1].payload, *next = &samples[end].payload;
        if (next->blob != last->blob || next->data != last->data + last->bytes) break;
        *bytes += next->bytes;
    }
    return end;
}

/* Short runs are copied behind the header: a reference each would hold more memory than it is worth, in the blob and the piece, and
 * cost a writer more than the bytes. */
static bool is_short(size_t run_bytes)
{
    return run_bytes < FMP4_BLOCK_BYTES;
}

static size_t copied_bytes(const struct fmp4_sample *samples, size_t count)
{
    size_t sum = 0, run;
    for (size_t i = 0; i < count;) {
        i = run_end(samples, count, i, &run);
        if (is_short(run)) sum += run;
    }
    return sum;
}

/* Header and short runs in one blob; pieces of it and of the long runs in order. Returns how many. */
static size_t lay_out(const struct byte_writer *header, const struct fmp4_sample *samples, size_t count,
                      struct blob *own, struct piece *pieces)
{
    uint8_t *at = blob_data(own);
    size_t used = 1, run;
    memcpy(at, header->data, header->bytes);
    pieces[0] = (struct piece){ own, at, header->bytes };
    at += header->bytes;
    for (size_t i = 0, end; i < count; i = end) {
        struct piece *last = &pieces[used - 1];
        const struct piece *first = &samples[i].payload;
        end = run_end(samples, count, i, &run);
        if (!is_short(run)) {
            pieces[used++] = (struct piece){ first->blob, first->data, run };
            continue;
        }
        memcpy(at, first->data, run);
        if (last->blob == own)
            last->bytes += run;
        else
            pieces[used++] = (struct piece){ own, at, run };
        at += run;
    }
    return used;
}

struct frozen *fmp4_chunk_write(uint32_t sequence, const struct fmp4_sample *samples, size_t count, bool begins_segment)
{
    assert(count > 0 && samples[0].dts >= 0);
    struct byte_writer w;
    byte_writer_init(&w, HEADER_BYTES_MAX);
    write_header(&w, sequence, samples, count, begins_segment);
    struct piece *pieces = w.failed ? NULL : malloc((count + 1) * sizeof *pieces);
    struct blob *own = pieces ? blob_create(w.bytes + copied_bytes(samples, count)) : NULL;
    struct frozen *chunk = NULL;
    if (own) {
        const size_t used = lay_out(&w, samples, count, own, pieces);
        chunk = frozen_create(pieces, used);
    }
    blob_unref(own);
    free(pieces);
    byte_writer_deinit(&w);
    return chunk;
}
