#include "server_process.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/clock.h>

extern char **environ;

enum weir_err server_process_start(struct server_process *s)
{
    char line[4096];
    if ((size_t)snprintf(line, sizeof line, "exec %s", s->command) >= sizeof line) {
        errno = E2BIG;
        return WEIR_IO;
    }
    char sh[] = "sh", c[] = "-c";
    char *argv[] = { sh, c, line, NULL };
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP); /* ^C is for us */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    errno = posix_spawn(&s->pid, "/bin/sh", NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (!errno) return WEIR_OK;
    s->pid = 0;
    return WEIR_IO;
}

static bool wait_ended(struct server_process *s, int64_t until_us)
{
    for (;;) {
        const pid_t got = waitpid(s->pid, NULL, WNOHANG);
        if (got == s->pid || (got < 0 && errno == ECHILD)) return true;
        if (clock_now_us() >= until_us) return false;
        const struct timespec pause = { .tv_nsec = 2000000 };
        nanosleep(&pause, NULL);
    }
}

int64_t server_process_end(struct server_process *s, int signal_number, int64_t within_us)
{
    const int64_t begin_us = clock_now_us();
    if (s->pid <= 0) return 0;
    kill(s->pid, signal_number);
    const bool is_good = wait_ended(s, begin_us + within_us);
    if (!is_good) {
        kill(s->pid, SIGKILL);
        wait_ended(s, INT64_MAX);
    }
    s->pid = 0;
    return is_good ? clock_now_us() - begin_us : -1;
}

bool server_process_is_running(struct server_process *s)
{
    return s->pid > 0 && !wait_ended(s, 0);
}

static bool count_descriptors(pid_t pid, uint32_t *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    if (!d) return false;
    *out = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) *out += e->d_name[0] != '.';
    closedir(d);
    return true;
}

/* "Name:   1234 ..." of a file in /proc. */
static bool read_field(pid_t pid, const char *file, const char *name, int64_t *out)
{
    char path[64], line[256];
    bool is_found = false;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    while (!is_found && fgets(line, sizeof line, f)) {
        long long value;
        if (strncmp(line, name, strlen(name)) != 0 || sscanf(line + strlen(name), " %lld", &value) != 1) continue;
        *out = value;
        is_found = true;
    }
    fclose(f);
    return is_found;
}

bool server_process_measure(const struct server_process *s, struct server_size *out)
{
    int64_t threads = 0;
    if (s->pid <= 0 || !count_descriptors(s->pid, &out->descriptors) ||
        !read_field(s->pid, "status", "Threads:", &threads) ||
        !read_field(s->pid, "smaps_rollup", "Pss:", &out->pss_kib))
        return false;
    out->threads = (uint32_t)threads;
    return true;
}
