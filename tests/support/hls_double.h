/* A small HLS and LL-HLS server without sockets: a synthetic stream that is a function of time alone, right by default, and able to
 * break one rule on demand. Shares nothing with the packager or delivery. For tests of the checker. */
#ifndef WEIR_TESTS_HLS_DOUBLE_H
#define WEIR_TESTS_HLS_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the stream is like. */
enum {
    DOUBLE_LL = 1, /* parts, blocking reloads, delta updates, hints, reports */
    DOUBLE_TS = 2, /* muxed TS segments in place of fMP4 */
    DOUBLE_TWO_VIDEOS = 4,
    DOUBLE_BREAK = 8,  /* a discontinuity a few seconds in, with another init and other times */
    DOUBLE_END = 16,   /* EXT-X-ENDLIST a few seconds in */
    DOUBLE_STALL = 32, /* nothing new from a few seconds in on, and no end */
    DOUBLE_NO_AUDIO = 64,
    DOUBLE_TLS = 128,          /* answers say that they came over TLS with HTTP/2 */
    DOUBLE_GAP = 256,          /* a GAP segment a few seconds in */
    DOUBLE_OPEN_WINDOW = 512,  /* a window too short for delta updates is long */
    DOUBLE_IFRAMES = 1024,     /* a list of the pictures that can be shown alone */
    DOUBLE_STAMPED = 2048,     /* fMP4 with a publisher's stamps in pictures and sound (weir/loadgen/stamp.h) */
    DOUBLE_SOUND_EARLY = 4096, /* the sound's stamps say that it is meant to be 100 ms later than it is */
    DOUBLE_HOLE_IN_GOP = 8192, /* stamps: a picture is missing in the middle of each GOP */
    DOUBLE_HOLE_AT_END = 16384 /* the same at the end of each, where nothing needs it */
};

enum double_act {
    ACT_NONE = 0,
    ACT_SEQUENCE_STUCK,
    ACT_GOES_BACK,
    ACT_WINDOW_SHORT,
    ACT_DSN_STUCK,
    ACT_PDT_JUMPS,
    ACT_PDT_UNEVEN,
    ACT_NO_PDT_IN_AUDIO,
    ACT_PDT_OTHER_MAPPING,
    ACT_SEGMENT_404,
    ACT_SEGMENT_SLOW,
    ACT_REMOVED_404,
    ACT_NOT_SYNC,
    ACT_ENDED_HINT,
    ACT_ENDED_CHANGES,
    ACT_UNKNOWN_200,
    ACT_PARTS_SHORT,
    ACT_CONTROL_DIFFERS,
    ACT_PDT_BEHIND_PART,
    ACT_PARTS_STAY,
    ACT_PARTS_404,
    ACT_PARTS_LATE,
    ACT_HINT_WRONG,
    ACT_HINT_NONE,
    ACT_HINT_DRIBBLES,
    ACT_HINT_404,
    ACT_HINT_AT_ONCE,
    ACT_PART_AT_ONCE,
    ACT_SEGMENT_AT_PART,
    ACT_ROLL_AT_ONCE,
    ACT_PART_ALONE_200,
    ACT_TOO_FAR_200,
    ACT_NEVER_503,
    ACT_ENDED_400,
    ACT_SKIP_TOO_MANY,
    ACT_SKIP_TOO_FEW,
    ACT_SKIP_IGNORED,
    ACT_SKIP_SHIFTED,
    ACT_SKIP_TWICE,
    ACT_REPORT_NONE,
    ACT_REPORT_OLD,
    ACT_CLOCK_COMMENT,
    ACT_VIDEO_SHIFTED,
    ACT_NO_H2,
    ACT_AUDIO_NO_PARTS,
    ACT_AUDIO_LAGS,
    ACT_GAP_PARTS_PLAIN,
    ACT_INIT_CHANGES,
    ACT_EDIT_LIST,
    ACT_TIMES_FALL,
    ACT_SEGMENTS_LATE,
    ACT_TYPE_WRONG,
    ACT_MEDIA_TYPE_WRONG,
    ACT_GZIP_UNASKED,
    ACT_CACHE_LONG,
    ACT_NO_CACHE_FIELD,
    ACT_NO_CORS,
    ACT_TFDT_JUMPS,
    ACT_TFDT_OVERLAPS,
    ACT_BREAK_UNTRUE,
    ACT_NAL_LENGTH,
    ACT_NAL_SETS,
    ACT_SYNC_CLAIMED,
    ACT_PTS_TWICE,
    ACT_AUDIO_SHIFTED,
    ACT_ZERO_SHIFTED,
    ACT_PTS_LATE,
    ACT_AUDIO_UNEVEN,
    ACT_SEQUENCE_FALLS,
    ACT_PART_OTHER_BYTES,
    ACT_PART_OTHER_SAMPLE,
    ACT_PART_SUM,
    ACT_TS_COUNTER,
    ACT_TS_COUNTER_JOINT,
    ACT_TS_SYNC_BYTE,
    ACT_TS_CRC,
    ACT_TS_NO_TABLES,
    ACT_TS_DTS_BACK,
    ACT_TS_PTS_EARLY,
    ACT_TS_NO_IDR,
    ACT_TS_PCR_RARE,
    ACT_TS_PCR_AHEAD,
    ACT_TS_LENGTH,
    ACT_TS_GAP,
    ACT_TS_AUDIO_OFF,
    ACT_PICTURE_CUT,
    ACT_PICTURE_LONG,
};

