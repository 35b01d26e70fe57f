#include "encoded.h"

#include <assert.h>
#include <string.h>

#include "annex_b.h"

#define SAMPLE_BYTES_MAX (32 * MIB)

/* A record that holds nothing yet: the first keyframe's parameter sets complete it. */
static struct blob *empty_config(enum media_codec codec, unsigned bit_depth)
{
    static const uint8_t avc[] = { 1, 0, 0, 0, 0xFF, 0xE0, 0 };
    static const uint8_t av1[] = { 0x81, 0, 0x0C, 0 };
    const uint8_t deep = (uint8_t)(0xF8 | (bit_depth - 8));
    /* 4:2:0; one temporal layer; lengths of 4 bytes (ISO 14496-15, 8.3.3.1) */
    const uint8_t hevc[] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0, 0xFC, 0xFD, deep, deep, 0, 0, 0x0F, 0 };
    if (codec == CODEC_H264) return blob_copy(avc, sizeof avc);
    if (codec == CODEC_HEVC) return blob_copy(hevc, sizeof hevc);
    struct blob *b = blob_copy(av1, sizeof av1);
    if (b && bit_depth > 8) blob_data(b)[2] |= 0x40; /* high_bitdepth */
    return b;
}

enum weir_err encoded_init(struct encoded *e, enum media_codec codec, unsigned bit_depth)
{
    assert(codec == CODEC_H264 || codec == CODEC_HEVC || codec == CODEC_AV1);
    *e = (struct encoded){ .codec = codec, .config = empty_config(codec, bit_depth) };
    byte_writer_init(&e->scratch, SAMPLE_BYTES_MAX);
    return e->config ? WEIR_OK : WEIR_NOMEM;
}

void encoded_deinit(struct encoded *e)
{
    track_unref(e->track);
    blob_unref(e->config);
    byte_writer_deinit(&e->scratch);
    *e = (struct encoded){ .codec = e->codec };
}

static struct blob *make_sample(struct encoded *e, struct byte_span bits, const struct captions *captions,
                                const struct hdr_facts *hdr)
{
    struct byte_writer *w = &e->scratch;
    byte_writer_clear(w);
    if (captions) sei_write_captions(w, e->codec, captions);
    if (hdr) sei_write_hdr(w, e->codec, hdr);
    if (e->codec == CODEC_AV1)
        write_bytes(w, bits.data, bits.bytes);
    else
        annex_b_to_sample(w, bits);
    return w->failed ? NULL : blob_copy(w->data, w->bytes);
}

/* The encoder said its configuration, for the first time or anew. */
static enum weir_err take_config(struct encoded *e, struct blob *config, bool *is_new, const char **why)
{
    struct codec_facts facts;
    const enum weir_err err = codec_describe(e->codec, (struct byte_span){ blob_data(config), blob_bytes(config) },
                                             &facts, why);
    struct track *track = err ? NULL : track_create(&facts, config);
    blob_unref(err ? config : NULL);
    if (err) return err;
    blob_unref(e->config);
    e->config = config;
    if (!track) return WEIR_NOMEM;
    *is_new = !e->track || !track_equal(e->track, track);
    track_unref(e->track);
    e->track = track;
    return WEIR_OK;
}

enum weir_err encoded_take(struct encoded *e, struct byte_span bits, const struct captions *captions,
                           const struct hdr_facts *hdr, struct encoded_sample *out, const char **why)
{
    const struct codec_facts lengths = { .kind = MEDIA_VIDEO, .codec = e->codec, .nal_length_bytes = 4 };
    struct blob *sample = make_sample(e, bits, captions, hdr);
    struct codec_frame found;
    if (!sample) return WEIR_NOMEM;
    const struct byte_span config = { blob_data(e->config), blob_bytes(e->config) };
    enum weir_err err = codec_frame_prepare(&lengths, config, blob_data(sample), blob_bytes(sample), false, &found,
                                            why);
    bool is_new = false;
    if (!err && found.new_config) err = take_config(e, found.new_config, &is_new, why);
    if (!err && found.is_empty) err = WEIR_MALFORMED;
    if (!err && !e->track) err = WEIR_STATE; /* nothing can be decoded before the first parameter sets */
    if (err) {
        blob_unref(sample);
        return err;
    }
    *out = (struct encoded_sample){ .blob = sample,
                                    .payload = { sample, blob_data(sample) + found.offset, found.bytes },
                                    .access = found.access,
                                    .is_new_track = is_new };
    return WEIR_OK;
}
