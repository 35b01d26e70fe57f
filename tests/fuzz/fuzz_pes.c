/* PES packets over transport packets, and the elementary streams in them: [stream kind][first payload bytes][...]. Each payload is a length byte
 * (its top bit starts a PES) and that many bytes; 127 means a loss. */
#include <stdlib.h>
#include <string.h>

#include "ingest/ts_internal.h"

static void on_track(void *context, const struct ts_track *track) {}
static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
}
static void on_codec(void *context, unsigned index, enum media_codec codec) {}
static void on_frame(void *context, const struct ts_frame *f)
{
    if (!f->bytes || f->offset + f->bytes > blob_bytes(f->message)) abort();
    blob_unref(f->message);
}
static void on_metadata(void *context, const struct ts_metadata *m)
{
    blob_unref(m->message);
}
static void on_clock_break(void *context) {}
static void on_problem(void *context, const char *text) {}

static const struct {
    enum ts_role role;
    enum media_kind kind;
    enum media_codec codec;
} kinds[] = {
    { TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_H264 },
    { TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_HEVC },
    { TS_ROLE_VIDEO, MEDIA_VIDEO, CODEC_AV1 },
    { TS_ROLE_ADTS, MEDIA_AUDIO, CODEC_AAC },
    { TS_ROLE_LATM, MEDIA_AUDIO, CODEC_AAC },
    { TS_ROLE_MPEG_AUDIO, MEDIA_AUDIO, CODEC_MP3 },
    { TS_ROLE_AC3, MEDIA_AUDIO, CODEC_AC3 },
    { TS_ROLE_OPUS, MEDIA_AUDIO, CODEC_OPUS },
    { TS_ROLE_ID3, 0, 0 },
};

static struct ts_elementary *make(struct ts_output *out, struct ts_stream *stream, bool may_end_early)
{
    switch (stream->kind.role) {
    case TS_ROLE_VIDEO: return ts_video_create(out, stream, may_end_early);
    case TS_ROLE_ID3: return ts_metadata_create(out, stream);
    default: return ts_audio_create(out, stream);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct counters counters;
    if (bytes < 2) return 0;
    const size_t kind = (data[0] & 0x7F) % ARRAY_LEN(kinds);
    struct ts_output out = {
        .events = { NULL, on_track, on_track, on_config, on_codec, on_frame, on_metadata, on_clock_break, on_problem },
        .counters = &counters,
    };
    struct ts_stream stream = {
        .kind = { .role = kinds[kind].role,
                  .opus_channel_code = data[1],
                  .track = { .pid = 256, .kind = kinds[kind].kind, .codec = kinds[kind].codec } },
    };
    struct pes_reader pes = { .state = PES_IDLE };
    struct ts_elementary *reader = make(&out, &stream, data[0] & 0x80);
    data += 2;
    bytes -= 2;
    if (!reader) return 0;
    while (bytes) {
        const unsigned head = *data++;
        size_t part = head & 0x7F;
        bytes--;
        if (part > bytes) part = bytes;
        if ((head & 0x7F) == 127) {
            pes_reader_note_loss(&pes);
            reader->note_loss(reader->sink.context);
            continue;
        }
        /* an exact copy, so that a sanitizer sees the first byte too many */
        uint8_t *copy = malloc(part ? part : 1);
        if (!copy) break;
        memcpy(copy, data, part);
        if (part) pes_reader_feed(&pes, (struct byte_span){ copy, part }, head & 0x80, part % 3 == 0, &reader->sink);
        free(copy);
        data += part;
        bytes -= part;
    }
    reader->flush(reader->sink.context, false);
    reader->destroy(reader->sink.context);
    return 0;
}
