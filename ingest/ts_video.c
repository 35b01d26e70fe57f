/* Video elementary streams: start codes become lengths while the payload is copied, and NAL units (AV1: OBUs) become access units.
 *
 * A payload byte is copied once, into the blob that leaves. An access unit ends where the next one begins; where a multiplexer has
 * shown a habit of ending PES packets with units, at the end of the PES (see ts_demux.h, may_end_early). */
#include "ts_internal.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 4
#define HEAD_BYTES 3 /* of a NAL unit: enough to know what it begins */
#define FIRST_CAPACITY_BYTES (16 * KIB)
#define PES_WHOLE_BYTES_MAX 60000
#define STEP_90K_MAX 90000 /* a longer time between two units is no frame duration */

/* What a unit's first bytes say; `head` has 1 to HEAD_BYTES of them. */
struct nal_meaning {
    bool begins_always; /* an access unit, whatever stood before */
    bool begins_after_picture;
    bool is_picture, is_key;
    bool is_dropped; /* says nothing in a sample */
    bool ends;       /* the access unit */
};

/* H.264 7.4.1.2.3. In a first slice first_mb_in_slice is 0, the code "1". */
static struct nal_meaning read_h264(const uint8_t *head, size_t bytes)
{
    const unsigned type = head[0] & 0x1F;
    const bool is_first_slice = bytes > 1 && head[1] & 0x80;
    switch (type) {
    case 1:
    case 2:
    case 5:
        return (struct nal_meaning){ .begins_after_picture = is_first_slice, .is_picture = true, .is_key = type == 5 };
    case 3:
    case 4: return (struct nal_meaning){ .is_picture = true };
    case 6:
    case 7:
    case 8:
    case 15:
    case 16:
    case 17:
    case 18: return (struct nal_meaning){ .begins_after_picture = true };
    case 9: return (struct nal_meaning){ .begins_always = true, .is_dropped = true };
    case 10:
    case 11: return (struct nal_meaning){ .is_dropped = true, .ends = true };
    case 12: return (struct nal_meaning){ .is_dropped = true };
    default: return (struct nal_meaning){ .is_key = false };
    }
}

/* H.265 7.4.2.4.4; layers above the base belong to the picture before them. */
static struct nal_meaning read_hevc(const uint8_t *head, size_t bytes)
{
    const unsigned type = head[0] >> 1 & 0x3F;
    const bool is_base = bytes > 1 && !((head[0] & 1) << 5 | head[1] >> 3);
    if (!is_base) return (struct nal_meaning){ .is_dropped = true };
    if (type < 32) {
        const bool is_first_segment = bytes > 2 && head[2] & 0x80;
        return (struct nal_meaning){ .begins_after_picture = is_first_segment,
                                     .is_picture = true,
                                     .is_key = type >= 16 && type <= 23 };
    }
    switch (type) {
    case 35: return (struct nal_meaning){ .begins_always = true, .is_dropped = true };
    case 36:
    case 37: return (struct nal_meaning){ .is_dropped = true, .ends = true };
    case 38: return (struct nal_meaning){ .is_dropped = true };
    case 40: return (struct nal_meaning){ .is_key = false };
    default: return (struct nal_meaning){ .begins_after_picture = true };
    }
}

/* AV1 5.3: a temporal unit begins with its delimiter, which the draft lets out; then with its PES (see decide()). */
static struct nal_meaning read_av1(const uint8_t *head, size_t bytes)
{
    const unsigned type = head[0] >> 3 & 0xF;
    return (struct nal_meaning){
        .begins_always = type == 2,
        .is_picture = type == 3 || type == 4 || type == 6,
        .is_key = type == 1,
        .is_dropped = type == 2 || type == 8 || type == 15,
    };
}

struct unit_time {
    bool is_known;
    uint64_t pts_90k, dts_90k;
};

