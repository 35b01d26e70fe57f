/* Audio elementary streams: frames out of a byte stream that knows nothing of PES borders (ADTS, LOAS, MPEG audio, AC-3, E-AC-3, Opus).
 *
 * A frame leaves when its last byte is there. Its time: the PES's for the first frame that begins in it, and from there by counting samples,
 * so that rounding never adds up. */
#include "ts_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/media/adts.h>
#include <weir/media/audio_sync.h>
#include <weir/media/latm.h>
#include <weir/media/opus_ts.h>

#define FIRST_BUFFER_BYTES (4 * KIB)
#define BUFFER_BYTES_MAX (TS_AUDIO_FRAME_BYTES_MAX + 4 * KIB)
#define EAC3_UNIT_SAMPLES 1536 /* six blocks of 256 of each substream make an access unit (ETSI TS 102 366, E.1.1) */

struct ts_audio;

enum measured { MEASURED = 1, MEASURE_MORE, MEASURE_NONE };

/* How a codec is framed. */
struct framing {
    uint8_t sync;    /* a frame's first byte */
    bool is_certain; /* its header is long enough to be believed without a second one behind the frame */
    /* How long the frame at the start of `in` is. MORE: its header goes on; NONE: there is none. is_end: the PES ends behind `in`. */
    enum measured (*measure)(struct byte_span in, bool is_end, size_t *bytes);
    /* A whole frame. */
    void (*take)(struct ts_audio *a, struct byte_span frame);
};

/* A time on the wire: good for the first frame that begins at or behind `at` in the buffer. */
struct wire_time {
    bool is_known;
    uint64_t pts_90k;
    size_t at;
};

struct ts_audio {
    struct ts_elementary elementary; /* first: it is what others hold */
    struct ts_output *out;
    struct ts_stream *stream;
    const struct framing *framing;
    /* bytes that are no frame yet */
    uint8_t *buffer;
    size_t used, capacity, wanted; /* wanted: less than this is not worth looking at */
    size_t at;                     /* of the frame at hand */
    size_t searched;               /* see find_whole_frame() */
    bool is_synced, is_waiting, is_refused;
    unsigned units_in_pes;
    /* time: of the frame at the buffer's start, and of the PES that began last, if it is another */
    struct wire_time front, newest;
    bool has_base, is_after_loss;
    uint64_t base_90k, samples_since; /* of the next frame, at facts.sample_rate */
    /* configuration */
    struct codec_facts facts;
    uint8_t config[ADTS_CONFIG_BYTES_MAX];
    size_t config_bytes;
    bool is_told;
    struct latm_state latm;
};

static unsigned pid_of(const struct ts_audio *a)
{
    return a->stream->kind.track.pid;
}

static void refuse_frame(struct ts_audio *a, const char *why)
{
    ts_output_count(a->out, COUNTER_TS_AUDIO_MALFORMED);
    ts_output_problem(a->out, "PID %u: %s", pid_of(a), why);
}

/* -- what leaves -- */

/* Counts on to now, so that another rate may count from here. */
static void rebase(struct ts_audio *a)
{
    if (a->has_base && a->facts.sample_rate)
        a->base_90k = (a->base_90k + a->samples_since * 90000 / a->facts.sample_rate) & TS_TIME_MASK;
    a->samples_since = 0;
}

static void set_facts(struct ts_audio *a, const struct codec_facts *facts)
{
    if (facts->sample_rate != a->facts.sample_rate) rebase(a);
    a->facts = *facts;
}

/* false: it cannot be used. */
static bool set_config(struct ts_audio *a, struct byte_span config)
{
    if (a->is_told && config.bytes == a->config_bytes && !memcmp(config.data, a->config, config.bytes)) return true;
    struct codec_facts facts;
    const char *why;
    const struct ts_track *track = &a->stream->kind.track;
    if (config.bytes > sizeof a->config || codec_describe(track->codec, config, &facts, &why)) {
        refuse_frame(a, config.bytes > sizeof a->config ? "the audio configuration is too long" : why);
        return false;
    }
    set_facts(a, &facts);
    memcpy(a->config, config.data, config.bytes);
    a->config_bytes = config.bytes;
    a->is_told = true;
    a->out->events.config(a->out->events.context, MEDIA_AUDIO, track->index, track->codec, config);
    return true;
}

