#include <weir/loadgen/ts_reader.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/bytes.h>

#define PACKET_BYTES 188
#define PCR_APART_90K_MAX (9000 + 900) /* 100 ms, and ten percent for who counts in frames */
#define CLOCK_WRAP (1ll << 33)
#define PID_NULL 0x1FFF
#define SECTION_BYTES_MAX 1024

/* A PES packet that is being put together: only its head and its start are kept. */
struct pes {
    bool is_open, is_head_read;
    size_t offset, bytes, announced_bytes; /* announced 0: unbounded */
    size_t head_bytes;
    uint8_t head[8192]; /* the header, and what encoders write about themselves in front of the first picture */
};

struct reading {
    struct ts_media *m;
    const uint8_t *data;
    size_t bytes;
    uint16_t pmt_pid;
    bool has_pat, has_pmt, has_pcr, has_media_before_tables;
    int64_t last_pcr_90k;
    struct pes pes[LOADGEN_TS_PIDS_MAX];
    uint8_t tables_counter[2]; /* of PAT, PMT */
    bool has_tables_counter[2];
};

static bool expect(struct reading *s, enum ts_rule rule, bool holds, size_t offset, const char *expected,
                   const char *got_format, ...) __attribute__((format(printf, 6, 7)));

static bool expect(struct reading *s, enum ts_rule rule, bool holds, size_t offset, const char *expected,
                   const char *got_format, ...)
{
    struct ts_media *m = s->m;
    m->checked |= 1ull << rule;
    if (holds || m->broken & 1ull << rule) return holds;
    m->broken |= 1ull << rule;
    struct ts_fault *fault = &m->faults[m->fault_count++];
    *fault = (struct ts_fault){ .rule = rule, .offset = offset };
    snprintf(fault->expected, sizeof fault->expected, "%s", expected);
    va_list arguments;
    va_start(arguments, got_format);
    vsnprintf(fault->got, sizeof fault->got, got_format, arguments);
    va_end(arguments);
    return holds;
}

int64_t ts_time_difference(int64_t a, int64_t b)
{
    int64_t difference = (a - b) % CLOCK_WRAP;
    if (difference >= CLOCK_WRAP / 2) difference -= CLOCK_WRAP;
    if (difference < -CLOCK_WRAP / 2) difference += CLOCK_WRAP;
    return difference;
}

/* H.222.0 annex A: 0 over a section with its CRC. */
static uint32_t crc32_mpeg(const uint8_t *data, size_t bytes)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (int bit = 0; bit < 8; bit++) crc = crc << 1 ^ (crc & 0x80000000u ? 0x04C11DB7u : 0);
    }
    return crc;
}

/* -- tables (2.4.4) -- */

/* The section that begins in this payload, checked; data is NULL: none, or split over packets (then it is not looked at). */
static struct byte_span section_of(struct reading *s, const uint8_t *payload, size_t bytes, size_t offset,
                                   unsigned table_id)
{
    const struct byte_span none = { NULL, 0 };
    if (bytes < 1 || 1u + payload[0] + 3u > bytes) return none;
    const uint8_t *section = payload + 1 + payload[0];
    const size_t left = bytes - 1 - payload[0], section_bytes = 3 + (load_u16(section + 1) & 0xFFFu);
    if (section[0] != table_id || section_bytes > left || section_bytes < 12 || section_bytes > SECTION_BYTES_MAX)
        return none;
    if (!expect(s, TS_C3, crc32_mpeg(section, section_bytes) == 0, offset, "a right CRC_32",
                "a wrong one in the section of table %u", table_id))
        return none;
    return (struct byte_span){ section + 8, section_bytes - 12 };
}

static void read_pat(struct reading *s, const uint8_t *payload, size_t bytes, size_t offset)
{
    const struct byte_span programs = section_of(s, payload, bytes, offset, 0);
    for (size_t i = 0; i + 4 <= programs.bytes; i += 4) {
        if (load_u16(programs.data + i) == 0) continue;
        s->pmt_pid = load_u16(programs.data + i + 2) & 0x1FFF;
        s->has_pat = true;
        return;
    }
}

static enum media_kind kind_of(uint8_t stream_type)
{
    switch (stream_type) {
    case 0x01:
    case 0x02:
    case 0x1B:
    case 0x24: return MEDIA_VIDEO;
    case 0x03:
    case 0x04:
    case 0x0F:
    case 0x11:
    case 0x81:
    case 0x87: return MEDIA_AUDIO;
    default: return 0;
    }
}

