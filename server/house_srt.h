/* The SRT side of the house: a loop for each port, and the server over them. Thread: main, unless said otherwise. */
#ifndef WEIR_SERVER_HOUSE_SRT_H
#define WEIR_SERVER_HOUSE_SRT_H

#include <weir/ingest/srt_server.h>
#include <weir/server/config.h>

struct house_srt;

/* config, server_key and registry are lent and outlive it. On failure error->text says why, or is "". */
WEIR_MUST_CHECK enum weir_err house_srt_create(struct house_srt **out, const struct config *config,
                                               const char *server_key, struct publish_gate *gate,
                                               struct registry *registry, struct config_error *error);
/* port: NULL for an address of listen.srt. Errors as srt_server_listen. */
WEIR_MUST_CHECK enum weir_err house_srt_listen(struct house_srt *h, const char *address,
                                               const struct config_srt_port *port, uint16_t *bound_port,
                                               struct config_error *error);
/* All streams that the configuration says to fetch. */
WEIR_MUST_CHECK enum weir_err house_srt_pull(struct house_srt *h, struct config_error *error);
/* Now and then: whether the loops still turn. libsrt has known deadlocks; one that hangs in it is logged and counted. */
void house_srt_watch(struct house_srt *h, int64_t now_us);
size_t house_srt_stuck(const struct house_srt *h); /* loops that do not turn; any thread. NULL has none */
void house_srt_stop_accepting(struct house_srt *h);
void house_srt_end_publishers(struct house_srt *h); /* any thread while the loops run */ /* NULL is fine */
/* Once the loops have stopped: the connections end, the loops stay for what they still have to say. NULL is fine. */
void house_srt_close(struct house_srt *h);
void house_srt_destroy(struct house_srt *h);                                   /* NULL is fine */
size_t house_srt_loops(const struct house_srt *h, struct loop *const **loops); /* lent; NULL has none */
struct srt_server *house_srt_server(struct house_srt *h);                      /* lent */

#endif
