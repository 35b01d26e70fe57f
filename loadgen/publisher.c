#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>

#include "publisher_internal.h"

#define RELAXED memory_order_relaxed

/* -- time -- */

static int64_t loop_90k(const struct publisher *p)
{
    return media_source_facts(p->source)->loop_90k;
}

int64_t publisher_media_90k(const struct publisher *p, int64_t dts_90k)
{
    return p->base_90k + (int64_t)p->round * loop_90k(p) + dts_90k;
}

int64_t publisher_due_us(const struct publisher *p, int64_t dts_90k)
{
    const int64_t media_us = ((int64_t)p->round * loop_90k(p) + dts_90k) * 100 / 9;
    const double speed = p->group->config.speed;
    return p->epoch_us + (speed == 1 ? media_us : (int64_t)((double)media_us / speed));
}

void publisher_advance(struct publisher *p, uint32_t count)
{
    if (++p->at < count) return;
    p->at = 0;
    p->round++;
}

struct stamp publisher_stamp(struct publisher *p, bool is_video, int64_t pts_90k)
{
    struct stamp s = { .wall_us = clock_wall_us(), .pts_us = publisher_media_90k(p, pts_90k) * 100 / 9 };
    if (!is_video) return s;
    atomic_fetch_add_explicit(&p->figures.frames, 1, RELAXED);
    s.frame = p->frame++;
    return s;
}

void publisher_note_age(struct publisher *p, int64_t age_us)
{
    if (age_us < 0) age_us = 0;
    atomic_store_explicit(&p->figures.queue_age_us, age_us, RELAXED);
    if (age_us > atomic_load_explicit(&p->figures.queue_age_max_us, RELAXED))
        atomic_store_explicit(&p->figures.queue_age_max_us, age_us, RELAXED);
}

/* -- what it tells -- */

const char *publisher_event_name(enum publisher_event_kind kind)
{
    static const char *const names[] = { "", "dialing", "live", "refused", "lost", "behind", "acted", "ended" };
    return names[kind];
}

void publisher_tell(struct publisher *p, enum publisher_event_kind kind, const char *text)
{
    struct publishers *g = p->group;
    const struct publisher_event e = { .kind = kind,
                                       .index = p->index,
                                       .name = p->name,
                                       .wall_us = clock_wall_us(),
                                       .frames = atomic_load_explicit(&p->figures.frames, RELAXED),
                                       .bytes = atomic_load_explicit(&p->figures.bytes, RELAXED),
                                       .queue_age_us = atomic_load_explicit(&p->figures.queue_age_us, RELAXED),
                                       .text = text };
    pthread_mutex_lock(&g->lock);
    if (kind == PUBLISHER_ENDED) {
        g->ended++;
        pthread_cond_broadcast(&g->changed);
    }
    if (g->config.on_event) g->config.on_event(g->config.owner, &e);
    pthread_mutex_unlock(&g->lock);
}

void publisher_wake(struct publisher *p)
{
    loop_timer_arm(p->home->tick, 0);
}

static void enter(struct publisher *p, enum publisher_state state, int64_t due_us)
{
    p->state = state;
    p->due_us = due_us;
    atomic_store_explicit(&p->figures.state, (int)state, RELAXED);
    publisher_wake(p);
}

static void finish(struct publisher *p, const char *text)
{
    if (p->state == PUBLISHER_IS_ENDED) return;
    p->group->protocol->close(p);
    enter(p, PUBLISHER_IS_ENDED, NEVER_US);
    publisher_note_age(p, 0);
    publisher_tell(p, PUBLISHER_ENDED, text);
}

void publisher_is_live(struct publisher *p)
{
    const struct publishers_config *c = &p->group->config;
    if (p->state != PUBLISHER_IS_DIALING) return;
    /* a new encoder session: from the beginning, at the first timestamp. All at once is not the same moment for all */
    p->round = p->at = 0;
    p->base_90k = c->start_ms * 90;
    p->epoch_us = clock_now_us() + (c->ramp_per_second > 0 ? 0 : (int64_t)p->index * 33000 / c->count);
    p->quiet_until_us = 0;
    p->is_started = false;
    p->redial_us = c->reconnect_us;
    enter(p, PUBLISHER_IS_LIVE, p->epoch_us);
    atomic_fetch_add_explicit(&p->figures.lives, 1, RELAXED);
    publisher_tell(p, PUBLISHER_LIVE, "");
}

