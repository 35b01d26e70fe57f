/* What each encoder is told, so that all of them make the same kind of stream: an IDR exactly where it is asked for and nowhere else,
 * closed GOPs, bounded rate, and with low latency one packet out for each frame in. */
#include <stdio.h>
#include <string.h>

#include "libav.h"

#define GOP_ENDLESS (1 << 20) /* keyframes come from the plan alone */
#define NORMAL_B_FRAMES 2

static void set_uint(AVDictionary **options, const char *key, unsigned value)
{
    av_dict_set_int(options, key, value, 0);
}

static void set_x264(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    av_dict_set(options, "preset", preset_speed_name(config->speed), 0);
    if (config->latency == LADDER_LATENCY_LOW) av_dict_set(options, "tune", "zerolatency", 0);
    if (config->rung->profile[0]) av_dict_set(options, "profile", config->rung->profile, 0);
    av_dict_set(options, "forced-idr", "1", 0);
    av_dict_set(options, "a53cc", "0", 0); /* weir writes captions itself, for all encoders alike */
    char params[96];
    snprintf(params, sizeof params, "scenecut=0:open-gop=0:min-keyint=1:keyint=infinite:threads=%u", config->threads);
    av_dict_set(options, "x264-params", params, 0);
}

static void set_x265(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    av_dict_set(options, "preset", preset_speed_name(config->speed), 0);
    if (config->latency == LADDER_LATENCY_LOW) av_dict_set(options, "tune", "zerolatency", 0);
    if (config->rung->profile[0]) av_dict_set(options, "profile", config->rung->profile, 0);
    av_dict_set(options, "forced-idr", "1", 0);
    char params[192];
    /* log-level: x265 would write to standard error past every callback */
    snprintf(params, sizeof params,
             "log-level=none:scenecut=0:open-gop=0:min-keyint=1:keyint=-1:repeat-headers=1:frame-threads=1:pools=%u:"
             "info=0%s",
             config->threads, config->latency == LADDER_LATENCY_LOW ? ":rc-lookahead=0" : "");
    av_dict_set(options, "x265-params", params, 0);
}

static void set_svt_av1(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    static const uint8_t presets[PRESET_COUNT] = {
        [PRESET_ULTRAFAST] = 12, [PRESET_SUPERFAST] = 11, [PRESET_VERYFAST] = 10, [PRESET_FASTER] = 9,
        [PRESET_FAST] = 8,       [PRESET_MEDIUM] = 7,     [PRESET_SLOW] = 6
    };
    set_uint(options, "preset", presets[config->speed]);
    char params[160];
    snprintf(params, sizeof params, "pred-struct=1:lookahead=0:scd=0:keyint=-1:lp=%u:tile-columns=0", config->threads);
    av_dict_set(options, "svtav1-params", params, 0);
    c->rc_max_rate = 0; /* its low-delay structure knows CBR and VBR, and no cap beside them */
    c->rc_buffer_size = 0;
}

static void set_aom_av1(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    static const uint8_t presets[PRESET_COUNT] = {
        [PRESET_ULTRAFAST] = 8, [PRESET_SUPERFAST] = 8, [PRESET_VERYFAST] = 8, [PRESET_FASTER] = 7,
        [PRESET_FAST] = 7,      [PRESET_MEDIUM] = 6,    [PRESET_SLOW] = 5
    };
    av_dict_set(options, "usage", "realtime", 0);
    set_uint(options, "cpu-used", presets[config->speed]);
    set_uint(options, "lag-in-frames", 0);
    av_dict_set(options, "row-mt", "1", 0);
    c->rc_min_rate = c->rc_max_rate = c->bit_rate; /* realtime is made for CBR */
    c->keyint_min = GOP_ENDLESS;
}

