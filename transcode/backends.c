/* The backends that libav gives: which device, which filters, which encoders. */
#include "libav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum weir_err libav_device_open(const struct backend *b, uint32_t index, struct backend_device **out,
                                struct backend_error *error)
{
    const struct libav_flavour *flavour = b->flavour;
    struct backend_device *d = calloc(1, sizeof *d);
    if (!d) return WEIR_NOMEM;
    d->backend = b;
    d->index = index;
    if (flavour->device_type == AV_HWDEVICE_TYPE_NONE) {
        *out = d;
        return WEIR_OK;
    }
    char place[32];
    AVDictionary *options = NULL;
    if (flavour->device_type == AV_HWDEVICE_TYPE_CUDA) {
        snprintf(place, sizeof place, "%u", index);
        av_dict_set(&options, "primary_ctx", "1", 0); /* one context per card, however many ladders */
    } else {
        snprintf(place, sizeof place, "/dev/dri/renderD%u", 128 + index);
        if (access(place, F_OK)) {
            snprintf(error->text, sizeof error->text, "%s: there is no %s; %s", b->name, place, flavour->advice);
            free(d);
            return WEIR_NOT_FOUND;
        }
        if (flavour->device_type == AV_HWDEVICE_TYPE_QSV) av_dict_set(&options, "child_device", place, 0);
    }
    const bool is_qsv = flavour->device_type == AV_HWDEVICE_TYPE_QSV;
    libav_log_capture();
    const int code = av_hwdevice_ctx_create(&d->hardware, flavour->device_type, is_qsv ? "auto" : place, options, 0);
    av_dict_free(&options);
    if (code < 0) {
        char what[64];
        snprintf(what, sizeof what, "%s: no device %u", b->name, index);
        libav_error(error, what, code, flavour->advice);
        free(d);
        return WEIR_NOT_FOUND;
    }
    libav_log_captured();
    *out = d;
    return WEIR_OK;
}

void libav_device_close(struct backend_device *d)
{
    if (!d) return;
    av_buffer_unref(&d->hardware);
    free(d);
}

#define CPU_ENCODERS                                                                                                   \
    {                                                                                                                  \
        [CODEC_H264] = { "libx264" }, [CODEC_HEVC] = { "libx265" }, [CODEC_AV1] = { "libsvtav1", "libaom-av1" }        \
    }

static const struct libav_flavour cpu = { .device_type = AV_HWDEVICE_TYPE_NONE,
                                          .pixel_format = AV_PIX_FMT_NONE,
                                          .encoders = CPU_ENCODERS };

#define NVIDIA_ADVICE                                                                                                  \
    "install the NVIDIA driver (libcuda, libnvcuvid, libnvidia-encode) and give weir access to /dev/nvidia*"
static const struct libav_flavour nvidia = {
    .device_type = AV_HWDEVICE_TYPE_CUDA,
    .pixel_format = AV_PIX_FMT_CUDA,
    .scale_filter = "scale_cuda=w=%u:h=%u:format=%s:interp_algo=bicubic",
    .deinterlace_filter = "yadif_cuda=mode=send_frame:deint=interlaced",
    .encoders = { [CODEC_H264] = { "h264_nvenc" }, [CODEC_HEVC] = { "hevc_nvenc" }, [CODEC_AV1] = { "av1_nvenc" } },
    .advice = NVIDIA_ADVICE,
};
/* Data-centre cards (A100, H100, H200) decode and scale, and have no encoder. */
static const struct libav_flavour nvidia_split = {
    .device_type = AV_HWDEVICE_TYPE_CUDA,
    .pixel_format = AV_PIX_FMT_CUDA,
    .scale_filter = "scale_cuda=w=%u:h=%u:format=%s:interp_algo=bicubic",
    .deinterlace_filter = "yadif_cuda=mode=send_frame:deint=interlaced",
    .encoders = CPU_ENCODERS,
    .encodes_in_main_memory = true,
    .advice = NVIDIA_ADVICE,
};
#define RENDER_ADVICE "install the VA-API driver of the GPU and give weir access to /dev/dri/renderD128 (group render)"
static const struct libav_flavour vaapi = {
    .device_type = AV_HWDEVICE_TYPE_VAAPI,
    .pixel_format = AV_PIX_FMT_VAAPI,
    .scale_filter = "scale_vaapi=w=%u:h=%u:format=%s",
    .deinterlace_filter = "deinterlace_vaapi=rate=frame:auto=1",
    .encoders = { [CODEC_H264] = { "h264_vaapi" }, [CODEC_HEVC] = { "hevc_vaapi" } },
    .advice = RENDER_ADVICE,
};
static const struct libav_flavour qsv = {
    .device_type = AV_HWDEVICE_TYPE_QSV,
    .pixel_format = AV_PIX_FMT_QSV,
    .scale_filter = "scale_qsv=w=%u:h=%u:format=%s",
    .deinterlace_filter = "deinterlace_qsv",
    .decoder_suffix = "_qsv",
    .encoders = { [CODEC_H264] = { "h264_qsv" }, [CODEC_HEVC] = { "hevc_qsv" } },
    .advice = "install Intel's media runtime for this GPU and give weir access to /dev/dri/renderD128 (group render)",
};

#define LIBAV_FUNCTIONS                                                                                                \
    .device_open = libav_device_open, .device_close = libav_device_close, .decoder_open = libav_decoder_open,          \
    .decoder_send = libav_decoder_send, .decoder_receive = libav_decoder_receive,                                      \
    .decoder_close = libav_decoder_close, .scaler_open = libav_scaler_open, .scaler_run = libav_scaler_run,            \
    .scaler_close = libav_scaler_close, .encoder_open = libav_encoder_open, .encoder_send = libav_encoder_send,        \
    .encoder_receive = libav_encoder_receive, .encoder_close = libav_encoder_close

const struct backend backend_nvidia = { .name = "nvidia", .is_gpu = true, .flavour = &nvidia, LIBAV_FUNCTIONS };
const struct backend backend_nvidia_split = {
    .name = "nvidia-split", .is_gpu = true, .encodes_on_cpu = true, .flavour = &nvidia_split, LIBAV_FUNCTIONS
};
const struct backend backend_vaapi = { .name = "vaapi", .is_gpu = true, .flavour = &vaapi, LIBAV_FUNCTIONS };
const struct backend backend_qsv = { .name = "qsv", .is_gpu = true, .flavour = &qsv, LIBAV_FUNCTIONS };
const struct backend backend_cpu = { .name = "cpu", .flavour = &cpu, LIBAV_FUNCTIONS };