static void read_pmt(struct reading *s, const uint8_t *payload, size_t bytes, size_t offset)
{
    const struct byte_span table = section_of(s, payload, bytes, offset, 2);
    if (!table.data || table.bytes < 4 || s->has_pmt) return;
    s->has_pmt = true;
    s->m->pcr_pid = load_u16(table.data) & 0x1FFF;
    size_t at = 4 + (load_u16(table.data + 2) & 0xFFFu);
    while (at + 5 <= table.bytes && s->m->stream_count < LOADGEN_TS_PIDS_MAX) {
        struct ts_stream *stream = &s->m->streams[s->m->stream_count++];
        *stream = (struct ts_stream){ .stream_type = table.data[at],
                                      .pid = load_u16(table.data + at + 1) & 0x1FFF,
                                      .kind = kind_of(table.data[at]) };
        at += 5 + (load_u16(table.data + at + 3) & 0xFFFu);
    }
}

/* -- PES (2.4.3.6) -- */

static int64_t read_time(const uint8_t *p)
{
    return (int64_t)(p[0] >> 1 & 7) << 30 | (int64_t)p[1] << 22 | (int64_t)(p[2] >> 1) << 15 | (int64_t)p[3] << 7 |
           p[4] >> 1;
}

/* Unwrapped onto the times before it in this segment. */
static int64_t unwrap(const struct ts_stream *stream, int64_t time)
{
    return stream->has_times ? stream->last_dts + ts_time_difference(time, stream->last_dts) : time;
}

static bool is_random_access(const struct ts_stream *stream, const uint8_t *data, size_t bytes)
{
    bool has_sets = false;
    for (size_t i = 0; i + 4 <= bytes; i++) {
        if (data[i] || data[i + 1] || data[i + 2] != 1) continue;
        if (stream->stream_type == 0x1B) {
            const unsigned type = data[i + 3] & 0x1F;
            if (type == 7) has_sets = true;
            if (type >= 1 && type <= 5) return type == 5 && has_sets;
        } else {
            const unsigned type = data[i + 3] >> 1 & 0x3F;
            if (type == 33) has_sets = true;
            if (type < 32) return type >= 16 && type <= 23 && has_sets;
        }
    }
    return false;
}

static void note_time(struct reading *s, struct ts_stream *stream, const struct pes *pes, int64_t pts, int64_t dts)
{
    dts = unwrap(stream, dts);
    pts = dts + ts_time_difference(pts, dts);
    expect(s, TS_C4, pts >= dts, pes->offset, "PTS not before DTS", "PTS %lld, DTS %lld on PID %u", (long long)pts,
           (long long)dts, stream->pid);
    if (!stream->has_times) {
        stream->has_times = true;
        stream->first_dts = dts;
        stream->first_pts = stream->least_pts = pts;
    } else {
        expect(s, TS_C4, dts > stream->last_dts, pes->offset, "rising DTS", "%lld behind %lld on PID %u",
               (long long)dts, (long long)stream->last_dts, stream->pid);
        if (dts > stream->last_dts) stream->step_dts = dts - stream->last_dts;
        if (stream->step_dts > stream->frame_90k) stream->frame_90k = stream->step_dts;
    }
    if (pts < stream->least_pts) stream->least_pts = pts;
    stream->last_dts = dts;
    stream->unit_count++;
    if (s->m->pcr_pid == stream->pid && s->has_pcr)
        expect(s, TS_C6, ts_time_difference(s->last_pcr_90k, dts) <= 0, pes->offset, "PCR not ahead of DTS",
               "PCR %lld, DTS %lld", (long long)s->last_pcr_90k, (long long)dts);
}

/* The header, when enough of the packet is there. */
static void read_pes_head(struct reading *s, struct ts_stream *stream, struct pes *pes)
{
    const uint8_t *p = pes->head;
    if (pes->is_head_read) return;
    pes->is_head_read = true;
    if (pes->head_bytes < 9 || load_u24(p) != 1) return;
    const unsigned flags = p[7] >> 6;
    const size_t header = 9u + p[8];
    if (header > pes->head_bytes) return;
    if (!(flags & 2) || pes->head_bytes < 14 || (flags == 3 && pes->head_bytes < 19)) return;
    const int64_t pts = read_time(p + 9), dts = flags == 3 ? read_time(p + 14) : pts;
    const bool is_first = !stream->has_times;
    note_time(s, stream, pes, pts, dts);
    if (!is_first || stream->kind != MEDIA_VIDEO || (stream->stream_type != 0x1B && stream->stream_type != 0x24))
        return;
    stream->starts_with_access = is_random_access(stream, p + header, pes->head_bytes - header);
    expect(s, TS_C5, stream->starts_with_access, pes->offset, "IDR, CRA or BLA with its parameter sets first",
           "another picture, or no sets");
}

