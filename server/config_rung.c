/* What an operator writes about one rung of a ladder: its keys, and the words that stand for values. */
#include "config_rung.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/transcode/admission.h>

#define MBIT 1000000LL
#define RUNG_AT(field) offsetof(struct rung_config, field)

static const struct config_key rung_keys[] = {
    { "name", KEY_TEXT, RUNG_AT(name), 1, RUNG_NAME_BYTES - 1, "1 to 15 letters, digits, - and _" },
    { "height", KEY_COUNT, RUNG_AT(height), 32, LADDER_SIDE_MAX, "a number of lines from 32 to 8192" },
    { "scale", KEY_SCALE, RUNG_AT(scale_num), 0, 0, "a part of the source's size, at most 1, for example 1/2 or 0.75" },
    { "fps", KEY_FRAME_RATE, RUNG_AT(fps_max_milli), 1000, 300000,
      "pictures a second at most, from 1 to 300, for example 30 or 29.97" },
    { "bitrate", KEY_AMOUNT, RUNG_AT(bitrate_bps), 10000, 200 * MBIT,
      "bits per second from 10k to 200M, for example 2500k" },
    { "maxrate", KEY_AMOUNT, RUNG_AT(max_rate_bps), 10000, 400 * MBIT,
      "bits per second, at least bitrate, for example 3M" },
    { "codec", KEY_VIDEO_CODEC, RUNG_AT(codec), 0, 0, "h264, hevc or av1" },
    { "profile", KEY_PROFILE, RUNG_AT(profile), 0, 0, "baseline, main, high or main10" },
    { "preset", KEY_PRESET, RUNG_AT(preset), 0, 0, "ultrafast, superfast, veryfast, faster, fast, medium or slow" },
};

#define SOUND_AT(field) offsetof(struct audio_rung_config, field)

static const struct config_key audio_keys[] = {
    { "name", KEY_TEXT, SOUND_AT(name), 1, RUNG_NAME_BYTES - 1, "1 to 15 letters, digits, - and _" },
    { "codec", KEY_AUDIO_CODEC, SOUND_AT(codec), 0, 0, "aac or opus" },
    { "bitrate", KEY_AMOUNT, SOUND_AT(bitrate_bps), 6000, 512000, "bits per second from 6k to 512k, for example 64k" },
    { "channels", KEY_COUNT, SOUND_AT(channels), 1, 2, "1 or 2" },
    { "sample_rate", KEY_COUNT, SOUND_AT(sample_rate), 8000, 48000, "samples a second from 8000 to 48000" },
};

const struct config_key *config_audio_key_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(audio_keys); i++) {
        if (!strcmp(audio_keys[i].name, name)) return &audio_keys[i];
    }
    return NULL;
}

const struct config_key *config_rung_key_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rung_keys); i++) {
        if (!strcmp(rung_keys[i].name, name)) return &rung_keys[i];
    }
    return NULL;
}

/* "29.97", at most three digits behind the point; in thousandths. */
static bool parse_thousandths(const char *text, int64_t *out)
{
    int64_t whole = 0, unit = 1000;
    const char *at = text;
    if (*at < '0' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (whole > 1000000) return false;
        whole = whole * 10 + (*at - '0');
    }
    whole *= 1000;
    if (*at == '.') {
        if (!at[1]) return false;
        for (at++; *at >= '0' && *at <= '9' && unit > 1; at++) {
            unit /= 10;
            whole += (*at - '0') * unit;
        }
    }
    *out = whole;
    return !*at;
}

static bool parse_scale(const char *text, void *field)
{
    uint32_t scale[2]; /* scale_num, scale_den: side by side */
    int64_t thousandths;
    char *end;
    const unsigned long num = strtoul(text, &end, 10);
    if (*end == '/' && end != text && text[0] >= '0' && text[0] <= '9' && end[1] >= '1' && end[1] <= '9') {
        const unsigned long den = strtoul(end + 1, &end, 10);
        if (*end || !num || num > den || den > 1000) return false;
        scale[0] = (uint32_t)num;
        scale[1] = (uint32_t)den;
    } else {
        if (!parse_thousandths(text, &thousandths) || thousandths < 1 || thousandths > 1000) return false;
        scale[0] = (uint32_t)thousandths;
        scale[1] = 1000;
    }
    memcpy(field, scale, sizeof scale);
    return true;
}
_Static_assert(RUNG_AT(scale_den) == RUNG_AT(scale_num) + sizeof(uint32_t), "written together");

static bool parse_frame_rate(const char *text, const struct config_key *key, void *field)
{
    int64_t milli;
    if (!parse_thousandths(text, &milli) || milli < key->min || milli > key->max) return false;
    const uint32_t value = (uint32_t)milli;
    memcpy(field, &value, sizeof value);
    return true;
}

