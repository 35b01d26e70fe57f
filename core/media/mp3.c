/* MPEG audio layers III and II: everything stands in each frame's header (ISO 11172-3, 2.4.1.3; 13818-3). */
#include "codec_internal.h"

#include <stdio.h>
#include <weir/media/audio_sync.h>

/* kbit/s by bit_rate_index (2.4.2.3): MPEG-1 layers I, II, III, then MPEG-2's I and the other two. */
static const uint16_t bit_rates[5][15] = {
    { 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448 },
    { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
    { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
    { 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256 },
    { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
};

/* All but the length: MP3 in a container may be of the free format. */
static bool read_header(struct byte_span frame, struct mpeg_audio_header *h, unsigned *kbps)
{
    static const uint32_t rates[3] = { 44100, 48000, 32000 };
    if (frame.bytes < 4 || frame.data[0] != 0xFF || (frame.data[1] & 0xE0) != 0xE0) return false;
    const unsigned version = frame.data[1] >> 3 & 3,
                   layer_bits = frame.data[1] >> 1 & 3; /* 3: MPEG-1, 2: MPEG-2, 0: 2.5 */
    const unsigned bitrate = frame.data[2] >> 4, rate = frame.data[2] >> 2 & 3;
    if (version == 1 || !layer_bits || bitrate == 15 || rate == 3) return false;
    const unsigned layer = 4 - layer_bits;
    *h = (struct mpeg_audio_header){
        .layer = layer,
        .sample_rate = rates[rate] >> (version == 3   ? 0
                                       : version == 2 ? 1
                                                      : 2),
        .channels = frame.data[3] >> 6 == 3 ? 1 : 2,
        .samples = layer == 1                   ? 384
                   : layer == 3 && version != 3 ? 576
                                                : 1152,
    };
    *kbps = bit_rates[version == 3 ? layer - 1 : layer == 1 ? 3 : 4][bitrate];
    return true;
}

bool mpeg_audio_header_read(struct byte_span in, struct mpeg_audio_header *out)
{
    struct mpeg_audio_header h;
    unsigned kbps;
    if (!read_header(in, &h, &kbps) || !kbps) return false;
    const unsigned slot_bytes = h.layer == 1 ? 4 : 1, padding = in.data[2] >> 1 & 1;
    h.frame_bytes = ((size_t)h.samples / 8 / slot_bytes * kbps * 1000 / h.sample_rate + padding) * slot_bytes;
    *out = h;
    return true;
}

static enum weir_err from_frame(unsigned layer, struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                const char **why)
{
    struct mpeg_audio_header h;
    unsigned kbps;
    if (!read_header(frame, &h, &kbps) || h.layer != layer)
        return codec_bad(WEIR_MALFORMED, why,
                         layer == 3 ? "the MP3 frame has no readable header" : "the MP2 frame has no readable header");
    struct blob *empty = blob_create(0);
    if (!empty) return WEIR_NOMEM;
    *facts = (struct codec_facts){
        .kind = MEDIA_AUDIO,
        .codec = layer == 3 ? CODEC_MP3 : CODEC_MP2,
        .sample_rate = h.sample_rate,
        .channels = h.channels,
        .frame_samples = h.samples,
    };
    snprintf(facts->codec_string, sizeof facts->codec_string, layer == 3 ? "mp4a.40.34" : "mp4a.40.33");
    *out = empty;
    return WEIR_OK;
}

static enum weir_err mp3_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                    const char **why)
{
    return from_frame(3, frame, out, facts, why);
}

static enum weir_err mp2_from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts,
                                    const char **why)
{
    return from_frame(2, frame, out, facts, why);
}

static uint32_t samples(const struct codec_facts *facts, struct byte_span frame)
{
    struct mpeg_audio_header h;
    unsigned kbps;
    return read_header(frame, &h, &kbps) && h.layer == (facts->codec == CODEC_MP3 ? 3 : 2) ? h.samples : 0;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    return codec_bad(WEIR_UNSUPPORTED, why, "MPEG audio has no configuration; its frames say everything");
}

const struct codec_ops mp3_ops = {
    .kind = MEDIA_AUDIO,
    .name = "mp3",
    .needs_config = false,
    .describe = describe,
    .from_frame = mp3_from_frame,
    .samples = samples,
};

const struct codec_ops mp2_ops = {
    .kind = MEDIA_AUDIO,
    .name = "mp2",
    .needs_config = false,
    .describe = describe,
    .from_frame = mp2_from_frame,
    .samples = samples,
};
