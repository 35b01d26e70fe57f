/* watchdog: whether something that was given work still answers. Pure: the time is passed in. */
#ifndef WEIR_TRANSCODE_WATCHDOG_H
#define WEIR_TRANSCODE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
    int64_t waiting_us; /* since when work lay there without an answer; -1: none does */
    int64_t limit_us;
};

enum watchdog_verdict { WATCHDOG_WELL = 1, WATCHDOG_REPLACE };

void watchdog_init(struct watchdog *w, int64_t limit_us);
/* has_work: something lies there, or is being worked on. has_answered: anything came out or was taken in since the last look. */
enum watchdog_verdict watchdog_look(struct watchdog *w, int64_t now_us, bool has_work, bool has_answered);

#endif
