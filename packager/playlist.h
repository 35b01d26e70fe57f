/* Playlists as text (RFC 8216). Pure. */
#ifndef WEIR_PACKAGER_PLAYLIST_H
#define WEIR_PACKAGER_PLAYLIST_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

struct playlist {
    struct byte_writer w;
    const char *init_name; /* of the last EXT-X-MAP; lent */
};

struct playlist_segment {
    const char *name, *init_name; /* init_name NULL: none known (a gap before any media) */
    int64_t duration_us, wall_us;
    bool has_discontinuity, is_gap;
};

void playlist_begin(struct playlist *p, uint32_t target_duration_s, uint64_t media_sequence,
                    uint64_t discontinuity_sequence, bool is_independent);
/* Names must live until playlist_finish. */
void playlist_add(struct playlist *p, const struct playlist_segment *s);
/* NULL: no memory, or over PLAYLIST_BYTES_MAX. */
struct frozen *playlist_finish(struct playlist *p, bool is_ended);

#endif
