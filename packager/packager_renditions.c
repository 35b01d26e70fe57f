/* The packager's renditions: made with their first frame, with the track that is valid now. */
#include "packager_internal.h"

#include <stdio.h>
#include <string.h>

#define VIDEO_RENDITION "video"

uint32_t packager_target_duration_s(const struct packager *p)
{
    return (uint32_t)((p->policy.segment_max_us + 999999) / 1000000);
}

/* What it lists from before the kill, and the numbers that the others have used since. */
static void fill_past(struct packager *p, struct rendition *r, uint64_t msn)
{
    if (!p->resume) return;
    rendition_resume(r, p->resume);
    for (size_t i = 0; i < packager_rendition_count(p) && msn > p->resume->next_msn; i++) {
        const struct rendition *other = packager_rendition_at(p, i);
        if (!other || other == r || !other->listed) continue;
        rendition_follow(r, other, msn);
        return;
    }
}

/* msn: of its first segment. */
struct rendition *packager_make_rendition(struct packager *p, const char *name, enum edge_media media, uint64_t msn)
{
    struct rendition_config config = {
        .media = media,
        .edge = p->edge,
        .window_us = p->policy.window_us,
        .has_iframes = !strcmp(name, VIDEO_RENDITION),
        .run_id = p->config.run_id,
        .shelf = p->config.shelf,
        .dvr_us = p->policy.dvr_us,
        .is_event = p->policy.is_event,
        .terms = { .target_duration_s = packager_target_duration_s(p),
                   .part_us = p->policy.part_us,
                   .part_hold_back_us = p->policy.part_hold_back_us,
                   .can_skip = p->policy.can_skip },
    };
    struct rendition *r = NULL;
    memcpy(config.name, name, strlen(name) + 1);
    if (rendition_create(&r, &config)) return NULL;
    r->discontinuity = p->discontinuity;
    /* what is there from the era's first segment on carries the era's tag; one that joins later shares the era without it */
    if (msn == p->era_msn) rendition_begin_era(r, p->discontinuity);
    fill_past(p, r, msn);
    return r;
}

/* Sets the track that is valid now. NULL: no memory, no track. */
struct rendition *packager_with_track(struct rendition *r, struct track *track)
{
    if (!r || !track) return NULL;
    if (r->track && (r->track == track || track_equal(r->track, track))) return r;
    if (rendition_is_open(r)) return NULL; /* a new track comes with an era, which has closed what was open */
    return rendition_set_track(r, track) ? NULL : r;
}

struct rendition *packager_ready_video(struct packager *p)
{
    if (!p->video && p->tracks.video) p->video = packager_make_rendition(p, VIDEO_RENDITION, EDGE_VIDEO_MP4, p->msn);
    return packager_with_track(p->video, p->tracks.video);
}

struct rendition *packager_ready_audio(struct packager *p, struct lane *lane)
{
    struct track *track = p->tracks.audio[lane->track];
    if (!lane->rendition && track) {
        char name[EDGE_RENDITION_NAME_BYTES] = "audio";
        if (lane->track) snprintf(name, sizeof name, "audio-%u", lane->track);
        lane->rendition = packager_make_rendition(p, name, EDGE_AUDIO_MP4, p->msn);
    }
    return packager_with_track(lane->rendition, track);
}
