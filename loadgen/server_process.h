/* The server under test, from outside: started, ended, killed, and measured through /proc. Owner: one thread. */
#ifndef WEIR_LOADGEN_SERVER_PROCESS_H
#define WEIR_LOADGEN_SERVER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/base/err.h>

struct server_process {
    const char *command; /* for sh; NULL: not ours to start */
    pid_t pid;           /* 0: not known */
};

/* WEIR_IO: errno says. */
WEIR_MUST_CHECK enum weir_err server_process_start(struct server_process *s);
/* SIGTERM or SIGKILL, and waits until it has ended; after within_us it is killed. How long it took; negative: it had to be killed. */
int64_t server_process_end(struct server_process *s, int signal_number, int64_t within_us);
bool server_process_is_running(struct server_process *s); /* of one that was started here */

struct server_size {
    uint32_t descriptors, threads;
    int64_t pss_kib; /* what is its own, and its share of the rest */
};
/* false: it is not there, or not ours to look at. */
bool server_process_measure(const struct server_process *s, struct server_size *out);

#endif
