#include "media_work.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <string.h>

#include "media_draw.h"

#define SAMPLE_RATE 48000
#define AAC_FRAME_SAMPLES 1024
#define LOOP_SECONDS 8 /* 375 AAC frames exactly: sound has no seam where the picture's rate is whole */

static enum weir_err complain(struct media_draft *d, enum weir_err err, const char *what, int av_error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (av_error) av_strerror(av_error, text, sizeof text);
    snprintf(d->why, sizeof d->why, "%s%s%s", what, av_error ? ": " : "", text);
    return err;
}

struct coder {
    AVCodecContext *context;
    AVFrame *frame;
    AVPacket *packet;
};

static void coder_close(struct coder *c)
{
    avcodec_free_context(&c->context);
    av_frame_free(&c->frame);
    av_packet_free(&c->packet);
}

static bool coder_find(struct coder *c, const char *name)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (codec) c->context = avcodec_alloc_context3(codec);
    c->frame = av_frame_alloc();
    c->packet = av_packet_alloc();
    return c->context && c->frame && c->packet;
}

typedef enum weir_err take_fn(struct media_draft *d, const AVPacket *p, const AVCodecContext *c);

/* frame NULL: what is still inside. */
static enum weir_err encode(struct coder *c, AVFrame *frame, struct media_draft *d, take_fn *take)
{
    int result = avcodec_send_frame(c->context, frame);
    enum weir_err err = WEIR_OK;
    while (result >= 0 && !err && (result = avcodec_receive_packet(c->context, c->packet)) >= 0) {
        err = take(d, c->packet, c->context);
        av_packet_unref(c->packet);
    }
    if (!err && result < 0 && result != AVERROR(EAGAIN) && result != AVERROR_EOF)
        err = complain(d, WEIR_IO, "an encoder failed", result);
    return err;
}

/* -- video -- */

static enum weir_err take_video(struct media_draft *d, const AVPacket *p, const AVCodecContext *c)
{
    const AVRational to = { 1, 90000 };
    return media_draft_video(d, c->codec_id == AV_CODEC_ID_HEVC ? CODEC_HEVC : CODEC_H264,
                             (struct byte_span){ p->data, (size_t)p->size }, av_rescale_q(p->pts, c->time_base, to),
                             av_rescale_q(p->dts, c->time_base, to), p->flags & AV_PKT_FLAG_KEY);
}

static enum weir_err open_video(struct coder *c, const struct media_source_config *config, struct media_draft *d)
{
    const bool is_hevc = config->video == CODEC_HEVC;
    if (!coder_find(c, is_hevc ? "libx265" : "libx264"))
        return complain(d, WEIR_UNSUPPORTED, is_hevc ? "this FFmpeg has no libx265" : "this FFmpeg has no libx264", 0);
    AVCodecContext *v = c->context;
    v->width = (int)config->width;
    v->height = (int)config->height;
    v->pix_fmt = AV_PIX_FMT_YUV420P;
    v->time_base = (AVRational){ (int)config->fps_den, (int)config->fps_num };
    v->framerate = (AVRational){ (int)config->fps_num, (int)config->fps_den };
    v->gop_size = v->keyint_min = (int)config->gop_frames;
    v->bit_rate = (int64_t)config->bitrate_kbps * 1000;
    v->rc_max_rate = v->bit_rate;
    v->rc_buffer_size = (int)v->bit_rate;
    av_opt_set(v->priv_data, "preset", is_hevc ? "ultrafast" : "superfast", 0);
    if (is_hevc) {
        char parameters[128];
        snprintf(parameters, sizeof parameters, "log-level=error:scenecut=0:open-gop=0:keyint=%u:min-keyint=%u",
                 config->gop_frames, config->gop_frames);
        av_opt_set(v->priv_data, "x265-params", parameters, 0);
    } else {
        v->max_b_frames = 2;
        av_opt_set(v->priv_data, "x264-params", "scenecut=0:open-gop=0", 0);
    }
    const int result = avcodec_open2(v, NULL, NULL);
    return result < 0 ? complain(d, WEIR_IO, "the video encoder does not open", result) : WEIR_OK;
}

static void draw(AVFrame *f, const struct media_source_config *config, uint32_t number)
{
    struct picture p = { .width = config->width, .height = config->height };
    for (int i = 0; i < 3; i++) p.plane[i] = f->data[i], p.stride[i] = (size_t)f->linesize[i];
    media_draw(&p, number, (int64_t)number * 1000000 * config->fps_den / config->fps_num);
    f->pts = number;
}

