#include "fmp4.h"

#include <assert.h>
#include <stdlib.h>
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

struct frozen *fmp4_chunk_write(uint32_t sequence, const struct fmp4_sample *samples, size_t count, bool begins_segment)
{
    assert(count > 0 && samples[0].dts >= 0);
    struct byte_writer w;
    byte_writer_init(&w, HEADER_BYTES_MAX);
    write_header(&w, sequence, samples, count, begins_segment);
    struct piece *pieces = w.failed ? NULL : malloc((count + 1) * sizeof *pieces);
    struct blob *header = pieces ? blob_copy(w.data, w.bytes) : NULL;
    struct frozen *segment = NULL;
    if (header) {
        pieces[0] = (struct piece){ header, blob_data(header), blob_bytes(header) };
        for (size_t i = 0; i < count; i++) pieces[i + 1] = samples[i].payload;
        segment = frozen_create(pieces, count + 1);
    }
    blob_unref(header);
    free(pieces);
    byte_writer_deinit(&w);
    return segment;
}