/* For the codecs whose frames say everything. */
static void set_codec(struct ts_audio *a, enum media_codec codec, uint32_t sample_rate)
{
    struct ts_track *track = &a->stream->kind.track;
    const bool is_change = track->codec != codec;
    track->codec = codec;
    snprintf(track->what, sizeof track->what, "%s", codec_name(codec));
    if (is_change && a->stream->is_announced) a->out->events.track(a->out->events.context, track);
    if (is_change) a->is_told = false;
    ts_output_announce(a->out, track, &a->stream->is_announced);
    set_facts(a, &(struct codec_facts){ .kind = MEDIA_AUDIO, .codec = codec, .sample_rate = sample_rate });
    if (!a->is_told) a->out->events.codec(a->out->events.context, track->index, codec);
    a->is_told = true;
}

/* The time on the wire for the frame at a->at; false: none was meant for it. */
static bool take_time(struct ts_audio *a)
{
    const bool is_newest = a->newest.is_known && a->at >= a->newest.at;
    const struct wire_time time = is_newest ? a->newest : a->front;
    if (is_newest) a->newest.is_known = false;
    a->front.is_known = false;
    if (!time.is_known) return false;
    a->has_base = true;
    a->base_90k = time.pts_90k;
    a->samples_since = 0;
    return true;
}

/* Gives a frame that begins at a->at. Its bytes are copied: frames share their buffer. */
static void give(struct ts_audio *a, struct blob *message, uint32_t samples)
{
    const struct ts_track *track = &a->stream->kind.track;
    const bool has_time = take_time(a);
    a->units_in_pes++;
    if (!a->has_base) {
        ts_output_count(a->out, COUNTER_TS_UNTIMED);
        blob_unref(message);
        return;
    }
    const uint64_t pts_90k = (a->base_90k + a->samples_since * 90000 / a->facts.sample_rate) & TS_TIME_MASK;
    const struct ts_frame frame = {
        .kind = MEDIA_AUDIO,
        .index = track->index,
        .codec = track->codec,
        .message = message,
        .bytes = blob_bytes(message),
        .pts_90k = pts_90k,
        .dts_90k = pts_90k,
        .has_time = has_time,
        .is_key = true,
        .is_after_loss = a->is_after_loss,
    };
    a->samples_since += samples;
    a->is_after_loss = false;
    ts_output_frame(a->out, &frame);
}

static void give_copy(struct ts_audio *a, struct byte_span frame, uint32_t samples)
{
    struct blob *message = blob_copy(frame.data, frame.bytes);
    if (message)
        give(a, message, samples);
    else
        a->out->is_out_of_memory = true;
}

/* -- AAC -- */

static enum measured measure_adts(struct byte_span in, bool is_end, size_t *bytes)
{
    struct adts_header h;
    if (in.bytes < ADTS_HEADER_BYTES) return MEASURE_MORE;
    if (!adts_header_read(in, &h)) return MEASURE_NONE;
    *bytes = h.frame_bytes;
    return MEASURED;
}

static void take_adts(struct ts_audio *a, struct byte_span frame)
{
    struct adts_header h;
    uint8_t config[ADTS_CONFIG_BYTES_MAX];
    size_t config_bytes;
    const char *why = "several AAC blocks in one ADTS frame; expected one";
    if (!adts_header_read(frame, &h)) return;
    if (h.raw_blocks != 1 || adts_config(&h, frame, config, &config_bytes, &why)) {
        refuse_frame(a, why);
        return;
    }
    if (!set_config(a, (struct byte_span){ config, config_bytes })) return;
    give_copy(a, (struct byte_span){ frame.data + h.header_bytes, frame.bytes - h.header_bytes },
              a->facts.frame_samples);
}

static enum measured measure_loas(struct byte_span in, bool is_end, size_t *bytes)
{
    if (in.bytes < LOAS_HEADER_BYTES) return MEASURE_MORE;
    *bytes = loas_element_bytes(in);
    return *bytes > LOAS_HEADER_BYTES ? MEASURED : MEASURE_NONE;
}

static void take_loas(struct ts_audio *a, struct byte_span frame)
{
    struct latm_element element;
    const char *why;
    const enum weir_err err = latm_element_read(&a->latm, frame, &element, &why);
    if (err == WEIR_STATE)
        ts_output_count(a->out, COUNTER_TS_BEFORE_CONFIG);
    else if (err)
        refuse_frame(a, why);
    if (err || !set_config(a, (struct byte_span){ a->latm.config, a->latm.config_bytes })) return;
    for (size_t i = 0; i < element.count; i++) {
        struct blob *message = blob_create(element.payloads[i].bytes);
        if (!message) {
            a->out->is_out_of_memory = true;
            return;
        }
        latm_payload_copy(frame, &element.payloads[i], blob_data(message));
        give(a, message, a->facts.frame_samples);
    }
}

