/* An event loop on a thread of its own, with a mailbox; the only place of base that knows libevent.
 *
 * Loops talk by posting messages: a function and two pointers, run on the receiving loop in the order they were posted.
 * What one message points to belongs to the receiver from then on.
 * Thread: loop_post, loop_stop from any; everything else on the loop, asserted with loop_assert_current(). */
#ifndef WEIR_BASE_LOOP_H
#define WEIR_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/counters.h>
#include <weir/base/err.h>

struct event_base;
struct loop;

typedef void loop_fn(void *a, void *b);

/* Does not run yet. name is copied, 15 bytes count. */
WEIR_MUST_CHECK enum weir_err loop_create(struct loop **out, const char *name);
void loop_destroy(struct loop *loop); /* after loop_join; messages still in the box are run first. NULL is fine */
WEIR_MUST_CHECK enum weir_err loop_start(struct loop *loop); /* starts the thread */
void loop_stop(struct loop *loop);                           /* asks; returns at once */
void loop_join(struct loop *loop);
/* After loop_join: the calling thread stands in for the loop from here on and runs what waits in the mailbox.
 * How many messages that were. For taking the house down: drain all loops until none had any. */
size_t loop_drain(struct loop *loop);
/* Runs on the calling thread instead until loop_stop. */
void loop_run(struct loop *loop);

/* WEIR_LIMIT, WEIR_NOMEM: not delivered, and what a and b point to is still the caller's. */
WEIR_MUST_CHECK enum weir_err loop_post(struct loop *loop, loop_fn *fn, void *a, void *b);

bool loop_is_current(const struct loop *loop);
#define loop_assert_current(loop) assert(loop_is_current(loop))
struct event_base *loop_event_base(struct loop *loop); /* lent */
int64_t loop_now_us(struct loop *loop);                /* monotonic */
struct counters *loop_counters(struct loop *loop);     /* lent; add only on the loop */
const char *loop_name(const struct loop *loop);

/* One-shot timer owned by its loop; may be armed again from its own callback. */
struct loop_timer;
struct loop_timer *loop_timer_create(struct loop *loop, void (*fn)(void *), void *context); /* NULL: no memory */
void loop_timer_arm(struct loop_timer *t, int64_t delay_us);                                /* again: moves it */
void loop_timer_disarm(struct loop_timer *t);
void loop_timer_destroy(struct loop_timer *t); /* NULL is fine */

#endif
