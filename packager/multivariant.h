/* The multivariant playlist of a stream: what it says is fixed by the first segments and only raised later.
 * Owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_H
#define WEIR_PACKAGER_MULTIVARIANT_H

#include "playlist.h"
#include "rendition.h"

struct multivariant {
    uint64_t bandwidth_bps;      /* as announced */
    struct track *video, *audio; /* as announced; compared, not owned */
    uint32_t nominal_90k;        /* of the last frame */
    bool has_video, has_audio;
};

/* Publishes it again where renditions, tracks or the peak changed. */
void multivariant_update(struct multivariant *m, struct live_edge *edge, const struct rendition *video,
                         const struct rendition *audio);
void multivariant_note_rate(struct multivariant *m, uint32_t nominal_90k);

#endif
