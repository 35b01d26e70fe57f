#include "ts_mux.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/media/adts.h>
#include <weir/media/opus_ts.h>

#include "ts_mux_internal.h"

#define PACKET_BYTES 188
#define PAYLOAD_BYTES 184
#define CLOCK_FIELD_BYTES 8  /* an adaptation field with a PCR, its length byte included */
#define FLAGS_FIELD_BYTES 2  /* with flags alone */
#define CLOCK_LEAD_90K 45000 /* decode times are ahead of the PCR by this: half a second to receive what is decoded */
#define CLOCK_STEP_90K 8100  /* between two PCRs: 90 ms (2.7.2 allows 100) */
#define TIME_MASK 0x1FFFFFFFFull
#define PES_FIXED_BYTES 6 /* what PES_packet_length does not count */
#define AUDIO_PES_BYTES_MAX 2930
#define AUDIO_PES_90K_MAX 6000 /* frames that begin this long after the first go into the next PES */

static const uint16_t pids[TS_MUX_STREAMS] = {
    [TS_MUX_PAT] = 0,
    [TS_MUX_PMT] = TS_MUX_PMT_PID,
    [TS_MUX_VIDEO] = TS_MUX_VIDEO_PID,
    [TS_MUX_AUDIO] = TS_MUX_AUDIO_PID,
    [TS_MUX_ID3] = TS_MUX_ID3_PID,
};

/* The way out. While measuring, `at` is NULL and packets are only counted. */
struct mux {
    const struct ts_mux_segment *segment;
    struct ts_mux_state state;
    uint8_t *at;
    size_t bytes;
    int64_t last_clock_90k;  /* of the last PCR; INT64_MIN: none */
    struct byte_writer sets; /* the video's parameter sets, with start codes */
    /* the PES at hand */
    enum ts_mux_stream stream;
    size_t left, room; /* of the PES; in the open packet */
    bool is_start, is_random_access;
    int64_t clock_90k; /* INT64_MIN: its first packet carries no PCR */
};

/* -- packets -- */

static void write_clock(uint8_t out[6], int64_t clock_90k)
{
    const uint64_t base = (uint64_t)clock_90k & TIME_MASK;
    store_u32(out, (uint32_t)(base >> 1));
    out[4] = (uint8_t)((base & 1) << 7 | 0x7E); /* six reserved bits, and an extension of 0 */
    out[5] = 0;
}

/* An adaptation field of `bytes`, its length byte included. */
static void write_field(uint8_t *out, size_t bytes, bool is_random_access, int64_t clock_90k)
{
    if (!bytes) return;
    memset(out, 0xFF, bytes);
    out[0] = (uint8_t)(bytes - 1);
    if (bytes == 1) return;
    out[1] = (uint8_t)((is_random_access ? 0x40 : 0) | (clock_90k != INT64_MIN ? 0x10 : 0));
    if (clock_90k != INT64_MIN) write_clock(out + 2, clock_90k);
}

static void write_head(struct mux *m, enum ts_mux_stream stream, bool is_start, bool has_field, bool has_payload)
{
    uint8_t *continuity = &m->state.continuity[stream];
    /* without a payload the number of the packet before stands (2.4.3.3) */
    const unsigned number = has_payload ? *continuity : (*continuity + 15u) & 15;
    if (has_payload) *continuity = (*continuity + 1) & 15;
    m->at[0] = 0x47;
    m->at[1] = (uint8_t)((is_start ? 0x40 : 0) | pids[stream] >> 8);
    m->at[2] = (uint8_t)pids[stream];
    m->at[3] = (uint8_t)((has_field ? 0x20 : 0) | (has_payload ? 0x10 : 0) | number);
    m->at += 4;
}

static size_t first_field_bytes(const struct mux *m)
{
    return m->clock_90k != INT64_MIN ? CLOCK_FIELD_BYTES : m->is_random_access ? FLAGS_FIELD_BYTES : 0;
}

