/* The table of keys, shared by --set and the file. */
#ifndef WEIR_SERVER_CONFIG_KEYS_H
#define WEIR_SERVER_CONFIG_KEYS_H

#include <weir/server/config.h>

enum key_kind {
    KEY_ADDRESSES = 1,
    KEY_ORIGINS,
    KEY_ADDRESS,
    KEY_DURATION,
    KEY_COUNT,
    KEY_AMOUNT,    /* int64_t */
    KEY_SWITCH,    /* int64_t: yes is 1, no is 0 */
    KEY_SRT_MODE,  /* int64_t: enum srt_mode */
    KEY_CONTAINER, /* int64_t: enum stream_container */
    KEY_NUMBERING, /* int64_t: enum stream_numbering */
    KEY_CIPHER,    /* int64_t: bytes of an AES key */
    KEY_HLS_TYPE,  /* int64_t: event is 1, sliding is 0 */
    KEY_TEXT,
    KEY_STREAM, /* a stream's name, canonical afterwards */
    KEY_ACCESS,
    KEY_BOOL,
    KEY_PART,
    KEY_DAMAGE,
    KEY_SECRET, /* in a file only, so that no process list shows it */
    KEY_SRT_URL,
    KEY_LADDER,  /* struct config_ladder: a word; in a file also a list of rungs */
    KEY_AUDIO,   /* struct config_audio: the same */
    KEY_BACKEND, /* char[RUNG_WORD_BYTES] */
    KEY_LATENCY, /* int64_t: enum ladder_latency */
    KEY_GPUS,    /* uint64_t: a bit for each number */
    /* of a rung (config_rung.h) */
    KEY_SCALE,
    KEY_FRAME_RATE,
    KEY_VIDEO_CODEC,
    KEY_PROFILE,
    KEY_PRESET,
    KEY_AUDIO_CODEC,
};

struct config_key {
    const char *name; /* dotted */
    enum key_kind kind;
    size_t offset;    /* in struct config, or struct config_path for path keys */
    int64_t min, max; /* microseconds, counts; bytes for texts */
    const char *expected;
};

/* Whether it takes several values. */
static inline bool config_key_is_list(const struct config_key *key)
{
    return key->kind == KEY_ADDRESSES || key->kind == KEY_ORIGINS || key->kind == KEY_GPUS;
}

/* NULL: no such key. */
const struct config_key *config_key_find(const char *name);
const struct config_key *config_path_key_find(const char *name);
const struct config_key *config_srt_port_key_find(const char *name);
/* A known key close to `name`, for "did you mean"; NULL: none is close. */
const char *config_key_near(const char *name);
/* Sets one value. base: struct config, config_path or config_srt_port. values: one, or several for lists. */
WEIR_MUST_CHECK enum weir_err config_key_apply(const struct config_key *key, void *base, const char *const *values,
                                               size_t count, struct config_error *error);

#endif
