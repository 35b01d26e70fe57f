/* Decoders: libavcodec's, with a hardware acceleration where the backend has one. */
#include "libav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct libav_decoder {
    struct decoder base; /* first */
    AVCodecContext *codec;
    struct transcode_figures *figures;
    enum AVPixelFormat surface; /* NONE: main memory */
};

static const AVCodec *find_decoder(enum media_codec codec, const struct libav_flavour *flavour)
{
    /* AV1: the usual decoder is quick, libavcodec's own works with hardware alone */
    static const char *const names[CODEC_VP9 + 1] = {
        [CODEC_H264] = "h264", [CODEC_HEVC] = "hevc", [CODEC_AV1] = "libdav1d", [CODEC_VP9] = "vp9"
    };
    if (codec > CODEC_VP9 || !names[codec]) return NULL;
    const bool is_av1_hardware = codec == CODEC_AV1 && flavour->device_type != AV_HWDEVICE_TYPE_NONE;
    const char *name = is_av1_hardware ? "av1" : names[codec];
    char full[32];
    snprintf(full, sizeof full, "%s%s", name, flavour->decoder_suffix ? flavour->decoder_suffix : "");
    return avcodec_find_decoder_by_name(full);
}

/* The driver cannot decode this stream: its profile, its size, its count of reference pictures. libavcodec tells it with the words of a
 * broken packet, and says it of every packet from there on. Hardware decoders have no threads: it is asked on the caller's. */
static _Thread_local bool is_refused;

/* Only the backend's own surfaces: a silent fall back to the CPU would be found out too late. */
static enum AVPixelFormat choose_format(AVCodecContext *c, const enum AVPixelFormat *offered)
{
    const AVHWDeviceContext *device = (const AVHWDeviceContext *)c->hw_device_ctx->data;
    for (; *offered != AV_PIX_FMT_NONE; offered++) {
        for (int i = 0;; i++) {
            const AVCodecHWConfig *way = avcodec_get_hw_config(c->codec, i);
            if (!way) break;
            if (way->device_type == device->type && way->pix_fmt == *offered) return *offered;
        }
    }
    is_refused = true;
    return AV_PIX_FMT_NONE;
}

static int set_extradata(AVCodecContext *c, struct byte_span config)
{
    if (!config.bytes) return 0;
    c->extradata = av_mallocz(config.bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!c->extradata) return AVERROR(ENOMEM);
    memcpy(c->extradata, config.data, config.bytes);
    c->extradata_size = (int)config.bytes;
    return 0;
}

static int open_codec(struct libav_decoder *d, const AVCodec *codec, const struct decoder_config *config)
{
    AVCodecContext *c = d->codec = codec_context_create(codec, config->name);
    if (!c) return AVERROR(ENOMEM);
    c->pkt_timebase = TIME_BASE_90K;
    c->thread_count = (int)config->threads;
    if (codec->id == AV_CODEC_ID_AV1) c->flags |= AV_CODEC_FLAG_LOW_DELAY; /* one frame in, one out */
    if (config->device && config->device->hardware) {
        c->thread_count = 1; /* each thread would want surfaces of its own, of which there are 32 */
        c->extra_hw_frames = (int)config->surfaces_extra;
        c->hw_device_ctx = av_buffer_ref(config->device->hardware);
        c->get_format = choose_format;
        if (!c->hw_device_ctx) return AVERROR(ENOMEM);
    }
    const int failed = set_extradata(c, track_config(config->track));
    return failed ? failed : avcodec_open2(c, codec, NULL);
}

enum weir_err libav_decoder_open(const struct backend *b, const struct decoder_config *config, struct decoder **out,
                                 struct backend_error *error)
{
    const struct libav_flavour *flavour = b->flavour;
    const struct codec_facts *facts = track_facts(config->track);
    const AVCodec *codec = find_decoder(facts->codec, flavour);
    if (!codec) {
        snprintf(error->text, sizeof error->text, "%s: this FFmpeg has no decoder for %s", b->name,
                 codec_name(facts->codec));
        return WEIR_UNSUPPORTED;
    }
    struct libav_decoder *d = calloc(1, sizeof *d);
    if (!d) return WEIR_NOMEM;
    d->base.backend = b;
    d->figures = config->figures;
    d->surface = flavour->device_type == AV_HWDEVICE_TYPE_NONE ? AV_PIX_FMT_NONE : flavour->pixel_format;
    transcode_count(d->figures, FIGURE_DECODERS_ALIVE, 1);
    libav_log_capture();
    const int failed = open_codec(d, codec, config);
    if (failed < 0) {
        char what[64];
        snprintf(what, sizeof what, "%s: cannot open the %s decoder", b->name, codec->name);
        libav_error(error, what, failed, NULL);
        libav_decoder_close(&d->base);
        return WEIR_IO;
    }
    libav_log_captured();
    *out = &d->base;
    return WEIR_OK;
}

enum backend_step libav_decoder_send(struct decoder *base, const AVPacket *packet)
{
    struct libav_decoder *d = (struct libav_decoder *)base;
    is_refused = false;
    const int code = avcodec_send_packet(d->codec, packet);
    if (is_refused) return STEP_FAILED;
    if (code == AVERROR(EAGAIN)) return STEP_AGAIN;
    if (code == AVERROR_EOF) return STEP_END;
    if (code == AVERROR(ENOMEM) || code == AVERROR_EXTERNAL || code == AVERROR(ENOSYS)) return STEP_FAILED;
    return code < 0 ? STEP_BAD : STEP_DONE;
}

enum backend_step libav_decoder_receive(struct decoder *base, AVFrame *frame)
{
    struct libav_decoder *d = (struct libav_decoder *)base;
    is_refused = false;
    const int code = avcodec_receive_frame(d->codec, frame);
    if (is_refused) return STEP_FAILED;
    if (code == AVERROR(EAGAIN)) return STEP_AGAIN;
    if (code == AVERROR_EOF) return STEP_END;
    if (code == AVERROR(ENOMEM) || code == AVERROR_EXTERNAL || code == AVERROR(ENOSYS)) return STEP_FAILED;
    if (code < 0) return STEP_BAD;
    if (d->surface != AV_PIX_FMT_NONE && frame->format != d->surface) {
        av_frame_unref(frame);
        return STEP_FAILED;
    }
    return STEP_DONE;
}

void libav_decoder_close(struct decoder *base)
{
    struct libav_decoder *d = (struct libav_decoder *)base;
    if (!d) return;
    avcodec_free_context(&d->codec);
    transcode_count(d->figures, FIGURE_DECODERS_ALIVE, -1);
    free(d);
}