/* -- MPEG audio -- */

static enum measured measure_mpeg(struct byte_span in, bool is_end, size_t *bytes)
{
    struct mpeg_audio_header h;
    if (in.bytes < MPEG_AUDIO_HEADER_BYTES) return MEASURE_MORE;
    if (!mpeg_audio_header_read(in, &h)) return MEASURE_NONE;
    *bytes = h.frame_bytes;
    return MEASURED;
}

static void refuse_layer(struct ts_audio *a, unsigned layer)
{
    struct ts_track *track = &a->stream->kind.track;
    track->codec = 0;
    snprintf(track->what, sizeof track->what, "MP%u", layer);
    a->is_refused = true;
    ts_output_count(a->out, COUNTER_TS_STREAMS_UNSUPPORTED);
    ts_output_announce(a->out, track, &a->stream->is_announced);
}

static void take_mpeg(struct ts_audio *a, struct byte_span frame)
{
    struct mpeg_audio_header h;
    if (!mpeg_audio_header_read(frame, &h)) return;
    const bool is_taken = h.layer == 3 || (h.layer == 2 && a->out->takes_layer2);
    if (!is_taken && !a->is_told) refuse_layer(a, h.layer);
    if (!is_taken) return;
    set_codec(a, h.layer == 3 ? CODEC_MP3 : CODEC_MP2, h.sample_rate);
    give_copy(a, frame, h.samples);
}

/* -- AC-3, E-AC-3 -- */

/* An access unit of E-AC-3 goes on until the substream that began it begins again, with six blocks done. */
static enum measured measure_eac3(struct byte_span in, bool is_end, size_t *bytes)
{
    size_t at = 0;
    uint32_t samples = 0;
    for (;;) {
        struct ac3_header h;
        const struct byte_span rest = { in.data + at, in.bytes - at };
        const bool is_complete = samples >= EAC3_UNIT_SAMPLES;
        if (rest.bytes < AC3_HEADER_BYTES) {
            if (!is_complete || rest.bytes || !is_end) return MEASURE_MORE;
            break;
        }
        if (!ac3_header_read(rest, &h) || !h.is_enhanced) {
            if (!at) return MEASURE_NONE;
            break;
        }
        if (is_complete && h.begins_unit) break;
        if (h.begins_unit) samples += h.samples;
        at += h.frame_bytes;
        if (at >= in.bytes && !(at == in.bytes && is_end)) {
            *bytes = at;
            return at > in.bytes ? MEASURED : MEASURE_MORE;
        }
    }
    *bytes = at;
    return MEASURED;
}

static enum measured measure_ac3(struct byte_span in, bool is_end, size_t *bytes)
{
    struct ac3_header h;
    if (in.bytes < AC3_HEADER_BYTES) return MEASURE_MORE;
    if (!ac3_header_read(in, &h)) return MEASURE_NONE;
    *bytes = h.frame_bytes;
    return h.is_enhanced ? measure_eac3(in, is_end, bytes) : MEASURED;
}

static void take_ac3(struct ts_audio *a, struct byte_span frame)
{
    struct ac3_header h;
    if (!ac3_header_read(frame, &h)) return;
    if (!h.begins_unit) {
        refuse_frame(a, "an E-AC-3 substream without the one that it belongs to");
        return;
    }
    uint32_t samples = 0;
    for (struct byte_span rest = frame; rest.bytes && ac3_header_read(rest, &h) && h.frame_bytes <= rest.bytes;) {
        if (h.begins_unit) samples += h.samples;
        rest = (struct byte_span){ rest.data + h.frame_bytes, rest.bytes - h.frame_bytes };
    }
    set_codec(a, h.is_enhanced ? CODEC_EAC3 : CODEC_AC3, h.sample_rate);
    give_copy(a, frame, samples);
}

/* -- Opus -- */

static enum measured measure_opus(struct byte_span in, bool is_end, size_t *bytes)
{
    struct opus_ts_header h;
    switch (opus_ts_header_read(in, &h)) {
    case OPUS_TS_NEED: return MEASURE_MORE;
    case OPUS_TS_BAD: return MEASURE_NONE;
    case OPUS_TS_DONE: break;
    }
    *bytes = h.header_bytes + h.packet_bytes;
    return MEASURED;
}

