/* What the libav files share: held frames and packets, which are counted, and its log, which goes through ours. */
#ifndef WEIR_TRANSCODE_LIBAV_H
#define WEIR_TRANSCODE_LIBAV_H

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>
#include <weir/transcode/backend.h>

#define TIME_BASE_90K ((AVRational){ 1, 90000 })

/* NULL: no memory. Each held one is given back with its release, which takes NULL. */
AVFrame *frame_hold(struct transcode_figures *figures, const AVFrame *from); /* another reference to the same picture */
AVFrame *frame_move(struct transcode_figures *figures, AVFrame *from);       /* takes the picture out of `from` */
void frame_release(struct transcode_figures *figures, AVFrame *frame);
AVPacket *packet_hold(struct transcode_figures *figures);
void packet_release(struct transcode_figures *figures, AVPacket *packet);
/* For codec contexts; opaque: the stream's name, for the log. */
AVCodecContext *codec_context_create(const AVCodec *codec, const char *name);

struct backend_device {
    const struct backend *backend;
    uint32_t index;
    AVBufferRef *hardware; /* NULL for the CPU */
};

/* What of a backend is libav's: named codecs and filters, and the options that they want. */
struct libav_flavour {
    enum AVHWDeviceType device_type;               /* NONE: main memory */
    enum AVPixelFormat pixel_format;               /* of its surfaces */
    const char *scale_filter, *deinterlace_filter; /* formats: width, height, pixel format; NULL: swscale, bwdif */
    const char *decoder_suffix;             /* "_qsv": decoders of their own; NULL: the usual ones with a hwaccel */
    const char *encoders[CODEC_AV1 + 1][3]; /* names to try, in order */
    bool encodes_in_main_memory;            /* surfaces are read back for the encoder */
    const char *advice;                     /* what to do when the device cannot be opened */
};

/* Options for one encoder: fields of the context and entries of the dictionary. */
void encoder_options_set(AVCodecContext *c, AVDictionary **options, const struct encoder_config *config);

enum weir_err libav_device_open(const struct backend *b, uint32_t index, struct backend_device **out,
                                struct backend_error *error);
void libav_device_close(struct backend_device *d);
enum weir_err libav_decoder_open(const struct backend *b, const struct decoder_config *config, struct decoder **out,
                                 struct backend_error *error);
enum backend_step libav_decoder_send(struct decoder *d, const AVPacket *packet);
enum backend_step libav_decoder_receive(struct decoder *d, AVFrame *frame);
void libav_decoder_close(struct decoder *d);
enum weir_err libav_scaler_open(const struct backend *b, const struct scaler_config *config, struct scaler **out,
                                struct backend_error *error);
enum backend_step libav_scaler_run(struct scaler *s, const AVFrame *in, AVFrame *out);
void libav_scaler_close(struct scaler *s);
enum weir_err libav_encoder_open(const struct backend *b, const struct encoder_config *config, struct encoder **out,
                                 struct backend_error *error);
enum backend_step libav_encoder_send(struct encoder *e, const AVFrame *frame, bool is_key);
enum backend_step libav_encoder_receive(struct encoder *e, AVPacket *packet);
void libav_encoder_close(struct encoder *e);

/* -- log -- */
/* Routes libav's log into ours, once per process. */
void libav_log_install(void);
/* What the calling thread does from here on belongs to this stream (lent until the next call). NULL: none. */
void libav_log_stream(const char *name);
/* Keeps the last error that libav logs on this thread, until libav_log_captured. */
void libav_log_capture(void);
/* Ends it; "" when nothing was logged. Lent until the next capture on this thread. */
const char *libav_log_captured(void);
/* "what failed: what libav logged, or its error's name; advice" */
void libav_error(struct backend_error *error, const char *what, int code, const char *advice);

#endif
