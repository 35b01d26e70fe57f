#include <weir/ingest/flv.h>

#include <stdio.h>
#include <string.h>

#define FOURCC(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum { VIDEO_FRAME_COMMAND = 5 };
/* Enhanced RTMP v2, "Enhanced Video" and "Enhanced Audio": packet types */
enum {
    EX_SEQUENCE_START = 0,
    EX_CODED_FRAMES = 1,
    EX_SEQUENCE_END = 2,
    EX_CODED_FRAMES_X = 3,
    EX_METADATA = 4,
    EX_MPEG2TS_SEQUENCE_START = 5,
    EX_MULTITRACK_VIDEO = 6,
    EX_MODEX = 7
};
enum { EX_MULTICHANNEL_CONFIG = 4, EX_MULTITRACK_AUDIO = 5 };
enum { TRACKS_ONE = 0, TRACKS_MANY = 1, TRACKS_MANY_CODECS = 2 };

struct parser {
    struct byte_reader r;
    const uint8_t *data;
    struct flv_events events;
    const char *why;
    enum media_kind kind;
    unsigned packet_type;
    bool is_key;
    int32_t offset_ns;
};

static enum weir_err bad(struct parser *p, const char *why)
{
    p->why = why;
    return WEIR_MALFORMED;
}

static struct flv_event *add(struct parser *p, enum flv_event_kind kind, uint8_t track)
{
    if (p->events.count == ERTMP_TRACKS_MAX) return NULL;
    struct flv_event *e = &p->events.items[p->events.count++];
    *e = (struct flv_event){ .kind = kind, .track = track, .is_key = p->is_key, .offset_ns = p->offset_ns };
    return e;
}

static void set_body(struct parser *p, struct flv_event *e, const struct byte_reader *body)
{
    e->offset = (size_t)(body->at - p->data);
    e->bytes = byte_reader_left(body);
}

static int32_t read_si24(struct byte_reader *r)
{
    const uint32_t v = read_u24(r);
    return v & 0x800000 ? (int32_t)v - 0x1000000 : (int32_t)v;
}

static void name_fourcc(char out[24], uint32_t fourcc)
{
    char text[5] = { 0 };
    for (int i = 0; i < 4; i++) {
        const char c = (char)(fourcc >> (24 - 8 * i));
        text[i] = c >= 0x20 && c < 0x7F && c != '"' && c != '\\' ? c : '?';
    }
    snprintf(out, 24, "FourCC %s", text);
}

static bool codec_of(enum media_kind kind, uint32_t fourcc, enum media_codec *out)
{
    static const struct {
        uint32_t fourcc;
        enum media_kind kind;
        enum media_codec codec;
    } rows[] = {
        { FOURCC('a', 'v', 'c', '1'), MEDIA_VIDEO, CODEC_H264 },
        { FOURCC('h', 'v', 'c', '1'), MEDIA_VIDEO, CODEC_HEVC },
        { FOURCC('a', 'v', '0', '1'), MEDIA_VIDEO, CODEC_AV1 },
        { FOURCC('v', 'p', '0', '9'), MEDIA_VIDEO, CODEC_VP9 },
        { FOURCC('m', 'p', '4', 'a'), MEDIA_AUDIO, CODEC_AAC },
        { FOURCC('.', 'm', 'p', '3'), MEDIA_AUDIO, CODEC_MP3 },
        { FOURCC('O', 'p', 'u', 's'), MEDIA_AUDIO, CODEC_OPUS },
        { FOURCC('f', 'L', 'a', 'C'), MEDIA_AUDIO, CODEC_FLAC },
        { FOURCC('a', 'c', '-', '3'), MEDIA_AUDIO, CODEC_AC3 },
        { FOURCC('e', 'c', '-', '3'), MEDIA_AUDIO, CODEC_EAC3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].fourcc != fourcc || rows[i].kind != kind) continue;
        *out = rows[i].codec;
        return true;
    }
    return false;
}

