#include "media_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

struct media_source {
    const struct media_map *map;
    uint64_t bytes;
};

static const struct {
    const char *text;
    uint32_t num, den;
} fractions[] = { { "23.976", 24000, 1001 }, { "29.97", 30000, 1001 }, { "59.94", 60000, 1001 } };

static bool read_rate(const char *text, struct media_source_config *out)
{
    for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
        if (strcmp(text, fractions[i].text)) continue;
        out->fps_num = fractions[i].num;
        out->fps_den = fractions[i].den;
        return true;
    }
    char *end;
    const unsigned long fps = strtoul(text, &end, 10);
    out->fps_num = (uint32_t)fps;
    out->fps_den = 1;
    return end != text && !*end && fps >= 1 && fps <= 120;
}

/* "720p30", "640x360p59.94" */
static bool read_size(const char *word, struct media_source_config *out)
{
    char *end;
    unsigned long width = 0, height = strtoul(word, &end, 10);
    if (end == word) return false;
    if (*end == 'x') {
        width = height;
        height = strtoul(end + 1, &end, 10);
    } else {
        width = (height * 16 / 9 + 1) / 2 * 2;
    }
    if (*end != 'p' || height < 64 || height > 4320 || width < 64 || width > 7680 || height % 2 || width % 2)
        return false;
    out->width = (uint32_t)width;
    out->height = (uint32_t)height;
    out->has_video = true;
    return read_rate(end + 1, out);
}

static bool read_word(const char *word, struct media_source_config *out)
{
    char *end;
    if (!strcmp(word, "silent")) {
        out->has_audio = false;
    } else if (!strcmp(word, "audio")) {
        out->has_video = false;
    } else if (!strcmp(word, "hevc") || !strcmp(word, "h264")) {
        out->video = word[1] == 'e' ? CODEC_HEVC : CODEC_H264;
    } else if (!strncmp(word, "gop=", 4)) {
        const unsigned long gop = strtoul(word + 4, &end, 10);
        if (end == word + 4 || *end || gop < 1 || gop > 1200) return false;
        out->gop_frames = (uint32_t)gop;
    } else if (word[strlen(word) ? strlen(word) - 1 : 0] == 'k') {
        const unsigned long kbps = strtoul(word, &end, 10);
        if (end == word || end[1] || kbps < 16 || kbps > 200000) return false;
        out->bitrate_kbps = (uint32_t)kbps;
    } else {
        return read_size(word, out);
    }
    return true;
}

/* About what people use: 2.5 Mbit/s for 720p30. */
static void fill_in(struct media_source_config *c)
{
    const uint64_t pixels_per_s = (uint64_t)c->width * c->height * c->fps_num / (c->fps_den ? c->fps_den : 1);
    if (!c->bitrate_kbps) c->bitrate_kbps = (uint32_t)(pixels_per_s / 11060) + 100;
    if (!c->gop_frames) c->gop_frames = (2 * c->fps_num + c->fps_den / 2) / (c->fps_den ? c->fps_den : 1);
}

bool media_source_parse(const char *text, struct media_source_config *out, char *why, size_t why_bytes)
{
    const bool wants_ts = out->wants_ts;
    *out = (struct media_source_config){ .video = CODEC_H264,
                                         .width = 1280,
                                         .height = 720,
                                         .fps_num = 30,
                                         .fps_den = 1,
                                         .has_video = true,
                                         .has_audio = true,
                                         .wants_ts = wants_ts };
    if (strncmp(text, "test:", 5) != 0) {
        out->file = text;
        return true;
    }
    char words[128];
    if ((size_t)snprintf(words, sizeof words, "%s", text + 5) >= sizeof words) {
        snprintf(why, why_bytes, "the source is described in more than %zu bytes", sizeof words);
        return false;
    }
    char *rest = words;
    for (char *word; (word = strsep(&rest, ":")) != NULL;) {
        if (read_word(word, out)) continue;
        snprintf(why, why_bytes,
                 "source \"%s\": \"%s\" is none of SIZEpFPS (720p30, 640x360p59.94), hevc, h264, 2500k, gop=60, "
                 "silent, audio",
                 text, word);
        return false;
    }
    if (!out->has_video && !out->has_audio) {
        snprintf(why, why_bytes, "source \"%s\" has neither video nor audio", text);
        return false;
    }
    fill_in(out);
    return true;
}

struct media_source *media_source_over(const void *data, uint64_t bytes)
{
    const struct media_map *map = data;
    if (bytes < sizeof *map || map->total_bytes != bytes) return NULL;
    struct media_source *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->map = map;
    s->bytes = bytes;
    return s;
}

const void *media_source_map(const struct media_source *s, uint64_t *bytes)
{
    *bytes = s->bytes;
    return s->map;
}

const struct media_source_facts *media_source_facts(const struct media_source *s)
{
    return &s->map->facts;
}

const uint8_t *media_source_bytes(const struct media_source *s, uint64_t at)
{
    return (const uint8_t *)s->map + at;
}

struct byte_span media_source_video_config(const struct media_source *s)
{
    return (struct byte_span){ media_source_bytes(s, s->map->video_config_at), s->map->video_config_bytes };
}

struct byte_span media_source_audio_config(const struct media_source *s)
{
    return (struct byte_span){ media_source_bytes(s, s->map->audio_config_at), s->map->audio_config_bytes };
}

const struct media_item *media_source_items(const struct media_source *s, uint32_t *count)
{
    *count = s->map->item_count;
    return (const void *)media_source_bytes(s, s->map->items_at);
}

const struct media_ts_piece *media_source_ts(const struct media_source *s, uint32_t *count)
{
    *count = s->map->piece_count;
    return (const void *)media_source_bytes(s, s->map->pieces_at);
}

const uint8_t *media_source_ts_counters(const struct media_source *s)
{
    return s->map->piece_count ? media_source_bytes(s, s->map->counters_at) : NULL;
}

int64_t media_source_ts_origin_90k(const struct media_source *s)
{
    return s->map->ts_origin_90k;
}
