/* picture_path: from a decoded picture to the rungs: who takes it, scaled from whom. Owner and thread: the engine. */
#ifndef WEIR_TRANSCODE_PICTURE_PATH_H
#define WEIR_TRANSCODE_PICTURE_PATH_H

#include <weir/transcode/frame_pick.h>

#include "ladder_internal.h"

struct rung_path {
    bool is_active;    /* encoded, and not left out */
    size_t scale_from; /* a rung that is active too, or RUNG_FROM_SOURCE */
    struct frame_pick pick;
    struct scaler *scaler;
    int in_width, in_height, in_format; /* what the scaler was opened for */
    AVFrame *scaled;                    /* of the picture at hand; held; NULL: the rung does not take it */
};

struct picture_path {
    struct ladder_shared *shared; /* lent */
    struct ladder_plan plan;
    struct ladder_source source;
    struct backend_choice scaler_choice; /* the decoder's */
    struct rung_path rungs[LADDER_RUNGS_MAX];
    uint8_t bit_depth; /* of scaled pictures */
    uint32_t level;    /* of shedding, in force */
};

void picture_path_init(struct picture_path *p, struct ladder_shared *shared, const struct ladder_plan *plan,
                       const struct ladder_source *source);
void picture_path_deinit(struct picture_path *p);
/* Scalers are the decoder's kin: another decoder, other scalers. */
void picture_path_set_backend(struct picture_path *p, const struct backend_choice *choice);
/* From the next picture, which is a keyframe. */
void picture_path_set_level(struct picture_path *p, uint32_t level);
/* Fills rungs[].scaled. The picture is borrowed. WEIR_IO: a scaler failed (error); nothing is held then. */
WEIR_MUST_CHECK enum weir_err picture_path_run(struct picture_path *p, const AVFrame *picture, bool is_key,
                                               struct backend_error *error);
void picture_path_release(struct picture_path *p); /* what run filled and nobody took */
/* Frames that the rung leaves out now: 1 takes all. */
uint32_t picture_path_keep_one_in(const struct picture_path *p, size_t rung);

#endif
