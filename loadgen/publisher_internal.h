/* One publisher, between the group (publishers.c: threads, the ramp, what is asked for), those that dial (publisher_dial.c) and the two protocols
 * (publisher_rtmp.c, publisher_srt.c). All of it belongs to the loop it lives on; figures are read from outside. */
#ifndef WEIR_LOADGEN_PUBLISHER_INTERNAL_H
#define WEIR_LOADGEN_PUBLISHER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <weir/base/bytes.h>
#include <weir/base/loop.h>
#include <weir/loadgen/publisher.h>
#include <weir/loadgen/stamp.h>

#include "rtmp_line.h"
#include "rtmp_writer.h"

#define NEVER_US INT64_MAX
#define NAME_BYTES 320

struct event;
struct publisher;
struct dialers;

/* How the two protocols differ. All on the publisher's loop. */
struct publisher_protocol {
    void (*dial)(struct publisher *p);
    /* Sends what is due. How long until it should be called again, by itself: at least when the next frame is due. */
    void (*pump)(struct publisher *p, int64_t now_us);
    void (*poll)(struct publisher *p, int64_t now_us);              /* while dialing; NULL: it is told */
    void (*cut)(struct publisher *p, bool is_reset, uint64_t seed); /* in the middle of a frame; closes */
    void (*vanish)(struct publisher *p, int64_t until_us);          /* sets the line aside, open and silent */
    void (*garbage)(struct publisher *p, uint32_t bytes, uint64_t seed);
    void (*end)(struct publisher *p);   /* cleanly; closes */
    void (*close)(struct publisher *p); /* whatever there is, also what vanished */
    void (*drop_ghost)(struct publisher *p);
};
extern const struct publisher_protocol publisher_rtmp, publisher_srt;

struct publisher_home {
    struct publishers *group;
    struct loop *loop;
    struct loop_timer *tick;
    struct publisher **publishers;
    uint32_t count;
    struct byte_writer scratch; /* of whoever is writing now */
};

struct publisher {
    struct publishers *group;
    struct publisher_home *home;
    uint32_t index;
    char name[NAME_BYTES], play[2 * NAME_BYTES]; /* as people know it; as the server is asked, with the key */
    enum publisher_state state;
    int64_t due_us; /* when to look at it again */

    /* where it is in its source */
    const struct media_source *source;
    uint64_t round;
    uint32_t at;      /* item, or piece of the transport stream */
    int64_t epoch_us; /* when the beginning of the source was due */
    int64_t base_90k; /* added to the source's times */
    uint64_t frame;   /* the next stamp's */
    int64_t quiet_until_us;
    int64_t redial_us; /* after a loss; negative: never */
    bool is_started;   /* this connection has been told what comes */

    struct publisher_rtmp_half {
        struct rtmp_line line;
        struct rtmp_writer writer;
        struct event *readable, *writable;
        uint8_t *pending; /* what the socket did not take */
        size_t pending_bytes, pending_at;
        int64_t pending_due_us;
        struct rtmp_line ghost;
        char status[96]; /* the last one the server sent */
    } rtmp;
    struct publisher_srt_half {
        int socket, ghost; /* -1: none */
        uint32_t packet;   /* of the piece at hand */
    } srt;
    int64_t ghost_until_us;

    struct {
        _Atomic int state;
        _Atomic uint64_t frames, bytes, packets, dropped_frames;
        _Atomic uint32_t lives, losses, refusals;
        _Atomic int64_t queue_age_us, queue_age_max_us;
    } figures;
};

struct publishers {
    struct publishers_config config; /* its texts are ours */
    char *texts[5];
    uint32_t text_count;
    const struct publisher_protocol *protocol;
    struct rtmp_address rtmp;
    struct sockaddr_storage srt_address, srt_own; /* own: what all bind to */
    socklen_t srt_address_bytes;
    struct publisher_home homes[16]; /* LOADGEN_PUBLISHER_THREADS_MAX */
    uint32_t home_count;
    struct publisher *publishers;
    struct dialers *dialers;
    pthread_mutex_t lock; /* guards events and `ended` */
    pthread_cond_t changed;
    uint32_t ended;
    _Atomic bool is_stopping;
    int64_t start_us;
};

/* -- publisher.c: what both protocols share -- */

int64_t publisher_media_90k(const struct publisher *p, int64_t dts_90k); /* as sent */
int64_t publisher_due_us(const struct publisher *p, int64_t dts_90k);
void publisher_advance(struct publisher *p, uint32_t count); /* to the next of count items */
/* Of a picture or of sound that is presented at pts_90k of its source. */
struct stamp publisher_stamp(struct publisher *p, bool is_video, int64_t pts_90k);
void publisher_note_age(struct publisher *p, int64_t age_us);
void publisher_tell(struct publisher *p, enum publisher_event_kind kind, const char *text);
/* due_us was moved outside of a tick. */
void publisher_wake(struct publisher *p);
/* The server took the name. */
void publisher_is_live(struct publisher *p);
/* The connection is gone or was refused; the protocol has closed it. */
void publisher_is_lost(struct publisher *p, const char *why);
void publisher_is_refused(struct publisher *p, const char *why);
void publisher_tick(struct publisher *p, int64_t now_us);
void publisher_do(struct publisher *p, const struct publisher_action *action);

/* -- publisher_dial.c: blocking dials on threads of their own -- */

struct dialers *dialers_create(struct publishers *g); /* NULL: no memory or threads */
void dialers_destroy(struct dialers *d);
/* The answer comes to the publisher's loop. */
void dialers_ask(struct dialers *d, struct publisher *p);
/* publisher_rtmp.c: given a line, or why there is none. */
void publisher_rtmp_dialled(struct publisher *p, const struct rtmp_line *line, const char *why);

#endif
