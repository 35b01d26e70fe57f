#include "thumbnail_picture.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "libav.h"

#define QUALITY 5 /* of mjpeg's 2 (best) to 31 */

/* The picture of a packet that needs no other. */
static AVFrame *decode(const char *name, struct track *track, const struct media_packet *key,
                       struct transcode_figures *figures, struct backend_error *error)
{
    const struct decoder_config config = { .track = track, .name = name, .figures = figures, .threads = 1 };
    struct decoder *d = NULL;
    if (backend_cpu.decoder_open(&backend_cpu, &config, &d, error)) return NULL;
    AVPacket *packet = packet_hold(figures);
    AVFrame *frame = av_frame_alloc();
    bool is_done = packet && frame && av_new_packet(packet, (int)key->payload.bytes) >= 0;
    if (is_done) {
        memcpy(packet->data, key->payload.data, key->payload.bytes);
        packet->pts = packet->dts = key->pts_90k;
        packet->flags |= AV_PKT_FLAG_KEY;
        is_done = backend_cpu.decoder_send(d, packet) == STEP_DONE && backend_cpu.decoder_send(d, NULL) == STEP_DONE &&
                  backend_cpu.decoder_receive(d, frame) == STEP_DONE;
    }
    if (!is_done) {
        snprintf(error->text, sizeof error->text, "the keyframe could not be decoded");
        av_frame_free(&frame);
    }
    packet_release(figures, packet);
    backend_cpu.decoder_close(d);
    return frame;
}

/* As it is shown, in square pixels, its longer side at most `side`; even. */
static void choose_size(const AVFrame *f, uint32_t side, int *width, int *height)
{
    const AVRational sar = f->sample_aspect_ratio.num > 0 && f->sample_aspect_ratio.den > 0 ? f->sample_aspect_ratio
                                                                                            : (AVRational){ 1, 1 };
    const int64_t shown = av_rescale(f->width, sar.num, sar.den);
    const int64_t longer = shown > f->height ? shown : f->height, most = longer < side ? longer : side;
    *width = (int)(av_rescale(shown, most, longer) & ~1);
    *height = (int)(av_rescale(f->height, most, longer) & ~1);
    if (*width < 2) *width = 2;
    if (*height < 2) *height = 2;
}

static AVFrame *scale(const AVFrame *in, uint32_t side)
{
    AVFrame *out = av_frame_alloc();
    if (!out) return NULL;
    choose_size(in, side, &out->width, &out->height);
    out->format = AV_PIX_FMT_YUVJ420P; /* JPEG's range: swscale converts to it */
    struct SwsContext *sws = sws_getContext(in->width, in->height, (enum AVPixelFormat)in->format, out->width,
                                            out->height, AV_PIX_FMT_YUVJ420P, SWS_AREA, NULL, NULL, NULL);
    const bool is_done = sws && av_frame_get_buffer(out, 0) >= 0 &&
                         sws_scale(sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                                   out->linesize) == out->height;
    sws_freeContext(sws);
    if (!is_done) av_frame_free(&out);
    return out;
}

static struct frozen *encode(const char *name, AVFrame *f, struct transcode_figures *figures)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *c = codec ? codec_context_create(codec, name) : NULL;
    AVPacket *packet = packet_hold(figures);
    struct frozen *jpeg = NULL;
    if (c && packet) {
        c->width = f->width;
        c->height = f->height;
        c->pix_fmt = AV_PIX_FMT_YUVJ420P;
        c->time_base = (AVRational){ 1, 1 };
        c->thread_count = 1;
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = f->quality = QUALITY * FF_QP2LAMBDA;
        f->pts = 0;
        if (avcodec_open2(c, codec, NULL) >= 0 && avcodec_send_frame(c, f) >= 0 && avcodec_send_frame(c, NULL) >= 0 &&
            avcodec_receive_packet(c, packet) >= 0)
            jpeg = frozen_copy(packet->data, (size_t)packet->size);
    }
    packet_release(figures, packet);
    avcodec_free_context(&c);
    return jpeg;
}

struct frozen *thumbnail_picture_make(const char *name, struct track *track, const struct media_packet *key,
                                      uint32_t side, struct transcode_figures *figures, struct backend_error *error)
{
    AVFrame *large = decode(name, track, key, figures, error);
    if (!large) return NULL;
    AVFrame *small = scale(large, side);
    struct frozen *jpeg = small ? encode(name, small, figures) : NULL;
    if (!jpeg) snprintf(error->text, sizeof error->text, "the picture could not be scaled or encoded");
    av_frame_free(&small);
    av_frame_free(&large);
    return jpeg;
}
