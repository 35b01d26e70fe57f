/* What a server's /metrics says: the first line is the names that are asked for, the rest the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/metrics_text.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *end = bytes ? memchr(data, '\n', bytes) : NULL;
    if (!end) return 0;
    char *names = strndup((const char *)data, (size_t)(end - data));
    const size_t left = bytes - (size_t)(end + 1 - data);
    char *text = malloc(left ? left : 1); /* of its own, so that a byte too far is seen */
    if (names && text) {
        memcpy(text, end + 1, left);
        metrics_sum_of_all(text, left, names);
        metrics_sum(text, left, names, strlen(names));
    }
    free(names);
    free(text);
    return 0;
}
