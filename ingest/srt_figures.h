/* What libsrt knows about a connection, read about once a second. Pure but for the asking. Owner and thread: the connection's loop. */
#ifndef WEIR_INGEST_SRT_FIGURES_H
#define WEIR_INGEST_SRT_FIGURES_H

#include <weir/stream/live_edge.h>

#include "srt_api.h"

/* Totals of this connection, and where it stands now. */
struct srt_figures {
    uint64_t packets;      /* arrived, without duplicates */
    uint64_t packets_lost; /* the network lost them; most come again */
    uint64_t packets_retransmitted, packets_belated;
    uint64_t packets_dropped; /* lost for good */
    uint64_t packets_missing; /* the same, as the reader saw it: gaps in the sequence */
    uint64_t packets_undecryptable;
    uint64_t packets_restored; /* by the packet filter */
    uint64_t rtt_us, latency_ms, buffer_ms, buffer_packets, buffer_free_bytes, rate_bps, bandwidth_bps, flight_packets,
        reorder_packets;
};

/* A broken socket says nothing: the figures stay what they were. member: `socket`, or one of the links that it bonds: what a bond has no
 * figures of is that one's. */
void srt_figures_read(struct srt_figures *f, SRTSOCKET socket, SRTSOCKET member);
void srt_figures_begin(struct srt_figures *f, const char *protocol, struct edge_figures *edge);
void srt_figures_publish(const struct srt_figures *f, struct edge_figures *edge);

#endif
