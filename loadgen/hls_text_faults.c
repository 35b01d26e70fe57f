#include "hls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>

#include "hls_text.h"

void hls_fault_add(struct hls_faults *f, enum hls_fault_kind kind, unsigned line, const char *tag, const char *text)
{
    if (f->count == LOADGEN_FAULTS_MAX) return;
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity ? 2 * f->capacity : 4;
        struct hls_fault *grown = realloc(f->items, capacity * sizeof *grown);
        if (!grown) return;
        f->items = grown;
        f->capacity = capacity;
    }
    struct hls_fault *fault = &f->items[f->count++];
    *fault = (struct hls_fault){ .kind = kind, .line = line, .tag = tag };
    snprintf(fault->text, sizeof fault->text, "%s", text);
}

char *hls_text_copy(const char *text, size_t bytes, size_t *lines)
{
    char *copy = malloc(bytes + 1);
    if (!copy) return NULL;
    if (bytes) memcpy(copy, text, bytes);
    copy[bytes] = 0;
    *lines = 1;
    for (const char *at = copy; (at = memchr(at, '\n', bytes - (size_t)(at - copy))); at++) (*lines)++;
    return copy;
}

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

char *hls_text_start(char *text)
{
    return strncmp(text, BYTE_ORDER_MARK, 3) ? text : text + 3;
}

void hls_check_text(struct hls_faults *f, const char *text, size_t bytes)
{
    unsigned line;
    if (bytes >= 3 && !memcmp(text, BYTE_ORDER_MARK, 3)) {
        hls_fault_add(f, HLS_FAULT_TEXT, 1, "EXTM3U", "a byte order mark");
        text += 3;
        bytes -= 3;
    }
    if (!hls_text_is_clean(text, bytes, &line))
        hls_fault_add(f, HLS_FAULT_TEXT, line, "EXTM3U", "a control character or broken UTF-8");
    const bool is_header = bytes >= 7 && !memcmp(text, "#EXTM3U", 7) && (bytes == 7 || strchr("\r\n", text[7]));
    if (is_header) return;
    char first[48];
    snprintf(first, sizeof first, "%.*s", (int)(bytes < 40 ? bytes : 40), text);
    first[strcspn(first, "\r\n")] = 0;
    hls_fault_add(f, HLS_FAULT_HEADER, 1, "EXTM3U", first);
}

char *hls_tag_value(char *line, const char *tag)
{
    const size_t bytes = strlen(tag);
    if (strncmp(line, tag, bytes)) return NULL;
    if (!line[bytes]) return line + bytes;
    return line[bytes] == ':' ? line + bytes + 1 : NULL;
}

bool hls_read_yes(struct hls_faults *f, const char *value, unsigned line, const char *tag)
{
    if (!strcmp(value, "YES")) return true;
    if (strcmp(value, "NO")) hls_fault_add(f, HLS_FAULT_ENUM, line, tag, value);
    return false;
}

bool hls_is_multivariant(const char *text, size_t bytes)
{
    static const char *const tags[] = { "#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:" };
    for (size_t at = 0; at < bytes;) {
        for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
            const size_t tag_bytes = strlen(tags[i]);
            if (bytes - at >= tag_bytes && !memcmp(text + at, tags[i], tag_bytes)) return true;
        }
        const char *newline = memchr(text + at, '\n', bytes - at);
        if (!newline) return false;
        at = (size_t)(newline - text) + 1;
    }
    return false;
}