static void take_opus(struct ts_audio *a, struct byte_span frame)
{
    struct opus_ts_header h;
    if (opus_ts_header_read(frame, &h) != OPUS_TS_DONE) return;
    if (!a->is_told) {
        const unsigned code = a->stream->kind.opus_channel_code == 255 ? 2 : a->stream->kind.opus_channel_code;
        struct blob *config = NULL;
        const char *why = "out of memory";
        if (opus_ts_config(code, &config, &why)) {
            refuse_frame(a, why);
            return;
        }
        const bool is_good = set_config(a, (struct byte_span){ blob_data(config), blob_bytes(config) });
        blob_unref(config);
        if (!is_good) return;
    }
    const struct byte_span packet = { frame.data + h.header_bytes, h.packet_bytes };
    const uint32_t samples = codec_frame_samples(&a->facts, packet);
    if (samples)
        give_copy(a, packet, samples);
    else
        refuse_frame(a, "an Opus packet of an impossible duration");
}

/* -- frames out of bytes -- */

static void forget_bytes(struct ts_audio *a)
{
    a->used = a->wanted = a->searched = 0;
}

/* No frame begins at a->at: to the next place where one might. */
static void search(struct ts_audio *a)
{
    if (a->is_synced) ts_output_count(a->out, COUNTER_TS_AUDIO_RESYNCS);
    a->is_synced = false;
    const uint8_t *next = memchr(a->buffer + a->at + 1, a->framing->sync, a->used - a->at - 1);
    a->at = next ? (size_t)(next - a->buffer) : a->used;
}

/* Whether the frame of `bytes` at the start of `in` may be believed: MORE when what follows must be seen first. */
static enum measured confirm(const struct ts_audio *a, struct byte_span in, size_t bytes, bool is_end)
{
    size_t ignored;
    if (a->is_synced || a->framing->is_certain || (is_end && bytes == in.bytes)) return MEASURED;
    const struct byte_span next = { in.data + bytes, in.bytes - bytes };
    const enum measured found = a->framing->measure(next, false, &ignored);
    return found == MEASURE_MORE && next.bytes >= ADTS_HEADER_BYTES ? MEASURED
                                                                    : found; /* a header is there, and goes on */
}

/* Out of step, what looks like the header of a long frame may be none, and hide the frames behind it: at the end of a PES a frame that is
 * there with its last byte is preferred. Each byte is looked at once. */
static bool find_whole_frame(struct ts_audio *a)
{
    size_t at = a->at + 1 > a->searched ? a->at + 1 : a->searched;
    a->searched = a->used;
    while (at < a->used) {
        const uint8_t *sync = memchr(a->buffer + at, a->framing->sync, a->used - at);
        if (!sync) return false;
        at = (size_t)(sync - a->buffer);
        const struct byte_span in = { sync, a->used - at };
        size_t bytes = 0;
        const bool is_whole = a->framing->measure(in, true, &bytes) == MEASURED && bytes <= in.bytes;
        if (is_whole && confirm(a, in, bytes, true) == MEASURED) {
            a->at = at;
            return true;
        }
        at++;
    }
    return false;
}

static void read_frames(struct ts_audio *a, bool is_end)
{
    a->at = 0;
    while (a->at < a->used && !a->is_refused && a->units_in_pes <= TS_UNITS_PER_PES_MAX) {
        const struct byte_span in = { a->buffer + a->at, a->used - a->at };
        size_t bytes = 0;
        enum measured found = a->framing->measure(in, is_end, &bytes);
        if (bytes > TS_AUDIO_FRAME_BYTES_MAX || (found == MEASURE_MORE && in.bytes > TS_AUDIO_FRAME_BYTES_MAX)) {
            ts_output_count(a->out, COUNTER_TS_LIMIT_UNIT);
            found = MEASURE_NONE;
        }
        if (found == MEASURED && in.bytes < bytes) {
            a->wanted = a->at + bytes;
            found = MEASURE_MORE;
        }
        if (found == MEASURED) found = confirm(a, in, bytes, is_end);
        if (found == MEASURE_MORE && !(is_end && !a->is_synced && find_whole_frame(a))) break;
        if (found == MEASURE_MORE) {
            a->wanted = 0;
            continue;
        }
        if (found == MEASURE_NONE) {
            search(a);
            continue;
        }
        a->is_synced = true;
        a->framing->take(a, (struct byte_span){ in.data, bytes });
        a->at += bytes;
    }
}

/* What is left moves to the front. */
static void drop_read(struct ts_audio *a)
{
    memmove(a->buffer, a->buffer + a->at, a->used - a->at);
    a->used -= a->at;
    a->searched = a->searched > a->at ? a->searched - a->at : 0;
    a->wanted = a->wanted > a->at ? a->wanted - a->at : 0;
    a->newest.at = a->newest.at > a->at ? a->newest.at - a->at : 0;
    a->at = 0;
}