/* ModEx: pieces of side information in front of the real packet type. */
static enum weir_err read_modex(struct parser *p)
{
    for (unsigned count = 0; p->packet_type == EX_MODEX; count++) {
        if (count == ERTMP_MODEX_MAX) {
            p->why = "more than 8 ModEx blocks";
            return WEIR_LIMIT;
        }
        size_t size = read_u8(&p->r) + 1u;
        if (size == 256) size = read_u16(&p->r) + 1u;
        const struct byte_span data = read_span(&p->r, size);
        const uint8_t types = read_u8(&p->r);
        if (p->r.failed) return bad(p, "a ModEx block is cut off");
        p->packet_type = types & 0xF;
        /* type 0: nanoseconds to add to the presentation time */
        if (types >> 4 == 0 && data.bytes >= 3) p->offset_ns = (int32_t)(load_u24(data.data) % 1000000);
    }
    return WEIR_OK;
}

static enum weir_err add_video(struct parser *p, uint32_t fourcc, uint8_t track, struct byte_reader body)
{
    enum media_codec codec;
    if (!codec_of(MEDIA_VIDEO, fourcc, &codec)) {
        struct flv_event *e = add(p, FLV_UNSUPPORTED, track);
        if (e) name_fourcc(e->what, fourcc);
        return WEIR_OK;
    }
    enum flv_event_kind kind = FLV_IGNORED;
    int32_t composition_ms = 0;
    switch (p->packet_type) {
    case EX_SEQUENCE_START: kind = FLV_CONFIG; break;
    case EX_CODED_FRAMES:
        if (codec == CODEC_H264 || codec == CODEC_HEVC) composition_ms = read_si24(&body);
        if (body.failed) return bad(p, "a video frame is cut off");
        kind = FLV_FRAME;
        break;
    case EX_CODED_FRAMES_X: kind = FLV_FRAME; break;
    case EX_SEQUENCE_END: kind = FLV_END; break;
    case EX_MPEG2TS_SEQUENCE_START: kind = FLV_UNSUPPORTED; break;
    default: break;
    }
    if (kind == FLV_FRAME && !byte_reader_left(&body)) kind = FLV_IGNORED;
    struct flv_event *e = add(p, kind, track);
    if (!e) return bad(p, "more tracks in a message than 16");
    e->codec = codec;
    e->composition_ms = composition_ms;
    if (kind == FLV_UNSUPPORTED) snprintf(e->what, sizeof e->what, "MPEG-2 TS sequence");
    set_body(p, e, &body);
    return WEIR_OK;
}

static enum weir_err add_audio(struct parser *p, uint32_t fourcc, uint8_t track, struct byte_reader body)
{
    enum media_codec codec;
    if (!codec_of(MEDIA_AUDIO, fourcc, &codec)) {
        struct flv_event *e = add(p, FLV_UNSUPPORTED, track);
        if (e) name_fourcc(e->what, fourcc);
        return WEIR_OK;
    }
    enum flv_event_kind kind = FLV_IGNORED;
    if (p->packet_type == EX_SEQUENCE_START) kind = FLV_CONFIG;
    if (p->packet_type == EX_SEQUENCE_END) kind = FLV_END;
    if (p->packet_type == EX_CODED_FRAMES && byte_reader_left(&body)) kind = FLV_FRAME; /* empty: a marker of silence */
    struct flv_event *e = add(p, kind, track);
    if (!e) return bad(p, "more tracks in a message than 16");
    e->codec = codec;
    e->is_key = true;
    set_body(p, e, &body);
    return WEIR_OK;
}

static enum weir_err add_track(struct parser *p, uint32_t fourcc, uint8_t track, const uint8_t *body, size_t bytes)
{
    struct byte_reader r;
    byte_reader_init(&r, body, bytes);
    return p->kind == MEDIA_VIDEO ? add_video(p, fourcc, track, r) : add_audio(p, fourcc, track, r);
}

