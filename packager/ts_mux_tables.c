/* PAT and PMT (H.222.0 2.4.4), descriptors, and which codecs have a place in them. */
#include <string.h>
#include <weir/base/crc.h>
#include <weir/media/adts.h>
#include <weir/media/opus_ts.h>

#include "ts_mux_internal.h"

#define PROGRAM 1

/* A writer over memory of its caller's: full is failed, nothing grows. */
static void begin_section(struct byte_writer *w, uint8_t *out, unsigned table, unsigned id, unsigned version)
{
    *w = (struct byte_writer){ .data = out,
                               .capacity = TS_MUX_SECTION_BYTES_MAX,
                               .bytes_max = TS_MUX_SECTION_BYTES_MAX };
    write_u8(w, (uint8_t)table);
    write_u16(w, 0); /* section_length: at the end */
    write_u16(w, (uint16_t)id);
    write_u8(w, (uint8_t)(0xC1 | version << 1));
    write_u16(w, 0); /* section 0 of 0 */
}

static size_t end_section(struct byte_writer *w)
{
    const size_t length = w->bytes - 3 + 4;
    w->data[1] = (uint8_t)(0xB0 | length >> 8);
    w->data[2] = (uint8_t)length;
    write_u32(w, crc32_mpeg(w->data, w->bytes));
    return w->bytes;
}

size_t ts_mux_pat(uint8_t out[TS_MUX_SECTION_BYTES_MAX])
{
    struct byte_writer w;
    begin_section(&w, out, 0, 1, 0);
    write_u16(&w, PROGRAM);
    write_u16(&w, 0xE000 | TS_MUX_PMT_PID);
    return end_section(&w);
}

static void write_registration(struct byte_writer *w, const char identifier[5])
{
    write_u8(w, 0x05);
    write_u8(w, 4);
    write_text(w, identifier);
}

/* stream_type; the descriptors go to `w`. 0: no place in a transport stream. */
static unsigned describe_stream(const struct track *track, struct byte_writer *w)
{
    const struct codec_facts *facts = track_facts(track);
    unsigned code;
    switch (facts->codec) {
    case CODEC_H264: return 0x1B;
    case CODEC_HEVC: write_registration(w, "HEVC"); return 0x24;
    case CODEC_AAC: return 0x0F;
    case CODEC_MP3: return facts->sample_rate >= 32000 ? 0x03 : 0x04; /* MPEG-1 has the high rates */
    case CODEC_AC3: write_registration(w, "AC-3"); return 0x81;
    case CODEC_EAC3: write_registration(w, "EAC3"); return 0x87;
    case CODEC_OPUS:
        if (opus_ts_channel_code(track_config(track), &code, NULL)) return 0;
        write_registration(w, "Opus");
        write_u16(w, 0x7F02);
        write_u16(w, (uint16_t)(0x8000 | code));
        return 0x06;
    default: return 0;
    }
}

static void write_stream(struct byte_writer *w, unsigned type, unsigned pid, const struct byte_writer *descriptors)
{
    write_u8(w, (uint8_t)type);
    write_u16(w, (uint16_t)(0xE000 | pid));
    write_u16(w, (uint16_t)(0xF000 | descriptors->bytes));
    write_bytes(w, descriptors->data, descriptors->bytes);
}

static void write_track(struct byte_writer *w, const struct track *track, unsigned pid)
{
    uint8_t room[32];
    struct byte_writer descriptors = { .data = room, .capacity = sizeof room, .bytes_max = sizeof room };
    const unsigned type = describe_stream(track, &descriptors);
    write_stream(w, type, pid, &descriptors);
}

/* ID3 in HLS ("Timed Metadata for HTTP Live Streaming", 2): a pointer in the program, a descriptor at the stream. */
static void write_id3_pointer(struct byte_writer *w)
{
    static const uint8_t pointer[] = { 0x25, 15,  0xFF, 0xFF, 'I', 'D',  '3', ' ',    0xFF,
                                       'I',  'D', '3',  ' ',  0,   0x1F, 0,   PROGRAM };
    write_bytes(w, pointer, sizeof pointer);
}

static void write_id3_stream(struct byte_writer *w)
{
    uint8_t descriptor[] = { 0x26, 13, 0xFF, 0xFF, 'I', 'D', '3', ' ', 0xFF, 'I', 'D', '3', ' ', 0, 0x0F };
    const struct byte_writer descriptors = { .data = descriptor, .bytes = sizeof descriptor };
    write_stream(w, 0x15, TS_MUX_ID3_PID, &descriptors);
}

size_t ts_mux_pmt(uint8_t out[TS_MUX_SECTION_BYTES_MAX], const struct ts_mux_segment *segment, bool has_id3,
                  unsigned version)
{
    struct byte_writer w;
    begin_section(&w, out, 2, PROGRAM, version);
    write_u16(&w, 0xE000 | (ts_mux_has_pictures(segment) ? TS_MUX_VIDEO_PID : TS_MUX_AUDIO_PID));
    write_u16(&w, has_id3 ? 0xF000 | 17 : 0xF000);
    if (has_id3) write_id3_pointer(&w);
    if (segment->video) write_track(&w, segment->video, TS_MUX_VIDEO_PID);
    if (segment->audio) write_track(&w, segment->audio, TS_MUX_AUDIO_PID);
    if (has_id3) write_id3_stream(&w);
    return end_section(&w);
}

bool ts_mux_can_carry(const struct track *track, const char **why)
{
    uint8_t room[32], header[ADTS_HEADER_BYTES];
    struct byte_writer descriptors = { .data = room, .capacity = sizeof room, .bytes_max = sizeof room };
    const char *ignored;
    if (!why) why = &ignored;
    *why = "this codec has no place in an MPEG transport stream for HLS";
    if (!describe_stream(track, &descriptors)) return false;
    return track_facts(track)->codec != CODEC_AAC || !adts_header_write(track_config(track), 1, header, why);
}

static void write_set(struct byte_writer *out, struct byte_span nal)
{
    write_u32(out, 1);
    write_bytes(out, nal.data, nal.bytes);
}

void ts_mux_parameter_sets(const struct track *track, struct byte_writer *out)
{
    struct byte_reader r;
    const struct byte_span config = track_config(track);
    const bool is_h264 = track_facts(track)->codec == CODEC_H264;
    byte_reader_init(&r, config.data, config.bytes);
    read_span(&r, is_h264 ? 5 : 22);
    /* avcC: SPS, then PPS, each with a count; hvcC: arrays with type and count */
    const unsigned lists = is_h264 ? 2 : read_u8(&r);
    for (unsigned list = 0; list < lists && !r.failed; list++) {
        const unsigned type = is_h264 ? 0 : read_u8(&r) & 0x3F;
        unsigned count = is_h264 ? read_u8(&r) : read_u16(&r);
        if (is_h264 && !list) count &= 0x1F;
        for (; count > 0 && !r.failed; count--) {
            const struct byte_span nal = read_span(&r, read_u16(&r));
            if (!r.failed && (is_h264 || (type >= 32 && type <= 34))) write_set(out, nal);
        }
    }
}
