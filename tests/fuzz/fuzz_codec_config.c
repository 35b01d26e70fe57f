/* Configurations of every codec: the first byte picks the codec. What is accepted must be described without surprises. */
#include <stdlib.h>
#include <string.h>
#include <weir/media/codec.h>

static void check(const struct codec_facts *f)
{
    if (!f->codec_string[0] || strlen(f->codec_string) >= CODEC_STRING_BYTES) abort();
    if (f->kind == MEDIA_AUDIO && (!f->sample_rate || !f->channels)) abort();
    if (f->kind == MEDIA_VIDEO && f->codec != CODEC_VP9 && (!f->width || !f->height)) abort();
    if ((f->fps_num == 0) != (f->fps_den == 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes) return 0;
    const enum media_codec codec = (enum media_codec)(CODEC_H264 + data[0] % CODEC_EAC3);
    const struct byte_span in = { data + 1, bytes - 1 };
    struct codec_facts facts;
    struct blob *config = NULL;
    const char *why = NULL;
    if (codec_describe(codec, in, &facts, &why) == WEIR_OK)
        check(&facts);
    else if (!why)
        abort();
    if (codec_config_from_wire(codec, in, &config, &why) == WEIR_OK) {
        const struct byte_span made = { blob_data(config), blob_bytes(config) };
        if (codec_describe(codec, made, &facts, &why) == WEIR_OK) check(&facts);
        blob_unref(config);
    }
    if (codec_config_from_frame(codec, in, &config, &facts, &why) == WEIR_OK) {
        check(&facts);
        blob_unref(config);
    }
    return 0;
}
