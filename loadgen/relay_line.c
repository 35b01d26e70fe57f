#include "relay_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/err.h>

#define TCP_PACKET_BYTES 1448
#define TCP_RTO_US_MIN 200000 /* Linux's */

void relay_settings_init(struct relay_settings *s)
{
    *s = (struct relay_settings){ .burst = 1, .queue_us = 500000 };
}

bool relay_settings_read(struct relay_settings *s, const char *pair, size_t bytes)
{
    char text[64], *end;
    const char *equals = memchr(pair, '=', bytes);
    if (!equals || bytes >= sizeof text) return false;
    memcpy(text, pair, bytes);
    text[bytes] = 0;
    const char *name = text, *number = text + (equals - pair) + 1;
    text[equals - pair] = 0;
    const double value = strtod(number, &end);
    if (end == number || *end || value < 0) return false;
    const struct {
        const char *name;
        double *share;
        int64_t *us;
    } keys[] = { { "loss", &s->loss, NULL },
                 { "burst", &s->burst, NULL },
                 { "burst_exact", &s->burst_exact, NULL },
                 { "duplicate", &s->duplicate, NULL },
                 { "reorder", &s->reorder, NULL },
                 { "rate", &s->rate_kbps, NULL },
                 { "delay", NULL, &s->delay_us },
                 { "jitter", NULL, &s->jitter_us },
                 { "queue", NULL, &s->queue_us } };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(name, keys[i].name) != 0) continue;
        if (keys[i].us)
            *keys[i].us = (int64_t)(value * 1000);
        else
            *keys[i].share = value;
        return true;
    }
    return false;
}

static double draw(struct relay_chance *c)
{
    /* splitmix64 */
    uint64_t z = (c->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

void relay_chance_seed(struct relay_chance *c, uint64_t seed, int way)
{
    *c = (struct relay_chance){ .state = seed * 2 + (uint64_t)way };
    for (int i = 0; i < 8; i++) draw(c);
}

/* With which a burst begins at a packet that could pass, for bursts of so many packets to be that share of all. */
static double burst_chance(double packets, double share)
{
    return share >= 1 ? 1 : share / (packets * (1 - share));
}

/* In the bad state everything is lost. Gilbert: it lasts `burst` packets on average, and any length is possible; exact: it is
 * counted. At least one packet passes between two bursts. */
static bool is_lost(const struct relay_settings *s, struct relay_chance *c, double share)
{
    const double chance = draw(c);
    if (share <= 0) return false;
    if (s->burst_exact >= 1) {
        if (c->is_in_burst)
            c->is_in_burst = c->left > 0;
        else if ((c->is_in_burst = chance < burst_chance(s->burst_exact, share)))
            c->left = (unsigned)s->burst_exact;
        c->left -= c->is_in_burst;
        return c->is_in_burst;
    }
    if (s->burst <= 1) return chance < share;
    c->is_in_burst = c->is_in_burst ? chance >= 1 / s->burst : chance < burst_chance(s->burst, share);
    return c->is_in_burst;
}

/* Of what one read of a TCP connection brought, at least one packet. */
static double share_of_reads(double share, size_t bytes)
{
    const size_t packets = (bytes + TCP_PACKET_BYTES - 1) / TCP_PACKET_BYTES;
    return 1 - pow(1 - share, (double)packets);
}

/* Until a lost packet has come again: a round trip, but no sender thinks one lost sooner than that. */
static int64_t tcp_again_us(const struct relay_settings *s)
{
    return 2 * s->delay_us > TCP_RTO_US_MIN ? 2 * s->delay_us : TCP_RTO_US_MIN;
}

/* When something that comes now is through; -1: the queue is full. */
static int64_t through_at(const struct relay_settings *s, struct relay_line *l, bool is_udp, size_t bytes,
                          int64_t now_us)
{
    if (s->rate_kbps <= 0) return now_us;
    if (l->free_us < now_us) l->free_us = now_us;
    if (is_udp && l->free_us - now_us > s->queue_us) return -1;
    return l->free_us += (int64_t)((double)bytes * 8000 / s->rate_kbps);
}

struct relay_fate relay_line_pass(const struct relay_settings *s, struct relay_chance *c, struct relay_line *l,
                                  bool is_udp, size_t bytes, int64_t now_us)
{
    const double share = s->loss >= 100 ? 1 : s->loss / 100;
    struct relay_fate fate = { .is_lost = is_lost(s, c, is_udp ? share : share_of_reads(share, bytes)), .copies = 1 };
    const double jitter = draw(c), overtake = draw(c), twice = draw(c);
    const int64_t through_us = through_at(s, l, is_udp, bytes, now_us);
    if (through_us < 0) fate.is_lost = true;
    fate.is_again = fate.is_lost && !is_udp;
    if (!is_udp) fate.is_lost = false;
    if (fate.is_lost) return fate;
    fate.due_us = through_us + s->delay_us + (int64_t)(jitter * (double)s->jitter_us);
    if (fate.is_again) fate.due_us += tcp_again_us(s);
    if (is_udp && overtake * 100 < s->reorder) {
        fate.due_us = through_us;
    } else {
        if (fate.due_us < l->last_due_us) fate.due_us = l->last_due_us;
        l->last_due_us = fate.due_us;
    }
    if (is_udp && twice * 100 < s->duplicate) fate.copies = 2;
    return fate;
}
