/* The state folder: the few things that outlive a process. Thread: main, at start. */
#ifndef WEIR_SERVER_STATE_H
#define WEIR_SERVER_STATE_H

#include <stdbool.h>
#include <weir/base/err.h>
#include <weir/server/config.h>

#define STATE_KEY_BYTES 33 /* 128 bits as hex, and the 0 */

struct state {
    char dir[CONFIG_TEXT_BYTES];
    char key_file[CONFIG_TEXT_BYTES + 16];
    char key[STATE_KEY_BYTES];
    bool is_key_new;
};

/* Finds or makes the folder (mode 0700) and the publishing key in it (mode 0600).
 * configured: "" for the default: $STATE_DIRECTORY, $XDG_STATE_HOME/weir or ~/.local/state/weir. */
WEIR_MUST_CHECK enum weir_err state_open(struct state *s, const char *configured, struct config_error *error);

#endif
