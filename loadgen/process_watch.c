#include <weir/loadgen/process_watch.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 4
#define PATH_BYTES 96

static FILE *open_of(pid_t pid, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

static bool read_memory(pid_t pid, struct process_figures *out)
{
    char line[256];
    bool is_there = false; /* a process that has ended and was not waited for has the file, and nothing in it */
    FILE *file = open_of(pid, "smaps_rollup");
    if (!file) return false;
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        const uint64_t bytes = colon ? strtoull(colon + 1, NULL, 10) * 1024 : 0;
        if (!strncmp(line, "Pss:", 4)) {
            out->pss_bytes += bytes;
            is_there = true;
        }
        if (!strncmp(line, "Private_Dirty:", 14)) out->private_bytes += bytes;
    }
    fclose(file);
    return is_there;
}

static uint32_t count_descriptors(pid_t pid)
{
    char path[PATH_BYTES];
    uint32_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (struct dirent *e; (e = readdir(folder));) count += e->d_name[0] != '.';
    closedir(folder);
    return count;
}

static bool look_at(pid_t pid, struct process_figures *out, int depth);

/* Time on a core, as the scheduler counts it in nanoseconds; ticks are too coarse. */
static void look_at_thread(pid_t pid, const char *thread, struct process_figures *out, int depth)
{
    char name[PATH_BYTES];
    unsigned long long ns = 0;
    int child;
    snprintf(name, sizeof name, "task/%.20s/schedstat", thread);
    FILE *file = open_of(pid, name);
    if (!file) return;
    if (fscanf(file, "%llu", &ns) == 1) out->cpu_us += (int64_t)(ns / 1000);
    fclose(file);
    out->threads++;
    snprintf(name, sizeof name, "task/%.20s/children", thread);
    file = depth < DEPTH_MAX ? open_of(pid, name) : NULL;
    if (!file) return;
    while (fscanf(file, "%d", &child) == 1) look_at(child, out, depth + 1);
    fclose(file);
}

static bool look_at(pid_t pid, struct process_figures *out, int depth)
{
    char path[PATH_BYTES];
    if (!read_memory(pid, out)) return false;
    out->processes++;
    out->descriptors += count_descriptors(pid);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder) return false;
    for (struct dirent *e; (e = readdir(folder));) {
        if (e->d_name[0] != '.') look_at_thread(pid, e->d_name, out, depth);
    }
    closedir(folder);
    return true;
}

bool process_look(pid_t pid, struct process_figures *out)
{
    *out = (struct process_figures){ .processes = 0 };
    return look_at(pid, out, 0);
}
