/* Scalers: swscale in main memory, with a pool of pictures; a filter graph for surfaces and for deinterlacing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "filter_library.h"
#include "libav.h"

#define ROW_ALIGN 64 /* bytes: what AVX-512 code wants */

struct libav_scaler {
    struct scaler base; /* first */
    struct transcode_figures *figures;
    /* main memory */
    struct SwsContext *sws;
    AVBufferPool *pool;
    int width, height;
    enum AVPixelFormat format;
    /* surfaces, deinterlacing */
    const struct filter_library *filters;
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
};

/* -- main memory -- */

static int open_sws(struct libav_scaler *s, const AVFrame *like)
{
    struct SwsContext *sws = s->sws = sws_alloc_context();
    if (!sws) return AVERROR(ENOMEM);
    av_opt_set_int(sws, "srcw", like->width, 0);
    av_opt_set_int(sws, "srch", like->height, 0);
    av_opt_set_int(sws, "src_format", like->format, 0);
    av_opt_set_int(sws, "dstw", s->width, 0);
    av_opt_set_int(sws, "dsth", s->height, 0);
    av_opt_set_int(sws, "dst_format", s->format, 0);
    av_opt_set_int(sws, "sws_flags", SWS_BICUBIC, 0);
    /* colours stay what they are: same matrix and range on both sides, and said so to the encoder */
    const int *matrix = sws_getCoefficients(like->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT
                                                                                      : (int)like->colorspace);
    const int range = like->color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(sws, matrix, range, matrix, range, 0, 1 << 16, 1 << 16);
    const int failed = sws_init_context(sws, NULL, NULL);
    if (failed < 0) return failed;
    const int bytes = av_image_get_buffer_size(s->format, s->width, s->height, ROW_ALIGN);
    if (bytes < 0) return bytes;
    s->pool = av_buffer_pool_init((size_t)bytes + ROW_ALIGN, NULL);
    return s->pool ? 0 : AVERROR(ENOMEM);
}

static int take_picture(struct libav_scaler *s, AVFrame *out)
{
    out->buf[0] = av_buffer_pool_get(s->pool);
    if (!out->buf[0]) return AVERROR(ENOMEM);
    out->width = s->width;
    out->height = s->height;
    out->format = s->format;
    uint8_t *aligned = (uint8_t *)FFALIGN((uintptr_t)out->buf[0]->data, ROW_ALIGN);
    return av_image_fill_arrays(out->data, out->linesize, aligned, s->format, s->width, s->height, ROW_ALIGN);
}

static enum backend_step run_sws(struct libav_scaler *s, const AVFrame *in, AVFrame *out)
{
    if (!in) return STEP_END;
    if (av_frame_copy_props(out, in) < 0 || take_picture(s, out) < 0) return STEP_FAILED;
    out->sample_aspect_ratio = (AVRational){ 1, 1 };
    const int rows = sws_scale(s->sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                               out->linesize);
    return rows == s->height ? STEP_DONE : STEP_FAILED;
}

/* -- filter graphs -- */

static int open_source(struct libav_scaler *s, const AVFrame *like)
{
    s->source = s->filters->avfilter_graph_alloc_filter(s->graph, s->filters->avfilter_get_by_name("buffer"), "in");
    AVBufferSrcParameters *p = s->source ? s->filters->av_buffersrc_parameters_alloc() : NULL;
    if (!p) return AVERROR(ENOMEM);
    p->format = like->format;
    p->time_base = TIME_BASE_90K;
    p->width = like->width;
    p->height = like->height;
    p->sample_aspect_ratio = like->sample_aspect_ratio.num ? like->sample_aspect_ratio : (AVRational){ 1, 1 };
    p->hw_frames_ctx = like->hw_frames_ctx;
    const int failed = s->filters->av_buffersrc_parameters_set(s->source, p);
    av_free(p);
    return failed < 0 ? failed : s->filters->avfilter_init_str(s->source, NULL);
}

