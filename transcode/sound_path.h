/* sound_path: packets of one audio track in, packets of another codec out: decoder, resampler, a buffer that makes frames of the
 * encoder's length, encoder. One after the other on the caller's thread. */
#ifndef WEIR_TRANSCODE_SOUND_PATH_H
#define WEIR_TRANSCODE_SOUND_PATH_H

#include <libswresample/swresample.h>
#include <weir/transcode/audio_coder.h>

#include "libav.h"

struct AVAudioFifo;

struct sound_events {
    void *context;
    void (*track)(void *context, struct track *track); /* lent */
    /* pts in samples of the output */
    void (*packet)(void *context, const AVPacket *packet, uint32_t samples, uint32_t sample_rate);
};

struct sound_path {
    const char *name; /* the stream's, lent */
    struct audio_rung_config rung;
    struct sound_events events;
    struct transcode_figures *figures;
    struct track *source; /* NULL: none yet */
    AVCodecContext *decoder, *encoder;
    SwrContext *resampler;
    /* what the resampler was made for */
    int in_rate, in_format;
    AVChannelLayout in_layout;
    struct AVAudioFifo *fifo;
    AVFrame *decoded, *plain;
    AVPacket *in, *out;
    int64_t first_out, next_out; /* of the run: its first sample, and the first in the fifo */
    bool has_run;
};

enum weir_err sound_path_init(struct sound_path *p, const char *name, const struct audio_rung_config *rung,
                              const struct sound_events *events, struct transcode_figures *figures);
void sound_path_deinit(struct sound_path *p);
/* Finishes what is inside first. */
void sound_path_set_track(struct sound_path *p, struct track *source);
/* WEIR_UNSUPPORTED: it cannot be decoded or encoded here, and error->text says why. What cannot be decoded of one packet is counted. */
enum weir_err sound_path_feed(struct sound_path *p, const struct media_packet *packet, struct backend_error *error);
/* The run is over: what is inside comes out. */
void sound_path_finish(struct sound_path *p);

#endif
