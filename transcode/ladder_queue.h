/* ladder_queue: what waits in front of a decoder. Bounded by bytes, media time and count; past any of them it drops to a keyframe,
 * so that what comes out is never older than its bound and always decodable. Marks (a new track, the end) are never dropped.
 * Pure; whoever owns it puts the lock around it. */
#ifndef WEIR_TRANSCODE_LADDER_QUEUE_H
#define WEIR_TRANSCODE_LADDER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/queue.h>
#include <weir/media/packet.h>

enum ladder_item_kind {
    ITEM_PACKET = 1,
    ITEM_TRACK, /* what the packets behind it are */
    ITEM_DRAIN, /* the publisher is gone: give out all that is inside */
};

struct ladder_item {
    enum ladder_item_kind kind;
    struct media_packet packet; /* ITEM_PACKET: holds a reference on the payload's blob */
    int64_t cut_90k;            /* the source's rendition begins a segment here; LADDER_NO_CUT: none */
    struct track *track;        /* ITEM_TRACK: a reference */
};

struct ladder_queue {
    struct queue items;
    size_t bytes, bytes_max;
    int64_t span_90k_max;
    bool waits_for_key; /* dropping until the next entry */
    uint64_t dropped;   /* packets, ever */
};

void ladder_queue_init(struct ladder_queue *q, size_t bytes_max, int64_t span_90k_max, size_t items_max);
void ladder_queue_deinit(struct ladder_queue *q);
/* Takes over the item's reference, also when it is dropped. How many packets were dropped by it. */
size_t ladder_queue_give(struct ladder_queue *q, const struct ladder_item *item);
/* The caller gets the item's reference; false: empty. */
bool ladder_queue_take(struct ladder_queue *q, struct ladder_item *item);
/* Media time from the oldest packet to the newest. */
int64_t ladder_queue_span_90k(const struct ladder_queue *q);
void ladder_item_deinit(struct ladder_item *item);

#endif
