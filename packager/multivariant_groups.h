/* Groups of audio in the multivariant playlist (RFC 8216bis, 4.4.6.1.1). Audio of one codec makes a group. Where a track is there in
 * several qualities in one codec, there are as many groups of it: each has all tracks, under the same names, and each picture goes with one of
 * them, the better with the better. So a player that changes its picture for want of rate changes its sound with it. Pure. */
#ifndef WEIR_PACKAGER_MULTIVARIANT_GROUPS_H
#define WEIR_PACKAGER_MULTIVARIANT_GROUPS_H

#include "multivariant_text.h"

struct audio_group {
    enum media_codec codec;
    unsigned quality; /* 0: the best */
};

/* In the order of their codecs' first, the best first. Returns how many. */
size_t audio_groups_list(const struct multivariant_config *c, struct audio_group out[MULTIVARIANT_AUDIOS_MAX]);
bool audio_group_has(const struct multivariant_config *c, const struct audio_group *g, size_t audio);
/* The group's first; it has one. */
size_t audio_group_first(const struct multivariant_config *c, const struct audio_group *g);
/* Whether the variant's picture goes with the group. */
bool audio_group_goes_with(const struct multivariant_config *c, const struct audio_group *g, size_t variant);
/* By how much less than the largest audio of all, which variants count in, the group's needs. */
struct audio_rates audio_group_spares(const struct multivariant_config *c, const struct audio_group *g);
/* The first of the same track and codec, whose name all have. */
size_t audio_first_of_track(const struct multivariant_config *c, size_t audio);
void audio_group_write_id(struct byte_writer *w, const struct multivariant_config *c, const struct audio_group *g);

#endif
