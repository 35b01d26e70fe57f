/* What a ladder counts: things that are alive now, which are zero when it is gone, and things that happened. One set per
 * ladder and one for all; whatever is counted for a ladder is counted for all as well. Thread: any; relaxed. */
#ifndef WEIR_TRANSCODE_FIGURES_H
#define WEIR_TRANSCODE_FIGURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(identifier, metric name, 1 where it goes up and down, what it is) */
#define TRANSCODE_FIGURES(X)                                                                                           \
    X(FRAMES_ALIVE, "transcode_frames", 1, "decoded pictures held")                                                    \
    X(SURFACES_ALIVE, "transcode_surfaces", 1, "of these, on a GPU")                                                   \
    X(PACKETS_ALIVE, "transcode_packets", 1, "packets held by decoders and encoders")                                  \
    X(DECODERS_ALIVE, "transcode_decoders", 1, "open decoders")                                                        \
    X(SCALERS_ALIVE, "transcode_scalers", 1, "open scalers")                                                           \
    X(ENCODERS_ALIVE, "transcode_encoders", 1, "open encoders")                                                        \
    X(THREADS_ALIVE, "transcode_threads", 1, "threads that decode or encode")                                          \
    X(SHED_LEVEL, "transcode_shed_level", 1, "what is given up under load; 0: nothing")                                \
    X(FRAMES_DECODED, "transcode_frames_decoded", 0, "pictures decoded")                                               \
    X(FRAMES_ENCODED, "transcode_frames_encoded", 0, "pictures encoded")                                               \
    X(PACKETS_DROPPED, "transcode_packets_dropped", 0, "packets dropped in front of a decoder that was behind")        \
    X(FRAMES_DROPPED, "transcode_frames_dropped", 0, "pictures dropped in front of an encoder that did not answer")    \
    X(FRAMES_LOST, "transcode_frames_lost", 0, "pictures that an encoder took and never gave back")                    \
    X(DECODE_ERRORS, "transcode_decode_errors", 0, "packets that could not be decoded")                                \
    X(FRAMES_DAMAGED, "transcode_frames_damaged", 0, "pictures not shown because their source was damaged")            \
    X(KEYFRAME_MISSES, "transcode_keyframe_misses", 0, "planned keyframes that an encoder did not make")               \
    X(DTS_REPAIRED, "transcode_dts_repaired", 0, "decoding times of encoders that had to be moved")                    \
    X(CAPTION_BYTES_LOST, "transcode_caption_bytes_lost", 0, "bytes of captions that fitted into no frame")            \
    X(DECODER_FAILURES, "transcode_decoder_failures", 0, "decoders that failed or could not be opened")                \
    X(ENCODER_FAILURES, "transcode_encoder_failures", 0, "encoders that failed or could not be opened")                \
    X(STALLS, "transcode_stalls", 0, "decoders and encoders replaced because they did not answer")                     \
    X(BACKEND_MOVES, "transcode_backend_moves", 0, "decoders and encoders that went on with another backend")          \
    X(SHED_DOWN, "transcode_shed_down", 0, "steps down: something was given up under load")                            \
    X(SHED_UP, "transcode_shed_up", 0, "steps up again")                                                               \
    X(OUTPUT_DROPPED, "transcode_output_dropped", 0,                                                                   \
      "encoded packets dropped because the stream's loop did not take them")                                           \
    X(AUDIO_ENCODED, "transcode_audio_frames_encoded", 0, "frames of audio encoded")                                   \
    X(AUDIO_DROPPED, "transcode_audio_frames_dropped", 0,                                                              \
      "frames of audio dropped in front of a decoder that was behind, or for want of memory")                          \
    X(AUDIO_SILENCE, "transcode_audio_silence_samples", 0, "samples of silence put where the source had none")         \
    X(THUMBNAILS, "transcode_thumbnails", 0, "thumbnails made")                                                        \
    X(LADDERS_REFUSED, "transcode_ladders_refused", 0, "ladders not encoded because the machine is full")              \
    X(LATENCY_US, "transcode_latency_us", 1, "from a packet in to its picture out, of late")

enum transcode_figure {
#define X(id, name, is_gauge, help) FIGURE_##id,
    TRANSCODE_FIGURES(X)
#undef X
        FIGURE_COUNT
};

struct transcode_figures {
    struct transcode_figures *total; /* NULL: this is the total */
    _Atomic int64_t values[FIGURE_COUNT];
};

static inline void transcode_count(struct transcode_figures *f, enum transcode_figure id, int64_t n)
{
    for (; f; f = f->total) atomic_fetch_add_explicit(&f->values[id], n, memory_order_relaxed);
}
static inline int64_t transcode_read(const struct transcode_figures *f, enum transcode_figure id)
{
    return atomic_load_explicit(&f->values[id], memory_order_relaxed);
}
/* Of this set alone: a level or a latency adds up to nothing. */
static inline void transcode_set(struct transcode_figures *f, enum transcode_figure id, int64_t value)
{
    atomic_store_explicit(&f->values[id], value, memory_order_relaxed);
}

struct transcode_figure_facts {
    const char *name, *help;
    int is_gauge;
};
struct transcode_figure_facts transcode_figure_facts(enum transcode_figure id);

#endif
