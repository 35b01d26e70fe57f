/* stream_thumbnails: a packet_sink that has small pictures made of a stream's keyframes, while somebody looks at them, at most one each
 * interval. Owner and thread: the stream's. */
#ifndef WEIR_SERVER_STREAM_THUMBNAILS_H
#define WEIR_SERVER_STREAM_THUMBNAILS_H

#include <weir/media/packet.h>
#include <weir/transcode/thumbnailer.h>

/* A reference on the edge is taken; the transcoder outlives it. NULL: no memory. */
struct packet_sink *stream_thumbnails_create(struct live_edge *edge, int64_t interval_us,
                                             struct transcoder *transcoder);

#endif