static enum weir_err read_multitrack(struct parser *p)
{
    const uint8_t types = read_u8(&p->r);
    const unsigned tracks = types >> 4;
    p->packet_type = types & 0xF;
    if (p->r.failed || tracks > TRACKS_MANY_CODECS) return bad(p, "a multitrack message has an unknown form");
    if (p->packet_type == (p->kind == MEDIA_VIDEO ? (unsigned)EX_MULTITRACK_VIDEO : (unsigned)EX_MULTITRACK_AUDIO) ||
        p->packet_type == EX_MODEX)
        return bad(p, "a multitrack message inside another");
    uint32_t fourcc = tracks == TRACKS_MANY_CODECS ? 0 : read_u32(&p->r);
    do {
        if (p->events.count == ERTMP_TRACKS_MAX) {
            p->why = "more tracks in a message than 16";
            return WEIR_LIMIT;
        }
        if (tracks == TRACKS_MANY_CODECS) fourcc = read_u32(&p->r);
        const uint8_t track = read_u8(&p->r);
        const size_t size = tracks == TRACKS_ONE ? byte_reader_left(&p->r) : read_u24(&p->r);
        const struct byte_span body = read_span(&p->r, size);
        if (p->r.failed) return bad(p, "a multitrack message is cut off");
        const enum weir_err err = add_track(p, fourcc, track, body.data ? body.data : p->r.at, body.bytes);
        if (err) return err;
    } while (tracks != TRACKS_ONE && byte_reader_left(&p->r));
    return WEIR_OK;
}

static enum weir_err read_enhanced(struct parser *p, unsigned frame_type)
{
    const enum weir_err err = read_modex(p);
    if (err) return err;
    if (p->kind == MEDIA_VIDEO && p->packet_type != EX_METADATA && frame_type == VIDEO_FRAME_COMMAND) {
        add(p, FLV_IGNORED, 0); /* one command byte follows instead of a FourCC */
        return WEIR_OK;
    }
    if (p->packet_type == (p->kind == MEDIA_VIDEO ? (unsigned)EX_MULTITRACK_VIDEO : (unsigned)EX_MULTITRACK_AUDIO))
        return read_multitrack(p);
    const uint32_t fourcc = read_u32(&p->r);
    if (p->r.failed) return bad(p, "the message ends before its FourCC");
    return add_track(p, fourcc, 0, p->r.at, byte_reader_left(&p->r));
}

static enum weir_err read_legacy_video(struct parser *p, unsigned head)
{
    static const char *const names[16] = {
        [2] = "Sorenson H.263", [3] = "Screen video", [4] = "VP6", [5] = "VP6 with alpha", [6] = "Screen video 2"
    };
    const unsigned codec = head & 0xF, frame_type = head >> 4;
    if (frame_type == VIDEO_FRAME_COMMAND) {
        add(p, FLV_IGNORED, 0);
        return WEIR_OK;
    }
    if (codec != 7 && codec != 12) {
        struct flv_event *e = add(p, FLV_UNSUPPORTED, 0);
        if (e && names[codec]) snprintf(e->what, sizeof e->what, "%s", names[codec]);
        if (e && !names[codec]) snprintf(e->what, sizeof e->what, "video codec id %u", codec);
        return WEIR_OK;
    }
    const uint8_t type = read_u8(&p->r);
    const int32_t composition_ms = read_si24(&p->r);
    if (p->r.failed) return bad(p, "a video message is cut off");
    enum flv_event_kind kind = type == 0 ? FLV_CONFIG : type == 1 ? FLV_FRAME : type == 2 ? FLV_END : FLV_IGNORED;
    if (kind == FLV_FRAME && !byte_reader_left(&p->r)) kind = FLV_IGNORED;
    struct flv_event *e = add(p, kind, 0);
    e->codec = codec == 7 ? CODEC_H264 : CODEC_HEVC;
    e->composition_ms = composition_ms;
    set_body(p, e, &p->r);
    return WEIR_OK;
}

