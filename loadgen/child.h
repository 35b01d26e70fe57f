/* A process of ours whose standard output is read line by line. It dies with us. Thread: the one that made it. */
#ifndef WEIR_LOADGEN_CHILD_H
#define WEIR_LOADGEN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_LINE_BYTES_MAX (256 * 1024) /* longer ones are dropped */

struct child {
    pid_t pid; /* 0: none, or it was waited for */
    int out;   /* -1: not read */
    bool is_over;
    int status; /* of waitpid, once it is over */
    char *buffer;
    size_t bytes, taken;
};

/* argv: NULL-terminated. log_path: where its standard error goes, and its output too unless is_read. false: errno says why. */
bool child_start(struct child *c, const char *const *argv, bool is_read, const char *log_path);
/* Reads what is there. Lent until the next call; NULL: no whole line. */
const char *child_line(struct child *c);
/* Looks whether it ended. */
bool child_is_over(struct child *c);
void child_signal(struct child *c, int number);
/* Waits for its end; kills it after within_us. */
void child_wait(struct child *c, int64_t within_us);
void child_deinit(struct child *c); /* kills it where it still lives */

#endif
