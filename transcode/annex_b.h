/* Encoders' bitstreams: start codes (Annex B of H.264 and HEVC) to samples with a 4-byte length in front of each NAL unit. Pure. */
#ifndef WEIR_TRANSCODE_ANNEX_B_H
#define WEIR_TRANSCODE_ANNEX_B_H

#include <weir/base/bytes.h>

/* Appends to w. Bytes in front of the first start code are not looked at. */
void annex_b_to_sample(struct byte_writer *w, struct byte_span in);

#endif
