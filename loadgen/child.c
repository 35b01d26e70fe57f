#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>

#define LOOK_NS 20000000

/* Between fork and exec: async-signal-safe calls alone. */
static void become(const char *const *argv, int out, int log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a ^C at the terminal is ours to pass on */
    signal(SIGPIPE, SIG_DFL);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 ||
        dup2(out < 0 ? log : out, STDOUT_FILENO) < 0)
        _exit(127);
    execvp(argv[0], (char *const *)argv); /* POSIX keeps the const out for history alone */
    _exit(127);
}

bool child_start(struct child *c, const char *const *argv, bool is_read, const char *log_path)
{
    int pipe_ends[2] = { -1, -1 };
    *c = (struct child){ .out = -1 };
    const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) return false;
    if (is_read && pipe2(pipe_ends, O_CLOEXEC)) {
        close(log);
        return false;
    }
    c->pid = fork();
    if (!c->pid) become(argv, pipe_ends[1], log);
    const int error = errno;
    close(log);
    if (pipe_ends[1] >= 0) close(pipe_ends[1]);
    if (c->pid < 0) {
        if (pipe_ends[0] >= 0) close(pipe_ends[0]);
        c->pid = 0;
        errno = error;
        return false;
    }
    c->out = pipe_ends[0];
    if (c->out >= 0) fcntl(c->out, F_SETFL, O_NONBLOCK);
    return true;
}

static bool read_more(struct child *c)
{
    if (c->out < 0) return false; /* nobody speaks there yet, or any more */
    if (!c->buffer) c->buffer = malloc(CHILD_LINE_BYTES_MAX);
    if (!c->buffer) return false;
    memmove(c->buffer, c->buffer + c->taken, c->bytes - c->taken);
    c->bytes -= c->taken;
    c->taken = 0;
    if (c->bytes == CHILD_LINE_BYTES_MAX) c->bytes = 0; /* no line is that long */
    const ssize_t got = read(c->out, c->buffer + c->bytes, CHILD_LINE_BYTES_MAX - c->bytes);
    if (got > 0) {
        c->bytes += (size_t)got;
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    close(c->out);
    c->out = -1;
    return false;
}

const char *child_line(struct child *c)
{
    do {
        char *begin = c->buffer ? c->buffer + c->taken : NULL;
        char *end = begin ? memchr(begin, '\n', c->bytes - c->taken) : NULL;
        if (!end) continue;
        *end = 0;
        c->taken += (size_t)(end - begin) + 1;
        return begin;
    } while (read_more(c));
    return NULL;
}

bool child_is_over(struct child *c)
{
    if (!c->pid || c->is_over) return true;
    if (waitpid(c->pid, &c->status, WNOHANG) != c->pid) return false;
    c->is_over = true;
    c->pid = 0;
    return true;
}

void child_signal(struct child *c, int number)
{
    if (!child_is_over(c)) kill(c->pid, number);
}

void child_wait(struct child *c, int64_t within_us)
{
    const int64_t until_us = clock_now_us() + within_us;
    const struct timespec pause = { .tv_nsec = LOOK_NS };
    while (!child_is_over(c)) {
        if (clock_now_us() > until_us) kill(c->pid, SIGKILL);
        nanosleep(&pause, NULL);
    }
}

void child_deinit(struct child *c)
{
    child_wait(c, 0);
    if (c->out >= 0) close(c->out);
    free(c->buffer);
    *c = (struct child){ .out = -1 };
}
