/* encoded: from what an encoder put out to a sample and a track. The same for every encoder: start codes become lengths, parameter
 * sets become the track, what the frame really is comes from its NAL units or OBUs. Thread: the rung's. */
#ifndef WEIR_TRANSCODE_ENCODED_H
#define WEIR_TRANSCODE_ENCODED_H

#include <weir/base/bytes.h>
#include <weir/media/codec.h>
#include <weir/media/track.h>

#include "sei.h"

struct encoded {
    enum media_codec codec;
    struct track *track; /* what is known so far; NULL: no keyframe yet */
    struct blob *config;
    struct byte_writer scratch;
};

struct encoded_sample {
    struct blob *blob; /* given to the caller */
    struct piece payload;
    enum frame_access access;
    bool is_new_track; /* encoded.track changed with this one */
};

WEIR_MUST_CHECK enum weir_err encoded_init(struct encoded *e, enum media_codec codec, unsigned bit_depth);
void encoded_deinit(struct encoded *e);
/* bits: an access unit as the encoder wrote it. captions, hdr: put in front; NULL: none. */
WEIR_MUST_CHECK enum weir_err encoded_take(struct encoded *e, struct byte_span bits, const struct captions *captions,
                                           const struct hdr_facts *hdr, struct encoded_sample *out, const char **why);

#endif