enum double_fault_kind { FAULT_ACT = 1, FAULT_LIST_TEXT, FAULT_MASTER_TEXT, FAULT_INIT_BYTES, FAULT_MEDIA_BYTES };

struct double_fault {
    const char *name, *rule; /* which rule it breaks */
    enum { BREAKS = 1, WARNS } how;
    unsigned setup; /* DOUBLE_* that it needs */
    enum double_fault_kind kind;
    enum double_act act;
    /* texts: replaced wherever found, from a time on, in the lists whose name begins with `in` ("" for all).
     * bytes: the first box of this type; at `offset` from its type four bytes become `value`. */
    const char *search, *replace, *in;
    int64_t from_us;
    int offset;
    uint32_t value;
};

extern const struct double_fault double_faults[];
extern const size_t double_fault_count;

struct hls_double {
    unsigned setup;
    int64_t start_us;                 /* when the first request can come: by then some segments are there */
    const struct double_fault *fault; /* NULL: all is right */
    unsigned lists;                   /* playlists that were asked for: some acts take every so many */
};

struct double_answer {
    int status;
    int64_t ready_us, done_us; /* of the first byte and the last */
    const char *content_type, *cache_control, *content_encoding, *vary, *allow_origin;
    bool is_tls, is_http2;
    uint8_t *body; /* free() */
    size_t bytes;
};

void hls_double_init(struct hls_double *d, unsigned setup, const char *fault_name, int64_t start_us);
/* path: with its query. ready_us INT64_MAX: no answer ever. */
void hls_double_ask(struct hls_double *d, const char *path, bool accepts_gzip, int64_t now_us,
                    struct double_answer *out);
/* Leaves the bytes first to last of a body (RFC 9110, 14.2). */
void hls_double_cut(struct double_answer *a, uint64_t first, uint64_t last);

/* -- hls_double_media.c: what the segments are made of -- */

enum { DOUBLE_FPS = 25, DOUBLE_GOP = 50, DOUBLE_RATE = 48000, DOUBLE_AAC = 1024 };

/* Frames [first, end) of a rendition's track, since the stream's beginning; tfdt of frame 0 is zero_ticks. */
struct double_run {
    bool is_audio;
    int64_t first, end, zero_ticks;
    uint32_t sequence;
    bool has_styp;
    enum double_act act;
    unsigned segment; /* for acts that choose */
    bool is_part;
    bool is_stamped;
    int64_t stamp_late_us; /* what stamps say is so much later than what tfdt says */
    int hole_at;           /* of a GOP: a picture is missing in front of the one with this number; -1: none is */
};
/* malloc'ed. */
uint8_t *double_init_segment(bool is_audio, unsigned which, bool has_edit, size_t *bytes);
uint8_t *double_fragment(const struct double_run *run, size_t *bytes);
/* Of that fragment, up to the end of its first frame. */
size_t double_first_frame_end(const struct double_run *run);
uint8_t *double_ts_segment(unsigned segment, int64_t zero_90k, enum double_act act, size_t *bytes);

#endif
