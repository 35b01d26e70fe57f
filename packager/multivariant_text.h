/* The multivariant playlist as text (RFC 8216bis, 4.4.6). Pure. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_TEXT_H
#define WEIR_PACKAGER_MULTIVARIANT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/media/track.h>
#include <weir/stream/live_edge.h>

struct audio_rates {
    uint64_t peak_bps, average_bps;
};

struct multivariant_audio {
    char uri[EDGE_RENDITION_NAME_BYTES + 16]; /* relative */
    const struct codec_facts *facts;
    const struct track_label *label;
    uint8_t track;     /* of the stream: what came of one is the same thing in several qualities */
    uint64_t rate_bps; /* the more the better; UINT64_MAX: as it came */
    struct audio_rates measured;
};

#define MULTIVARIANT_VIDEOS_MAX (1 + PACKAGER_RUNGS_MAX)
#define MULTIVARIANT_AUDIOS_MAX (AUDIO_TRACKS_MAX + PACKAGER_RUNGS_MAX)

struct multivariant_variant {
    const char *uri;                 /* relative; audio alone: its own counts */
    const struct codec_facts *video; /* NULL: none */
    uint32_t fps_num, fps_den;       /* 0/0: not known */
    bool has_captions;
    uint64_t bandwidth_bps, average_bandwidth_bps;
};

/* Video renditions with the audio ones, or audio alone. Audio of one codec makes a group (multivariant_groups.h), and each video rendition with
 * each of them a variant: a player that cannot play a codec chooses another variant. */
struct multivariant_config {
    struct multivariant_variant variants[MULTIVARIANT_VIDEOS_MAX];
    size_t variant_count; /* at least one; audio alone is one without video */
    const struct codec_facts
        *muxed_audio; /* in the same segments as video, or alone in them; NULL: none. Then `audio` is empty. */
    struct multivariant_audio audio[MULTIVARIANT_AUDIOS_MAX];
    size_t audio_count;
    const char *iframes_uri; /* NULL: no such playlist */
    const struct codec_facts *iframes;
    uint64_t iframes_bps, iframes_average_bps;
};
struct frozen *multivariant_render(const struct multivariant_config *config); /* NULL: no memory */

#endif
