#include "srt_pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/loop.h>

#define BUCKETS 1024
#define EVENTS_PER_ROUND 256
#define ROUNDS_PER_PASS                                                                                                \
    256 /* messages that one socket gets in a pass: 340 KiB, 43 MB/s at 8 ms; then timers and mailbox have a turn */

struct srt_pass {
    struct loop *loop;
    struct loop_timer *timer;
    int64_t pass_us, awake_until_us, now_us;
    int epoll_id;
    unsigned close_count;
    bool is_armed, is_passing;
    struct srt_watch *buckets[BUCKETS];
    SRT_EPOLL_EVENT events[EVENTS_PER_ROUND];
};

static struct srt_watch **bucket_of(struct srt_pass *p, SRTSOCKET socket)
{
    return &p->buckets[(uint32_t)socket * 2654435761u >> 22]; /* ids count down: spread them */
}
_Static_assert(BUCKETS == 1u << (32 - 22), "the shift leaves as many bits as there are buckets");

static struct srt_watch *find(struct srt_pass *p, SRTSOCKET socket)
{
    struct srt_watch *w = *bucket_of(p, socket);
    while (w && w->socket != socket) w = w->next;
    return w;
}

/* One thing for each socket that is ready. false: none was. */
static bool serve_round(struct srt_pass *p)
{
    int count = srt_epoll_uwait(p->epoll_id, p->events, EVENTS_PER_ROUND, 0);
    if (count > EVENTS_PER_ROUND) count = EVENTS_PER_ROUND; /* it says so when there are more */
    for (int i = 0; i < count; i++) {
        /* looked up again for each: those before may have taken it away */
        struct srt_watch *w = find(p, p->events[i].fd);
        if (w)
            w->ready(w, p->events[i].events);
        else
            srt_epoll_remove_usock(p->epoll_id, p->events[i].fd);
    }
    return count > 0;
}

static void arm(struct srt_pass *p, int64_t delay_us)
{
    p->is_armed = true;
    loop_timer_arm(p->timer, delay_us);
}

static void on_pass(void *context)
{
    struct srt_pass *p = context;
    p->is_armed = false;
    p->is_passing = true;
    p->now_us = clock_now_us();
    unsigned rounds = 0;
    while (rounds < ROUNDS_PER_PASS && serve_round(p)) rounds++;
    p->is_passing = false;
    if (rounds == ROUNDS_PER_PASS) {
        arm(p, 0);
    } else if (p->close_count || p->now_us < p->awake_until_us) {
        const int64_t left_us = p->now_us + p->pass_us - clock_now_us();
        arm(p, left_us > 0 ? left_us : 0);
    }
}

enum weir_err srt_pass_create(struct srt_pass **out, struct loop *loop, int64_t pass_us)
{
    struct srt_pass *p = calloc(1, sizeof *p);
    if (!p) return WEIR_NOMEM;
    p->loop = loop;
    p->pass_us = pass_us;
    p->epoll_id = srt_epoll_create();
    p->timer = loop_timer_create(loop, on_pass, p);
    if (p->epoll_id < 0 || !p->timer) {
        srt_pass_destroy(p);
        return WEIR_NOMEM;
    }
    srt_epoll_set(p->epoll_id, SRT_EPOLL_ENABLE_EMPTY);
    *out = p;
    return WEIR_OK;
}

void srt_pass_destroy(struct srt_pass *p)
{
    if (!p) return;
    loop_timer_destroy(p->timer);
    if (p->epoll_id >= 0) srt_epoll_release(p->epoll_id);
    free(p);
}

enum weir_err srt_pass_watch(struct srt_pass *p, struct srt_watch *w, int events)
{
    if (srt_epoll_add_usock(p->epoll_id, w->socket, &events) < 0) return WEIR_IO;
    struct srt_watch **bucket = bucket_of(p, w->socket);
    w->next = *bucket;
    *bucket = w;
    if (!w->is_close) return WEIR_OK;
    p->close_count++;
    if (!p->is_armed && !p->is_passing) arm(p, 0);
    return WEIR_OK;
}

void srt_pass_unwatch(struct srt_pass *p, struct srt_watch *w)
{
    struct srt_watch **at = bucket_of(p, w->socket);
    while (*at && *at != w) at = &(*at)->next;
    if (!*at) return;
    *at = w->next;
    srt_epoll_remove_usock(p->epoll_id, w->socket);
    if (w->is_close) p->close_count--;
}

void srt_pass_stay_awake(struct srt_pass *p, int64_t until_us)
{
    if (until_us > p->awake_until_us) p->awake_until_us = until_us;
    if (!p->is_armed && !p->is_passing) arm(p, 0);
}

int64_t srt_pass_now_us(const struct srt_pass *p)
{
    return p->now_us;
}
