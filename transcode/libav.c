#include "libav.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

/* -- held things -- */

static void count_frame(struct transcode_figures *figures, const AVFrame *frame, int64_t n)
{
    transcode_count(figures, FIGURE_FRAMES_ALIVE, n);
    if (frame->hw_frames_ctx) transcode_count(figures, FIGURE_SURFACES_ALIVE, n);
}

AVFrame *frame_hold(struct transcode_figures *figures, const AVFrame *from)
{
    AVFrame *frame = av_frame_clone(from);
    if (frame) count_frame(figures, frame, 1);
    return frame;
}

AVFrame *frame_move(struct transcode_figures *figures, AVFrame *from)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame) return NULL;
    av_frame_move_ref(frame, from);
    count_frame(figures, frame, 1);
    return frame;
}

void frame_release(struct transcode_figures *figures, AVFrame *frame)
{
    if (!frame) return;
    count_frame(figures, frame, -1);
    av_frame_free(&frame);
}

AVPacket *packet_hold(struct transcode_figures *figures)
{
    AVPacket *packet = av_packet_alloc();
    if (packet) transcode_count(figures, FIGURE_PACKETS_ALIVE, 1);
    return packet;
}

void packet_release(struct transcode_figures *figures, AVPacket *packet)
{
    if (!packet) return;
    transcode_count(figures, FIGURE_PACKETS_ALIVE, -1);
    av_packet_free(&packet);
}

AVCodecContext *codec_context_create(const AVCodec *codec, const char *name)
{
    AVCodecContext *c = avcodec_alloc_context3(codec);
    if (c) c->opaque = (void *)name;
    return c;
}

/* -- log: libav gives it one callback for the whole process, and names no stream; the thread knows -- */

#define LINES_PER_S_MAX 20 /* a broken stream makes thousands */

static _Thread_local const char *thread_stream;
static _Thread_local char thread_line[512], thread_captured[256];
static _Thread_local int thread_is_capturing;
static _Atomic int64_t second_now;
static _Atomic int lines_now;

static const char *stream_of(void *object)
{
    if (thread_stream) return thread_stream;
    /* a codec's own threads: the context carries the name */
    const AVClass *class = object ? *(const AVClass **)object : NULL;
    if (!class || strcmp(class->class_name, "AVCodecContext")) return NULL;
    return ((const AVCodecContext *)object)->opaque;
}

static bool is_too_many(void)
{
    const int64_t second = clock_now_us() / 1000000;
    if (atomic_exchange(&second_now, second) != second) atomic_store(&lines_now, 0);
    return atomic_fetch_add(&lines_now, 1) >= LINES_PER_S_MAX;
}

static enum log_level level_of(int level)
{
    if (level <= AV_LOG_ERROR) return LOG_WARN; /* somebody's picture, not the server */
    if (level <= AV_LOG_WARNING) return LOG_INFO;
    return LOG_DEBUG;
}

static void on_log(void *object, int level, const char *format, va_list arguments)
{
    const enum log_level ours = level_of(level);
    if (level > AV_LOG_VERBOSE || (!thread_is_capturing && !log_wants(LOG_TRANSCODE, ours))) return;
    /* a line may come in pieces */
    const size_t used = strlen(thread_line);
    vsnprintf(thread_line + used, sizeof thread_line - used, format, arguments);
    char *end = strchr(thread_line, '\n');
    if (!end && strlen(thread_line) + 1 < sizeof thread_line) return;
    if (end) *end = 0;
    if (thread_is_capturing && level <= AV_LOG_ERROR && thread_line[0])
        snprintf(thread_captured, sizeof thread_captured, "%.255s", thread_line);
    const AVClass *class = object ? *(const AVClass **)object : NULL;
    if (thread_line[0] && log_wants(LOG_TRANSCODE, thread_is_capturing ? LOG_DEBUG : ours) && !is_too_many())
        log_event(LOG_TRANSCODE, thread_is_capturing ? LOG_DEBUG : ours, stream_of(object), "ffmpeg", "from=%s text=%s",
                  class ? class->item_name(object) : "-", log_quote_text(thread_line).text);
    thread_line[0] = 0;
}

void libav_log_install(void)
{
    av_log_set_callback(on_log);
}

void libav_log_stream(const char *name)
{
    thread_stream = name;
}

void libav_log_capture(void)
{
    thread_captured[0] = 0;
    thread_is_capturing = 1;
}

const char *libav_log_captured(void)
{
    thread_is_capturing = 0;
    return thread_captured;
}

void libav_error(struct backend_error *error, const char *what, int code, const char *advice)
{
    char name[AV_ERROR_MAX_STRING_SIZE];
    const char *said = libav_log_captured();
    if (!said[0]) said = av_make_error_string(name, sizeof name, code);
    snprintf(error->text, sizeof error->text, "%s: %.160s%s%.130s", what, said, advice ? "; " : "",
             advice ? advice : "");
}
