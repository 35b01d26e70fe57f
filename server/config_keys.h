/* The table of keys, shared by --set and the file. */
#ifndef WEIR_SERVER_CONFIG_KEYS_H
#define WEIR_SERVER_CONFIG_KEYS_H

#include <weir/server/config.h>

enum key_kind {
    KEY_ADDRESSES = 1,
    KEY_DURATION,
    KEY_COUNT,
    KEY_TEXT,
    KEY_ACCESS,
    KEY_BOOL,
    KEY_DAMAGE,
    KEY_SECRET,
    KEY_LATER
};

struct config_key {
    const char *name; /* dotted */
    enum key_kind kind;
    size_t offset;    /* in struct config, or struct config_path for path keys */
    int64_t min, max; /* microseconds, counts; bytes for texts */
    const char *expected;
};

/* NULL: no such key. */
const struct config_key *config_key_find(const char *name);
const struct config_key *config_path_key_find(const char *name);
/* A known key close to `name`, for "did you mean"; NULL: none is close. */
const char *config_key_near(const char *name);
/* Sets one value. base: struct config, or struct config_path. values: one, or several for lists. */
WEIR_MUST_CHECK enum weir_err config_key_apply(const struct config_key *key, void *base, const char *const *values,
                                               size_t count, struct config_error *error);

#endif
