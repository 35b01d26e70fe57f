#include <weir/media/track.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct track {
    _Atomic uint32_t refs;
    struct codec_facts facts;
    struct blob *config;
};

struct track *track_create(const struct codec_facts *facts, struct blob *config)
{
    struct track *t = malloc(sizeof *t);
    if (!t) return NULL;
    atomic_init(&t->refs, 1);
    t->facts = *facts;
    t->config = blob_ref(config);
    return t;
}

struct track *track_ref(struct track *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void track_unref(struct track *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    blob_unref(t->config);
    free(t);
}

const struct codec_facts *track_facts(const struct track *t)
{
    return &t->facts;
}

struct byte_span track_config(const struct track *t)
{
    return (struct byte_span){ blob_data(t->config), blob_bytes(t->config) };
}

void track_set_deinit(struct track_set *set)
{
    track_unref(set->video);
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) track_unref(set->audio[i]);
    *set = (struct track_set){ .video = NULL };
}

void track_set_assign(struct track_set *to, const struct track_set *from)
{
    struct track_set old = *to;
    *to = *from;
    if (to->video) track_ref(to->video);
    for (size_t i = 0; i < AUDIO_TRACKS_MAX; i++) {
        if (to->audio[i]) track_ref(to->audio[i]);
    }
    track_set_deinit(&old);
}

bool track_equal(const struct track *a, const struct track *b)
{
    const struct byte_span x = track_config(a), y = track_config(b);
    const struct codec_facts *f = &a->facts, *g = &b->facts;
    return f->codec == g->codec && x.bytes == y.bytes && !memcmp(x.data, y.data, x.bytes) && f->width == g->width &&
           f->height == g->height && f->sample_rate == g->sample_rate && f->channels == g->channels &&
           f->frame_samples == g->frame_samples;
}
