/* Timed metadata: ID3 and KLV in PES packets, SCTE-35 in sections (ANSI/SCTE 35, 9.6). Kept as they are; only their time is read. */
#include "ts_internal.h"

#include <stdlib.h>
#include <string.h>

struct ts_metadata_reader {
    struct ts_elementary elementary; /* first: it is what others hold */
    struct ts_output *out;
    struct ts_stream *stream;
    struct byte_writer payload;
    bool is_open;
    struct pes_head head;
};

static void give(struct ts_output *out, const struct ts_stream *stream, enum ts_metadata_kind kind,
                 struct byte_span bytes, bool has_time, uint64_t pts_90k)
{
    static const enum counter counters[] = {
        [TS_METADATA_ID3] = COUNTER_TS_METADATA_ID3,
        [TS_METADATA_SCTE35] = COUNTER_TS_METADATA_SCTE35,
        [TS_METADATA_KLV] = COUNTER_TS_METADATA_KLV,
    };
    const struct ts_metadata metadata = {
        .kind = kind,
        .pid = stream->kind.track.pid,
        .message = blob_copy(bytes.data, bytes.bytes),
        .pts_90k = pts_90k,
        .has_time = has_time,
    };
    if (!metadata.message) {
        out->is_out_of_memory = true;
        return;
    }
    ts_output_count(out, counters[kind]);
    out->events.metadata(out->events.context, &metadata);
}

/* -- SCTE-35 -- */

/* splice_time(); false: none is said. */
static bool read_splice_time(struct bit_reader *r, uint64_t *out)
{
    if (!read_flag(r)) return false;
    skip_bits(r, 6);
    const uint64_t high = read_bits(r, 1);
    *out = high << 32 | read_bits(r, 32);
    return !r->failed;
}

/* splice_insert() up to its time; false: cancelled, at once, or by components. */
static bool read_insert_time(struct bit_reader *r, uint64_t *out)
{
    skip_bits(r, 32);
    const bool is_cancelled = read_flag(r);
    skip_bits(r, 7);
    if (is_cancelled) return false;
    skip_bits(r, 1);
    const bool is_program = read_flag(r), has_duration = read_flag(r), is_at_once = read_flag(r);
    (void)has_duration;
    skip_bits(r, 4);
    return is_program && !is_at_once && read_splice_time(r, out);
}

void ts_scte35_take(struct ts_output *out, const struct ts_stream *stream, struct byte_span section)
{
    enum { SPLICE_INSERT = 5, TIME_SIGNAL = 6 };
    struct bit_reader r;
    uint64_t time = 0;
    bit_reader_init(&r, section.data, section.bytes);
    skip_bits(&r, 24 + 8); /* table_id and length, protocol_version */
    const bool is_encrypted = read_flag(&r);
    skip_bits(&r, 6);
    const uint64_t adjustment_high = read_bits(&r, 1), adjustment = adjustment_high << 32 | read_bits(&r, 32);
    skip_bits(&r, 8 + 12 + 12); /* cw_index, tier, splice_command_length */
    const unsigned command = read_bits(&r, 8);
    bool has_time = false;
    if (!is_encrypted && command == SPLICE_INSERT) has_time = read_insert_time(&r, &time);
    if (!is_encrypted && command == TIME_SIGNAL) has_time = read_splice_time(&r, &time);
    give(out, stream, TS_METADATA_SCTE35, section, has_time, has_time ? (time + adjustment) & TS_TIME_MASK : 0);
}

/* -- the PES's events -- */

static void begin(void *context, const struct pes_head *head)
{
    struct ts_metadata_reader *m = context;
    byte_writer_clear(&m->payload);
    m->head = *head;
    m->is_open = true;
}

static void take(void *context, const uint8_t *data, size_t bytes)
{
    struct ts_metadata_reader *m = context;
    if (m->is_open) write_bytes(&m->payload, data, bytes);
}

static void finish(struct ts_metadata_reader *m)
{
    if (!m->is_open) return;
    m->is_open = false;
    if (m->payload.failed) {
        ts_output_count(m->out, COUNTER_TS_LIMIT_UNIT);
        return;
    }
    if (!m->payload.bytes) return;
    give(m->out, m->stream, m->stream->kind.role == TS_ROLE_ID3 ? TS_METADATA_ID3 : TS_METADATA_KLV,
         (struct byte_span){ m->payload.data, m->payload.bytes }, m->head.has_time, m->head.pts_90k);
}

static void end(void *context, enum pes_end how)
{
    struct ts_metadata_reader *m = context;
    if (how == PES_END_STUFFED) return;
    if (how == PES_END_SHORT) {
        ts_output_count(m->out, COUNTER_TS_PES_SHORT);
        m->is_open = false;
    }
    finish(m);
}

static void note_loss(void *context)
{
    struct ts_metadata_reader *m = context;
    m->is_open = false;
}

static void malformed(void *context, const char *why)
{
    struct ts_metadata_reader *m = context;
    ts_output_count(m->out, COUNTER_TS_PES_MALFORMED);
    ts_output_problem(m->out, "PID %u: %s", m->stream->kind.track.pid, why);
}

static void flush(void *context, bool is_whole)
{
    struct ts_metadata_reader *m = context;
    if (!m->head.is_bounded) finish(m);
}

static void destroy(void *context)
{
    struct ts_metadata_reader *m = context;
    byte_writer_deinit(&m->payload);
    free(m);
}

struct ts_elementary *ts_metadata_create(struct ts_output *out, struct ts_stream *stream)
{
    struct ts_metadata_reader *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->elementary = (struct ts_elementary){
        .sink = { .context = m, .begin = begin, .data = take, .end = end, .malformed = malformed },
        .note_loss = note_loss,
        .flush = flush,
        .destroy = destroy,
    };
    m->out = out;
    m->stream = stream;
    byte_writer_init(&m->payload, TS_METADATA_BYTES_MAX);
    return &m->elementary;
}