struct ts_video {
    struct ts_elementary elementary; /* first: it is what others hold */
    struct ts_output *out;
    struct ts_stream *stream;
    struct nal_meaning (*read)(const uint8_t *head, size_t bytes);
    /* where the bytes are */
    unsigned zeros;       /* at the end of what was looked at, up to 2 */
    bool is_waiting;      /* for the next PES */
    bool is_first_in_pes; /* no NAL unit began in this PES so far */
    unsigned units_in_pes;
    struct unit_time pes_time; /* for the first unit that begins in this PES; taken by it */
    /* the NAL unit that is open */
    bool is_nal_open, is_decided, is_dropping;
    struct nal_meaning meaning;
    uint8_t head[HEAD_BYTES];
    size_t head_bytes;
    size_t nal_at; /* of its length in the blob */
    unsigned nal_count;
    /* the access unit that is open */
    bool is_unit_open, has_picture, is_key, is_damaged;
    struct unit_time time;
    struct blob *blob;
    size_t used, capacity;
    /* over units */
    bool has_config, is_after_loss;
    size_t usual_bytes;    /* of a unit */
    struct unit_time last; /* of the last unit that was given */
    uint64_t step_90k;     /* between two of them */
    /* ends that were foretold */
    bool may_end_early;
    bool is_foretold; /* the PES is over, most likely with its unit */
    bool is_ended_early;
    unsigned kept_promises;
    size_t pes_bytes; /* where the PES says its length */
};

/* -- what leaves -- */

static void reset_unit(struct ts_video *v)
{
    v->is_unit_open = v->has_picture = v->is_key = v->is_damaged = false;
    v->time.is_known = false;
    v->used = 0;
    v->nal_count = 0;
}

/* The configuration stands in the stream: a unit with parameter sets starts the track. */
static bool learn_config(struct ts_video *v)
{
    struct ts_output *out = v->out;
    const enum media_codec codec = v->stream->kind.track.codec;
    struct blob *config = NULL;
    struct codec_facts facts;
    const char *why = "";
    const struct byte_span unit = { blob_data(v->blob), v->used };
    const enum weir_err err = v->is_damaged ? WEIR_NOT_FOUND
                                            : codec_config_from_frame(codec, unit, &config, &facts, &why);
    if (err == WEIR_NOMEM)
        out->is_out_of_memory = true;
    else if (err && err != WEIR_NOT_FOUND)
        ts_output_problem(out, "PID %u: %s", v->stream->kind.track.pid, why);
    if (err) return false;
    if (facts.fps_num) v->step_90k = 90000ull * facts.fps_den / facts.fps_num;
    out->events.config(out->events.context, MEDIA_VIDEO, v->stream->kind.track.index, codec,
                       (struct byte_span){ blob_data(config), blob_bytes(config) });
    blob_unref(config);
    return true;
}

/* Units that the wire gives no time are counted on from the one before. false: there was none. */
static bool settle_time(struct ts_video *v, struct ts_frame *frame)
{
    struct unit_time time = v->time;
    if (time.is_known && v->last.is_known) {
        const uint64_t step = (time.dts_90k - v->last.dts_90k) & TS_TIME_MASK;
        if (step && step <= STEP_90K_MAX) v->step_90k = step;
    }
    if (!time.is_known && !v->last.is_known) return false;
    frame->has_time = time.is_known;
    if (!time.is_known) {
        time.dts_90k = (v->last.dts_90k + v->step_90k) & TS_TIME_MASK;
        time.pts_90k = time.dts_90k;
    }
    time.is_known = true;
    v->last = time;
    frame->pts_90k = time.pts_90k;
    frame->dts_90k = time.dts_90k;
    return true;
}

static void learn_size(struct ts_video *v)
{
    if (v->used > v->usual_bytes)
        v->usual_bytes += (v->used - v->usual_bytes) / 8;
    else
        v->usual_bytes -= (v->usual_bytes - v->used) / 8;
}

static void give_unit(struct ts_video *v)
{
    struct ts_frame frame = {
        .kind = MEDIA_VIDEO,
        .index = v->stream->kind.track.index,
        .codec = v->stream->kind.track.codec,
        .bytes = v->used,
        .is_key = v->is_key,
        .is_damaged = v->is_damaged,
        .is_after_loss = v->is_after_loss && !v->is_damaged && v->last.is_known,
    };
    if (!v->has_config) v->has_config = learn_config(v);
    if (!v->has_config) {
        ts_output_count(v->out, COUNTER_TS_BEFORE_CONFIG);
        return;
    }
    if (!settle_time(v, &frame)) {
        ts_output_count(v->out, COUNTER_TS_UNTIMED);
        return;
    }
    learn_size(v);
    /* the blob was made for more: what the stream keeps for its playlist is to cost what it holds */
    struct blob *fitting = blob_resize(v->blob, v->used);
    frame.message = fitting ? fitting : v->blob;
    v->blob = NULL;
    v->capacity = 0;
    v->is_after_loss = v->is_damaged;
    ts_output_frame(v->out, &frame);
}