static bool reserve(struct ts_audio *a, size_t bytes)
{
    size_t capacity = a->capacity ? a->capacity : FIRST_BUFFER_BYTES;
    while (capacity < a->used + bytes) capacity *= 2;
    if (capacity == a->capacity) return true;
    uint8_t *buffer = realloc(a->buffer, capacity);
    if (!buffer) return false;
    a->buffer = buffer;
    a->capacity = capacity;
    return true;
}

/* -- the PES's events -- */

static void begin(void *context, const struct pes_head *head)
{
    struct ts_audio *a = context;
    a->is_waiting = false;
    a->units_in_pes = 0;
    /* the frame at the buffer's start may have begun in the PES before: its time is kept for it */
    if (a->newest.is_known && !a->newest.at && a->used) a->front = a->newest;
    a->newest = (struct wire_time){ head->has_time, head->pts_90k, a->used };
}

static void read_all(struct ts_audio *a, bool is_end)
{
    if (a->is_waiting || a->is_refused || !a->used || (a->used < a->wanted && !is_end)) return;
    a->wanted = 0;
    read_frames(a, is_end);
    if (a->units_in_pes > TS_UNITS_PER_PES_MAX) {
        ts_output_count(a->out, COUNTER_TS_LIMIT_UNITS_PER_PES);
        a->is_waiting = a->is_after_loss = true;
        forget_bytes(a);
        return;
    }
    drop_read(a);
}

static void take(void *context, const uint8_t *data, size_t bytes)
{
    struct ts_audio *a = context;
    while (bytes && !a->is_waiting && !a->is_refused) {
        size_t part = BUFFER_BYTES_MAX - a->used; /* never 0: read_frames() holds back less than the longest frame */
        assert(part > 0);
        if (part > bytes) part = bytes;
        if (!reserve(a, part)) {
            a->out->is_out_of_memory = true;
            a->elementary.note_loss(a);
            return;
        }
        memcpy(a->buffer + a->used, data, part);
        a->used += part;
        data += part;
        bytes -= part;
        read_all(a, false);
    }
}

static void end(void *context, enum pes_end how)
{
    struct ts_audio *a = context;
    if (how == PES_END_SHORT) {
        ts_output_count(a->out, COUNTER_TS_PES_SHORT);
        a->elementary.note_loss(a);
        return;
    }
    read_all(a, true);
}

static void note_loss(void *context)
{
    struct ts_audio *a = context;
    if (a->is_refused) return;
    if (a->used) {
        ts_output_count(a->out, COUNTER_TS_AUDIO_DAMAGED);
        a->out->figures.frames_damaged[MEDIA_AUDIO]++;
    }
    forget_bytes(a);
    a->is_after_loss = a->stream->is_announced && a->is_told;
    a->is_waiting = true;
    a->is_synced = a->has_base = a->front.is_known = a->newest.is_known = false;
}

static void malformed(void *context, const char *why)
{
    struct ts_audio *a = context;
    ts_output_count(a->out, COUNTER_TS_PES_MALFORMED);
    ts_output_problem(a->out, "PID %u: %s", pid_of(a), why);
    note_loss(a);
}

static void flush(void *context, bool is_whole)
{
    read_all(context, true);
}

static void destroy(void *context)
{
    struct ts_audio *a = context;
    free(a->buffer);
    free(a);
}

static const struct framing *framing_of(enum ts_role role)
{
    static const struct framing adts = { 0xFF, false, measure_adts, take_adts };
    static const struct framing loas = { 0x56, false, measure_loas, take_loas };
    static const struct framing mpeg = { 0xFF, false, measure_mpeg, take_mpeg };
    static const struct framing ac3 = { 0x0B, false, measure_ac3, take_ac3 };
    static const struct framing opus = { 0x7F, true, measure_opus, take_opus };
    switch (role) {
    case TS_ROLE_ADTS: return &adts;
    case TS_ROLE_LATM: return &loas;
    case TS_ROLE_MPEG_AUDIO: return &mpeg;
    case TS_ROLE_AC3: return &ac3;
    default: return &opus;
    }
}

struct ts_elementary *ts_audio_create(struct ts_output *out, struct ts_stream *stream)
{
    struct ts_audio *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->elementary = (struct ts_elementary){
        .sink = { .context = a, .begin = begin, .data = take, .end = end, .malformed = malformed },
        .note_loss = note_loss,
        .flush = flush,
        .destroy = destroy,
    };
    a->out = out;
    a->stream = stream;
    a->framing = framing_of(stream->kind.role);
    a->is_waiting = true;
    return &a->elementary;
}
