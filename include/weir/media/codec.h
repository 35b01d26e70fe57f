/* Codec facts: what a configuration record says, and what a frame is, without decoding anything.
 *
 * Two forms of configuration exist. The wire form is what FLV or Enhanced RTMP carries; the mp4 form is the body of the
 * sample entry's configuration box, and the only form kept after ingest:
 *   H264  AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1)     AAC   AudioSpecificConfig (ISO 14496-3, 1.6.2.1)
 *   HEVC  HEVCDecoderConfigurationRecord (8.3.3.1)                  OPUS  body of dOps (big endian, version 0)
 *   AV1   AV1CodecConfigurationRecord with one sequence header OBU  FLAC  STREAMINFO metadata block with its header
 *   VP9   VPCodecConfigurationRecord without the FullBox header     AC3   body of dac3     EAC3  body of dec3
 *   MP3, MP2, PCMA, PCMU   empty; the facts come from a frame
 * Pure; thread: the caller's. */
#ifndef WEIR_MEDIA_CODEC_H
#define WEIR_MEDIA_CODEC_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/blob.h>
#include <weir/base/bytes.h>

enum media_kind { MEDIA_VIDEO = 1, MEDIA_AUDIO };

enum media_codec {
    CODEC_H264 = 1,
    CODEC_HEVC,
    CODEC_AV1,
    CODEC_VP9,
    CODEC_AAC,
    CODEC_MP3,
    CODEC_OPUS,
    CODEC_FLAC,
    CODEC_AC3,
    CODEC_EAC3,
    /* what HLS does not carry: taken in to be made into something else */
    CODEC_MP2,  /* MPEG audio layer II */
    CODEC_PCMA, /* G.711, 8 kHz, one channel */
    CODEC_PCMU,
};

/* How a video frame may be entered. Only FRAME_IDR makes a segment independent (RFC 8216bis 4.4.2.1). */
enum frame_access {
    FRAME_INTER = 1, /* needs earlier frames */
    FRAME_RECOVERY,  /* H.264 recovery point after some frames (intra refresh): decodable, not at once */
    FRAME_OPEN,      /* HEVC CRA/BLA, H.264 recovery point 0, AV1 delayed random access: leading frames may break */
    FRAME_IDR,       /* closed: nothing after it needs anything before it */
};

#define CODEC_STRING_BYTES 48

struct codec_facts {
    enum media_kind kind;
    enum media_codec codec;
    char codec_string[CODEC_STRING_BYTES]; /* RFC 6381, as CODECS wants it */
    /* video */
    uint32_t width, height;    /* of the cropped picture; the sample entry's numbers */
    uint32_t sar_num, sar_den; /* 0/0: not said */
    uint32_t fps_num, fps_den; /* 0/0: not said, or not fixed */
    uint8_t profile, level, bit_depth, chroma_format_idc;
    uint8_t nal_length_bytes; /* H264, HEVC: 1, 2 or 4 */
    uint8_t transfer;         /* transfer characteristics (ITU-T H.273, table 3); 0 or 2: not said */
    /* audio */
    uint32_t sample_rate; /* of the output, and of CMAF's timescale: HE-AAC counts the doubled rate */
    uint32_t channels;
    uint32_t frame_samples;  /* at sample_rate; 0: differs from frame to frame (Opus, FLAC: see codec_frame_samples) */
    uint8_t aac_object_type; /* AAC: 2 LC, 5 HE, 29 HEv2 */
};

enum media_kind codec_kind(enum media_codec codec);
const char *codec_name(enum media_codec codec);  /* "h264", "aac", ... */
bool codec_needs_config(enum media_codec codec); /* false for MP3, AC3, EAC3 and the like: a frame says it all */
bool codec_is_carried(enum media_codec codec);   /* by HLS; false: only what is made of it can be played */

/* Reads an mp4-form configuration. WEIR_MALFORMED, WEIR_UNSUPPORTED, WEIR_LIMIT: *out is untouched and *why (may be NULL)
 * points to a short static text: what was wrong and what was expected. */
WEIR_MUST_CHECK enum weir_err codec_describe(enum media_codec codec, struct byte_span config, struct codec_facts *out,
                                             const char **why);

/* Wire form (FLV sequence header body or Enhanced RTMP SequenceStart body) to mp4 form, in a new blob owned by the caller.
 * HEVC: array_completeness is set. Opus: an empty body gives 48 kHz stereo. VP9: accepted with and without FullBox header.
 * The mp4 form itself is taken as it is. */
WEIR_MUST_CHECK enum weir_err codec_config_from_wire(enum media_codec codec, struct byte_span wire, struct blob **out,
                                                     const char **why);

/* Derives the mp4 form from a frame. Codecs without a configuration: from any frame (MP3: an empty blob, the facts say it all). H264, HEVC:
 * from the parameter sets in a sample with 4-byte lengths; AV1: from the sequence header in a temporal unit. WEIR_NOT_FOUND: there
 * are none in this one. */
WEIR_MUST_CHECK enum weir_err codec_config_from_frame(enum media_codec codec, struct byte_span frame, struct blob **out,
                                                      struct codec_facts *facts, const char **why);

/* What codec_frame_prepare found. */
struct codec_frame {
    enum frame_access access; /* video; FRAME_IDR for audio */
    size_t offset, bytes;     /* the sample within the buffer, after what CMAF does not want was taken out */
    struct blob
        *new_config;   /* owned by the caller: parameter sets in the frame that differ from `config`, merged, or NULL */
    bool has_captions; /* closed captions stand in it (ATSC A/53 cc_data, H264 and HEVC) */
    int64_t taken_us;  /* since 1970, as the encoder says (MISB ST 0604, H264 and HEVC); 0: it does not */
    bool is_empty;     /* nothing displayable was left (only AUD, SEI, parameter sets, ...): drop the frame */
    bool is_claimed_key_wrong; /* the container said keyframe and the bitstream says otherwise, or the reverse */
};

/* Prepares a video frame for its sample: removes AUD, filler, parameter sets (H264, HEVC), temporal delimiters, tile lists and
 * padding (AV1), in place, and says how the frame may be entered. Bytes move only when something is removed.
 * config: the track's mp4-form configuration. claimed_key: what the container says; decides where the bitstream cannot (VP9
 * and AV1 frame headers are read too). Zero-size NAL units are dropped. A NAL length past the end: WEIR_MALFORMED, buffer may have changed. */
WEIR_MUST_CHECK enum weir_err codec_frame_prepare(const struct codec_facts *facts, struct byte_span config,
                                                  uint8_t *data, size_t bytes, bool claimed_key,
                                                  struct codec_frame *out, const char **why);

/* Samples in an audio frame at facts->sample_rate; 0: cannot be read. (Opus TOC, FLAC frame header, MP3, AC-3 headers.) */
uint32_t codec_frame_samples(const struct codec_facts *facts, struct byte_span frame);

/* The picture size of a keyframe for codecs whose configuration does not say it (VP9); false: not in this frame. */
bool codec_frame_size(enum media_codec codec, struct byte_span frame, uint32_t *width, uint32_t *height);

#endif