/* The open NAL unit has ended before. */
static void finish_unit(struct ts_video *v)
{
    if (v->is_unit_open && v->has_picture && v->used) {
        v->units_in_pes++;
        give_unit(v);
    } else if (v->is_damaged) {
        v->is_after_loss = true;
    }
    reset_unit(v);
}

/* -- bytes into the open unit -- */

static bool grow(struct ts_video *v, size_t bytes)
{
    size_t capacity = v->capacity ? v->capacity : FIRST_CAPACITY_BYTES;
    if (!v->blob && capacity < v->usual_bytes * 5 / 4) capacity = v->usual_bytes * 5 / 4;
    while (capacity < v->used + bytes) capacity *= 2;
    struct blob *grown = v->blob ? blob_resize(v->blob, capacity) : blob_create(capacity);
    if (!grown) {
        v->out->is_out_of_memory = true;
        v->is_damaged = v->is_dropping = true;
        return false;
    }
    v->blob = grown;
    v->capacity = capacity;
    return true;
}

static void append(struct ts_video *v, const uint8_t *data, size_t bytes)
{
    if (v->is_dropping || !bytes) return;
    if (v->used + bytes > TS_VIDEO_UNIT_BYTES_MAX) {
        if (!v->is_damaged) {
            ts_output_count(v->out, COUNTER_TS_LIMIT_UNIT);
            ts_output_problem(v->out, "PID %u: an access unit of more than %u bytes; the rest of it is dropped",
                              v->stream->kind.track.pid, (unsigned)TS_VIDEO_UNIT_BYTES_MAX);
        }
        v->is_damaged = v->is_dropping = true;
        return;
    }
    if (v->used + bytes > v->capacity && !grow(v, bytes)) return;
    memcpy(blob_data(v->blob) + v->used, data, bytes);
    v->used += bytes;
}

/* -- NAL units -- */

/* A unit was given at the foretold end of its PES, and then it went on: it was cut. */
static void break_promise(struct ts_video *v)
{
    if (v->is_ended_early) {
        ts_output_count(v->out, COUNTER_TS_EARLY_END_WRONG);
        ts_output_problem(v->out,
                          "PID %u: an access unit went on after the packet that should have ended it; waiting for the "
                          "next one's start from now on",
                          v->stream->kind.track.pid);
        v->is_after_loss = true;
        v->is_waiting = true;
    }
    v->is_foretold = v->is_ended_early = v->may_end_early = false;
}

static void open_unit(struct ts_video *v)
{
    v->is_unit_open = true;
    v->time = v->pes_time;
    v->pes_time.is_known = false;
}

/* The open NAL unit is known: is it the first of an access unit, and is it wanted? */
static void decide(struct ts_video *v)
{
    const struct nal_meaning m = v->read(v->head, v->head_bytes);
    const bool is_new_pes = v->stream->kind.track.codec == CODEC_AV1 && v->is_first_in_pes && v->pes_time.is_known;
    const bool had_picture = v->has_picture || v->is_ended_early;
    const bool begins = m.begins_always || is_new_pes || (m.begins_after_picture && had_picture);
    v->is_decided = true;
    v->is_first_in_pes = false;
    if (v->is_foretold && !begins) {
        break_promise(v);
        if (v->is_waiting) return;
    } else if (v->is_foretold) {
        if (v->kept_promises < TS_EARLY_END_RUN) v->kept_promises++;
        v->is_foretold = v->is_ended_early = false;
    }
    if (begins) finish_unit(v);
    if (!v->is_unit_open)
        open_unit(v);
    else if (v->pes_time.is_known && !v->has_picture)
        open_unit(v); /* parameter sets in a PES of their own */
    v->meaning = m;
    v->is_dropping = m.is_dropped;
    if (m.is_dropped) return;
    if (++v->nal_count > NAL_UNITS_PER_FRAME_MAX) {
        v->is_damaged = v->is_dropping = v->meaning.is_dropped = true;
        return;
    }
    v->has_picture |= m.is_picture;
    v->is_key |= m.is_key;
    v->nal_at = v->used;
    static const uint8_t room[LENGTH_BYTES] = { 0 };
    if (v->stream->kind.track.codec != CODEC_AV1) append(v, room, LENGTH_BYTES);
    append(v, v->head, v->head_bytes);
}

