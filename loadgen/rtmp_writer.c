#include "rtmp_writer.h"

#include <assert.h>
#include <string.h>

#define EXTENDED 0xFFFFFFu
#define CSID_CONTROL 2
#define CSID_COMMAND 3
#define CSID_AUDIO 4
#define CSID_DATA 5
#define CSID_VIDEO 6

void rtmp_writer_init(struct rtmp_writer *w, uint32_t stream_id, bool is_absolute)
{
    *w = (struct rtmp_writer){ .chunk_bytes = 128, .stream_id = stream_id, .is_absolute = is_absolute };
}

/* What stands in front of the first chunk. Returns the time of the extended field, or 0: there is none. */
static uint32_t write_first_header(struct rtmp_writer *w, struct byte_writer *out, uint8_t csid, enum rtmp_message type,
                                   uint32_t time_ms, uint32_t stream_id, size_t bytes)
{
    const bool is_open = w->channels[csid].is_open && !w->is_absolute;
    const uint32_t delta_ms = time_ms - w->channels[csid].time_ms;
    const bool is_delta = is_open && time_ms >= w->channels[csid].time_ms && type != RTMP_DATA;
    const uint32_t field_ms = is_delta ? delta_ms : time_ms;
    write_u8(out, (uint8_t)((is_delta ? 0x40 : 0) | csid));
    write_u24(out, field_ms < EXTENDED ? field_ms : EXTENDED);
    write_u24(out, (uint32_t)bytes);
    write_u8(out, (uint8_t)type);
    if (!is_delta) write_u32_le(out, stream_id);
    if (field_ms >= EXTENDED) write_u32(out, field_ms);
    w->channels[csid].is_open = true;
    w->channels[csid].time_ms = time_ms;
    return field_ms >= EXTENDED ? field_ms : 0;
}

void rtmp_write_message(struct rtmp_writer *w, struct byte_writer *out, uint8_t csid, enum rtmp_message type,
                        uint32_t time_ms, uint32_t stream_id, struct byte_span head, struct byte_span body)
{
    assert(csid >= CSID_CONTROL && csid < RTMP_WRITER_CHANNELS);
    const size_t bytes = head.bytes + body.bytes;
    const uint32_t extended_ms = write_first_header(w, out, csid, type, time_ms, stream_id, bytes);
    for (size_t at = 0; at < bytes;) {
        const size_t end = bytes - at < w->chunk_bytes ? bytes : at + w->chunk_bytes;
        if (at < head.bytes) {
            const size_t of_head = end < head.bytes ? end - at : head.bytes - at;
            write_bytes(out, head.data + at, of_head);
            at += of_head;
        }
        if (at < end) write_bytes(out, body.data + (at - head.bytes), end - at);
        at = end;
        if (at == bytes) break;
        write_u8(out, (uint8_t)(0xC0 | csid));
        if (extended_ms) write_u32(out, extended_ms); /* as Adobe's own do, and nearly everybody */
    }
}

static void write_from(struct rtmp_writer *w, struct byte_writer *out, uint8_t csid, enum rtmp_message type,
                       uint32_t time_ms, uint32_t stream_id, const struct byte_writer *body)
{
    rtmp_write_message(w, out, csid, type, time_ms, stream_id, (struct byte_span){ body->data, body->bytes },
                       (struct byte_span){ NULL, 0 });
    if (body->failed) out->failed = true;
}

void rtmp_write_chunk_size(struct rtmp_writer *w, struct byte_writer *out, uint32_t bytes)
{
    uint8_t body[4];
    store_u32(body, bytes);
    rtmp_write_message(w, out, CSID_CONTROL, RTMP_SET_CHUNK_SIZE, 0, 0, (struct byte_span){ body, sizeof body },
                       (struct byte_span){ NULL, 0 });
    w->channels[CSID_CONTROL].is_open = false;
    w->chunk_bytes = bytes;
}

void rtmp_write_pong(struct rtmp_writer *w, struct byte_writer *out, uint32_t time)
{
    uint8_t body[6] = { 0, 7 };
    store_u32(body + 2, time);
    rtmp_write_message(w, out, CSID_CONTROL, RTMP_USER_CONTROL, 0, 0, (struct byte_span){ body, sizeof body },
                       (struct byte_span){ NULL, 0 });
    w->channels[CSID_CONTROL].is_open = false;
}

/* -- AMF 0 -- */

static void amf_key(struct byte_writer *w, const char *text)
{
    write_u16(w, (uint16_t)strlen(text));
    write_text(w, text);
}

static void amf_text(struct byte_writer *w, const char *text)
{
    write_u8(w, 2);
    amf_key(w, text);
}

static void amf_number(struct byte_writer *w, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_u8(w, 0);
    write_u64(w, bits);
}

static void amf_pair(struct byte_writer *w, const char *key, double value)
{
    amf_key(w, key);
    amf_number(w, value);
}

static uint32_t fourcc(enum media_codec codec)
{
    return codec == CODEC_HEVC ? 0x68766331 : 0x61766331; /* hvc1, avc1 */
}