static void open_packet(struct mux *m)
{
    size_t field = m->is_start ? first_field_bytes(m) : 0;
    m->room = PAYLOAD_BYTES - field;
    if (m->left < m->room) {
        field += m->room - m->left; /* stuffing */
        m->room = m->left;
    }
    write_head(m, m->stream, m->is_start, field > 0, true);
    write_field(m->at, field, m->is_start && m->is_random_access, m->is_start ? m->clock_90k : INT64_MIN);
    m->at += field;
    m->is_start = false;
}

static void put(struct mux *m, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    while (bytes) {
        if (!m->room) open_packet(m);
        const size_t part = bytes < m->room ? bytes : m->room;
        memcpy(m->at, from, part);
        m->at += part;
        from += part;
        bytes -= part;
        m->room -= part;
        m->left -= part;
    }
}

/* A PES of `total` bytes begins; false: it is only measured, and its bytes need not be put. */
static bool begin_pes(struct mux *m, enum ts_mux_stream stream, size_t total, bool is_random_access, int64_t clock_90k)
{
    m->stream = stream;
    m->left = total;
    m->room = 0;
    m->is_start = true;
    m->is_random_access = is_random_access;
    m->clock_90k = clock_90k;
    const size_t first = PAYLOAD_BYTES - first_field_bytes(m);
    const size_t packets = total <= first ? 1 : 1 + (total - first + PAYLOAD_BYTES - 1) / PAYLOAD_BYTES;
    m->bytes += packets * PACKET_BYTES;
    if (m->at) return true;
    m->state.continuity[stream] = (uint8_t)((m->state.continuity[stream] + packets) & 15);
    return false;
}

static void put_table(struct mux *m, enum ts_mux_stream stream, const uint8_t *section, size_t bytes)
{
    static const uint8_t pointer = 0;
    uint8_t stuffing[PAYLOAD_BYTES];
    assert(1 + bytes <= PAYLOAD_BYTES);
    if (!begin_pes(m, stream, PAYLOAD_BYTES, false, INT64_MIN)) return;
    memset(stuffing, 0xFF, sizeof stuffing);
    put(m, &pointer, 1);
    put(m, section, bytes);
    put(m, stuffing, PAYLOAD_BYTES - 1 - bytes);
}

/* -- the clock -- */

static enum ts_mux_stream clock_stream(const struct mux *m)
{
    return ts_mux_has_pictures(m->segment) ? TS_MUX_VIDEO : TS_MUX_AUDIO;
}

static void put_clock_packet(struct mux *m, int64_t clock_90k)
{
    m->bytes += PACKET_BYTES;
    if (!m->at) return;
    write_head(m, clock_stream(m), false, true, false);
    write_field(m->at, PAYLOAD_BYTES, false, clock_90k);
    m->at += PAYLOAD_BYTES;
}

/* Where the segment's pictures end, the next one's clock begins. Sound is cut by when pictures are shown, and may be decoded later than the
 * first of the next one's. */
static int64_t clock_end_90k(const struct ts_mux_segment *s)
{
    if (!ts_mux_has_pictures(s)) return INT64_MAX;
    const struct fmp4_sample *last = &s->video_samples[s->video_count - 1];
    return last->dts + last->duration;
}

/* Time goes on to what is decoded at dts_90k. Returns its PCR, for a stream that carries the clock; gaps get packets of their own. */
static int64_t move_clock(struct mux *m, int64_t dts_90k)
{
    const int64_t clock_90k = dts_90k - CLOCK_LEAD_90K, end_90k = clock_end_90k(m->segment);
    const int64_t until_90k = dts_90k < end_90k ? clock_90k : end_90k - CLOCK_LEAD_90K;
    while (m->last_clock_90k != INT64_MIN && until_90k - m->last_clock_90k > CLOCK_STEP_90K) {
        m->last_clock_90k += CLOCK_STEP_90K;
        put_clock_packet(m, m->last_clock_90k);
    }
    return clock_90k;
}

/* -- PES -- */

