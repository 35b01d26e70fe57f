/* A run of chaos: who publishes, who is looked at, what is going on. chaos_run.c lets things happen, chaos_watch.c looks at the playlists,
 * chaos_judge.c says what each event came to. Owner: one thread; publishers' events come from theirs, into atomics. */
#ifndef WEIR_LOADGEN_CHAOS_INTERNAL_H
#define WEIR_LOADGEN_CHAOS_INTERNAL_H

#include <stdatomic.h>
#include <weir/base/limits.h>
#include <weir/loadgen/chaos_plan.h>
#include <weir/loadgen/follower.h>
#include <weir/loadgen/http_client.h>
#include <weir/loadgen/publisher.h>

#include "bad_viewers.h"
#include "event_log.h"
#include "relay_thread.h"
#include "server_process.h"

#define CHAOS_URL_BYTES 512

struct chaos_config {
    const char *url, *srt_url; /* SRT: every second victim goes there; NULL: none */
    const char *http, *play;   /* "http://127.0.0.1:8080", "/%s/index.m3u8": %s is "live/load3" */
    const char *name, *key;
    const char *disk; /* a folder of the file system that is filled; NULL: none */
    uint32_t steady, victims;
    int64_t settle_us, tolerance_us, warm_up_us, pss_slack_kib;
    const struct media_source *source, *other; /* other: what SWITCH switches to */
    bool is_any_host;
};

/* A stream that is looked at. */
struct chaos_stream {
    struct chaos *chaos;
    char name[192], list[CHAOS_URL_BYTES], media[CHAOS_URL_BYTES]; /* media "": not known yet */
    char last_uri[CHAOS_URL_BYTES];                                /* of a segment: for viewers that misbehave */
    struct follower follower;
    struct publishers *publishers;
    uint32_t index; /* in them */
    bool is_srt, is_target;
    uint64_t discontinuities_before;
    int64_t ask_us;
    int64_t resumed_us;               /* the first advance behind live_us */
    _Atomic int64_t live_us, lost_us; /* when its publisher last was taken, or gone */
    _Atomic uint32_t lives, refusals;
};

enum chaos_phase { CHAOS_IDLE = 1, CHAOS_ACTING, CHAOS_SETTLING };

struct chaos {
    struct chaos_config config;
    const struct chaos_plan *plan;
    struct event_log *log;
    struct server_process *server;
    struct http_loop *http_loop;
    struct http_client *http;
    bool is_asking;
    uint32_t next_ask;
    struct publishers *steady, *victims[LOADGEN_CHAOS_VICTIMS_MAX], *guest; /* guest: a contender, or over a cliff */
    struct relay_thread *relays;
    struct relay *relay[LOADGEN_CHAOS_VICTIMS_MAX];
    struct chaos_stream *streams; /* steady ones, victims, one for the guest */
    uint32_t stream_count;        /* without the guest's, unless has_guest */
    bool has_guest;
    struct bad_viewers *viewers;
    int64_t begin_us, now_us, phase_until_us, turn_us;
    enum chaos_phase phase;
    uint32_t at; /* event of the plan */
    /* of the event at hand */
    const struct chaos_event *event;
    int64_t event_us;
    uint32_t flaps_done, flap_lives;
    int64_t flap_due_us;
    struct server_size before;
    bool has_before;
    uint64_t dropped_before;
    struct chaos_disk {
        int file;        /* that fills it; -1: none */
        int64_t ask_us;  /* when the server is asked next whether it knows */
        int64_t told_us; /* when it said so since the event; 0: not yet */
        bool is_now;     /* it says so now */
        bool is_known;   /* it has a gauge for it */
    } disk;
    /* of all */
    uint32_t events_good, events_bad, faults;
    int64_t slowest_resume_us;
};

/* Asks for one playlist, where one is due. */
void chaos_watch_turn(struct chaos *c);
void chaos_watch_done(void *owner, const struct http_result *r);

/* Whatever one of the events may do to a stream that it was not aimed at, and to the one it was. Says it, counts it. */
void chaos_judge(struct chaos *c);
/* Before it happens. */
void chaos_mark(struct chaos *c);
/* As it was before, as far as the server's size goes: descriptors and threads equal, memory within 1 % or 2 MiB. */
bool chaos_size_is_back(struct chaos *c, struct server_size *now);

/* -- chaos_disk.c -- */
/* false: why says it. A file system that somebody may need is not filled. */
bool chaos_disk_check(const char *folder, char *why, size_t why_bytes);
void chaos_disk_begin(struct chaos *c);
void chaos_disk_turn(struct chaos *c); /* takes what the server has given up; asks the server */
/* Until it was full for as long as the event says, from when the server said so: first it gives up what is old. */
bool chaos_disk_is_acting(const struct chaos *c);
void chaos_disk_end(struct chaos *c);
void chaos_disk_answer(struct chaos *c, const struct http_result *r);
bool chaos_disk_is_back(const struct chaos *c); /* the server says so, or says nothing of disks */
bool chaos_disk_judge(struct chaos *c);

void chaos_say(struct chaos *c, const char *event, const char *stream, const char *format, ...) WEIR_PRINTF(4, 5);

/* chaos_run.c. WEIR_OK: it ran to its end; what it found is in c. */
WEIR_MUST_CHECK enum weir_err chaos_open(struct chaos *c, char *why, size_t why_bytes);
void chaos_turn(struct chaos *c);
bool chaos_is_over(const struct chaos *c);
void chaos_close(struct chaos *c);

#endif
