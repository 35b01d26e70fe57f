/* ts_rendition: the stream as MPEG transport stream segments, video and one audio track together, beside the CMAF renditions and
 * made of them: same numbers, same cuts. A segment is muxed when somebody asks for it, from the samples that its CMAF segments hold
 * anyway; until then it costs a few hundred bytes and a line in a playlist. Pure; owner and thread: the stream's packager. */
#ifndef WEIR_PACKAGER_TS_RENDITION_H
#define WEIR_PACKAGER_TS_RENDITION_H

#include <weir/media/packet.h>

#include "rendition.h"

struct ts_rendition;

#define TS_RENDITION_NAME "ts"

struct ts_rendition_config {
    struct live_edge *edge; /* lent */
    uint32_t target_duration_s;
    bool is_main; /* the stream's multivariant playlist names this one, not CMAF */
};

/* What there is now; lent. NULL: no such rendition. */
struct ts_sources {
    const struct rendition *video, *audio;
    bool has_captions;    /* in the pictures */
    uint64_t decided_msn; /* both have what they will have of segments up to this number */
};

struct ts_rendition *ts_rendition_create(const struct ts_rendition_config *config); /* NULL: no memory */
void ts_rendition_destroy(struct ts_rendition *t);                                  /* NULL is fine */
/* After something changed: takes up what is decided, and publishes when there is something new. */
void ts_rendition_update(struct ts_rendition *t, const struct ts_sources *sources);
/* ID3 goes into the segment that it belongs to by its time; other kinds are left out. false: too many wait already (dropped). */
bool ts_rendition_add_tag(struct ts_rendition *t, const struct media_metadata *metadata);
/* ENDLIST. */
void ts_rendition_end(struct ts_rendition *t);

#endif
