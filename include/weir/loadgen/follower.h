/* One media playlist, looked at again and again: does it go on, does it keep its word? Lighter than the checker: it reads nothing but the
 * playlist. Pure; owner and thread: the caller's. RFC 8216bis 6.2.1, 6.2.2. */
#ifndef WEIR_LOADGEN_FOLLOWER_H
#define WEIR_LOADGEN_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLLOWER_URIS 512

struct follower {
    bool has_begun;
    int64_t first_seen_us;
    int64_t last_advance_us, longest_gap_us; /* between advances, since follower_mark */
    int64_t marked_us, first_advance_us;     /* since follower_mark; 0: none */
    int64_t target_us;
    uint64_t last_msn, media_sequence;
    uint64_t discontinuities;       /* that ever were: the sequence, and those in the list */
    uint64_t first_discontinuities; /* the same, when it was first seen */
    uint32_t faults, refusals;      /* refusals: answers that were no playlist */
    char fault[160];                /* the first since follower_mark; "": none */
    uint64_t uris[FOLLOWER_URIS];   /* hash of each number's address, by number modulo; 0: not seen */
    uint64_t uri_msns[FOLLOWER_URIS];
};

void follower_init(struct follower *f);
/* Forgets faults and gaps: from here on it is looked at anew. */
void follower_mark(struct follower *f, int64_t now_us);
/* What the server answered; a playlist that cannot be read is a fault. */
void follower_take(struct follower *f, const char *text, size_t bytes, int64_t now_us);
void follower_miss(struct follower *f, int64_t now_us); /* it answered with something else, or not at all */
/* How long nothing has come, at the longest, since the mark. */
int64_t follower_gap_us(const struct follower *f, int64_t now_us);

#endif