struct pes_head {
    uint8_t data[9 + 5 + 5];
    size_t bytes;
};

static void write_time(uint8_t out[5], unsigned mark, int64_t time_90k)
{
    const uint64_t time = (uint64_t)time_90k & TIME_MASK;
    out[0] = (uint8_t)(mark << 4 | (time >> 30 & 7) << 1 | 1);
    out[1] = (uint8_t)(time >> 22);
    out[2] = (uint8_t)((time >> 15 & 0x7F) << 1 | 1);
    out[3] = (uint8_t)(time >> 7);
    out[4] = (uint8_t)((time & 0x7F) << 1 | 1);
}

/* payload_bytes: behind the head. Video that is too long for the length field says 0 (2.4.3.7). */
static struct pes_head make_head(uint8_t stream_id, int64_t pts_90k, int64_t dts_90k, size_t payload_bytes)
{
    const bool has_dts = pts_90k != dts_90k;
    struct pes_head h = { .bytes = has_dts ? 19 : 14 };
    const size_t length = h.bytes - PES_FIXED_BYTES + payload_bytes;
    h.data[2] = 1;
    h.data[3] = stream_id;
    h.data[4] = (uint8_t)(length > 0xFFFF ? 0 : length >> 8);
    h.data[5] = (uint8_t)(length > 0xFFFF ? 0 : length);
    h.data[6] = 0x84; /* data_alignment_indicator */
    h.data[7] = has_dts ? 0xC0 : 0x80;
    h.data[8] = (uint8_t)(h.bytes - 9);
    write_time(h.data + 9, has_dts ? 3 : 2, pts_90k);
    if (has_dts) write_time(h.data + 14, 1, dts_90k);
    return h;
}

/* -- video -- */

static const uint8_t start_code[4] = { 0, 0, 0, 1 };

static struct byte_span delimiter_of(enum media_codec codec)
{
    static const uint8_t h264[] = { 0, 0, 0, 1, 0x09, 0xF0 }, hevc[] = { 0, 0, 0, 1, 0x46, 0x01, 0x50 };
    return codec == CODEC_H264 ? (struct byte_span){ h264, sizeof h264 } : (struct byte_span){ hevc, sizeof hevc };
}

/* The next NAL unit of a sample; what has no whole length left is one. */
static struct byte_span next_nal(struct byte_span *sample, unsigned length_bytes)
{
    const uint8_t *p = sample->data;
    if (sample->bytes <= length_bytes) {
        sample->bytes = 0;
        return (struct byte_span){ p, 0 };
    }
    size_t length = length_bytes == 4 ? load_u32(p) : length_bytes == 2 ? load_u16(p) : p[0];
    if (length > sample->bytes - length_bytes) length = sample->bytes - length_bytes;
    *sample = (struct byte_span){ p + length_bytes + length, sample->bytes - length_bytes - length };
    return (struct byte_span){ p + length_bytes, length };
}

/* With start codes for lengths. */
static size_t annex_b_bytes(struct byte_span sample, unsigned length_bytes)
{
    if (length_bytes == sizeof start_code) return sample.bytes;
    size_t bytes = 0;
    while (sample.bytes) bytes += sizeof start_code + next_nal(&sample, length_bytes).bytes;
    return bytes;
}

static void put_video(struct mux *m, const struct fmp4_sample *s, bool is_first)
{
    const struct codec_facts *facts = track_facts(m->segment->video);
    const int64_t pts_90k = s->dts + s->composition_offset, clock_90k = move_clock(m, s->dts);
    const struct byte_span delimiter = delimiter_of(facts->codec);
    struct byte_span sample = { s->payload.data, s->payload.bytes };
    const size_t sets = s->is_sync || is_first ? m->sets.bytes : 0;
    const size_t payload = delimiter.bytes + sets + annex_b_bytes(sample, facts->nal_length_bytes);
    const struct pes_head head = make_head(0xE0, pts_90k, s->dts, payload);
    m->last_clock_90k = clock_90k;
    if (!begin_pes(m, TS_MUX_VIDEO, head.bytes + payload, s->is_sync, clock_90k)) return;
    put(m, head.data, head.bytes);
    put(m, delimiter.data, delimiter.bytes);
    put(m, m->sets.data, sets);
    while (sample.bytes) {
        const struct byte_span nal = next_nal(&sample, facts->nal_length_bytes);
        put(m, start_code, sizeof start_code);
        put(m, nal.data, nal.bytes);
    }
    assert(!m->left);
}

