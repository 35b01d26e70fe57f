/* Frames under a configuration: [codec][config bytes / 16][config][frame]. */
#include <stdlib.h>
#include <string.h>
#include <weir/media/codec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2) return 0;
    const enum media_codec codec = (enum media_codec)(CODEC_H264 + data[0] % CODEC_EAC3);
    size_t config_bytes = data[1] * 16u;
    data += 2;
    bytes -= 2;
    if (config_bytes > bytes) config_bytes = bytes;
    const struct byte_span config = { data, config_bytes };
    struct codec_facts facts;
    const char *why;
    if (codec_describe(codec, config, &facts, &why)) return 0;
    const size_t frame_bytes = bytes - config_bytes;
    if (facts.kind == MEDIA_AUDIO) {
        (void)codec_frame_samples(&facts, (struct byte_span){ data + config_bytes, frame_bytes });
        return 0;
    }
    uint8_t *frame = malloc(frame_bytes ? frame_bytes : 1);
    if (!frame) return 0;
    if (frame_bytes) memcpy(frame, data + config_bytes, frame_bytes);
    struct codec_frame out;
    if (codec_frame_prepare(&facts, config, frame, frame_bytes, true, &out, &why) == WEIR_OK) {
        if (out.offset + out.bytes > frame_bytes || !out.access) abort();
        uint32_t width, height;
        (void)codec_frame_size(codec, (struct byte_span){ frame + out.offset, out.bytes }, &width, &height);
        /* merged parameter sets are a configuration again, or at least no trap */
        if (out.new_config)
            (void)!codec_describe(codec, (struct byte_span){ blob_data(out.new_config), blob_bytes(out.new_config) },
                                  &facts, &why);
        blob_unref(out.new_config);
    }
    free(frame);
    return 0;
}
