/* ladder_mail: what a ladder's threads have for its stream, on its way to the loop that owns the stream.
 *
 * Bounded by bytes and count: past either, packets of a rung are dropped up to its next IDR, so that what comes out is decodable.
 * Whoever gives never waits. The stream may move from loop to loop: only the loop that owns it now is woken, and what lies here
 * goes with it. Lock: one, around the queue, held for a copy and a loop_post. */
#ifndef WEIR_SERVER_LADDER_MAIL_H
#define WEIR_SERVER_LADDER_MAIL_H

#include <weir/base/loop.h>
#include <weir/media/packet.h>
#include <weir/transcode/ladder_plan.h>

enum mail_kind { MAIL_PLAN = 1, MAIL_TRACK, MAIL_PACKET, MAIL_ABSENT, MAIL_DRAINED };

struct mail_item {
    enum mail_kind kind;
    size_t rung;                /* all but MAIL_PLAN */
    struct ladder_plan *plan;   /* MAIL_PLAN: on the heap, the item's own */
    struct track *track;        /* MAIL_TRACK: a reference */
    struct media_packet packet; /* MAIL_PACKET: a reference on the payload's blob */
};
void mail_item_deinit(struct mail_item *item);

struct ladder_mail;

/* arrived: on the owner's thread, when something lies here. NULL: no memory. */
struct ladder_mail *ladder_mail_create(void (*arrived)(void *context), void *context);
/* By the owner: arrived does not come any more, what lies here and what is given later is thrown away. Givers may still come as long
 * as they hold it. NULL is fine. */
void ladder_mail_close(struct ladder_mail *m);
/* Any thread; takes over what the item holds, also when it is dropped. Whether it was taken. */
bool ladder_mail_give(struct ladder_mail *m, const struct mail_item *item);
/* The owner's. What the item holds is the caller's; false: empty. */
bool ladder_mail_take(struct ladder_mail *m, struct mail_item *item);
/* On the old and the new owner's thread. NULL: nobody is woken until there is one again. */
void ladder_mail_set_loop(struct ladder_mail *m, struct loop *loop);

#endif
