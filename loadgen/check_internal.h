/* What the files of the checker share: what was seen so far, and how rules speak. */
#ifndef WEIR_LOADGEN_CHECK_INTERNAL_H
#define WEIR_LOADGEN_CHECK_INTERNAL_H

#include <weir/base/limits.h>
#include <weir/base/queue.h>
#include <weir/loadgen/check.h>
#include <weir/loadgen/hls_playlist.h>
#include <weir/loadgen/mp4_reader.h>
#include <weir/loadgen/ts_reader.h>

#define UNKNOWN_US INT64_MIN

/* -- what was read of media -- */

struct track_facts {
    bool is_set;
    uint32_t timescale;
    int64_t start_dts, end_dts, start_pts, least_pts, longest, shortest;
    size_t sample_count;
    bool starts_with_sync, has_sync, has_b_frames;
};

struct ts_counters {
    uint16_t pid;
    uint8_t first, last;
};

struct media_facts {
    bool is_read, is_ts;
    bool names_video, names_audio; /* by its tables: there may be nothing of it in here */
    struct track_facts video, audio;
    uint64_t bytes;
    uint64_t *sample_digests; /* owned; freed once parts and segment were compared */
    uint32_t sample_count;
    uint64_t byte_hash; /* joins: see byte_hash_join */
    uint32_t last_sequence, first_sequence;
    struct ts_counters counters[4];
    unsigned counter_count;
};

enum fetch_state { FETCH_NONE = 0, FETCH_WAITING, FETCH_ASKED, FETCH_DONE, FETCH_FAILED };

struct seen_init {
    char *url;
    struct hls_range range;
    enum fetch_state fetch;
    struct mp4_init *init; /* NULL: not read, or not readable */
    uint64_t byte_hash;
    size_t bytes;
    int64_t used_us; /* when it was asked for last */
    int64_t read_us; /* when it was read first */
};

struct seen_part {
    char *uri;
    struct hls_range range;
    int64_t duration_us;
    bool is_independent, is_gap, is_checked_length;
    unsigned line;
    int64_t first_seen_us, removed_us; /* 0: still listed */
    enum fetch_state fetch;
    bool is_removal_checked;
    struct media_facts media;
};

struct seen_segment {
    uint64_t msn, dsn;
    char *uri; /* NULL: still open */
    char *map_uri;
    struct hls_range range, map_range;
    int64_t duration_us, wall_us;
    bool has_discontinuity, is_gap, has_wall, is_encrypted;
    unsigned line;
    struct seen_part *parts;
    uint32_t part_count, part_capacity;
    int64_t first_seen_us; /* as a whole segment */
    int64_t appeared_us;   /* first_seen, less the age that it had when the check began */
    int64_t removed_us, longest_list_us;
    bool is_removal_checked, is_removal_asked;
    bool has_all_parts;                                 /* they were all listed when it was closed */
    bool is_sum_checked, is_compared, is_joint_checked; /* joint: with the segment before it */
    enum fetch_state fetch;
    struct media_facts media;
};

struct edge_note {
    int64_t at_us;
    uint64_t msn;
    uint32_t parts;
};
#define EDGE_NOTES 64

/* What a fetch queue holds: the object is looked up again when its turn comes. */
struct fetch_item {
    uint64_t msn;
    int32_t part; /* -1: the segment */
};

/* Tests of what a server should do with odd questions, one at a time per list. */
enum probe {
    PROBE_NONE = 0,
    PROBE_UNKNOWN_NAME,  /* R23 */
    PROBE_PART_ALONE,    /* R40 */
    PROBE_MSN_TOO_FAR,   /* R41 */
    PROBE_PART_TOO_FAR,  /* R41 */
    PROBE_PAST,          /* R37: at once, the whole list */
    PROBE_ROLL_OVER,     /* R39 */
    PROBE_WHOLE_SEGMENT, /* R38 */
    PROBE_DELTA,         /* R44 */
    PROBE_DELTA_V2,      /* R44 */
    PROBE_GZIP,          /* R22 */
    PROBE_QUERY,         /* R46: an unknown parameter changes nothing */
    PROBE_ENDED,         /* R43 */
    PROBE_COUNT
};

