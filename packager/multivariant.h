/* The multivariant playlist of a stream: what it says is fixed by the first segments and only raised later.
 * Owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_H
#define WEIR_PACKAGER_MULTIVARIANT_H

#include "multivariant_text.h"
#include "rendition.h"

struct multivariant;

/* What there is now; lent. NULL: no such rendition yet. An audio rendition whose track is gone from `tracks` is not named. */
struct multivariant_video {
    const struct rendition *rendition;
    uint32_t
        nominal_90k; /* expected duration of a picture: where the codec does not say the frame rate, this does. 0: not known */
    uint64_t ceiling_bps; /* what it never passes; 0: what is measured counts */
};
struct multivariant_sources {
    struct multivariant_video video[MULTIVARIANT_VIDEOS_MAX]; /* the best first */
    size_t video_count;
    const struct rendition *audio[AUDIO_TRACKS_MAX];
    const struct track_set *tracks;
};

struct multivariant *multivariant_create(void);    /* NULL: no memory */
void multivariant_destroy(struct multivariant *m); /* NULL is fine */
/* Publishes it again where renditions, tracks, labels or the peak changed. Renditions without a published segment are left out. */
void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct multivariant_sources *sources);

#endif