static bool parse_codec(const char *text, void *field)
{
    for (enum media_codec codec = CODEC_H264; codec <= CODEC_AV1; codec++) {
        if (strcmp(text, codec_name(codec)) != 0) continue;
        memcpy(field, &codec, sizeof codec);
        return true;
    }
    return false;
}

static bool parse_audio_codec(const char *text, void *field)
{
    const bool is_opus = !strcmp(text, "opus");
    const enum media_codec codec = is_opus ? CODEC_OPUS : CODEC_AAC;
    if (!is_opus && strcmp(text, "aac") != 0) return false;
    memcpy(field, &codec, sizeof codec);
    return true;
}

static bool is_profile(const char *text)
{
    static const char *const profiles[] = { "baseline", "main", "high", "main10" };
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        if (!strcmp(text, profiles[i])) return true;
    }
    return false;
}

bool config_rung_parse(const struct config_key *key, const char *text, void *field)
{
    bool is_word;
    switch (key->kind) {
    case KEY_SCALE: return parse_scale(text, field);
    case KEY_FRAME_RATE: return parse_frame_rate(text, key, field);
    case KEY_VIDEO_CODEC: return parse_codec(text, field);
    case KEY_AUDIO_CODEC: return parse_audio_codec(text, field);
    case KEY_PROFILE: is_word = is_profile(text); break;
    case KEY_PRESET: is_word = preset_speed_from(text) != 0; break;
    default: return false;
    }
    if (is_word) snprintf(field, RUNG_WORD_BYTES, "%s", text);
    return is_word;
}

bool config_ladder_parse_word(const char *text, struct config_ladder *ladder)
{
    const bool is_auto = !strcmp(text, "auto");
    if (!is_auto && strcmp(text, "no") != 0 && strcmp(text, "false") != 0) return false;
    ladder->is_on = is_auto;
    ladder->wish = (struct ladder_config){ .is_auto = is_auto };
    return true;
}

const char *config_ladder_rung_done(struct config_ladder *ladder)
{
    const char *why = NULL;
    struct rung_config *r = &ladder->wish.rungs[ladder->wish.rung_count++];
    if (r->kind == RUNG_ENCODED && r->codec == CODEC_HEVC &&
        (!strcmp(r->profile, "baseline") || !strcmp(r->profile, "high")))
        return "profile: of an hevc rung it is main or main10";
    if (r->kind == RUNG_ENCODED && r->codec == CODEC_AV1 && r->profile[0])
        return "profile: av1 rungs have main alone; take the line out";
    if (r->kind == RUNG_ENCODED && (!r->codec || r->codec == CODEC_H264) && !strcmp(r->profile, "main10"))
        return "profile: of an h264 rung it is baseline, main or high";
    if (ladder_config_check(&ladder->wish, &why)) return why;
    return NULL;
}

bool config_audio_parse_word(const char *text, struct config_audio *audio)
{
    static const struct {
        const char *word;
        enum audio_mode mode;
    } words[] = { { "auto", AUDIO_AUTO }, { "pass", AUDIO_PASS }, { "aac", AUDIO_AAC }, { "opus", AUDIO_OPUS } };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i].word) != 0) continue;
        *audio = (struct config_audio){ .mode = words[i].mode };
        return true;
    }
    return false;
}

/* Renditions of a stream have names that nobody else may have. */
static bool is_taken(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return !strncmp(name, "audio", 5) || !strcmp(name, "video") || !strcmp(name, "full") || !strcmp(name, "source") ||
           !strcmp(name, "iframes") || !strcmp(name, "ts") || (digits && !strcmp(name + digits, "p"));
}

const char *config_audio_rung_done(struct config_audio *audio)
{
    struct audio_rung_config *r = &audio->rungs[audio->rung_count];
    if (!r->codec) r->codec = CODEC_AAC;
    if (!r->name[0]) snprintf(r->name, sizeof r->name, "sound-%c", (char)('a' + audio->rung_count));
    if (strspn(r->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(r->name))
        return "a rung's name may hold letters, digits, - and _";
    if (is_taken(r->name))
        return "name: a rung of sound may not be called audio, video, iframes, ts, source, full, or as a picture's "
               "height";
    for (size_t i = 0; i < audio->rung_count; i++) {
        if (!strcmp(audio->rungs[i].name, r->name)) return "two rungs have the same name";
    }
    if (r->codec == CODEC_OPUS && r->sample_rate && r->sample_rate != 48000)
        return "sample_rate: of an opus rung it is 48000; take the line out";
    audio->rung_count++;
    return NULL;
}
