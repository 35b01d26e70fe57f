#include "multivariant_text.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/bytes.h>
#include <weir/base/limits.h>
#include <weir/base/utf8.h>

#include "multivariant_groups.h"

#define HLS_VERSION 7
#define CAPTIONS_GROUP "cc"
#define NAME_BYTES (TRACK_NAME_BYTES + 16)

/* -- names: what may stand in a quoted string, and unique (4.4.6.1) -- */

/* Control characters and quotes become spaces; where the bytes are no UTF-8, ends. */
static void clean_name(const char *text, char out[TRACK_NAME_BYTES])
{
    size_t used = utf8_prefix_bytes(text, strlen(text));
    memcpy(out, text, used);
    out[used] = 0;
    for (char *c = out; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F || *c == '"') *c = ' ';
    }
    while (used && out[used - 1] == ' ') out[--used] = 0;
}

static void choose_name(const struct multivariant_audio *a, size_t index, char out[TRACK_NAME_BYTES])
{
    clean_name(a->label->name, out);
    if (*out) return;
    const char *language = a->label->language, *name = *language ? language_name(language) : NULL;
    if (name)
        snprintf(out, TRACK_NAME_BYTES, "%s", name);
    else if (*language)
        snprintf(out, TRACK_NAME_BYTES, "%s", language);
    else if (index)
        snprintf(out, TRACK_NAME_BYTES, "Audio %zu", index + 1);
    else
        snprintf(out, TRACK_NAME_BYTES, "Audio");
}

struct names {
    char text[MULTIVARIANT_AUDIOS_MAX][NAME_BYTES];
};

static bool is_taken(const struct names *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(names->text[i], name)) return true;
    }
    return false;
}

static void choose_names(const struct multivariant_config *c, struct names *names)
{
    for (size_t i = 0; i < c->audio_count; i++) {
        char base[TRACK_NAME_BYTES];
        choose_name(&c->audio[i], i, base);
        snprintf(names->text[i], NAME_BYTES, "%s", base);
        for (unsigned n = 2; is_taken(names, i, names->text[i]); n++)
            snprintf(names->text[i], NAME_BYTES, "%s (%u)", base, n);
    }
}

/* -- audio groups -- */

static bool has_video(const struct multivariant_config *c)
{
    return c->variants[0].video != NULL;
}

/* What a player may choose by itself must differ from its like in the group by language (4.4.6.1.1). */
static bool is_autoselected(const struct multivariant_config *c, const struct audio_group *g, size_t index)
{
    const struct multivariant_audio *a = &c->audio[index];
    if (index == audio_group_first(c, g)) return true;
    if (!*a->label->language) return false;
    for (size_t i = 0; i < index; i++) {
        if (audio_group_has(c, g, i) && !strcmp(c->audio[i].label->language, a->label->language)) return false;
    }
    return true;
}

static void write_media(struct byte_writer *w, const struct multivariant_config *c, const struct audio_group *g,
                        size_t index, const char *name)
{
    const struct multivariant_audio *a = &c->audio[index];
    write_text(w, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"");
    audio_group_write_id(w, c, g);
    write_format(w, "\",NAME=\"%s\"", name);
    if (*a->label->language) write_format(w, ",LANGUAGE=\"%s\"", a->label->language);
    write_format(w, ",DEFAULT=%s,AUTOSELECT=%s,CHANNELS=\"%u\",URI=\"%s\"\n",
                 index == audio_group_first(c, g) ? "YES" : "NO", is_autoselected(c, g, index) ? "YES" : "NO",
                 a->facts->channels, a->uri);
}

/* The qualities of a track are one to people, where each is in a group of its own. */
static size_t name_of(const struct multivariant_config *c, size_t index)
{
    return has_video(c) ? audio_first_of_track(c, index) : index;
}

static void write_group(struct byte_writer *w, const struct multivariant_config *c, const struct audio_group *g,
                        const struct names *names)
{
    for (size_t i = 0; i < c->audio_count; i++) {
        if (audio_group_has(c, g, i)) write_media(w, c, g, i, names->text[name_of(c, i)]);
    }
}

/* -- variants -- */

/* The codec strings of a group, each once: HE-AAC and AAC-LC share one. */
static void write_audio_codecs(struct byte_writer *w, const struct multivariant_config *c, const struct audio_group *g)
{
    bool is_first = !has_video(c);
    for (size_t i = 0; i < c->audio_count; i++) {
        const struct codec_facts *facts = c->audio[i].facts;
        bool is_told = !audio_group_has(c, g, i);
        for (size_t k = 0; k < i && !is_told; k++)
            is_told = audio_group_has(c, g, k) && !strcmp(c->audio[k].facts->codec_string, facts->codec_string);
        if (is_told) continue;
        write_format(w, "%s%s", is_first ? "" : ",", facts->codec_string);
        is_first = false;
    }
}