/* -- audio -- */

static int64_t audio_90k(const struct mux *m, const struct fmp4_sample *s)
{
    return s->dts * 90000 / fmp4_timescale(track_facts(m->segment->audio));
}

/* What stands in front of a frame. */
static size_t frame_head_bytes(const struct mux *m, const struct fmp4_sample *s)
{
    switch (track_facts(m->segment->audio)->codec) {
    case CODEC_AAC: return ADTS_HEADER_BYTES;
    case CODEC_OPUS: return 2 + OPUS_TS_SIZE_BYTES(s->payload.bytes);
    default: return 0;
    }
}

static void put_frame(struct mux *m, const struct fmp4_sample *s)
{
    const struct track *track = m->segment->audio;
    if (track_facts(track)->codec == CODEC_AAC) {
        uint8_t header[ADTS_HEADER_BYTES] = { 0 };
        /* it can be said: ts_mux_can_carry() tried, and frames are shorter than the length field (see fits()) */
        if (adts_header_write(track_config(track), s->payload.bytes, header, NULL)) assert(false);
        put(m, header, sizeof header);
    } else if (track_facts(track)->codec == CODEC_OPUS) {
        struct byte_writer w;
        uint8_t header[2 + OPUS_TS_SIZE_BYTES(AUDIO_FRAME_BYTES_MAX)];
        w = (struct byte_writer){ .data = header, .capacity = sizeof header, .bytes_max = sizeof header };
        opus_ts_header_write(&w, s->payload.bytes);
        put(m, header, w.bytes);
    }
    put(m, s->payload.data, s->payload.bytes);
}

static bool fits(const struct fmp4_sample *s)
{
    return s->payload.bytes > 0 && s->payload.bytes <= AUDIO_FRAME_BYTES_MAX;
}

/* As many frames as one PES takes, from `first` on. Returns how many were used up. */
static size_t put_audio(struct mux *m, size_t first)
{
    const struct fmp4_sample *samples = m->segment->audio_samples;
    const int64_t pts_90k = audio_90k(m, &samples[first]), clock_90k = move_clock(m, pts_90k);
    size_t payload = 0, behind = first;
    for (; behind < m->segment->audio_count; behind++) {
        const struct fmp4_sample *s = &samples[behind];
        const size_t bytes = fits(s) ? frame_head_bytes(m, s) + s->payload.bytes : 0;
        if (payload && payload + bytes > AUDIO_PES_BYTES_MAX) break;
        if (audio_90k(m, s) - pts_90k >= AUDIO_PES_90K_MAX) break;
        payload += bytes;
    }
    if (!payload) return behind - first;
    const enum media_codec codec = track_facts(m->segment->audio)->codec;
    const struct pes_head head = make_head(codec == CODEC_AAC || codec == CODEC_MP3 ? 0xC0 : 0xBD, pts_90k, pts_90k,
                                           payload);
    const bool has_clock = clock_stream(m) == TS_MUX_AUDIO;
    if (has_clock) m->last_clock_90k = clock_90k;
    /* each audio frame may be entered, and without video nothing else says so */
    if (begin_pes(m, TS_MUX_AUDIO, head.bytes + payload, has_clock, has_clock ? clock_90k : INT64_MIN)) {
        put(m, head.data, head.bytes);
        for (size_t i = first; i < behind; i++)
            if (fits(&samples[i])) put_frame(m, &samples[i]);
        assert(!m->left);
    }
    return behind - first;
}

/* -- metadata -- */

