#include "picture_path.h"

#define ROUNDING 8 /* sizes are even: 854 is meant to be two thirds of 1280 */

void picture_path_init(struct picture_path *p, struct ladder_shared *shared, const struct ladder_plan *plan,
                       const struct ladder_source *source)
{
    *p = (struct picture_path){ .shared = shared, .plan = *plan, .source = *source, .bit_depth = 8 };
    bool wants_depth = false;
    for (size_t i = 0; i < plan->rung_count; i++)
        wants_depth |= plan->rungs[i].kind == RUNG_ENCODED && plan->rungs[i].codec != CODEC_H264;
    if (source->bit_depth > 8 && wants_depth) p->bit_depth = 10;
    picture_path_set_level(p, 0);
}

static void close_scaler(struct rung_path *r)
{
    if (r->scaler) r->scaler->backend->scaler_close(r->scaler);
    r->scaler = NULL;
}

void picture_path_release(struct picture_path *p)
{
    for (size_t i = 0; i < p->plan.rung_count; i++) {
        frame_release(&p->shared->figures, p->rungs[i].scaled);
        p->rungs[i].scaled = NULL;
    }
}

void picture_path_deinit(struct picture_path *p)
{
    picture_path_release(p);
    for (size_t i = 0; i < p->plan.rung_count; i++) close_scaler(&p->rungs[i]);
}

void picture_path_set_backend(struct picture_path *p, const struct backend_choice *choice)
{
    for (size_t i = 0; i < p->plan.rung_count; i++) close_scaler(&p->rungs[i]);
    p->scaler_choice = *choice;
}

uint32_t picture_path_keep_one_in(const struct picture_path *p, size_t rung)
{
    const uint32_t halved = shed_rung_at(&p->plan, rung, p->level).is_half_rate ? 2 : 1;
    return p->plan.rungs[rung].keep_one_in * halved;
}

/* The nearest larger rung that works and sees every picture that this one takes. One that is hardly larger is passed over: each scaling
 * softens, and three in a row cost half a decibel. */
static size_t find_parent(const struct picture_path *p, size_t rung)
{
    const struct rung_plan *r = &p->plan.rungs[rung];
    for (size_t k = rung; k-- > 0;) {
        const struct rung_plan *o = &p->plan.rungs[k];
        const bool is_same = o->width == r->width && o->height == r->height;
        if (!p->rungs[k].is_active ||
            (!is_same && (o->width * 2 + ROUNDING < r->width * 3 || o->height * 2 + ROUNDING < r->height * 3)))
            continue;
        if (picture_path_keep_one_in(p, rung) % picture_path_keep_one_in(p, k) == 0) return k;
    }
    return RUNG_FROM_SOURCE;
}

void picture_path_set_level(struct picture_path *p, uint32_t level)
{
    p->level = level;
    for (size_t i = 0; i < p->plan.rung_count; i++) {
        struct rung_path *r = &p->rungs[i];
        r->is_active = p->plan.rungs[i].kind == RUNG_ENCODED && !shed_rung_at(&p->plan, i, level).is_left_out;
        r->scale_from = find_parent(p, i);
        frame_pick_init(&r->pick, picture_path_keep_one_in(p, i), p->source.fps_num, p->source.fps_den);
        if (!r->is_active) close_scaler(r);
    }
}

static enum weir_err ready_scaler(struct picture_path *p, size_t rung, const AVFrame *in, struct backend_error *error)
{
    struct rung_path *r = &p->rungs[rung];
    if (r->scaler && r->in_width == in->width && r->in_height == in->height && r->in_format == in->format)
        return WEIR_OK;
    close_scaler(r);
    const struct scaler_config config = { .device = p->scaler_choice.device,
                                          .like = in,
                                          .width = p->plan.rungs[rung].width,
                                          .height = p->plan.rungs[rung].height,
                                          .bit_depth = p->bit_depth,
                                          .name = p->shared->name,
                                          .figures = &p->shared->figures };
    const enum weir_err err = p->scaler_choice.backend->scaler_open(p->scaler_choice.backend, &config, &r->scaler,
                                                                    error);
    if (err) return err;
    r->in_width = in->width;
    r->in_height = in->height;
    r->in_format = in->format;
    return WEIR_OK;
}

static bool is_as_wanted(const struct rung_plan *r, const AVFrame *in, uint8_t depth)
{
    const bool is_square = !in->sample_aspect_ratio.num || in->sample_aspect_ratio.num == in->sample_aspect_ratio.den;
    const int plain = depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    return in->width == (int)r->width && in->height == (int)r->height && is_square &&
           (in->hw_frames_ctx || in->format == plain);
}

static enum weir_err scale_one(struct picture_path *p, size_t rung, const AVFrame *source, struct backend_error *error)
{
    struct rung_path *r = &p->rungs[rung];
    const AVFrame *in = r->scale_from == RUNG_FROM_SOURCE ? source : p->rungs[r->scale_from].scaled;
    if (!in) in = source;
    if (is_as_wanted(&p->plan.rungs[rung], in, p->bit_depth)) {
        r->scaled = frame_hold(&p->shared->figures, in);
        return r->scaled ? WEIR_OK : WEIR_NOMEM;
    }
    const enum weir_err err = ready_scaler(p, rung, in, error);
    if (err) return err;
    AVFrame *out = av_frame_alloc();
    if (!out) return WEIR_NOMEM;
    const bool is_done = r->scaler->backend->scaler_run(r->scaler, in, out) == STEP_DONE;
    if (is_done) r->scaled = frame_move(&p->shared->figures, out);
    av_frame_free(&out);
    return !is_done ? WEIR_IO : r->scaled ? WEIR_OK : WEIR_NOMEM;
}

enum weir_err picture_path_run(struct picture_path *p, const AVFrame *picture, bool is_key, struct backend_error *error)
{
    enum weir_err err = WEIR_OK;
    error->text[0] = 0;
    for (size_t i = 0; !err && i < p->plan.rung_count; i++) {
        struct rung_path *r = &p->rungs[i];
        if (!r->is_active || !frame_pick_take(&r->pick, picture->pts, is_key)) continue;
        err = scale_one(p, i, picture, error);
    }
    if (err) picture_path_release(p);
    return err;
}
