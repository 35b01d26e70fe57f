/* The multivariant playlist of a stream: what it says is fixed by the first segments and only raised later.
 * Owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_H
#define WEIR_PACKAGER_MULTIVARIANT_H

#include "multivariant_text.h"
#include "rendition.h"

struct multivariant;

/* What there is now, published at least once; lent. */
struct multivariant_video {
    const struct rendition *rendition;
    uint32_t
        nominal_90k; /* expected duration of a picture: where the codec does not say the frame rate, this does. 0: not known */
    uint64_t ceiling_bps; /* what it never passes; 0: what is measured counts */
};
struct multivariant_sound {
    const struct rendition *rendition;
    const struct track_label *label;
    uint8_t track;
    uint64_t rate_bps; /* both as in multivariant_audio */
};
struct multivariant_sources {
    struct multivariant_video video[MULTIVARIANT_VIDEOS_MAX];
    size_t video_count;
    struct multivariant_sound audio[MULTIVARIANT_AUDIOS_MAX];
    size_t audio_count;
    bool has_captions;               /* in the stream's pictures */
    const struct rendition *iframes; /* whose playlist for scrubbing is named; NULL: none */
};

struct multivariant *multivariant_create(void);    /* NULL: no memory */
void multivariant_destroy(struct multivariant *m); /* NULL is fine */
/* Publishes it again where renditions, tracks, labels or the peak changed. */
void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct multivariant_sources *sources);

#endif