static void put_tag(struct mux *m, const struct ts_mux_tag *tag)
{
    if (!tag->payload.bytes || tag->payload.bytes > TAG_BYTES_MAX) return;
    const struct pes_head head = make_head(0xBD, tag->pts_90k, tag->pts_90k, tag->payload.bytes);
    if (!begin_pes(m, TS_MUX_ID3, head.bytes + tag->payload.bytes, false, INT64_MIN)) return;
    put(m, head.data, head.bytes);
    put(m, tag->payload.data, tag->payload.bytes);
}

/* -- the segment -- */

static void put_tables(struct mux *m)
{
    uint8_t section[TS_MUX_SECTION_BYTES_MAX];
    size_t bytes = ts_mux_pat(section);
    put_table(m, TS_MUX_PAT, section, bytes);
    m->state.has_id3 |= m->segment->tag_count > 0;
    bytes = ts_mux_pmt(section, m->segment, m->state.has_id3, 0);
    const uint32_t crc = load_u32(section + bytes - 4);
    if (m->state.pmt_crc && m->state.pmt_crc != crc) m->state.version = (m->state.version + 1) & 31;
    m->state.pmt_crc = crc;
    bytes = ts_mux_pmt(section, m->segment, m->state.has_id3, m->state.version);
    put_table(m, TS_MUX_PMT, section, bytes);
}

static void run(struct mux *m)
{
    const struct ts_mux_segment *s = m->segment;
    size_t video = 0, audio = 0, tag = 0;
    const size_t video_count = s->video ? s->video_count : 0, audio_count = s->audio ? s->audio_count : 0;
    put_tables(m);
    while (video < video_count || audio < audio_count || tag < s->tag_count) {
        const int64_t video_90k = video < video_count ? s->video_samples[video].dts : INT64_MAX;
        const int64_t sound_90k = audio < audio_count ? audio_90k(m, &s->audio_samples[audio]) : INT64_MAX;
        const int64_t tag_90k = tag < s->tag_count ? s->tags[tag].pts_90k : INT64_MAX;
        if (tag_90k <= video_90k && tag_90k <= sound_90k) {
            put_tag(m, &s->tags[tag++]);
        } else if (video_90k <= sound_90k) {
            put_video(m, &s->video_samples[video], !video);
            video++;
        } else {
            audio += put_audio(m, audio);
        }
    }
    if (!video_count) return;
    (void)move_clock(m, clock_end_90k(s)); /* the next segment's first PCR is not too far */
}

static bool init(struct mux *m, const struct ts_mux_segment *segment, const struct ts_mux_state *state)
{
    *m = (struct mux){ .segment = segment, .state = *state, .last_clock_90k = INT64_MIN };
    byte_writer_init(&m->sets, 2 * CODEC_CONFIG_BYTES_MAX);
    if (segment->video) ts_mux_parameter_sets(segment->video, &m->sets);
    return !m->sets.failed;
}

size_t ts_mux_measure(const struct ts_mux_segment *segment, struct ts_mux_state *state)
{
    struct mux m;
    const bool is_good = init(&m, segment, state);
    if (is_good) {
        run(&m);
        *state = m.state;
    }
    byte_writer_deinit(&m.sets);
    return is_good ? m.bytes : 0;
}

struct frozen *ts_mux_write(const struct ts_mux_segment *segment, const struct ts_mux_state *state)
{
    struct ts_mux_state after = *state;
    const size_t bytes = ts_mux_measure(segment, &after);
    struct blob *blob = bytes ? blob_create(bytes) : NULL;
    struct mux m;
    if (!blob || !init(&m, segment, state)) {
        blob_unref(blob);
        return NULL;
    }
    m.at = blob_data(blob);
    run(&m);
    assert(m.bytes == bytes && m.at == blob_data(blob) + bytes);
    assert(!memcmp(m.state.continuity, after.continuity, sizeof after.continuity));
    byte_writer_deinit(&m.sets);
    return frozen_give(blob);
}