/* An OBU as the sample wants it (5.3.1): without escapes, and with its size. It is the last thing in the blob. */
static void finish_obu(struct ts_video *v)
{
    uint8_t *obu = blob_data(v->blob) + v->nal_at;
    size_t bytes = v->used - v->nal_at, kept = 0, zeros = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (zeros >= 2 && obu[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = obu[i] ? 0 : zeros + 1;
        obu[kept++] = obu[i];
    }
    v->used = v->nal_at + kept;
    const size_t head_bytes = obu[0] & 4 ? 2 : 1;
    if (kept < head_bytes) {
        v->used = v->nal_at;
        return;
    }
    if (obu[0] & 2) { /* zeros behind it belong to the next start code */
        size_t size = 0, at = head_bytes;
        for (unsigned shift = 0; at < kept && shift < 32; shift += 7) {
            size |= (size_t)(obu[at] & 0x7F) << shift;
            if (!(obu[at++] & 0x80)) break;
        }
        if (size < kept - at) v->used = v->nal_at + at + size;
        return;
    }
    size_t size = kept - head_bytes;
    while (size && !obu[head_bytes + size - 1]) size--;
    uint8_t prefix[8];
    size_t prefix_bytes = 0;
    for (size_t left = size; prefix_bytes == 0 || left; left >>= 7)
        prefix[prefix_bytes++] = (uint8_t)((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
    if (v->used + prefix_bytes > v->capacity && !grow(v, prefix_bytes)) return;
    obu = blob_data(v->blob) + v->nal_at;
    memmove(obu + head_bytes + prefix_bytes, obu + head_bytes, size);
    memcpy(obu + head_bytes, prefix, prefix_bytes);
    obu[0] |= 2;
    v->used = v->nal_at + head_bytes + prefix_bytes + size;
}

static void finish_length(struct ts_video *v)
{
    uint8_t *data = blob_data(v->blob);
    while (v->used > v->nal_at + LENGTH_BYTES && !data[v->used - 1]) v->used--; /* they belong to the next start code */
    const size_t bytes = v->used - v->nal_at - LENGTH_BYTES;
    store_u32(data + v->nal_at, (uint32_t)bytes);
    if (!bytes) v->used = v->nal_at;
}

static void end_nal(struct ts_video *v)
{
    if (!v->is_nal_open) return;
    v->is_nal_open = false;
    if (!v->is_decided) {
        while (v->head_bytes && !v->head[v->head_bytes - 1]) v->head_bytes--;
        if (!v->head_bytes) return;
        decide(v);
        if (v->is_waiting) return;
    }
    const bool was_written = v->blob && !v->meaning.is_dropped && v->used >= v->nal_at + 1;
    if (was_written && v->stream->kind.track.codec == CODEC_AV1)
        finish_obu(v);
    else if (was_written && v->used >= v->nal_at + LENGTH_BYTES)
        finish_length(v);
    v->is_dropping = false;
    if (v->meaning.ends) finish_unit(v);
}

static void begin_nal(struct ts_video *v)
{
    v->is_nal_open = true;
    v->is_decided = v->is_dropping = false;
    v->head_bytes = 0;
}

static bool is_all_zero(const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i]) return false;
    return true;
}

/* Bytes between two start codes. */
static void take_bytes(struct ts_video *v, const uint8_t *data, size_t bytes)
{
    if (v->is_foretold && !(v->is_nal_open && !v->is_decided) && !is_all_zero(data, bytes)) break_promise(v);
    if (!v->is_nal_open || v->is_waiting) return;
    if (!v->is_decided) {
        size_t part = HEAD_BYTES - v->head_bytes;
        if (part > bytes) part = bytes;
        memcpy(v->head + v->head_bytes, data, part);
        v->head_bytes += part;
        if (v->head_bytes < HEAD_BYTES) return;
        decide(v);
        data += part;
        bytes -= part;
    }
    append(v, data, bytes);
}

/* Where the 01 of the first start code is; `bytes`: there is none. zeros: how many stood before, up to 2. */
static size_t find_start_code(const uint8_t *data, size_t bytes, unsigned zeros)
{
    if (bytes > 0 && data[0] == 1 && zeros >= 2) return 0;
    if (bytes > 1 && data[1] == 1 && !data[0] && zeros >= 1) return 1;
    for (size_t at = 2; at < bytes; at++) {
        const uint8_t *one = memchr(data + at, 1, bytes - at);
        if (!one) break;
        at = (size_t)(one - data);
        if (!data[at - 1] && !data[at - 2]) return at;
    }
    return bytes;
}

static unsigned zeros_at_end(const uint8_t *data, size_t bytes, unsigned zeros_before)
{
    if (!bytes) return zeros_before;
    if (data[bytes - 1]) return 0;
    if (bytes > 1) return data[bytes - 2] ? 1 : 2;
    return zeros_before ? 2 : 1;
}

/* -- the PES's events -- */

static void begin(void *context, const struct pes_head *head)
{
    struct ts_video *v = context;
    if (v->is_waiting) {
        v->is_waiting = v->is_nal_open = false;
        v->zeros = 0;
    }
    v->is_first_in_pes = true;
    v->units_in_pes = 0;
    v->pes_bytes = head->payload_bytes;
    /* a time that no unit took stays good where none follows: its unit's start code may lie across the border */
    if (head->has_time) v->pes_time = (struct unit_time){ true, head->pts_90k, head->dts_90k };
}

static void take(void *context, const uint8_t *data, size_t bytes)
{
    struct ts_video *v = context;
    while (bytes && !v->is_waiting) {
        const size_t at = find_start_code(data, bytes, v->zeros);
        take_bytes(v, data, at);
        if (at == bytes) {
            v->zeros = zeros_at_end(data, bytes, v->zeros);
            return;
        }
        v->zeros = 0;
        end_nal(v);
        if (v->units_in_pes > TS_UNITS_PER_PES_MAX) {
            ts_output_count(v->out, COUNTER_TS_LIMIT_UNITS_PER_PES);
            v->is_damaged = v->is_unit_open;
            v->is_after_loss = v->is_waiting = true;
            return;
        }
        begin_nal(v);
        data += at + 1;
        bytes -= at + 1;
    }
}

static void end(void *context, enum pes_end how)
{
    struct ts_video *v = context;
    if (v->is_waiting) return;
    if (how == PES_END_SHORT) {
        ts_output_count(v->out, COUNTER_TS_PES_SHORT);
        v->is_damaged |= v->is_unit_open;
    }
    const bool is_over = how == PES_END_LENGTH || how == PES_END_STUFFED;
    if (!is_over || !v->has_picture || v->is_damaged || (v->is_nal_open && !v->is_decided)) return;
    v->is_foretold = true;
    /* a PES of nearly the greatest length may be the first piece of a longer unit */
    if (!v->may_end_early || v->kept_promises < TS_EARLY_END_RUN || v->pes_bytes > PES_WHOLE_BYTES_MAX) return;
    end_nal(v);
    if (v->is_unit_open) finish_unit(v);
    v->is_ended_early = true;
}

static void malformed(void *context, const char *why)
{
    struct ts_video *v = context;
    ts_output_count(v->out, COUNTER_TS_PES_MALFORMED);
    ts_output_problem(v->out, "PID %u: %s", v->stream->kind.track.pid, why);
    v->elementary.note_loss(v);
}

static void note_loss(void *context)
{
    struct ts_video *v = context;
    if (!v->is_waiting) end_nal(v);
    v->is_damaged |= v->is_unit_open;
    finish_unit(v);
    v->is_after_loss = v->is_waiting = true;
    v->is_foretold = v->is_ended_early = false;
    v->pes_time.is_known = false;
}

static void flush(void *context, bool is_whole)
{
    struct ts_video *v = context;
    if (!v->is_unit_open) return;
    if (!v->is_waiting) end_nal(v);
    v->is_damaged |= v->is_unit_open && !v->is_foretold && !is_whole;
    finish_unit(v);
    v->is_waiting = true;
    v->is_foretold = v->is_ended_early = false;
}

static void destroy(void *context)
{
    struct ts_video *v = context;
    blob_unref(v->blob);
    free(v);
}

struct ts_elementary *ts_video_create(struct ts_output *out, struct ts_stream *stream, bool may_end_early)
{
    struct ts_video *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    const enum media_codec codec = stream->kind.track.codec;
    v->elementary = (struct ts_elementary){
        .sink = { .context = v, .begin = begin, .data = take, .end = end, .malformed = malformed },
        .note_loss = note_loss,
        .flush = flush,
        .destroy = destroy,
    };
    v->out = out;
    v->stream = stream;
    v->read = codec == CODEC_H264 ? read_h264 : codec == CODEC_HEVC ? read_hevc : read_av1;
    v->may_end_early = may_end_early;
    v->is_waiting = true;
    v->step_90k = 90000 / 30;
    return &v->elementary;
}