static void write_metadata(struct rtmp_writer *w, struct byte_writer *out, const struct media_source_facts *f,
                           uint32_t time_ms)
{
    struct byte_writer m;
    byte_writer_init(&m, 1024);
    amf_text(&m, "@setDataFrame");
    amf_text(&m, "onMetaData");
    write_u8(&m, 8); /* an ECMA array; its count is a hint */
    write_u32(&m, (f->video ? 5 : 0) + (f->audio ? 4 : 0));
    if (f->video) {
        amf_pair(&m, "width", f->width);
        amf_pair(&m, "height", f->height);
        amf_pair(&m, "framerate", f->fps_den ? (double)f->fps_num / f->fps_den : 0);
        amf_pair(&m, "videocodecid", f->video == CODEC_HEVC ? fourcc(CODEC_HEVC) : 7);
        amf_pair(&m, "videodatarate", f->video_kbps);
    }
    if (f->audio) {
        amf_pair(&m, "audiocodecid", 10);
        amf_pair(&m, "audiodatarate", f->audio_kbps);
        amf_pair(&m, "audiosamplerate", f->sample_rate);
        amf_pair(&m, "audiochannels", f->channels);
    }
    amf_key(&m, "");
    write_u8(&m, 9);
    write_from(w, out, CSID_DATA, RTMP_DATA, time_ms, w->stream_id, &m);
    byte_writer_deinit(&m);
}

/* -- FLV tag bodies -- */

enum { SEQUENCE_START = 0, CODED_FRAMES = 1 };

static size_t video_head(uint8_t out[9], enum media_codec codec, unsigned packet, bool is_key, int32_t cts_ms)
{
    const unsigned frame = is_key ? 1 : 2;
    size_t at = 0;
    if (codec == CODEC_HEVC) {
        out[at++] = (uint8_t)(0x80 | frame << 4 | packet);
        store_u32(out + at, fourcc(codec));
        at += 4;
        if (packet == SEQUENCE_START) return at;
    } else {
        out[at++] = (uint8_t)(frame << 4 | 7);
        out[at++] = (uint8_t)packet;
    }
    out[at++] = (uint8_t)(cts_ms >> 16), out[at++] = (uint8_t)(cts_ms >> 8), out[at++] = (uint8_t)cts_ms;
    return at;
}

void rtmp_write_configs(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s, uint32_t time_ms)
{
    const struct media_source_facts *f = media_source_facts(s);
    if (f->video) {
        uint8_t head[9];
        const size_t bytes = video_head(head, f->video, SEQUENCE_START, true, 0);
        rtmp_write_message(w, out, CSID_VIDEO, RTMP_VIDEO, time_ms, w->stream_id, (struct byte_span){ head, bytes },
                           media_source_video_config(s));
    }
    if (f->audio) {
        static const uint8_t head[2] = { 0xAF, 0 };
        rtmp_write_message(w, out, CSID_AUDIO, RTMP_AUDIO, time_ms, w->stream_id, (struct byte_span){ head, 2 },
                           media_source_audio_config(s));
    }
}

void rtmp_write_beginning(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s,
                          uint32_t time_ms)
{
    write_metadata(w, out, media_source_facts(s), time_ms);
    rtmp_write_configs(w, out, s, time_ms);
}

static int64_t to_ms(int64_t time_90k)
{
    return (time_90k + 45) / 90;
}

void rtmp_write_item(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s,
                     const struct media_item *item, int64_t dts_90k, const struct stamp *stamp)
{
    const struct byte_span body = { media_source_bytes(s, item->at), item->bytes };
    uint8_t head[9 + 4 + STAMP_NAL_BYTES_MAX] = { 0xAF, 1 };
    const int64_t dts_ms = to_ms(dts_90k);
    size_t bytes = 2;
    if (!item->is_video && stamp) {
        stamp_write_sound(stamp, head + 2);
        bytes += STAMP_SOUND_BYTES;
    }
    if (item->is_video) {
        const enum media_codec codec = media_source_facts(s)->video;
        bytes = video_head(head, codec, CODED_FRAMES, item->is_key, (int32_t)(to_ms(dts_90k + item->cts_90k) - dts_ms));
        const size_t stamp_bytes = stamp_write_nal(codec, stamp, head + bytes + 4);
        store_u32(head + bytes, (uint32_t)stamp_bytes);
        bytes += 4 + stamp_bytes;
    }
    rtmp_write_message(w, out, item->is_video ? CSID_VIDEO : CSID_AUDIO, item->is_video ? RTMP_VIDEO : RTMP_AUDIO,
                       (uint32_t)dts_ms, w->stream_id, (struct byte_span){ head, bytes }, body);
}

static void write_command(struct rtmp_writer *w, struct byte_writer *out, const char *command, double number,
                          const char *text, double stream)
{
    struct byte_writer m;
    byte_writer_init(&m, 1024);
    amf_text(&m, command);
    amf_number(&m, number);
    write_u8(&m, 5);
    if (text)
        amf_text(&m, text);
    else
        amf_number(&m, stream);
    w->channels[CSID_COMMAND].is_open = false;
    write_from(w, out, CSID_COMMAND, RTMP_COMMAND, 0, 0, &m);
    byte_writer_deinit(&m);
}

void rtmp_write_end(struct rtmp_writer *w, struct byte_writer *out, const char *name)
{
    write_command(w, out, "FCUnpublish", 6, name, 0);
    write_command(w, out, "deleteStream", 7, NULL, w->stream_id);
}
