#include "multivariant_groups.h"

#include <assert.h>

static bool is_same_track(const struct multivariant_audio *a, const struct multivariant_audio *b)
{
    return a->facts->codec == b->facts->codec && a->track == b->track;
}

/* How many of the same track stand before it, the best first, and how many there are of it. */
static unsigned quality_of(const struct multivariant_config *c, size_t audio, unsigned *of)
{
    const struct multivariant_audio *self = &c->audio[audio];
    unsigned before = 0, all = 0;
    for (size_t i = 0; i < c->audio_count; i++) {
        const struct multivariant_audio *a = &c->audio[i];
        if (!is_same_track(a, self)) continue;
        all++;
        before += a->rate_bps > self->rate_bps || (a->rate_bps == self->rate_bps && i < audio);
    }
    *of = all;
    return before;
}

/* Without pictures there is nothing to go with: all of a codec are alternatives to choose from. */
static unsigned qualities_of(const struct multivariant_config *c, enum media_codec codec)
{
    unsigned most = 1;
    for (size_t i = 0; i < c->audio_count && c->variants[0].video; i++) {
        unsigned of;
        (void)quality_of(c, i, &of);
        if (c->audio[i].facts->codec == codec && of > most) most = of;
    }
    return most;
}

size_t audio_groups_list(const struct multivariant_config *c, struct audio_group out[MULTIVARIANT_AUDIOS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < c->audio_count; i++) {
        const enum media_codec codec = c->audio[i].facts->codec;
        bool is_new = true;
        for (size_t k = 0; k < i; k++) is_new &= c->audio[k].facts->codec != codec;
        const unsigned qualities = is_new ? qualities_of(c, codec) : 0;
        for (unsigned q = 0; q < qualities && count < MULTIVARIANT_AUDIOS_MAX; q++)
            out[count++] = (struct audio_group){ .codec = codec, .quality = q };
    }
    return count;
}

bool audio_group_has(const struct multivariant_config *c, const struct audio_group *g, size_t audio)
{
    if (c->audio[audio].facts->codec != g->codec) return false;
    if (qualities_of(c, g->codec) == 1) return true;
    unsigned of;
    const unsigned quality = quality_of(c, audio, &of);
    return quality == g->quality || (quality == of - 1 && g->quality > quality); /* the least there is */
}

size_t audio_group_first(const struct multivariant_config *c, const struct audio_group *g)
{
    size_t i = 0;
    while (i + 1 < c->audio_count && !audio_group_has(c, g, i)) i++;
    return i;
}

bool audio_group_goes_with(const struct multivariant_config *c, const struct audio_group *g, size_t variant)
{
    size_t better = 0;
    for (size_t i = 0; i < c->variant_count; i++)
        better += c->variants[i].bandwidth_bps > c->variants[variant].bandwidth_bps ||
                  (c->variants[i].bandwidth_bps == c->variants[variant].bandwidth_bps && i < variant);
    const unsigned qualities = qualities_of(c, g->codec);
    assert(c->variant_count > 0);
    return qualities > c->variant_count ? g->quality * c->variant_count / qualities == better
                                        : better * qualities / c->variant_count == g->quality;
}

struct audio_rates audio_group_spares(const struct multivariant_config *c, const struct audio_group *g)
{
    struct audio_rates all = { 0 }, own = { 0 };
    if (qualities_of(c, g->codec) == 1) return all;
    for (size_t i = 0; i < c->audio_count; i++) {
        const struct audio_rates *r = &c->audio[i].measured;
        const bool is_own = audio_group_has(c, g, i);
        if (r->peak_bps > all.peak_bps) all.peak_bps = r->peak_bps;
        if (r->average_bps > all.average_bps) all.average_bps = r->average_bps;
        if (is_own && r->peak_bps > own.peak_bps) own.peak_bps = r->peak_bps;
        if (is_own && r->average_bps > own.average_bps) own.average_bps = r->average_bps;
    }
    return (struct audio_rates){ all.peak_bps - own.peak_bps, all.average_bps - own.average_bps };
}

size_t audio_first_of_track(const struct multivariant_config *c, size_t audio)
{
    size_t i = 0;
    while (!is_same_track(&c->audio[i], &c->audio[audio])) i++;
    return i;
}

void audio_group_write_id(struct byte_writer *w, const struct multivariant_config *c, const struct audio_group *g)
{
    bool is_one_codec = true;
    for (size_t i = 1; i < c->audio_count; i++) is_one_codec &= c->audio[i].facts->codec == c->audio[0].facts->codec;
    write_text(w, "audio");
    if (!is_one_codec) write_format(w, "-%s", codec_name(g->codec));
    if (qualities_of(c, g->codec) > 1) write_format(w, "-%u", g->quality + 1);
}
