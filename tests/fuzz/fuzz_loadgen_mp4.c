/* Input: two bytes for the length of an init segment, the init, then a media segment. Without a readable init, a fixed one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/mp4_reader.h>

static void use_media(const struct mp4_init *init, const uint8_t *data, size_t bytes, enum mp4_depth depth)
{
    struct mp4_media *m;
    struct mp4_span span;
    if (mp4_media_read(init, data, bytes, depth, &m) == WEIR_NOMEM) return;
    for (size_t i = 0; i < m->fragment_count; i++) {
        const struct mp4_fragment *f = &m->fragments[i];
        if (!f->track || f->track < init->tracks || f->track >= init->tracks + init->track_count) abort();
        if (!f->sample_count || f->first_sample + f->sample_count > m->sample_count) abort();
    }
    if (mp4_media_span(m, MEDIA_VIDEO, &span) && !span.sample_count) abort();
    mp4_media_span(m, MEDIA_AUDIO, &span);
    mp4_media_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct mp4_init fixed = {
        .tracks = { { .id = 1,
                      .timescale = 90000,
                      .kind = MEDIA_VIDEO,
                      .entry = "avc1",
                      .has_facts = true,
                      .facts = { .kind = MEDIA_VIDEO, .codec = CODEC_H264, .nal_length_bytes = 4 } } },
        .track_count = 1
    };
    struct mp4_init *init;
    if (bytes < 2) return 0;
    size_t head = (size_t)data[0] << 8 | data[1];
    if (head > bytes - 2) head = bytes - 2;
    const enum weir_err err = mp4_init_read(data + 2, head, &init);
    if (err == WEIR_NOMEM) return 0;
    if (!err && !init->track_count) abort();
    if (!mp4_init_same(init, init)) abort();
    use_media(err ? &fixed : init, data + 2 + head, bytes - 2 - head, MP4_WHOLE);
    use_media(err ? &fixed : init, data + 2 + head, bytes - 2 - head, MP4_PICTURE);
    mp4_init_destroy(init);
    return 0;
}
