/* An HLS playlist as a reader sees it: what it says, and where its text breaks the format. Whether what it says is right is
 * for check.h. Pure; owner and thread: the caller's. RFC 8216bis section 4.
 *
 * Texts lie in the playlist and live as long as it does. Durations are microseconds, cut off, not rounded. */
#ifndef WEIR_LOADGEN_HLS_PLAYLIST_H
#define WEIR_LOADGEN_HLS_PLAYLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

enum hls_fault_kind {
    HLS_FAULT_HEADER = 1, /* the first line is not #EXTM3U */
    HLS_FAULT_TEXT,       /* BOM, not UTF-8, control characters, a blank or an unreadable attribute list */
    HLS_FAULT_DUPLICATE,  /* a tag stands again that may stand once */
    HLS_FAULT_ORDER,      /* a tag stands behind the first segment that must stand before */
    HLS_FAULT_VALUE,      /* a value cannot be read */
    HLS_FAULT_ENUM,       /* a value that the enumeration does not have */
    HLS_FAULT_MISSING,    /* an attribute that must be there, EXTINF without URI, URI without EXTINF */
    HLS_FAULT_PLACE,      /* MAP, DISCONTINUITY, KEY or PROGRAM-DATE-TIME behind a PART of the same segment */
};

struct hls_fault {
    enum hls_fault_kind kind;
    unsigned line;   /* from 1 */
    const char *tag; /* static: "EXTINF", "EXT-X-PART", ... */
    char text[80];   /* what was found */
};

struct hls_faults {
    struct hls_fault *items;
    size_t count, capacity; /* at most LOADGEN_FAULTS_MAX are kept */
};

struct hls_range {
    bool is_set;
    uint64_t first, bytes;
};

struct hls_map {
    const char *uri;
    struct hls_range range;
    unsigned line;
};

struct hls_part {
    const char *uri;
    struct hls_range range;
    int64_t duration_us;
    bool is_independent, is_gap;
    unsigned line;
};

struct hls_segment {
    uint64_t msn, dsn;
    const char *uri; /* NULL: the open one, which has parts only */
    struct hls_range range;
    int64_t duration_us, wall_us;
    bool has_discontinuity, is_gap, has_wall, has_zone, is_encrypted;
    const struct hls_map *map; /* the one that holds here; NULL: none */
    uint32_t first_part, part_count;
    unsigned line; /* of the URI */
};

struct hls_hint {
    const char *uri;
    bool is_map, has_length;
    uint64_t first, length;
    unsigned line;
};

struct hls_report {
    const char *uri;
    bool has_msn, has_part;
    uint64_t last_msn, last_part;
    unsigned line;
};

enum hls_playlist_type { HLS_TYPE_NONE = 0, HLS_TYPE_EVENT, HLS_TYPE_VOD };

#define HLS_ABSENT (-1) /* a duration that was not written */

struct hls_server_control {
    unsigned line; /* 0: the tag is not there */
    bool can_block_reload, can_skip_dateranges;
    int64_t can_skip_until_us, hold_back_us, part_hold_back_us; /* HLS_ABSENT */
};

struct hls_playlist {
    char *text;
    uint32_t version, version_needed; /* version 0: not written */
    const char *version_reason;       /* static: what needs it */
    unsigned version_line, target_line, sequence_line, discontinuity_line, type_line, part_inf_line, skip_line;
    int64_t target_us, part_target_us; /* HLS_ABSENT */
    uint64_t media_sequence, discontinuity_sequence, skipped;
    unsigned skip_count; /* how many EXT-X-SKIP tags */
    enum hls_playlist_type type;
    struct hls_server_control control;
    bool is_independent, is_ended, is_iframes_only;

    struct hls_segment *segments; /* whole ones, those that a SKIP stands for left out */
    size_t segment_count;
    struct hls_segment open; /* part_count 0: no parts behind the last segment */
    struct hls_part *parts;
    size_t part_count;
    struct hls_map *maps;
    size_t map_count;
    struct hls_hint hints[4]; /* more are faults */
    size_t hint_count;
    struct hls_report *reports;
    size_t report_count;
    struct hls_faults faults;
};

/* A multivariant playlist has EXT-X-STREAM-INF or EXT-X-MEDIA. */
bool hls_is_multivariant(const char *text, size_t bytes);

/* Copies the text. WEIR_NOMEM. WEIR_LIMIT: too many lines (base/limits.h). Whatever else is wrong is in out->faults.
 * End it with hls_playlist_destroy(). */
WEIR_MUST_CHECK enum weir_err hls_playlist_parse(const char *text, size_t bytes, struct hls_playlist **out);
void hls_playlist_destroy(struct hls_playlist *p); /* NULL is fine */

/* Sum of the whole segments. */
int64_t hls_playlist_duration_us(const struct hls_playlist *p);
/* MSN of the last whole segment and how many parts of the one behind it are listed: what _HLS_msn and _HLS_part count in.
 * false: no segment. */
bool hls_playlist_edge(const struct hls_playlist *p, uint64_t *last_msn, uint32_t *open_parts);

/* -- multivariant -- */

enum hls_media_type { HLS_MEDIA_AUDIO = 1, HLS_MEDIA_VIDEO, HLS_MEDIA_SUBTITLES, HLS_MEDIA_CLOSED_CAPTIONS };

struct hls_media {
    enum hls_media_type type;
    const char *group, *name, *uri, *language, *channels; /* NULL: not written */
    bool is_default, is_autoselect;
    unsigned line;
};

struct hls_variant {
    const char *uri, *codecs, *audio, *video, *subtitles, *closed_captions;
    uint64_t bandwidth_bps, average_bandwidth_bps; /* 0: not written */
    uint32_t width, height;
    uint64_t frame_rate_milli;
    bool is_iframes_only;
    unsigned line;
};

struct hls_multivariant {
    char *text;
    uint32_t version, version_needed;
    const char *version_reason;
    unsigned version_line;
    bool is_independent;
    struct hls_variant *variants;
    size_t variant_count;
    struct hls_media *media;
    size_t media_count;
    struct hls_faults faults;
};

/* As hls_playlist_parse. */
WEIR_MUST_CHECK enum weir_err hls_multivariant_parse(const char *text, size_t bytes, struct hls_multivariant **out);
void hls_multivariant_destroy(struct hls_multivariant *m);

#endif
