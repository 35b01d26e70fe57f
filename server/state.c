#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static enum weir_err fail(struct config_error *error, const char *what, const char *path)
{
    snprintf(error->text, sizeof error->text,
             "state.dir: cannot %s %.200s: %s; set state.dir to a folder that weir may write", what, path,
             strerror(errno));
    return WEIR_IO;
}

static void choose_dir(char *out, size_t out_bytes, const char *configured)
{
    const char *given = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (configured[0])
        snprintf(out, out_bytes, "%s", configured);
    else if (given && given[0])
        snprintf(out, out_bytes, "%s", given);
    else if (xdg && xdg[0])
        snprintf(out, out_bytes, "%s/weir", xdg);
    else
        snprintf(out, out_bytes, "%s/.local/state/weir", home && home[0] ? home : "/var/lib");
}

/* mkdir -p */
static bool make_dirs(const char *path)
{
    char part[CONFIG_TEXT_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        if (mkdir(part, 0755) && errno != EEXIST) return false;
        *slash = '/';
    }
    return !mkdir(part, 0700) || errno == EEXIST;
}

static bool read_key(struct state *s)
{
    const int fd = open(s->key_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t bytes = read(fd, s->key, STATE_KEY_BYTES - 1);
    close(fd);
    s->key[bytes > 0 ? bytes : 0] = 0;
    s->key[strcspn(s->key, "\r\n")] = 0;
    return strlen(s->key) >= 8;
}

static bool write_key(struct state *s)
{
    uint8_t random[(STATE_KEY_BYTES - 1) / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    for (size_t i = 0; i < sizeof random; i++) snprintf(s->key + 2 * i, 3, "%02x", random[i]);
    /* into place by rename: a kill in the middle leaves no half key */
    char fresh[sizeof s->key_file + 8];
    snprintf(fresh, sizeof fresh, "%s.new", s->key_file);
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const size_t bytes = strlen(s->key);
    const bool is_written = write(fd, s->key, bytes) == (ssize_t)bytes && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    close(fd);
    return is_written && !rename(fresh, s->key_file);
}

enum weir_err state_open(struct state *s, const char *configured, struct config_error *error)
{
    *s = (struct state){ .dir = "" };
    choose_dir(s->dir, sizeof s->dir, configured);
    if (!make_dirs(s->dir)) return fail(error, "make the folder", s->dir);
    snprintf(s->key_file, sizeof s->key_file, "%s/publish.key", s->dir);
    if (read_key(s)) return WEIR_OK;
    s->is_key_new = true;
    return write_key(s) ? WEIR_OK : fail(error, "write", s->key_file);
}
