#include <weir/base/queue.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void queue_init(struct queue *q, size_t item_bytes, size_t items_max)
{
    assert(item_bytes > 0 && items_max > 0);
    *q = (struct queue){ .item_bytes = item_bytes, .items_max = items_max };
}

void queue_deinit(struct queue *q)
{
    free(q->items);
    queue_init(q, q->item_bytes, q->items_max);
}

static void *slot(const struct queue *q, size_t index)
{
    return q->items + (q->first + index) % q->capacity * q->item_bytes;
}

static enum weir_err grow(struct queue *q)
{
    /* by half: the queues of a stream live as long as it does, and most stay short */
    size_t capacity = q->capacity ? q->capacity + q->capacity / 2 : 4;
    if (capacity > q->items_max) capacity = q->items_max;
    unsigned char *items = malloc(capacity * q->item_bytes);
    if (!items) return WEIR_NOMEM;
    for (size_t i = 0; i < q->count; i++) memcpy(items + i * q->item_bytes, slot(q, i), q->item_bytes);
    free(q->items);
    q->items = items;
    q->capacity = capacity;
    q->first = 0;
    return WEIR_OK;
}

enum weir_err queue_give(struct queue *q, const void *item)
{
    if (q->count == q->items_max) return WEIR_LIMIT;
    if (q->count == q->capacity) {
        const enum weir_err err = grow(q);
        if (err) return err;
    }
    memcpy(slot(q, q->count), item, q->item_bytes);
    q->count++;
    return WEIR_OK;
}

bool queue_take(struct queue *q, void *item)
{
    if (!q->count) return false;
    memcpy(item, slot(q, 0), q->item_bytes);
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    return true;
}

void *queue_peek(const struct queue *q)
{
    return queue_at(q, 0);
}

void *queue_at(const struct queue *q, size_t index)
{
    return index < q->count ? slot(q, index) : NULL;
}

size_t queue_count(const struct queue *q)
{
    return q->count;
}
