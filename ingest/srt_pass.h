/* The SRT sockets of one loop: which of them are ready, and whom to tell.
 *
 * libsrt's sockets are no file descriptors, and its own waiting wakes up a hundred times a second by itself and looks at descriptors only
 * then. So the loop waits as every loop does, and asks libsrt, without waiting, in passes `pass_us` apart, for as long as there is anyone
 * to hear: while sockets are watched closely, or for some seconds after a caller knocked. Without callers it sleeps. All that came between two
 * passes is served in one, which also spares libsrt's timing threads a wake-up for each packet.
 * Owner and thread: one loop. */
#ifndef WEIR_INGEST_SRT_PASS_H
#define WEIR_INGEST_SRT_PASS_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/err.h>

#include "srt_api.h"

struct loop;
struct srt_pass;

/* One watched socket: lives in its owner's struct. */
struct srt_watch {
    SRTSOCKET socket;
    /* events: SRT_EPOLL_... . One call, one thing to do: one accept, one message. It comes again while the socket stays ready. May unwatch
     * itself or others. */
    void (*ready)(struct srt_watch *w, int events);
    struct srt_watch *next;
    bool is_close; /* its packets must not wait: passes go on while it is watched */
};

WEIR_MUST_CHECK enum weir_err srt_pass_create(struct srt_pass **out, struct loop *loop, int64_t pass_us);
void srt_pass_destroy(struct srt_pass *p); /* NULL is fine; nothing may be watched any more */
/* events: SRT_EPOLL_IN, ... WEIR_IO: libsrt refused. */
WEIR_MUST_CHECK enum weir_err srt_pass_watch(struct srt_pass *p, struct srt_watch *w, int events);
void srt_pass_unwatch(struct srt_pass *p, struct srt_watch *w); /* before the socket is closed; twice is fine */
/* Passes go on until then, whoever is watched. */
void srt_pass_stay_awake(struct srt_pass *p, int64_t until_us);
int64_t srt_pass_now_us(const struct srt_pass *p); /* when the pass under way began */

#endif
