/* MPEG audio layer III: everything stands in each frame's header (ISO 11172-3, 2.4.1.3; 13818-3). */
#include "codec_internal.h"

#include <stdio.h>

struct mp3_header {
    uint32_t sample_rate, channels, samples;
};

static bool read_header(struct byte_span frame, struct mp3_header *h)
{
    static const uint32_t rates[3] = { 44100, 48000, 32000 };
    if (frame.bytes < 4 || frame.data[0] != 0xFF || (frame.data[1] & 0xE0) != 0xE0) return false;
    const unsigned version = frame.data[1] >> 3 & 3, layer = frame.data[1] >> 1 & 3; /* 3: MPEG-1, 2: MPEG-2, 0: 2.5 */
    const unsigned bitrate = frame.data[2] >> 4, rate = frame.data[2] >> 2 & 3;
    if (version == 1 || layer != 1 || bitrate == 15 || rate == 3) return false;
    h->sample_rate = rates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    h->channels = frame.data[3] >> 6 == 3 ? 1 : 2;
    h->samples = version == 3 ? 1152 : 576;
    return true;
}

static enum weir_err from_frame(struct byte_span frame, struct blob **out, struct codec_facts *facts, const char **why)
{
    struct mp3_header h;
    if (!read_header(frame, &h)) return codec_bad(WEIR_MALFORMED, why, "the MP3 frame has no readable header");
    struct blob *empty = blob_create(0);
    if (!empty) return WEIR_NOMEM;
    *facts = (struct codec_facts){
        .kind = MEDIA_AUDIO,
        .codec = CODEC_MP3,
        .sample_rate = h.sample_rate,
        .channels = h.channels,
        .frame_samples = h.samples,
    };
    snprintf(facts->codec_string, sizeof facts->codec_string, "mp4a.40.34");
    *out = empty;
    return WEIR_OK;
}

static uint32_t samples(const struct codec_facts *facts, struct byte_span frame)
{
    struct mp3_header h;
    return read_header(frame, &h) ? h.samples : 0;
}

static enum weir_err describe(struct byte_span config, struct codec_facts *out, const char **why)
{
    return codec_bad(WEIR_UNSUPPORTED, why, "MP3 has no configuration; its frames say everything");
}

const struct codec_ops mp3_ops = {
    .kind = MEDIA_AUDIO,
    .name = "mp3",
    .needs_config = false,
    .describe = describe,
    .from_frame = from_frame,
    .samples = samples,
};
