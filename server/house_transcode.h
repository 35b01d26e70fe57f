/* The transcode room in the house: made where any path has a ladder or makes something of its sound. Thread: main, unless said otherwise. */
#ifndef WEIR_SERVER_HOUSE_TRANSCODE_H
#define WEIR_SERVER_HOUSE_TRANSCODE_H

#include <weir/media/packet.h>
#include <weir/server/config.h>
#include <weir/stream/stream.h>
#include <weir/transcode/transcoder.h>

#include "ladder_board.h"

struct house_transcode;

/* *out is NULL where no path needs it. config is lent and outlives it. Backends are probed beside the start, which does not wait. */
WEIR_MUST_CHECK enum weir_err house_transcode_create(struct house_transcode **out, const struct config *config);
/* After all streams have ended. Waits a little for what hangs in a driver. NULL is fine. */
void house_transcode_destroy(struct house_transcode *t);

/* Whether the stream gets further renditions. Any thread. */
bool house_transcode_wants(const struct house_transcode *t, const char *stream_name);
/* Gives the stream the packager, which is given, with what its path wants beside it. On the stream's loop. */
WEIR_MUST_CHECK enum weir_err house_transcode_furnish(struct house_transcode *t, struct stream *stream,
                                                      struct packet_sink *packager);
/* NULL where there is none. Any thread. */
struct ladder_board *house_transcode_board(struct house_transcode *t);
struct transcoder *house_transcode_transcoder(struct house_transcode *t);

#endif
