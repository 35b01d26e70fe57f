#include "ts_stream_kind.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    TAG_REGISTRATION = 0x05,
    TAG_LANGUAGE = 0x0A,
    TAG_METADATA = 0x26,
    TAG_TELETEXT = 0x56,
    TAG_DVB_SUBTITLES = 0x59,
    TAG_AC3 = 0x6A,
    TAG_EAC3 = 0x7A,
    TAG_DTS = 0x7B,
    TAG_AAC = 0x7C,
    TAG_EXTENSION = 0x7F
};
#define EXTENSION_OPUS 0x80
#define EXTENSION_SUPPLEMENTARY_AUDIO 0x06
#define NO_CHANNEL_CODE 255

/* Of stream_types that say everything. */
static const struct row {
    uint8_t type;
    uint8_t role; /* enum ts_role */
    uint8_t kind, codec;
    const char *what;
} rows[] = {
    { 0x01, TS_ROLE_NONE, MEDIA_VIDEO, 0, "MPEG-1 video" },
    { 0x02, TS_ROLE_NONE, MEDIA_VIDEO, 0, "MPEG-2 video" },
    { 0x03, TS_ROLE_MPEG_AUDIO, MEDIA_AUDIO, CODEC_MP3, "MPEG audio" },
    { 0x04, TS_ROLE_MPEG_AUDIO, MEDIA_AUDIO, CODEC_MP3, "MPEG audio" },
    { 0x05, TS_ROLE_NONE, 0, 0, "private sections" },
    { 0x0F, TS_ROLE_ADTS, MEDIA_AUDIO, CODEC_AAC, "aac" },
    { 0x10, TS_ROLE_NONE, MEDIA_VIDEO, 0, "MPEG-4 part 2 video" },
    { 0x11, TS_ROLE_LATM, MEDIA_AUDIO, CODEC_AAC, "aac" },
    { 0x1B, TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_H264, "h264" },
    { 0x1C, TS_ROLE_NONE, MEDIA_AUDIO, 0, "raw MPEG-4 audio" },
    { 0x20, TS_ROLE_NONE, MEDIA_VIDEO, 0, "H.264 multiview" },
    { 0x21, TS_ROLE_NONE, MEDIA_VIDEO, 0, "JPEG 2000" },
    { 0x24, TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_HEVC, "hevc" },
    { 0x25, TS_ROLE_NONE, MEDIA_VIDEO, 0, "HEVC temporal layer" },
    { 0x2D, TS_ROLE_NONE, MEDIA_AUDIO, 0, "MPEG-H audio" },
    { 0x2E, TS_ROLE_NONE, MEDIA_AUDIO, 0, "MPEG-H audio" },
    { 0x32, TS_ROLE_NONE, MEDIA_VIDEO, 0, "JPEG XS" },
    { 0x33, TS_ROLE_NONE, MEDIA_VIDEO, 0, "VVC" },
    { 0x42, TS_ROLE_NONE, MEDIA_VIDEO, 0, "AVS video" },
    { 0x80, TS_ROLE_NONE, MEDIA_AUDIO, 0, "LPCM" },
    { 0x81, TS_ROLE_AC3, MEDIA_AUDIO, CODEC_AC3, "ac3" },
    { 0x82, TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },
    { 0x83, TS_ROLE_NONE, MEDIA_AUDIO, 0, "TrueHD" },
    { 0x84, TS_ROLE_AC3, MEDIA_AUDIO, CODEC_EAC3, "eac3" },
    { 0x85, TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS-HD" },
    { 0x86, TS_ROLE_SCTE35, 0, 0, "SCTE-35" },
    { 0x87, TS_ROLE_AC3, MEDIA_AUDIO, CODEC_EAC3, "eac3" },
    { 0x8A, TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },
    { 0x90, TS_ROLE_NONE, 0, 0, "PGS subtitles" },
    { 0xD1, TS_ROLE_NONE, MEDIA_VIDEO, 0, "Dirac video" },
    { 0xEA, TS_ROLE_NONE, MEDIA_VIDEO, 0, "VC-1 video" },
};
/* Of private streams (0x06), by format_identifier. */
static const struct registered {
    char identifier[5];
    uint8_t role, kind, codec;
    const char *what;
} registered[] = {
    { "Opus", TS_ROLE_OPUS, MEDIA_AUDIO, CODEC_OPUS, "opus" },
    { "AV01", TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_AV1, "av1" },
    { "AC-3", TS_ROLE_AC3, MEDIA_AUDIO, CODEC_AC3, "ac3" },
    { "EAC3", TS_ROLE_AC3, MEDIA_AUDIO, CODEC_EAC3, "eac3" },
    { "HEVC", TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_HEVC, "hevc" },
    { "KLVA", TS_ROLE_KLV, 0, 0, "KLV" },
    { "ID3 ", TS_ROLE_ID3, 0, 0, "ID3" },
    { "BSSD", TS_ROLE_NONE, MEDIA_AUDIO, 0, "SMPTE 302M audio" },
    { "DTS1", TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },
    { "DTS2", TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },
    { "DTS3", TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },
    { "AC-4", TS_ROLE_NONE, MEDIA_AUDIO, 0, "AC-4" },
    { "VC-1", TS_ROLE_NONE, MEDIA_VIDEO, 0, "VC-1 video" },
    { "drac", TS_ROLE_NONE, MEDIA_VIDEO, 0, "Dirac video" },
};
/* Of private streams, by the presence of a DVB descriptor. */
static const struct described {
    uint8_t tag, role, kind, codec;
    const char *what;
} described[] = {
    { TAG_AC3, TS_ROLE_AC3, MEDIA_AUDIO, CODEC_AC3, "ac3" }, { TAG_EAC3, TS_ROLE_AC3, MEDIA_AUDIO, CODEC_EAC3, "eac3" },
    { TAG_TELETEXT, TS_ROLE_NONE, 0, 0, "teletext" },        { TAG_DVB_SUBTITLES, TS_ROLE_NONE, 0, 0, "DVB subtitles" },
    { TAG_DTS, TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS" },        { TAG_AAC, TS_ROLE_ADTS, MEDIA_AUDIO, CODEC_AAC, "aac" },
};

static void set(struct ts_stream_kind *out, unsigned role, unsigned kind, unsigned codec, const char *what)
{
    out->role = (enum ts_role)role;
    out->track.kind = (enum media_kind)kind;
    out->track.codec = role == TS_ROLE_NONE ? 0 : (enum media_codec)codec;
    snprintf(out->track.what, sizeof out->track.what, "%s", what);
}

static bool is_registered(struct byte_span descriptors, const char identifier[4])
{
    const struct byte_span body = ts_descriptor_find(descriptors, TAG_REGISTRATION);
    return body.bytes >= 4 && !memcmp(body.data, identifier, 4);
}

static bool set_by_descriptors(struct ts_stream_kind *out, struct byte_span descriptors)
{
    for (size_t i = 0; i < ARRAY_LEN(registered); i++) {
        const struct registered *r = &registered[i];
        if (!is_registered(descriptors, r->identifier)) continue;
        set(out, r->role, r->kind, r->codec, r->what);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(described); i++) {
        const struct described *d = &described[i];
        if (!ts_descriptor_find(descriptors, d->tag).data) continue;
        set(out, d->role, d->kind, d->codec, d->what);
        return true;
    }
    return false;
}

/* metadata_descriptor (H.222.0 2.6.60): application format 16 [identifier 32], format 8 [identifier 32]. */
static void set_metadata(struct ts_stream_kind *out, struct byte_span descriptors)
{
    struct byte_reader r;
    const struct byte_span body = ts_descriptor_find(descriptors, TAG_METADATA);
    byte_reader_init(&r, body.data, body.bytes);
    if (read_u16(&r) == 0xFFFF) read_u32(&r);
    const uint32_t identifier = read_u8(&r) == 0xFF ? read_u32(&r) : 0;
    if (!r.failed && identifier == 0x49443320) /* "ID3 " */
        set(out, TS_ROLE_ID3, 0, 0, "ID3");
    else if ((!r.failed && identifier == 0x4B4C5641) || is_registered(descriptors, "KLVA"))
        set(out, TS_ROLE_KLV, 0, 0, "KLV");
    else
        set(out, TS_ROLE_NONE, 0, 0, "metadata");
}

static void read_language(struct ts_track *track, struct byte_span descriptors)
{
    struct byte_span body = ts_descriptor_find(descriptors, TAG_LANGUAGE);
    size_t at = 0;
    if (body.bytes >= 4) {
        track->audio_type = body.data[3];
    } else {
        /* supplementary_audio_descriptor (EN 300 468, 6.4.10): its language is the last thing in it */
        body = ts_descriptor_find(descriptors, TAG_EXTENSION);
        if (body.bytes < 5 || body.data[0] != EXTENSION_SUPPLEMENTARY_AUDIO || !(body.data[1] & 1)) return;
        at = 2;
    }
    for (size_t i = 0; i < 3; i++) {
        const int letter = body.data[at + i];
        if (!isalpha(letter) || letter > 0x7F) return;
    }
    for (size_t i = 0; i < 3; i++) track->language[i] = (char)tolower(body.data[at + i]);
    if (!strcmp(track->language, "und")) track->language[0] = 0;
}

static uint8_t read_opus_code(struct byte_span descriptors)
{
    const struct byte_span body = ts_descriptor_find(descriptors, TAG_EXTENSION);
    return body.bytes >= 2 && body.data[0] == EXTENSION_OPUS ? body.data[1] : NO_CHANNEL_CODE;
}

void ts_stream_kind_read(const struct ts_pmt_stream *stream, struct byte_span program_descriptors,
                         struct ts_stream_kind *out)
{
    char unknown[32] = "private data";
    if (stream->type != 6) snprintf(unknown, sizeof unknown, "stream type 0x%02x", stream->type);
    *out = (struct ts_stream_kind){ .opus_channel_code = NO_CHANNEL_CODE, .track = { .pid = stream->pid } };
    set(out, TS_ROLE_NONE, 0, 0, unknown);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].type == stream->type) set(out, rows[i].role, rows[i].kind, rows[i].codec, rows[i].what);
    }
    if (stream->type == 0x15) set_metadata(out, stream->descriptors);
    /* private streams, and user private types that nobody else defined */
    if (stream->type == 0x06 || (stream->type >= 0x80 && out->role == TS_ROLE_NONE))
        (void)set_by_descriptors(out, stream->descriptors);
    /* Blu-ray's numbers mean other things */
    if (stream->type == 0x86 && is_registered(program_descriptors, "HDMV"))
        set(out, TS_ROLE_NONE, MEDIA_AUDIO, 0, "DTS-HD");
    if (stream->type == 0x82 && is_registered(program_descriptors, "CUEI"))
        set(out, TS_ROLE_NONE, 0, 0, "SCTE-27 subtitles");
    if (out->role == TS_ROLE_OPUS) out->opus_channel_code = read_opus_code(stream->descriptors);
    read_language(&out->track, stream->descriptors);
}
