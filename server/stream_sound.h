/* stream_sound: which of a stream's audio tracks are made into something else, and the coders that do it.
 * Owner and thread: the stream's. */
#ifndef WEIR_SERVER_STREAM_SOUND_H
#define WEIR_SERVER_STREAM_SOUND_H

#include <weir/packager/packager.h>
#include <weir/server/config.h>

#include "ladder_board.h"
#include "ladder_mail.h"

struct stream_sound;

/* config: lent for the call. What the coders make goes to the mail, under rung numbers from first_rung on. mail, card and transcoder
 * outlive it. NULL: no memory. */
struct stream_sound *stream_sound_create(const char *name, const struct config_audio *config,
                                         struct transcoder *transcoder, struct ladder_card *card,
                                         struct ladder_mail *mail, size_t first_rung);
void stream_sound_destroy(struct stream_sound *s); /* NULL is fine; none of its mail comes afterwards */
/* Whether the rungs are others than before. */
bool stream_sound_set_tracks(struct stream_sound *s, const struct track_set *tracks);
void stream_sound_push(struct stream_sound *s, const struct media_packet *packet);
void stream_sound_drain(struct stream_sound *s);
size_t stream_sound_rungs(const struct stream_sound *s, struct packager_rung out[AUDIO_TRACKS_MAX]);
/* Tracks that rungs stand in the place of: bit n for track n. */
uint32_t stream_sound_hidden(const struct stream_sound *s);

#endif
