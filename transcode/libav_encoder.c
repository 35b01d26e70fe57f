/* Encoders: libavcodec's. Pictures are brought to where and how the encoder wants them. */
#include "libav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

struct libav_encoder {
    struct encoder base; /* first */
    struct transcode_figures *figures;
    AVCodecContext *codec;
    AVBufferRef *surfaces; /* pictures in main memory are uploaded into these; NULL: not needed */
    struct SwsContext *sws;
    AVFrame *fitted; /* what was made of a picture that did not fit */
};

/* -- fitting pictures -- */

static enum AVPixelFormat best_format(const AVCodec *codec, enum AVPixelFormat have, int bit_depth)
{
    const enum AVPixelFormat wanted = bit_depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    bool takes_wanted = false;
    for (const enum AVPixelFormat *f = codec->pix_fmts; f && *f != AV_PIX_FMT_NONE; f++) {
        if (*f == have) return have;
        takes_wanted |= *f == wanted;
    }
    return takes_wanted ? wanted : AV_PIX_FMT_YUV420P;
}

static int convert(struct libav_encoder *e, const AVFrame *in, enum AVPixelFormat format, AVFrame *out)
{
    e->sws = sws_getCachedContext(e->sws, in->width, in->height, in->format, in->width, in->height, format, SWS_BICUBIC,
                                  NULL, NULL, NULL);
    if (!e->sws) return AVERROR(ENOMEM);
    const int *matrix = sws_getCoefficients(in->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT
                                                                                    : (int)in->colorspace);
    const int range = in->color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(e->sws, matrix, range, matrix, range, 0, 1 << 16, 1 << 16);
    out->format = format;
    out->width = in->width;
    out->height = in->height;
    const int failed = av_frame_get_buffer(out, 0);
    if (failed < 0) return failed;
    sws_scale(e->sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data, out->linesize);
    return 0;
}

static int upload(struct libav_encoder *e, const AVFrame *in, AVFrame *out)
{
    const int failed = av_hwframe_get_buffer(e->surfaces, out, 0);
    return failed < 0 ? failed : av_hwframe_transfer_data(out, in, 0);
}

/* Whether the encoder takes it as it is: surfaces are of its own kind and device, or it wants none. */
static bool is_fit(const AVCodecContext *c, const AVFrame *in)
{
    if (in->format != c->pix_fmt) return false;
    if (!c->hw_frames_ctx) return true;
    const AVHWFramesContext *own = (const AVHWFramesContext *)c->hw_frames_ctx->data;
    const AVHWFramesContext *from = in->hw_frames_ctx ? (const AVHWFramesContext *)in->hw_frames_ctx->data : NULL;
    return from && from->device_ctx == own->device_ctx;
}

/* A pool of surfaces of the encoder's own, for pictures that come from elsewhere. */
static int make_surfaces(struct libav_encoder *e, AVBufferRef *device, enum AVPixelFormat sw_format)
{
    if (!device) return AVERROR(ENODEV);
    e->surfaces = av_hwframe_ctx_alloc(device);
    if (!e->surfaces) return AVERROR(ENOMEM);
    AVHWFramesContext *pool = (AVHWFramesContext *)e->surfaces->data;
    pool->format = e->codec->pix_fmt;
    pool->sw_format = sw_format;
    pool->width = e->codec->width;
    pool->height = e->codec->height;
    pool->initial_pool_size = 16;
    return av_hwframe_ctx_init(e->surfaces);
}

/* One in main memory, to a surface. */
static int fit_surface(struct libav_encoder *e, const AVFrame *in)
{
    const AVHWFramesContext *own = (const AVHWFramesContext *)e->codec->hw_frames_ctx->data;
    int failed = e->surfaces ? 0 : make_surfaces(e, own->device_ref, own->sw_format); /* its decoder moved to the CPU */
    if (failed < 0 || in->format == own->sw_format) return failed < 0 ? failed : upload(e, in, e->fitted);
    AVFrame *between = av_frame_alloc();
    failed = between ? convert(e, in, own->sw_format, between) : AVERROR(ENOMEM);
    if (failed >= 0) failed = upload(e, between, e->fitted);
    av_frame_free(&between);
    return failed;
}

/* One in main memory, to wherever the encoder wants it. */
static int fit_plain(struct libav_encoder *e, const AVFrame *in)
{
    if (e->codec->hw_frames_ctx) return fit_surface(e, in);
    if (in->format == e->codec->pix_fmt) return av_frame_ref(e->fitted, in);
    return convert(e, in, e->codec->pix_fmt, e->fitted);
}

/* A borrowed picture as the encoder takes it: itself, or e->fitted. What lies on another device goes through main memory. */
static int fit(struct libav_encoder *e, const AVFrame *in, const AVFrame **fitted)
{
    *fitted = in;
    if (is_fit(e->codec, in)) return 0;
    av_frame_unref(e->fitted);
    AVFrame *plain = NULL;
    int failed = 0;
    if (in->hw_frames_ctx) {
        plain = av_frame_alloc();
        failed = plain ? av_hwframe_transfer_data(plain, in, 0) : AVERROR(ENOMEM);
        if (failed >= 0) failed = av_frame_copy_props(plain, in);
    }
    if (failed >= 0) failed = fit_plain(e, plain ? plain : in);
    if (failed >= 0) failed = av_frame_copy_props(e->fitted, in);
    av_frame_free(&plain);
    *fitted = e->fitted;
    return failed;
}

/* -- opening -- */

