/* thumbnailer: small JPEGs of a stream's keyframes, on a thread of its own, one at a time: what comes while one is made is dropped.
 * Owner and thread: the stream's; nothing here waits. Pictures go to the stream's edge, which is referenced. */
#ifndef WEIR_TRANSCODE_THUMBNAILER_H
#define WEIR_TRANSCODE_THUMBNAILER_H

#include <weir/media/packet.h>
#include <weir/stream/live_edge.h>
#include <weir/transcode/transcoder.h>

#define THUMBNAIL_SIDE 320 /* pixels of the longer side, at most */

struct thumbnailer;

/* Offers thumbnails on the edge from now on. */
WEIR_MUST_CHECK enum weir_err thumbnailer_create(struct thumbnailer **out, struct transcoder *transcoder,
                                                 struct live_edge *edge);
void thumbnailer_destroy(struct thumbnailer *t); /* none are offered any more. NULL is fine */
void thumbnailer_set_track(struct thumbnailer *t, struct track *video);
/* A keyframe, to be made one of. false: one is being made, or the last could not be and it is too soon. */
bool thumbnailer_push(struct thumbnailer *t, const struct media_packet *key);

#endif
