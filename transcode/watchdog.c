#include <weir/transcode/watchdog.h>

void watchdog_init(struct watchdog *w, int64_t limit_us)
{
    *w = (struct watchdog){ .waiting_us = -1, .limit_us = limit_us };
}

enum watchdog_verdict watchdog_look(struct watchdog *w, int64_t now_us, bool has_work, bool has_answered)
{
    if (!has_work || has_answered || w->waiting_us < 0) {
        w->waiting_us = has_work ? now_us : -1;
        return WATCHDOG_WELL;
    }
    if (now_us - w->waiting_us < w->limit_us) return WATCHDOG_WELL;
    w->waiting_us = -1;
    return WATCHDOG_REPLACE;
}
