/* thumbnail_picture: one keyframe to one JPEG. */
#ifndef WEIR_TRANSCODE_THUMBNAIL_PICTURE_H
#define WEIR_TRANSCODE_THUMBNAIL_PICTURE_H

#include <weir/media/packet.h>
#include <weir/transcode/backend.h>

/* name: the stream's, for the log. NULL: it could not be made; error->text says why. */
struct frozen *thumbnail_picture_make(const char *name, struct track *track, const struct media_packet *key,
                                      uint32_t side, struct transcode_figures *figures, struct backend_error *error);

#endif
