/* How high discontinuity sequence numbers have come, of all streams together, over starts of the process: EXT-X-DISCONTINUITY-SEQUENCE must not go
 * back for a name, and players walk lists that are as long as the number, so it cannot come from a clock as media sequence numbers do.
 *
 * A stream begins behind the mark, and raises it with each further era and when it ends. The file `eras` in the state folder says a number that is
 * ahead of the mark, so that a killed process has not used it; a clean end writes the mark itself.
 * Thread: main, except era_mark_reach. */
#ifndef WEIR_SERVER_ERA_MARK_H
#define WEIR_SERVER_ERA_MARK_H

#include <stdatomic.h>
#include <stdint.h>
#include <weir/server/config.h>

struct era_mark {
    char file[CONFIG_TEXT_BYTES + 16]; /* "": not open */
    _Atomic uint64_t used;
    uint64_t written;
    bool is_failing;
};

/* Where the folder has no such file, numbers begin at the hours since 2026: should it be lost, they most likely still do not go back. */
WEIR_MUST_CHECK enum weir_err era_mark_open(struct era_mark *m, const char *state_dir, int64_t wall_us,
                                            struct config_error *error);
/* Raises the mark to `used` if it is lower. Returns the mark. Any thread. */
uint64_t era_mark_reach(struct era_mark *m, uint64_t used);
/* Writes the file if the mark has come near what it says. Every few seconds; a stream has at most eight eras in one. */
void era_mark_look(struct era_mark *m);
/* After the last stream. */
void era_mark_close(struct era_mark *m);

#endif
