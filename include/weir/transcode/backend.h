/* backend: what decodes, scales and encodes, as a small struct of functions, so that a GPU, the CPU and a test that misbehaves on
 * purpose are the same to the ladder. Everything here may take a frame's time, and fails by saying so; what hangs is left alone and
 * replaced (watchdog.h). Thread: one at a time per object. Pictures are AVFrames and packets AVPackets; times are 1/90000 s. */
#ifndef WEIR_TRANSCODE_BACKEND_H
#define WEIR_TRANSCODE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/media/track.h>
#include <weir/transcode/admission.h>
#include <weir/transcode/figures.h>
#include <weir/transcode/ladder_plan.h>

struct AVFrame;
struct AVPacket;
struct backend;
struct backend_device;

/* What was tried, what the driver or library said, what to do: for a person. */
#define BACKEND_ERROR_BYTES 400
struct backend_error {
    char text[BACKEND_ERROR_BYTES];
};

enum backend_step {
    STEP_DONE = 1,
    STEP_AGAIN, /* send: take out what is ready first. receive: nothing is ready */
    STEP_END,   /* receive, after draining: that was all */
    STEP_BAD,   /* this packet could not be decoded; others may */
    STEP_FAILED /* the object is of no use any more */
};

struct decoder {
    const struct backend *backend;
};
struct scaler {
    const struct backend *backend;
};
struct encoder {
    const struct backend *backend;
};

struct decoder_config {
    struct backend_device *device; /* lent; NULL for the CPU */
    const struct track *track;     /* lent for the call */
    const char *name;              /* the stream's, for the log; outlives the object */
    struct transcode_figures *figures;
    uint32_t threads;        /* 1: no picture waits for another */
    uint32_t surfaces_extra; /* pictures that the ladder may hold besides what decoding needs */
};
struct scaler_config {
    struct backend_device *device;
    const struct AVFrame *like; /* what the pictures will be; lent for the call */
    uint32_t width, height;
    uint8_t bit_depth;    /* 8 or 10 */
    bool is_deinterlacer; /* the size stays; interlaced pictures become progressive ones, others pass */
    const char *name;
    struct transcode_figures *figures;
};
struct encoder_config {
    struct backend_device *device;
    const struct AVFrame *like; /* size, colour, memory; lent for the call */
    const struct rung_plan *rung;
    enum preset_speed speed;
    enum ladder_latency latency;
    uint32_t threads;
    uint32_t variant; /* backends may have several encoders for a codec: which, from 0 */
    const char *name;
    struct transcode_figures *figures;
};

struct backend {
    const char *name;
    bool is_gpu;
    bool encodes_on_cpu; /* a GPU that only decodes and scales */
    const void *flavour; /* the backend's own */
    /* Counts from 0; WEIR_NOT_FOUND: no such device, or no driver. */
    enum weir_err (*device_open)(const struct backend *b, uint32_t index, struct backend_device **out,
                                 struct backend_error *error);
    void (*device_close)(struct backend_device *d);

    /* WEIR_UNSUPPORTED: not with this backend. WEIR_IO: it should have worked. Either way error->text says more. */
    enum weir_err (*decoder_open)(const struct backend *b, const struct decoder_config *config, struct decoder **out,
                                  struct backend_error *error);
    enum backend_step (*decoder_send)(struct decoder *d, const struct AVPacket *packet); /* NULL: drain */
    enum backend_step (*decoder_receive)(struct decoder *d, struct AVFrame *frame);      /* frame: empty */
    void (*decoder_close)(struct decoder *d);                                            /* NULL is fine */

    enum weir_err (*scaler_open)(const struct backend *b, const struct scaler_config *config, struct scaler **out,
                                 struct backend_error *error);
    /* in: borrowed, NULL drains. STEP_AGAIN: nothing came out (a deinterlacer keeps one back). */
    enum backend_step (*scaler_run)(struct scaler *s, const struct AVFrame *in, struct AVFrame *out);
    void (*scaler_close)(struct scaler *s);

    /* WEIR_NOT_FOUND: no such variant. */
    enum weir_err (*encoder_open)(const struct backend *b, const struct encoder_config *config, struct encoder **out,
                                  struct backend_error *error);
    /* frame: borrowed, pts strictly rising, NULL drains; is_key: this one becomes an IDR. */
    enum backend_step (*encoder_send)(struct encoder *e, const struct AVFrame *frame, bool is_key);
    enum backend_step (*encoder_receive)(struct encoder *e, struct AVPacket *packet);
    void (*encoder_close)(struct encoder *e);
};

/* In the order of preference, CPU last. */
extern const struct backend backend_nvidia, backend_nvidia_split, backend_vaapi, backend_qsv, backend_cpu;
/* Whether the name is "auto" or one of theirs. Pure: for a configuration. */
bool backend_name_is_known(const char *name);

#endif
