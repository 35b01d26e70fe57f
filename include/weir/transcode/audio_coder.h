/* audio_coder: one audio track of a stream made into another codec, rate or layout, on a thread of its own.
 *
 * Times are sample-exact: what is heard at time t of the source is heard at time t of what comes out, in samples of its own rate from the same
 * origin, without a hole: where the source has one there is silence. Audio is never shed.
 *
 * Owner and thread: the stream's. The caller never waits. Events come from the coder's thread, one at a time; they must not block and must not
 * call into the coder. None comes after audio_coder_destroy. */
#ifndef WEIR_TRANSCODE_AUDIO_CODER_H
#define WEIR_TRANSCODE_AUDIO_CODER_H

#include <weir/media/packet.h>
#include <weir/transcode/transcoder.h>

struct audio_coder;

struct audio_rung_config {
    char name[RUNG_NAME_BYTES];
    enum media_codec codec;         /* AAC, OPUS */
    uint64_t bitrate_bps;           /* 0: by channels */
    uint32_t channels, sample_rate; /* 0: as the source, at most 2; as the source where the codec has that rate */
};

struct audio_coder_events {
    void *context;
    void (*track)(void *context, struct track *track); /* before its first packet, and when it changes. Lent */
    void (*packet)(void *context, const struct media_packet *packet); /* era is the source packet's. Lent */
    void (*absent)(void *context);                                    /* until a packet comes nothing does */
    void (*drained)(void *context);
};

struct audio_coder_options {
    const char *name; /* the stream's, copied */
    struct audio_rung_config rung;
    struct audio_coder_events events;
};

WEIR_MUST_CHECK enum weir_err audio_coder_create(struct audio_coder **out, struct transcoder *transcoder,
                                                 const struct audio_coder_options *options);
void audio_coder_destroy(struct audio_coder *c); /* NULL is fine; what is inside is thrown away */
/* What the next packets are. The same track again changes nothing. */
void audio_coder_set_track(struct audio_coder *c, struct track *audio);
/* The payload is referenced. false: dropped, too much waits. */
bool audio_coder_push(struct audio_coder *c, const struct media_packet *packet);
void audio_coder_drain(struct audio_coder *c);
const struct transcode_figures *audio_coder_figures(const struct audio_coder *c); /* lent */

#endif
