/* A stream that is fetched: connects to an encoder that listens, and again whenever that ends, with pauses that grow and vary. Internal to
 * the SRT server. Owner and thread: its loop; create and destroy on the main thread while that does not run. */
#ifndef WEIR_INGEST_SRT_PULL_H
#define WEIR_INGEST_SRT_PULL_H

#include "srt_home.h"

struct srt_pull;

/* config is copied. Begins as soon as the loop runs. */
WEIR_MUST_CHECK enum weir_err srt_pull_create(struct srt_pull **out, struct srt_home *home,
                                              const struct srt_pull_config *config);
void srt_pull_destroy(struct srt_pull *p); /* after srt_connections_close_all. NULL is fine */

#endif
