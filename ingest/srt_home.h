/* What all SRT connections share, and what those of one loop share. Internal to SRT in ingest. */
#ifndef WEIR_INGEST_SRT_HOME_H
#define WEIR_INGEST_SRT_HOME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/base/limits.h>
#include <weir/base/loop.h>
#include <weir/ingest/srt_server.h>

#include "address_counts.h"
#include "srt_pass.h"

/* Any thread. */
struct srt_shared {
    struct srt_server_config config; /* never changes */
    _Atomic bool is_stopping;
    _Atomic uint32_t connections;
    struct address_counts addresses;
};

struct srt_connection;

/* Owner: its loop. */
struct srt_home {
    struct srt_shared *shared;
    struct loop *loop;
    struct counters *counters;
    struct srt_pass *pass;
    struct srt_connection *first;
    struct loop_timer *tick;
    bool is_ticking;
    uint8_t message[SRT_MESSAGE_BYTES_MAX]; /* read into, fed from, never kept */
};

#define SRT_TICK_US (250 * 1000LL)
/* There is something with a deadline now. The tick stops by itself when there is nothing any more. */
static inline void srt_home_keep_ticking(struct srt_home *home)
{
    if (!home->is_ticking) loop_timer_arm(home->tick, SRT_TICK_US);
    home->is_ticking = true;
}

#endif
