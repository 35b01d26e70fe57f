/* A network between two programs, made worse on purpose and the same way each time. A relay listens on 127.0.0.1, passes everything to a port of
 * 127.0.0.1 and back, and each client has a socket of its own towards the target. Loss, bursts, delay, jitter, reordering and a rate are
 * drawn from a seed, each direction by itself: the n-th packet of a direction meets the same fate in each run. TCP is never lost or
 * reordered for good: it is delayed, slowed, cut and swallowed, and a lost packet of it comes a round trip later, as do all behind it.
 * Owner: one thread, which calls everything. */
#ifndef WEIR_LOADGEN_RELAY_H
#define WEIR_LOADGEN_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

struct relay_settings {
    double loss, duplicate, reorder; /* percent, each way. TCP: loss is that of its packets */
    double burst;                    /* packets lost in a row, on average (Gilbert); loss is the share in all */
    double burst_exact;              /* the same, each burst of just so many; 0: burst holds */
    int64_t delay_us, jitter_us;     /* each way; order is kept unless reorder lets one overtake */
    double rate_kbps;                /* each way; 0: no limit */
    int64_t queue_us;                /* in front of the rate: what comes on top is lost (UDP) or waits (TCP) */
};
void relay_settings_init(struct relay_settings *s); /* a perfect network */
/* "loss=1", "delay=50" (ms), "jitter", "queue" (ms), "rate" (kbit/s), "burst", "burst_exact", "duplicate",
 * "reorder". false: not understood. */
bool relay_settings_read(struct relay_settings *s, const char *pair, size_t bytes);

enum { RELAY_UP, RELAY_DOWN }; /* towards the target, and back */
struct relay_stats {
    uint64_t seen[2], lost[2], sent[2]; /* packets (UDP), reads (TCP; lost: that came later) */
    uint32_t clients;
};

struct relay_net; /* many relays on one thread */
struct relay;

struct relay_net *relay_net_create(void);    /* NULL: no memory or descriptor */
void relay_net_destroy(struct relay_net *n); /* and its relays. NULL is fine */
int relay_net_fd(const struct relay_net *n); /* readable: there is something to do */
int64_t
relay_net_wait_us(const struct relay_net *n); /* so long until there is something to do by itself; at most a second */
void relay_net_turn(struct relay_net *n);     /* does what can be done now */

/* listen_port 0: the kernel chooses. WEIR_IO: errno says. WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err relay_open(struct relay_net *n, bool is_udp, uint16_t listen_port, uint16_t target_port,
                                         struct relay **out);
uint16_t relay_port(const struct relay *r);
void relay_aim(struct relay *r, uint16_t target_port); /* of clients that come later */
void relay_seed(struct relay *r, uint64_t seed);       /* 1 until then */
void relay_set(struct relay *r, const struct relay_settings *s);
const struct relay_settings *relay_settings(const struct relay *r);
void relay_cut(struct relay *r, bool is_reset); /* all TCP connections, by FIN or RST; UDP clients are forgotten */
void relay_blackhole(struct relay *r,
                     int64_t us); /* swallows everything (TCP: stops reading, and the end is not told); 0: for ever */
void relay_mend(struct relay *r); /* ends a blackhole */
struct relay_stats relay_stats(const struct relay *r);

#endif