/* By its transfer characteristics (ITU-T H.273, table 3; RFC 8216bis, 4.4.6.2). NULL: not known. */
static const char *video_range(const struct codec_facts *video)
{
    switch (video->transfer) {
    case 1:
    case 6:
    case 13:
    case 14:
    case 15: return "SDR";
    case 16: return "PQ";
    case 18: return "HLG";
    default: return NULL;
    }
}

static bool has_captions(const struct multivariant_config *c)
{
    for (size_t i = 0; i < c->variant_count; i++) {
        if (c->variants[i].has_captions) return true;
    }
    return false;
}

/* NONE must stand in all variants or in none of them (4.4.6.2): one that has none beside others that have says nothing. */
static void write_picture(struct byte_writer *w, const struct multivariant_config *c,
                          const struct multivariant_variant *v)
{
    if (v->video->width) write_format(w, ",RESOLUTION=%ux%u", v->video->width, v->video->height);
    if (v->fps_den) {
        const uint64_t milli = (v->fps_num * 1000ull + v->fps_den / 2) / v->fps_den;
        write_format(w, ",FRAME-RATE=%llu.%03llu", (unsigned long long)(milli / 1000),
                     (unsigned long long)(milli % 1000));
    }
    const char *range = video_range(v->video);
    if (range) write_format(w, ",VIDEO-RANGE=%s", range);
    if (v->has_captions) write_text(w, ",CLOSED-CAPTIONS=\"" CAPTIONS_GROUP "\"");
    if (!has_captions(c)) write_text(w, ",CLOSED-CAPTIONS=NONE");
}

static uint64_t less(uint64_t bps, uint64_t spared_bps)
{
    return bps > spared_bps ? bps - spared_bps : bps;
}

/* g: NULL: no audio. */
static void write_variant(struct byte_writer *w, const struct multivariant_config *c,
                          const struct multivariant_variant *v, const struct audio_group *g, const char *uri)
{
    const struct audio_rates spared = g ? audio_group_spares(c, g) : (struct audio_rates){ 0 };
    write_format(w, "#EXT-X-STREAM-INF:BANDWIDTH=%llu,AVERAGE-BANDWIDTH=%llu,CODECS=\"",
                 (unsigned long long)less(v->bandwidth_bps, spared.peak_bps),
                 (unsigned long long)less(v->average_bandwidth_bps, spared.average_bps));
    if (v->video) write_text(w, v->video->codec_string);
    if (g) write_audio_codecs(w, c, g);
    if (c->muxed_audio) write_format(w, "%s%s", v->video ? "," : "", c->muxed_audio->codec_string);
    write_text(w, "\"");
    if (v->video) write_picture(w, c, v);
    if (g && (v->video || c->audio_count > 1)) {
        write_text(w, ",AUDIO=\"");
        audio_group_write_id(w, c, g);
        write_text(w, "\"");
    }
    write_format(w, "\n%s\n", uri);
}

/* 4.4.6.3 */
static void write_iframes(struct byte_writer *w, const struct multivariant_config *c)
{
    const struct codec_facts *video = c->iframes;
    write_format(w, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%llu,AVERAGE-BANDWIDTH=%llu,CODECS=\"%s\"",
                 (unsigned long long)c->iframes_bps, (unsigned long long)c->iframes_average_bps, video->codec_string);
    if (video->width) write_format(w, ",RESOLUTION=%ux%u", video->width, video->height);
    const char *range = video_range(video);
    if (range) write_format(w, ",VIDEO-RANGE=%s", range);
    write_format(w, ",URI=\"%s\"\n", c->iframes_uri);
}

static void write_variants(struct byte_writer *w, const struct multivariant_config *c, size_t variant,
                           const struct audio_group *groups, size_t group_count)
{
    const struct multivariant_variant *v = &c->variants[variant];
    for (size_t i = 0; i < group_count; i++) {
        if (audio_group_goes_with(c, &groups[i], variant))
            write_variant(w, c, v, &groups[i], v->video ? v->uri : c->audio[audio_group_first(c, &groups[i])].uri);
    }
    if (!group_count) write_variant(w, c, v, NULL, v->uri);
}

struct frozen *multivariant_render(const struct multivariant_config *c)
{
    struct byte_writer w;
    struct names names;
    struct audio_group groups[MULTIVARIANT_AUDIOS_MAX];
    const size_t group_count = audio_groups_list(c, groups);
    byte_writer_init(&w, PLAYLIST_BYTES_MAX);
    write_format(&w, "#EXTM3U\n#EXT-X-VERSION:%d\n", HLS_VERSION);
    choose_names(c, &names);
    /* audio alone, and one of it: the variant is the rendition */
    for (size_t i = 0; (has_video(c) || c->audio_count > 1) && i < group_count; i++)
        write_group(&w, c, &groups[i], &names);
    if (has_captions(c))
        write_text(&w, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"" CAPTIONS_GROUP
                       "\",NAME=\"CC1\",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n");
    for (size_t i = 0; i < c->variant_count; i++) write_variants(&w, c, i, groups, group_count);
    if (c->iframes_uri) write_iframes(&w, c);
    struct frozen *text = byte_writer_freeze(&w);
    byte_writer_deinit(&w);
    return text;
}
