/* What a publisher's transport says of itself: of the connection at hand, it begins anew with each. 0 where it does not know.
 * Written by the stream's owner, read by anyone, relaxed. */
#ifndef WEIR_STREAM_EDGE_TRANSPORT_H
#define WEIR_STREAM_EDGE_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* X(field, "type for /metrics", "what it says"): the field's name is that of the API, too. */
#define WEIR_TRANSPORT_FIGURES(X)                                                                                      \
    X(packets, "counter", "packets received, repetitions not counted")                                                 \
    X(packets_lost, "counter", "packets that the network lost; most of them came again")                               \
    X(packets_retransmitted, "counter", "packets that came again")                                                     \
    X(packets_belated, "counter", "packets that came too late to be used")                                             \
    X(packets_dropped, "counter", "packets lost for good")                                                             \
    X(packets_restored, "counter", "packets that the packet filter (FEC) restored")                                    \
    X(packets_undecryptable, "counter", "packets that could not be decrypted")                                         \
    X(rtt_us, "gauge", "round trip, in microseconds")                                                                  \
    X(latency_ms, "gauge", "how long packets are held for lost ones to come again")                                    \
    X(buffer_ms, "gauge", "what waits in the receive buffer")                                                          \
    X(buffer_free_bytes, "gauge", "room in the receive buffer")                                                        \
    X(rate_bps, "gauge", "what arrives, with repetitions")                                                             \
    X(bandwidth_bps, "gauge", "what the way could carry, as estimated")                                                \
    X(flight_packets, "gauge", "packets sent and not acknowledged")                                                    \
    X(reorder_packets, "gauge", "how far packets came out of order")

struct edge_transport {
    _Atomic(const char *) protocol; /* static text, "rtmp", "srt", "srt-pull"; NULL: nobody published yet */
    _Atomic bool has_figures;       /* the protocol has what stands below */
#define X(field, type, help) _Atomic uint64_t field;
    WEIR_TRANSPORT_FIGURES(X)
#undef X
};

/* A new connection. protocol is static text. */
void edge_transport_begin(struct edge_transport *t, const char *protocol, bool has_figures);

#endif
