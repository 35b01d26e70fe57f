/* A track: one codec configuration and what it says. Immutable and shared; equal bytes mean no break.
 * Thread: any (ref and unref); never changes after track_create. */
#ifndef WEIR_MEDIA_TRACK_H
#define WEIR_MEDIA_TRACK_H

#include <stdbool.h>
#include <weir/base/limits.h>
#include <weir/media/codec.h>
#include <weir/media/language.h>

struct track;

/* config: mp4 form; a reference is taken. NULL: out of memory. */
struct track *track_create(const struct codec_facts *facts, struct blob *config);
struct track *track_ref(struct track *t);
void track_unref(struct track *t); /* NULL is fine */
const struct codec_facts *track_facts(const struct track *t);
struct byte_span track_config(const struct track *t);
/* Same codec, same bytes, same facts. */
bool track_equal(const struct track *a, const struct track *b);

/* What people are shown of an audio track; "": not said. */
struct track_label {
    char language[LANGUAGE_TAG_BYTES]; /* BCP 47 */
    char name[TRACK_NAME_BYTES];
};

/* All that a stream carries: at most one video track, and audio tracks by index; NULL: no such track. A plain value that holds
 * a reference on each of its tracks. */
struct track_set {
    struct track *video;
    struct track *audio[AUDIO_TRACKS_MAX];
    struct track_label labels[AUDIO_TRACKS_MAX];
};

/* *to holds what *from holds, with references of its own; what it held is released. */
void track_set_assign(struct track_set *to, const struct track_set *from);
void track_set_deinit(struct track_set *set); /* releases all and leaves an empty set */

#endif