struct seen_list {
    unsigned index;
    char *url;
    bool is_audio, is_subtitles; /* as the multivariant playlist says */
    bool is_iframes;             /* its segments are byte ranges of other lists' segments, a picture each */
    struct hls_playlist *last;   /* the newest full list */
    uint64_t text_hash;          /* of that version */
    bool is_gone;                /* the multivariant playlist does not name it any more */
    bool is_ended, was_sliding;
    unsigned ended_looks;
    int64_t target_us, part_target_us, part_hold_back_us; /* as first seen; HLS_ABSENT */
    /* the edge, and when it moved; UNKNOWN_US: not yet */
    bool has_edge;
    uint64_t last_msn;
    uint32_t open_parts;
    int64_t segment_us, part_us, answered_us, sent_us;
    struct edge_note edges[EDGE_NOTES];
    unsigned edge_count;                     /* ever */
    int64_t media_edge_us, media_edge_at_us; /* wall time of the end of media, where PDT says it */
    /* segments by MSN without a hole: segments[i] has first_msn + i; the last may be open */
    struct seen_segment **segments;
    size_t segment_count, segment_capacity;
    uint64_t first_msn;
    /* sums since the last break, for drift */
    int64_t drift_extinf_us, drift_media_us;
    bool has_drift;
    uint64_t peak_bps; /* of sets of segments as 4.4.6.2 defines them */
    /* the plan */
    struct queue fetches;
    unsigned fetches_out;
    bool is_follow_out, is_hint_out, is_probe_out;
    char *hint_uri;       /* the one that was asked last */
    bool was_hint_denied; /* its answer was 404: when it is listed after all, that was wrong */
    int64_t next_follow_us, next_probe_us, next_roll_us, fresh_segment_us;
    unsigned reloads, probe_round;
    enum probe next_probe;
    unsigned failures;
    uint32_t probes_done; /* bits: those that are done once */
};

/* -- requests on their way -- */

enum asked_kind {
    ASKED_MULTIVARIANT = 1,
    ASKED_LIST, /* follow: plain or blocking */
    ASKED_PROBE,
    ASKED_INIT,
    ASKED_SEGMENT,
    ASKED_PART,
    ASKED_HINT,
    ASKED_REMOVED_SEGMENT,
    ASKED_REMOVED_PART,
};

struct asked {
    uint32_t id; /* 0: free */
    enum asked_kind kind;
    enum probe probe;
    unsigned list;
    bool has_msn, has_part, has_skip;
    uint64_t msn;
    uint32_t part;
    /* what was known when it was sent */
    uint64_t known_msn;
    uint32_t known_parts;
    bool knew_edge;
    char *url;
    struct hls_range range;
};

struct check {
    struct check_config config;
    char *url;
    int64_t start_us, end_us;
    struct check_report report;
    struct hls_multivariant *multivariant;
    char *multivariant_url;
    bool has_stream, is_multivariant_out, is_finished, has_failed;
    int64_t next_multivariant_us;
    struct seen_list *lists[LOADGEN_LISTS_MAX];
    unsigned list_count;
    struct seen_init *inits[LOADGEN_INITS_MAX];
    unsigned init_count;
    struct asked asked[LOADGEN_REQUESTS_MAX];
    unsigned asked_count;
    uint32_t next_id;
    uint64_t requests, bytes, segments_read, parts_read;
};

/* -- how rules speak -- */

/* What a rule looks at; which fields are set depends on its table. */
struct look {
    struct check *c;
    enum check_rule rule;
    const char *url;
    int64_t now_us;
    struct seen_list *list;
    const struct hls_playlist *p;   /* the list in the answer */
    const struct hls_playlist *old; /* the version before it; NULL: none */
    const struct check_answer *a;
    const struct asked *asked;
    struct seen_segment *segment, *before; /* neighbours: before->msn + 1 == segment->msn */
};

typedef void rule_check(struct look *l);
struct rule_row {
    enum check_rule rule;
    rule_check *check;
    bool is_of_iframes; /* holds for I-frame playlists, too */
};
void run_rules(struct look *l, const struct rule_row *rows, size_t count);

/* One point of the rule that is being looked at. A broken one counts as violated, or as warned where the rule is a SHOULD.
 * Returns holds. */
bool expect(struct look *l, bool holds, unsigned line, const char *expected, const char *got_format, ...)
    WEIR_PRINTF(5, 6);
/* The same for a point that only warns. */
bool advise(struct look *l, bool holds, unsigned line, const char *expected, const char *got_format, ...)
    WEIR_PRINTF(5, 6);
/* For another rule than the one that is being looked at. */
bool expect_of(struct look *l, enum check_rule rule, bool holds, unsigned line, const char *expected,
               const char *got_format, ...) WEIR_PRINTF(6, 7);

/* -- check_history.c -- */