/* How long the ADTS frames of a packet last together, and one of them; false: no ADTS, or more than was kept. */
static bool adts_length(const struct pes *pes, int64_t *whole_90k, int64_t *frame_90k)
{
    static const uint32_t rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                      22050, 16000, 12000, 11025, 8000,  7350 };
    if (pes->head_bytes < 9) return false;
    uint32_t frames = 0, rate = 0;
    size_t at = 9u + pes->head[8];
    while (at + 7 <= pes->head_bytes) {
        const uint8_t *p = pes->head + at;
        const unsigned index = p[2] >> 2 & 0xF;
        const size_t bytes = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
        if (p[0] != 0xFF || (p[1] & 0xF6) != 0xF0 || index >= ARRAY_LEN(rates) || bytes < 7) return false;
        rate = rates[index];
        frames += 1 + (p[6] & 3);
        at += bytes;
    }
    if (!frames || pes->bytes > sizeof pes->head) return false;
    *frame_90k = 1024ll * 90000 / rate;
    *whole_90k = frames * 1024ll * 90000 / rate;
    return true;
}

static void close_pes(struct reading *s, size_t index)
{
    struct pes *pes = &s->pes[index];
    struct ts_stream *stream = &s->m->streams[index];
    if (!pes->is_open) return;
    pes->is_open = false;
    read_pes_head(s, stream, pes); /* a short one, or one without a length */
    if (pes->announced_bytes)
        expect(s, TS_C7, pes->bytes == pes->announced_bytes + 6, pes->offset, "as many bytes as PES_packet_length says",
               "%zu announced, %zu there on PID %u", pes->announced_bytes, pes->bytes > 6 ? pes->bytes - 6 : 0,
               stream->pid);
    else
        expect(s, TS_C7, stream->kind == MEDIA_VIDEO, pes->offset, "a length, for all but video", "none on PID %u",
               stream->pid);
    int64_t whole_90k, frame_90k;
    if (stream->stream_type == 0x0F && adts_length(pes, &whole_90k, &frame_90k)) {
        stream->step_dts = whole_90k; /* and so, of the last packet, where the segment ends */
        stream->frame_90k = frame_90k;
    }
}

static void feed_pes(struct reading *s, size_t index, const uint8_t *payload, size_t bytes, bool is_start,
                     size_t offset)
{
    struct pes *pes = &s->pes[index];
    struct ts_stream *stream = &s->m->streams[index];
    if (is_start) {
        close_pes(s, index);
        pes->is_open = true;
        pes->is_head_read = false;
        pes->offset = offset;
        pes->bytes = pes->announced_bytes = pes->head_bytes = 0;
    }
    if (!pes->is_open) return;
    const size_t room = sizeof pes->head - pes->head_bytes, take = bytes < room ? bytes : room;
    if (take) memcpy(pes->head + pes->head_bytes, payload, take);
    pes->head_bytes += take;
    pes->bytes += bytes;
    if (pes->bytes >= 6) pes->announced_bytes = load_u16(pes->head + 4);
    const bool is_whole = pes->announced_bytes && pes->bytes >= pes->announced_bytes + 6;
    /* as late as is needed to see the first picture's NAL units, as early as the packet is whole */
    if (pes->head_bytes == sizeof pes->head) read_pes_head(s, stream, pes);
    if (is_whole) close_pes(s, index);
}

/* -- packets (2.4.3) -- */

static void check_counter(struct reading *s, uint8_t *last, bool *has_last, uint8_t counter, bool has_payload,
                          bool is_discontinuity, uint16_t pid, size_t offset)
{
    if (*has_last && !is_discontinuity) {
        const uint8_t expected = (uint8_t)((*last + (has_payload ? 1 : 0)) & 0xF);
        const bool is_duplicate = has_payload && counter == *last;
        expect(s, TS_C2, counter == expected || is_duplicate, offset, "a continuity counter that goes on",
               "%u behind %u on PID %u", counter, *last, pid);
    }
    *has_last = true;
    *last = counter;
}

static void read_pcr(struct reading *s, const uint8_t *field, size_t offset, bool is_discontinuity)
{
    const int64_t pcr = (int64_t)load_u32(field) << 1 | field[4] >> 7;
    if (s->has_pcr && !is_discontinuity) {
        const int64_t apart = ts_time_difference(pcr, s->last_pcr_90k);
        expect(s, TS_C6, apart > 0 && apart <= PCR_APART_90K_MAX, offset, "PCRs at most 100 ms apart", "%lld ms",
               (long long)(apart / 90));
    }
    s->has_pcr = true;
    s->last_pcr_90k = pcr;
}

