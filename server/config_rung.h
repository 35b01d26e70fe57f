/* The rungs of a ladder, and of sound, in the configuration. Pure. */
#ifndef WEIR_SERVER_CONFIG_RUNG_H
#define WEIR_SERVER_CONFIG_RUNG_H

#include "config_keys.h"

/* Keys of a rung of sound; base: struct audio_rung_config. */
const struct config_key *config_audio_key_find(const char *name);
bool config_audio_parse_word(const char *text, struct config_audio *audio);
const char *config_audio_rung_done(struct config_audio *audio);

/* Keys of a rung; base: struct rung_config. NULL: no such key. */
const struct config_key *config_rung_key_find(const char *name);
/* Values of the kinds that only rungs have. false: not right, and *field is as it was. */
bool config_rung_parse(const struct config_key *key, const char *text, void *field);
/* "auto" or "no" in place of a list of rungs. */
bool config_ladder_parse_word(const char *text, struct config_ladder *ladder);
/* The rung behind the last one has been filled in: it counts from now on. NULL: it is right; otherwise what is wrong, static. */
const char *config_ladder_rung_done(struct config_ladder *ladder);

#endif