static int set_memory(struct libav_encoder *e, const struct encoder_config *config, const struct libav_flavour *flavour)
{
    AVCodecContext *c = e->codec;
    const AVFrame *like = config->like;
    const AVHWFramesContext *pool = like->hw_frames_ctx ? (const AVHWFramesContext *)like->hw_frames_ctx->data : NULL;
    const enum AVPixelFormat plain = pool ? pool->sw_format : (enum AVPixelFormat)like->format;
    const AVPixFmtDescriptor *facts = av_pix_fmt_desc_get(plain);
    const int bit_depth = facts && c->codec_id != AV_CODEC_ID_H264 ? facts->comp[0].depth : 8;
    const bool wants_surface = flavour->device_type != AV_HWDEVICE_TYPE_NONE && !flavour->encodes_in_main_memory;
    if (!wants_surface) {
        c->pix_fmt = best_format(c->codec, plain, bit_depth);
        return 0;
    }
    c->pix_fmt = flavour->pixel_format;
    int failed = 0;
    AVBufferRef *device = config->device ? config->device->hardware : NULL;
    const bool is_ours = pool && like->format == flavour->pixel_format && device &&
                         (const uint8_t *)pool->device_ctx == device->data;
    if (!is_ours) failed = make_surfaces(e, device, bit_depth > 8 ? AV_PIX_FMT_P010 : AV_PIX_FMT_NV12);
    if (failed < 0) return failed;
    c->hw_frames_ctx = av_buffer_ref(e->surfaces ? e->surfaces : like->hw_frames_ctx);
    return c->hw_frames_ctx ? 0 : AVERROR(ENOMEM);
}

static void set_colour(AVCodecContext *c, const AVFrame *like)
{
    c->color_primaries = like->color_primaries;
    c->color_trc = like->color_trc;
    c->colorspace = like->colorspace;
    c->color_range = like->color_range;
    c->chroma_sample_location = like->chroma_location;
    c->sample_aspect_ratio = (AVRational){ 1, 1 };
}

static int open_codec(struct libav_encoder *e, const AVCodec *codec, const struct encoder_config *config,
                      const struct libav_flavour *flavour)
{
    AVDictionary *options = NULL;
    AVCodecContext *c = e->codec = codec_context_create(codec, config->name);
    if (!c) return AVERROR(ENOMEM);
    c->width = (int)config->rung->width;
    c->height = (int)config->rung->height;
    set_colour(c, config->like);
    encoder_options_set(c, &options, config);
    int failed = set_memory(e, config, flavour);
    if (failed >= 0) failed = avcodec_open2(c, codec, &options);
    av_dict_free(&options);
    return failed;
}

static void close_codec(struct libav_encoder *e)
{
    avcodec_free_context(&e->codec);
    av_buffer_unref(&e->surfaces);
}

enum weir_err libav_encoder_open(const struct backend *b, const struct encoder_config *config, struct encoder **out,
                                 struct backend_error *error)
{
    const struct libav_flavour *flavour = b->flavour;
    struct libav_encoder *e = calloc(1, sizeof *e);
    if (!e || !(e->fitted = av_frame_alloc())) {
        free(e);
        return WEIR_NOMEM;
    }
    e->base.backend = b;
    e->figures = config->figures;
    transcode_count(e->figures, FIGURE_ENCODERS_ALIVE, 1);
    const char *const *names = flavour->encoders[config->rung->codec];
    const char *name = config->variant < ARRAY_LEN(flavour->encoders[0]) ? names[config->variant] : NULL;
    const AVCodec *codec = name ? avcodec_find_encoder_by_name(name) : NULL;
    libav_log_capture();
    const int failed = codec ? open_codec(e, codec, config, flavour) : AVERROR_ENCODER_NOT_FOUND;
    if (failed < 0) {
        char what[96];
        snprintf(what, sizeof what, "%s: cannot open %s at %ux%u", b->name,
                 name ? name : codec_name(config->rung->codec), config->rung->width, config->rung->height);
        libav_error(error, what, failed, NULL);
        libav_encoder_close(&e->base);
        return name ? WEIR_IO : WEIR_NOT_FOUND;
    }
    libav_log_captured();
    *out = &e->base;
    return WEIR_OK;
}

/* -- running -- */

enum backend_step libav_encoder_send(struct encoder *base, const AVFrame *frame, bool is_key)
{
    struct libav_encoder *e = (struct libav_encoder *)base;
    const AVFrame *fitted = NULL;
    if (frame && fit(e, frame, &fitted) < 0) return STEP_FAILED;
    AVFrame *typed = NULL;
    if (fitted) {
        typed = av_frame_clone(fitted);
        if (!typed) return STEP_FAILED;
        typed->pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        typed->key_frame = is_key;
        typed->interlaced_frame = 0;
    }
    const int code = avcodec_send_frame(e->codec, typed);
    av_frame_free(&typed);
    if (code == AVERROR(EAGAIN)) return STEP_AGAIN;
    if (code == AVERROR_EOF) return STEP_END;
    return code < 0 ? STEP_FAILED : STEP_DONE;
}

enum backend_step libav_encoder_receive(struct encoder *base, AVPacket *packet)
{
    struct libav_encoder *e = (struct libav_encoder *)base;
    const int code = avcodec_receive_packet(e->codec, packet);
    if (code == AVERROR(EAGAIN)) return STEP_AGAIN;
    if (code == AVERROR_EOF) return STEP_END;
    return code < 0 ? STEP_FAILED : STEP_DONE;
}

void libav_encoder_close(struct encoder *base)
{
    struct libav_encoder *e = (struct libav_encoder *)base;
    if (!e) return;
    close_codec(e);
    sws_freeContext(e->sws);
    av_frame_free(&e->fitted);
    transcode_count(e->figures, FIGURE_ENCODERS_ALIVE, -1);
    free(e);
}
