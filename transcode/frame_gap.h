/* frame_gap: whether H.264 reference pictures are missing in front of a packet, by frame_num (H.264 7.4.3). Decoders make up what is
 * missing and say nothing. Pure. */
#ifndef WEIR_TRANSCODE_FRAME_GAP_H
#define WEIR_TRANSCODE_FRAME_GAP_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

struct frame_gap {
    uint32_t bits; /* of frame_num; 0: nothing can be said about this stream */
    bool has_colour_planes;
    uint8_t length_bytes;
    uint32_t last; /* frame_num of the last reference picture */
    bool has_last;
};

/* avcc: AVCDecoderConfigurationRecord; empty for other codecs. */
void frame_gap_init(struct frame_gap *g, struct byte_span avcc);
/* A sample, in decoding order. */
bool frame_gap_look(struct frame_gap *g, struct byte_span sample);

#endif
