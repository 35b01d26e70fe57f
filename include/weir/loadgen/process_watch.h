/* What the kernel says of a process and its children: memory, descriptors, threads, CPU. Thread: any. */
#ifndef WEIR_LOADGEN_PROCESS_WATCH_H
#define WEIR_LOADGEN_PROCESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_figures {
    uint64_t pss_bytes;     /* its share of what it shares with others */
    uint64_t private_bytes; /* its own dirty pages: heap, stacks, written data */
    uint32_t descriptors, threads, processes;
    int64_t cpu_us; /* ever, of all threads that live */
};

/* false: it is gone, or may not be looked at. */
bool process_look(pid_t pid, struct process_figures *out);

#endif
