/* The multivariant playlist as text (RFC 8216bis, 4.4.6). Pure. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_TEXT_H
#define WEIR_PACKAGER_MULTIVARIANT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/media/track.h>
#include <weir/stream/live_edge.h>

struct multivariant_audio {
    char uri[EDGE_RENDITION_NAME_BYTES + 16]; /* relative */
    const struct codec_facts *facts;
    const struct track_label *label;
};

/* One video rendition with the audio ones, or audio alone. Audio of one codec makes a group, and each group a variant: a player
 * that cannot play a codec chooses another variant. */
struct multivariant_config {
    const char *video_uri;           /* relative */
    const struct codec_facts *video; /* NULL: none */
    const struct codec_facts
        *muxed_audio;          /* in the same segments as video, or alone in them; NULL: none. Then `audio` is empty. */
    uint32_t fps_num, fps_den; /* 0/0: not known */
    struct multivariant_audio audio[AUDIO_TRACKS_MAX];
    size_t audio_count;
    uint64_t bandwidth_bps, average_bandwidth_bps;
    const char *iframes_uri; /* NULL: no such playlist */
    uint64_t iframes_bps, iframes_average_bps;
};
struct frozen *multivariant_render(const struct multivariant_config *config); /* NULL: no memory */

#endif
