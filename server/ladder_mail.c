#include "ladder_mail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/base/limits.h>
#include <weir/base/queue.h>

#define MARKS_MAX 256 /* plans, tracks and the like, besides packets */

struct ladder_mail {
    _Atomic uint32_t refs; /* the owner's, and one for each message under way to a loop */
    pthread_mutex_t lock;  /* all below */
    struct queue items;
    size_t bytes, packets;
    bool waits_for_key[PACKAGER_RUNGS_MAX];
    bool is_closed, is_posted;
    struct loop *loop;
    void (*arrived)(void *context);
    void *context;
};

void mail_item_deinit(struct mail_item *item)
{
    free(item->plan);
    track_unref(item->track);
    if (item->kind == MAIL_PACKET) blob_unref(item->packet.payload.blob);
}

static void unref(struct ladder_mail *m)
{
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    queue_deinit(&m->items);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct ladder_mail *ladder_mail_create(void (*arrived)(void *context), void *context)
{
    struct ladder_mail *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->lock, NULL);
    queue_init(&m->items, sizeof(struct mail_item), LADDER_MAIL_ITEMS_MAX + MARKS_MAX);
    m->arrived = arrived;
    m->context = context;
    return m;
}

void ladder_mail_close(struct ladder_mail *m)
{
    struct mail_item item;
    if (!m) return;
    while (ladder_mail_take(m, &item)) mail_item_deinit(&item);
    pthread_mutex_lock(&m->lock);
    m->is_closed = true;
    m->loop = NULL;
    pthread_mutex_unlock(&m->lock);
    unref(m);
}

static void on_post(void *a, void *b)
{
    struct ladder_mail *m = a;
    pthread_mutex_lock(&m->lock);
    /* a loop that the stream has left has nothing to do with it. It can leave on that loop's own thread alone, so this holds. */
    const bool is_here = !m->is_closed && m->loop == b;
    if (is_here) m->is_posted = false;
    pthread_mutex_unlock(&m->lock);
    if (is_here) m->arrived(m->context);
    unref(m);
}

/* Under the lock. A message that cannot be posted now is tried again with the next item. */
static void wake(struct ladder_mail *m)
{
    if (!m->loop || m->is_posted || !queue_count(&m->items)) return;
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    m->is_posted = !loop_post(m->loop, on_post, m, m->loop);
    if (!m->is_posted)
        atomic_fetch_sub_explicit(&m->refs, 1, memory_order_relaxed); /* never the last: the caller has one */
}

static bool has_room(struct ladder_mail *m, const struct mail_item *item)
{
    if (item->kind != MAIL_PACKET) return true;
    const bool is_over = m->packets == LADDER_MAIL_ITEMS_MAX ||
                         m->bytes + item->packet.payload.bytes > LADDER_MAIL_BYTES_MAX;
    bool *waits = &m->waits_for_key[item->rung];
    if (is_over)
        *waits = true;
    else if (item->packet.access == FRAME_IDR)
        *waits = false;
    return !*waits;
}

bool ladder_mail_give(struct ladder_mail *m, const struct mail_item *item)
{
    pthread_mutex_lock(&m->lock);
    const bool is_taken = !m->is_closed && has_room(m, item) && !queue_give(&m->items, item);
    if (is_taken && item->kind == MAIL_PACKET) {
        m->bytes += item->packet.payload.bytes;
        m->packets++;
    }
    wake(m);
    pthread_mutex_unlock(&m->lock);
    struct mail_item lost = *item;
    if (!is_taken) mail_item_deinit(&lost);
    return is_taken;
}

bool ladder_mail_take(struct ladder_mail *m, struct mail_item *item)
{
    pthread_mutex_lock(&m->lock);
    const bool has_one = queue_take(&m->items, item);
    if (has_one && item->kind == MAIL_PACKET) {
        m->bytes -= item->packet.payload.bytes;
        m->packets--;
    }
    pthread_mutex_unlock(&m->lock);
    return has_one;
}

void ladder_mail_set_loop(struct ladder_mail *m, struct loop *loop)
{
    pthread_mutex_lock(&m->lock);
    m->loop = loop;
    m->is_posted = false;
    wake(m);
    pthread_mutex_unlock(&m->lock);
}
