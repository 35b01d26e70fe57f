/* ladder_plan: which renditions a stream gets. The operator's wish (rungs, or "auto") and what the source is go in; sizes, rates,
 * codecs and who is scaled from whom come out. Never upscaled, even sizes, square pixels, portrait by its shorter side.
 * Pure; thread: the caller's. */
#ifndef WEIR_TRANSCODE_LADDER_PLAN_H
#define WEIR_TRANSCODE_LADDER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>

#define RUNG_NAME_BYTES 16
#define RUNG_WORD_BYTES 16 /* a profile or preset */

enum rung_kind { RUNG_ENCODED = 1, RUNG_PASSTHROUGH };
enum ladder_latency {
    LADDER_LATENCY_LOW = 1, /* no lookahead, no B-frames: a packet out for each frame in */
    LADDER_LATENCY_NORMAL,  /* the preset's lookahead and B-frames: better pictures, some frames later */
};

/* What the operator asks for; zero or "" leaves the choice to the plan. */
struct rung_config {
    char name[RUNG_NAME_BYTES]; /* also the last folder of its URL: letters, digits, dash, underscore */
    enum rung_kind kind;
    uint32_t height;               /* of a landscape picture; of a portrait one this is its width */
    uint32_t scale_num, scale_den; /* in place of height: of the source */
    uint32_t fps_max_milli;        /* frames are left out, by whole numbers, until the rate is at most this */
    uint64_t bitrate_bps, max_rate_bps;
    enum media_codec codec; /* H264, HEVC, AV1 */
    char profile[RUNG_WORD_BYTES];
    char preset[RUNG_WORD_BYTES]; /* of x264 and x265 ("veryfast"); backends translate it */
};

struct ladder_config {
    bool is_auto; /* rungs are chosen from the source; `rungs` is not looked at */
    struct rung_config rungs[LADDER_RUNGS_MAX];
    size_t rung_count;
    enum ladder_latency latency;
};

/* What is known of the source. */
struct ladder_source {
    enum media_codec codec;
    uint32_t width, height;
    uint32_t sar_num, sar_den; /* 0/0: square */
    uint32_t fps_num, fps_den; /* 0/0: not known, or not constant */
    uint64_t bitrate_bps;      /* 0: not known */
    uint8_t bit_depth;
};

#define RUNG_FROM_SOURCE SIZE_MAX

struct rung_plan {
    char name[RUNG_NAME_BYTES];
    enum rung_kind kind;
    /* encoded ones: */
    uint32_t width, height;    /* even, never above the source's; square pixels */
    uint32_t keep_one_in;      /* frames: 1 keeps all */
    uint32_t fps_num, fps_den; /* what comes of that; 0/0: not known */
    uint64_t bitrate_bps, max_rate_bps, buffer_bits;
    enum media_codec codec;
    char profile[RUNG_WORD_BYTES], preset[RUNG_WORD_BYTES];
    size_t scale_from; /* index of the next larger rung in `rungs`, or RUNG_FROM_SOURCE */
};

enum ladder_note {
    LADDER_NOTE_NONE = 0,
    LADDER_NOTE_UPSCALE = 1 << 0,      /* a rung larger than the source was left out, or made as large as it */
    LADDER_NOTE_BYPASS = 1 << 1,       /* the source already is a rung: passed through, not encoded */
    LADDER_NOTE_DUPLICATE = 1 << 2,    /* a rung that is the same as another one was left out */
    LADDER_NOTE_SOURCE_CODEC = 1 << 3, /* the source cannot pass through: HLS does not carry its codec */
};

/* Passed-through rungs first, then encoded ones from large to small. */
struct ladder_plan {
    struct rung_plan rungs[LADDER_RUNGS_MAX];
    size_t rung_count, encoded_count;
    bool has_passthrough;
    enum ladder_latency latency;
    unsigned notes; /* enum ladder_note, or'ed */
};

/* WEIR_UNSUPPORTED: the source's size is not known or out of range, and *why says so; *out is untouched. A plan may hold no
 * encoded rung: then there is nothing to do. */
WEIR_MUST_CHECK enum weir_err ladder_plan_make(const struct ladder_config *config, const struct ladder_source *source,
                                               struct ladder_plan *out, const char **why);
/* What the operator wrote, looked at without a source: WEIR_CONFIG and *why, static, when no source could make sense of it. */
WEIR_MUST_CHECK enum weir_err ladder_config_check(const struct ladder_config *config, const char **why);
/* Whether both ask the same of an encoder, so that one that runs may go on. */
bool rung_plan_equal(const struct rung_plan *a, const struct rung_plan *b);
/* Pixels a second; an unknown frame rate counts as 30. */
uint64_t rung_pixel_rate(const struct rung_plan *rung);

#endif
