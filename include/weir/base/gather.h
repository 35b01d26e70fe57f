/* Serves many readable sockets in one pass.
 *
 * Waking up is most of what a small publisher costs. A gatherer keeps its sockets in an epoll set of its own. While
 * few are active, the loop wakes for each of them at once; with more, the set is looked at every `gather_us` and all that
 * became readable meanwhile is served in one pass. No frame waits longer than gather_us; a lone stream does not wait.
 * Owner: one loop; thread: that loop. */
#ifndef WEIR_BASE_GATHER_H
#define WEIR_BASE_GATHER_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/err.h>

struct loop;
struct gather;

enum gather_events { GATHER_READ = 1, GATHER_WRITE = 2, GATHER_BROKEN = 4 };

/* One watched socket: lives in its owner's struct, no allocation. */
struct gather_watch {
    void (*ready)(struct gather_watch *w, unsigned events); /* may unwatch itself or others */
    int fd;
    uint32_t wanted;
    bool is_watched, is_again;
    struct gather_watch *next_again;
};

WEIR_MUST_CHECK enum weir_err gather_create(struct gather **out, struct loop *loop, int64_t gather_us);
void gather_destroy(struct gather *g); /* NULL is fine; nothing may be watched any more */
WEIR_MUST_CHECK enum weir_err gather_watch(struct gather *g, struct gather_watch *w, int fd, unsigned events);
void gather_rewatch(struct gather *g, struct gather_watch *w, unsigned events);
/* Its owner has more to read that the socket does not announce (TLS): it is ready in the next pass, once. */
void gather_again(struct gather *g, struct gather_watch *w);
void gather_unwatch(struct gather *g, struct gather_watch *w); /* does not close the fd */
/* A connection that carries frames: with two or more of them, passes are gathered. */
void gather_count_active(struct gather *g, int change);

#endif
