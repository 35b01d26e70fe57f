/* stream_ladder: a stream's packager with a ladder and the coders of its sound beside it, as one packet_sink.
 *
 * A video packet goes to the packager first, then, with the cut that the packager made of it, into the ladder; what the ladder's threads
 * make of it comes back by mail to the stream's loop and goes into the packager as further renditions. Nothing here waits.
 * Owner and thread: the stream's. */
#ifndef WEIR_SERVER_STREAM_LADDER_H
#define WEIR_SERVER_STREAM_LADDER_H

#include <weir/media/packet.h>
#include <weir/server/config.h>
#include <weir/transcode/ladder.h>

struct ladder_board;

/* Takes over the packager, also on failure. name: the stream's, copied. path: what it says of ladder and audio; lent for the call. The
 * transcoder and the board outlive it. NULL: no memory. */
struct packet_sink *stream_ladder_create(const char *name, struct packet_sink *packager, const struct config_path *path,
                                         struct transcoder *transcoder, struct ladder_board *board);

#endif
