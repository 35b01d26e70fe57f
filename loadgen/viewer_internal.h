/* What viewer*.c share. */
#ifndef WEIR_LOADGEN_VIEWER_INTERNAL_H
#define WEIR_LOADGEN_VIEWER_INTERNAL_H

#include <weir/base/limits.h>
#include <weir/loadgen/viewer.h>

#define VIEWER_FEEDS 2 /* the variant, and its audio */
#define VIEWER_RETRY_US 500000
#define WALL_UNKNOWN INT64_MIN
#define AV_OFFSET_US_MAX 25000 /* an AAC frame is 21 ms, and nobody sees less than two of them */

/* A request on its way. */
struct wish {
    uint32_t id; /* 0: none */
    char *url;
    uint64_t msn, dsn;
    bool is_part, is_begin, is_discontinuity, is_independent;
    int64_t duration_us; /* as listed */
    int64_t most_us;     /* PART-TARGET or TARGETDURATION; HLS_ABSENT */
};

/* One media playlist that is played. */
struct feed {
    struct viewer *viewer;
    char *url;                                /* NULL: there is none */
    struct object *list_object, *init_object; /* NULL: not yet */
    struct hls_playlist *list;                /* of list_object */
    struct wish list_wish, init_wish, media_wish;
    int64_t next_list_us, next_media_us;
    int64_t first_list_us; /* when the first list with a segment came; 0: not yet */
    bool has_moved;        /* the last list brought something new */
    bool is_ended;
    /* what is fetched next */
    bool has_place, is_place_stale; /* stale: it is that of another variant */
    bool wants_parts;
    uint64_t next_msn;
    uint32_t next_part;
    unsigned attempts; /* at it, that failed */
    char *init_url;    /* of what init_object is, or is to be */
    /* what is buffered */
    int64_t appended_us; /* ever */
    int64_t origin_us;   /* presentation time of the first piece */
    bool has_origin;
    int64_t stamp_end_us; /* the sender's wall clock at the buffer's end; WALL_UNKNOWN */
    bool has_frame;
    uint64_t next_frame; /* the number of the picture that comes next */
    int64_t wall_end_us; /* PROGRAM-DATE-TIME of the buffer's end; WALL_UNKNOWN */
    bool has_end, is_after_break, is_after_switch;
    bool is_ts;
    uint32_t timescale;
    int64_t end_dts; /* ticks */
    /* of the segment that was begun last: to compare audio with video */
    bool has_start;
    uint64_t start_msn;
    int64_t start_us, frame_us, reorder_us; /* reorder: of presentation behind decoding */
};

/* The newest of a track's clock, and of which era it is. */
struct shown_clock {
    struct track_clock clock;
    uint64_t dsn;
};

struct viewer {
    struct viewer_config config;
    struct shown_clock picture, sound;
    char *url;
    struct object *master_object; /* NULL: not yet, or a media playlist is played */
    struct wish master_wish;
    int64_t start_us, next_master_us, next_switch_us;
    unsigned variant;
    struct feed feeds[VIEWER_FEEDS];
    struct viewer_figures figures;
    /* the playhead: at position_us when it was looked at last */
    int64_t position_us, looked_us, stall_began_us;
    int64_t skip_us; /* how far into the first piece the picture starts */
    int64_t arrival_us;
    uint32_t next_id;
};

/* Counts, and keeps the first one in words. */
void viewer_blame(struct viewer *v, enum viewer_fault fault, const char *format, ...) WEIR_PRINTF(3, 4);
/* Fills the wish's id and URL; the rest of it is the caller's. */
bool viewer_send(struct viewer *v, struct wish *wish, const char *url, const struct hls_range *range,
                 int64_t timeout_us, size_t bytes_max, struct check_request *out);
/* false: it is not, and that was noted. */
bool viewer_is_good(struct viewer *v, const struct wish *w, const struct check_answer *a);
/* Media time to the time it takes to play, or to come. */
int64_t viewer_real_us(const struct viewer *v, int64_t media_us);
struct object *viewer_take(struct viewer *v, enum object_kind kind, const struct wish *w, const struct check_answer *a,
                           const struct mp4_init *init);
void wish_clear(struct wish *w);

/* -- viewer_feed.c: what to ask for -- */
void feed_open(struct feed *f, struct viewer *v, const char *url);
void feed_close(struct feed *f);
/* To another variant's list, from the next segment on; what is buffered stays. */
void feed_switch(struct feed *f, const char *url, int64_t now_us);
bool feed_next_request(struct feed *f, int64_t now_us, struct check_request *out);
bool feed_is_low_latency(const struct feed *f);
int64_t feed_target_us(const struct feed *f);
/* Where to begin in the list that came, or to go on behind a switch. */
void feed_find_place(struct feed *f, int64_t now_us);
void feed_go_to_next_segment(struct feed *f);
/* Nothing is left to fetch, ever. */
bool feed_is_over(const struct feed *f);

/* -- viewer_answers.c: what came -- */
/* false: the answer is to none of this feed's wishes. */
bool feed_answer(struct feed *f, const struct check_answer *a);

#endif