static void set_nvenc(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    static const char *const presets[PRESET_COUNT] = {
        [PRESET_ULTRAFAST] = "p1", [PRESET_SUPERFAST] = "p2", [PRESET_VERYFAST] = "p3", [PRESET_FASTER] = "p4",
        [PRESET_FAST] = "p5",      [PRESET_MEDIUM] = "p6",    [PRESET_SLOW] = "p7"
    };
    av_dict_set(options, "preset", presets[config->speed], 0);
    av_dict_set(options, "tune", config->latency == LADDER_LATENCY_LOW ? "ull" : "hq", 0);
    if (config->rung->profile[0]) av_dict_set(options, "profile", config->rung->profile, 0);
    av_dict_set(options, "rc", config->rung->max_rate_bps > config->rung->bitrate_bps ? "vbr" : "cbr", 0);
    av_dict_set(options, "forced-idr", "1", 0);
    av_dict_set(options, "no-scenecut", "1", 0);
    av_dict_set(options, "strict_gop", "1", 0);
    av_dict_set(options, "b_ref_mode", "disabled", 0);
    av_dict_set(options, "multipass", "disabled", 0);
    av_dict_set(options, "a53cc", "0", 0);
    set_uint(options, "rc-lookahead", 0);
    set_uint(options, "delay", 0);
    if (config->latency == LADDER_LATENCY_LOW) av_dict_set(options, "zerolatency", "1", 0);
    if (config->device) set_uint(options, "gpu", config->device->index);
}

static void set_vaapi(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    av_dict_set(options, "rc_mode", config->rung->max_rate_bps > config->rung->bitrate_bps ? "VBR" : "CBR", 0);
    set_uint(options, "idr_interval", 0); /* every keyframe is an IDR */
    set_uint(options, "async_depth", config->latency == LADDER_LATENCY_LOW ? 1 : 2);
    set_uint(options, "sei", 0);
}

static void set_qsv(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    av_dict_set(options, "preset", config->speed <= PRESET_VERYFAST ? "veryfast" : preset_speed_name(config->speed), 0);
    c->gop_size = UINT16_MAX; /* more does not fit into the driver's field, and would leave the distance to it */
    av_dict_set(options, "forced_idr", "1", 0);
    if (config->rung->codec == CODEC_H264) { /* libav's HEVC encoder has none of these */
        av_dict_set(options, "look_ahead", "0", 0);
        av_dict_set(options, "adaptive_i", "0", 0);
        av_dict_set(options, "adaptive_b", "0", 0);
        av_dict_set(options, "a53cc", "0", 0);
    }
    set_uint(options, "async_depth", config->latency == LADDER_LATENCY_LOW ? 1 : 4);
}

void encoder_options_set(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config)
{
    static const struct {
        const char *name;
        void (*set)(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config);
        bool has_b_frames;
    } encoders[] = {
        { "libx264", set_x264, true },        { "libx265", set_x265, true },      { "libsvtav1", set_svt_av1, false },
        { "libaom-av1", set_aom_av1, false }, { "h264_nvenc", set_nvenc, true },  { "hevc_nvenc", set_nvenc, false },
        { "av1_nvenc", set_nvenc, false },    { "h264_vaapi", set_vaapi, false }, { "hevc_vaapi", set_vaapi, false },
        { "h264_qsv", set_qsv, true },        { "hevc_qsv", set_qsv, false },
    };
    const struct rung_plan *r = config->rung;
    c->time_base = TIME_BASE_90K;
    c->framerate = r->fps_den ? (AVRational){ (int)r->fps_num, (int)r->fps_den } : (AVRational){ 30, 1 };
    c->bit_rate = (int64_t)r->bitrate_bps;
    c->rc_max_rate = (int64_t)r->max_rate_bps;
    c->rc_buffer_size = (int)r->buffer_bits;
    c->gop_size = GOP_ENDLESS;
    c->max_b_frames = 0;
    c->thread_count = (int)config->threads;
    c->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
        if (strcmp(c->codec->name, encoders[i].name)) continue;
        if (encoders[i].has_b_frames && config->latency == LADDER_LATENCY_NORMAL) c->max_b_frames = NORMAL_B_FRAMES;
        encoders[i].set(c, options, config);
    }
}