/* description: one or more filters between the source and the sink. */
static int open_graph(struct libav_scaler *s, const AVFrame *like, const char *description)
{
    s->filters = filter_library();
    if (!s->filters) return AVERROR_FILTER_NOT_FOUND;
    s->graph = s->filters->avfilter_graph_alloc();
    if (!s->graph) return AVERROR(ENOMEM);
    s->graph->nb_threads = 1; /* a thread of the ladder is one core's worth */
    int failed = open_source(s, like);
    if (failed < 0) return failed;
    failed = s->filters->avfilter_graph_create_filter(&s->sink, s->filters->avfilter_get_by_name("buffersink"), "out",
                                                      NULL, NULL, s->graph);
    if (failed < 0) return failed;
    AVFilterInOut *outputs = s->filters->avfilter_inout_alloc(), *inputs = s->filters->avfilter_inout_alloc();
    if (outputs && inputs) {
        *outputs = (AVFilterInOut){ .name = av_strdup("in"), .filter_ctx = s->source };
        *inputs = (AVFilterInOut){ .name = av_strdup("out"), .filter_ctx = s->sink };
        failed = s->filters->avfilter_graph_parse_ptr(s->graph, description, &inputs, &outputs, NULL);
    } else {
        failed = AVERROR(ENOMEM);
    }
    s->filters->avfilter_inout_free(&outputs);
    s->filters->avfilter_inout_free(&inputs);
    return failed < 0 ? failed : s->filters->avfilter_graph_config(s->graph, NULL);
}

static enum backend_step run_graph(struct libav_scaler *s, const AVFrame *in, AVFrame *out)
{
    AVFrame *lent = (AVFrame *)in; /* kept: the graph takes a reference of its own */
    if (s->filters->av_buffersrc_add_frame_flags(s->source, lent, AV_BUFFERSRC_FLAG_KEEP_REF) < 0 && in)
        return STEP_FAILED;
    const int code = s->filters->av_buffersink_get_frame(s->sink, out);
    if (code == AVERROR(EAGAIN)) return STEP_AGAIN;
    if (code == AVERROR_EOF) return STEP_END;
    if (code < 0) return STEP_FAILED;
    out->pts = av_rescale_q(out->pts, s->filters->av_buffersink_get_time_base(s->sink), TIME_BASE_90K);
    return STEP_DONE;
}

/* -- both -- */

static int open_any(struct libav_scaler *s, const struct libav_flavour *flavour, const struct scaler_config *config)
{
    const bool is_surface = config->like->hw_frames_ctx != NULL;
    char description[160];
    if (config->is_deinterlacer) {
        snprintf(description, sizeof description, "%s",
                 is_surface ? flavour->deinterlace_filter : "bwdif=mode=send_frame:deint=interlaced");
        return open_graph(s, config->like, description);
    }
    if (!is_surface) return open_sws(s, config->like);
    if (!flavour->scale_filter) return AVERROR(ENOSYS);
    snprintf(description, sizeof description, flavour->scale_filter, config->width, config->height,
             config->bit_depth > 8 ? "p010" : "nv12");
    return open_graph(s, config->like, description);
}

enum weir_err libav_scaler_open(const struct backend *b, const struct scaler_config *config, struct scaler **out,
                                struct backend_error *error)
{
    struct libav_scaler *s = calloc(1, sizeof *s);
    if (!s) return WEIR_NOMEM;
    s->base.backend = b;
    s->figures = config->figures;
    s->width = (int)config->width;
    s->height = (int)config->height;
    s->format = config->bit_depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    transcode_count(s->figures, FIGURE_SCALERS_ALIVE, 1);
    libav_log_capture();
    const int failed = open_any(s, b->flavour, config);
    if (failed < 0) {
        char what[96];
        const char *format = av_get_pix_fmt_name(config->like->format);
        snprintf(what, sizeof what, "%s: cannot scale %s to %ux%u", b->name, format ? format : "?", config->width,
                 config->height);
        libav_error(error, what, failed, NULL);
        libav_scaler_close(&s->base);
        return WEIR_IO;
    }
    libav_log_captured();
    *out = &s->base;
    return WEIR_OK;
}

enum backend_step libav_scaler_run(struct scaler *base, const AVFrame *in, AVFrame *out)
{
    struct libav_scaler *s = (struct libav_scaler *)base;
    return s->graph ? run_graph(s, in, out) : run_sws(s, in, out);
}

void libav_scaler_close(struct scaler *base)
{
    struct libav_scaler *s = (struct libav_scaler *)base;
    if (!s) return;
    sws_freeContext(s->sws);
    av_buffer_pool_uninit(&s->pool); /* pictures still held keep it alive */
    if (s->graph) s->filters->avfilter_graph_free(&s->graph);
    transcode_count(s->figures, FIGURE_SCALERS_ALIVE, -1);
    free(s);
}
