#include "memory_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 1024
#define FILE_BYTES 16384 /* memory.stat has a few kilobytes */

static bool read_file(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "re");
    if (!f) return false;
    const size_t bytes = fread(out, 1, room - 1, f);
    fclose(f);
    out[bytes] = 0;
    return true;
}

/* The number behind a key that begins a line. */
static bool find_number(const char *text, const char *key, uint64_t *out)
{
    const size_t bytes = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (!strncmp(line, key, bytes)) return sscanf(line + bytes, "%" SCNu64, out) == 1;
    }
    return false;
}

static bool read_number(const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_BYTES + 64], text[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_file(path, text, sizeof text) && sscanf(text, "%" SCNu64, out) == 1; /* "max": no number */
}

static void take(struct memory_room *least, bool *has_any, uint64_t limit, uint64_t used)
{
    const uint64_t left = limit > used ? limit - used : 0;
    const uint64_t known = least->limit_bytes > least->used_bytes ? least->limit_bytes - least->used_bytes : 0;
    if (*has_any && left >= known) return;
    *least = (struct memory_room){ .limit_bytes = limit, .used_bytes = used };
    *has_any = true;
}

/* -- the machine -- */

static void read_machine(const char *root, struct memory_room *least, bool *has_any)
{
    char path[PATH_BYTES], text[FILE_BYTES];
    uint64_t total_kib, available_kib;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (!read_file(path, text, sizeof text) || !find_number(text, "MemTotal:", &total_kib) ||
        !find_number(text, "MemAvailable:", &available_kib) || available_kib > total_kib)
        return;
    take(least, has_any, total_kib * 1024, (total_kib - available_kib) * 1024);
}

/* -- control groups -- */

struct group_files {
    const char *mount, *limit, *used, *stat_key;
};
static const struct group_files version_2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file " };
static const struct group_files version_1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                              "total_inactive_file " };

static void read_group(const char *folder, const struct group_files *files, struct memory_room *least, bool *has_any)
{
    char path[PATH_BYTES + 64], text[FILE_BYTES];
    uint64_t limit, used, cached = 0;
    if (!read_number(folder, files->limit, &limit) || !read_number(folder, files->used, &used)) return;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (!read_file(path, text, sizeof text) || !find_number(text, files->stat_key, &cached)) cached = 0;
    take(least, has_any, limit, used > cached ? used - cached : 0);
}

/* The group and all that it lies in. In a container the path may be one of the host's, which is not there: its own is the mount. */
static void read_groups(const char *root, const char *group, const struct group_files *files, struct memory_room *least,
                        bool *has_any)
{
    char folder[PATH_BYTES];
    const int wrote = snprintf(folder, sizeof folder, "%s%s%s", root, files->mount, group);
    if (wrote < 0 || (size_t)wrote >= sizeof folder) return;
    const size_t mount_bytes = strlen(root) + strlen(files->mount);
    for (;;) {
        read_group(folder, files, least, has_any);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < mount_bytes) return;
        *slash = 0;
    }
}

bool memory_room_read(const char *root, struct memory_room *out)
{
    char path[PATH_BYTES], text[FILE_BYTES];
    bool has_any = false;
    *out = (struct memory_room){ .limit_bytes = 0 };
    read_machine(root, out, &has_any);
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_file(path, text, sizeof text)) return has_any;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *kind = strchr(line, ':'), *group = kind ? strchr(kind + 1, ':') : NULL;
        if (!group) continue;
        if (!strncmp(line, "0::", 3)) read_groups(root, group + 1, &version_2, out, &has_any);
        if (!strncmp(kind, ":memory:", 8)) read_groups(root, group + 1, &version_1, out, &has_any);
    }
    return has_any;
}
