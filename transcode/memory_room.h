/* memory_room: how much memory is left to this process before somebody is killed for it: in its control groups (version 2 or 1, and all
 * that they lie in) and in the machine, whichever is least. Reads a few small files of /proc and /sys/fs/cgroup: not for a loop. */
#ifndef WEIR_TRANSCODE_MEMORY_ROOM_H
#define WEIR_TRANSCODE_MEMORY_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct memory_room {
    uint64_t limit_bytes, used_bytes; /* used: without what the kernel can take back at once */
};

/* root: in front of every path, "" outside of tests. false: nothing could be read; then nothing is known to be limited. */
bool memory_room_read(const char *root, struct memory_room *out);

#endif
