/* What a bad line does to what passes, and when that comes through. Pure: chance comes from a seed, time is given. */
#ifndef WEIR_LOADGEN_RELAY_LINE_H
#define WEIR_LOADGEN_RELAY_LINE_H

#include <weir/loadgen/relay.h>

struct relay_chance { /* of one direction */
    uint64_t state;
    bool is_in_burst;
    unsigned left; /* of a burst that is counted */
};
void relay_chance_seed(struct relay_chance *c, uint64_t seed, int way);

struct relay_line {      /* of one client's direction */
    int64_t free_us;     /* when the line has sent what is queued */
    int64_t last_due_us; /* order is kept */
};
struct relay_fate {
    bool is_lost, is_again; /* again: lost, and sent again by TCP */
    int64_t due_us;
    unsigned copies;
};
/* Draws for one packet; all chances are drawn each time, so what one setting does does not move another's luck. */
struct relay_fate relay_line_pass(const struct relay_settings *s, struct relay_chance *c, struct relay_line *l,
                                  bool is_udp, size_t bytes, int64_t now_us);

#endif
