/* A bounded first-in first-out ring of fixed-size items. It grows on demand up to its ceiling and then refuses.
 * Thread: none of its own; the mailbox puts a lock around one. */
#ifndef WEIR_BASE_QUEUE_H
#define WEIR_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/err.h>

struct queue {
    unsigned char *items;
    size_t item_bytes, capacity, count, first, items_max;
};

void queue_init(struct queue *q, size_t item_bytes, size_t items_max);
void queue_deinit(struct queue *q); /* the items themselves are the caller's */
/* Copies *item in. WEIR_LIMIT: full. WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err queue_give(struct queue *q, const void *item);
/* Copies the oldest out; false: empty. */
bool queue_take(struct queue *q, void *item);
/* The oldest, lent until the next call; NULL: empty. */
void *queue_peek(const struct queue *q);
/* The index-th oldest, lent; NULL: not that many. */
void *queue_at(const struct queue *q, size_t index);
size_t queue_count(const struct queue *q);

#endif
