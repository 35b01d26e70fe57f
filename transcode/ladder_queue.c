#include "ladder_queue.h"

void ladder_queue_init(struct ladder_queue *q, size_t bytes_max, int64_t span_90k_max, size_t items_max)
{
    *q = (struct ladder_queue){ .bytes_max = bytes_max, .span_90k_max = span_90k_max };
    queue_init(&q->items, sizeof(struct ladder_item), items_max);
}

void ladder_item_deinit(struct ladder_item *item)
{
    if (item->kind == ITEM_PACKET) blob_unref(item->packet.payload.blob);
    if (item->kind == ITEM_TRACK) track_unref(item->track);
}

bool ladder_queue_take(struct ladder_queue *q, struct ladder_item *item)
{
    if (!queue_take(&q->items, item)) return false;
    if (item->kind == ITEM_PACKET) q->bytes -= item->packet.payload.bytes;
    return true;
}

void ladder_queue_deinit(struct ladder_queue *q)
{
    struct ladder_item item;
    while (ladder_queue_take(q, &item)) ladder_item_deinit(&item);
    queue_deinit(&q->items);
}

static const struct media_packet *end_packet(const struct ladder_queue *q, bool is_newest)
{
    const size_t count = queue_count(&q->items);
    for (size_t i = 0; i < count; i++) {
        const struct ladder_item *item = queue_at(&q->items, is_newest ? count - 1 - i : i);
        if (item->kind == ITEM_PACKET) return &item->packet;
    }
    return NULL;
}

int64_t ladder_queue_span_90k(const struct ladder_queue *q)
{
    const struct media_packet *oldest = end_packet(q, false), *newest = end_packet(q, true);
    return oldest ? newest->dts_90k - oldest->dts_90k : 0;
}

static bool is_entry(const struct media_packet *p)
{
    return p->access != FRAME_INTER;
}

static bool is_over(const struct ladder_queue *q, const struct ladder_item *next)
{
    const struct media_packet *oldest = end_packet(q, false);
    if (queue_count(&q->items) >= q->items.items_max - 2) return true; /* two places stay for marks */
    if (q->bytes + next->packet.payload.bytes > q->bytes_max) return true;
    return oldest && next->packet.dts_90k - oldest->dts_90k > q->span_90k_max;
}

/* Drops packets from the front up to the last entry that waits; all, where there is none. */
static size_t drop_to_entry(struct ladder_queue *q)
{
    const size_t count = queue_count(&q->items);
    size_t entry = count, dropped = 0;
    for (size_t i = count; i-- > 1 && entry == count;) {
        const struct ladder_item *item = queue_at(&q->items, i);
        /* an entry at the very front would free nothing */
        if (item->kind == ITEM_PACKET && is_entry(&item->packet)) entry = i;
    }
    for (size_t i = 0; i < count; i++) {
        struct ladder_item item;
        queue_take(&q->items, &item);
        if (item.kind == ITEM_PACKET && i < entry) {
            q->bytes -= item.packet.payload.bytes;
            ladder_item_deinit(&item);
            dropped++;
        } else if (queue_give(&q->items, &item)) {
            ladder_item_deinit(&item); /* cannot be: its place was just left */
        }
    }
    if (entry == count) q->waits_for_key = true;
    return dropped;
}

static size_t refuse(struct ladder_queue *q, const struct ladder_item *item)
{
    struct ladder_item lost = *item;
    const bool is_packet = item->kind == ITEM_PACKET;
    ladder_item_deinit(&lost);
    q->dropped += is_packet;
    return is_packet;
}

size_t ladder_queue_give(struct ladder_queue *q, const struct ladder_item *item)
{
    size_t dropped = 0;
    if (item->kind == ITEM_PACKET) {
        const bool was_over = is_over(q, item);
        if (was_over) dropped = drop_to_entry(q);
        if (q->waits_for_key && is_entry(&item->packet)) q->waits_for_key = false;
        q->dropped += dropped;
        /* still too much behind the entry that was kept, or a single packet over all bounds */
        if (was_over && is_over(q, item)) q->waits_for_key = true;
        if (q->waits_for_key) return dropped + refuse(q, item);
    }
    if (queue_give(&q->items, item)) {
        if (item->kind == ITEM_PACKET) q->waits_for_key = true;
        return dropped + refuse(q, item);
    }
    if (item->kind == ITEM_PACKET) q->bytes += item->packet.payload.bytes;
    return dropped;
}
