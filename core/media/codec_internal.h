/* What each codec file gives to codec.c, and what they share. */
#ifndef WEIR_MEDIA_CODEC_INTERNAL_H
#define WEIR_MEDIA_CODEC_INTERNAL_H

#include <weir/media/codec.h>

#define PICTURE_SIDE_MAX 16384

/* One row per codec; NULL: the codec has no such thing. Contracts as in codec.h. */
struct codec_ops {
    enum media_kind kind;
    const char *name;
    bool needs_config;
    enum weir_err (*describe)(struct byte_span config, struct codec_facts *out, const char **why);
    enum weir_err (*from_wire)(struct byte_span wire, struct blob **out, const char **why);
    enum weir_err (*from_frame)(struct byte_span frame, struct blob **out, struct codec_facts *facts, const char **why);
    enum weir_err (*prepare)(const struct codec_facts *facts, struct byte_span config, uint8_t *data, size_t bytes,
                             bool claimed_key, struct codec_frame *out, const char **why);
    uint32_t (*samples)(const struct codec_facts *facts, struct byte_span frame);
};

extern const struct codec_ops avc_ops, hevc_ops, av1_ops, vp9_ops, aac_ops, mp3_ops, opus_ops, flac_ops, ac3_ops,
    eac3_ops, mp2_ops, pcma_ops, pcmu_ops;

static inline enum weir_err codec_bad(enum weir_err err, const char **why, const char *text)
{
    if (why) *why = text;
    return err;
}

/* Copies a configuration as it is, within CODEC_CONFIG_BYTES_MAX. */
WEIR_MUST_CHECK enum weir_err codec_copy_config(struct byte_span wire, struct blob **out, const char **why);

/* A NAL unit's payload without emulation prevention (03 in 00 00 03): at most `room` bytes. Returns how many. */
size_t nal_unescape(const uint8_t *data, size_t bytes, uint8_t *out, size_t room);

/* VUI parts that H.264 and HEVC write alike: aspect ratio, overscan, video signal, chroma location. */
void vui_common_read(struct bit_reader *r, struct codec_facts *facts);
/* Keeps a frame rate that somebody could mean, reduced; else 0/0. */
void facts_set_fps(struct codec_facts *facts, uint64_t num, uint64_t den);

/* The messages of one SEI unit, as far as SEI_BYTES_MAX of it: what is asked for here stands in front. */
#define SEI_BYTES_MAX 512
struct sei_walk {
    uint8_t raw[SEI_BYTES_MAX];
    size_t bytes, at;
};
void sei_walk_init(struct sei_walk *w, const uint8_t *payload, size_t bytes); /* behind the unit's header */
/* false: no more. A message that is cut off: what is there of it. */
bool sei_walk_next(struct sei_walk *w, uint32_t *type, struct byte_span *payload);
/* Closed captions as ATSC A/53 carries them (CEA-608 and 708). */
bool sei_is_captions(uint32_t type, struct byte_span payload);
/* A precision time stamp (MISB ST 0604): when the picture was taken, in microseconds since 1970. 0: it is none. */
int64_t sei_precision_time_us(uint32_t type, struct byte_span payload);

/* -- length-prefixed samples -- */
enum nal_use { NAL_KEEP = 1, NAL_KEEP_AUX /* kept, but nothing to show by itself */, NAL_DROP, NAL_PARAMETER_SET };
struct nal_visitor {
    enum frame_access access;
    bool has_captions;
    int64_t taken_us; /* 0: not said */
    bool is_mixed;    /* NAL types that cannot stand in one picture */
    /* parameter sets met, as slices of the frame before it was compacted: copied by the caller's look() */
    struct byte_writer sets; /* u16 length + NAL unit, each */
};
/* A walk over the parameter sets of a configuration record; zeroed at its start. */
struct nal_walk {
    bool has_begun;
    unsigned list, lists_left, left; /* which list, how many more, entries left in it */
};
/* Where H.264 and HEVC differ. */
struct nal_family {
    enum nal_use (*look)(struct nal_visitor *v, const uint8_t *nal, size_t bytes);
    /* The next set of the record's lists, from record_head_bytes on; false: no more, or cut short. */
    bool (*next_set)(struct byte_reader *r, struct nal_walk *walk, struct byte_span *nal);
    /* A record of the sets met in a frame, completed from the one that is known. */
    enum weir_err (*merge_sets)(struct byte_span config, const struct byte_writer *sets, struct blob **out);
    size_t record_head_bytes;
};
/* codec_ops.prepare: drops in place what CMAF does not want, finds out what the frame is and whether it brings new sets. */
WEIR_MUST_CHECK enum weir_err nal_frame_prepare(const struct nal_family *family, const struct codec_facts *facts,
                                                struct byte_span config, uint8_t *data, size_t bytes, bool claimed_key,
                                                struct codec_frame *out, const char **why);

/* codec_ops.from_frame: the sets that stand in a sample with 4-byte lengths, as a record. WEIR_NOT_FOUND: there are none. */
WEIR_MUST_CHECK enum weir_err nal_config_from_frame(const struct nal_family *family, struct byte_span empty_record,
                                                    struct byte_span frame, struct blob **out, const char **why);

#endif
