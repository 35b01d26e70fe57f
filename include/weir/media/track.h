/* A track: one codec configuration and what it says. Immutable and shared; equal bytes mean no break.
 * Thread: any (ref and unref); never changes after track_create. */
#ifndef WEIR_MEDIA_TRACK_H
#define WEIR_MEDIA_TRACK_H

#include <stdbool.h>
#include <weir/media/codec.h>

struct track;

/* config: mp4 form; a reference is taken. NULL: out of memory. */
struct track *track_create(const struct codec_facts *facts, struct blob *config);
struct track *track_ref(struct track *t);
void track_unref(struct track *t); /* NULL is fine */
const struct codec_facts *track_facts(const struct track *t);
struct byte_span track_config(const struct track *t);
/* Same codec, same bytes, same facts. */
bool track_equal(const struct track *a, const struct track *b);

#endif