static enum weir_err make_video(const struct media_source_config *config, uint32_t frames, struct media_draft *d)
{
    struct coder c = { 0 };
    enum weir_err err = open_video(&c, config, d);
    if (!err) {
        c.frame->format = AV_PIX_FMT_YUV420P;
        c.frame->width = (int)config->width;
        c.frame->height = (int)config->height;
        if (av_frame_get_buffer(c.frame, 0) < 0) err = complain(d, WEIR_NOMEM, "no memory for a picture", 0);
    }
    for (uint32_t i = 0; i < frames && !err; i++) {
        if (av_frame_make_writable(c.frame) < 0) err = complain(d, WEIR_NOMEM, "no memory for a picture", 0);
        if (err) break;
        draw(c.frame, config, i);
        err = encode(&c, c.frame, d, take_video);
    }
    if (!err) err = encode(&c, NULL, d, take_video);
    coder_close(&c);
    return err;
}

/* -- audio -- */

/* The second time through the loop is kept: its first frame follows on its last. */
static enum weir_err take_audio(struct media_draft *d, const AVPacket *p, const AVCodecContext *c)
{
    const int64_t loop_samples = (int64_t)(intptr_t)c->opaque;
    enum weir_err err = WEIR_OK;
    if (!d->audio_config)
        err = media_draft_configure(d, CODEC_AAC, (struct byte_span){ c->extradata, (size_t)c->extradata_size });
    if (err || p->pts < loop_samples || p->pts >= 2 * loop_samples) return err;
    return media_draft_audio(d, (struct byte_span){ p->data, (size_t)p->size },
                             (p->pts - loop_samples) * 90000 / SAMPLE_RATE);
}

static enum weir_err make_audio(uint32_t frames, struct media_draft *d)
{
    struct coder c = { 0 };
    const int64_t loop_samples = (int64_t)frames * AAC_FRAME_SAMPLES;
    enum weir_err err = WEIR_OK;
    if (!coder_find(&c, "aac")) err = complain(d, WEIR_UNSUPPORTED, "this FFmpeg has no AAC encoder", 0);
    if (!err) {
        c.context->sample_rate = SAMPLE_RATE;
        c.context->sample_fmt = AV_SAMPLE_FMT_FLTP;
        c.context->time_base = (AVRational){ 1, SAMPLE_RATE };
        av_channel_layout_default(&c.context->ch_layout, 2);
        c.context->bit_rate = 128000;
        c.context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        c.context->opaque = (void *)(intptr_t)loop_samples;
        const int result = avcodec_open2(c.context, NULL, NULL);
        if (result < 0) err = complain(d, WEIR_IO, "the audio encoder does not open", result);
    }
    if (!err) {
        c.frame->format = AV_SAMPLE_FMT_FLTP;
        c.frame->nb_samples = AAC_FRAME_SAMPLES;
        c.frame->sample_rate = SAMPLE_RATE;
        av_channel_layout_default(&c.frame->ch_layout, 2);
        if (av_frame_get_buffer(c.frame, 0) < 0) err = complain(d, WEIR_NOMEM, "no memory for sound", 0);
    }
    for (int64_t at = 0; at < 2 * loop_samples + 4 * AAC_FRAME_SAMPLES && !err; at += AAC_FRAME_SAMPLES) {
        if (av_frame_make_writable(c.frame) < 0) err = complain(d, WEIR_NOMEM, "no memory for sound", 0);
        if (err) break;
        for (int i = 0; i < AAC_FRAME_SAMPLES; i++) {
            const float level = media_sound((at + i) % loop_samples, SAMPLE_RATE);
            ((float *)(void *)c.frame->data[0])[i] = ((float *)(void *)c.frame->data[1])[i] = level;
        }
        c.frame->pts = at;
        err = encode(&c, c.frame, d, take_audio);
    }
    coder_close(&c);
    return err;
}

enum weir_err media_encode(const struct media_source_config *config, struct media_draft *d)
{
    const uint32_t gop = config->has_video ? config->gop_frames : 1;
    uint32_t frames = 0;
    int64_t loop_90k = LOOP_SECONDS * 90000;
    enum weir_err err = WEIR_OK;
    if (config->has_video) {
        const uint64_t wanted = (uint64_t)LOOP_SECONDS * config->fps_num / config->fps_den;
        frames = (uint32_t)((wanted + gop - 1) / gop) * gop;
        loop_90k = (int64_t)frames * 90000 * config->fps_den / config->fps_num;
        d->facts.fps_num = config->fps_num;
        d->facts.fps_den = config->fps_den;
        err = make_video(config, frames, d);
    }
    if (!err && config->has_audio) {
        const int64_t ticks = (int64_t)AAC_FRAME_SAMPLES * 90000 / SAMPLE_RATE;
        err = make_audio((uint32_t)((loop_90k + ticks / 2) / ticks), d);
    }
    return err ? err : media_draft_loop(d, loop_90k);
}
