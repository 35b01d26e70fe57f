/* packager: turns a stream's packets into CMAF renditions and playlists on its live edge. A packet_sink. Pure.
 * Owner and thread: the stream's. */
#ifndef WEIR_PACKAGER_PACKAGER_H
#define WEIR_PACKAGER_PACKAGER_H

#include <weir/base/counters.h>
#include <weir/media/packet.h>
#include <weir/stream/live_edge.h>
#include <weir/stream/segment_shelf.h>
#include <weir/stream/stream.h>

struct packager_config {
    int64_t (*wall_now_us)(void *context); /* the clock passed in: numbers and PROGRAM-DATE-TIME come from it */
    void *context;
    uint32_t run_id; /* differs between starts of the process: part of every object name */
    /* With policy->dvr_us: where segments go. Given: the packager releases it, also when it cannot be created. NULL: nowhere. */
    struct segment_shelf *shelf;
};

/* The edge and policy are the stream's; a reference on the edge is taken. NULL: no memory. Destroy through the sink. */
struct packet_sink *packager_create(struct live_edge *edge, const struct stream_policy *policy,
                                    const struct packager_config *config);

/* The first media sequence number for a stream that starts at wall_us: eighths of seconds since 2026-01-01, so that numbers
 * never go back over a kill and restart. A stream makes fewer per second; a burst may run ahead by three seconds' worth, beyond
 * that its segments are dropped and counted. Fits 31 bits until 2034, for players that count in them. */
uint64_t packager_first_msn(int64_t wall_us);

#endif
