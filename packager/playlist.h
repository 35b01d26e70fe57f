/* Media playlists as text, piece by piece (RFC 8216bis, 4.4). What a segment says is written once, when it is known, and copied
 * into each playlist that lists it. Pure. */
#ifndef WEIR_PACKAGER_PLAYLIST_H
#define WEIR_PACKAGER_PLAYLIST_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/bytes.h>

/* What is the same in all playlists of a name, for as long as it lives (6.2.1, 6.2.4). */
struct playlist_terms {
    uint32_t target_duration_s;
    int64_t part_us, part_hold_back_us; /* 0: no low latency */
    bool can_skip;
};

enum playlist_type {
    PLAYLIST_SLIDING = 1, /* says nothing of it */
    PLAYLIST_EVENT,       /* nothing is taken from its front */
    PLAYLIST_VOD          /* will not change any more */
};

struct playlist_head {
    struct playlist_terms terms;
    enum playlist_type type;
    uint64_t media_sequence, discontinuity_sequence;
    bool is_independent, is_ended;
    bool is_iframes_only;
    bool is_ts; /* of transport stream segments: old players read it */
};
void playlist_write_head(struct byte_writer *w, const struct playlist_head *head);
void playlist_write_map(struct byte_writer *w, const char *init_name);
void playlist_write_skip(struct byte_writer *w, size_t segments);

/* In front of a segment's parts. init_name NULL: the one in force holds on. */
void playlist_write_segment_head(struct byte_writer *w, bool has_discontinuity, const char *init_name, int64_t wall_us);
void playlist_write_part(struct byte_writer *w, const char *name, int64_t duration_us, bool is_independent,
                         bool is_gap);
void playlist_write_segment_end(struct byte_writer *w, const char *name, int64_t duration_us, bool is_gap);

/* type: "PART", "MAP". */
void playlist_write_hint(struct byte_writer *w, const char *type, const char *name);

/* Where another rendition of the stream stands. */
struct playlist_report {
    const char *rendition;
    uint64_t last_msn;
    uint32_t parts; /* of segment last_msn; 0: none is listed */
};
void playlist_write_report(struct byte_writer *w, const struct playlist_report *report);

/* Older segments than this may be left out of a delta update, counted from the end of the last whole one (4.4.3.8). */
int64_t playlist_skip_until_us(const struct playlist_terms *terms);

#endif