struct seen_list *list_create(struct check *c, const char *url);
void list_destroy(struct seen_list *list);
struct seen_segment *list_segment(const struct seen_list *list, uint64_t msn); /* NULL: not known */
/* The segment of that number, made if it is the next one; NULL: no memory, or too old. Forgets the oldest at the ceiling. */
struct seen_segment *list_segment_add(struct check *c, struct seen_list *list, uint64_t msn);
struct seen_part *segment_part_add(struct seen_segment *s, const struct hls_part *part, int64_t now_us);
void media_facts_clear(struct media_facts *m);
/* Takes what a full or delta list says into the history; queues what is new to be fetched. */
void history_take(struct look *l);
/* Where the list stood at a time; false: not known that far back. */
bool list_edge_at(const struct seen_list *list, int64_t at_us, uint64_t *msn, uint32_t *parts);
/* How long the list has taken to show the media up to its end: wall time of its edge; UNKNOWN_US where PDT is missing. */
int64_t playlist_edge_wall_us(const struct hls_playlist *p);
bool list_is_low_latency(const struct seen_list *list);

/* Of a playlist's lines, those of EXT-X-RENDITION-REPORT left out. */
uint64_t list_text_hash(const struct check_answer *a);
/* A hash that can be joined: that of a and b is byte_hash_join(hash a, hash b, bytes of b). */
uint64_t byte_hash(const uint8_t *data, size_t bytes);
uint64_t byte_hash_join(uint64_t a, uint64_t b, size_t b_bytes);

/* -- rules by what they look at -- */
extern const struct rule_row list_rules[], reload_rules[], across_rules[], blocking_rules[], joint_rules[];
extern const size_t list_rule_count, reload_rule_count, across_rule_count, blocking_rule_count, joint_rule_count;

void rules_of_faults(struct look *l, const struct hls_faults *faults);        /* R1, R2, ... as the parser found them */
void rules_of_multivariant(struct look *l, const struct hls_multivariant *m); /* R14, R48, R50 */
void rules_of_playlist_head(struct look *l);                                  /* R22, R47, R51: the answer's fields */
void rules_of_media_head(struct look *l, bool is_error_expected);             /* R17, R22, R47 */
void rules_of_init(struct look *l, struct seen_init *init);                   /* R13, R48, V* */
void rules_of_variants(struct look *l);                                       /* R48, at a new multivariant playlist */
void rules_of_frame_rate(struct look *l, const struct seen_segment *s);       /* R48 */
void rules_of_segment(struct look *l, struct seen_init *init);                /* reads l->a into l->segment */
void rules_of_part(struct look *l, struct seen_part *part, struct seen_init *init);
void rules_of_hint(struct look *l);                           /* R36 */
void rules_of_delta(struct look *l);                          /* R44, R53 */
void rules_of_probe(struct look *l);                          /* R23, R40, R41, R42 by status */
void rules_of_removed(struct look *l, enum check_rule rule);  /* R18, R33 */
void rules_at_end(struct check *c, int64_t now_us);           /* R9, R48, what is still open */
void rules_of_bandwidth(struct look *l);                      /* R48 */
void rules_of_iframe(struct look *l, struct seen_init *init); /* R16, R56, R57 */
/* Keeps the peak of the segments that were read for R48. */
void list_note_peak(struct look *l);
/* Parts against their segment, when all of them are read (R30, V12, V13). */
void rules_of_whole_segment(struct look *l);

/* -- check_media.c -- */

/* Reads a body into facts and says what is wrong with it as a file. false: not read (the report says why). */
bool media_read(struct look *l, struct seen_init *init, struct media_facts *out);
/* The same of an entry of an I-frame playlist; the samples that are whole. excess_bytes: behind the first of them. */
bool media_read_picture(struct look *l, struct seen_init *init, struct media_facts *out, size_t *excess_bytes);
int64_t ticks_to_us(int64_t ticks, uint32_t timescale);
/* The track that a segment is known by: video, else audio; NULL: neither. */
const struct track_facts *media_main_track(const struct media_facts *m);
/* Variants that play this list: calls visit for each. */
void list_variants(struct look *l, void (*visit)(struct look *l, const struct hls_variant *v, void *context),
                   void *context);

/* -- check_plan.c -- */
/* Fills *out with what should be asked next of the presentation or of a list; false: nothing now. */
bool plan_next(struct check *c, int64_t now_us, struct check_request *out);
int64_t plan_wake_us(const struct check *c, int64_t now_us);
bool plan_is_over(const struct check *c); /* every list ended and was looked at */
struct seen_init *check_init_find(struct check *c, const char *url,
                                  const struct hls_range *range); /* NULL: not known */
/* Of the segment's EXT-X-MAP, made when it is new; NULL: it has none, or no memory. */
struct seen_init *check_init_of(struct check *c, const struct seen_list *list, const struct seen_segment *s);

#endif
