/* One SRT port: its listening socket, and who is let in. Internal to the SRT server. */
#ifndef WEIR_INGEST_SRT_PORT_H
#define WEIR_INGEST_SRT_PORT_H

#include "srt_home.h"

struct srt_port;

/* Main thread, as srt_server_listen. */
WEIR_MUST_CHECK enum weir_err srt_port_create(struct srt_port **out, struct srt_home *home,
                                              const struct srt_port_config *config, uint16_t *bound_port,
                                              char error[SRT_ERROR_BYTES]);
/* The loop has stopped. NULL is fine. */
void srt_port_destroy(struct srt_port *p);
/* On the loop, a few times a second. true: callers were let in and are waited for. */
bool srt_port_tick(struct srt_port *p, int64_t now_us);
/* On the loop, when no connection is left: the port costs nothing until somebody knocks. */
void srt_port_rest(struct srt_port *p);
uint64_t srt_port_datagrams_dropped(const struct srt_port *p); /* any thread */
/* Of libsrt's receiving thread; lent. */
const struct counters *srt_port_counters(const struct srt_port *p);

#endif