static void read_stream_packet(struct reading *s, uint16_t pid, const uint8_t *packet, const uint8_t *payload,
                               size_t payload_bytes, bool is_discontinuity, size_t offset)
{
    const bool is_start = packet[1] & 0x40, has_payload = packet[3] & 0x10;
    for (size_t i = 0; i < s->m->stream_count; i++) {
        struct ts_stream *stream = &s->m->streams[i];
        const uint8_t counter = packet[3] & 0xF;
        if (stream->pid != pid) continue;
        if (!stream->has_packets) stream->first_counter = counter;
        const bool is_duplicate = stream->has_packets && has_payload && counter == stream->last_counter;
        check_counter(s, &stream->last_counter, &stream->has_packets, counter, has_payload, is_discontinuity, pid,
                      offset);
        if (stream->kind && has_payload && !is_duplicate) feed_pes(s, i, payload, payload_bytes, is_start, offset);
        return;
    }
}

static void read_packet(struct reading *s, const uint8_t *packet, size_t offset)
{
    const uint16_t pid = load_u16(packet + 1) & 0x1FFF;
    const unsigned control = packet[3] >> 4 & 3;
    const bool is_start = packet[1] & 0x40;
    bool is_discontinuity = false;
    size_t head = 4;
    if (pid == PID_NULL || !control) return;
    if (control & 2) {
        const size_t field_bytes = packet[4];
        head = 5 + field_bytes;
        if (head > PACKET_BYTES) return;
        if (field_bytes) is_discontinuity = packet[5] & 0x80;
        if (field_bytes >= 7 && packet[5] & 0x10 && s->has_pmt && pid == s->m->pcr_pid)
            read_pcr(s, packet + 6, offset, is_discontinuity);
    }
    const size_t payload_bytes = control & 1 ? PACKET_BYTES - head : 0;
    const uint8_t *payload = packet + head;
    if (pid == 0 || (s->has_pat && pid == s->pmt_pid)) {
        const int which = pid != 0;
        check_counter(s, &s->tables_counter[which], &s->has_tables_counter[which], packet[3] & 0xF, control & 1,
                      is_discontinuity, pid, offset);
        if (is_start && pid == 0) read_pat(s, payload, payload_bytes, offset);
        if (is_start && pid != 0) read_pmt(s, payload, payload_bytes, offset);
        return;
    }
    if (!s->has_pmt && pid >= 0x20) s->has_media_before_tables = true;
    read_stream_packet(s, pid, packet, payload, payload_bytes, is_discontinuity, offset);
}

bool ts_is_media(const uint8_t *data, size_t bytes)
{
    return bytes >= PACKET_BYTES && data[0] == 0x47 && (bytes == PACKET_BYTES || data[PACKET_BYTES] == 0x47);
}

static void finish(struct reading *s)
{
    for (size_t i = 0; i < s->m->stream_count; i++) {
        struct ts_stream *stream = &s->m->streams[i];
        close_pes(s, i);
        const int64_t step = stream->step_dts ? stream->step_dts : stream->frame_90k;
        stream->end_dts = stream->last_dts + step;
    }
    expect(s, TS_C3, s->has_pat && s->has_pmt && !s->has_media_before_tables, 0, "PAT and PMT in front of the media",
           "%s",
           !s->has_pat   ? "no PAT"
           : !s->has_pmt ? "no PMT"
                         : "media packets before them");
    if (s->has_pmt)
        expect(s, TS_C6, s->has_pcr || s->m->pcr_pid == PID_NULL, 0, "a PCR in each segment", "none on PID %u",
               s->m->pcr_pid);
}

enum weir_err ts_media_read(const uint8_t *data, size_t bytes, struct ts_media **out)
{
    struct reading *s = calloc(1, sizeof *s);
    struct ts_media *m = calloc(1, sizeof *m);
    if (!s || !m) {
        free(s);
        free(m);
        return WEIR_NOMEM;
    }
    s->m = m;
    s->data = data;
    s->bytes = bytes;
    expect(s, TS_C1, bytes % PACKET_BYTES == 0, bytes - bytes % PACKET_BYTES, "a multiple of 188 bytes", "%zu", bytes);
    for (size_t at = 0; at + PACKET_BYTES <= bytes; at += PACKET_BYTES) {
        if (!expect(s, TS_C1, data[at] == 0x47, at, "0x47", "0x%02x", data[at])) break;
        read_packet(s, data + at, at);
    }
    finish(s);
    const enum weir_err err = s->has_pmt ? WEIR_OK : WEIR_MALFORMED;
    free(s);
    *out = m;
    return err;
}

void ts_media_destroy(struct ts_media *m)
{
    free(m);
}

const struct ts_stream *ts_media_stream(const struct ts_media *m, enum media_kind kind)
{
    for (size_t i = 0; i < m->stream_count; i++) {
        if (m->streams[i].kind == kind && m->streams[i].has_times) return &m->streams[i];
    }
    return NULL;
}