static void dial_later(struct publisher *p, int64_t after_us, const char *why)
{
    if (after_us < 0 || atomic_load(&p->group->is_stopping))
        finish(p, why);
    else
        enter(p, PUBLISHER_IS_WAITING, clock_now_us() + after_us);
}

void publisher_is_lost(struct publisher *p, const char *why)
{
    if (p->state != PUBLISHER_IS_LIVE) return;
    atomic_fetch_add_explicit(&p->figures.losses, 1, RELAXED);
    publisher_note_age(p, 0);
    publisher_tell(p, PUBLISHER_LOST, why);
    dial_later(p, p->group->config.reconnect_us, why);
}

void publisher_is_refused(struct publisher *p, const char *why)
{
    if (p->state != PUBLISHER_IS_DIALING) return;
    atomic_fetch_add_explicit(&p->figures.refusals, 1, RELAXED);
    publisher_tell(p, PUBLISHER_REFUSED, why);
    dial_later(p, p->group->config.reconnect_us, why);
}

void publisher_tick(struct publisher *p, int64_t now_us)
{
    const struct publisher_protocol *protocol = p->group->protocol;
    if (p->ghost_until_us && now_us >= p->ghost_until_us) {
        protocol->drop_ghost(p);
        p->ghost_until_us = 0;
    }
    if (p->due_us > now_us) return;
    switch (p->state) {
    case PUBLISHER_IS_WAITING:
        enter(p, PUBLISHER_IS_DIALING, protocol->poll ? now_us : NEVER_US);
        publisher_tell(p, PUBLISHER_DIALING, "");
        protocol->dial(p);
        break;
    case PUBLISHER_IS_DIALING:
        if (protocol->poll) protocol->poll(p, now_us);
        break;
    case PUBLISHER_IS_LIVE:
        if (now_us < p->quiet_until_us)
            p->due_us = p->quiet_until_us;
        else
            protocol->pump(p, now_us);
        break;
    case PUBLISHER_IS_ENDED: break;
    }
}

/* -- misbehaviour -- */

/* From now on in another source, from its beginning; times go on. */
static void change_source(struct publisher *p, const struct media_source *s)
{
    uint32_t count;
    const int64_t dts_90k = p->group->protocol == &publisher_srt ? media_source_ts(p->source, &count)[p->at].dts_90k
                                                                 : media_source_items(p->source, &count)[p->at].dts_90k;
    const int64_t epoch_us = publisher_due_us(p, dts_90k);
    p->base_90k = publisher_media_90k(p, dts_90k);
    p->epoch_us = epoch_us;
    p->source = s;
    p->round = p->at = 0;
    p->srt.packet = 0;
    p->is_started = false;
}

void publisher_do(struct publisher *p, const struct publisher_action *a)
{
    static const char *const names[] = {
        "", "cut-fin", "cut-rst", "vanish", "stall", "garbage", "jump", "switch", "end"
    };
    const struct publisher_protocol *protocol = p->group->protocol;
    if (a->act == PUBLISHER_END && p->state != PUBLISHER_IS_ENDED) {
        if (p->state == PUBLISHER_IS_LIVE) protocol->end(p);
        /* one that is being dialled is closed when its line comes */
        finish(p, "");
        return;
    }
    if (p->state != PUBLISHER_IS_LIVE) return;
    const int64_t now_us = clock_now_us();
    switch (a->act) {
    case PUBLISHER_CUT_FIN:
    case PUBLISHER_CUT_RST: protocol->cut(p, a->act == PUBLISHER_CUT_RST, a->seed); break;
    case PUBLISHER_VANISH:
        protocol->vanish(p, now_us + a->us);
        p->ghost_until_us = now_us + a->us;
        break;
    case PUBLISHER_STALL: p->quiet_until_us = now_us + a->us; break;
    case PUBLISHER_GARBAGE: protocol->garbage(p, a->bytes, a->seed); break;
    case PUBLISHER_JUMP: p->base_90k += a->us * 9 / 100; break;
    case PUBLISHER_SWITCH: change_source(p, a->source); break;
    case PUBLISHER_END: break;
    }
    publisher_tell(p, PUBLISHER_ACTED, names[a->act]);
    if (a->act == PUBLISHER_CUT_FIN || a->act == PUBLISHER_CUT_RST || a->act == PUBLISHER_VANISH)
        dial_later(p, a->reconnect_us, names[a->act]);
    else if (p->state == PUBLISHER_IS_LIVE)
        enter(p, PUBLISHER_IS_LIVE, now_us);
}
