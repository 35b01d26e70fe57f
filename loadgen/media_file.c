#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/base/limits.h>

#include "format_library.h"
#include "media_work.h"

static enum weir_err complain(struct media_draft *d, enum weir_err err, const char *path, const char *what,
                              int av_error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (av_error) av_strerror(av_error, text, sizeof text);
    snprintf(d->why, sizeof d->why, "%s: %s%s%s", path, what, av_error ? ": " : "", text);
    return err;
}

static enum weir_err check_size(const char *path, struct media_draft *d)
{
    struct stat s;
    if (stat(path, &s)) return complain(d, WEIR_IO, path, "there is no such file, or it cannot be read", 0);
    if (!S_ISREG(s.st_mode)) return complain(d, WEIR_UNSUPPORTED, path, "a file was expected", 0);
    if (s.st_size > LOADGEN_SOURCE_BYTES_MAX)
        return complain(d, WEIR_LIMIT, path, "it is larger than LOADGEN_SOURCE_BYTES_MAX, 512 MiB", 0);
    return WEIR_OK;
}

struct input {
    const struct format_library *f;
    AVFormatContext *context;
    AVPacket *packet;
    int video, audio; /* streams; negative: none */
};

static enum media_codec codec_of(const AVStream *s)
{
    return s->codecpar->codec_id == AV_CODEC_ID_HEVC ? CODEC_HEVC : CODEC_H264;
}

/* Start codes in front of parameter sets are no configuration record: the frames will tell. */
static struct byte_span config_of(const AVStream *s)
{
    const AVCodecParameters *p = s->codecpar;
    const bool is_record = p->extradata_size > 0 && (p->codec_type == AVMEDIA_TYPE_AUDIO || p->extradata[0] == 1);
    return is_record ? (struct byte_span){ p->extradata, (size_t)p->extradata_size } : (struct byte_span){ NULL, 0 };
}

static enum weir_err choose(struct input *in, const char *path, struct media_draft *d)
{
    enum weir_err err = WEIR_OK;
    in->video = in->f->av_find_best_stream(in->context, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    in->audio = in->f->av_find_best_stream(in->context, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (in->video >= 0) {
        const AVStream *s = in->context->streams[in->video];
        if (s->codecpar->codec_id != AV_CODEC_ID_H264 && s->codecpar->codec_id != AV_CODEC_ID_HEVC)
            return complain(d, WEIR_UNSUPPORTED, path, "its video is neither H.264 nor HEVC", 0);
        if (s->avg_frame_rate.num > 0) {
            d->facts.fps_num = (uint32_t)s->avg_frame_rate.num;
            d->facts.fps_den = (uint32_t)s->avg_frame_rate.den;
        }
        err = media_draft_configure(d, codec_of(s), config_of(s));
    }
    if (!err && in->audio >= 0) {
        const AVStream *s = in->context->streams[in->audio];
        if (s->codecpar->codec_id != AV_CODEC_ID_AAC)
            return complain(d, WEIR_UNSUPPORTED, path, "its audio is not AAC", 0);
        err = media_draft_configure(d, CODEC_AAC, config_of(s));
    }
    if (!err && in->video < 0 && in->audio < 0)
        err = complain(d, WEIR_UNSUPPORTED, path, "neither video nor audio in it", 0);
    return err;
}

static enum weir_err take(struct input *in, const char *path, struct media_draft *d)
{
    const AVPacket *p = in->packet;
    if (p->stream_index != in->video && p->stream_index != in->audio) return WEIR_OK;
    const AVStream *s = in->context->streams[p->stream_index];
    const AVRational to = { 1, 90000 };
    const struct byte_span bytes = { p->data, (size_t)p->size };
    if (p->dts == AV_NOPTS_VALUE && p->pts == AV_NOPTS_VALUE)
        return complain(d, WEIR_UNSUPPORTED, path, "frames without times: put them into MP4, FLV or TS first", 0);
    const int64_t dts = av_rescale_q(p->dts == AV_NOPTS_VALUE ? p->pts : p->dts, s->time_base, to);
    const int64_t pts = av_rescale_q(p->pts == AV_NOPTS_VALUE ? p->dts : p->pts, s->time_base, to);
    if (p->stream_index == in->audio) return media_draft_audio(d, bytes, pts);
    return media_draft_video(d, codec_of(s), bytes, pts, dts, p->flags & AV_PKT_FLAG_KEY);
}

enum weir_err media_read_file(const char *path, struct media_draft *d)
{
    enum weir_err err = check_size(path, d);
    if (err) return err;
    struct input in = { .f = format_library() };
    if (!in.f) return complain(d, WEIR_UNSUPPORTED, path, "libavformat is not on this machine, which reads files", 0);
    int result = in.f->avformat_open_input(&in.context, path, NULL, NULL);
    if (result >= 0) result = in.f->avformat_find_stream_info(in.context, NULL);
    in.packet = av_packet_alloc();
    if (result < 0)
        err = complain(d, WEIR_MALFORMED, path, "not read: FLV, MP4 or TS with H.264 or HEVC was expected", result);
    if (!err) err = choose(&in, path, d);
    while (!err && in.packet && in.f->av_read_frame(in.context, in.packet) >= 0) {
        err = take(&in, path, d);
        av_packet_unref(in.packet);
    }
    av_packet_free(&in.packet);
    if (in.context) in.f->avformat_close_input(&in.context);
    return err ? err : media_draft_loop(d, 0);
}
