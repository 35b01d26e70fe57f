/* SEI messages that weir puts into encoded frames itself, the same for every encoder: closed captions (ATSC A/53 in ITU-T T.35) and
 * what HDR displays want to know. Pure. */
#ifndef WEIR_TRANSCODE_SEI_H
#define WEIR_TRANSCODE_SEI_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>

/* Caption triplets that wait for a frame that is encoded: a rung that leaves frames out still carries all captions. */
struct captions {
    uint8_t data[CAPTION_BYTES_MAX];
    size_t bytes;
};
/* cc_data triplets. How many bytes had to go, oldest first. */
size_t captions_add(struct captions *c, const uint8_t *data, size_t bytes);

/* SMPTE ST 2086 in the units of the SEI: chromaticities in 1/50000, luminances in 1/10000 candela per square metre. */
struct mastering_display {
    uint16_t primaries[3][2]; /* green, blue, red: the order of the SEI */
    uint16_t white[2];
    uint32_t luminance_max, luminance_min;
};
struct light_level {
    uint16_t content_max, average_max;
};
struct hdr_facts {
    struct mastering_display display;
    struct light_level light;
    bool has_display, has_light;
};

/* Append a length-prefixed SEI NAL unit to w; H264 and HEVC. Nothing to say: nothing is written. */
void sei_write_captions(struct byte_writer *w, enum media_codec codec, const struct captions *captions);
void sei_write_hdr(struct byte_writer *w, enum media_codec codec, const struct hdr_facts *hdr);

#endif