static enum weir_err finish(struct parser *p, enum weir_err err, struct flv_events *out, const char **why)
{
    if (!err) *out = p->events;
    if (err && why) *why = p->why;
    return err;
}

static struct parser begin(enum media_kind kind, const uint8_t *data, size_t bytes)
{
    struct parser p = { .data = data, .kind = kind, .why = "malformed", .events = { .count = 0 } };
    byte_reader_init(&p.r, data, bytes);
    return p;
}

enum weir_err flv_video_parse(const uint8_t *data, size_t bytes, struct flv_events *out, const char **why)
{
    struct parser p = begin(MEDIA_VIDEO, data, bytes);
    if (!bytes) return finish(&p, WEIR_OK, out, why);
    const unsigned head = read_u8(&p.r);
    const unsigned frame_type = head >> 4 & 7;
    p.is_key = frame_type == 1 || frame_type == 4;
    p.packet_type = head & 0xF;
    const enum weir_err err = head & 0x80 ? read_enhanced(&p, frame_type) : read_legacy_video(&p, head);
    return finish(&p, err, out, why);
}

static enum weir_err read_legacy_audio(struct parser *p, unsigned format, bool is_stereo)
{
    static const char *const names[16] = { "PCM",
                                           "ADPCM",
                                           NULL,
                                           "PCM",
                                           "Nellymoser 16 kHz",
                                           "Nellymoser 8 kHz",
                                           "Nellymoser",
                                           "G.711 A-law",
                                           "G.711 mu-law",
                                           NULL,
                                           NULL,
                                           "Speex",
                                           NULL,
                                           NULL,
                                           NULL,
                                           "device sound" };
    static const enum media_codec codecs[16] = {
        [2] = CODEC_MP3, [7] = CODEC_PCMA, [8] = CODEC_PCMU, [10] = CODEC_AAC, [14] = CODEC_MP3
    };
    const bool is_wide = codecs[format] && !codec_is_carried(codecs[format]) && is_stereo;
    if (!codecs[format] || is_wide) {
        struct flv_event *e = add(p, FLV_UNSUPPORTED, 0);
        if (e && is_wide)
            snprintf(e->what, sizeof e->what, "G.711 in stereo");
        else if (e && names[format])
            snprintf(e->what, sizeof e->what, "%s", names[format]);
        if (e && !names[format]) snprintf(e->what, sizeof e->what, "sound format %u", format);
        return WEIR_OK;
    }
    enum flv_event_kind kind = FLV_FRAME;
    if (format == 10) {
        const uint8_t type = read_u8(&p->r);
        if (p->r.failed) {
            add(p, FLV_IGNORED, 0); /* one byte alone: a marker of silence */
            return WEIR_OK;
        }
        kind = type == 0 ? FLV_CONFIG : type == 1 ? FLV_FRAME : FLV_IGNORED;
    }
    if (kind == FLV_FRAME && !byte_reader_left(&p->r)) kind = FLV_IGNORED;
    struct flv_event *e = add(p, kind, 0);
    e->codec = codecs[format];
    e->is_key = true;
    set_body(p, e, &p->r);
    return WEIR_OK;
}

enum weir_err flv_audio_parse(const uint8_t *data, size_t bytes, struct flv_events *out, const char **why)
{
    struct parser p = begin(MEDIA_AUDIO, data, bytes);
    if (!bytes) return finish(&p, WEIR_OK, out, why);
    const unsigned head = read_u8(&p.r), format = head >> 4;
    p.packet_type = head & 0xF;
    const enum weir_err err = format == 9 ? read_enhanced(&p, 0) : read_legacy_audio(&p, format, head & 1);
    return finish(&p, err, out, why);
}
