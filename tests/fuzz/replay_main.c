/* Runs every file of the corpus folders through a fuzz target: what the fuzzer once found stays a test for every compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    uint8_t *data = malloc(1 << 20);
    const size_t bytes = data ? fread(data, 1, 1 << 20, f) : 0;
    fclose(f);
    /* an exact-size copy, so that a sanitizer sees the first byte too many */
    uint8_t *exact = malloc(bytes ? bytes : 1);
    if (data && exact) {
        memcpy(exact, data, bytes);
        LLVMFuzzerTestOneInput(exact, bytes);
    }
    free(exact);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) continue;
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[4096];
            if (entry->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            files += replay_file(path);
        }
        closedir(dir);
    }
    printf("%d corpus files replayed\n", files);
    return files ? 0 : 1;
}
