#include "srt_figures.h"

#include <string.h>

static uint64_t positive(double v)
{
    return v > 0 ? (uint64_t)v : 0;
}

void srt_figures_read(struct srt_figures *f, SRTSOCKET socket, SRTSOCKET member)
{
    SRT_TRACEBSTATS s;
    memset(&s, 0, sizeof s);
    /* clearing resets the interval's figures only: those that libsrt has no totals of are summed up here */
    if (srt_bistats(socket, &s, 1, 1) < 0) return;
    f->packets = positive((double)s.pktRecvUniqueTotal);
    f->packets_lost = positive(s.pktRcvLossTotal);
    f->packets_dropped = positive(s.pktRcvDropTotal);
    f->packets_undecryptable = positive(s.pktRcvUndecryptTotal);
    f->packets_restored = positive(s.pktRcvFilterSupplyTotal);
    f->packets_retransmitted += positive(s.pktRcvRetrans);
    f->packets_belated += positive((double)s.pktRcvBelated);
    if (member != socket && srt_bistats(member, &s, 0, 1) < 0) return;
    f->rtt_us = positive(s.msRTT * 1000);
    f->latency_ms = positive(s.msRcvTsbPdDelay);
    f->buffer_ms = positive(s.msRcvBuf);
    f->buffer_packets = positive(s.pktRcvBuf);
    f->buffer_free_bytes = positive(s.byteAvailRcvBuf);
    f->rate_bps = positive(s.mbpsRecvRate * 1e6);
    f->bandwidth_bps = positive(s.mbpsBandwidth * 1e6);
    f->flight_packets = positive(s.pktFlightSize);
    f->reorder_packets = positive(s.pktReorderDistance);
}

void srt_figures_begin(struct srt_figures *f, const char *protocol, struct edge_figures *edge)
{
    *f = (struct srt_figures){ .packets = 0 };
    edge_transport_begin(&edge->transport, protocol, true);
}

void srt_figures_publish(const struct srt_figures *f, struct edge_figures *edge)
{
    struct edge_transport *t = &edge->transport;
    figure_set(&t->packets, f->packets);
    figure_set(&t->packets_lost, f->packets_lost);
    figure_set(&t->packets_retransmitted, f->packets_retransmitted);
    figure_set(&t->packets_dropped, f->packets_dropped);
    figure_set(&t->packets_belated, f->packets_belated);
    figure_set(&t->packets_undecryptable, f->packets_undecryptable);
    figure_set(&t->packets_restored, f->packets_restored);
    figure_set(&t->rtt_us, f->rtt_us);
    figure_set(&t->latency_ms, f->latency_ms);
    figure_set(&t->buffer_ms, f->buffer_ms);
    figure_set(&t->buffer_free_bytes, f->buffer_free_bytes);
    figure_set(&t->rate_bps, f->rate_bps);
    figure_set(&t->bandwidth_bps, f->bandwidth_bps);
    figure_set(&t->flight_packets, f->flight_packets);
    figure_set(&t->reorder_packets, f->reorder_packets);
}
